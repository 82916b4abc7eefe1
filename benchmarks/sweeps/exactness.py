# SPDX-License-Identifier: Apache-2.0
"""The exactness sweep: random networks through every engine (the checks: tests/exactness.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import exactness
from exactness import NETWORKS, SEED, WANTED, Case

NAME, SEEDS = "exactness", (SEED,)
CONDITION_AT_LEAST = 80  # networks on which the module has to be equal
Results = Mapping[str, Mapping[str, Any]]
run = exactness.run_case


def wanted(done: Results) -> Iterator[Case]:
    """The cases still to be run: enough of each kind, in order, without those a board refuses."""
    for kind, number in WANTED.items():
        missing = number
        for case in exactness.order(kind):
            if missing == 0:
                break
            found = done.get(str(case))
            if found is None:
                yield case
            if found is None or "refused" not in found:
                missing -= 1


def shortfalls(done: Results) -> list[str]:
    """What keeps the sweep from proving what it is for."""
    found = [f"{name} failed" for name, result in done.items() if "failed" in result]
    held = sum(bool(r.get("condition")) for r in done.values())
    if held < CONDITION_AT_LEAST:
        found.append(f"the power-of-two condition holds on {held}, not {CONDITION_AT_LEAST}")
    for kind, number in WANTED.items():
        ran = sum(n.startswith(f"{kind}-") and "refused" not in r for n, r in done.items())
        if ran < number:
            found.append(f"{kind}: {ran} networks, not {number}")
    return found


def page(done: Results) -> str:
    """What docs/sweeps.md says about it."""
    by_kind = {
        kind: [r for name, r in done.items() if name.startswith(f"{kind}-")] for kind in WANTED
    }
    return "\n".join(
        [
            "## Exactness",
            "",
            f"Seed {SEED}: {NETWORKS} networks of `tests/networks.py`, drawn from the whole space "
            "of options that load. Sequences have other lengths than the exported one, but where "
            "a flattened sequence fixes it. `tests/exactness.py` holds the checks.",
            "",
            *meaning(by_kind["meaning"]),
            "",
            "| engine == plain C-model | networks | refused by the board | failed |",
            "|---|---|---|---|",
            *(engine_row(kind, by_kind[kind]) for kind in WANTED if kind != "meaning"),
            "",
            *near_ties(by_kind["meaning"]),
            *failures(done),
        ]
    )


NAMES = {
    "csim": "csim",
    "rtl": "rtl, C++ harness: cycles as estimated, then random stalls",
    "cocotb": "rtl, cocotb: cycles as estimated, then random stalls",
    "hls_dpi": "hls_dpi, cocotb with random stalls",
}


def engine_row(kind: str, results: list[Mapping[str, Any]]) -> str:
    """One line of the engines' table."""
    refused = sum("refused" in r for r in results)
    failed = sum("failed" in r for r in results)
    return f"| {NAMES[kind]} | {len(results) - refused} | {refused} | {failed} |"


def meaning(results: list[Mapping[str, Any]]) -> list[str]:
    """The table about exact arithmetic and the module."""
    good = [r for r in results if "failed" not in r]
    condition = [r for r in good if r["condition"]]
    others = [r for r in good if not r["condition"]]
    causes = sum((Counter(r["causes"]) for r in good), Counter[str]())

    def equal(found: list[Mapping[str, Any]]) -> int:
        return sum(r["verdict"] == "equal" for r in found)

    def total(key: str) -> int:
        return sum(r[key] for r in good)

    def largest(key: str) -> str:
        return f"{max((r[key] for r in good), default=0.0):.1e}"

    lines: dict[str, object] = {
        "plain and fast C-model == exact-rational model of the file": len(good),
        "failed": len(results) - len(good),
        "sequences on which rung 1 differs, each next to a tie": sum(
            len(r["near_ties"]) for r in good
        ),
        "power-of-two condition holds: module equal": equal(condition),
        "power-of-two condition holds: equal integers, an unquantised bias added in float32": len(
            condition
        )
        - equal(condition),
        "condition does not hold: module equal": equal(others),
        "condition does not hold: every difference traced": len(others) - equal(others),
        "output values compared with the module": total("module_values"),
        "of these another integer": total("module_differing"),
        "weights and biases that the module rounds to another integer": total("constants"),
        "sequences traced to a rounding in front of a quantiser": causes["ROUNDING"],
        "largest distance of these from the tie, in steps": largest("distance"),
        "largest error that float32 may have made there": largest("bound"),
        "sequences traced to a weight or bias": causes["CONSTANT"],
        "sequences traced to the float32 sum of an unquantised head": causes["LAST_SUM"],
    }
    return ["| | count |", "|---|---|", *(f"| {k} | {v} |" for k, v in lines.items())]


def near_ties(results: list[Mapping[str, Any]]) -> list[str]:
    """The list of near ties."""
    listed = [tie for r in results for tie in r.get("near_ties", ())]
    return ["Near ties:", "", *(f"- {tie}" for tie in listed), ""] if listed else []


def failures(done: Results) -> list[str]:
    """The first line of what each failure says, and its spec."""
    failed = {name: r["failed"] for name, r in done.items() if "failed" in r}
    return [f"- {name}: `{text.splitlines()[0][:200]}`" for name, text in failed.items()]
