# SPDX-License-Identifier: Apache-2.0
"""What the library modules do between registers, and after which items registers stand.

An *item* is one of: a multiplication, two levels of an adder tree, a table read, an adder (or
comparator; with the shift, rounding and clamp of a requantiser). `pipeline="clock"` puts a
register after every item, `"latency"` after every third.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from hwrnn.design.stream import ceil_div
from hwrnn.ir import Add, AnyOp, Lut, Mul, Requant, ScaleShift, Sub, Thresholds

PARALLEL_THRESHOLDS = 15  # up to so many, comparators side by side; more are searched


class Item(Enum):
    """What stands between two registers; the name is shown to users."""

    MULTIPLY = "multiply"
    TREE = "two adder-tree levels"
    TABLE = "table read"
    ADD = "add (and shift)"


class Pipeline(Enum):
    """How many items at most stand between two registers."""

    CLOCK = "clock"
    LATENCY = "latency"

    @property
    def items(self) -> int:
        """Items between two registers."""
        return 1 if self is Pipeline.CLOCK else 3


def items(op: AnyOp) -> tuple[Item, ...]:
    """The items of an element-wise op, operand to result."""
    match op:
        case Add() | Sub():
            return (Item.ADD,)
        case Mul():
            return (Item.MULTIPLY,)
        case Lut():
            return (Item.TABLE,)
        case Requant(realised=ScaleShift() as how):
            return (Item.ADD,) if how.kind == "shift" else (Item.MULTIPLY, Item.ADD)
        case Requant(realised=Thresholds() as how):
            return threshold_items(how.table.columns)
        case Requant():
            raise ValueError(f"%{op.out.name} is not realised yet")
        case _:
            raise ValueError(f"%{op.out.name} ({type(op).__name__}) is not element-wise")


def threshold_items(columns: int) -> tuple[Item, ...]:
    """Few thresholds: compare, count the ones. More: a binary search, read and compare a level."""
    if columns <= PARALLEL_THRESHOLDS:
        return (Item.ADD, Item.TREE)
    return (Item.TABLE, Item.ADD) * columns.bit_length()


def tree_stages(terms: int) -> int:
    """Items of an adder tree: two levels each."""
    return ceil_div((terms - 1).bit_length(), 2)


def mac_items(simd: int, *, accumulates: bool) -> tuple[Item, ...]:
    """The items from the operand register to the sum of a group."""
    return (Item.MULTIPLY, *(Item.TREE,) * tree_stages(simd), *(Item.ADD,) * accumulates)


def registers(
    chain: Sequence[Item], depth: int, pipeline: Pipeline
) -> tuple[tuple[bool, ...], int]:
    """After which items of a chain a register stands, and the items since the last one at its end.

    `depth`: items since the last register at the operands; always below `pipeline.items`.
    """
    found = []
    for _ in chain:
        depth = (depth + 1) % pipeline.items
        found.append(depth == 0)
    return tuple(found), depth


def mac_registers(
    simd: int, pipeline: Pipeline, *, accumulates: bool
) -> tuple[tuple[bool, ...], int]:
    """The same for the MAC array; the accumulator is always a register."""
    placed, depth = registers(mac_items(simd, accumulates=accumulates), 0, pipeline)
    return ((*placed[:-1], True), 0) if accumulates else (placed, depth)
