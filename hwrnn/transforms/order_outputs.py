# SPDX-License-Identifier: Apache-2.0
"""ArgMax of reals becomes ArgMax of integers whose order is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import floor, gcd

from hwrnn.ir import AnyOp, ArgMax, Graph, IntType, Requant, Value

ONE, ZERO = (Fraction(1),), (Fraction(0),)


def order_outputs(g: Graph) -> Graph:
    """Scale and offset of every ArgMax go into an exact Requant in front of it."""
    taken = set(g.scope())

    def ordered(op: AnyOp, scope: Mapping[str, Value]) -> AnyOp | tuple[AnyOp, ...]:
        assert isinstance(op, ArgMax)
        x = scope[op.x]
        mul, add = narrow(*op.weights(x.size))
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


def narrow(mul: tuple[int, ...], add: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Small constants for which mul[j] * x + add[j] has the same order, at every integer x.

    In the unit of all mul[j] a product is whole. Whole numbers with a part below 1 beside them are
    ordered by the whole, then by the part: the rank of the part among those that there are is
    enough, and what is added to all changes nothing.
    """
    unit = gcd(*mul)
    whole = [floor(Fraction(a, unit)) for a in add]
    parts = [Fraction(a, unit) - w for a, w in zip(add, whole, strict=True)]
    ranks = sorted(set(parts))
    middle = (min(whole) + max(whole)) // 2
    return (
        tuple(len(ranks) * (m // unit) for m in mul),
        tuple(
            len(ranks) * (w - middle) + ranks.index(p) for w, p in zip(whole, parts, strict=True)
        ),
    )


def reach(x: IntType, mul: tuple[int, ...], add: tuple[int, ...]) -> IntType:
    """The range of mul[j] * x + add[j]."""
    lows = [m * x.lo + a for m, a in zip(mul, add, strict=True)]
    highs = [m * x.hi + a for m, a in zip(mul, add, strict=True)]
    return IntType(min(lows), max(highs))
