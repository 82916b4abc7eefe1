# SPDX-License-Identifier: Apache-2.0
"""The dataflow design: kernels joined by streams. Both back ends and the estimate read only this.

Timing of the parts (the RTL library keeps it, `hwrnn.design.timing` computes with it):

* A stream is a FIFO of `depth` entries between two kernels (2: a register slice). A beat that is
  written at cycle t can be read from t + 1; an entry that is read at t is free from t + 1.
* Axis shells, Fork, Concat and a pass-through Dwc are combinational between their streams.
* Engine and Map never stall inside: an issue at cycle t writes its beat at t + latency, and is
  made only when the output stream is sure to have room for it then (credits).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwrnn.board import Board
from hwrnn.ir import AnyOp, Const, Graph, IntMatrix, IntType, Step, Value


def ceil_div(a: int, b: int) -> int:
    """The quotient a / b, rounded up."""
    return -(-a // b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A vector for each time step (or one for each sequence), in beats of `lanes` elements.

    The vector is the concatenation of `segments`; each segment starts a new beat, and the unused
    lanes of its last beat are zero and ignored. `last` marks the last beat of a sequence.
    """

    name: str
    type: IntType
    segments: tuple[int, ...]
    lanes: int
    depth: int = 2

    @property
    def features(self) -> int:
        """Elements of one vector."""
        return sum(self.segments)

    @property
    def beat_lanes(self) -> tuple[int, ...]:
        """How many lanes each beat of a vector uses."""
        return tuple(
            min(self.lanes, s - start) for s in self.segments for start in range(0, s, self.lanes)
        )

    @property
    def beats(self) -> int:
        """Beats of one vector."""
        return len(self.beat_lanes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisIn:
    """AXI4-Stream in: unpacks elements, checks TLAST, raises the sticky error bit.

    A TLAST in mid-step is repaired with zero beats so that the design recovers at the next
    sequence. With `fixed_steps` (a Flatten follows) a sequence of another length sets the error
    bit and is cut or padded with zeros to that length (or dropped): its result means nothing.
    With `max_steps` whole sequences are buffered (two of the longest) and one that is too long
    sets the error bit and is dropped up to its TLAST.
    """

    name: str
    out: Stream
    fixed_steps: int | None = None
    max_steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisOut:
    """AXI4-Stream out: widens each element to whole bytes (1, 2 and 4 bits stay) by its sign."""

    name: str
    x: Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwc:
    """Data width converter: regroups the elements of each vector into beats of the output.

    Holds up to x.lanes + out.lanes elements. Takes a beat when it fits beside what is held at
    the start of the cycle; gives one as soon as its elements are held. After a beat with `last`
    it takes none until that sequence has left.
    """

    name: str
    x: Stream
    out: Stream

    @property
    def capacity(self) -> int:
        """Elements that it can hold."""
        return self.x.lanes + self.out.lanes

    @property
    def is_wire(self) -> bool:
        """True when beats pass unchanged."""
        return self.x.lanes == self.out.lanes and self.x.segments == self.out.segments


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """The same beats to every output; a beat moves when all outputs have room."""

    name: str
    x: Stream
    outs: tuple[Stream, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat:
    """For each vector: all beats of the first input, then those of the next, ..."""

    name: str
    xs: tuple[Stream, ...]
    out: Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """The steps of each sequence, last first. Two banks of max_steps steps each: one is filled
    while the other is read. A read issued at cycle t is written out at t + 1 (credits).
    """

    name: str
    x: Stream
    out: Stream
    max_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectStep:
    """Keeps one step of each sequence. LAST holds one step and gives it when `last` has come,
    taking nothing meanwhile; FIRST passes the first step on and swallows the rest.
    """

    name: str
    x: Stream
    out: Stream
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOp:
    """An element-wise op in a pipeline: reads its operands at `stage`, its result is in a
    register at `stage + latency`. Operands that are ready earlier are delayed.
    """

    op: AnyOp
    stage: int
    latency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapath:
    """The element-wise part of a body on `lanes` units at once, a group a cycle, never stalling.

    `ports` are the values that enter at stage 0 (accumulators, or the beat of a Map). State
    reads appear at the stage at which they are first used. Channel constants are those of unit
    group * lanes + lane.
    """

    lanes: int
    units: int
    ports: tuple[Value, ...]
    reads: tuple[StateRead, ...] = ()
    consts: tuple[Const, ...] = ()
    ops: tuple[PlacedOp, ...] = ()

    @property
    def groups(self) -> int:
        """Groups of `lanes` units."""
        return ceil_div(self.units, self.lanes)

    def ready(self) -> dict[str, int]:
        """The stage at which each value is there, by name; constants are there from stage 0."""
        known = {v.name: 0 for v in self.ports}
        known |= {r.value.name: r.stage for r in self.reads}
        known |= {p.op.out.name: p.stage + p.latency for p in self.ops}
        return known

    def types(self) -> dict[str, IntType]:
        """The type of each value, by name."""
        known = {v.name: v.type for v in self.ports}
        known |= {r.value.name: r.value.type for r in self.reads}
        known |= {c.out.name: c.out.type for c in self.consts}
        return known | {p.op.out.name: p.op.out.type for p in self.ops}


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRead:
    """A state's value of the step before, unit by unit, at `stage` of the datapath."""

    value: Value
    stage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One accumulator for each unit: the sum of weights * columns; columns are x, then h."""

    value: Value
    weights: IntMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """A state of the engine. `recurrent`: the h whose columns are multiplied; it is kept as a
    vector that is read by blocks of simd. `elementwise`: read unit by unit by the datapath.
    It is written at the stage at which `next` is ready.
    """

    value: Value
    initial: tuple[int, ...]
    next: str
    recurrent: bool
    elementwise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Gate MAC array, cell datapath and state memory; without states, a dense layer.

    Each cycle multiplies `simd` columns by the weights of `pe` units of every gate. Order:
    column blocks of x (its beats), then column blocks of h; within a block, groups of pe units.
    The last block of a step hands each group's accumulators to the datapath.
    `emit`: which steps go out (None: all).
    """

    name: str
    x: Stream
    out: Stream
    pe: int
    simd: int
    gates: tuple[Gate, ...]
    states: tuple[EngineState, ...]
    datapath: Datapath
    result: str
    emit: Step | None = None

    @property
    def units(self) -> int:
        """H: hidden units, or outputs of a dense layer."""
        return self.datapath.units

    @property
    def groups(self) -> int:
        """R: groups of pe units."""
        return self.datapath.groups

    @property
    def x_blocks(self) -> int:
        """Column blocks of x: its beats."""
        return self.x.beats

    @property
    def recurrent(self) -> EngineState | None:
        """The state whose columns are multiplied, if there is one."""
        return next((s for s in self.states if s.recurrent), None)

    @property
    def h_blocks(self) -> int:
        """Column blocks of h."""
        return ceil_div(self.units, self.simd) if self.recurrent else 0

    @property
    def tree_stages(self) -> int:
        """Registers in the adder tree: two levels between two registers."""
        return ceil_div((self.simd - 1).bit_length(), 2)

    @property
    def mac_latency(self) -> int:
        """From issue to the accumulator: operand, product, tree, accumulate (if there is more than
        one block).
        """
        return 1 + 1 + self.tree_stages + (1 if self.x_blocks + self.h_blocks > 1 else 0)

    @property
    def operand_type(self) -> IntType:
        """The range of a column entry: x or h, and the zero of an unused lane."""
        both = self.x.type.hull(IntType(0, 0))
        return both.hull(self.recurrent.value.type) if self.recurrent else both

    @property
    def weight_type(self) -> IntType:
        """The range of all weights and the zero of the padding."""
        found = IntType(0, 0)
        for gate in self.gates:
            found = found.hull(gate.weights.type)
        return found

    @property
    def accumulator_type(self) -> IntType:
        """The range of every partial sum of every gate."""
        found = IntType(0, 0)
        for gate in self.gates:
            found = found.hull(gate.value.type)
        return found

    @property
    def out_latency(self) -> int:
        """From issuing a group's last product to writing its beat to the output stream."""
        return self.mac_latency + self.datapath.ready()[self.result]

    @property
    def state_latency(self) -> int:
        """L: from issuing a group's last product to the first issue that may use its state."""
        ready = self.datapath.ready()
        return self.mac_latency + max((ready[s.next] for s in self.states), default=0) + 1

    def weight_words(self) -> NDArray[np.int64]:
        """The weights in memory order: [column block][group][gate][pe][simd], padded with 0."""
        starts = list(_block_columns(self.x.beat_lanes))
        h = self.units if self.recurrent else 0
        lanes = [min(self.simd, h - k * self.simd) for k in range(self.h_blocks)]
        starts += [(self.x.features + s, n) for s, n in _block_columns(tuple(lanes))]
        shape = (len(starts), self.groups, len(self.gates), self.pe, self.simd)
        words = np.zeros(shape, dtype=np.int64)
        for g, gate in enumerate(self.gates):
            rows = np.zeros((self.groups * self.pe, gate.weights.columns), dtype=np.int64)
            rows[: self.units] = gate.weights.array
            grouped = rows.reshape(self.groups, self.pe, -1)
            for block, (start, lanes_used) in enumerate(starts):
                words[block, :, g, :, :lanes_used] = grouped[:, :, start : start + lanes_used]
        return words


def _block_columns(lanes: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """First column and number of columns of each block."""
    start = 0
    for n in lanes:
        yield start, n
        start += n


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """Element-wise ops on a stream: a beat in, a beat out `latency` cycles later."""

    name: str
    x: Stream
    out: Stream
    datapath: Datapath
    result: str

    @property
    def out_latency(self) -> int:
        """From taking a beat to writing its result to the output stream."""
        return self.datapath.ready()[self.result]


Kernel = AxisIn | AxisOut | Dwc | Fork | Concat | Reverse | SelectStep | Engine | Map


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Kernels in the order of the data, for one board. `model_hash` is of the graph's text."""

    name: str
    board: Board
    graph: Graph
    kernels: tuple[Kernel, ...]
    model_hash: str
    max_steps: int | None = None

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines, in the order of the data."""
        return tuple(k for k in self.kernels if isinstance(k, Engine))

    @property
    def source(self) -> AxisIn:
        """The input shell."""
        return next(k for k in self.kernels if isinstance(k, AxisIn))

    @property
    def sink(self) -> AxisOut:
        """The output shell."""
        return next(k for k in self.kernels if isinstance(k, AxisOut))


def kernel_inputs(kernel: Kernel) -> tuple[Stream, ...]:
    """The streams that a kernel reads."""
    match kernel:
        case AxisIn():
            return ()
        case Concat():
            return kernel.xs
        case _:
            return (kernel.x,)


def kernel_outputs(kernel: Kernel) -> tuple[Stream, ...]:
    """The streams that a kernel writes."""
    match kernel:
        case AxisOut():
            return ()
        case Fork():
            return kernel.outs
        case _:
            return (kernel.out,)


def axis_width(t: IntType) -> int:
    """Bits of an element at a port: whole bytes, but 1, 2 and 4 stay."""
    return t.bits if t.bits in (1, 2, 4) else 8 * ceil_div(t.bits, 8)
