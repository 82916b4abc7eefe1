# SPDX-License-Identifier: Apache-2.0
"""The sweep of what stands around the recurrence: random chains, in csim and in the RTL.

The chains are those of tests/random_around.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from random_around import random_chain, random_folding
from rtl.bench import BOARD, STALLS, check, draw, reference, same

from hwrnn.design.lower import build_design
from hwrnn.sim.csim import simulate_csim

NAME, SEEDS = "around", (0,)
COUNTS = {"chain-csim": 100, "chain-rtl": 25}
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """One chain on one engine."""

    kind: str
    seed: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.seed}"


def run(case: Case, folder: Path) -> dict[str, object]:  # noqa: ARG001 - every sweep is given one
    """What was compared; a difference raises."""
    graph, lengths = random_chain(case.seed)
    design = build_design(graph, BOARD, random_folding(graph, case.seed))
    sequences = draw(design, lengths)
    expected = reference(graph, sequences)
    if case.kind == "chain-rtl":
        check(design, sequences, expected)
    else:
        same(simulate_csim(design, sequences), expected)
    kernels = sorted({type(k).__name__ for k in design.kernels})
    return {"kernels": kernels, "values": sum(int(y.size) for y in expected)}


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
        "## Around the recurrence",
        "",
        "Chains of `tests/random_around.py`: convolutions, pools, sums and maxima over time, "
        "tables, repeated vectors, two branches that meet, ArgMax; foldings by seed. In the RTL "
        f"every handshake is where the schedule says, under {len(STALLS)} patterns of stalls.",
        "",
        "| engine | seeds | passed | failed | values |",
        "|---|---|---|---|---|",
    ]
    for kind, count in COUNTS.items():
        found = [r for name, r in done.items() if name.startswith(kind)]
        good = [r for r in found if "failed" not in r]
        values = sum(r["values"] for r in good)
        seeds = f"0 to {count - 1}"
        engine = kind.removeprefix("chain-")
        lines.append(f"| {engine} | {seeds} | {len(good)} | {len(found) - len(good)} | {values} |")
    return "\n".join(lines)
