# SPDX-License-Identifier: Apache-2.0
"""How hardware computes a requantiser: a multiply-add-shift, or a row of thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from hwrnn.ir.types import IntMatrix, IntType, of_bits


class Ties(Enum):
    """What a ScaleShift does when the shifted-out bits are all zero."""

    KEEP = "keep"  # nothing
    EVEN = "even"  # clear the lowest bit of the result: half to even


class Scaling(Enum):
    """How a ScaleShift multiplies."""

    SHIFT = "shift"  # by a power of two: hardware has the exponent
    SCALE = "scale"  # by any number


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The constants that hardware holds when they are written at run time: 1 <= mul <
    2**mul_bits (a power of two if `kind` is shift), add a signed number of add_bits.
    """

    kind: Scaling
    mul_bits: int
    add_bits: int

    @property
    def largest(self) -> int:
        """The largest multiplier."""
        return 1 << (self.mul_bits - 1) if self.kind is Scaling.SHIFT else (1 << self.mul_bits) - 1

    @property
    def factor_bits(self) -> int:
        """Bits of what hardware keeps of a multiplier: itself, or its exponent."""
        if self.kind is Scaling.SCALE:
            return self.mul_bits
        return max((self.mul_bits - 1).bit_length(), 1)

    @property
    def adds(self) -> IntType:
        """What can be added."""
        return of_bits(self.add_bits, signed=True)

    def holds(self, mul: int, add: int) -> bool:
        """True when both constants fit."""
        one_bit = self.kind is Scaling.SCALE or mul & (mul - 1) == 0
        return 1 <= mul <= self.largest and one_bit and self.adds.clamp(add) == add

    def sum_type(self, x: IntType) -> IntType:
        """The range of mul * x + add over all constants."""
        low, high = min(x.lo * self.largest, x.lo), max(x.hi * self.largest, x.hi)
        return IntType(low + self.adds.lo, high + self.adds.hi)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleShift:
    """y = clamp((mul * x + add) >> shift), the ties settled by `ties`.

    `mul` and `add` hold one integer, or one for each channel. With every `mul` a power of two
    this is the realisation `shift`, else `scale`; if there is `room` for others, it says which.
    """

    mul: tuple[int, ...]
    add: tuple[int, ...]
    shift: int
    ties: Ties
    room: Room | None = None

    @property
    def channels(self) -> int:
        """1, or the number of channels that have constants of their own."""
        return max(len(self.mul), len(self.add))

    @property
    def kind(self) -> str:
        """`shift` or `scale`, as DESIGN names them."""
        if self.room is not None:
            return self.room.kind.value
        return "shift" if all(m & (m - 1) == 0 for m in self.mul) else "scale"

    def sum_type(self, x: IntType) -> IntType:
        """The range of mul * x + add over all channels, or over all that there is room for."""
        if self.room is not None:
            return self.room.sum_type(x)
        low = [m * x.lo + a for m, a in self._pairs()]
        high = [m * x.hi + a for m, a in self._pairs()]
        return IntType(min(low), max(high))

    def _pairs(self) -> list[tuple[int, int]]:
        n = self.channels
        mul = self.mul * n if len(self.mul) == 1 else self.mul
        add = self.add * n if len(self.add) == 1 else self.add
        return list(zip(mul, add, strict=True))

    def apply(self, x: int, channel: int, out: IntType) -> int:
        """The result for one integer, in plain Python: what every engine must equal."""
        mul, add = self._pairs()[channel if self.channels > 1 else 0]
        total = mul * x + add
        y = total >> self.shift
        if self.ties is Ties.EVEN and self.shift and total % (1 << self.shift) == 0:
            y &= ~1
        return out.clamp(y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """y = lo + (the number of thresholds of the channel that x has reached); each row rises.

    The number of columns is the number of levels less one.
    """

    table: IntMatrix

    @property
    def channels(self) -> int:
        """1, or the number of channels that have thresholds of their own."""
        return self.table.rows

    @property
    def kind(self) -> str:
        """The name of the realisation."""
        return "thresholds"

    def apply(self, x: int, channel: int, out: IntType) -> int:
        """The result for one integer, in plain Python: what every engine must equal."""
        row: NDArray[np.int64] = self.table.array[channel if self.channels > 1 else 0]
        return out.lo + int(np.searchsorted(row, x, side="right"))


Realisation = ScaleShift | Thresholds
