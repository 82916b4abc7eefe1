# SPDX-License-Identifier: Apache-2.0
"""Requantisers on whole arrays: the fastest of several ways that is exact on the proved range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from functools import partial
from typing import Protocol

import numpy as np

from hwrnn.cmodel.carriers import (
    DOUBLE,
    LONG,
    SHORT,
    SINGLE,
    Array,
    Call,
    Dtype,
    Ints,
    Room,
    fits,
    magnitude,
)
from hwrnn.cmodel.steps import proved, steps_of
from hwrnn.ir import IntType, Realisation, Requant, Rounding, ScaleShift, Thresholds, Ties

Line = tuple[Fraction, Fraction]
HALF = Fraction(1, 2)
FLOOR_START = {  # what is added before the floor, where the rounding is one; ties are proved
    Rounding.HALF_EVEN: HALF,
    Rounding.HALF_UP: HALF,
    Rounding.HALF_DOWN: HALF,
    Rounding.FLOOR: Fraction(0),
}
BIAS = 1 << 10  # makes a number positive, so that a cast is a floor; gone in the low byte
NEARLY_NONE = 2.0**-8  # an offset that may as well be none; the proof says whether it may
NUDGES = 8  # how many tiny offsets are tried on either side of none
FEW_STEPS = 1 << 16  # a proof is then so short that many may be tried
SHORTS = np.iinfo(np.int16)


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
    """Clamp to t + bias; all in one type."""
    low, high = (np.array(v + bias, dtype=x.dtype) for v in (t.lo, t.hi))
    return partial(x.clip, low, high, out)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A Requant whose operand has type x.

    `folded`: the product in front has all its constants; `shift`: it has added this;
    `own`: nothing else reads what it makes.
    """

    op: Requant
    x: IntType
    x_dtype: Dtype
    out_dtype: Dtype
    folded: bool = False
    shift: tuple[int, ...] = (0,)
    own: bool = False

    @property
    def realised(self) -> Realisation:
        """The realisation; there is one before any engine runs."""
        assert self.op.realised is not None, "realise_requants runs before any engine"
        return self.op.realised


def choose(job: Job) -> Rule:
    """The first way that is exact: short integers, floats, long integers, the two general ones."""
    r, out = job.realised, job.op.out.type
    if job.folded:
        assert isinstance(r, ScaleShift)
        return folded_rule(r, job)
    if isinstance(r, ScaleShift):
        short = int_rule(r, job, SHORT)
        if short and job.x_dtype == SHORT and r.kind == "shift":
            return short
    found = float_rule(job)
    if found is not None:
        return found
    if isinstance(r, Thresholds):
        return SearchRule(table=r.table.array, low=out.lo)
    return int_rule(r, job, LONG) or FilterRule(scale=r, out=out)


def int_rule(s: ScaleShift, job: Job, dtype: Dtype) -> IntRule | None:
    """Integers of this type, if they hold every intermediate value."""
    total = s.sum_type(job.x)
    products = [m * v for m in s.mul for v in (job.x.lo, job.x.hi)]
    reach = total.hull(job.x).hull(IntType(min(products), max(products)))
    reach = IntType(reach.lo - 1, reach.hi)
    shifted = IntType((total.lo >> s.shift) - 1, total.hi >> s.shift)
    bits = 8 * dtype.itemsize
    if not fits(reach, dtype) or s.shift >= bits or not fits(job.op.out.type, dtype):
        return None
    clamp = None if job.op.out.type.covers(shifted) else job.op.out.type
    return IntRule(scale=s, dtype=dtype, clamp=clamp)


def folded_rule(s: ScaleShift, job: Job) -> FloatRule:
    """The product is the exact value: it has only to be rounded and clamped."""
    even = s.ties is Ties.EVEN and s.shift > 0
    total = s.sum_type(job.x)
    reach = IntType((total.lo >> s.shift) - 1, total.hi >> s.shift)
    out = job.op.out.type
    finish = Finish.RINT if even else Finish.FLOOR if s.shift else Finish.NONE
    return FloatRule(
        dtype=job.x_dtype,
        mul=None,
        add=None,
        finish=finish,
        clamp=None if out.covers(reach) else out,
        short=fits(reach, SHORT),
        own=job.own,
    )


