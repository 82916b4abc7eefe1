# SPDX-License-Identifier: Apache-2.0
"""The schedule of one sequence as lanes of spans: what the picture and the text form both show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from hwrnn.design.design import Design, Engine
from hwrnn.design.timing import Schedule, schedule

SHOWN_STEPS = 8


class Work(Enum):
    """What happens in a span."""

    PORT = "port"
    X = "x columns"
    H = "h columns"
    CELL = "cell datapath"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Cycles start .. end - 1, spent on one time step."""

    start: int
    end: int
    step: int
    work: Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One part of the hardware and what it does when."""

    name: str
    part: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """All lanes; cycle 0 is the first input beat, `cycles` the latency of the sequence."""

    steps: int
    cycles: int
    lanes: tuple[Lane, ...]

    @property
    def end(self) -> int:
        """The cycle behind the last span."""
        return max(s.end for lane in self.lanes for s in lane.spans)


def shown_steps(design: Design, steps: int | None = None) -> int:
    """How many steps a picture shows: those asked for, else up to eight of the example's."""
    source = design.source
    if source.fixed_steps:
        return source.fixed_steps
    wanted = steps or min(design.graph.inputs[0].example_steps or SHOWN_STEPS, SHOWN_STEPS)
    return min(wanted, design.max_steps or wanted)


def timetable(design: Design, steps: int | None = None) -> Timetable:
    """The lanes of one sequence of `steps` steps."""
    n = shown_steps(design, steps)
    run = schedule(design, [n])
    beats_in, beats_out = design.source.out.beats, design.sink.x.beats
    lanes = [Lane(name="input", part="beats", spans=port_spans(run.accepted, beats_in))]
    for engine in design.engines:
        lanes += engine_lanes(engine, run)
    lanes.append(Lane(name="output", part="beats", spans=port_spans(run.delivered, beats_out)))
    return Timetable(steps=n, cycles=run.cycles, lanes=tuple(lanes))


def port_spans(times: list[int], beats: int) -> tuple[Span, ...]:
    """A span for every beat, beats of consecutive cycles of one step in one."""
    single = (
        Span(start=t, end=t + 1, step=k // beats, work=Work.PORT) for k, t in enumerate(times)
    )
    return tuple(joined(single))


def engine_lanes(engine: Engine, run: Schedule) -> list[Lane]:
    """The MAC array of an engine, and its datapath if it has one."""
    blocks = run.engine_blocks[engine.name]
    each = engine.x_blocks + engine.h_blocks
    work = [Work.X] * engine.x_blocks + [Work.H] * engine.h_blocks
    spans = (
        Span(start=start, end=end, step=k // each, work=work[k % each])
        for k, (start, end) in enumerate(blocks)
    )
    lanes = [Lane(name=engine.name, part="MAC array", spans=tuple(joined(spans)))]
    depth = max(engine.datapath.ready().values(), default=0)
    if engine.datapath.ops:
        cell = tuple(
            Span(
                start=start + engine.mac_latency,
                end=end + engine.mac_latency + depth,
                step=k,
                work=Work.CELL,
            )
            for k, (start, end) in enumerate(blocks[each - 1 :: each])
        )
        lanes.append(Lane(name=engine.name, part="datapath", spans=cell))
    return lanes


def joined(spans: Iterator[Span]) -> Iterator[Span]:
    """Neighbours of one step and kind as one span."""
    held: Span | None = None
    for span in spans:
        if held and (held.end, held.step, held.work) == (span.start, span.step, span.work):
            held = Span(start=held.start, end=span.end, step=span.step, work=span.work)
            continue
        if held:
            yield held
        held = span
    if held:
        yield held
