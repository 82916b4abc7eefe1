# SPDX-License-Identifier: Apache-2.0
"""Ways of computing a requantiser on whole arrays; `requantisers` chooses among them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import partial
from typing import Protocol

import numpy as np

from hwrnn.cmodel.carriers import DOUBLE, LONG, SHORT, Array, Call, Dtype, Ints, Room, magnitude
from hwrnn.ir import IntType, ScaleShift, Ties


class Rule(Protocol):
    """One way of computing a requantiser."""

    def bind(self, x: Array, out: Array, room: Room) -> list[Call]:
        """The calls that fill `out` from `x`."""
        ...


def column(values: object, dtype: Dtype) -> Array:
    """Constants as an array that broadcasts along the batch; a single one without axes."""
    made = np.array(values, dtype=dtype)
    return made.reshape(()) if made.size == 1 else made.reshape(-1, 1)


def clip(out: Array, x: Array, t: IntType, bias: int = 0) -> Call:
    """Clamp to t + bias; all in one type, whose own range is no limit."""
    low, high = t.lo + bias, t.hi + bias
    if x.dtype.kind == "i":
        own = np.iinfo(x.dtype)
        low, high = max(low, int(own.min)), min(high, int(own.max))
    return partial(x.clip, np.array(low, x.dtype), np.array(high, x.dtype), out)


def copy(out: Array, x: Array) -> Call:
    """Copy with the cast of C, which is exact for what is in range and cuts off fractions."""
    return partial(np.copyto, out, x, "unsafe")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntRule:
    """The ScaleShift itself, in integers of a type that holds mul * x + add."""

    scale: ScaleShift
    dtype: Dtype
    clamp: IntType | None

    def bind(self, x: Array, out: Array, room: Room) -> list[Call]:
        """Half to even: an odd result comes down if nothing but zeros is shifted out."""
        s, total = self.scale, room.scratch(x, self.dtype)
        calls: list[Call] = []
        if x.dtype != self.dtype:
            calls, x = [copy(total, x)], total
        if s.mul != (1,):
            calls.append(partial(np.multiply, x, column(s.mul, self.dtype), total))
            x = total
        if any(s.add):
            calls.append(partial(np.add, x, column(s.add, self.dtype), total))
            x = total
        shift, one = column(s.shift, self.dtype), column(1, self.dtype)
        if s.ties is Ties.EVEN and s.shift:
            odd = room.scratch(x, self.dtype, 1)
            calls += [
                partial(np.right_shift, x, shift, odd),
                partial(np.bitwise_and, odd, one, odd),
                partial(np.subtract, x, odd, total),
            ]
            x = total
        result = out if out.dtype == self.dtype else total
        if s.shift:
            calls.append(partial(np.right_shift, x, shift, result))
        elif self.clamp is not None:
            calls.append(clip(result, x, self.clamp))
        elif result is not x:
            calls.append(copy(result, x))
        if self.clamp is not None and s.shift:
            calls.append(clip(result, result, self.clamp))
        return calls if result is out else [*calls, copy(out, result)]


class Finish(Enum):
    """How a float formula rounds."""

    NONE = "none"
    RINT = "rint"
    FLOOR = "floor"
    CUT = "cut"  # by the cast to short integers: floor, for what is positive


ROUNDINGS = {Finish.RINT: np.rint, Finish.FLOOR: np.floor}


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatRule:
    """clamp(round(x * mul + add)) in a float type, proved exact.

    `add` includes `bias`, which the cast to a byte removes. `short`: the result fits 16 bits
    before it is clamped. `shift` has been added to x by the product in front.
    `own`: nothing else reads x, which may be overwritten.
    """

    dtype: Dtype
    mul: tuple[float, ...] | None
    add: tuple[float, ...] | None
    finish: Finish
    bias: int = 0
    clamp: IntType | None
    short: bool
    shift: tuple[int, ...] = (0,)
    own: bool = False

    def value(self, x: Ints) -> Array:
        """The result before the clamp for x of (channels, n), by the operations of `bind`."""
        v: Array = (x + np.array(self.shift)[:, None]).astype(self.dtype)
        if self.mul is not None:
            v = v * np.array(self.mul, self.dtype)[:, None]
        if self.add is not None:
            v = v + np.array(self.add, self.dtype)[:, None]
        v = np.rint(v) if self.finish is Finish.RINT else np.floor(v)
        return v - self.bias

    def bind(self, x: Array, out: Array, room: Room) -> list[Call]:
        """Multiply, add, round, cast, clamp; what does nothing is left out."""
        calls: list[Call] = []
        work = x if self.own and x.dtype == self.dtype else room.scratch(x, self.dtype)
        if x.dtype != self.dtype:
            calls, x = [copy(work, x)], work
        for ufunc, constants in ((np.multiply, self.mul), (np.add, self.add)):
            if constants is not None:
                calls.append(partial(ufunc, x, column(constants, self.dtype), work))
                x = work
        if self.finish in ROUNDINGS:
            calls.append(partial(ROUNDINGS[self.finish], x, work))
            x = work
        return calls + self.narrow(x, work, out, room)

    def narrow(self, x: Array, work: Array, out: Array, room: Room) -> list[Call]:
        """Cast and clamp, the clamp in short integers if they hold the result."""
        if self.clamp is None and not self.bias:
            return [copy(out, x)]
        if not self.short:
            assert self.clamp is not None, "only short formulas have a bias"
            return [clip(work, x, self.clamp), copy(out, work)]
        result = out if out.dtype == SHORT else room.scratch(x, SHORT)
        calls = [copy(result, x)]
        if self.clamp is not None:
            calls.append(clip(result, result, self.clamp, self.bias))
        return calls if result is out else [*calls, copy(out, result)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRule:
    """Thresholds: a binary search over the levels, all elements at once."""

    table: Ints
    low: int

    def bind(self, x: Array, out: Array, room: Room) -> list[Call]:
        """`at` counts the thresholds that are reached; rows are filled up to a power of two."""
        rows, columns = self.table.shape
        width = 1 << columns.bit_length()
        full = np.full((rows, width), np.iinfo(np.int64).max)
        full[:, :columns] = self.table
        wide, at, probe, value = (room.scratch(x, LONG, k) for k in range(4))
        start = column(np.arange(rows) * width, LONG)
        calls: list[Call] = [copy(wide, x), partial(at.fill, 0)]
        step = width >> 1
        while step:
            hop = column(step, LONG)
            calls += [
                partial(np.add, at, start + step - 1, probe),
                partial(np.take, full.reshape(-1), probe, None, value, "clip"),
                partial(np.less_equal, value, wide, probe),
                partial(np.multiply, probe, hop, probe),
                partial(np.add, at, probe, at),
            ]
            step >>= 1
        return [*calls, partial(np.add, at, column(self.low, LONG), at), copy(out, at)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRule:
    """A ScaleShift beyond 63 bits: float64 settles what it can, Python integers the rest."""

    scale: ScaleShift
    out: IntType

    def bind(self, x: Array, out: Array, room: Room) -> list[Call]:
        """One call."""
        s, unit = self.scale, Fraction(1, 2**self.scale.shift)
        mul, add = (column([float(c * unit) for c in v], DOUBLE) for v in (s.mul, s.add))
        wide = room.scratch(x, LONG)
        return [copy(wide, x), partial(self.fill, wide, mul, add, out)]

    def fill(self, x: Ints, mul: Array, add: Array, out: Array) -> None:
        """Float64 where its error cannot matter.

        `slack` bounds the error of v wherever v is not far beyond the clamp: the conversion of
        x, the two constants, the product and the sum each err by at most 2**-53 of |x * mul|
        (which is at most |v| + |add|), of |v| or of |add|.
        """
        t = self.out
        v = np.clip(x * mul + add, t.lo - 2.0, t.hi + 2.0)
        slack = 2.0**-49 * (magnitude(t) + 3 + np.abs(add))
        floor = np.floor(v)
        unsure = (v - floor <= slack) | (floor + 1 - v <= slack)
        unsure &= (v > t.lo - 1) & (v < t.hi + 2)
        unsure |= slack >= 0.25
        np.copyto(out, np.clip(floor, t.lo, t.hi), "unsafe")
        for at in np.argwhere(unsure):
            index = tuple(at)
            out[index] = self.scale.apply(int(x[index]), int(at[-2]), t)
