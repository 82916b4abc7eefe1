# SPDX-License-Identifier: Apache-2.0
"""The grid of a state before the body is walked: the state is read in front of what makes it.

Usually a Quant makes the next value. A product of quantised values, or a sum of such products,
needs none: it lies on a grid that the Quants inside of it fix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from onnx import NodeProto

from hwrnn.frontend.nodes_arithmetic import common_scale
from hwrnn.frontend.nodes_qdq import dequantised
from hwrnn.frontend.nodes_quant import quantiser_of
from hwrnn.frontend.symbols import ZERO, spread
from hwrnn.frontend.walker import Walker
from hwrnn.ir import IntType, Rationals


@dataclass(frozen=True, slots=True)
class Grid:
    """Real values scale * q + offset, q of the type."""

    type: IntType
    scale: Rationals
    offset: Rationals = ZERO

    def centred(self) -> Grid | None:
        """The same values with an offset of 0; None if that grid does not hold them."""
        steps = {o / s for o, s in zip(*self.pairs(), strict=True)}
        if any(n.denominator != 1 for n in steps):
            return None
        low, high = int(min(steps)), int(max(steps))
        return Grid(IntType(self.type.lo + low, self.type.hi + high), self.scale)

    def pairs(self) -> tuple[Rationals, Rationals]:
        """Offsets and scales, as many as of the longer."""
        size = max(len(self.scale), len(self.offset))
        return spread(self.offset, size), spread(self.scale, size)


@dataclass(frozen=True, slots=True)
class Grids:
    """The grids of a body's values, as far as they follow from Quants alone."""

    w: Walker
    producers: Mapping[str, NodeProto]

    def of(self, name: str) -> Grid | None:
        """The grid of a value; None if it has none that is known before the walk."""
        node = self.producers.get(name)
        if node is None:
            return None
        if node.op_type == "Quant":
            q = quantiser_of(self.w, node)
            return Grid(q.type, q.scale, q.offset)
        if node.op_type == "DequantizeLinear":
            known = dequantised(self.w, self.producers, node)
            return None if known is None else Grid(*known)
        if node.op_type == "Identity":
            return self.of(node.input[0])
        if node.op_type == "Relu":
            x = self.of(node.input[0])
            x = x and x.centred()
            return x and Grid(IntType(0, max(x.type.hi, 0)), x.scale)
        if node.op_type in ("Mul", "Add"):
            a, b = (self.of(k) for k in node.input)
            if a is None or b is None:
                return None
            return times(a, b) if node.op_type == "Mul" else plus(a, b)
        return None


def times(a: Grid, b: Grid) -> Grid | None:
    """The grid of a product."""
    first, second = a.centred(), b.centred()
    if first is None or second is None or len(a.scale) + len(b.scale) > 2:
        return None
    ends = [x * y for x in (first.type.lo, first.type.hi) for y in (second.type.lo, second.type.hi)]
    return Grid(IntType(min(ends), max(ends)), (a.scale[0] * b.scale[0],))


def plus(a: Grid, b: Grid) -> Grid | None:
    """The grid of a sum."""
    if len(a.scale) + len(b.scale) + len(a.offset) + len(b.offset) > 4:
        return None
    scale = common_scale(a.scale, b.scale, 1)
    m, n = (int(Fraction(g.scale[0]) / scale[0]) for g in (a, b))
    t = IntType(m * a.type.lo + n * b.type.lo, m * a.type.hi + n * b.type.hi)
    return Grid(t, scale, (a.offset[0] + b.offset[0],))
