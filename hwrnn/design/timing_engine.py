# SPDX-License-Identifier: Apache-2.0
"""When an engine issues, and takes the vectors with which its states start; see
`hwrnn.design.timing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hwrnn.design.channel import Channel, Process, Waiting, after, until
from hwrnn.design.engine import Block, Engine, Start
from hwrnn.design.order import Tag
from hwrnn.design.schedule import block_start, emits_step, group_start
from hwrnn.design.stream import Stream


@dataclass
class Schedule:
    """The cycles of one run: port beats, and the issue of each engine's steps.

    `inputs`, `outputs`: by port (its name in the graph) when each beat was accepted.
    `first_beats`: those with which sequences start at the first input. `engine_blocks`: for each
    engine the column blocks of all steps, in order: the cycle of the block's first issue, and the
    cycle behind its last.
    """

    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    engine_steps: dict[str, list[int]] = field(default_factory=dict)
    first_beats: list[int] = field(default_factory=list)
    engine_blocks: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @property
    def accepted(self) -> list[int]:
        """The beats of the first input, which takes the sequences."""
        return next(iter(self.inputs.values()))

    @property
    def delivered(self) -> list[int]:
        """The beats of the first output."""
        return next(iter(self.outputs.values()))

    @property
    def cycles(self) -> int:
        """First beat accepted at any input to last beat accepted at any output."""
        last = max(times[-1] for times in self.outputs.values())
        return last - min(times[0] for times in self.inputs.values())


@dataclass
class Starts:
    """The vectors with which states of an engine start: when each was there, and was released."""

    there: dict[str, list[int]]
    released: list[int] = field(default_factory=list)


class EngineRun:
    """The part of a run that concerns engines."""

    channels: dict[str, Channel]
    result: Schedule

    def vectors(self, x: Stream) -> list[Tag]:
        """The vectors that the reader of a stream sees."""
        raise NotImplementedError

    def engine_parts(self, kernel: Engine) -> list[Process]:
        """The engine, and what gathers the vectors with which its states start."""
        starts = Starts({start.state: [] for start in kernel.starts})
        fills = [self.fill_start(kernel, start, starts) for start in kernel.starts]
        return [self.engine(kernel, starts), *fills]

    def fill_start(self, kernel: Engine, start: Start, starts: Starts) -> Process:
        """Vectors of a state that starts from outside, each into a bank of its own."""
        x, there = self.channels[start.x.name], starts.there[start.state]
        for v in range(len(self.vectors(start.x))):
            old = v - kernel.start_banks
            yield from until(lambda: len(starts.released) > old)  # noqa: B023 - used at once
            free = starts.released[old] + 1 if old >= 0 else 0
            for _ in range(start.x.beats):
                k = len(x.read)
                yield from until(lambda: x.has(k))  # noqa: B023 - used at once
                x.read.append(max(free, x.arrival(k), after(x.read)))
            there.append(x.read[-1] + 1)

    def starts_there(self, starts: Starts, t: int) -> Waiting[int]:
        """The first cycle from `t` in which all vectors of the next sequence are there."""
        v = len(starts.released)
        for there in starts.there.values():
            yield from until(lambda: len(there) > v)  # noqa: B023 - used at once
            t = max(t, there[v])
        return t

    def engine(self, kernel: Engine, starts: Starts) -> Process:
        """Block after block, group after group: an issue a cycle unless something is waited for.

        `t` is the next free issue cycle; `before` holds, for each stream, when the groups of its
        last step were handed over.
        """
        started = self.result.engine_steps.setdefault(kernel.name, [])
        spans = self.result.engine_blocks.setdefault(kernel.name, [])
        before: dict[int, dict[int, Sequence[int]]] = {}
        t = 0
        for tag in self.vectors(kernel.x):
            if tag.fresh:
                t = yield from self.starts_there(starts, t)
            past = {} if tag.fresh else before[tag.stream]
            within: dict[int, Sequence[int]] = {}
            for k, block in enumerate(kernel.blocks):
                if block.takes_x:
                    t = yield from self.beat_there(kernel.x, t)
                t = block_start(kernel, block, t, past, within)
                emits = block.hand == len(kernel.hands) - 1 and emits_step(kernel, tag)
                issued = yield from self.block(kernel, block, t, past, emits=emits)
                t = issued[-1] + 1
                spans.append((issued[0], t))
                started += [issued[0]] if k == 0 else []
                if block.hand is not None:
                    within[block.hand] = issued
            before[tag.stream] = within
            if tag.fresh:
                starts.released.append(t - 1 + kernel.start_release)

    def beat_there(self, x_stream: Stream, t: int) -> Waiting[int]:
        """The first cycle from `t` in which the next beat can be read."""
        x = self.channels[x_stream.name]
        at = len(x.read)
        yield from until(lambda: x.has(at))
        return max(t, x.arrival(at))

    def block(
        self, kernel: Engine, block: Block, t: int, past: dict[int, Sequence[int]], *, emits: bool
    ) -> Waiting[Sequence[int]]:
        """The issues of a block; one whose results go out waits for room, group by group."""
        if not (emits or kernel.by_group):  # nothing to wait for but the block's first group
            if block.takes_x:
                self.channels[kernel.x.name].read.append(t)
            return range(t, t + kernel.groups)
        outs = [(self.channels[r.out.name], kernel.latency_of(r.value)) for r in kernel.results]
        issued: list[int] = []
        for group in range(kernel.groups):
            t = group_start(kernel, block, group, t, past)
            if emits:
                for out, _ in outs:
                    k = len(out.written)
                    yield from until(lambda: out.knows_room(k))  # noqa: B023 - used at once
                    t = max(t, out.room(k))
                for out, latency in outs:
                    out.written.append(t + latency)
            if block.takes_x and group == 0:
                self.channels[kernel.x.name].read.append(t)
            issued.append(t)
            t += 1
        return issued
