# SPDX-License-Identifier: Apache-2.0
"""Broken model files, each beside the whole message it gets; no torch needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from hwrnn.errors import ImportFault
from hwrnn.frontend.cell_nodes import QONNX_DOMAIN, QUANT_LSTM
from hwrnn.frontend.lower_cells import example_steps
from hwrnn.frontend.read import lower, read_model

Change = Callable[[onnx.ModelProto], object]
HIDDEN, INPUTS = 2, 3


def constant(model: onnx.ModelProto, name: str, value: object) -> str:
    """Add an initialiser, or replace it."""
    array = np.asarray(value, np.float32)
    for entry in model.graph.initializer:
        if entry.name == name:
            entry.CopyFrom(numpy_helper.from_array(array, name))
            return name
    model.graph.initializer.append(numpy_helper.from_array(array, name))
    return name


def quant(model: onnx.ModelProto, source: str, name: str, bits: int = 8) -> str:
    """Add a Quant node in Brevitas' style."""
    parts = [("scale", 0.125), ("zero_point", 0), ("bit_width", bits)]
    inputs = [source, *(constant(model, f"{name}.{part}", value) for part, value in parts)]
    node = helper.make_node(
        "Quant",
        inputs,
        [f"{name}.out"],
        name=f"/{name}/export_handler/Quant",
        domain=QONNX_DOMAIN,
        signed=1,
        narrow=0,
        rounding_mode="ROUND",
    )
    model.graph.node.append(node)
    return f"{name}.out"


