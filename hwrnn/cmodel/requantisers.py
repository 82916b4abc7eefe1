# SPDX-License-Identifier: Apache-2.0
"""How a requantiser is computed: the first of several rules that is exact on the proved range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from hwrnn.cmodel.carriers import DOUBLE, LONG, SHORT, SINGLE, Dtype, fits, magnitude
from hwrnn.cmodel.rules import FilterRule, Finish, FloatRule, IntRule, Rule, SearchRule
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
FEW_STEPS = 1 << 15  # a proof is then so short that many may be tried
SHORTS = np.iinfo(np.int16)


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
