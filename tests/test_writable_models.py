# SPDX-License-Identifier: Apache-2.0
"""Writable weights with models that torch exports: trained twice, loaded by the command line."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwrnn
from hwrnn.backends.image import read_writes
from hwrnn.cli import main
from hwrnn.ir import Graph

pytestmark = pytest.mark.needs_train

FOLD = {"pe": 2, "simd": 4}


def export(path: Path, seed: int, *, power_of_two: bool, hidden: int = 4) -> Path:
    """An LSTM and a dense layer with per-channel weights, calibrated on data of its own."""
    import torch
    from brevitas import nn as qnn
    from brevitas import quant
    from brevitas.quant import fixed_point

    weight: Any = quant.Int8WeightPerChannelFloat
    act: Any = quant.Int8ActPerTensorFloat
    if power_of_two:
        weight = fixed_point.Int8WeightPerChannelFixedPoint
        act = fixed_point.Int8ActPerTensorFixedPoint

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant_in = qnn.QuantIdentity(act, return_quant_tensor=True)
            self.lstm = qnn.QuantLSTM(
                3, hidden, batch_first=True, weight_quant=weight, io_quant=act, gate_acc_quant=act
            )
            self.head = qnn.QuantLinear(hidden, 2, bias=True, weight_quant=weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.head(self.lstm(self.quant_in(x))[0][:, -1])
            return y

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        module = Module()
        module(torch.randn(32, 5, 3))
        hwrnn.export(module.eval(), torch.randn(2, 5, 3), path)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two models with float scales, one with powers of two, one of another size."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "first": export(folder / "first.onnx", 1, power_of_two=False),
        "second": export(folder / "second.onnx", 2, power_of_two=False),
        "powers": export(folder / "powers.onnx", 3, power_of_two=True),
        "bigger": export(folder / "bigger.onnx", 3, power_of_two=False, hidden=5),
    }


def graph_of(models: dict[str, Path], name: str) -> Graph:
    return hwrnn.load(models[name])


@pytest.mark.needs_sim
def test_trained_models_swap(models: dict[str, Path]) -> None:
    design = hwrnn.build(graph_of(models, "first"), folding=FOLD, writable_weights=True)
    x = np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32)
    for name in ("first", "second", "powers"):
        graph = graph_of(models, name)
        image = None if name == "first" else hwrnn.weights(design, graph)
        found = hwrnn.simulate(design, x, image=image)
        assert np.array_equal(found.outputs, np.asarray(hwrnn.run(graph, x, integers=True))), name
        assert found.cycles == hwrnn.estimate(design, 5).cycles(6)


def test_the_command_writes_what_the_function_gives(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "image.txt"
    arguments = ["--like", str(models["first"]), "--board", "kv260", "-o", str(out)]
    assert main(["weights", str(models["second"]), *arguments]) == 0
    told = capsys.readouterr().out
    header, writes = read_writes(out)
    design = hwrnn.build(graph_of(models, "first"), "kv260", writable_weights=True)
    image = hwrnn.weights(design, graph_of(models, "second"))
    assert writes == image.words
    assert header["model"] == "second"
    assert f"{len(writes):,} words, layout {image.layout:08x}" in " ".join(told.split())


def test_the_command_refuses_another_size_by_name(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "image.txt"
    arguments = ["--like", str(models["first"]), "--board", "kv260", "-o", str(out)]
    assert main(["weights", str(models["bigger"]), *arguments]) == 2
    told = capsys.readouterr().err
    assert "model bigger, layer lstm_l0d0, state %lstm_l0d0_h: is -128..127 x 5" in told
    assert "and -128..127 x 4 in the design" in told
    assert not out.exists()


def test_the_weights_of_a_model_declare_their_quantiser(models: dict[str, Path]) -> None:
    assert "declared = -127..127" in str(graph_of(models, "first"))
