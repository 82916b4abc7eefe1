# SPDX-License-Identifier: Apache-2.0
"""When every beat moves: the schedule of a design, cycle for cycle what the RTL does.

Each kernel is a process that computes, beat by beat, the cycle of its handshakes from those of
its neighbours: a beat can be read from the cycle after it was written; a FIFO of depth d has room
for beat k from the cycle after beat k - d was read. No clock is stepped, so that the cost grows
with the number of beats. The rules of each kernel are those of its docstring in
`hwrnn.design.design`; this file is the only place that turns them into cycles.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hwrnn.design.around import Around
from hwrnn.design.channel import Channel, Process, Waiting, after, until
from hwrnn.design.design import (
    ArgMax,
    AxisIn,
    AxisOut,
    Combine,
    Concat,
    Crop,
    Design,
    Dwc,
    Embed,
    Engine,
    Fork,
    Interleave,
    Kernel,
    Map,
    Repeat,
    Reverse,
    SelectStep,
    Separate,
    Slide,
    Stream,
    Zip,
    kernel_outputs,
)
from hwrnn.design.order import Tag, in_fragments, lengths_of, one_each, port_order
from hwrnn.design.regrouping import Regrouping
from hwrnn.design.timing_around import process_of
from hwrnn.design.timing_engine import EngineRun, Schedule
from hwrnn.ir import Step

When = Callable[[int], int]  # of beat k: the first cycle in which a port offers or takes it
EachWhen = When | Mapping[str, When]


def schedule(
    design: Design,
    lengths: Sequence[int],
    offered: EachWhen | None = None,
    taken: EachWhen | None = None,
    fresh: Sequence[bool] | None = None,
) -> Schedule:
    """The schedule of sequences of these lengths, in the order of `port_order`.

    `offered(k)`: the first cycle in which the source offers beat k, if it is not always there;
    `taken(k)`: the first cycle in which the sink takes beat k. Of several ports each may have its
    own, by name. Ports never stall by default.
    `fresh`, for a design that keeps states: which fragments start anew; see `in_fragments`.
    """
    return Run(design, lengths, offered, taken, fresh).run()


class Run(EngineRun):
    """One run of all processes until every beat has left."""

    def __init__(
        self,
        design: Design,
        lengths: Sequence[int],
        offered: EachWhen | None,
        taken: EachWhen | None,
        fresh: Sequence[bool] | None = None,
    ) -> None:
        self.design = design
        self.offered = by_port(offered, [k.name for k in design.sources])
        self.taken = by_port(taken, [k.name for k in design.sinks])
        self.channels: dict[str, Channel] = {}
        whole = port_order(lengths, design.streams)
        whole = in_fragments(whole, fresh) if design.keep else whole
        self.tags: dict[str, list[Tag]] = {
            k.out.name: whole if k is design.source else at_starts(whole) for k in design.sources
        }
        self.result = Schedule(
            {k.name: [] for k in design.sources}, {k.name: [] for k in design.sinks}
        )
        for kernel in design.kernels:
            for stream in kernel_outputs(kernel):
                self.channels[stream.name] = Channel(stream.depth)
                self.tags[stream.name] = self.tags_after(kernel, stream)

    def tags_after(self, kernel: Kernel, out: Stream) -> list[Tag]:
        """The vectors that a kernel writes to one of its outputs."""
        match kernel:
            case AxisIn():
                return self.tags[kernel.out.name]
            case Engine(emit=step) if step is not None:
                return one_each(self.vectors(kernel.x))
            case SelectStep():
                return one_each(self.vectors(kernel.x))
            case Concat():
                return self.vectors(kernel.xs[0])
            case Interleave():
                tags = self.vectors(kernel.xs[0])
                return [replace(t, stream=k) for t in tags for k in range(len(kernel.xs))]
            case Separate():
                k = kernel.outs.index(out)
                return [replace(t, stream=0) for t in self.vectors(kernel.x) if t.stream == k]
            case AxisOut():
                return []
            case Slide() | Combine() | Repeat() | Embed() | Zip() | ArgMax():
                return self.tags_around(kernel)
            case _:
                return self.vectors(kernel.x)

    def tags_around(self, kernel: Around) -> list[Tag]:
        """The vectors that a kernel around the recurrence writes."""
        tags = self.vectors(kernel.xs[0] if isinstance(kernel, Zip) else kernel.x)
        match kernel:
            case Slide():
                return port_order([kernel.windows(n) for n in lengths_of(tags)])
            case Combine(count=None):
                return one_each(tags)
            case Repeat():
                return port_order([kernel.steps] * len(tags))
            case _:
                return tags

    def vectors(self, x: Stream) -> list[Tag]:
        """The vectors that the reader of a stream sees; a flattened sequence is one vector."""
        made = self.tags[x.name]
        return one_each(made) if self.flattened(x) else made

    def lengths(self, x: Stream) -> list[int]:
        """Vectors of each sequence on a stream."""
        return lengths_of(self.vectors(x))

    def flattened(self, x: Stream) -> bool:
        """True when the reader of a stream takes several vectors of its writer as one."""
        for kernel in self.design.kernels:
            for out in kernel_outputs(kernel):
                if out.name == x.name:
                    return out.features != x.features
        return False

    def run(self) -> Schedule:
        """Let the processes go on, in turn, until all have ended."""
        waiting = [p for kernel in self.design.kernels for p in self.processes(kernel)]
        while waiting:
            before = self.progress()
            left = [p for p in waiting if not _ended(p)]
            if len(left) == len(waiting) and self.progress() == before:
                raise RuntimeError(f"the design {self.design.name} deadlocks")
            waiting = left
        return self.result

    def progress(self) -> int:
        """Handshakes so far."""
        moved = sum(len(c.written) + len(c.read) for c in self.channels.values())
        ports = (*self.result.inputs.values(), *self.result.outputs.values())
        return moved + sum(map(len, ports))

    def processes(self, kernel: Kernel) -> list[Process]:
        """The processes of one kernel."""
        if isinstance(kernel, AxisIn):
            buffered = kernel.max_steps is not None
            return self.frame_fifo(kernel) if buffered else [self.axis_in(kernel)]
        if isinstance(kernel, Reverse):
            return self.reverse(kernel)
        if isinstance(kernel, Engine):
            return self.engine_parts(kernel)
        return [self.process(kernel)]

    def process(self, kernel: Kernel) -> Process:
        """The process of a kernel that has one."""
        match kernel:
            case AxisOut():
                return self.axis_out(kernel)
            case Dwc():
                wire = kernel.is_wire
                return self.fork(kernel.x, (kernel.out,)) if wire else self.dwc(kernel)
            case Fork():
                return self.fork(kernel.x, kernel.outs)
            case Concat() | Interleave():
                return self.concat(kernel)
            case Separate():
                return self.separate(kernel)
            case SelectStep():
                return self.select(kernel)
            case Crop():
                return self.crop(kernel)
            case Map():
                return self.map(kernel)
            case Slide() | Combine() | Repeat() | Embed() | Zip() | ArgMax():
                return self.around(kernel)
            case _:
                raise TypeError(f"{type(kernel).__name__} has several processes")

    def around(self, kernel: Around) -> Process:
        """The process of a kernel around the recurrence."""
        xs = kernel.xs if isinstance(kernel, Zip) else (kernel.x,)
        ports = [self.channels[x.name] for x in xs]
        return process_of(kernel, ports, self.channels[kernel.out.name], self.vectors(xs[0]))

    def axis_in(self, kernel: AxisIn) -> Process:
        """A beat is written to the stream in the cycle in which it is accepted."""
        out, beats = self.channels[kernel.out.name], kernel.out.beats
        accepted, offered = self.result.inputs[kernel.name], self.offered[kernel.name]
        for tag in self.tags[kernel.out.name]:
            for j in range(beats):
                k = len(out.written)
                while not out.knows_room(k):
                    yield
                t = max(offered(k), out.room(k), after(accepted))
                if self.design.keep and tag.fresh and j == 0:
                    t = yield from self.all_left(tag, t)
                self.accept(kernel, t, first=tag.first and j == 0)
                out.written.append(t)

    def all_left(self, tag: Tag, t: int) -> Waiting[int]:
        """The first cycle from `t` in which all fragments before this one have left."""
        for sink in self.design.sinks:
            left = bisect_left(self.vectors(sink.x), tag.sequence, key=lambda v: v.sequence)
            beats, delivered = left * sink.x.beats, self.result.outputs[sink.name]
            yield from until(lambda: len(delivered) >= beats)  # noqa: B023 - used at once
            t = max(t, delivered[beats - 1] + 1) if beats else t
        return t

    def frame_fifo(self, kernel: AxisIn) -> list[Process]:
        """Whole sequences are held, two of the longest; a read takes a cycle."""
        beats = kernel.out.beats
        assert kernel.max_steps is not None
        memory = Channel(2 * kernel.max_steps * beats)
        ends = [n * beats for n in lengths_of(self.tags[kernel.out.name])]
        accepted, offered = self.result.inputs[kernel.name], self.offered[kernel.name]

        def fill() -> Process:
            for total in ends:
                for j in range(total):
                    k = len(memory.written)
                    while not memory.knows_room(k):
                        yield
                    t = max(offered(k), memory.room(k), after(accepted))
                    self.accept(kernel, t, first=j == 0)
                    memory.written.append(t)

        def drain() -> Process:
            out = self.channels[kernel.out.name]
            for total in ends:
                start = len(memory.read)
                while not memory.has(start + total - 1):
                    yield
                commit = memory.arrival(start + total - 1)
                for k in range(start, start + total):
                    while not out.knows_room(k):
                        yield
                    t = max(commit, out.room(k), after(memory.read))
                    memory.read.append(t)
                    out.written.append(t + 1)

        return [fill(), drain()]

    def accept(self, kernel: AxisIn, t: int, *, first: bool) -> None:
        """Note an input handshake."""
        self.result.inputs[kernel.name].append(t)
        if first and kernel is self.design.source:
            self.result.first_beats.append(t)

    def axis_out(self, kernel: AxisOut) -> Process:
        """A beat leaves as soon as it is there and the sink takes it."""
        x = self.channels[kernel.x.name]
        delivered, taken = self.result.outputs[kernel.name], self.taken[kernel.name]
        for k in range(self.total(kernel.x)):
            while not x.has(k):
                yield
            t = max(x.arrival(k), taken(k), after(x.read))
            x.read.append(t)
            delivered.append(t)

    def total(self, x: Stream) -> int:
        """All beats of a stream."""
        return len(self.vectors(x)) * x.beats

    def fork(self, x_stream: Stream, out_streams: Sequence[Stream]) -> Process:
        """A beat moves when it is there and every output has room."""
        x = self.channels[x_stream.name]
        outs = [self.channels[s.name] for s in out_streams]
        for k in range(self.total(x_stream)):
            while not (x.has(k) and all(o.knows_room(k) for o in outs)):
                yield
            t = max(x.arrival(k), after(x.read), *(o.room(k) for o in outs))
            x.read.append(t)
            for o in outs:
                o.written.append(t)

    def separate(self, kernel: Separate) -> Process:
        """The vectors of each stream to its own output."""
        x = self.channels[kernel.x.name]
        for tag in self.vectors(kernel.x):
            out = self.channels[kernel.outs[tag.stream].name]
            for _ in range(kernel.x.beats):
                k, at = len(out.written), len(x.read)
                while not (x.has(at) and out.knows_room(k)):
                    yield
                t = max(x.arrival(at), out.room(k), after(x.read))
                x.read.append(t)
                out.written.append(t)

    def crop(self, kernel: Crop) -> Process:
        """The beats of a piece pass when there is room, the others are swallowed."""
        x, out = self.channels[kernel.x.name], self.channels[kernel.out.name]
        piece = range(kernel.first, kernel.first + kernel.out.beats)
        for _ in self.vectors(kernel.x):
            for j in range(kernel.x.beats):
                k, o = len(x.read), len(out.written)
                while not (x.has(k) and (j not in piece or out.knows_room(o))):
                    yield
                t = max(x.arrival(k), after(x.read))
                t = max(t, out.room(o)) if j in piece else t
                x.read.append(t)
                if j in piece:
                    out.written.append(t)

    def concat(self, kernel: Concat | Interleave) -> Process:
        """The beats of each input in turn, vector by vector."""
        out = self.channels[kernel.out.name]
        for _ in self.vectors(kernel.xs[0]):
            for stream in kernel.xs:
                x = self.channels[stream.name]
                for _ in range(stream.beats):
                    k, at = len(out.written), len(x.read)
                    while not (x.has(at) and out.knows_room(k)):
                        yield
                    t = max(x.arrival(at), out.room(k), after(out.written))
                    x.read.append(t)
                    out.written.append(t)

    def dwc(self, kernel: Dwc) -> Process:
        """Takes what fits beside what is held at the start of the cycle, gives what is complete."""
        x, out = self.channels[kernel.x.name], self.channels[kernel.out.name]
        alone = kernel.x.streams > 1  # one vector at a time
        vectors = self.vectors(kernel.x)
        plan = Regrouping.of(kernel, [1] * len(vectors) if alone else lengths_of(vectors))
        while len(out.written) < len(plan.beats_needed):
            j, i = len(out.written), len(x.read)
            if plan.beats_needed[j] <= i and out.knows_room(j):
                entered = x.read[plan.beats_needed[j] - 1] + 1
                out.written.append(max(entered, out.room(j), after(out.written)))
            elif i < len(plan.beats_gone) and plan.beats_gone[i] <= j and x.has(i):
                gone = plan.beats_gone[i]
                left = out.written[gone - 1] + 1 if gone else 0
                x.read.append(max(x.arrival(i), left, after(x.read)))
            else:
                yield

    def reverse(self, kernel: Reverse) -> list[Process]:
        """Two banks: a sequence is written to one while the one before it is read."""
        totals = [n * kernel.x.beats for n in self.lengths(kernel.x)]
        full: list[int] = []
        freed: list[int] = []
        x, out = self.channels[kernel.x.name], self.channels[kernel.out.name]
        return [self.fill_banks(x, totals, full, freed), self.drain_banks(out, totals, full, freed)]

    def fill_banks(
        self, x: Channel, totals: list[int], full: list[int], freed: list[int]
    ) -> Process:
        """Write each sequence to the bank that was freed by the one two before it."""
        for s, total in enumerate(totals):
            yield from until(lambda: len(freed) >= s - 1)  # noqa: B023 - used at once
            start = freed[s - 2] if s >= 2 else 0
            for k in range(len(x.read), len(x.read) + total):
                yield from until(lambda: x.has(k))  # noqa: B023 - used at once
                x.read.append(max(start, x.arrival(k), after(x.read)))
            full.append(x.read[-1] + 1)

    def drain_banks(
        self, out: Channel, totals: list[int], full: list[int], freed: list[int]
    ) -> Process:
        """Read each bank once it is full; a read is written out in the next cycle."""
        issue = -1
        for s, total in enumerate(totals):
            yield from until(lambda: len(full) > s)  # noqa: B023 - used at once
            issue = max(issue, full[s] - 1)
            for k in range(len(out.written), len(out.written) + total):
                yield from until(lambda: out.knows_room(k))  # noqa: B023 - used at once
                issue = max(issue + 1, out.room(k))
                out.written.append(issue + 1)
            freed.append(issue + 1)

    def select(self, kernel: SelectStep) -> Process:
        """FIRST: the first step passes, the rest is swallowed. LAST: a step is held."""
        x, out = self.channels[kernel.x.name], self.channels[kernel.out.name]
        beats = kernel.x.beats
        fresh = True
        for tag in self.vectors(kernel.x):
            passes = kernel.step is Step.FIRST and tag.first
            for j in range(beats):
                k, o = len(x.read), len(out.written)
                while not (x.has(k) and (not passes or out.knows_room(o))):
                    yield
                waits = after(out.written) if fresh and j == 0 else 0
                t = max(x.arrival(k), after(x.read), waits)
                t = max(t, out.room(o)) if passes else t
                x.read.append(t)
                if passes:
                    out.written.append(t)
            fresh = tag.last
            for _ in range(beats if kernel.step is Step.LAST and tag.last else 0):
                o = len(out.written)
                while not out.knows_room(o):
                    yield
                out.written.append(max(x.read[-1] + 1, out.room(o), after(out.written)))

    def map(self, kernel: Map) -> Process:
        """A beat is taken when there is sure to be room for its result."""
        x, out = self.channels[kernel.x.name], self.channels[kernel.out.name]
        for k in range(self.total(kernel.x)):
            while not (x.has(k) and out.knows_room(k)):
                yield
            t = max(x.arrival(k), out.room(k), after(x.read))
            x.read.append(t)
            out.written.append(t + kernel.out_latency)


def by_port(when: EachWhen | None, names: Sequence[str]) -> dict[str, When]:
    """When each port offers or takes its beats; at once where nothing is said."""
    known = when if isinstance(when, Mapping) else dict.fromkeys(names, when)
    return {name: known.get(name) or (lambda _: 0) for name in names}


def at_starts(tags: Sequence[Tag]) -> list[Tag]:
    """A vector for each sequence, in the order of their first steps."""
    return [Tag(sequence=t.sequence, step=0, first=True, last=True) for t in tags if t.fresh]


def _ended(process: Process) -> bool:
    """Let a process go on until it has to wait; True when it has ended."""
    return next(process, _END) is _END


_END = object()
