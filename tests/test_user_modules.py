# SPDX-License-Identifier: Apache-2.0
"""Modules as people write them: each gives the module's own numbers and shape, on the C-model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwrnn

pytestmark = pytest.mark.needs_train

Forward = Callable[[Any, Any], Any]

CASES: dict[str, tuple[dict[str, Any], Forward]] = {
    "no quantiser in front": ({}, lambda m, x: m.fc(m.lstm(x)[0][:, -1])),
    "last hidden state": ({}, lambda m, x: m.fc(m.lstm(x)[1][0][-1])),
    "last hidden state of two layers": ({"num_layers": 2}, lambda m, x: m.fc(m.lstm(x)[1][0][-1])),
    "squeezed state": ({}, lambda m, x: m.fc(m.lstm(x)[1][0].squeeze(0))),
    "state with its layer axis": ({}, lambda m, x: m.fc(m.lstm(x)[1][0])),
    "last cell state": ({}, lambda m, x: m.fc(m.lstm(x)[1][1])),
    "last step kept as an axis": ({}, lambda m, x: m.fc(m.lstm(x)[0][:, -1:, :])),
    "first step": ({}, lambda m, x: m.fc(m.lstm(x)[0][:, 0])),
    "bare sequence": ({}, lambda m, x: m.lstm(x)[0]),
    "dense on every step": ({}, lambda m, x: m.fc(m.lstm(x)[0])),
    "scaled head": ({}, lambda m, x: m.fc(m.lstm(x)[0][:, -1]) * 4 / 2),
    "transposed outside": (
        {"batch_first": False},
        lambda m, x: m.fc(m.lstm(x.permute(1, 0, 2))[0][-1]),
    ),
    "both directions' states": (
        {"bidirectional": True},
        lambda m, x: m.fc2(m.torch.cat([m.lstm(x)[1][0][0], m.lstm(x)[1][0][1]], -1)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_module_as_people_write_it(name: str, tmp_path: Path) -> None:
    import torch
    from brevitas import nn as qnn
    from brevitas.quant.fixed_point import (
        Int8ActPerTensorFixedPoint,
        Int8WeightPerTensorFixedPoint,
        Uint8ActPerTensorFixedPoint,
    )

    options, forward = CASES[name]
    torch.manual_seed(3)

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.torch = torch
            self.lstm = qnn.QuantLSTM(
                **({"input_size": 4, "hidden_size": 5, "batch_first": True} | options),
                weight_quant=Int8WeightPerTensorFixedPoint,
                io_quant=Int8ActPerTensorFixedPoint,
                gate_acc_quant=Int8ActPerTensorFixedPoint,
                sigmoid_quant=Uint8ActPerTensorFixedPoint,
                tanh_quant=Int8ActPerTensorFixedPoint,
                cell_state_quant=Int8ActPerTensorFixedPoint,
            )
            kind = {"bias": False, "weight_quant": Int8WeightPerTensorFixedPoint}
            self.fc, self.fc2 = qnn.QuantLinear(5, 3, **kind), qnn.QuantLinear(10, 3, **kind)

        def forward(self, x: torch.Tensor) -> Any:  # noqa: ANN401 - tensors of either kind
            return forward(self, x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = Module()
        for _ in range(3):
            module(torch.randn(4, 6, 4))
        module.eval()
        hwrnn.export(module, torch.randn(2, 6, 4), tmp_path / "m.onnx")
        x = torch.randn(3, 9, 4)  # another batch, another number of steps
        wanted = module(x).detach().numpy()
    got = hwrnn.run(hwrnn.load(tmp_path / "m.onnx"), x.numpy())
    assert isinstance(got, np.ndarray)
    assert got.shape == wanted.shape
    assert np.array_equal(got, wanted)