def good_model() -> onnx.ModelProto:
    """One QuantLSTMCell with a Quant in front, written by hand as Brevitas writes it."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "steps", INPUTS])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "steps", HIDDEN])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(QONNX_DOMAIN, 2)]
    graph = helper.make_graph([], "g", [x], [y])
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    rng = np.random.default_rng(0)
    inputs = [quant(model, "x", "q/act_quant")]
    inputs += [constant(model, name, np.zeros((1, HIDDEN))) for name in ("h", "c")]
    for kind, columns in (("w_x", INPUTS), ("w_h", HIDDEN)):
        for gate in "ifco":
            weight = constant(model, f"{kind}{gate}", rng.standard_normal((HIDDEN, columns)))
            inputs.append(quant(model, weight, f"lstm/{kind}{gate}", 4))
    inputs += [constant(model, f"b{gate}", np.zeros(())) for gate in "ifco"]
    for name in QUANT_LSTM.quantisers:
        parts = [("scale", 0.0625), ("zero_point", 0), ("bit_width", 8)]
        inputs += [constant(model, f"{name}.{part}", value) for part, value in parts]
    kinds: dict[str, int | str] = {"batch_first": 1, "reverse_input": 0, "cifg": 0}
    for name in QUANT_LSTM.quantisers:
        irregular = name == "output_sigmoid"
        kinds[f"{name}_narrow_range" if irregular else f"{name}_narrow"] = 0
        kinds[f"{name}_signed"] = int("sigmoid" not in name)
        kinds[f"{name}_rounding_mode"] = "ROUND"
    cell = helper.make_node(
        "QuantLSTMCell",
        inputs,
        ["y", "h_last", "c_last"],
        name="/lstm/layers.0.0/export_handler/QuantLSTMCell",
        domain=QONNX_DOMAIN,
    )
    cell.attribute.extend(helper.make_attribute(key, kind) for key, kind in kinds.items())
    model.graph.node.append(cell)
    return model


def said(path: Path) -> str:
    with pytest.raises(ImportFault) as caught:
        read_model(path)
    return str(caught.value)


def broken(tmp_path: Path, change: Change) -> str:
    """The message for the good model after `change`."""
    model = good_model()
    change(model)
    onnx.save(model, tmp_path / "model.onnx")
    return said(tmp_path / "model.onnx")


def node(model: onnx.ModelProto, kind: str) -> NodeProto:
    found: NodeProto = next(entry for entry in model.graph.node if entry.op_type == kind)
    return found


def test_the_good_model_is_good(tmp_path: Path) -> None:
    onnx.save(good_model(), tmp_path / "model.onnx")
    lowered = lower(read_model(tmp_path / "model.onnx"))
    assert [entry.op_type for entry in lowered.graph.node].count("Scan") == 1
    onnx.checker.check_model(lowered.model)


def test_the_examples_steps_are_kept_aside(tmp_path: Path) -> None:
    """A file of Brevitas' own exporter has the example's shape in its input."""
    model = good_model()
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (5, 7), strict=False):
        dim.dim_value = size
    onnx.save(model, tmp_path / "model.onnx")
    lowered = lower(read_model(tmp_path / "model.onnx")).model
    dims = lowered.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param for dim in dims[:2]] == ["batch", "steps"]
    assert example_steps(lowered) == 7
    lowered.metadata_props[0].value = "seven"
    assert example_steps(lowered) is None


def test_tidying_leaves_the_meaning(tmp_path: Path) -> None:
    """Constant nodes, Identity of a constant, weights as inputs, IntQuant."""
    model = good_model()
    cell = node(model, "QuantLSTMCell")
    first = model.graph.initializer[0]
    moved = TensorProto.FromString(first.SerializeToString())
    model.graph.initializer.remove(first)
    model.graph.node.insert(0, helper.make_node("Constant", [], [moved.name], value=moved))
    model.graph.node.insert(0, helper.make_node("Identity", [cell.input[1]], ["h_copy"]))
    node(model, "QuantLSTMCell").input[1] = "h_copy"
    node(model, "Quant").op_type = "IntQuant"
    model.graph.input.append(helper.make_tensor_value_info("w_xi", TensorProto.FLOAT, [2, 3]))
    onnx.save(model, tmp_path / "model.onnx")
    read = read_model(tmp_path / "model.onnx")
    kinds = {entry.op_type for entry in read.graph.node}
    assert kinds == {"Quant", "QuantLSTMCell"}
    assert [port.name for port in read.graph.input] == ["x"]
    assert read.get_initializer("h_copy").shape == (1, HIDDEN)


def test_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(Path("none.onnx")) == (
        "none.onnx: there is no such file\n"
        "  hint: check the path; hwrnn.export(module, example_input, path) writes one"
    )


def test_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    assert said(Path("models")) == (
        "models: this is a folder\n  hint: name the .onnx file inside it"
    )


DAMAGED = (
    "model.onnx: not an ONNX file, or one that was cut short\n"
    "  hint: copy it again, or export it again with hwrnn.export(module, example_input, path)"
)


@pytest.mark.parametrize("content", [b"", b"hello, world", b"\x00" * 64, b"PK\x03\x04" * 9])
def test_garbage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    assert said(tmp_path / "model.onnx") == DAMAGED


def test_truncated_anywhere(tmp_path: Path) -> None:
    whole = good_model().SerializeToString()
    for length in [*range(0, len(whole) - 1, 97), len(whole) - 1]:
        (tmp_path / "model.onnx").write_bytes(whole[:length])
        assert said(tmp_path / "model.onnx") == DAMAGED


def test_missing_external_data(tmp_path: Path) -> None:
    model = good_model()
    constant(model, "w_xi", np.ones((HIDDEN, 1000)))
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=100)
    (tmp_path / "weights").unlink()
    assert said(path) == (
        "model.onnx: the external data of this model cannot be read\n"
        "  hint: keep its data file beside it, under the name it had when it was saved"
    )


def no_cell(model: onnx.ModelProto) -> None:
    cell = node(model, "QuantLSTMCell")
    quantised = cell.input[0]
    model.graph.node.remove(cell)
    model.graph.node.append(helper.make_node("Relu", [quantised], ["y"], name="relu"))


def test_no_recurrent_layer(tmp_path: Path) -> None:
    assert broken(tmp_path, no_cell) == (
        "model.onnx: there is no recurrent layer in this graph (QuantLSTMCell, QuantRNNCell, "
        "QuantGRUCell, Scan, LSTM, GRU, RNN)\n"
        "  hint: hwrnn compiles recurrent networks; for others use FINN or hls4ml"
    )


def test_the_empty_graph_of_brevitas_default_exporter(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        no_cell(model)
        node(model, "Relu").input[0] = "lstm/w_xi.out"

    assert broken(tmp_path, change) == (
        "model.onnx: the graph holds constants only: nothing in it reads the input\n"
        "  hint: Brevitas' default exporter loses recurrent layers; use hwrnn.export(module, "
        "example_input, path), or export_qonnx(..., dynamo=False)"
    )


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("LSTM", "brevitas.nn.QuantLSTM"),
        ("GRU", "hwrnn.nn.QuantGRU"),
        ("RNN", "brevitas.nn.QuantRNN"),
    ],
)
def test_unquantised_standard_nodes(tmp_path: Path, kind: str, layer: str) -> None:
    def change(model: onnx.ModelProto) -> None:
        given = ["x", "w_xi", "w_hi"]
        model.graph.node.insert(0, helper.make_node(kind, given, ["s"], name="/enc/rnn"))

    assert broken(tmp_path, change) == (
        f'model.onnx: node "enc/rnn": a standard {kind} node, whose state and gates are not '
        "quantised\n  hint: quantise it with hwrnn.load(path, calibration=x) or --calibration "
        f"x.npy, or train with {layer}, all its quantisers on"
    )


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (-0.5, "-0.5"), (float("nan"), "nan"), (np.inf, "inf")]
)
def test_scale_of_a_cell_quantiser(tmp_path: Path, value: float, shown: str) -> None:
    assert broken(tmp_path, lambda model: constant(model, "forget_acc.scale", value)) == (
        f'model.onnx: node "lstm/layers.0.0": quantiser forget_acc has a scale of {shown}; '
        "a scale must be positive and finite\n"
        "  hint: calibrate again; an activation that is always zero gives a scale of 0"
    )


def test_scale_of_one_channel_of_a_quant_node(tmp_path: Path) -> None:
    assert broken(tmp_path, lambda m: constant(m, "lstm/w_xi.scale", [[0.5], [0.0]])) == (
        'model.onnx: node "lstm/w_xi": this quantiser has a scale of 0; '
        "a scale must be positive and finite\n"
        "  hint: calibrate again; an activation that is always zero gives a scale of 0"
    )


def test_zero_points(tmp_path: Path) -> None:
    hint = "\n  hint: round the zero point, as Brevitas' quantisers do"
    assert broken(tmp_path, lambda m: constant(m, "q/act_quant.zero_point", 3.25)) == (
        'model.onnx: node "q/act_quant": this quantiser has a zero point of 3.25; '
        "it must be a whole number" + hint
    )
    assert broken(tmp_path, lambda m: constant(m, "output.zero_point", -0.5)) == (
        'model.onnx: node "lstm/layers.0.0": quantiser output has a zero point of -0.5; '
        "it must be a whole number" + hint
    )


@pytest.mark.parametrize(("bits", "shown"), [(1, "1"), (4.5, "4.5"), (64, "64"), (np.nan, "nan")])
def test_bit_widths(tmp_path: Path, bits: float, shown: str) -> None:
    assert broken(tmp_path, lambda m: constant(m, "cell_tanh.bit_width", bits)) == (
        f'model.onnx: node "lstm/layers.0.0": quantiser cell_tanh has a bit width of {shown}; '
        "it must be a whole number, 2 to 32\n"
        "  hint: choose a bit width from 2 to 16 for activations"
    )


def test_rounding_mode(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        for entry in node(model, "QuantLSTMCell").attribute:
            if entry.name == "output_acc_rounding_mode":
                entry.s = b"STOCHASTIC"

    assert broken(tmp_path, change) == (
        "model.onnx: node \"lstm/layers.0.0\": quantiser output_acc rounds by 'STOCHASTIC'\n"
        "  hint: known: ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, ROUND_TO_ZERO, HALF_UP, HALF_DOWN"
    )


def test_a_scale_that_the_graph_computes(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        index = QUANT_LSTM.quantiser("cell_state").start
        model.graph.node.insert(0, helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0))
        node(model, "QuantLSTMCell").input[index] = "top"

    assert broken(tmp_path, change) == (
        'model.onnx: node "lstm/layers.0.0": quantiser cell_state has a scale, zero point or bit '
        "width that the graph computes\n"
        "  hint: export the module in eval mode, with scales that are constants"
    )


def test_weights_without_a_quantiser(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        node(model, "QuantLSTMCell").input[9] = "w_hc"

    assert broken(tmp_path, change) == (
        'model.onnx: node "lstm/layers.0.0": the weights of the cell gate are not quantised\n'
        "  hint: give the layer a weight_quant, such as Int8WeightPerTensorFloat"
    )


@pytest.mark.parametrize(("value", "what"), [(np.nan, "NaN"), (-np.inf, "an infinite value")])
def test_numbers_that_are_none(tmp_path: Path, value: float, what: str) -> None:
    def change(model: onnx.ModelProto) -> None:
        weights = np.ones((HIDDEN, INPUTS))
        weights[1, 2] = value
        constant(model, "w_xi", weights)

    assert broken(tmp_path, change) == (
        f'model.onnx: tensor "w_xi": it holds {what}\n'
        "  hint: the training diverged here; load an earlier checkpoint"
    )


def test_a_graph_that_is_none(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        node(model, "Quant").input[0] = "nowhere"

    message = broken(tmp_path, change)
    assert message.startswith("model.onnx: the graph breaks a rule of ONNX: ")
    assert message.endswith(
        "\n  hint: export it again with hwrnn.export(module, example_input, path)"
    )


def test_a_cell_with_missing_inputs(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        del node(model, "QuantLSTMCell").input[40:]

    assert broken(tmp_path, change) == (
        'model.onnx: node "lstm/layers.0.0": a QuantLSTMCell has 48 inputs, this one has 40\n'
        "  hint: export it again with hwrnn.export(module, example_input, path)"
    )


def test_names_are_shown_on_one_line_and_short(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        node(model, "QuantLSTMCell").name = 'a"\n$(rm -rf x)[exit]' + "z" * 10_000
        constant(model, "forget_acc.scale", 0)

    message = broken(tmp_path, change)
    assert len(message.splitlines()) == 2
    assert len(message.splitlines()[0]) < 250
