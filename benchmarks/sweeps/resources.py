# SPDX-License-Identifier: Apache-2.0
"""The resource sweep: random designs, estimated and synthesised by yosys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import resource_error
from resource_error import COUNT, HEADER, Result

NAME, SEEDS = "resources", (2029,)  # not looked at while the coefficients were made
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """One design of the sweep."""

    index: int
    kind: str = "resources"

    def __str__(self) -> str:
        return f"{self.kind}-{self.index}"


def run(case: Case, folder: Path) -> dict[str, object]:  # noqa: ARG001 - every sweep is given one
    """What was estimated and what yosys counts."""
    drawn = resource_error.design_of(SEEDS[0], case.index)
    return resource_error.as_dict(resource_error.measure(drawn))


def wanted(done: Results) -> Iterator[Case]:
    """The designs that have not run yet."""
    cases = (Case(index) for index in range(COUNT))
    return (case for case in cases if str(case) not in done)


def made(done: Results) -> list[Result]:
    """The results of those that ran."""
    return [Result(**r) for r in done.values() if "failed" not in r]


def shortfalls(done: Results) -> list[str]:
    """The bars that are missed, and what did not run."""
    found = [f"{name} failed" for name, result in done.items() if "failed" in result]
    if len(done) < COUNT:
        found.append(f"{NAME}: {len(done)} designs, not {COUNT}")
    return found + resource_error.shortfalls(made(done))


def page(done: Results) -> str:
    """What docs/sweeps.md says about it."""
    results = made(done)
    return "\n".join(
        [
            "## Resources",
            "",
            f"Seed {SEEDS[0]}, drawn by `benchmarks/resource_error.py`: random cells, and networks "
            "trained on the digits, on all five families. Estimates against yosys; ± is the "
            "estimate's own error bar.",
            "",
            HEADER,
            *(r.line() for r in results),
            "",
            *(f"- {line}" for line in resource_error.summary(results)),
        ]
    )
