# SPDX-License-Identifier: Apache-2.0
"""Kernels that stand around the recurrence. Each takes or gives a beat a cycle; what they hold
lies in small memories, and where one gives from its memory it takes nothing meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hwrnn.design.stream import Stream
from hwrnn.ir import How, IntMatrix


class Joint(Enum):
    """What becomes of two elements."""

    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slide:
    """Windows over time: a vector of `size` steps, the next one `stride` steps later.

    `before` and `after` steps of `fill` stand around the sequence. A window is given once it is
    complete and it is known whether another one follows, which is so when that one's steps, up to
    the padding behind, have been taken, or the sequence has ended. It gives all beats of the
    window, and takes nothing meanwhile. A sequence without a window gives nothing.
    """

    name: str
    x: Stream
    out: Stream
    size: int
    stride: int
    before: int
    after: int
    fill: int

    @property
    def needed(self) -> int:
        """Steps from the start of a window, padding included, with which it is given."""
        return self.size + max(0, self.stride - self.after)

    def windows(self, steps: int) -> int:
        """How many windows a sequence of `steps` steps has."""
        return max(0, (steps + self.before + self.after - self.size) // self.stride + 1)

    def taken_for(self, window: int, steps: int) -> int:
        """How many of a sequence's `steps` steps have been taken when a window is given."""
        return min(steps, max(0, window * self.stride + self.needed - self.before))


@dataclass(frozen=True, slots=True, kw_only=True)
class Combine:
    """The sum or the maximum of `count` vectors that are one on the input; with None, of all
    vectors of a sequence. Holds one vector, and gives it when the last has been taken.
    """

    name: str
    x: Stream
    out: Stream
    how: How
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Takes the vector of a sequence, then gives it `steps` times."""

    name: str
    x: Stream
    out: Stream
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """A row of a table for each number: a read a cycle (credits), written out a cycle later."""

    name: str
    x: Stream
    out: Stream
    table: IntMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Zip:
    """Element by element of two streams, combinational: a beat of each, when there is room."""

    name: str
    xs: tuple[Stream, Stream]
    out: Stream
    joint: Joint


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgMax:
    """The index of the greatest element, of equal ones the first; an element a beat. The last
    beat of a vector is taken when there is room, and gives the index in the same cycle.
    """

    name: str
    x: Stream
    out: Stream


Around = Slide | Combine | Repeat | Embed | Zip | ArgMax
