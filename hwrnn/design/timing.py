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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hwrnn.design.around import Around
from hwrnn.design.channel import Channel, Process, Waiting, after, until
from hwrnn.design.design import (
    ArgMax,
    AxisIn,
    AxisOut,
    Block,
    Combine,
    Concat,
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
from hwrnn.design.schedule import block_start, emits_step, group_start
from hwrnn.design.timing_around import process_of
from hwrnn.ir import Step


@dataclass
class Schedule:
    """The cycles of one run: port beats, and the issue of each engine's steps.

    `engine_blocks`: for each engine the column blocks of all steps, in order: the cycle of the
    block's first issue, and the cycle behind its last.
    """

    accepted: list[int]
    delivered: list[int]
    engine_steps: dict[str, list[int]]
    first_beats: list[int]
    engine_blocks: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        """First input beat accepted to last output beat accepted."""
        return self.delivered[-1] - self.accepted[0]


def schedule(
    design: Design,
    lengths: Sequence[int],
    offered: Callable[[int], int] | None = None,
    taken: Callable[[int], int] | None = None,
    fresh: Sequence[bool] | None = None,
) -> Schedule:
    """The schedule of sequences of these lengths, in the order of `port_order`.

    `offered(k)`: the first cycle in which the source offers beat k, if it is not always there;
    `taken(k)`: the first cycle in which the sink takes beat k. Ports never stall by default.
    `fresh`, for a design that keeps states: which fragments start anew; see `in_fragments`.
    """
    return Run(design, lengths, offered, taken, fresh).run()


class Run:
    """One run of all processes until every beat has left."""

    def __init__(
        self,
        design: Design,
        lengths: Sequence[int],
        offered: Callable[[int], int] | None,
        taken: Callable[[int], int] | None,
        fresh: Sequence[bool] | None = None,
    ) -> None:
        self.design = design
        self.offered = offered or (lambda _: 0)
        self.taken = taken or (lambda _: 0)
        self.channels: dict[str, Channel] = {}
        whole = port_order(lengths, design.streams)
        self.tags: dict[str, list[Tag]] = {
            design.source.out.name: in_fragments(whole, fresh) if design.keep else whole
        }
        self.result = Schedule([], [], {}, [])
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
        return moved + len(self.result.accepted) + len(self.result.delivered)

    def processes(self, kernel: Kernel) -> list[Process]:
        """The processes of one kernel."""
        if isinstance(kernel, AxisIn):
            buffered = kernel.max_steps is not None
            return self.frame_fifo(kernel) if buffered else [self.axis_in(kernel)]
        if isinstance(kernel, Reverse):
            return self.reverse(kernel)
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
            case Engine():
                return self.engine(kernel)
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

    # -- ports ---------------------------------------------------------------------------------

    def axis_in(self, kernel: AxisIn) -> Process:
        """A beat is written to the stream in the cycle in which it is accepted."""
        out, beats = self.channels[kernel.out.name], kernel.out.beats
        for tag in self.tags[kernel.out.name]:
            for j in range(beats):
                k = len(out.written)
                while not out.knows_room(k):
                    yield
                t = max(self.offered(k), out.room(k), after(self.result.accepted))
                if self.design.keep and tag.fresh and j == 0:
                    t = yield from self.all_left(tag, t)
                self.accept(t, first=tag.first and j == 0)
                out.written.append(t)

    def all_left(self, tag: Tag, t: int) -> Waiting[int]:
        """The first cycle from `t` in which all fragments before this one have left."""
        sink = self.design.sink.x
        left = bisect_left(self.vectors(sink), tag.sequence, key=lambda v: v.sequence)
        beats = left * sink.beats
        yield from until(lambda: len(self.result.delivered) >= beats)
        return max(t, self.result.delivered[beats - 1] + 1) if beats else t

    def frame_fifo(self, kernel: AxisIn) -> list[Process]:
        """Whole sequences are held, two of the longest; a read takes a cycle."""
        beats = kernel.out.beats
        assert kernel.max_steps is not None
        memory = Channel(2 * kernel.max_steps * beats)
        ends = [n * beats for n in lengths_of(self.tags[kernel.out.name])]

        def fill() -> Process:
            for total in ends:
                for j in range(total):
                    k = len(memory.written)
                    while not memory.knows_room(k):
                        yield
                    t = max(self.offered(k), memory.room(k), after(self.result.accepted))
                    self.accept(t, first=j == 0)
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

    def accept(self, t: int, *, first: bool) -> None:
        """Note an input handshake."""
        self.result.accepted.append(t)
        if first:
            self.result.first_beats.append(t)

    def axis_out(self, kernel: AxisOut) -> Process:
        """A beat leaves as soon as it is there and the sink takes it."""
        x = self.channels[kernel.x.name]
        for k in range(self.total(kernel.x)):
            while not x.has(k):
                yield
            t = max(x.arrival(k), self.taken(k), after(x.read))
            x.read.append(t)
            self.result.delivered.append(t)

    # -- streams -------------------------------------------------------------------------------

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

    # -- buffers -------------------------------------------------------------------------------

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

    # -- work ----------------------------------------------------------------------------------

    def engine(self, kernel: Engine) -> Process:
        """Block after block, group after group: an issue a cycle unless something is waited for.

        `t` is the next free issue cycle; `before` holds, for each stream, when the groups of its
        last step were handed over.
        """
        started = self.result.engine_steps.setdefault(kernel.name, [])
        spans = self.result.engine_blocks.setdefault(kernel.name, [])
        before: dict[int, dict[int, Sequence[int]]] = {}
        t = 0
        for tag in self.vectors(kernel.x):
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
        out = self.channels[kernel.out.name]
        issued: list[int] = []
        for group in range(kernel.groups):
            t = group_start(kernel, block, group, t, past)
            if emits:
                k = len(out.written)
                yield from until(lambda: out.knows_room(k))  # noqa: B023 - used at once
                t = max(t, out.room(k))
                out.written.append(t + kernel.out_latency)
            if block.takes_x and group == 0:
                self.channels[kernel.x.name].read.append(t)
            issued.append(t)
            t += 1
        return issued

    def map(self, kernel: Map) -> Process:
        """A beat is taken when there is sure to be room for its result."""
        x, out = self.channels[kernel.x.name], self.channels[kernel.out.name]
        for k in range(self.total(kernel.x)):
            while not (x.has(k) and out.knows_room(k)):
                yield
            t = max(x.arrival(k), out.room(k), after(x.read))
            x.read.append(t)
            out.written.append(t + kernel.out_latency)


def _ended(process: Process) -> bool:
    """Let a process go on until it has to wait; True when it has ended."""
    return next(process, _END) is _END


_END = object()
