# SPDX-License-Identifier: Apache-2.0
"""A fixed tenth of the exactness sweep (`make sweep` runs all of it), and every past failure.

The checks are in tests/exactness.py, one a kind of engine; a failure shows the network's spec.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_train
pytest.importorskip("torch")

import exactness  # noqa: E402 - only with torch
from networks import Dense, NetworkSpec  # noqa: E402

SAMPLE = {"meaning": 20, "csim": 5, "rtl": 3, "cocotb": 2, "hls_dpi": 4}
HARDWARE = [
    c for kind in SAMPLE if kind != "meaning" for c in exactness.order(kind)[: SAMPLE[kind]]
]


@pytest.mark.parametrize("case", exactness.order("meaning")[: SAMPLE["meaning"]], ids=str)
def test_models_module_and_reference_agree(case: exactness.Case, tmp_path: Path) -> None:
    exactness.run_case(case, tmp_path)


@pytest.mark.needs_sim
@pytest.mark.parametrize("case", HARDWARE, ids=str)
def test_hardware_equals_the_model(case: exactness.Case, tmp_path: Path) -> None:
    assert "refused" not in exactness.run_case(case, tmp_path)


PAST = {
    "bias_beyond_the_clamp": NetworkSpec(
        seed=1381800717,
        inputs=4,
        hidden=1,
        layers=1,
        batch_first=True,
        bidirectional=False,
        cifg=False,
        pot=True,
        per_channel=True,
        bias="int32",
        weight_bits=8,
        input_bits=12,
        io_bits=8,
        acc_bits=(5, 8, 8, 10),
        sigmoid_bits=(3, 7, 9),
        tanh_bits=(11, 9),
        cell_bits=6,
        shared_input_hidden_weights=False,
        shared_intra_layer_weight_quant=False,
        shared_intra_layer_gate_acc_quant=False,
        shared_cell_state_quant=True,
        select="last",
        steps=6,
        quant_select_bits=8,
        dense=(
            Dense(units=3, weight_bits=6, per_channel=True, bias="int32", relu=True, act_bits=5),
            Dense(units=4, weight_bits=6, per_channel=False, bias="int32", relu=True, act_bits=4),
        ),
    ),
    "bias_that_float32_does_not_hold": NetworkSpec(
        seed=1852015372,
        inputs=9,
        hidden=9,
        layers=1,
        batch_first=True,
        bidirectional=False,
        cifg=False,
        pot=False,
        per_channel=False,
        bias="int32",
        weight_bits=16,
        input_bits=4,
        io_bits=14,
        acc_bits=(13, 5, 16, 16),
        sigmoid_bits=(5, 13, 9),
        tanh_bits=(10, 10),
        cell_bits=9,
        shared_input_hidden_weights=False,
        shared_intra_layer_weight_quant=True,
        shared_intra_layer_gate_acc_quant=False,
        shared_cell_state_quant=True,
        select="last",
        steps=1,
        quant_select_bits=0,
        dense=(
            Dense(units=1, weight_bits=5, per_channel=True, bias="float", relu=True, act_bits=10),
            Dense(units=2, weight_bits=15, per_channel=True, bias="none", relu=True, act_bits=12),
        ),
    ),
}
"""Networks on which a check has failed, by what was wrong; the checks that failed."""


@pytest.mark.parametrize("name", PAST)
def test_past_failures(name: str, tmp_path: Path) -> None:
    exactness.meaning(PAST[name], tmp_path)
