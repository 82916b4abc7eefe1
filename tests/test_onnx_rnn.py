# SPDX-License-Identifier: Apache-2.0
"""Standard LSTM, GRU and RNN nodes and hand-written Scans: the cases of onnx's backend tests."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import scan_files
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.backend.test.case import node

import hwrnn
from hwrnn.errors import HwrnnError
from hwrnn.frontend.normalise import normalised
from hwrnn.ir import MatVec
from hwrnn.sim.reference import Reference

FAMILIES = ("test_lstm_", "test_gru_", "test_simple_rnn_", "test_rnn_", "test_scan")
NAMES = [
    *(f"test_lstm_{k}" for k in ("defaults", "with_initial_bias", "with_peepholes")),
    *(f"test_lstm_{k}" for k in ("batchwise", "reverse", "bidirectional")),
    *(f"test_gru_{k}" for k in ("defaults", "with_initial_bias", "seq_length")),
    *(f"test_gru_{k}" for k in ("batchwise", "reverse", "bidirectional")),
    *(f"test_simple_rnn_{k}" for k in ("defaults", "with_initial_bias", "batchwise")),
    *(f"test_simple_rnn_{k}" for k in ("reverse", "bidirectional")),
    "test_rnn_seq_length",
    "test_scan_sum",
    "test_scan9_sum",
    "test_scan9_multi_state",
    "test_scan9_scalar",
]


@dataclass(frozen=True)
class Case:
    """A backend test with everything but the sequence as a constant."""

    model: ModelProto
    x: NDArray[np.float32]
    outputs: list[NDArray[np.float32]]


@cache
def cases() -> dict[str, Case]:
    for family in ("lstm", "gru", "rnn", "scan"):
        import_module(f"onnx.backend.test.case.node.{family}")  # which makes its cases
    found = {c.name: c for c in node._NodeTestCases if c.name.startswith(FAMILIES)}
    return {name: with_constants(c) for name, c in found.items()}


def with_constants(case: Any) -> Case:  # noqa: ANN401 - onnx has no types for it
    model = ModelProto.FromString(case.model.SerializeToString())
    inputs, outputs = case.data_sets[0]
    names = [port.name for port in model.graph.input]
    (sequence,) = (name for name in names if name in {"X", "x"})
    for name, value in zip(names, inputs, strict=True):
        if name != sequence:
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    kept = [port for port in model.graph.input if port.name == sequence]
    copies = [type(port).FromString(port.SerializeToString()) for port in kept]
    del model.graph.input[:]
    model.graph.input.extend(copies)
    return Case(model, dict(zip(names, inputs, strict=True))[sequence], outputs)


def test_the_cases_are_all_there() -> None:
    assert sorted(cases()) == sorted(NAMES)
    assert len(NAMES) == 22


@pytest.mark.parametrize("name", NAMES)
def test_lowered_and_quantised(name: str, tmp_path: Path) -> None:
    """In float within 1e-5 in onnx.reference; with 16 bits within 1e-2 of the largest output."""
    case = cases()[name]
    floats = Reference(normalised(case.model)).run(case.x).values()
    for got, want in zip(floats, case.outputs, strict=True):
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= 1e-5
    path = tmp_path / "m.onnx"
    onnx.save(case.model, path)
    for scales in ("pot", "float"):
        graph = hwrnn.load(path, calibration=case.x, weight_bits=16, act_bits=16, scales=scales)
        made = hwrnn.run(graph, case.x)
        results = list(made.values()) if isinstance(made, dict) else [made]
        assert len(results) == len(case.outputs)
        for got, want in zip(results, case.outputs, strict=True):
            assert got.shape == want.shape
            assert np.abs(got - want).max() <= 1e-2 * np.abs(want).max()


@pytest.mark.parametrize(
    "name", ["test_lstm_with_peepholes", "test_gru_bidirectional", "test_scan9_multi_state"]
)
def test_the_integers_are_those_of_the_quantised_file(name: str, tmp_path: Path) -> None:
    case = cases()[name]
    onnx.save(case.model, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=case.x)
    hwrnn.verify(graph, case.x, engines=("reference", "cmodel")).check()


def recurrent(op: str, gates: int, **attributes: Any) -> ModelProto:  # noqa: ANN401
    """A node of 3 inputs and 4 units, (steps, batch, 3), with sequence_lens as an input.

    An LSTM has peepholes and initial states, too.
    """
    rng = np.random.default_rng(4)
    both = 2 if attributes.get("direction") == "bidirectional" else 1
    shapes = {"W": (both, 4 * gates, 3), "R": (both, 4 * gates, 4), "B": (both, 8 * gates)}
    more = ["h", "c", "P"] if op == "LSTM" else ["h"]
    made = {k: rng.uniform(-0.6, 0.6, n).astype(np.float32) for k, n in shapes.items()}
    made["P"] = rng.uniform(-0.9, 0.9, (both, 12)).astype(np.float32)
    for k in ("h", "c"):
        made[k] = np.repeat(rng.uniform(-0.5, 0.5, (both, 1, 4)), 3, axis=1).astype(np.float32)
    made_node = helper.make_node(
        op,
        ["X", "W", "R", "B", "lens", *more],
        ["Y", "Y_h"],
        name="rec",
        hidden_size=4,
        **attributes,
    )
    ports = [
        helper.make_tensor_value_info("X", TensorProto.FLOAT, ["steps", "batch", 3]),
        helper.make_tensor_value_info("lens", TensorProto.INT32, ["batch"]),
    ]
    ends = [
        helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["steps", both, "batch", 4]),
        helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, [both, "batch", 4]),
    ]
    used = {"W", "R", "B", *more}
    constants = [numpy_helper.from_array(v, k) for k, v in made.items() if k in used]
    graph = helper.make_graph([made_node], "g", ports, ends, constants)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def runtime(model: ModelProto, x: NDArray[np.float32], lengths: list[int]) -> list[Any]:
    engine = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return list(engine.run(None, {"X": x, "lens": np.array(lengths, np.int32)}))


ACTIVATIONS: list[tuple[str, int, list[str], dict[str, list[float]]]] = [
    ("RNN", 1, ["Relu"], {}),
    ("RNN", 1, ["Softsign"], {}),
    ("RNN", 1, ["LeakyRelu"], {"activation_alpha": [0.2]}),
    ("RNN", 1, ["ScaledTanh"], {"activation_alpha": [0.7], "activation_beta": [1.5]}),
    ("RNN", 1, ["Affine"], {"activation_alpha": [0.5], "activation_beta": [0.1]}),
    ("GRU", 3, ["HardSigmoid", "Elu"], {"activation_alpha": [0.2, 0.9], "activation_beta": [0.5]}),
    ("LSTM", 4, ["HardSigmoid", "Tanh", "Softsign"], {"activation_alpha": [0.25]}),
]


NODES: list[tuple[str, int, dict[str, Any]]] = [
    ("LSTM", 4, {"direction": "bidirectional"}),
    ("LSTM", 4, {"direction": "reverse", "input_forget": 0}),
    ("GRU", 3, {"direction": "bidirectional", "linear_before_reset": 1}),
    ("GRU", 3, {}),
    ("RNN", 1, {"direction": "reverse"}),
    *(
        (op, gates, dict[str, Any](more, activations=names))
        for op, gates, names, more in ACTIVATIONS
    ),
]


@pytest.mark.parametrize(("op", "gates", "attributes"), NODES, ids=str)
def test_lengths_and_activations_as_in_onnx_runtime(
    op: str, gates: int, attributes: dict[str, Any], tmp_path: Path
) -> None:
    model = recurrent(op, gates, **attributes)
    x = np.random.default_rng(5).uniform(-1, 1, (6, 3, 3)).astype(np.float32)
    lengths = [6, 2, 4]
    onnx.save(model, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=x, weight_bits=16, act_bits=16)
    made = hwrnn.run(graph, x, lengths=lengths)
    assert isinstance(made, dict)
    for got, want in zip(made.values(), runtime(model, x, lengths), strict=True):
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= 2e-3 * np.abs(want).max()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "clip": (
        {"clip": 3.0},
        'm.onnx: node "rec" (LSTM): has clip set, which cuts every gate\'s sum\n'
        "  hint: export it without clip: the quantiser of each sum clips it anyway",
    ),
    "activation": (
        {"activations": ["Sigmoid", "Gelu", "Tanh"]},
        "m.onnx: node \"rec\" (LSTM): has the unknown activation 'Gelu'\n"
        "  hint: known: Relu, Tanh, Sigmoid, Softsign, Softplus, Affine, LeakyRelu, "
        "ThresholdedRelu, ScaledTanh, HardSigmoid, Elu",
    ),
    "direction": (
        {"direction": "sideways"},
        "m.onnx: node \"rec\" (LSTM): has the unknown direction 'sideways'\n"
        "  hint: known: forward, reverse, bidirectional",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_by_name(case: str, tmp_path: Path) -> None:
    attributes, message = REFUSED[case]
    onnx.save(recurrent("LSTM", 4, **attributes), tmp_path / "m.onnx")
    with pytest.raises(HwrnnError) as caught:
        hwrnn.load(tmp_path / "m.onnx", calibration=np.zeros((2, 1, 3), np.float32))
    assert str(caught.value) == message


def test_constant_lengths_are_refused(tmp_path: Path) -> None:
    model = recurrent("GRU", 3)
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 3], np.int32), "lens"))
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(HwrnnError, match="sequence_lens is the constant 2, 3, not the number of"):
        hwrnn.load(tmp_path / "m.onnx", calibration=np.zeros((3, 2, 3), np.float32))


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({"weight_bits": 1}, "option weight_bits: is 1"),
        ({"act_bits": 17}, "option act_bits: is 17"),
        ({"scales": "log"}, "option scales: is 'log'"),
        ({"observer": "mean"}, "option observer: is 'mean'"),
    ],
)
def test_options_of_calibration(options: dict[str, Any], fact: str, tmp_path: Path) -> None:
    onnx.save(recurrent("GRU", 3), tmp_path / "m.onnx")
    with pytest.raises(HwrnnError, match=fact):
        hwrnn.load(tmp_path / "m.onnx", calibration=np.zeros((2, 1, 3), np.float32), **options)


@pytest.mark.parametrize("shape", [(2, 3), (0, 1, 3)])
def test_calibration_data_that_do_not_fit(shape: tuple[int, ...], tmp_path: Path) -> None:
    onnx.save(recurrent("GRU", 3), tmp_path / "m.onnx")
    with pytest.raises(HwrnnError, match="calibration: has the shape"):
        hwrnn.load(tmp_path / "m.onnx", calibration=np.zeros(shape, np.float32))


def test_calibration_with_several_lengths_and_every_observer(tmp_path: Path) -> None:
    onnx.save(recurrent("GRU", 3), tmp_path / "m.onnx")
    rng = np.random.default_rng(6)
    data = [rng.uniform(-1, 1, (n, 3, 3)).astype(np.float32) for n in (3, 7)]
    found = [
        hwrnn.load(tmp_path / "m.onnx", calibration=data, observer=observer, scales=scales)
        for observer in ("max", "percentile", "mse")
        for scales in ("pot", "float")
    ]
    want = runtime(recurrent("GRU", 3), data[1], [7, 7, 7])[0]
    for graph in found:
        made = hwrnn.run(graph, data[1])
        assert isinstance(made, dict)
        assert np.abs(made["Y"] - want).max() < 0.06


@pytest.mark.parametrize("odd", [3, 0, -4])
def test_a_scan_in_qcdq(odd: int, tmp_path: Path) -> None:
    model = scan_files.qcdq_lstm(1, odd=odd)
    onnx.save(model, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx")
    assert graph.inputs[0].axes == ("T", "F", "1")
    x = np.random.default_rng(2).uniform(-1.2, 1.2, (9, 10, 1)).astype(np.float32)
    model.opset_import[0].version = 21
    made = hwrnn.run(graph, x)
    assert isinstance(made, dict)
    for got, want in zip(made.values(), Reference(model).run(x).values(), strict=True):
        assert (got == want.astype(np.float32)).all()


def test_a_scan_with_quant_nodes(tmp_path: Path) -> None:
    model = scan_files.quant_lstm(1)
    onnx.save(model, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx")
    x = np.random.default_rng(2).uniform(-1.2, 1.2, (25, 2, 10)).astype(np.float32)
    (want,) = Reference(model).run(x).values()
    np.testing.assert_array_equal(hwrnn.run(graph, x), want.astype(np.float32))


@pytest.mark.needs_sim
def test_a_scan_in_qcdq_in_hardware(tmp_path: Path) -> None:
    small = scan_files.Sizes(features=3, units=4)
    onnx.save(scan_files.qcdq_lstm(3, small, states=False), tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx")
    x = np.random.default_rng(2).uniform(-1.2, 1.2, (5, 3, 1)).astype(np.float32)
    engines = ("reference", "cmodel", "csim", "rtl")
    hwrnn.verify(graph, x, engines=engines).check()


@pytest.mark.needs_sim
def test_peepholes_in_hardware(tmp_path: Path) -> None:
    case = cases()["test_lstm_with_peepholes"]
    onnx.save(case.model, tmp_path / "m.onnx")
    x = np.random.default_rng(3).standard_normal((3, 2, 4)).astype(np.float32)
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=x, weight_bits=6, act_bits=6)
    hwrnn.verify(graph, x, engines=("reference", "cmodel", "csim")).check()


@pytest.mark.needs_train
@pytest.mark.parametrize(("bidirectional", "scales"), [(False, "float"), (True, "pot")])
def test_a_weight_only_quantised_lstm(bidirectional: bool, scales: str, tmp_path: Path) -> None:
    """What Brevitas itself writes: Quant -> Concat -> Unsqueeze -> LSTM, with a wrong Squeeze."""
    torch = pytest.importorskip("torch")
    qnn = pytest.importorskip("brevitas.nn")
    export = pytest.importorskip("brevitas.export").export_qonnx
    off = ("bias", "io", "gate_acc", "sigmoid", "tanh", "cell_state")
    torch.manual_seed(0)
    layer = qnn.QuantLSTM(
        3, 4, batch_first=True, bidirectional=bidirectional, **{f"{k}_quant": None for k in off}
    ).eval()

    class Net(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = layer

        def forward(self, x: Any) -> Any:  # noqa: ANN401
            return self.lstm(x)[0]

    x = np.random.default_rng(1).standard_normal((2, 5, 3)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(Net(), torch.from_numpy(x), export_path=str(tmp_path / "m.onnx"), dynamo=False)
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=x, act_bits=16, scales=scales)
    want = Net()(torch.from_numpy(x)).detach().numpy()
    assert np.abs(hwrnn.run(graph, x) - want).max() <= 1e-3 * np.abs(want).max()
    part = layer.layers[0][0].input_gate_params
    integers = part.input_weight.weight_quant(part.input_weight.weight).int().numpy()
    products = [op for op in graph.scans[0].body.ops if isinstance(op, MatVec)]
    assert any((p.weights.array == integers).all() for p in products if p.weights.columns == 3)
