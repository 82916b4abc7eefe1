# SPDX-License-Identifier: Apache-2.0
"""Rounding modes against a definition of their own, and against QONNX's."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, trunc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qonnx.custom_op.general.quant import max_int, min_int, resolve_rounding_mode

from hwrnn.ir import Rounding
from hwrnn.ir.rounding import FROM_QONNX, round_exact, step_to
from hwrnn.ir.types import of_bits

HALF = Fraction(1, 2)


def by_definition(v: Fraction, mode: Rounding) -> int:
    """The nearest integers, and which of two is meant; not how `round_exact` does it."""
    sign = -1 if v < 0 else 1
    match mode:
        case Rounding.FLOOR:
            return floor(v)
        case Rounding.CEIL:
            return ceil(v)
        case Rounding.DOWN:
            return trunc(v)
        case Rounding.UP:
            return sign * ceil(abs(v))
        case Rounding.HALF_EVEN:
            return round(v)
        case Rounding.HALF_UP:
            return sign * floor(abs(v) + HALF)
        case Rounding.HALF_DOWN:
            return sign * ceil(abs(v) - HALF)


@pytest.mark.parametrize("mode", Rounding)
@given(v=st.one_of(st.fractions(), st.integers(-99, 99).map(lambda k: Fraction(k, 2))))
def test_round_exact_is_the_definition(mode: Rounding, v: Fraction) -> None:
    assert round_exact(v, mode) == by_definition(v, mode)


@pytest.mark.parametrize("mode", Rounding)
@given(k=st.integers(-50, 50), v=st.fractions(-60, 60, max_denominator=8))
def test_step_to_tells_where_a_level_begins(mode: Rounding, k: int, v: Fraction) -> None:
    position, included = step_to(k, mode)
    assert (v > position or (included and v == position)) == (by_definition(v, mode) >= k)


@pytest.mark.parametrize("name", [n for n in FROM_QONNX if n != "ROUND_TO_ZERO"])
def test_names_mean_what_qonnx_computes(name: str) -> None:
    """On eighths float64 is exact, so that QONNX's own functions are, too."""
    eighths = np.arange(-80, 81)
    theirs = resolve_rounding_mode(name)(eighths / 8)
    ours = [round_exact(Fraction(int(k), 8), FROM_QONNX[name]) for k in eighths]
    assert theirs.tolist() == ours


def test_every_mode_has_a_name_in_qonnx() -> None:
    assert set(FROM_QONNX.values()) == set(Rounding)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize("bits", range(2, 17))
def test_ranges_are_those_of_qonnx(bits: int, signed: bool, narrow: bool) -> None:
    t = of_bits(bits, signed=signed, narrow=narrow)
    assert (t.lo, t.hi) == (min_int(signed, narrow, bits), max_int(signed, narrow, bits))
    assert t.bits <= bits
