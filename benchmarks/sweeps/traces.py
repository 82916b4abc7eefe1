# SPDX-License-Identifier: Apache-2.0
"""The trace sweep: both back ends accumulate the same sums, group by group (tests/traces.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import traces
from random_engines import random_case

NAME, SEEDS = "traces", (traces.SEEDS[0],)
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """One design of the sweep."""

    seed: int
    kind: str = "trace"

    def __str__(self) -> str:
        return f"{self.kind}-{self.seed}"


def run(case: Case, folder: Path) -> dict[str, int]:  # noqa: ARG001 - every sweep is given one
    """How many sums were compared."""
    return traces.check_traces(random_case(case.seed))


def wanted(done: Results) -> Iterator[Case]:
    """The designs that have not run yet."""
    return (case for case in map(Case, traces.SEEDS) if str(case) not in done)


def shortfalls(done: Results) -> list[str]:
    """What keeps the sweep from proving what it is for."""
    found = [f"{name} failed" for name, result in done.items() if "failed" in result]
    if len(done) < len(traces.SEEDS):
        found.append(f"{NAME}: {len(done)} designs, not {len(traces.SEEDS)}")
    return found


def page(done: Results) -> str:
    """What docs/sweeps.md says about it."""
    good = [r for r in done.values() if "failed" not in r]
    failed = {name: r["failed"] for name, r in done.items() if "failed" in r}
    return "\n".join(
        [
            "## Traces",
            "",
            f"Seeds {traces.SEEDS[0]} to {traces.SEEDS[-1]} of `tests/random_engines.py`: what the "
            "HLS C++ accumulates in C simulation and what the MAC arrays of the RTL accumulate in "
            "Verilator, every (step, block, group, sums) in order; and the engine's loop in the "
            "C++ goes round once for every group of every block.",
            "",
            f"{len(good)} designs equal, {len(failed)} failed; sums compared: "
            f"{sum(r['sums'] for r in good)}.",
            "",
            *(f"- {name}: `{text.splitlines()[0][:200]}`" for name, text in failed.items()),
        ]
    )
