# SPDX-License-Identifier: Apache-2.0
"""A stream in a schedule: when each beat was written and read."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeVar

Process = Generator[None, None, None]
R = TypeVar("R")
Waiting = Generator[None, None, R]


@dataclass
class Channel:
    """A stream's beats: the cycles at which they were written and read, and the sequence ends."""

    depth: int
    written: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)

    def has(self, k: int) -> bool:
        """Beat k has been written."""
        return len(self.written) > k

    def knows_room(self, k: int) -> bool:
        """It is known from when on there is room for beat k."""
        return k < self.depth or len(self.read) > k - self.depth

    def room(self, k: int) -> int:
        """The first cycle in which beat k may be written."""
        return 0 if k < self.depth else self.read[k - self.depth] + 1

    def arrival(self, k: int) -> int:
        """The first cycle in which beat k may be read."""
        return self.written[k] + 1


def after(times: list[int]) -> int:
    """The cycle after the last of `times`."""
    return times[-1] + 1 if times else 0


def until(condition: Callable[[], bool]) -> Process:
    """Wait for a neighbour."""
    while not condition():
        yield
