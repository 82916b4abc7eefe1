# SPDX-License-Identifier: Apache-2.0
"""The schedule of a sequence on each stream as lanes of spans: what both pictures show.

Ports, engines, element-wise kernels, and what holds whole sequences have lanes; forks, width
converters and step selectors only pass beats on and have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from hwrnn.design.design import (
    AxisIn,
    AxisOut,
    Block,
    Concat,
    Design,
    Engine,
    Interleave,
    Kernel,
    Map,
    Reverse,
)
from hwrnn.design.order import Tag
from hwrnn.report.trace import Cause, Issued, TracedRun
from hwrnn.report.usage import Usage, usage

SHOWN_STEPS = 8
SHOWN_VECTORS = 24  # with several streams: so many steps of all together, and three of each
LEAST_STEPS = 3


class Work(Enum):
    """What happens in a span; the text is what a legend says."""

    PORT = "beats at a port"
    SHARED = "columns of x and h in one block"
    X = "columns of x"
    H = "columns of h"
    INNER = "columns of a vector of this step"
    CELL = "cell datapath"
    STATE = "states written"
    MAP = "element-wise ops"
    STORE = "steps stored"
    RECALL = "steps read back"
    JOIN = "beats joined"
    WAIT_OWN = "waits for its own states or vectors"
    WAIT_INPUT = "waits for input"
    WAIT_ROOM = "waits for room behind it"

    @property
    def waits(self) -> bool:
        """Nothing happens: the multipliers idle."""
        return self in WAITS.values()


WAITS = {Cause.OWN: Work.WAIT_OWN, Cause.INPUT: Work.WAIT_INPUT, Cause.ROOM: Work.WAIT_ROOM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Cycles start .. end - 1, spent on one time step of one stream's sequence."""

    start: int
    end: int
    step: int
    work: Work
    stream: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One part of the hardware and what it does when. `streams`: how many interleave in it (two
    for an engine that both directions share); `usage`: of an engine's multipliers.
    """

    name: str
    part: str
    spans: tuple[Span, ...]
    streams: int = 1
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """All lanes; cycle 0 is the first input beat, `cycles` the time up to the last output beat."""

    steps: int
    streams: int
    sequences: int
    cycles: int
    lanes: tuple[Lane, ...]

    @property
    def end(self) -> int:
        """The cycle behind the last span."""
        return max(s.end for lane in self.lanes for s in lane.spans)

    @property
    def title(self) -> str:
        """What is shown, in a few words."""
        steps = f"{self.steps} step" if self.steps == 1 else f"{self.steps} steps"
        some = f"{self.sequences} of " if self.sequences < self.streams else "each of "
        of_streams = f" of {some}{self.streams} streams" if self.streams > 1 else ""
        return f"{steps}{of_streams} in {self.cycles:,} cycles"

    @property
    def works(self) -> tuple[Work, ...]:
        """The kinds of work that occur."""
        found = {span.work for lane in self.lanes for span in lane.spans}
        return tuple(w for w in Work if w in found)


def shown_steps(design: Design, steps: int | None = None) -> int:
    """How many steps a picture shows: those asked for, else a few of the example's."""
    source = design.source
    if source.fixed_steps:
        return source.fixed_steps
    most = min(SHOWN_STEPS, max(LEAST_STEPS, SHOWN_VECTORS // design.streams))
    wanted = steps or min(design.graph.inputs[0].example_steps or most, most)
    return min(wanted, design.max_steps or wanted)


def timetable(design: Design, steps: int | None = None, sequences: int | None = None) -> Timetable:
    """The lanes of a sequence of `steps` steps on each stream, or on the first `sequences`."""
    n = shown_steps(design, steps)
    used = {u.engine: u for u in usage(design, n)} if sequences is None else {}
    sequences = min(sequences or design.streams, design.streams)
    run = TracedRun(design, [n] * sequences)
    lanes = [
        lane if lane.part != MAC else replace(lane, usage=used.get(lane.name))
        for kernel in design.kernels
        for lane in kernel_lanes(kernel, run)
    ]
    return Timetable(
        steps=n,
        streams=design.streams,
        sequences=sequences,
        cycles=run.result.cycles,
        lanes=tuple(lanes),
    )


MAC = "MAC array"


def kernel_lanes(kernel: Kernel, run: TracedRun) -> Iterator[Lane]:
    """The lanes of a kernel; none if it only passes beats on."""
    match kernel:
        case AxisIn():
            yield from input_lanes(kernel, run)
        case AxisOut():
            times = run.result.outputs[kernel.name]
            spans = beat_spans(times, run.vectors(kernel.x), kernel.x.beats)
            name = "output" if len(run.design.sinks) == 1 else f"output {kernel.name}"
            yield Lane(name=name, part="beats", spans=spans, streams=kernel.x.streams)
        case Engine():
            yield from engine_lanes(kernel, run)
        case Map():
            yield map_lane(kernel, run)
        case Reverse():
            yield reverse_lane(kernel, run)
        case Concat() | Interleave():
            written = run.channels[kernel.out.name].written
            spans = beat_spans(written, run.tags[kernel.out.name], kernel.out.beats, Work.JOIN)
            part = "concat" if isinstance(kernel, Concat) else "interleave"
            yield Lane(name=kernel.name, part=part, spans=spans, streams=kernel.out.streams)
        case _:
            pass


def beat_spans(
    times: Sequence[int], tags: Sequence[Tag], beats: int, work: Work = Work.PORT
) -> tuple[Span, ...]:
    """A span for every beat, beats of consecutive cycles of one step in one."""
    return tuple(joined(span_of(tags[k // beats], t, t + 1, work) for k, t in enumerate(times)))


def span_of(tag: Tag, start: int, end: int, work: Work) -> Span:
    """A span of the step of a tag."""
    return Span(start=start, end=end, step=tag.step, work=work, stream=tag.stream)


def input_lanes(kernel: AxisIn, run: TracedRun) -> Iterator[Lane]:
    """Beats accepted and, if whole sequences are held first, beats read back."""
    tags, beats = run.tags[kernel.out.name], kernel.out.beats
    spans = beat_spans(run.result.inputs[kernel.name], tags, beats)
    name = "input" if len(run.design.sources) == 1 else f"input {kernel.name}"
    yield Lane(name=name, part="beats", spans=spans, streams=kernel.out.streams)
    if kernel.max_steps:
        read = run.channels[kernel.out.name].written
        yield Lane(name="input", part="buffer", spans=beat_spans(read, tags, beats, Work.RECALL))


def reverse_lane(kernel: Reverse, run: TracedRun) -> Lane:
    """Steps stored, then read back from the last to the first."""
    tags, beats = run.vectors(kernel.x), kernel.x.beats
    last = {t.sequence: t.step for t in tags if t.last}
    back = [replace(t, step=last[t.sequence] - t.step) for t in tags]
    stored = beat_spans(run.channels[kernel.x.name].read, tags, beats, Work.STORE)
    given = beat_spans(run.channels[kernel.out.name].written, back, beats, Work.RECALL)
    return Lane(name=kernel.name, part="reverse", spans=(*stored, *given))


def map_lane(kernel: Map, run: TracedRun) -> Lane:
    """Every beat from the cycle in which it is taken to that in which its result is written."""
    tags, beats = run.vectors(kernel.x), kernel.x.beats
    spans = (
        span_of(tags[k // beats], t, t + kernel.out_latency + 1, Work.MAP)
        for k, t in enumerate(run.channels[kernel.x.name].read)
    )
    return Lane(name=kernel.name, part="map", spans=tuple(joined(spans)), streams=kernel.x.streams)


def engine_lanes(engine: Engine, run: TracedRun) -> Iterator[Lane]:
    """The MAC array of an engine, its datapaths, the writing of its states."""
    for part, spans in engine_parts(engine, run):
        yield Lane(name=engine.name, part=part, spans=spans, streams=engine.streams)


def engine_parts(engine: Engine, run: TracedRun) -> Iterator[tuple[str, tuple[Span, ...]]]:
    """The name of each part and its spans."""
    tags, log = run.vectors(engine.x), run.logs[engine.name].blocks
    tagged = [(tags[k // len(engine.blocks)], made) for k, made in enumerate(log)]
    yield MAC, tuple(joined(span for tag, made in tagged for span in block_spans(tag, made)))
    for k, hand in enumerate(engine.hands):
        path = hand.datapath
        made = [(tag, m.issues) for tag, m in tagged if m.block.hand == k]
        if path.ops:
            first, depth = engine.mac_latency, max(path.ready().values())
            part = f"datapath {k + 1}" if len(engine.hands) > 1 else "datapath"
            yield part, shifted(made, first, first + depth + 1, Work.CELL)
    if engine.states:
        written = engine.state_latency
        yield "state", shifted(made, written - 1, written, Work.STATE)


def block_spans(tag: Tag, made: Issued) -> Iterator[Span]:
    """The issues of a block and the waits between them, in order."""
    work = block_work(made.block)
    found = [span_of(tag, t, t + 1, work) for t in made.issues]
    found += [span_of(tag, w.start, w.end, WAITS[w.cause]) for w in made.waits]
    yield from sorted(found, key=lambda s: s.start)


def block_work(block: Block) -> Work:
    """Whose columns a block multiplies."""
    if block.vector is None:
        return Work.X
    if block.vector.level:
        return Work.INNER
    return Work.SHARED if block.takes_x else Work.H


def shifted(
    made: Iterable[tuple[Tag, Sequence[int]]], first: int, end: int, work: Work
) -> tuple[Span, ...]:
    """What lasts from `first` to `end - 1` cycles behind the issue of each group."""
    return tuple(
        joined(span_of(tag, t + first, t + end, work) for tag, issues in made for t in issues)
    )


def joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Neighbours of one step and kind, touching or overlapping, as one span."""
    held: Span | None = None
    for span in spans:
        alike = held and (held.step, held.stream, held.work) == (span.step, span.stream, span.work)
        if held and alike and held.start <= span.start <= held.end:
            held = replace(held, end=max(held.end, span.end))
            continue
        if held:
            yield held
        held = span
    if held:
        yield held
