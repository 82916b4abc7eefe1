# SPDX-License-Identifier: Apache-2.0
"""Ops that stand around the recurrence: windows, pools and sums over time, tables, ArgMax."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from math import gcd, lcm

from hwrnn.ir.ops import Op, Scope, need, same_rate
from hwrnn.ir.types import IntMatrix, IntType, Rationals, Value


class How(Enum):
    """How several numbers become one."""

    SUM = "sum"
    MAX = "max"


def reduced(how: How, x: IntType, count: int) -> IntType:
    """The range of the sum, or the maximum, of `count` numbers of x."""
    return x if how is How.MAX else IntType(count * x.lo, count * x.hi)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Windowed(Op):
    """An op on windows of `size` steps, the next one `stride` steps later.

    `before` and `after` steps of `fill` are put around the sequence; so a sequence of n steps
    gives (n + before + after - size) // stride + 1 steps, and one with no window is refused.
    """

    x: str
    size: int
    stride: int = 1
    before: int = 0
    after: int = 0
    fill: int = 0

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def windows(self, steps: int) -> int:
        """How many windows a sequence of `steps` steps has; 0 if it is too short."""
        return max(0, (steps + self.before + self.after - self.size) // self.stride + 1)

    def verify_windows(self, x: Value) -> IntType:
        """Check the window; the range of what is in it."""
        need(self, x.sequence and self.out.sequence, "takes and gives a sequence")
        need(self, self.size >= 1 and self.stride >= 1, "size and stride are at least 1")
        inside = 0 <= self.before < self.size and 0 <= self.after < self.size
        need(self, inside, f"pads {self.before} and {self.after} steps, for windows of {self.size}")
        padded = self.before or self.after
        return x.type.hull(IntType(self.fill, self.fill)) if padded else x.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(_Windowed):
    """y[t] = all elements of step t * stride - before of x, then those of the next, ..."""

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        inside = self.verify_windows(x)
        need(self, self.out.size == self.size * x.size, f"{self.size} steps of {x.size}")
        need(self, self.out.type.covers(inside), f"{self.out.type} does not hold {inside}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(_Windowed):
    """y[t] = the sum or the maximum over a window, element by element."""

    how: How

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        reach = reduced(self.how, self.verify_windows(x), self.size)
        need(self, self.out.size == x.size, "x and y differ in size")
        need(self, self.out.type.covers(reach), f"{self.out.type} does not hold {reach}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduce(Op):
    """The sum over a sequence of exactly `steps` steps, or the maximum over all steps of any.

    Element by element; gives one vector for each sequence.
    """

    x: str
    how: How
    steps: int | None = None

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        need(self, x.sequence and not self.out.sequence, "takes a sequence, gives one vector")
        need(self, self.out.size == x.size, "x and y differ in size")
        fixed = self.steps is not None and self.steps >= 1
        need(self, fixed or (self.how is How.MAX and self.steps is None), "a sum has its steps")
        reach = reduced(self.how, x.type, self.steps or 1)
        need(self, self.out.type.covers(reach), f"{self.out.type} does not hold {reach}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Op):
    """A sequence of `steps` steps that are all x."""

    x: str
    steps: int

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        need(self, not x.sequence and self.out.sequence, "takes one vector, gives a sequence")
        need(self, (x.size, x.type) == (self.out.size, self.out.type), "size and type stay")
        need(self, self.steps >= 1, f"{self.steps} steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed(Op):
    """y = row x of the table: x is one number, y as long as a row."""

    x: str
    table: IntMatrix

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        same_rate(self, scope)
        need(self, x.size == 1, f"reads one number, not {x.size}")
        inside = x.type.lo >= 0 and x.type.hi < self.table.rows
        need(self, inside, f"{x.type} is beyond its {self.table.rows} rows")
        need(self, self.table.columns == self.out.size, f"{self.table.columns} columns")
        reach = self.table.type
        need(self, self.out.type.covers(reach), f"{self.out.type} does not hold {reach}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgMax(Op):
    """The index of the largest scale[j] * x[j] + offset[j]; of equal ones the first."""

    x: str
    scale: Rationals = (Fraction(1),)
    offset: Rationals = (Fraction(0),)

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        same_rate(self, scope)
        need(self, self.out.size == 1, "gives one number")
        reach = IntType(0, x.size - 1)
        need(self, self.out.type.covers(reach), f"{self.out.type} does not hold {reach}")
        for field in (self.scale, self.offset):
            need(self, len(field) in (1, x.size), "one rational, or one an element")
        need(self, all(s > 0 for s in self.scale), "a scale is positive")

    def weights(self, size: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Integers mul and add, one of each for each of `size` elements: the order of
        mul[j] * x[j] + add[j] is that of the reals.
        """
        scales = self.scale * (size // len(self.scale))
        offsets = self.offset * (size // len(self.offset))
        unit = common_unit((*scales, *offsets))
        return tuple(int(s / unit) for s in scales), tuple(int(o / unit) for o in offsets)


def common_unit(values: tuple[Fraction, ...]) -> Fraction:
    """The largest rational of which all of `values` are multiples."""
    found = [v for v in values if v] or [Fraction(1)]
    whole = lcm(*(v.denominator for v in found))
    return Fraction(gcd(*(int(v * whole) for v in found)), whole)
