# SPDX-License-Identifier: Apache-2.0
"""A seeded part of the option matrix; `python benchmarks/option_matrix.py` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_train
pytest.importorskip("torch")

import option_matrix  # noqa: E402 - only with torch
from option_matrix import CELLS, TABLES, Case, combinations  # noqa: E402

SAMPLE = list(dict.fromkeys([*option_matrix.past(), *option_matrix.sample(10)]))
ROOT = Path(__file__).resolve().parent.parent


def test_the_products_are_whole() -> None:
    sizes = {(cell, table): len(combinations(cell, table)) for cell in CELLS for table in TABLES}
    assert sizes["lstm", "structure"] == 768
    assert sizes["rnn", "structure"] == 48
    assert sizes["gru", "structure"] == 384
    assert sum(sizes.values()) == sum(not case.engine for case in option_matrix.cases())
    assert len({str(case) for case in option_matrix.cases()}) == len(list(option_matrix.cases()))


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_exact_or_refused_by_name(case: Case, tmp_path: Path) -> None:
    assert set(option_matrix.run_case(case, tmp_path)) <= {"exact", "refused"}


@pytest.mark.needs_sim
@pytest.mark.parametrize("engine", ["csim", "rtl"])
def test_zero_points_in_hardware(engine: str, tmp_path: Path) -> None:
    """All quantisers of a QuantLSTM with zero points, and its weights."""
    wanted = {
        "weights": "zero point",
        "activations": "zero point",
        "bias_quant": "Int32Bias",
        "states": "constant",
    }
    index = combinations("lstm", "quantisers").index(wanted)
    found = option_matrix.run_case(Case("lstm", "quantisers", index, engine), tmp_path)
    assert found["exact"] > 0


def test_the_page_knows_every_combination() -> None:
    text = (ROOT / "docs" / "options_matrix.md").read_text(encoding="utf-8")
    assert "**wrong**" not in text
    assert "did not run" not in text
    assert "| QuantLSTM | 1040 |" in text
