# SPDX-License-Identifier: Apache-2.0
"""What a design is to be folded for: a latency, a rate, or a share of the board."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import floor, isfinite

from hwrnn.board import Board
from hwrnn.design.folding import FoldingSpec
from hwrnn.errors import DesignError


class Aim(Enum):
    """The options of `hwrnn.build` that ask for a search, by their names."""

    LATENCY = "target_latency_us"
    RATE = "target_sequences_per_s"
    FILL = "fill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One aim: at most `value` µs, at least `value` sequences a second, or at most that share."""

    aim: Aim
    value: float

    def limit(self, board: Board, streams: int) -> int:
        """The most cycles that a latency or a rate allows at the board's clock."""
        mhz, each = board.clock_mhz, streams * board.clock_mhz * 1e6
        if self.aim is Aim.LATENCY:
            whole = floor(self.value * mhz) + 1
            return whole if whole / mhz <= self.value else whole - 1
        whole = floor(each / self.value) + 1
        return whole if each / whole >= self.value else whole - 1

    def words(self, cycles: float, board: Board, streams: int) -> str:
        """Cycles in the goal's unit."""
        if self.aim is Aim.LATENCY:
            return f"{cycles / board.clock_mhz:,.3f} us"
        return f"{streams * board.clock_mhz * 1e6 / cycles:,.1f} sequences a second"


def goal_of(
    folding: FoldingSpec, latency: float | None, rate: float | None, fill: float | None
) -> Goal | None:
    """The goal that a user's options name, if any. Raises DesignError for two, and for nonsense."""
    given = [
        (aim, value)
        for aim, value in ((Aim.LATENCY, latency), (Aim.RATE, rate), (Aim.FILL, fill))
        if value is not None
    ]
    names = ["folding"] * (folding is not None) + [aim.value for aim, _ in given]
    if given and len(names) > 1:
        fact = f"cannot be given together with {names[1]}: each decides the folding"
        raise DesignError(f"option {names[0]}", fact, "give one of them")
    return Goal(aim=given[0][0], value=checked(*given[0])) if given else None


def checked(aim: Aim, value: object) -> float:
    """The number of a goal."""
    top = 1.0 if aim is Aim.FILL else float("inf")
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    if not isfinite(number) or not 0 < number <= top:
        legal = "a share of the board: above 0, at most 1" if aim is Aim.FILL else "above 0"
        raise DesignError(f"option {aim.value}", f"is {value!r}", f"a number, {legal}")
    return float(number)
