# SPDX-License-Identifier: Apache-2.0
"""The memories that hold tables and constants of a design with writable weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hwrnn.design.datapath import Datapath, PlacedOp
from hwrnn.design.design import Design, Engine, Map
from hwrnn.design.latency import PARALLEL_THRESHOLDS
from hwrnn.design.memory import Memory
from hwrnn.ir import IntType, Lut, Requant, ScaleShift, Thresholds


def constant_memories(design: Design) -> dict[str, list[Memory]]:
    """For each kernel: a memory for each table, and for each constant that channels share or have.

    A table is read by all lanes at once; what that takes is part of its op.
    """
    found: dict[str, list[Memory]] = {}
    for kernel in design.kernels:
        if isinstance(kernel, Engine):
            cells = len(kernel.cells)
            found[kernel.name] = engine_memories([h.datapath for h in kernel.hands], cells)
        elif isinstance(kernel, Map):
            found[kernel.name] = engine_memories([kernel.datapath], 1)
    return found


def engine_memories(paths: Sequence[Datapath], cells: int) -> list[Memory]:
    """Those of datapaths that share their ops, each op once."""
    found: dict[str, Memory] = {}
    for path in paths:
        types = path.types()
        for placed in path.ops:
            for m in op_memories(placed, path, types, cells):
                found[m.name] = m
        for const in path.consts:
            width = path.lanes * const.out.type.bits
            found[const.out.name] = memory(const.out.name, cells * path.groups, width)
    return list(found.values())


def op_memories(
    placed: PlacedOp, path: Datapath, types: dict[str, IntType], cells: int
) -> Iterator[Memory]:
    """Those of one op."""
    op = placed.op
    if isinstance(op, Lut):
        yield memory(op.out.name, cells << types[op.x].bits, op.out.type.bits)
    if not isinstance(op, Requant):
        return
    how = op.realised
    if isinstance(how, ScaleShift) and how.room is not None:
        yield channels(f"{op.out.name}_mul", len(how.mul), how.room.factor_bits, path, cells)
        yield channels(f"{op.out.name}_add", len(how.add), how.room.add_bits, path, cells)
    elif isinstance(how, Thresholds):
        yield from threshold_memories(op.out.name, how, types[op.x], path, cells)


def threshold_memories(
    name: str, how: Thresholds, x: IntType, path: Datapath, cells: int
) -> Iterator[Memory]:
    """Thresholds side by side, or a memory for each level of the search."""
    bits = max(x.bits + 1, IntType(min(x.lo, -1), x.hi + 1).bits)
    rows, columns = how.table.rows, how.table.columns
    if columns <= PARALLEL_THRESHOLDS:
        yield channels(f"{name}_thresholds", rows, columns * bits, path, cells)
        return
    for level in range(columns.bit_length()):
        if rows == 1:
            yield memory(f"{name}_l{level}s", cells << level, bits)
            continue
        for lane in range(path.lanes):
            yield memory(f"{name}_l{level}slane{lane}", (cells * path.groups) << level, bits)


def channels(name: str, rows: int, width: int, path: Datapath, cells: int) -> Memory:
    """Constants of each channel, a word for each group; or those that all channels share."""
    if rows == 1:
        return memory(name, cells, width)
    return memory(name, cells * path.groups, path.lanes * width)


def memory(name: str, depth: int, width: int) -> Memory:
    """A memory made of LUTs."""
    return Memory(name=name, depth=depth, width=width, rom=True)
