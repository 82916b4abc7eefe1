# SPDX-License-Identifier: Apache-2.0
"""Between real numbers and the integer graph: a quantiser at the door, a grid at the exit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hwrnn.ir.rounding import Rounding
from hwrnn.ir.types import IntType, Rationals


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiser:
    """q = clamp(round(x / scale)); one scale, or one for each feature."""

    scale: Rationals
    type: IntType
    rounding: Rounding = Rounding.HALF_EVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputGrid:
    """real[j] = scale[j] * q[j] + offset[j]; one entry, or one for each element."""

    scale: Rationals
    offset: Rationals = (Fraction(0),)
