# SPDX-License-Identifier: Apache-2.0
"""QuantRNN and QuantGRU, from torch to hardware: some of what `make sweep` runs, and refusals."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from conftest import Golden

import hwrnn
from hwrnn.errors import HwrnnError
from hwrnn.ir import Graph

pytestmark = pytest.mark.needs_train
if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn")

import other_cells  # noqa: E402 - only with torch
from other_cells import CELLS, Case  # noqa: E402

from hwrnn.sim.module import Verdict, compare_module  # noqa: E402

OPTIONS = [Case("options", "rnn", k) for k in (5, 34, 63)]
OPTIONS += [Case("options", "gru", k) for k in (5, 34, 63, 92, 121)]
RANDOM = [Case("random", cell, k) for cell in CELLS for k in range(4)]
EXAMPLE = np.random.default_rng(3).standard_normal((4, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("cell", CELLS)
def test_the_options_are_all_there(cell: str) -> None:
    specs = other_cells.options(cell)
    assert len(specs) == len(set(specs)) == {"rnn": 72, "gru": 144}[cell]


@pytest.mark.parametrize("case", [*OPTIONS, *RANDOM], ids=str)
def test_models_module_and_reference_agree(case: Case, tmp_path: Path) -> None:
    other_cells.run_case(case, tmp_path)


class Net(torch.nn.Module):
    """A quantised input, a recurrent layer, and what a function makes of its two results."""

    def __init__(self, layer: Any, answer: Any = lambda y, _: y) -> None:  # noqa: ANN401
        super().__init__()
        self.quant = qnn.QuantIdentity(return_quant_tensor=True)
        self.rnn = layer
        self.answer = answer

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        return self.answer(*self.rnn(self.quant(x)))


def calibrated(layer: Any, answer: Any = lambda y, _: y) -> Net:  # noqa: ANN401
    net = Net(layer, answer).train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.from_numpy(EXAMPLE))
    return net.eval()


def loaded(net: Net, folder: Path) -> Graph:
    hwrnn.export(net, EXAMPLE, folder / "m.onnx")
    return hwrnn.load(folder / "m.onnx")


def make(kind: str, **options: Any) -> Any:  # noqa: ANN401
    torch.manual_seed(5)
    batch_first = {"batch_first": True} | options
    if kind == "rnn":
        return qnn.QuantRNN(3, 4, **batch_first)
    return hwrnn.nn.QuantGRU(3, 4, **batch_first)


HARDWARE = [
    ("gru", {}, 4, 7, ("csim", "rtl")),
    ("gru", {}, 2, 3, ("rtl",)),
    ("gru", {"reset_after": False}, 4, 7, ("rtl",)),
    ("gru", {"reset_after": False}, 3, 2, ("csim", "rtl")),
    ("rnn", {"bidirectional": True, "nonlinearity": "relu"}, 2, 3, ("csim", "rtl")),
    ("rnn", {"bidirectional": True}, 4, 7, ("rtl",)),
]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("rnn", {"nonlinearity": "relu"}),
        ("gru", {}),
        ("gru", {"reset_after": False, "bias": False}),
    ],
    ids=["rnn", "gru", "gru_reset_before"],
)
def test_the_forms_of_a_step(
    kind: str, options: dict[str, Any], tmp_path: Path, golden: Golden
) -> None:
    """The body of the Scan, a node a line, without the parameters of quantisers."""
    lowered = onnx.ModelProto.FromString(
        loaded(calibrated(make(kind, **options)), tmp_path).lowered or b""
    )
    scan = next(node for node in lowered.graph.node if node.op_type == "Scan")
    lines = []
    for node in next(a.g for a in scan.attribute if a.name == "body").node:
        given = node.input[:1] if node.op_type == "Quant" else node.input
        lines.append(f"{node.output[0]} = {node.op_type}({', '.join(given)})\n")
    short = {node.output[0]: node.name.split("/export_")[0] for node in lowered.graph.node}
    text = "".join(lines)
    for long, name in short.items():
        text = text.replace(f" {long})", f" {name})")
    golden(text.replace("rnn/layers.0.0/", "C/"))


@pytest.mark.needs_sim
@pytest.mark.parametrize(("kind", "options", "pe", "simd", "engines"), HARDWARE)
def test_hardware_equals_the_model(  # noqa: PLR0917 - as pytest passes them
    kind: str,
    options: dict[str, Any],
    pe: int,
    simd: int,
    engines: tuple[str, ...],
    tmp_path: Path,
) -> None:
    graph = loaded(calibrated(make(kind, **options)), tmp_path)
    want = hwrnn.run(graph, EXAMPLE, integers=True)
    assert isinstance(want, np.ndarray)
    assert len(np.unique(want)) > 20
    design = hwrnn.build(graph, "zcu104", folding={"pe": pe, "simd": simd})
    for engine in engines:
        result = hwrnn.simulate(design, EXAMPLE, engine=engine)
        assert np.array_equal(result.outputs, want)
        if engine == "rtl":
            assert result.cycles == hwrnn.estimate(design).cycles([6] * 4)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_last_state_is_that_of_each_direction(
    kind: str, batch_first: bool, bidirectional: bool, tmp_path: Path
) -> None:
    """Brevitas' own QuantRNN.forward would take the last sequence of the batch for it."""
    layer = make(kind, batch_first=batch_first, bidirectional=bidirectional)
    net = calibrated(layer, lambda _, h: h[-1])
    got = hwrnn.run(loaded(net, tmp_path), EXAMPLE)
    assert np.array_equal(np.asarray(got), net(torch.from_numpy(EXAMPLE)).detach().numpy())


