# SPDX-License-Identifier: Apache-2.0
"""How many cycles the library module of an element-wise op takes, operand to result register."""

from __future__ import annotations

from hwrnn.ir import Add, AnyOp, Lut, Mul, Requant, ScaleShift, Sub, Thresholds

PARALLEL_THRESHOLDS = 15  # up to so many, comparators side by side; more are searched


def latency(op: AnyOp) -> int:
    """Cycles of `op`: from its operands at the module's ports to its result in a register."""
    match op:
        case Add() | Sub() | Mul() | Lut():
            return 1
        case Requant(realised=ScaleShift() as how):
            return 1 if how.kind == "shift" else 2
        case Requant(realised=Thresholds() as how):
            return threshold_latency(how.table.columns)
        case Requant():
            raise ValueError(f"%{op.out.name} is not realised yet")
        case _:
            raise ValueError(f"%{op.out.name} ({type(op).__name__}) is not element-wise")


def threshold_latency(columns: int) -> int:
    """Few thresholds: compare, count the ones. More: a binary search, read and compare a level."""
    return 2 if columns <= PARALLEL_THRESHOLDS else 2 * columns.bit_length()
