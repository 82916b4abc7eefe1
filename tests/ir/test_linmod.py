# SPDX-License-Identifier: Apache-2.0
"""Extremes of a linear function modulo m, against trying every x."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hwrnn.ir.linmod import first_zero, max_mod, min_mod

SMALL = st.integers(-300, 300)
MODULUS = st.integers(1, 300)


@given(a=SMALL, c=SMALL, m=MODULUS, n=st.integers(1, 400))
@example(a=0, c=0, m=1, n=1)
@example(a=1, c=1, m=2, n=2)
@example(a=299, c=298, m=300, n=298)
def test_extremes_are_those_of_all_values(a: int, c: int, m: int, n: int) -> None:
    every = [(a * x + c) % m for x in range(n)]
    assert min_mod(a, c, m, n) == min(every)
    assert max_mod(a, c, m, n) == max(every)


def test_extremes_of_all_small_cases() -> None:
    for m in range(1, 14):
        for a in range(m):
            for c in range(m):
                every = [(a * x + c) % m for x in range(m + 2)]
                for n in range(1, m + 2):
                    assert min_mod(a, c, m, n) == min(every[:n]), (a, c, m, n)
                    assert max_mod(a, c, m, n) == max(every[:n]), (a, c, m, n)


@given(
    a=st.integers(-(2**70), 2**70),
    c=st.integers(-(2**70), 2**70),
    m=st.integers(1, 2**70),
    n=st.integers(1, 3000),
)
def test_extremes_of_large_numbers(a: int, c: int, m: int, n: int) -> None:
    every = [(a * x + c) % m for x in range(n)]
    assert (min_mod(a, c, m, n), max_mod(a, c, m, n)) == (min(every), max(every))


def test_an_enormous_range_takes_no_time() -> None:
    m = 2**61 - 1
    assert min_mod(2**40 + 1, 12345, m, m) == 0
    assert max_mod(2**40 + 1, 12345, m, m) == m - 1


@pytest.mark.parametrize(("m", "n"), [(1, 0), (0, 1)])
def test_nothing_has_no_extreme(m: int, n: int) -> None:
    with pytest.raises(ValueError, match="an empty range has no minimum"):
        min_mod(1, 1, m, n)


@given(a=SMALL, c=SMALL, m=MODULUS)
def test_zeros_are_found_with_their_period(a: int, c: int, m: int) -> None:
    zeros = [x for x in range(2 * m) if (a * x + c) % m == 0]
    found = first_zero(a, c, m)
    assert zeros == ([] if found is None else list(range(found[0], 2 * m, found[1])))
