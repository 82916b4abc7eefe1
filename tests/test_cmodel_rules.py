# SPDX-License-Identifier: Apache-2.0
"""Each way of computing a requantiser, against the plain one: on whole ranges, or at every step."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwrnn.cmodel.carriers import DOUBLE, LONG, SHORT, SINGLE, Array, Dtype, Room, byte, carrier
from hwrnn.cmodel.plain import requantise
from hwrnn.cmodel.requantisers import BIAS, Job, choose, float_rule, int_rule
from hwrnn.cmodel.rules import FilterRule, Finish, FloatRule, IntRule, Rule, SearchRule
from hwrnn.cmodel.steps import proved, steps_of
from hwrnn.ir import (
    IntMatrix,
    IntType,
    Realisation,
    Requant,
    Rounding,
    ScaleShift,
    Thresholds,
    Ties,
    Value,
)
from hwrnn.transforms.realise import realise

BYTE = IntType(-128, 127)


def requant(
    ratio: Fraction, offset: tuple[Fraction, ...], out: IntType, mode: Rounding = Rounding.HALF_EVEN
) -> Requant:
    return Requant(
        out=Value(name="y", type=out, size=len(offset)),
        x="x",
        ratio=(ratio,),
        offset=offset,
        rounding=mode,
    )


def job_of(op: Requant, x: IntType, r: Realisation, *, for_table: bool = False) -> Job:
    """The job as the compiler would set it."""
    op = Requant(
        out=op.out, x=op.x, ratio=op.ratio, offset=op.offset, rounding=op.rounding, realised=r
    )
    small = byte(op.out.type) if for_table else None
    return Job(op=op, x=x, x_dtype=carrier(x), out_dtype=small or carrier(op.out.type))


def evaluate(rule: Rule, x: Array, x_dtype: Dtype, out_dtype: Dtype) -> Array:
    """The rule on (channels, n)."""
    out = np.empty(x.shape, out_dtype)
    room = Room(x.shape[1], {})
    for call in rule.bind(x.astype(x_dtype), out, room):
        call()
    return out.astype(np.int64)


def interesting(r: Realisation, x: IntType, out: IntType, channels: int, seed: int = 0) -> Array:
    """Both sides of every step, the ends, some in between: (channels, n)."""
    rng = np.random.default_rng(seed)
    steps = steps_of(r, x, out)
    assert steps is not None
    steps = np.broadcast_to(steps, (channels, steps.shape[1]))
    some = rng.integers(x.lo, x.hi, (channels, 200), endpoint=True)
    ends = np.tile([x.lo, x.hi, 0], (channels, 1))
    every: Array = np.concatenate([steps, steps - 1, some, ends], axis=1)
    return np.clip(every, x.lo, x.hi)


def assert_exact(rule: Rule, job: Job) -> None:
    out, channels = job.op.out.type, job.op.out.size
    x = interesting(job.realised, job.x, out, channels)
    want = requantise(job.realised, x.T, out).T
    assert np.array_equal(evaluate(rule, x, job.x_dtype, job.out_dtype), want)


OFFSETS = tuple(Fraction(k, 7) for k in (-300, -1, 0, 25, 2000))


def cases() -> Iterator[tuple[Requant, IntType]]:
    """Every rounding mode; ranges from a few bits to 62; ratios with ties, without, and tiny."""
    ranges = [
        IntType(-5, 9),
        IntType(0, 300),
        IntType(-(2**15), 2**15 - 1),
        IntType(-(2**19), 2**21),
    ]
    ranges += [IntType(-(2**40), 2**39), IntType(-(2**61), 2**61 - 1)]
    for mode in Rounding:
        for x in ranges:
            for out in (BYTE, IntType(0, 255), IntType(-1, 1), IntType(-30, 4000)):
                span = Fraction(3 * out.levels, x.levels)
                power = Fraction(2) ** (span.numerator.bit_length() - span.denominator.bit_length())
                for ratio in (power, Fraction(float(np.float32(span * 7 / 9)))):
                    yield requant(ratio, OFFSETS, out, mode), x


@pytest.mark.parametrize("for_table", [False, True])
def test_the_chosen_rule_is_exact(for_table: bool) -> None:
    seen: set[str] = set()
    for op, x in cases():
        job = job_of(op, x, realise(op, x), for_table=for_table)
        rule = choose(job)
        seen.add(f"{type(rule).__name__} {getattr(rule, 'dtype', '')}")
        assert_exact(rule, job)
    types = {"IntRule int16", "IntRule int64", "FloatRule float32", "FloatRule float64"}
    assert seen == {*types, "SearchRule ", "FilterRule "}


@pytest.mark.parametrize("ties", Ties)
@pytest.mark.parametrize("dtype", [SHORT, LONG])
@pytest.mark.parametrize("mul", [(1,), (3,), (2, 5)])
def test_integers_are_exact_on_the_whole_range(
    ties: Ties, dtype: Dtype, mul: tuple[int, ...]
) -> None:
    for shift in (0, 1, 5):
        r = ScaleShift(mul=mul, add=(-7, 20), shift=shift, ties=ties)
        x, out = IntType(-700, 900), IntType(-30, 31)
        op = requant(Fraction(1), (Fraction(0),) * 2, out)
        rule = int_rule(r, job_of(op, x, r), dtype)
        assert isinstance(rule, IntRule)
        every = np.tile(np.arange(x.lo, x.hi + 1), (2, 1))
        want = requantise(r, every.T, out).T
        assert np.array_equal(evaluate(rule, every, carrier(x), carrier(out)), want)


def test_integers_are_refused_where_a_product_does_not_fit() -> None:
    op = requant(Fraction(1, 8), (Fraction(0),), BYTE)
    fits = ScaleShift(mul=(32,), add=(31,), shift=8, ties=Ties.KEEP)
    wide = ScaleShift(mul=(32,), add=(32,), shift=8, ties=Ties.KEEP)
    x = IntType(-1023, 1023)
    assert int_rule(fits, job_of(op, x, fits), SHORT) is not None
    assert int_rule(wide, job_of(op, x, wide), SHORT) is None
    huge = IntType(-(2**61), 2**61)
    assert int_rule(wide, job_of(op, huge, wide), LONG) is None


@given(
    slope=st.fractions(Fraction(1, 3000), Fraction(3), max_denominator=10**9),
    start=st.fractions(-300, 300, max_denominator=10**6),
    bits=st.integers(2, 9),
    low=st.integers(-5000, 0),
)
def test_a_proof_is_as_good_as_trying_every_integer(
    slope: Fraction, start: Fraction, bits: int, low: int
) -> None:
    out, x = IntType(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), IntType(low, low + 6000)
    op = requant(slope, (start,), out)
    r = realise(op, x)
    every = np.arange(x.lo, x.hi + 1)[None]
    want = requantise(r, every.T, out).T
    steps = steps_of(r, x, out)
    assert steps is not None
    for mul in (float(slope), float(slope) * (1 + 2e-5)):
        for finish, add in ((Finish.RINT, float(start)), (Finish.FLOOR, float(start) + 0.5)):
            formula = FloatRule(
                dtype=SINGLE, mul=(mul,), add=(add,), finish=finish, clamp=out, short=True
            )
            equal = np.array_equal(np.clip(formula.value(every), out.lo, out.hi), want)
            assert proved(formula.value, steps, x, out) == equal


def test_steps_come_from_the_realisation() -> None:
    x, out = IntType(-100, 100), IntType(-2, 2)
    for ties in Ties:
        for shift in (0, 3):
            r = ScaleShift(mul=(3,), add=(4,), shift=shift, ties=ties)
            steps = steps_of(r, x, out)
            assert steps is not None
            for level, step in zip(range(-1, 3), steps[0].tolist(), strict=True):
                reached = [v for v in range(-100, 101) if r.apply(v, 0, out) >= level]
                assert step == min(reached)


def test_float32_is_given_up_where_it_is_not_exact() -> None:
    x = IntType(-(2**21), 2**21)
    op = requant(Fraction(1000, 3001337), tuple(Fraction(k, 977) for k in range(40)), BYTE)
    rule = float_rule(job_of(op, x, realise(op, x)))
    assert rule is not None
    assert rule.dtype == DOUBLE
    assert_exact(rule, job_of(op, x, realise(op, x)))


def test_a_cast_rounds_what_only_tables_read() -> None:
    x = IntType(-(2**21), 2**21)
    op = requant(Fraction(1, 30011), tuple(Fraction(k, 977) for k in range(400)), BYTE)
    job = job_of(op, x, realise(op, x), for_table=True)
    rule = float_rule(job)
    assert rule is not None
    assert (rule.finish, rule.bias) == (Finish.CUT, BIAS)
    assert_exact(rule, job)


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 7, 8, 15, 255])
def test_the_search_counts_thresholds(columns: int) -> None:
    rng = np.random.default_rng(columns)
    table = np.sort(rng.integers(-(2**62), 2**62, (5, columns)), axis=1)
    table[2] = table[2, 0]
    r, low = Thresholds(table=IntMatrix(table)), -7
    x = np.concatenate([table, table - 1, table + 1, np.full((5, 2), 2**62)], axis=1)
    want = requantise(r, x.T, IntType(low, low + columns)).T
    rule = SearchRule(table=table, low=low)
    assert np.array_equal(evaluate(rule, x, LONG, carrier(IntType(low, low + columns))), want)


@pytest.mark.parametrize("ties", Ties)
@pytest.mark.parametrize("add", [0, 5 << 70, 1 << 121, -(1 << 123)])
def test_python_integers_settle_what_float64_cannot(ties: Ties, add: int) -> None:
    """Shifts of 70 bits: ties, and values next to them, that float64 does not tell apart."""
    x = IntType(-(2**61), 2**61)
    r = ScaleShift(mul=(2**62 - 1, 2**30), add=(add + 1, add), shift=90, ties=ties)
    at = np.array([[0, 1, -1, 2**60, 2**60 - 1, 2**60 + 1, x.lo, x.hi]] * 2)
    for out in (BYTE, IntType(-(2**30), 2**30)):
        want = requantise(r, at.T, out).T
        assert np.array_equal(evaluate(FilterRule(scale=r, out=out), at, LONG, LONG), want)
