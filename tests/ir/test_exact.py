# SPDX-License-Identifier: Apache-2.0
"""Between floats and integers: nothing is rounded but once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwrnn.ir import IntType, Rounding
from hwrnn.ir.exact import nearest_float32, quantise, to_float32
from hwrnn.ir.rounding import round_exact

FLOATS = st.floats(-1e6, 1e6, width=32)
SCALES = st.floats(float(np.float32(1e-6)), 1e4, width=32)


def by_definition(x: float, scale: float, t: IntType, mode: Rounding) -> int:
    return t.clamp(round_exact(Fraction(x) / Fraction(scale), mode))


@pytest.mark.parametrize("mode", Rounding)
@given(xs=st.lists(FLOATS, min_size=1, max_size=20), scale=SCALES, bits=st.integers(2, 20))
def test_quantise_any_float(mode: Rounding, xs: list[float], scale: float, bits: int) -> None:
    t = IntType(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    found = quantise(np.array(xs), np.array(scale), t, mode)
    assert found.tolist() == [by_definition(x, scale, t, mode) for x in xs]


@pytest.mark.parametrize("mode", Rounding)
@given(k=st.integers(-40, 40), scale=SCALES, ulps=st.integers(-2, 2))
def test_quantise_next_to_a_tie(mode: Rounding, k: int, scale: float, ulps: int) -> None:
    """(k/2) * scale as float64, and its neighbours: float64 division cannot tell them apart."""
    x = np.float64(k / 2 * scale)
    for _ in range(abs(ulps)):
        x = np.nextafter(x, np.inf * ulps)
    t = IntType(-128, 127)
    found = quantise(np.array([x]), np.array(scale), t, mode)
    assert found.tolist() == [by_definition(float(x), scale, t, mode)]


def test_quotients_that_float64_rounds_to_a_tie() -> None:
    """Both are 4.5 in float64; in exact numbers one is below the tie and one above."""
    x, scale = np.array([0.45, 0.45000000000000007]), np.array(0.1)
    assert (x / scale).tolist() == [4.5, 4.5]
    t = IntType(-8, 7)
    for mode in (Rounding.HALF_EVEN, Rounding.HALF_UP, Rounding.HALF_DOWN):
        assert quantise(x, scale, t, mode).tolist() == [4, 5]


def test_scales_by_channel_and_the_clamp() -> None:
    x = np.array([[1.0, 1.0], [-1.0, -1.0], [1e30, -1e30]])
    scale = np.array([0.25, 0.4])
    found = quantise(x, scale, IntType(-3, 3), Rounding.HALF_EVEN)
    assert found.tolist() == [[3, 2], [-3, -2], [3, -3]]


@given(
    q=st.integers(-(2**40), 2**40),
    scale=st.fractions(min_value=Fraction(1, 2**40), max_value=2**20),
    offset=st.fractions(-(2**20), 2**20),
)
def test_real_values_are_rounded_once(q: int, scale: Fraction, offset: Fraction) -> None:
    found = to_float32(np.array([[q]]), (scale,), (offset,))
    assert found.dtype == np.float32
    assert is_nearest(float(found[0, 0]), scale * q + offset)


def is_nearest(f: float, v: Fraction) -> bool:
    """No other float32 is nearer; of two equally near ones, f is the even one."""
    here = abs(Fraction(f) - v)
    for side in (-np.inf, np.inf):
        other = np.nextafter(np.float32(f), np.float32(side))
        there = abs(Fraction(float(other)) - v)
        if there < here or (there == here and int(np.float32(f).view(np.uint32)) & 1):
            return False
    return True


DOUBLE_ROUNDED = {
    "a tie but for a little more": 1 + Fraction(1, 2**24) + Fraction(1, 2**80),
    "a tie but for a little less": 1 + Fraction(3, 2**24) - Fraction(1, 2**80),
    "a tie": 1 + Fraction(3, 2**24),
    "the same, negative": -1 - Fraction(1, 2**24) - Fraction(1, 2**80),
    "subnormal": Fraction(1, 2**150) + Fraction(1, 2**220),
}


@pytest.mark.parametrize("case", DOUBLE_ROUNDED)
def test_float64_in_between_would_round_twice(case: str) -> None:
    v = DOUBLE_ROUNDED[case]
    assert is_nearest(float(nearest_float32(v)), v)
    whole = to_float32(np.array([[1]]), (v,), (Fraction(0),))
    assert is_nearest(float(whole[0, 0]), v)


def test_the_cases_above_do_differ_from_two_roundings() -> None:
    twice = [np.float32(float(v)) != nearest_float32(v) for v in DOUBLE_ROUNDED.values()]
    assert twice == [True, True, False, True, True]


def test_channels_have_scales_and_offsets_of_their_own() -> None:
    q = np.array([[[1, 1], [2, 2]], [[3, 3], [4, 4]]])
    found = to_float32(q, (Fraction(1, 2), Fraction(1, 3)), (Fraction(0), Fraction(1)))
    assert found[1, 0].tolist() == [1.5, 2.0]
    assert found.shape == (2, 2, 2)
