# SPDX-License-Identifier: Apache-2.0
"""Constants of a model file: plain floats, or floats behind a `Quant`, rounded exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hwrnn.ir import IntType, Rounding
from hwrnn.ir.exact import Floats, Ints, quantise


@dataclass(frozen=True, slots=True)
class FloatConst:
    """A constant as the file stores it; float32 numbers are exact in float64."""

    array: Floats
    kind: str = ""  # as numpy calls the type in the file


@dataclass(frozen=True, slots=True)
class QuantConst:
    """A quantised constant: real = q * scale; `scale` broadcasts against q."""

    q: Ints
    scale: Floats
    type: IntType


def quantise_constant(
    array: Floats, scale: Floats, zero: Floats, t: IntType, rounding: Rounding
) -> QuantConst:
    """A constant behind a Quant: clamp(round(array / scale + zero)) - zero, rounded exactly."""
    q = quantise(array, scale, t, rounding, zero) - zero.astype(np.int64)
    return QuantConst(q, scale, IntType(t.lo - int(zero.max()), t.hi - int(zero.min())))


def bipolar_constant(array: Floats, scale: Floats) -> QuantConst:
    """A constant behind a BipolarQuant: 1 from 0 upwards, else -1."""
    return QuantConst(np.where(array < 0, -1, 1), scale, IntType(-1, 1))


def rationals(array: Floats) -> tuple[Fraction, ...]:
    """Float numbers as the exact rationals that they are; one entry if all are equal."""
    flat = [float(v) for v in array.reshape(-1)]
    return (Fraction(flat[0]),) if len(set(flat)) == 1 else tuple(map(Fraction, flat))
