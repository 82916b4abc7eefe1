# SPDX-License-Identifier: Apache-2.0
"""Energy of a sequence, for families of which coefficients are public (energy.toml)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hwrnn.board import Board
from hwrnn.design.resources.model import Count

FILE = Path(__file__).resolve().parent / "energy.toml"
NONE = "no public coefficients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Microjoules of a sequence at the board's clock; `source`: where the coefficients are from."""

    microjoules: float
    source: str
    covers: str


def energy(count: Count, board: Board, cycles: int) -> Energy | None:
    """Of a sequence every `cycles` cycles; None for a family without coefficients.

    Every cell is charged in every cycle as if it worked: power * time for what is static, energy a
    cycle for the clock, for each logic cell and each multiplier.
    """
    known = coefficients().get(board.family.value)
    if known is None:
        return None
    number = {k: float(v) for k, v in known.items() if isinstance(v, int | float)}
    cells = max(count.luts, count.ffs)
    cycle = number["clock_pj"] + cells * number["cell_pj"] + count.dsps * number["dsp_pj"]
    static = number["static_uw"] * cycles / board.clock_mhz  # pJ: microwatts * microseconds
    return Energy(
        microjoules=(cycle * cycles + static) * 1e-6,
        source=str(known["source"]),
        covers=str(known["covers"]),
    )


@cache
def coefficients() -> dict[str, dict[str, str | float]]:
    """The data file, by family."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))
