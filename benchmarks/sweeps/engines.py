# SPDX-License-Identifier: Apache-2.0
"""The engine sweep: random cells, foldings and options, every cycle counted.

The cases and their check are in tests/random_engines.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import random_engines
from random_cells import CELLS
from rtl.bench import STALLS

NAME, SEEDS = "engines", (0,)
DESIGNS = 60
Result = Mapping[str, Any]
Results = Mapping[str, Result]


@dataclass(frozen=True)
class Case:
    """One design of the sweep."""

    seed: int
    kind: str = "engine"

    def __str__(self) -> str:
        return f"{self.kind}-{self.seed}"


def run(case: Case, folder: Path) -> dict[str, object]:  # noqa: ARG001 - every sweep is given one
    """What the case is, and either what was compared or what failed."""
    drawn = random_engines.random_case(case.seed)
    try:
        return random_engines.facts(drawn) | random_engines.check(drawn)
    except AssertionError as fault:
        return random_engines.facts(drawn) | {"failed": str(fault)}


def wanted(done: Results) -> Iterator[Case]:
    """The designs that have not run yet."""
    cases = (Case(seed) for seed in range(DESIGNS))
    return (case for case in cases if str(case) not in done)


def shortfalls(done: Results) -> list[str]:
    """What keeps the sweep from proving what it is for."""
    found = [f"{name} failed" for name, result in done.items() if "failed" in result]
    if len(done) < DESIGNS:
        found.append(f"{NAME}: {len(done)} designs, not {DESIGNS}")
    missing = set(CELLS) - {cell for r in done.values() for cell in r.get("cells", ())}
    return found + [f"{NAME}: no {cell}" for cell in sorted(missing)]


def page(done: Results) -> str:
    """What docs/sweeps.md says about it."""
    good = [r for r in done.values() if "failed" not in r]
    return "\n".join(
        [
            "## Engines",
            "",
            f"Seeds 0 to {DESIGNS - 1} of `tests/random_engines.py`: cells, number formats, "
            "foldings, streams, pipelines and directions by seed. For each design RTL == C-model "
            f"and C simulation == C-model, and every handshake of the RTL is where the schedule "
            f"says, under {len(STALLS)} patterns of stalls; without stalls the cycles are those "
            "of the estimate.",
            "",
            "| designs | passed | failed |",
            "|---|---|---|",
            row("all", done.values(), lambda _: True),
            *(row(cell, done.values(), has_cell(cell)) for cell in CELLS),
            *(row(name, done.values(), kind) for name, kind in KINDS.items()),
            "",
            f"Output values compared: {sum(r['values'] for r in good) * (len(STALLS) + 1)}; cycles "
            f"without stalls: {sum(r['cycles'] for r in good)}.",
            "",
            *(f"- {n}: `{r['failed'].splitlines()[0][:200]}`" for n, r in failures(done).items()),
        ]
    )


def has_cell(cell: str) -> Callable[[Result], bool]:
    """Designs in which the cell occurs."""
    return lambda result: cell in result.get("cells", ())


KINDS: dict[str, Callable[[Result], bool]] = {
    'pipeline "clock"': lambda r: r.get("pipeline") == "clock",
    'pipeline "latency"': lambda r: r.get("pipeline") == "latency",
    "several streams": lambda r: r.get("streams", 1) > 1,
    "x and states in one block": lambda r: bool(r.get("shared_block")),
    "two directions, two engines": lambda r: r.get("directions") == "two",
    "two directions, one engine": lambda r: r.get("directions") == "shared",
}


def row(name: str, results: Any, kind: Callable[[Result], bool]) -> str:  # noqa: ANN401 - a view
    """How many designs of a kind passed, and how many did not."""
    found = [r for r in results if kind(r)]
    failed = sum("failed" in r for r in found)
    return f"| {name} | {len(found) - failed} | {failed} |"


def failures(done: Results) -> Results:
    """Those that failed."""
    return {name: r for name, r in done.items() if "failed" in r}
