# SPDX-License-Identifier: Apache-2.0
"""The sweep of several ports: random engines whose states come from outside and are returned.

The cases are those of tests/random_ports.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from random_ports import check
from rtl.bench import STALLS

NAME, SEEDS = "ports", (0,)
COUNTS = {"ports-csim": 20, "ports-rtl": 10}
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """One design on one engine."""

    kind: str
    seed: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.seed}"


def run(case: Case, folder: Path) -> dict[str, object]:  # noqa: ARG001 - every sweep is given one
    """What was compared; a difference raises."""
    return check(case.seed, case.kind.removeprefix("ports-"))


def wanted(done: Results) -> Iterator[Case]:
    """The cases that have not run yet."""
    cases = (Case(kind, seed) for kind, count in COUNTS.items() for seed in range(count))
    return (case for case in cases if str(case) not in done)


def shortfalls(done: Results) -> list[str]:
    """What keeps the sweep from proving what it is for."""
    found = [f"{name} failed" for name, result in done.items() if "failed" in result]
    for kind, count in COUNTS.items():
        there = sum(name.startswith(kind) for name in done)
        if there < count:
            found.append(f"{NAME}: {there} of {kind}, not {count}")
    return found


def page(done: Results) -> str:
    """What docs/sweeps.md says about it."""
    lines = [
        "## Several inputs and outputs",
        "",
        "Engines of `tests/random_ports.py`: states that start with vectors from outside, alone or "
        "stacked, and states that are returned, by seed. Every port is compared; in the RTL every "
        f"handshake is where the schedule says, under {len(STALLS)} patterns of stalls.",
        "",
        "| engine | seeds | passed | failed | inputs | outputs | values |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, count in COUNTS.items():
        found = [r for name, r in done.items() if name.startswith(kind)]
        good = [r for r in found if "failed" not in r]
        inputs, outputs, values = (
            sum(r[key] for r in good) for key in ("inputs", "outputs", "values")
        )
        lines.append(
            f"| {kind.removeprefix('ports-')} | 0 to {count - 1} | {len(good)} | "
            f"{len(found) - len(good)} | {inputs} | {outputs} | {values} |"
        )
    return "\n".join(lines)
