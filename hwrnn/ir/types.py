# SPDX-License-Identifier: Apache-2.0
"""Integer ranges, values, and the integer matrices that ops hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Rationals = tuple[Fraction, ...]


@dataclass(frozen=True, slots=True, order=True)
class IntType:
    """The integers lo..hi, both included. Width and sign follow from the range."""

    lo: int
    hi: int

    def __post_init__(self) -> None:
        if self.lo > self.hi:
            raise ValueError(f"empty range {self.lo}..{self.hi}")

    @property
    def signed(self) -> bool:
        """True when the range holds a negative number."""
        return self.lo < 0

    @property
    def bits(self) -> int:
        """The fewest bits that hold the range: two's complement if signed, else plain binary."""
        if self.signed:
            return max((-self.lo - 1).bit_length(), max(self.hi, 0).bit_length()) + 1
        return max(self.hi.bit_length(), 1)

    def covers(self, other: IntType) -> bool:
        """True when every number of `other` is one of ours."""
        return self.lo <= other.lo and other.hi <= self.hi

    def hull(self, other: IntType) -> IntType:
        """The smallest range that covers both."""
        return IntType(min(self.lo, other.lo), max(self.hi, other.hi))

    def clamp(self, x: int) -> int:
        """The number of the range that is nearest to x."""
        return min(max(x, self.lo), self.hi)

    @property
    def levels(self) -> int:
        """How many numbers the range holds."""
        return self.hi - self.lo + 1

    def __str__(self) -> str:
        return f"{self.lo}..{self.hi}"


def of_bits(bits: int, *, signed: bool, narrow: bool = False) -> IntType:
    """The range of a QONNX quantiser of `bits` bits; `narrow` drops the lowest code of a signed
    range and the highest of an unsigned one, as QONNX does.
    """
    if signed:
        return IntType(-(2 ** (bits - 1)) + int(narrow), 2 ** (bits - 1) - 1)
    return IntType(0, 2**bits - 1 - int(narrow))


def of_values(values: Iterable[int]) -> IntType:
    """The smallest range that holds all of `values`."""
    found = list(values)
    return IntType(min(found), max(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A named vector of integers: one per time step (`sequence`), or one per sequence."""

    name: str
    type: IntType
    size: int
    sequence: bool = False

    def __str__(self) -> str:
        per = " seq" if self.sequence else ""
        return f"%{self.name}: {self.type} x {self.size}{per}"


class IntMatrix:
    """An immutable matrix of integers, rows x columns, compared and hashed by its contents.

    `reach`: the range that its entries may take when they are written at run time; every range
    that follows from the matrix then follows from it. None: they stay as they are.
    """

    __slots__ = ("_hash", "array", "reach")

    def __init__(
        self, rows: Sequence[Sequence[int]] | NDArray[np.int64], reach: IntType | None = None
    ) -> None:
        array = np.array(rows, dtype=np.int64)
        if array.ndim != 2:
            raise ValueError(f"a matrix has two dimensions, this has {array.ndim}")
        array.setflags(write=False)
        self.array: NDArray[np.int64] = array
        self.reach = reach
        if reach is not None and not reach.covers(self.actual):
            raise ValueError(f"entries {self.actual} are beyond the reach {reach}")
        self._hash = hash((array.shape, array.tobytes(), reach))

    @property
    def rows(self) -> int:
        """Number of rows: outputs."""
        return int(self.array.shape[0])

    @property
    def columns(self) -> int:
        """Number of columns: inputs."""
        return int(self.array.shape[1])

    @property
    def type(self) -> IntType:
        """The range of the entries, or what they may take."""
        return self.actual if self.reach is None else self.reach

    @property
    def actual(self) -> IntType:
        """The range of the entries as they are."""
        if not self.array.size:
            return IntType(0, 0)
        return IntType(int(self.array.min()), int(self.array.max()))

    def range_of_product(self, x: IntType) -> IntType:
        """The range of W @ v over every v with entries in x: what these weights can reach."""
        if self.reach is not None:
            corners = [w * v for w in (self.reach.lo, self.reach.hi) for v in (x.lo, x.hi)]
            return IntType(self.columns * min(corners), self.columns * max(corners))
        reach = max(-self.type.lo, self.type.hi, 1) * max(-x.lo, x.hi, 1) * self.columns
        array = self.array.astype(object) if reach >= 2**63 else self.array
        ends = np.stack([array * x.lo, array * x.hi])
        low, high = ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
        return IntType(int(low.min()), int(high.max()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntMatrix) or self.reach != other.reach:
            return False
        return np.array_equal(self.array, other.array)

    def __add__(self, other: IntMatrix) -> IntMatrix:
        """Entry by entry."""
        reach = None
        if self.reach is not None or other.reach is not None:
            reach = IntType(self.type.lo + other.type.lo, self.type.hi + other.type.hi)
        return IntMatrix(self.array + other.array, reach)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"IntMatrix({self.rows} x {self.columns}, {self.type})"


def side_by_side(parts: Sequence[IntMatrix]) -> IntMatrix:
    """Matrices of as many rows as one: the columns of the first, then those of the next."""
    reach = None
    if any(p.reach is not None for p in parts):
        types = [p.type for p in parts]
        reach = IntType(min(t.lo for t in types), max(t.hi for t in types))
    return IntMatrix(np.hstack([p.array for p in parts]), reach)
