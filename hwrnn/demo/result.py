# SPDX-License-Identifier: Apache-2.0
"""What the demo found out, and the tables that show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwrnn.cmodel.saturation import Saturation
from hwrnn.design.estimate import Estimate

Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineResult:
    """One way to compute the test split.

    `bits`: differing bits of the output integers against the C-model (None where there are no
    integers); `module_bits`: those of the float32 outputs against the Brevitas module.
    """

    engine: str
    accuracy: float
    bits: int | None
    module_bits: int | None
    seconds: float
    digits: int

    @property
    def digits_per_s(self) -> float:
        """Speed, without what is done once."""
        return self.digits / self.seconds

    def row(self) -> Row:
        """A line of the table."""
        return {
            "engine": self.engine,
            "accuracy": f"{100 * self.accuracy:.2f} %",
            "bits off C-model": shown(self.bits),
            "bits off module": shown(self.module_bits),
            "digits/s": f"{self.digits_per_s:,.0f}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardResult:
    """A design and its simulation: cycles of one digit, and of all that were run."""

    estimate: Estimate
    digits: int
    one_simulated: int
    all_estimated: int
    all_simulated: int

    @property
    def ok(self) -> bool:
        """The cycles that were computed are those that the simulation counted."""
        one = self.estimate.latency_cycles == self.one_simulated
        return one and self.all_estimated == self.all_simulated

    def rows(self) -> tuple[Row, Row]:
        """A line for one digit and one for all."""
        one = (self.estimate.latency_cycles, self.one_simulated)
        whole = (self.all_estimated, self.all_simulated)
        return self.row(1, *one), self.row(self.digits, *whole)

    def row(self, digits: int, estimated: int, simulated: int) -> Row:
        """Cycles of a run, and its time at the clock of the board."""
        us = simulated / self.estimate.clock_mhz
        return {
            "board": self.estimate.design.board.name,
            "MHz": f"{self.estimate.clock_mhz:g}",
            "digits": f"{digits:,}",
            "cycles estimated": f"{estimated:,}",
            "cycles simulated": f"{simulated:,}",
            "µs": f"{us:,.2f}",
            "µs a digit": f"{us / digits:,.2f}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """Everything that `hwrnn demo` shows."""

    engines: tuple[EngineResult, ...]
    boards: tuple[BoardResult, ...]
    saturation: tuple[Saturation, ...]
    files: tuple[tuple[str, str], ...]

    @property
    def ok(self) -> bool:
        """No engine differs in a bit, and all cycles are as computed.

        A difference from the module is shown, not failed: float32 is not what defines the model.
        """
        return not any(e.bits for e in self.engines) and all(b.ok for b in self.boards)

    def tables(self) -> dict[str, list[Row]]:
        """The tables, by title."""
        return {
            "Every engine on the whole test split, one thread": [e.row() for e in self.engines],
            "Cycles, estimated and simulated": [row for b in self.boards for row in b.rows()],
            "Where it lies": [{"what": what, "where": where} for what, where in self.files],
        }


def shown(number: int | None) -> str:
    """A number, or a dash where there is none."""
    return "-" if number is None else f"{number:,}"


def integer_bits(a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    """In how many bits two arrays of integers differ."""
    return int(np.bitwise_count((a ^ b).view(np.uint64)).sum())


def float_bits(a: NDArray[np.float32], b: NDArray[np.float32]) -> int:
    """In how many bits two arrays of float32 differ; 0 and -0 are equal."""
    a, b = a + np.float32(0), b + np.float32(0)
    return int(np.bitwise_count(a.view(np.uint32) ^ b.view(np.uint32)).sum())
