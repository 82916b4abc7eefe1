# SPDX-License-Identifier: Apache-2.0
"""Tables of sigmoid and tanh against mpmath with 60 digits."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwrnn.frontend.tables import Table, entries
from hwrnn.ir import IntType, Rounding
from hwrnn.ir.rounding import round_exact
from hwrnn.ir.types import of_bits

FUNCTIONS = ("sigmoid", "tanh")
HALF_MODES = (Rounding.HALF_EVEN, Rounding.HALF_UP, Rounding.HALF_DOWN)


def table(
    function: str,
    bits: tuple[int, int] = (8, 8),
    scales: tuple[Fraction, Fraction] = (Fraction(1, 16), Fraction(1, 128)),
    rounding: Rounding = Rounding.HALF_EVEN,
    offset: Fraction = Fraction(0),
) -> Table:
    return Table(
        function,
        of_bits(bits[0], signed=True),
        scales[0],
        offset,
        of_bits(bits[1], signed=function == "tanh"),
        scales[1],
        rounding,
    )


def by_mpmath(t: Table, q: int) -> int:
    """Sixty digits decide everything here but the argument 0, where the value is rational."""
    x = t.scale * q + t.offset
    if x == 0:
        value = {"sigmoid": Fraction(1, 2), "tanh": Fraction(0)}[t.function]
    else:
        with mpmath.workdps(60):
            at = mpmath.mpf(x.numerator) / x.denominator
            y = mpmath.tanh(at) if t.function == "tanh" else 1 / (1 + mpmath.exp(-at))
            value = Fraction(int(mpmath.floor(y * 2**180)), 2**180)
    return t.out.clamp(round_exact(value / t.out_scale, t.rounding))


SCALES = st.floats(float(np.float32(1e-3)), 0.25, width=32).map(Fraction)
POWERS = st.integers(-12, -2).map(lambda e: Fraction(2) ** e)


@pytest.mark.parametrize("function", FUNCTIONS)
@given(
    bits=st.tuples(st.integers(2, 9), st.integers(2, 16)),
    scales=st.tuples(st.one_of(SCALES, POWERS), st.one_of(SCALES, POWERS)),
    rounding=st.sampled_from(HALF_MODES),
)
@settings(max_examples=25)
def test_entries_are_the_function_rounded_once(
    function: str,
    bits: tuple[int, int],
    scales: tuple[Fraction, Fraction],
    rounding: Rounding,
) -> None:
    t = table(function, bits, scales, rounding)
    found = entries(t)
    assert len(found) == t.x.levels
    step = max(1, t.x.levels // 40)
    for q in (*range(t.x.lo, t.x.hi + 1, step), t.x.hi, -1, 0, 1):
        assert found[q - t.x.lo] == by_mpmath(t, q), q


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("rounding", Rounding)
def test_every_rounding_mode(function: str, rounding: Rounding) -> None:
    t = table(function, (7, 5), (Fraction(1, 8), Fraction(1, 16)), rounding)
    assert entries(t) == tuple(by_mpmath(t, q) for q in range(t.x.lo, t.x.hi + 1))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_sixteen_bits_in_and_out(function: str) -> None:
    t = table(function, (16, 16), (Fraction(1, 2**12), Fraction(1, 2**15)))
    found = entries(t)
    assert len(found) == 65536
    assert all(a <= b for a, b in pairwise(found))
    rng = np.random.default_rng(0)
    for q in (*rng.integers(t.x.lo, t.x.hi, 300).tolist(), -1, 0, 1, t.x.lo, t.x.hi):
        assert found[q - t.x.lo] == by_mpmath(t, q)


def test_tanh_is_odd_and_sigmoid_adds_up_to_one() -> None:
    tanh = entries(table("tanh", (12, 12), (Fraction(1, 256), Fraction(1, 2047))))
    assert all(a == -b for a, b in zip(tanh[1:2048], reversed(tanh[2049:]), strict=True))
    sigmoid = entries(table("sigmoid", (12, 12), (Fraction(1, 256), Fraction(1, 2048))))
    pairs = zip(sigmoid[1:2048], reversed(sigmoid[2049:]), strict=True)
    assert all(a + b == 2048 for a, b in pairs)


TIES = {  # sigmoid(0) = 1/2 is 3/2 of a scale of 1/3: a tie, the only one a table can have
    Rounding.HALF_EVEN: 2,
    Rounding.HALF_UP: 2,
    Rounding.HALF_DOWN: 1,
    Rounding.FLOOR: 1,
    Rounding.CEIL: 2,
    Rounding.UP: 2,
    Rounding.DOWN: 1,
}


@pytest.mark.parametrize("rounding", Rounding)
def test_sigmoid_at_zero_is_the_only_tie(rounding: Rounding) -> None:
    t = table("sigmoid", (4, 4), (Fraction(1, 2), Fraction(1, 3)), rounding)
    assert entries(t)[8] == TIES[rounding]
    even = table("sigmoid", (4, 4), (Fraction(1, 2), Fraction(1, 5)), Rounding.HALF_EVEN)
    assert entries(even)[8] == 2
    assert entries(table("tanh", (4, 4), rounding=rounding))[8] == 0


def test_an_offset_moves_the_zero() -> None:
    """A bias in front of the function: the argument 0 need not be the integer 0."""
    t = table("sigmoid", (6, 4), (Fraction(1, 2), Fraction(1, 3)), offset=Fraction(-3, 2))
    assert entries(t) == tuple(by_mpmath(t, q) for q in range(t.x.lo, t.x.hi + 1))
    assert entries(t)[3 - t.x.lo] == 2


def test_a_large_offset_that_float64_loses() -> None:
    """scale * q and offset cancel: what float64 keeps of the argument is not its leading digits."""
    t = Table(
        "tanh",
        IntType(-100, 100),
        Fraction(10**10),
        Fraction(-(10**12)) - Fraction(1, 3),
        of_bits(16, signed=True),
        Fraction(1, 2**15),
        Rounding.HALF_EVEN,
    )
    assert entries(t)[-1] == by_mpmath(t, 100) == round(math.tanh(-1 / 3) * 2**15)


def test_saturated_entries_of_directed_rounding_do_not_touch_the_limit() -> None:
    """tanh never reaches 1, however near it is: FLOOR stays one level below."""
    t = table("tanh", (8, 8), (Fraction(1), Fraction(1, 64)), Rounding.FLOOR)
    assert max(entries(t)) == 63
    assert min(entries(t)) == -64
    up = table("sigmoid", (8, 8), (Fraction(1), Fraction(1, 64)), Rounding.CEIL)
    assert min(entries(up)) == 1
    assert max(entries(up)) == 64


def test_long_saturated_ends_are_found_by_their_ends() -> None:
    """Sixteen bits up to tanh(512) = 1 - 10**-444: a thousand bits decide each of these entries."""
    t = table("tanh", (16, 16), (Fraction(1, 64), Fraction(1, 2**14)), Rounding.FLOOR)
    found = entries(t)
    assert (found[0], found[32768], found[-1]) == (-(2**14), 0, 2**14 - 1)
    assert found[32768 + 100] == by_mpmath(t, 100)
