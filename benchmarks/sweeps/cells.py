# SPDX-License-Identifier: Apache-2.0
"""The sweep of QuantRNN and QuantGRU: all options, random networks (tests/other_cells.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import other_cells
from other_cells import CELLS, ENGINES, RANDOM, SEED, Case

NAME, SEEDS = "cells", (SEED,)
Results = Mapping[str, Mapping[str, Any]]
run = other_cells.run_case


def wanted(done: Results) -> Iterator[Case]:
    """The cases that have not run yet."""
    return (case for case in other_cells.cases() if str(case) not in done)


def shortfalls(done: Results) -> list[str]:
    """What keeps the sweep from proving what it is for."""
    found = [f"{name} failed" for name, result in done.items() if "failed" in result]
    return found + [f"{case} did not run" for case in wanted(done)]


def page(done: Results) -> str:
    """What docs/sweeps.md says about it."""
    return "\n".join(
        [
            "## QuantRNN and QuantGRU",
            "",
            f"Seed {SEED}: every combination of the options of a layer "
            "(`tests/other_cells.py`: nonlinearity or place of the reset, bias, layers, "
            f"directions, shared parts, axis order) on a tiny network, and {RANDOM} random "
            "networks of each kind. Each is compared with an exact-rational model of the file, "
            "an ONNX engine and the module.",
            "",
            "| | QuantRNN | QuantGRU |",
            "|---|---|---|",
            *rows(done),
            "",
            *failures(done),
        ]
    )


def rows(done: Results) -> Iterator[str]:
    """The lines of the table."""
    exact = {cell: of(done, cell, "options", "random") for cell in CELLS}
    yield line("combinations of options", [len(of(done, cell, "options")) for cell in CELLS])
    yield line("random networks", [len(of(done, cell, "random")) for cell in CELLS])
    facts = {cell: Counter(facts_of(found)) for cell, found in exact.items()}
    names = (
        "failed",
        "module equal",
        "every difference from the module traced",
        "values compared with the module",
        "of these another integer",
    )
    for name in names:
        yield line(name, [facts[cell][name] for cell in CELLS])
    for engine in ENGINES:
        ran = [[r for r in of(done, cell, engine) if "refused" not in r] for cell in CELLS]
        yield line(f"{engine} == C-model", [sum("failed" not in r for r in found) for found in ran])


def facts_of(found: list[Mapping[str, Any]]) -> dict[str, int]:
    """The counts of one kind of cell."""
    good = [r for r in found if "failed" not in r]
    equal = sum(r["verdict"] == "equal" for r in good)
    return {
        "failed": len(found) - len(good),
        "module equal": equal,
        "every difference from the module traced": len(good) - equal,
        "values compared with the module": sum(r["module_values"] for r in good),
        "of these another integer": sum(r["module_differing"] for r in good),
    }


def of(done: Results, cell: str, *kinds: str) -> list[Mapping[str, Any]]:
    """The results of some kinds of cases of one cell."""
    starts = tuple(f"{kind}-{cell}-" for kind in kinds)
    return [result for name, result in done.items() if name.startswith(starts)]


def line(name: str, values: list[int]) -> str:
    """A line of the table."""
    return f"| {name} | {' | '.join(map(str, values))} |"


def failures(done: Results) -> list[str]:
    """The first line of what each failure says."""
    failed = {name: r["failed"] for name, r in done.items() if "failed" in r}
    return [f"- {name}: `{text.splitlines()[0][:200]}`" for name, text in failed.items()]
