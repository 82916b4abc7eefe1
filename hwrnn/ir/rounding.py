# SPDX-License-Identifier: Apache-2.0
"""Exact rounding of rationals, one function for each QONNX rounding mode."""

from __future__ import annotations

from enum import Enum
from fractions import Fraction
from math import floor

HALF = Fraction(1, 2)


class Rounding(Enum):
    """How a quantiser rounds; the names are those of QONNX's `Quant`, spelled out."""

    HALF_EVEN = "half_even"  # ROUND
    HALF_UP = "half_up"  # ties away from zero
    HALF_DOWN = "half_down"  # ties towards zero
    FLOOR = "floor"
    CEIL = "ceil"
    UP = "up"  # away from zero
    DOWN = "down"  # towards zero


FROM_QONNX = {
    "ROUND": Rounding.HALF_EVEN,
    "HALF_EVEN": Rounding.HALF_EVEN,
    "HALF_UP": Rounding.HALF_UP,
    "HALF_DOWN": Rounding.HALF_DOWN,
    "FLOOR": Rounding.FLOOR,
    "CEIL": Rounding.CEIL,
    "UP": Rounding.UP,
    "DOWN": Rounding.DOWN,
    "ROUND_TO_ZERO": Rounding.DOWN,
}


def step_to(k: int, mode: Rounding) -> tuple[Fraction, bool]:
    """Where the rounded value first reaches k: the position, and whether it belongs to k itself.

    round(v) >= k exactly when v > position, or v == position and the flag is set.
    """
    match mode:
        case Rounding.HALF_EVEN:
            return k - HALF, k % 2 == 0
        case Rounding.HALF_UP:
            return k - HALF, k > 0
        case Rounding.HALF_DOWN:
            return k - HALF, k <= 0
        case Rounding.FLOOR:
            return Fraction(k), True
        case Rounding.CEIL:
            return Fraction(k - 1), False
        case Rounding.UP:
            return (Fraction(k - 1), False) if k > 0 else (Fraction(k), True)
        case Rounding.DOWN:
            return (Fraction(k), True) if k > 0 else (Fraction(k - 1), False)


def round_exact(v: Fraction, mode: Rounding) -> int:
    """The integer to which `mode` takes v."""
    k = floor(v)
    for candidate in (k + 1, k):
        position, included = step_to(candidate, mode)
        if v > position or (included and v == position):
            return candidate
    return k - 1
