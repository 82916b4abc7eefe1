# SPDX-License-Identifier: Apache-2.0
"""Ranges and matrices."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwrnn.ir import IntMatrix, IntType

ENDS = st.integers(-(2**70), 2**70)


@given(ENDS, ENDS)
def test_bits_are_the_fewest_that_hold_the_range(a: int, b: int) -> None:
    t = IntType(min(a, b), max(a, b))

    def holds(bits: int) -> bool:
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if t.signed else (0, 2**bits - 1)
        return low <= t.lo and t.hi <= high

    assert holds(t.bits)
    assert t.bits == 1 or not holds(t.bits - 1)


def test_a_range_is_not_empty() -> None:
    with pytest.raises(ValueError, match=r"empty range 1\.\.0"):
        IntType(1, 0)


@given(
    rows=st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=1, max_size=3),
    lo=st.integers(-4, 4),
    span=st.integers(0, 4),
)
def test_range_of_product_is_what_the_weights_reach(
    rows: list[list[int]], lo: int, span: int
) -> None:
    x = IntType(lo, lo + span)
    inputs = product(range(x.lo, x.hi + 1), repeat=2)
    every = [a * v + b * w for v, w in inputs for a, b in rows]
    assert IntMatrix(rows).range_of_product(x) == IntType(min(every), max(every))


def test_range_of_product_beyond_64_bits() -> None:
    m = IntMatrix(np.full((1, 4), 2**31 - 1))
    x = IntType(-(2**31), 2**31 - 1)
    assert m.range_of_product(x) == IntType(4 * (2**31 - 1) * -(2**31), 4 * (2**31 - 1) ** 2)


def test_a_matrix_is_compared_by_contents_and_cannot_change() -> None:
    a, b = IntMatrix([[1, 2]]), IntMatrix(np.array([[1, 2]]))
    assert a == b
    assert hash(a) == hash(b)
    assert a != IntMatrix([[1], [2]])
    assert repr(a) == "IntMatrix(1 x 2, 1..2)"
    with pytest.raises(ValueError, match="read-only"):
        a.array[0, 0] = 5
    with pytest.raises(ValueError, match="a matrix has two dimensions, this has 1"):
        IntMatrix([1, 2])  # type: ignore[list-item]