def float_rule(job: Job) -> FloatRule | None:
    """The first formula whose proof succeeds."""
    lines = float_lines(job)
    steps = steps_of(job.realised, job.x, job.op.out.type) if lines else None
    if steps is None:
        return None
    for dtype in (SINGLE, DOUBLE):
        if fits(job.x, dtype):
            with np.errstate(over="ignore", invalid="ignore"):
                tries = NUDGES if steps.size <= FEW_STEPS else 0
                for rule in formulas(lines, dtype, job, tries):
                    if proved(rule.value, steps, job.x, job.op.out.type):
                        return rule
    return None


def float_lines(job: Job) -> list[Line]:
    """For each channel (slope, start) with result floor(slope * x + start), but for ties."""
    r, op = job.realised, job.op
    if isinstance(r, ScaleShift):
        unit = Fraction(1, 2**r.shift)
        slopes, starts = [m * unit for m in r.mul], [a * unit for a in r.add]
    elif op.rounding in FLOOR_START:
        slopes, starts = list(op.ratio), [o + FLOOR_START[op.rounding] for o in op.offset]
    else:
        return []
    columns = (np.array(v, object) for v in (slopes, starts, job.shift))
    return [(m, a - m * k) for m, a, k in zip(*np.broadcast_arrays(*columns), strict=True)]


def formulas(lines: list[Line], dtype: Dtype, job: Job, nudges: int) -> Iterator[FloatRule]:
    """Candidates, the cheapest first; none of them is to be believed before its proof.

    A product in float32 is a little off; a tiny offset often moves it off all the steps.
    """
    mul = floats([m for m, _ in lines])
    starts = [a for _, a in lines]
    halves = floats([a - HALF for a in starts])
    bytes_out = job.out_dtype.itemsize == 1
    if max(map(abs, halves)) < NEARLY_NONE:
        yield formula(mul, None, Finish.RINT, dtype, job)
        if dtype == SINGLE:
            unit = magnitude(job.op.out.type) * 2.0**-26
            for k in sorted(range(-nudges, nudges + 1), key=abs):
                yield formula(mul, (k * unit,), Finish.RINT, dtype, job)
        elif bytes_out:
            yield from cut(mul, (BIAS + 0.5,), dtype, job)
    if bytes_out:
        yield from cut(mul, floats([a + BIAS for a in starts]), dtype, job)
    yield formula(mul, halves, Finish.RINT, dtype, job)
    yield formula(mul, floats(starts), Finish.FLOOR, dtype, job)


def cut(
    mul: tuple[float, ...], add: tuple[float, ...], dtype: Dtype, job: Job
) -> Iterator[FloatRule]:
    """The formula that rounds by a cast, if all that it casts is positive and short."""
    rule = formula(mul, add, Finish.CUT, dtype, job)
    if rule.short and rule.value(np.array([[job.x.lo]])).min() >= -BIAS:
        yield rule


def floats(values: list[Fraction]) -> tuple[float, ...]:
    """The nearest floats; one entry if all are equal."""
    made = tuple(float(v) for v in values)
    return made[:1] if len(set(made)) == 1 else made


def formula(
    mul: tuple[float, ...],
    add: tuple[float, ...] | None,
    finish: Finish,
    dtype: Dtype,
    job: Job,
) -> FloatRule:
    """A candidate: it clamps unless its own results at both ends of the range are levels."""
    out, bias = job.op.out.type, BIAS if finish is Finish.CUT else 0
    rule = FloatRule(
        dtype=dtype,
        mul=mul,
        add=add,
        finish=finish,
        bias=bias,
        clamp=out,
        short=False,
        shift=job.shift,
        own=job.own,
    )
    ends = rule.value(np.array([[job.x.lo, job.x.hi]]))
    short = ends.min() + bias >= SHORTS.min and ends.max() + bias <= SHORTS.max
    inside = ends.min() >= out.lo and ends.max() <= out.hi
    return replace(rule, clamp=None if inside else out, short=bool(short))
