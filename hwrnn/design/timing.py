# SPDX-License-Identifier: Apache-2.0
"""When every beat moves: the schedule of a design, cycle for cycle what the RTL does.

Each kernel is a process that computes, beat by beat, the cycle of its handshakes from those of
its neighbours: a beat can be read from the cycle after it was written; a FIFO of depth d has room
for beat k from the cycle after beat k - d was read. No clock is stepped, so that the cost grows
with the number of beats. The rules of each kernel are those of its docstring in
`hwrnn.design.design`; this file is the only place that turns them into cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hwrnn.design.design import (
    AxisIn,
    AxisOut,
    Concat,
    Design,
    Dwc,
    Engine,
    Fork,
    Kernel,
    Map,
    Reverse,
    SelectStep,
    Stream,
    kernel_outputs,
)
from hwrnn.design.regrouping import Regrouping
from hwrnn.ir import Step

Process = Generator[None, None, None]
R = TypeVar("R")
Waiting = Generator[None, None, R]


@dataclass
class Channel:
    """A stream's beats: the cycles at which they were written and read, and the sequence ends."""

    depth: int
    written: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)

    def has(self, k: int) -> bool:
        """Beat k has been written."""
        return len(self.written) > k

    def knows_room(self, k: int) -> bool:
        """It is known from when on there is room for beat k."""
        return k < self.depth or len(self.read) > k - self.depth

    def room(self, k: int) -> int:
        """The first cycle in which beat k may be written."""
        return 0 if k < self.depth else self.read[k - self.depth] + 1

    def arrival(self, k: int) -> int:
        """The first cycle in which beat k may be read."""
        return self.written[k] + 1


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
) -> Schedule:
    """The schedule of sequences of these lengths, one after the other.

    `offered(k)`: the first cycle in which the source offers beat k, if it is not always there;
    `taken(k)`: the first cycle in which the sink takes beat k. Ports never stall by default.
    """
    return Run(design, lengths, offered, taken).run()


