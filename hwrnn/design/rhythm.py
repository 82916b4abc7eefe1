# SPDX-License-Identifier: Apache-2.0
"""A quick model of a design's time: whole vectors instead of beats, for searches only.

It follows the kernels of one lowered design with other foldings put in their place. What a search
has found is always checked with the exact schedule (`hwrnn.design.timing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwrnn.design.choices import Choice, stream_lanes
from hwrnn.design.design import (
    AxisIn,
    AxisOut,
    Concat,
    Design,
    Dwc,
    Engine,
    Kernel,
    Map,
    Reverse,
    SelectStep,
    ceil_div,
    kernel_inputs,
    kernel_outputs,
)
from hwrnn.ir import Step

Picks = Mapping[str, Choice]


@dataclass(frozen=True, slots=True)
class Pace:
    """When the vectors of a sequence can be read: beats `head`..`full` are the first vector,
    the last of `count` vectors ends at `last`. Beats have `lanes` elements.
    """

    head: float
    full: float
    last: float
    count: int
    lanes: int

    @property
    def spread(self) -> float:
        """Cycles between the first and the last beat of a vector."""
        return self.full - self.head

    def later(self, cycles: float) -> Pace:
        """The same, moved."""
        return replace(
            self, head=self.head + cycles, full=self.full + cycles, last=self.last + cycles
        )


class Rhythm:
    """Latency and interval of a design, for any choice of each of its engines."""

    def __init__(self, design: Design, steps: int) -> None:
        self.design, self.steps = design, steps
        self.features = {s.name: s.features for k in design.kernels for s in kernel_outputs(k)}
        self.counts: dict[str, int] = {}

    def latency(self, picks: Picks) -> float:
        """About how long one sequence takes."""
        return self.run(picks)[0]

    def interval(self, picks: Picks) -> float:
        """About how far sequences are apart."""
        return self.run(picks)[1]

    def busy(self, name: str, choice: Choice) -> int:
        """For how many cycles a sequence keeps an engine busy."""
        if name not in self.counts:
            self.run(dict.fromkeys((e.name for e in self.design.engines), choice))
        count = self.counts[name]
        if self.design.streams > 1:
            return count * choice.turn
        return count * choice.work + (count - 1) * choice.wait

    def run(self, picks: Picks) -> tuple[float, float]:
        """Latency and interval."""
        paces: dict[str, Pace] = {}
        latency = busy = 0.0
        for kernel in self.design.kernels:
            if isinstance(kernel, AxisOut):
                x = paces[kernel.x.name]
                beats = stream_lanes(kernel.x, kernel.x.lanes)
                out = regrouped(x, kernel.x.features, kernel.x.lanes, beats)
                latency, busy = out.last, max(busy, out.count * beats)
            else:
                busy = max(busy, self.visit(kernel, picks, paces))
        return latency, busy

    def visit(self, kernel: Kernel, picks: Picks, paces: dict[str, Pace]) -> float:
        """Note the output of a kernel; returns for how long a sequence keeps it busy."""
        match kernel:
            case AxisIn() if kernel is not self.design.source:
                beats = float(kernel.out.beats)
                pace, busy = Pace(1, beats, beats, 1, kernel.out.lanes), beats
            case AxisIn():
                pace, busy = self.source(kernel, picks)
            case Engine():
                pace, busy = self.engine(kernel, picks[kernel.name], paces[kernel.x.name])
            case Dwc():
                pace, busy = paces[kernel.x.name], 0  # whoever reads converts
            case Concat():
                pace, busy = joined([paces[x.name] for x in kernel.xs]), 0
            case Reverse():
                x = paces[kernel.x.name]
                beats = ceil_div(kernel.x.features, x.lanes)
                busy = x.count * beats
                pace = Pace(x.last + 2, x.last + 1 + beats, x.last + 1 + busy, x.count, x.lanes)
            case SelectStep():
                pace, busy = picked(paces[kernel.x.name], kernel.step), 0
            case Map():
                pace, busy = paces[kernel.x.name].later(kernel.out_latency + 1), 0
            case _:
                pace, busy = paces[kernel_inputs(kernel)[0].name].later(1), 0
        for out in kernel_outputs(kernel):
            paces[out.name] = pace
        return busy

    def source(self, kernel: AxisIn, picks: Picks) -> tuple[Pace, float]:
        """The input port, with beats as the first engine wants them."""
        first = next((e for e in self.design.engines), None)
        lanes = min(picks[first.name].fold.simd, kernel.out.features) if first else kernel.out.lanes
        beats = ceil_div(kernel.out.features, lanes)
        whole = self.steps * beats
        start = whole + 2 if kernel.max_steps else 1
        return Pace(start, start + beats - 1, start + whole - 1, self.steps, lanes), whole

    def engine(self, kernel: Engine, choice: Choice, x: Pace) -> tuple[Pace, float]:
        """An engine: its blocks follow the beats, its steps follow each other."""
        features = kernel.x.features
        if features != self.features[kernel.x.name]:  # a flattened sequence is one vector
            x = replace(x, full=x.last, count=1)
        self.counts[kernel.name] = x.count
        x = regrouped(x, features, min(choice.fold.simd, features), choice.x_blocks)
        rows = choice.groups
        all_h = max(choice.h_blocks - 1, 0) * rows - (0 if choice.h_blocks else rows)
        span = choice.x_blocks * rows
        first = max(x.head + span, x.full + rows) + all_h
        last = max(x.last - x.spread + span, x.last + rows) + all_h
        last = max(last, first + (x.count - 1) * choice.step)
        end = choice.out_latency + 1
        out = Pace(first + end, first + end + rows - 1, last + end + rows - 1, x.count, kernel.pe)
        out = replace(out, lanes=choice.fold.pe)
        busy = self.busy(kernel.name, choice)
        return picked(out, kernel.emit, held=0) if kernel.emit else out, busy


def regrouped(x: Pace, features: int, lanes: int, beats: int) -> Pace:
    """Beats of another width: the first waits for its elements, each takes a cycle."""
    if x.lanes == lanes:
        return x
    before = ceil_div(features, x.lanes)
    needed = ceil_div(min(lanes, features), x.lanes)
    head = x.head + 1 + (needed - 1) * x.spread / max(before - 1, 1)
    full = max(x.full + 1, head + beats - 1)
    last = max(x.last + 1, full + (x.count - 1) * max(before, beats))
    return Pace(head, full, last, x.count, lanes)


def joined(parts: list[Pace]) -> Pace:
    """Vectors one behind the other."""
    head = max(p.head for p in parts[:1])
    full = max(p.full for p in parts) + sum(p.spread + 1 for p in parts[1:])
    last = max(p.last for p in parts) + parts[-1].spread + 2
    return Pace(head + 1, max(full, head) + 1, last, parts[0].count, parts[0].lanes)


def picked(x: Pace, step: Step, held: int = 1) -> Pace:
    """One step of a sequence; `held`: cycles from having all of it to giving it."""
    if step is Step.FIRST:
        return Pace(x.head, x.full, x.full, 1, x.lanes)
    if held:
        return Pace(x.last + 1, x.last + 1 + x.spread, x.last + 1 + x.spread, 1, x.lanes)
    return Pace(x.last - x.spread, x.last, x.last, 1, x.lanes)
