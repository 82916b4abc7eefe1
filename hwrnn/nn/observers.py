# SPDX-License-Identifier: Apache-2.0
"""From what a tensor holds to the scale of its quantiser.

Observers: `max` keeps the largest number that was seen, `percentile` 99.9 % of all, `mse` takes
the scale with the least mean squared error. A scale of `pot` is a power of two: the smallest whose
range ends less than one step below the largest number; `float` fits the range exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwrnn.errors import DesignError
from hwrnn.ir.types import IntType, of_bits

Floats = NDArray[np.float64]
SCALES = ("pot", "float")
OBSERVERS = ("max", "percentile", "mse")
PERCENTILE = 99.9
MAX_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a float model is quantised after training."""

    weight_bits: int = 8
    act_bits: int = 8
    scales: str = "pot"
    observer: str = "max"

    def __post_init__(self) -> None:
        for name, bits in (("weight_bits", self.weight_bits), ("act_bits", self.act_bits)):
            if not 2 <= bits <= MAX_BITS:
                raise DesignError(f"option {name}", f"is {bits}", f"give 2 to {MAX_BITS}")
        for name, value, known in (
            ("scales", self.scales, SCALES),
            ("observer", self.observer, OBSERVERS),
        ):
            if value not in known:
                raise DesignError(f"option {name}", f"is {value!r}", f"known: {', '.join(known)}")

    def largest(self, values: Floats, t: IntType) -> float:
        """The number that the range of `t` should reach, by the observer."""
        size = np.abs(values)
        top = float(size.max(initial=0.0))
        if top == 0 or self.observer == "max":
            return top
        if self.observer == "percentile":
            return float(np.percentile(size, PERCENTILE)) or top
        return self._least_error(values, t, top)

    def _least_error(self, values: Floats, t: IntType, top: float) -> float:
        steps = [2.0**-k for k in range(5)]
        if self.scales == "float":
            steps = [1 - k / 50 for k in range(40)]
        errors = [squared_error(values, self.scale_of(top * s, t), t) for s in steps]
        return top * steps[int(np.argmin(errors))]

    def scale_of(self, largest: float, t: IntType) -> float:
        """The scale whose range ends at a number; a float32."""
        if largest <= 0 or not math.isfinite(largest):
            return 2.0 ** -max(t.hi.bit_length(), 1)
        if self.scales == "pot":
            return 2.0 ** math.ceil(math.log2(largest / (t.hi + 1)) - 1e-9)
        return float(np.float32(largest / t.hi))


def squared_error(values: Floats, scale: float, t: IntType) -> float:
    """The mean squared error of a quantiser."""
    q = np.clip(np.rint(values / scale), t.lo, t.hi)
    return float(np.mean((q * scale - values) ** 2))


def activation_type(values: Floats, bits: int) -> IntType:
    """Signed if anything below 0 was seen."""
    return of_bits(bits, signed=bool((values < 0).any()))


def weight_type(bits: int) -> IntType:
    """Symmetric around 0."""
    return of_bits(bits, signed=True, narrow=True)


def with_mantissa(scale: float, like: float) -> float:
    """The smallest scale that is at least `scale` and differs from `like` by a power of two."""
    return like * 2.0 ** math.ceil(math.log2(scale / like) - 1e-6)
