# SPDX-License-Identifier: Apache-2.0
"""Exact rounding between real numbers and integers, as the model's own quantiser does it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hwrnn.errors import DeviceError

Ints = NDArray[np.int64]
HALF = Fraction(1, 2)
LARGEST = float(np.finfo(np.float32).max)
MANTISSA = 24  # bits of a float32
SMALLEST = -149  # exponent of the smallest float32


def rounded(v: Fraction, mode: str) -> int:
    """The integer to which a rounding mode takes v."""
    k = math.floor(v)
    rest = v - k
    match mode:
        case "half_even":
            up = rest > HALF or (rest == HALF and k % 2 == 1)
        case "half_up":  # ties away from zero
            up = rest > HALF or (rest == HALF and v > 0)
        case "half_down":  # ties towards zero
            up = rest > HALF or (rest == HALF and v < 0)
        case "floor":
            up = False
        case "ceil":
            up = rest > 0
        case "up":  # away from zero
            up = rest > 0 and v > 0
        case "down":  # towards zero
            up = rest > 0 and v < 0
        case _:
            raise DeviceError("the device's description", f'has the rounding mode "{mode}"')
    return k + int(up)


def quantised(
    x: NDArray[np.float32],
    scale: Sequence[Fraction],
    zero: Sequence[int],
    limits: tuple[int, int],
    mode: str,
) -> Ints:
    """clamp(round(x / scale + zero)), features last; one scale and zero, or one for each."""
    lo, hi = limits
    q = np.empty(x.shape, dtype=np.int64)
    for j in range(x.shape[-1]):
        s, z = scale[j % len(scale)], zero[j % len(zero)]
        values, where = np.unique(x[..., j], return_inverse=True)
        found = [min(max(rounded(Fraction(float(v)) / s + z, mode), lo), hi) for v in values]
        q[..., j] = np.array(found, dtype=np.int64)[where.reshape(x.shape[:-1])]
    return q


def real(q: Ints, scale: Sequence[Fraction], offset: Sequence[Fraction]) -> NDArray[np.float32]:
    """Real values scale * q + offset, features last, each rounded once to float32."""
    out = np.empty(q.shape, dtype=np.float32)
    for j in range(q.shape[-1]):
        s, o = scale[j % len(scale)], offset[j % len(offset)]
        values, where = np.unique(q[..., j], return_inverse=True)
        found = np.array([float32(s * int(v) + o) for v in values], dtype=np.float32)
        out[..., j] = found[where.reshape(q.shape[:-1])]
    return out


def float32(v: Fraction) -> float:
    """The float32 nearest to v, ties to even."""
    if v == 0:
        return 0.0
    length = abs(v.numerator).bit_length() - v.denominator.bit_length()
    if abs(v) < Fraction(2) ** length:
        length -= 1  # now 2**length <= |v| < 2**(length + 1)
    exponent = max(length - MANTISSA + 1, SMALLEST)
    mantissa = round(v / Fraction(2) ** exponent)
    return min(max(math.ldexp(mantissa, exponent), -LARGEST), LARGEST)
