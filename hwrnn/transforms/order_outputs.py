# SPDX-License-Identifier: Apache-2.0
"""ArgMax of reals becomes ArgMax of integers whose order is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from hwrnn.ir import AnyOp, ArgMax, Graph, IntType, Requant, Value

ONE, ZERO = (Fraction(1),), (Fraction(0),)


def order_outputs(g: Graph) -> Graph:
    """Scale and offset of every ArgMax go into an exact Requant in front of it."""
    taken = set(g.scope())

    def ordered(op: AnyOp, scope: Mapping[str, Value]) -> AnyOp | tuple[AnyOp, ...]:
        assert isinstance(op, ArgMax)
        x = scope[op.x]
        mul, add = op.weights(x.size)
        if len(set(mul)) == 1 and len(set(add)) == 1:
            return replace(op, scale=ONE, offset=ZERO)
        name = next(
            n for k in range(len(taken) + 1) if (n := f"{op.out.name}_real{k}") not in taken
        )
        made = Requant(
            out=Value(name=name, type=reach(x.type, mul, add), size=x.size, sequence=x.sequence),
            x=op.x,
            ratio=tuple(Fraction(m) for m in mul),
            offset=tuple(Fraction(a) for a in add),
        )
        return made, replace(op, x=name, scale=ONE, offset=ZERO)

    return g.rewrite(ArgMax, ordered)


def reach(x: IntType, mul: tuple[int, ...], add: tuple[int, ...]) -> IntType:
    """The range of mul[j] * x + add[j]."""
    lows = [m * x.lo + a for m, a in zip(mul, add, strict=True)]
    highs = [m * x.hi + a for m, a in zip(mul, add, strict=True)]
    return IntType(min(lows), max(highs))
