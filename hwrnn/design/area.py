# SPDX-License-Identifier: Apache-2.0
"""Rough area, by which foldings are searched; the estimate has models fitted to netlists.

The model charges each adder, comparator and register what a plain mapping takes: a LUT for each
bit of an adder, a LUT for each 2**k bits of a table (k LUT inputs), a LUT for two bits of
distributed memory of 32 words, a FF for each bit of a pipeline register. It knows nothing of
what a synthesis tool shares, packs or trims.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwrnn.board import Board
from hwrnn.design.design import (
    Datapath,
    Design,
    Engine,
    Kernel,
    Map,
    PlacedOp,
    ceil_div,
    kernel_outputs,
)
from hwrnn.design.engine import Storage
from hwrnn.design.memory import Memory, memories
from hwrnn.design.writable import constant_memories
from hwrnn.ir import Add, IntType, Lut, Mul, Requant, ScaleShift, Sub

MEMORY_DEPTH = 64  # words of one bit that a LUT holds
LUT_MULTIPLIER_BITS = 3  # an operand this narrow is multiplied in LUTs


@dataclass(frozen=True, slots=True)
class Product:
    """Multipliers of one shape."""

    count: int
    a: int
    b: int

    def dsps(self, board: Board) -> int:
        """Hard multipliers; 0 where an operand is narrow, or the board has none."""
        if min(self.a, self.b) <= LUT_MULTIPLIER_BITS or not board.dsps:
            return 0
        wide, narrow = board.dsp_kind.widths
        big, small = max(self.a, self.b), min(self.a, self.b)
        return self.count * ceil_div(big, wide) * ceil_div(small, narrow)

    def luts(self, board: Board) -> int:
        """LUTs of those that are not hard: a row of adders."""
        return 0 if self.dsps(board) else self.count * self.a * self.b


@dataclass(frozen=True, slots=True)
class Area:
    """What a part of a design takes."""

    multipliers: int = 0
    dsps: int = 0
    luts: int = 0
    ffs: int = 0
    block_rams: int = 0
    urams: int = 0

    def __add__(self, other: Area) -> Area:
        return Area(
            self.multipliers + other.multipliers,
            self.dsps + other.dsps,
            self.luts + other.luts,
            self.ffs + other.ffs,
            self.block_rams + other.block_rams,
            self.urams + other.urams,
        )


SLAVE = Area(luts=150, ffs=260)  # AXI4-Lite and the config bus, of a design that is writable
DECODER = Area(luts=8)  # of a memory on that bus


def area(design: Design) -> dict[str, Area]:
    """The area of every kernel (with its output streams) by name."""
    found = {k.name: kernel_area(k, design.board) for k in design.kernels}
    for memory in memories(design):
        found[memory.name] = found[memory.name] + memory_area(memory, design.board)
    if design.writable:
        found[design.source.name] += SLAVE
        for name, made in constant_memories(design).items():
            for memory in made:
                found[name] += DECODER + memory_area(memory, design.board)
        for engine in design.engines:
            found[engine.name] += DECODER
    return found


def kernel_area(kernel: Kernel, board: Board) -> Area:
    """Logic of one kernel and the FIFOs that it writes."""
    total = Area()
    for stream in kernel_outputs(kernel):
        width = stream.lanes * stream.type.bits + 1
        if stream.depth == 2:
            total += Area(luts=width, ffs=2 * width)
        else:
            total += Area(luts=ceil_div(stream.depth, 32) * ceil_div(width, 2) + 20, ffs=24)
    if isinstance(kernel, Engine):
        total += engine_area(kernel, board)
    if isinstance(kernel, Map):
        total += datapath_area(kernel.datapath, board)
    return total


def engine_area(kernel: Engine, board: Board) -> Area:
    """Gate MAC array, accumulators, state memory, datapath, control."""
    a, w = kernel.operand_type.bits, kernel.weight_type.bits
    lanes, made_by = kernel.rows, kernel.made_by
    macs = Area(
        multipliers=lanes * kernel.simd,
        dsps=made_by.hard(lanes, kernel.simd) if board.dsps else 0,
        luts=(made_by.soft(lanes, kernel.simd) if board.dsps else lanes * kernel.simd) * a * w,
    )
    product, acc = a + w, kernel.accumulator_type.bits
    tree = lanes * (kernel.simd - 1) * (product + 2)
    luts = tree + lanes * acc * (1 + ceil_div(kernel.groups, 64))
    ffs = kernel.simd * a + lanes * (kernel.simd * product + acc)
    control = Area(luts=120, ffs=80)
    return (
        macs + Area(luts=luts, ffs=ffs) + control + states_area(kernel) + cell_area(kernel, board)
    )


def states_area(kernel: Engine) -> Area:
    """Memories of states and of vectors within the step; those of several streams are LUT memory.

    A vector is read by blocks, through a multiplexer.
    """
    total = Area()
    for vector in kernel.vectors:
        bits = vector.value.type.bits
        copies = kernel.streams if vector.level == 0 else 1
        kept = kernel.units * bits
        stored = Area(ffs=kept) if copies == 1 else Area(luts=kept * ceil_div(copies, MEMORY_DEPTH))
        blocks = ceil_div(kernel.units, kernel.simd)
        total += stored + Area(luts=kernel.simd * bits * ceil_div(blocks, 4))
    for state in kernel.states:
        if state.elementwise:
            words = kernel.streams * kernel.groups
            width = kernel.pe * state.value.type.bits
            total += Area(luts=width * ceil_div(words, MEMORY_DEPTH), ffs=width)
    return total


def cell_area(kernel: Engine, board: Board) -> Area:
    """The datapaths of all hand-overs; an op that several have stands once."""
    total, known = Area(), frozenset[str]()
    for hand in kernel.hands:
        total += datapath_area(hand.datapath, board, known)
        known |= {p.op.out.name for p in hand.datapath.ops}
    return total


def datapath_area(path: Datapath, board: Board, known: frozenset[str] = frozenset()) -> Area:
    """Every op for every lane, and the registers that balance them; but what is `known`."""
    types, ready = path.types(), path.ready()
    total = Area()
    for placed in path.ops:
        if placed.op.out.name in known:
            continue
        total += op_area(placed, path, types, board)
        for name in placed.op.operands():
            wait = placed.stage - ready.get(name, placed.stage)
            total += Area(ffs=wait * path.lanes * types[name].bits)
    return total


def op_area(placed: PlacedOp, path: Datapath, types: dict[str, IntType], board: Board) -> Area:
    """One op on all lanes."""
    op, lanes = placed.op, path.lanes
    bits = op.out.type.bits
    match op:
        case Add() | Sub():
            return Area(luts=lanes * bits, ffs=lanes * bits)
        case Mul():
            product = Product(lanes, types[op.a].bits, types[op.b].bits)
            return multiplied(product, board) + Area(ffs=lanes * bits)
        case Lut():
            per_lut = 2**board.family.lut_inputs
            luts = lanes * bits * ceil_div(types[op.x].levels, per_lut)
            return Area(luts=luts, ffs=lanes * bits)
        case Requant(realised=ScaleShift() as how):
            wide = how.sum_type(types[op.x]).bits
            logic = Area(luts=lanes * (wide + 2 * bits), ffs=lanes * bits)
            if how.kind == "shift":
                shifter = how.room.factor_bits * wide if how.room else 0
                return logic + Area(luts=lanes * shifter)
            mul = how.room.mul_bits if how.room else max(how.mul).bit_length()
            product = Product(lanes, types[op.x].bits, mul)
            return logic + multiplied(product, board) + Area(ffs=lanes * wide)
        case Requant():
            levels = op.out.type.levels - 1
            return Area(luts=lanes * levels * types[op.x].bits, ffs=lanes * (levels + bits))
        case _:
            return Area()


def multiplied(product: Product, board: Board) -> Area:
    """Multipliers of one shape."""
    return Area(product.count, product.dsps(board), product.luts(board))


def memory_area(memory: Memory, board: Board) -> Area:
    """Memory blocks, or LUTs for a small one."""
    if memory.storage is not Storage.LUT:
        return Area(block_rams=memory.blocks(board), urams=memory.urams(board))
    return Area(luts=ceil_div(memory.bits, 2**board.family.lut_inputs), ffs=memory.width)