@pytest.mark.parametrize("kind", CELLS)
def test_initial_states(kind: str, tmp_path: Path) -> None:
    class WithState(Net):
        def forward(self, x: Any) -> Any:  # noqa: ANN401
            first = torch.full((1, x.size(0), 4), 0.25)
            return self.rnn(self.quant(x), first)[0]

    net = WithState(make(kind)).train()
    net(torch.from_numpy(EXAMPLE))
    got = hwrnn.run(loaded(net.eval(), tmp_path), EXAMPLE)
    assert np.array_equal(np.asarray(got), net(torch.from_numpy(EXAMPLE)).detach().numpy())


def test_the_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "gru.py"))
    script["main"](str(tmp_path))
    said = capsys.readouterr().out.splitlines()
    shares = [float(line.split()[-1].rstrip("%")) for line in said[:3]]
    assert min(shares) > 90
    assert shares[1] == shares[2]
    assert (tmp_path / "project" / "rtl_project" / "README.md").is_file()


def test_differences_of_float_scales_are_traced(tmp_path: Path) -> None:
    """Many sequences, so that float32 falls on the other side of some rounding."""
    net = calibrated(make("gru", weight_bit_width=8, io_bit_width=16, gate_acc_bit_width=16))
    x = np.random.default_rng(1).standard_normal((64, 12, 3)).astype(np.float32)
    report = compare_module(loaded(net, tmp_path), x, module=net)
    assert report.verdict is Verdict.TRACED
    assert {trace.quantiser != "" for trace in report.traces} == {True}


def partly(kind: str, missing: str) -> str:
    options = {
        "rnn": "gate_acc_quant, with relu also io_quant,",
        "gru": "gate_acc_quant and one of io_quant and hidden_state_quant",
    }[kind]
    return (
        f'module "rnn.layers.0.0": the {kind.upper()} has no exact integers: {missing} has no '
        f"quantiser\n  hint: of its quantisers only {options} can be None"
    )


@pytest.mark.parametrize(
    ("kind", "off", "missing"),
    [
        ("rnn", "weight_quant", "weights of the hidden gate"),
        ("rnn", "io_quant", "output"),
        ("gru", "sigmoid_quant", "reset_sigmoid, update_sigmoid"),
        ("gru", "tanh_quant", "new_tanh"),
    ],
)
def test_partly_quantised_cells(kind: str, off: str, missing: str, tmp_path: Path) -> None:
    net = Net(make(kind, **{off: None, "bias_quant": None}))
    with pytest.raises(HwrnnError) as caught:
        hwrnn.export(net, EXAMPLE, tmp_path / "m.onnx")
    assert str(caught.value) == partly(kind, missing)


def damaged(cell: str, tmp_path: Path, change: Any) -> str:  # noqa: ANN401
    """What is said about a good file after a change of its cell."""
    hwrnn.export(calibrated(make(cell)), EXAMPLE, tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    change(model, next(n for n in model.graph.node if n.domain == "hwrnn.custom_op"))
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(HwrnnError) as caught:
        hwrnn.load(tmp_path / "m.onnx")
    return str(caught.value)


def test_a_cell_with_too_few_inputs(tmp_path: Path) -> None:
    def change(_: Any, node: Any) -> None:  # noqa: ANN401
        del node.input[30:]

    assert damaged("gru", tmp_path, change) == (
        'm.onnx: node "rnn/layers.0.0": a QuantGRUCell has 39 inputs, this one has 30\n'
        "  hint: export it again with hwrnn.export(module, example_input, path)"
    )


def test_an_unknown_nonlinearity(tmp_path: Path) -> None:
    def change(_: Any, node: Any) -> None:  # noqa: ANN401
        next(a for a in node.attribute if a.name == "nonlinearity").s = b"elu"

    assert damaged("rnn", tmp_path, change) == (
        'node "rnn/layers.0.0": a QuantRNNCell with the nonlinearity "elu"\n'
        "  hint: known: tanh, relu"
    )


def test_a_scale_of_zero(tmp_path: Path) -> None:
    def change(model: Any, node: Any) -> None:  # noqa: ANN401
        scale = next(t for t in model.graph.initializer if t.name == node.input[33])
        scale.CopyFrom(onnx.numpy_helper.from_array(np.array(0, np.float32), scale.name))

    assert damaged("gru", tmp_path, change).startswith(
        'm.onnx: node "rnn/layers.0.0": quantiser update_sigmoid has a scale of 0; '
    )
