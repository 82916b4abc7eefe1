# SPDX-License-Identifier: Apache-2.0
"""Exact conversions between floats and integers, whole arrays at a time.

float64 does the work; the few elements that it cannot decide are done again in rationals.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hwrnn.ir.rounding import Rounding, round_exact
from hwrnn.ir.types import IntType, Rationals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEAR = 1e-6  # a quotient farther than this from where the rounding turns is settled by float64
_HALF_MODES = (Rounding.HALF_EVEN, Rounding.HALF_UP, Rounding.HALF_DOWN)


def quantise(
    array: Floats, scale: Floats, t: IntType, rounding: Rounding, zero: Floats | float = 0.0
) -> Ints:
    """clamp(round(array / scale + zero)), each rounded exactly; `scale` and `zero` broadcast."""
    with np.errstate(over="ignore"):
        quotient = array / scale + zero
    bounded = np.clip(quotient, t.lo - 2.0, t.hi + 2.0)
    q = round_sure(bounded, rounding)
    full, zeros = np.broadcast_to(scale, array.shape), np.broadcast_to(zero, array.shape)
    for at in np.argwhere(_undecided(bounded, rounding) & (array != 0)):
        index = tuple(at)
        exact = Fraction(float(array[index])) / Fraction(float(full[index]))
        q[index] = round_exact(exact + int(zeros[index]), rounding)
    return np.clip(q, t.lo, t.hi).astype(np.int64)


def _undecided(quotient: Floats, rounding: Rounding) -> NDArray[np.bool_]:
    """Where float64 is too close to a turning point of the rounding to be trusted."""
    moved = quotient - 0.5 if rounding in _HALF_MODES else quotient
    slack = _NEAR * np.maximum(1.0, np.abs(quotient) * 2.0**-20)
    return np.asarray(np.abs(moved - np.rint(moved)) <= slack)


def round_sure(v: Floats, rounding: Rounding) -> Floats:
    """The rounding of numbers that are not near a point where it turns."""
    match rounding:
        case Rounding.FLOOR:
            return np.floor(v)
        case Rounding.CEIL:
            return np.ceil(v)
        case Rounding.UP:
            return np.asarray(np.sign(v) * np.ceil(np.abs(v)))
        case Rounding.DOWN:
            return np.trunc(v)
        case _:
            return np.rint(v)


def one_rounding(t: IntType, scale: Rationals, offset: Rationals) -> bool:
    """True when a float32 product scale * q is what to_float32 gives for every q of t.

    Both factors are exact in float32, so that the product is rounded once.
    """
    small = max(-t.lo, t.hi) <= 2**24 and all(s < 2**100 for s in scale)
    return (
        small and not any(offset) and all(Fraction(float(np.float32(float(s)))) == s for s in scale)
    )


def to_float32(q: Ints, scale: Rationals, offset: Rationals) -> NDArray[np.float32]:
    """Real values, scale * q + offset along the last axis, each rounded once to float32."""
    s, o = (np.array([float(v) for v in values]) for values in (scale, offset))
    near = q * s + o
    slack = 2.0**-50 * (np.abs(q * s) + np.abs(o))
    low, high = (near - slack).astype(np.float32), (near + slack).astype(np.float32)
    out: NDArray[np.float32] = low.copy()
    for at in np.argwhere(low != high):
        index = tuple(at)
        channel = int(at[-1])
        exact = scale[channel % len(scale)] * int(q[index]) + offset[channel % len(offset)]
        out[index] = nearest_float32(exact)
    return out


def nearest_float32(v: Fraction) -> np.float32:
    """The float32 nearest to v, ties to even; the float64 in between cannot round it twice."""
    guess = np.float32(float(v))
    ring = [np.nextafter(guess, np.float32(side)) for side in (-np.inf, np.inf)]
    around = [f for f in (guess, *ring) if np.isfinite(f)]
    even = [(abs(Fraction(float(f)) - v), int(f.view(np.uint32)) & 1, f) for f in around]
    nearest: np.float32 = min(even, key=lambda e: e[:2])[2]
    return nearest
