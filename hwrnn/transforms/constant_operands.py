# SPDX-License-Identifier: Apache-2.0
"""Sums and products with constants between layers become exact Requants, which need no stream."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hwrnn.ir import Add, AnyOp, Const, Graph, Mul, Rationals, Requant, Sub

ONE, ZERO = (Fraction(1),), (Fraction(0),)


def constant_operands(g: Graph) -> Graph:
    """An Add, Sub or Mul of a value and a Const (of positive factors, for a Mul) as a Requant that
    never rounds. Bodies keep theirs: a cell's datapath holds constants.
    """
    found = {op.out.name: op for op in g.ops if isinstance(op, Const)}
    return replace(g, ops=tuple(without_constant(op, found) for op in g.ops))


def without_constant(op: AnyOp, found: dict[str, Const]) -> AnyOp:
    """The op as a Requant, if one of its operands is a constant and a Requant can say so."""
    if not isinstance(op, Add | Sub | Mul):
        return op
    swapped = op.a in found and not isinstance(op, Sub)
    x, name = (op.b, op.a) if swapped else (op.a, op.b)
    if name not in found or x in found:
        return op
    values: Rationals = tuple(Fraction(v) for v in found[name].values)
    values = values[:1] if len(set(values)) == 1 else values
    if isinstance(op, Mul):
        if min(values) <= 0:
            return op
        return Requant(out=op.out, x=x, ratio=values, offset=ZERO)
    offset = tuple(-v for v in values) if isinstance(op, Sub) else values
    return Requant(out=op.out, x=x, ratio=ONE, offset=offset)
