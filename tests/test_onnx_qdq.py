# SPDX-License-Identifier: Apache-2.0
"""Files that other tools quantised: QuantizeLinear and DequantizeLinear around float layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from test_onnx_inputs import BATCH, SEQUENCE, UNITS, File, X, runtime

import hwrnn
from hwrnn.errors import HwrnnError
from hwrnn.ir import MatVec

CLASSES, STEP = 3, 1 / 64
WEIGHTS = np.random.default_rng(5).integers(-127, 100, (CLASSES, UNITS))


def linear(file: File, x: str, y: str, scale: float, kind: type) -> None:
    """A QuantizeLinear and its DequantizeLinear."""
    file.const(f"{y}_scale", scale)
    file.const(f"{y}_zero", 128 if kind is np.uint8 else 0, kind)
    file.node("QuantizeLinear", [x, f"{y}_scale", f"{y}_zero"], f"{y}_q")
    file.node("DequantizeLinear", [f"{y}_q", f"{y}_scale", f"{y}_zero"], y)


def quantised(*, per_channel: bool, kind: type) -> File:
    """The input, what a dense layer takes, its weights and its result are quantised."""
    file = File(X=SEQUENCE)
    zero = 131 if kind is np.uint8 else 0
    linear(file, "X", "x", 1 / 100, kind)
    file.cell("GRU", "x")
    file.const("none", [0], np.int64)
    file.node("Squeeze", ["Y_h", "none"], "last")
    linear(file, "last", "dense_in", 1 / 110, kind)
    scale = np.full(CLASSES, 0.02) * [1, 1.5, 0.75] if per_channel else 0.02
    file.const("w_scale", scale)
    file.const("w_zero", np.full(np.shape(scale), zero), kind)
    file.const("w_q", WEIGHTS + zero, kind)
    more = {"axis": 0} if per_channel else {}
    file.node("DequantizeLinear", ["w_q", "w_scale", "w_zero"], "w", **more)
    file.const("b_q", [1000, -500, 3], np.int32)
    file.const("b_scale", scale / 110)
    file.const("b_zero", np.zeros(np.shape(scale), np.int32), np.int32)
    file.node("DequantizeLinear", ["b_q", "b_scale", "b_zero"], "b", **more)
    file.node("Gemm", ["dense_in", "w", "b"], "dense", transB=1)
    linear(file, "dense", "scores", STEP, kind)
    return file


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("scales", ["pot", "float"])
def test_what_is_quantised_keeps_its_integers(
    per_channel: bool, kind: type, scales: str, tmp_path: Path
) -> None:
    """Only the GRU is calibrated: scores are within a step of those of ONNX Runtime."""
    model = quantised(per_channel=per_channel, kind=kind).model("scores")
    (want,) = runtime(model, {"X": X})
    onnx.save(model, tmp_path / "m.onnx")
    graph = hwrnn.load(
        tmp_path / "m.onnx", calibration=X, weight_bits=16, act_bits=14, scales=scales
    )
    made = np.asarray(hwrnn.run(graph, X))
    assert made.shape == want.shape == (BATCH, CLASSES)
    assert np.abs(made - want).max() <= STEP * 1.001
    assert (np.abs(made - want) <= 1e-6).mean() > 0.7
    (dense,) = [op for op in graph.ops if isinstance(op, MatVec)]
    assert dense.weights.array.tolist() == WEIGHTS.tolist()
    first = graph.inputs[0].quantiser
    assert first is not None
    assert float(first.scale[0]) == float(np.float32(1 / 100))
    hwrnn.verify(graph, X, engines=("reference", "cmodel")).check()


@pytest.mark.parametrize("op", ["DynamicQuantizeLSTM", "QGemm"])
def test_what_another_engine_runs_is_refused(op: str, tmp_path: Path) -> None:
    model = quantised(per_channel=False, kind=np.int8).model("scores")
    more = helper.make_node(op, ["X", "w_q"], ["more"], name="n_more", domain="com.microsoft")
    model.graph.node.append(more)
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(HwrnnError) as caught:
        hwrnn.load(tmp_path / "m.onnx", calibration=X)
    assert str(caught.value) == (
        f'm.onnx: node "n_more": a {op} node, quantised for another engine\n'
        "  hint: give the float file with calibration=x, or quantise to QuantizeLinear and "
        "DequantizeLinear (QuantFormat.QDQ)"
    )