class Run:
    """One run of all processes until every beat has left."""

    def __init__(
        self,
        design: Design,
        lengths: Sequence[int],
        offered: Callable[[int], int] | None,
        taken: Callable[[int], int] | None,
    ) -> None:
        self.design = design
        self.offered = offered or (lambda _: 0)
        self.taken = taken or (lambda _: 0)
        self.channels: dict[str, Channel] = {}
        self.steps: dict[str, list[int]] = {design.source.out.name: list(lengths)}
        self.result = Schedule([], [], {}, [])
        for kernel in design.kernels:
            for stream in kernel_outputs(kernel):
                self.channels[stream.name] = Channel(stream.depth)
                self.steps[stream.name] = self.lengths_after(kernel)

    def lengths_after(self, kernel: Kernel) -> list[int]:
        """Vectors of each sequence behind a kernel."""
        match kernel:
            case AxisIn():
                return self.steps[kernel.out.name]
            case Engine(emit=step) if step is not None:
                return [1] * len(self.lengths(kernel.x))
            case SelectStep():
                return [1] * len(self.lengths(kernel.x))
            case Concat():
                return self.lengths(kernel.xs[0])
            case AxisOut():
                return []
            case _:
                return self.lengths(kernel.x)

    def lengths(self, x: Stream) -> list[int]:
        """Vectors of each sequence on a stream; a flattened sequence is one vector."""
        made = self.steps[x.name]
        return [1] * len(made) if self.flattened(x) else made

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
            case Concat():
                return self.concat(kernel)
            case SelectStep():
                return self.select(kernel)
            case Engine():
                return self.engine(kernel)
            case Map():
                return self.map(kernel)
            case _:
                raise TypeError(f"{type(kernel).__name__} has several processes")

    # -- ports ---------------------------------------------------------------------------------

    def axis_in(self, kernel: AxisIn) -> Process:
        """A beat is written to the stream in the cycle in which it is accepted."""
        out, beats = self.channels[kernel.out.name], kernel.out.beats
        for steps in self.steps[kernel.out.name]:
            for j in range(steps * beats):
                k = len(out.written)
                while not out.knows_room(k):
                    yield
                t = max(self.offered(k), out.room(k), self.after(self.result.accepted))
                self.accept(t, first=j == 0)
                out.written.append(t)

    def frame_fifo(self, kernel: AxisIn) -> list[Process]:
        """Whole sequences are held, two of the longest; a read takes a cycle."""
        beats = kernel.out.beats
        assert kernel.max_steps is not None
        memory = Channel(2 * kernel.max_steps * beats)
        ends = [n * beats for n in self.steps[kernel.out.name]]

        def fill() -> Process:
            for total in ends:
                for j in range(total):
                    k = len(memory.written)
                    while not memory.knows_room(k):
                        yield
                    t = max(self.offered(k), memory.room(k), self.after(self.result.accepted))
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
                    t = max(commit, out.room(k), self.after(memory.read))
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
            t = max(x.arrival(k), self.taken(k), self.after(x.read))
            x.read.append(t)
            self.result.delivered.append(t)

    # -- streams -------------------------------------------------------------------------------

    def total(self, x: Stream) -> int:
        """All beats of a stream."""
        return sum(self.lengths(x)) * x.beats

    @staticmethod
    def after(times: list[int]) -> int:
        """The cycle after the last of `times`."""
        return times[-1] + 1 if times else 0

    def fork(self, x_stream: Stream, out_streams: Sequence[Stream]) -> Process:
        """A beat moves when it is there and every output has room."""
        x = self.channels[x_stream.name]
        outs = [self.channels[s.name] for s in out_streams]
        for k in range(self.total(x_stream)):
            while not (x.has(k) and all(o.knows_room(k) for o in outs)):
                yield
            t = max(x.arrival(k), self.after(x.read), *(o.room(k) for o in outs))
            x.read.append(t)
            for o in outs:
                o.written.append(t)

    def concat(self, kernel: Concat) -> Process:
        """The beats of each input in turn, vector by vector."""
        out = self.channels[kernel.out.name]
        for _ in range(sum(self.lengths(kernel.xs[0]))):
            for stream in kernel.xs:
                x = self.channels[stream.name]
                for _ in range(stream.beats):
                    k, at = len(out.written), len(x.read)
                    while not (x.has(at) and out.knows_room(k)):
                        yield
                    t = max(x.arrival(at), out.room(k), self.after(out.written))
                    x.read.append(t)
                    out.written.append(t)

    def dwc(self, kernel: Dwc) -> Process:
        """Takes what fits beside what is held at the start of the cycle, gives what is complete."""
        x, out = self.channels[kernel.x.name], self.channels[kernel.out.name]
        plan = Regrouping.of(kernel, self.lengths(kernel.x))
        while len(out.written) < len(plan.beats_needed):
            j, i = len(out.written), len(x.read)
            if plan.beats_needed[j] <= i and out.knows_room(j):
                entered = x.read[plan.beats_needed[j] - 1] + 1
                out.written.append(max(entered, out.room(j), self.after(out.written)))
            elif i < len(plan.beats_gone) and plan.beats_gone[i] <= j and x.has(i):
                gone = plan.beats_gone[i]
                left = out.written[gone - 1] + 1 if gone else 0
                x.read.append(max(x.arrival(i), left, self.after(x.read)))
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
                x.read.append(max(start, x.arrival(k), self.after(x.read)))
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
        for steps in self.lengths(kernel.x):
            for j in range(steps * beats):
                k, o = len(x.read), len(out.written)
                passes = kernel.step is Step.FIRST and j < beats
                while not (x.has(k) and (not passes or out.knows_room(o))):
                    yield
                t = max(x.arrival(k), self.after(x.read), self.after(out.written) if j == 0 else 0)
                t = max(t, out.room(o)) if passes else t
                x.read.append(t)
                if passes:
                    out.written.append(t)
            for _ in range(beats if kernel.step is Step.LAST else 0):
                o = len(out.written)
                while not out.knows_room(o):
                    yield
                out.written.append(max(x.read[-1] + 1, out.room(o), self.after(out.written)))

    # -- work ----------------------------------------------------------------------------------

    def engine(self, kernel: Engine) -> Process:
        """Column blocks of x, then of h; each takes a cycle for every group of units.

        `t` is the next free issue cycle, `done` holds the issues of the last block of the step
        before: they tell from when on a block of h may be read.
        """
        started = self.result.engine_steps.setdefault(kernel.name, [])
        blocks = self.result.engine_blocks.setdefault(kernel.name, [])
        last = kernel.x_blocks + kernel.h_blocks - 1
        t = 0
        for steps in self.lengths(kernel.x):
            done: list[int] = []
            for step in range(steps):
                emits = emits_step(kernel, step, steps)
                for block in range(last):
                    t = yield from self.block(kernel, block, t, done)
                    started += [t] if block == 0 else []
                    blocks.append((t, t + kernel.groups))
                    t += kernel.groups
                done = yield from self.last_block(kernel, emits, t, done)
                started += [done[0]] if last == 0 else []
                t = done[-1] + 1
                blocks.append((done[0], t))

    def block(self, kernel: Engine, block: int, t: int, done: list[int]) -> Waiting[int]:
        """The first issue of a block that is not the last of its step."""
        if block >= kernel.x_blocks:
            needed = groups_needed(kernel, block - kernel.x_blocks)
            return max(t, done[needed - 1] + kernel.state_latency) if done else t
        x = self.channels[kernel.x.name]
        at = len(x.read)
        yield from until(lambda: x.has(at))
        t = max(t, x.arrival(at))
        x.read.append(t)
        return t

    def last_block(
        self, kernel: Engine, emits: bool, t: int, done: list[int]
    ) -> Waiting[list[int]]:
        """The issues of the last block, whose results go on to the datapath."""
        x, out = self.channels[kernel.x.name], self.channels[kernel.out.name]
        at = len(x.read)
        from_x = not kernel.h_blocks
        if from_x:
            yield from until(lambda: x.has(at))
            t = max(t, x.arrival(at))
        elif done:
            t = max(t, done[groups_needed(kernel, kernel.h_blocks - 1) - 1] + kernel.state_latency)
        issues: list[int] = []
        for group in range(kernel.groups):
            k = len(out.written)
            if emits:
                yield from until(lambda: out.knows_room(k))  # noqa: B023 - used at once
                t = max(t, out.room(k))
            if done and kernel.states and from_x:
                t = max(t, done[group] + kernel.state_latency)
            if emits:
                out.written.append(t + kernel.out_latency)
            issues.append(t)
            t += 1
        if from_x:
            x.read.append(issues[0])
        return issues

    def map(self, kernel: Map) -> Process:
        """A beat is taken when there is sure to be room for its result."""
        x, out = self.channels[kernel.x.name], self.channels[kernel.out.name]
        for k in range(self.total(kernel.x)):
            while not (x.has(k) and out.knows_room(k)):
                yield
            t = max(x.arrival(k), out.room(k), self.after(x.read))
            x.read.append(t)
            out.written.append(t + kernel.out_latency)


def until(condition: Callable[[], bool]) -> Process:
    """Wait for a neighbour."""
    while not condition():
        yield


def _ended(process: Process) -> bool:
    """Let a process go on until it has to wait; True when it has ended."""
    return next(process, _END) is _END


_END = object()


def groups_needed(kernel: Engine, block: int) -> int:
    """How many groups of units have to be known before block `block` of h can be multiplied."""
    last_unit = min((block + 1) * kernel.simd, kernel.units) - 1
    return last_unit // kernel.pe + 1


def emits_step(kernel: Engine, step: int, steps: int) -> bool:
    """True when the results of this step go out."""
    match kernel.emit:
        case Step.FIRST:
            return step == 0
        case Step.LAST:
            return step == steps - 1
        case None:
            return True
