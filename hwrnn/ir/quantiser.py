# SPDX-License-Identifier: Apache-2.0
"""Between real numbers and the integer graph: a quantiser at the door, a grid at the exit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hwrnn.ir.rounding import Rounding
from hwrnn.ir.types import IntType, Rationals


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiser:
    """q = clamp(round(x / scale + zero_point)); one of each, or one for each feature."""

    scale: Rationals
    type: IntType
    rounding: Rounding = Rounding.HALF_EVEN
    zero_point: tuple[int, ...] = (0,)

    @property
    def offset(self) -> Rationals:
        """The real value of the integer 0; scale * q + offset is that of q."""
        size = max(len(self.scale), len(self.zero_point))
        scale = self.scale * size if len(self.scale) == 1 else self.scale
        zero = self.zero_point * size if len(self.zero_point) == 1 else self.zero_point
        found = tuple(-s * z for s, z in zip(scale, zero, strict=True))
        return found[:1] if len(set(found)) == 1 else found


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputGrid:
    """real[j] = scale[j] * q[j] + offset[j]; one entry, or one for each element."""

    scale: Rationals
    offset: Rationals = (Fraction(0),)
