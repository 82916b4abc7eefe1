# SPDX-License-Identifier: Apache-2.0
"""The recurrent engine: gate MAC array, cell datapaths and state memory.

Each cycle multiplies `simd` columns by the weights of `pe` units of every gate. A *block* is up
to `simd` columns; it is multiplied for every group of `pe` units, a group a cycle. Blocks of x
come first (its beats), then those of the states of the step before, then those of vectors that
are computed within the step. Accumulators of all groups are kept, so that the tail of a step hides
behind its own last block and the x blocks of the next step. When `simd` holds all columns of x and
of the states, they share one block.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwrnn.design.datapath import Datapath
from hwrnn.design.latency import Pipeline, mac_registers, tree_stages
from hwrnn.design.multipliers import Kind, Multiplier
from hwrnn.design.stream import Stream, ceil_div
from hwrnn.ir import IntMatrix, IntType, Step, Value

if TYPE_CHECKING:
    from collections.abc import Iterator


class Storage(Enum):
    """What a memory is made of."""

    LUT = "lut"
    BRAM = "bram"
    URAM = "uram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One accumulator for each unit: the sum of weights * columns.

    Columns are those of x, then of each vector in order. The sum is complete behind the blocks of
    `level`.
    """

    value: Value
    weights: IntMatrix
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """A state of the engine. `recurrent`: its columns are multiplied; it is kept as a vector that
    is read by blocks of simd. `elementwise`: read unit by unit by a datapath. It is written at
    the stage of the last datapath at which `next` is ready.
    """

    value: Value
    initial: tuple[int, ...]
    next: str
    recurrent: bool
    elementwise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """A vector of all units whose columns are multiplied. Level 0: a state, as the step before
    left it. Level k: computed within the step, written by the hand-over k - 1.
    """

    value: Value
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """What happens to the sums of a group behind the last block of a level: a datapath, and the
    values that it writes to vectors of the next level. The last hand-over of an engine writes the
    states and gives the result. An op that several hand-overs have stands once in the hardware.
    """

    datapath: Datapath
    writes: tuple[str, ...] = ()

    @property
    def written(self) -> int:
        """The stage at which the last of its vectors is written."""
        ready = self.datapath.ready()
        return max((ready[name] for name in self.writes), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The parts of an engine that come from a body; one hand-over for each level."""

    gates: tuple[Gate, ...]
    vectors: tuple[Vector, ...]
    states: tuple[EngineState, ...]
    hands: tuple[HandOver, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a state starts as: a vector for each sequence on `x`, in beats of pe units, in the
    order in which the first steps of the sequences come.
    """

    state: str
    x: Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A value that goes out, group by group."""

    value: str
    out: Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Columns that are multiplied together: `lanes` of them from column `start`.

    `takes_x`: a beat of x is among them. `vector`: the vector that they are blocks of, the
    `index`-th; None for x alone. In a shared block `vector` is the first of those that are in it.
    `hand`: the hand-over that takes the sums of each group behind this block.
    """

    start: int
    lanes: int
    takes_x: bool
    vector: Vector | None = None
    index: int = 0
    hand: int | None = None


@dataclass(frozen=True, kw_only=True)  # no slots: what is computed is kept
class Engine:
    """Gate MAC array, cell datapaths and state memory; without states, a dense layer.

    `emit`: which steps go out (None: all). `streams`: so many independent sequences interleave
    step by step, each with states of its own; x and out carry the stream's number.
    `cells` has one entry, or one for each stream: all alike but for their constants (two
    directions that share the engine). `storage`: what its weights are kept in.
    `multiplier`: how its products are made (None: one plain multiplication each).
    `starts`: the states that start as vectors from outside, instead of their initial values.
    `more`: values that go out beside `result`, in the same steps; all output streams have one
    depth, and an entry counts as free when it is free in all of them.
    """

    name: str
    x: Stream
    out: Stream
    pe: int
    simd: int
    cells: tuple[Cell, ...]
    result: str
    emit: Step | None = None
    pipeline: Pipeline = Pipeline.CLOCK
    streams: int = 1
    storage: Storage = Storage.LUT
    multiplier: Multiplier | None = None
    starts: tuple[Start, ...] = ()
    more: tuple[Result, ...] = ()

    @property
    def results(self) -> tuple[Result, ...]:
        """All values that go out."""
        return (Result(value=self.result, out=self.out), *self.more)

    @property
    def cell(self) -> Cell:
        """The structure that all cells have."""
        return self.cells[0]

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates, whose sums are formed side by side."""
        return self.cell.gates

    @property
    def states(self) -> tuple[EngineState, ...]:
        """The states."""
        return self.cell.states

    @property
    def vectors(self) -> tuple[Vector, ...]:
        """The vectors that are multiplied, beside x."""
        return self.cell.vectors

    @property
    def hands(self) -> tuple[HandOver, ...]:
        """The hand-overs, one for each level."""
        return self.cell.hands

    @property
    def recurrent(self) -> EngineState | None:
        """The state whose columns are multiplied, if there is one."""
        return next((s for s in self.states if s.recurrent), None)

    @property
    def datapath(self) -> Datapath:
        """The datapath of the last hand-over."""
        return self.hands[-1].datapath

    @cached_property
    def units(self) -> int:
        """H: hidden units, or outputs of a dense layer."""
        return self.datapath.units

    @cached_property
    def groups(self) -> int:
        """R: groups of pe units."""
        return self.datapath.groups

    @cached_property
    def shared(self) -> bool:
        """True when the columns of x and of all states fit one block."""
        outer = sum(v.level == 0 for v in self.vectors)
        return outer > 0 and self.simd >= self.x.features + outer * self.units

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks of a step, in order."""
        found = list(self._first_blocks())
        for k, vector in enumerate(self.vectors):
            if vector.level or not self.shared:
                found += self._vector_blocks(vector, self.x.features + k * self.units)
        levels = [b.vector.level if b.vector else 0 for b in found]
        ends = {level: k for k, level in enumerate(levels)}  # the last block of each level
        return tuple(
            Block(
                start=b.start,
                lanes=b.lanes,
                takes_x=b.takes_x,
                vector=b.vector,
                index=b.index,
                hand=level if ends[level] == k else None,
            )
            for k, (b, level) in enumerate(zip(found, levels, strict=True))
        )

    def _first_blocks(self) -> Iterator[Block]:
        if self.shared:
            outer = sum(v.level == 0 for v in self.vectors)
            lanes = self.x.features + outer * self.units
            yield Block(start=0, lanes=lanes, takes_x=True, vector=self.vectors[0])
            return
        start = 0
        for lanes in self.x.beat_lanes:
            yield Block(start=start, lanes=lanes, takes_x=True)
            start += lanes

    def _vector_blocks(self, vector: Vector, start: int) -> Iterator[Block]:
        for index, first in enumerate(range(0, self.units, self.simd)):
            lanes = min(self.simd, self.units - first)
            yield Block(start=start + first, lanes=lanes, takes_x=False, vector=vector, index=index)

    @property
    def x_blocks(self) -> int:
        """Blocks that take a beat of x."""
        return self.x.beats

    @property
    def h_blocks(self) -> int:
        """Blocks of vectors only."""
        return len(self.blocks) - self.x_blocks

    def groups_needed(self, block: Block) -> int:
        """How many groups of its vectors have to be written before a block can be multiplied."""
        if block.vector is None:
            return 0
        last_unit = self.units if self.shared else min((block.index + 1) * self.simd, self.units)
        return ceil_div(last_unit, self.pe)

    @cached_property
    def by_group(self) -> bool:
        """True when states are read unit by unit only: then each group waits for itself."""
        return bool(self.states) and all(v.level for v in self.vectors)

    @property
    def accumulates(self) -> bool:
        """True when a sum has several blocks."""
        return len(self.blocks) > 1

    @property
    def tree_stages(self) -> int:
        """Items in the adder tree: two levels each."""
        return tree_stages(self.simd)

    @property
    def mac_registers(self) -> tuple[bool, ...]:
        """A register behind: the product, each tree stage, the accumulator (if there is one)."""
        return mac_registers(self.simd, self.pipeline, accumulates=self.accumulates)[0]

    @cached_property
    def mac_latency(self) -> int:
        """From issue to the sum of a group: the operand register, and those of the MAC array."""
        return 1 + sum(self.mac_registers)

    @cached_property
    def out_latency(self) -> int:
        """From issuing a group's last product to writing its beat to the output stream."""
        return self.mac_latency + self.datapath.ready()[self.result]

    def latency_of(self, value: str) -> int:
        """From issuing a group's last product to writing a value's beat to its output stream."""
        return self.mac_latency + self.datapath.ready()[value]

    @cached_property
    def start_reads(self) -> dict[str, int]:
        """The stage of the datapaths at which each state that starts from outside is read unit by
        unit, for those that are.
        """
        found: dict[str, int] = {}
        outside = {start.state for start in self.starts}
        for read in (r for hand in self.hands for r in hand.datapath.reads):
            if read.value.name in outside:
                name = read.value.name
                found[name] = min(found.get(name, read.stage), read.stage)
        return found

    @cached_property
    def start_release(self) -> int:
        """From the last issue of a sequence's first step to the cycle in which its vectors of
        `starts` have been read for the last time; a bank is free from the cycle after that.
        """
        if not self.start_reads:
            return 0
        return self.mac_latency + max(self.start_reads.values()) - 1

    @cached_property
    def start_banks(self) -> int:
        """How many vectors of each of `starts` are held: so many that sequences of a single step
        follow each other without a wait for them.
        """
        work = self.groups * len(self.blocks)
        return 1 + ceil_div(self.start_release + self.groups, work)

    @cached_property
    def state_latency(self) -> int:
        """L: from issuing a group's last product to the first issue that may use its states."""
        ready = self.datapath.ready()
        return self.mac_latency + max((ready[s.next] for s in self.states), default=0) + 1

    @cached_property
    def hand_latencies(self) -> tuple[int, ...]:
        """For each hand-over: from a group's issue in its block to the first that may use what it
        writes.
        """
        inner = (self.mac_latency + hand.written + 1 for hand in self.hands[:-1])
        return (*inner, self.state_latency)

    @cached_property
    def operand_type(self) -> IntType:
        """The range of a column entry: x or a vector, and the zero of an unused lane."""
        found = self.x.type.hull(IntType(0, 0))
        for vector in self.vectors:
            found = found.hull(vector.value.type)
        return found

    @cached_property
    def weight_type(self) -> IntType:
        """The range of all weights and the zero of the padding."""
        found = IntType(0, 0)
        for cell in self.cells:
            for gate in cell.gates:
                found = found.hull(gate.weights.type)
        return found

    @property
    def rows(self) -> int:
        """Products of one column in a cycle: gates * pe."""
        return len(self.gates) * self.pe

    @property
    def made_by(self) -> Multiplier:
        """How its products are made."""
        plain = Multiplier(kind=Kind.DSP, weight=self.weight_type, operand=self.operand_type)
        return self.multiplier or plain

    @cached_property
    def accumulator_type(self) -> IntType:
        """The range of every partial sum of every gate."""
        found = IntType(0, 0)
        for gate in self.gates:
            found = found.hull(gate.value.type)
        return found

    def weight_words(self) -> NDArray[np.int64]:
        """The weights in memory order: [cell, block][group][gate][pe][simd], padded with 0."""
        return np.concatenate([self._cell_words(cell) for cell in self.cells])

    def _cell_words(self, cell: Cell) -> NDArray[np.int64]:
        blocks = self.blocks
        shape = (len(blocks), self.groups, len(cell.gates), self.pe, self.simd)
        words = np.zeros(shape, dtype=np.int64)
        for g, gate in enumerate(cell.gates):
            rows = np.zeros((self.groups * self.pe, gate.weights.columns), dtype=np.int64)
            rows[: self.units] = gate.weights.array
            grouped = rows.reshape(self.groups, self.pe, -1)
            for k, block in enumerate(blocks):
                end = block.start + block.lanes
                words[k, :, g, :, : block.lanes] = grouped[:, :, block.start : end]
        return words
