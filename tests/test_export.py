# SPDX-License-Identifier: Apache-2.0
"""hwrnn.export: what it writes, what it refuses and in which words, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from hwrnn.errors import HwrnnError, OutputError

pytestmark = pytest.mark.needs_train
if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn")

import networks  # noqa: E402 - only with torch

from hwrnn.frontend.export import export  # noqa: E402
from hwrnn.frontend.lower_cells import example_steps  # noqa: E402
from hwrnn.frontend.read import lower, read_model  # noqa: E402
from hwrnn.sim.reference import run_reference  # noqa: E402


def small(**options: Any) -> nn.Module:  # noqa: ANN401 - options of QuantLSTM
    """Last step of a QuantLSTM(3 -> 4), then two outputs."""

    class Small(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant = qnn.QuantIdentity(return_quant_tensor=True)
            self.lstm = qnn.QuantLSTM(3, 4, batch_first=True, **options)
            self.head = qnn.QuantLinear(4, 2, bias=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y, _ = self.lstm(self.quant(x))
            answer: torch.Tensor = self.head(y[:, -1])
            return answer

    torch.manual_seed(1)
    module = Small().train()
    module(torch.randn(8, 5, 3))
    return module.eval()


EXAMPLE = np.random.default_rng(3).standard_normal((2, 5, 3)).astype(np.float32)


def refusal(module: Any, path: Path, example: Any = EXAMPLE) -> str:  # noqa: ANN401
    with pytest.raises(HwrnnError) as caught:
        export(module, example, path)
    assert not list(path.parent.glob("*")), "a refused export leaves nothing behind"
    return str(caught.value)


def test_the_file_is_readable_everywhere_and_fixes_neither_batch_nor_steps(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    export(small(), torch.from_numpy(EXAMPLE), path)
    model = onnx.load(path)
    assert model.ir_version <= 13
    assert [port.name for port in model.graph.input] == ["x"]
    assert [port.name for port in model.graph.output] == ["y"]
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["batch", "steps", 3]
    assert example_steps(model) == 5
    assert any(node.op_type == "QuantLSTMCell" for node in model.graph.node)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.onnx"]


def test_the_record_is_the_modules_own_answer(tmp_path: Path) -> None:
    module = small()
    export(module, EXAMPLE, tmp_path / "m.onnx", record=True)
    record = np.load(tmp_path / "m.npz")
    assert record["input"].dtype == record["output"].dtype == np.float32
    assert (record["input"] == EXAMPLE).all()
    assert (record["output"] == module(torch.from_numpy(EXAMPLE)).detach().numpy()).all()
    lowered = lower(read_model(tmp_path / "m.onnx"))
    assert np.allclose(run_reference(lowered, EXAMPLE), record["output"], atol=1e-6)


def test_exporting_twice_gives_the_same_bytes_and_an_untouched_module(tmp_path: Path) -> None:
    module: Any = small().train()
    module.head.eval()
    x = torch.from_numpy(EXAMPLE)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    export(module, x, tmp_path / "a.onnx")
    export(module, x, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert module.training
    assert module.lstm.training
    assert not module.head.training
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_module_that_answers_with_a_quant_tensor_is_unpacked(tmp_path: Path) -> None:
    module = torch.nn.Sequential(small(), qnn.QuantIdentity(return_quant_tensor=True))
    module.train()
    module(torch.from_numpy(EXAMPLE))
    export(module, EXAMPLE, tmp_path / "m.onnx", record=True)
    answer = np.load(tmp_path / "m.npz")["output"]
    assert np.allclose(
        run_reference(lower(read_model(tmp_path / "m.onnx")), EXAMPLE), answer, atol=1e-6
    )


def test_no_recurrent_layer(tmp_path: Path) -> None:
    assert refusal(qnn.QuantLinear(3, 2, bias=False), tmp_path / "m.onnx") == (
        "module: there is no recurrent layer in it\n"
        "  hint: use brevitas.nn.QuantLSTM or hwrnn.nn.QuantGRU or brevitas.nn.QuantRNN, "
        "all quantisers on"
    )


def test_not_a_module(tmp_path: Path) -> None:
    assert refusal(7, tmp_path / "m.onnx") == (
        "module: this is int, not a torch.nn.Module\n"
        "  hint: pass the module itself, an object of a subclass of torch.nn.Module"
    )


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("LSTM", "brevitas.nn.QuantLSTM"),
        ("GRU", "hwrnn.nn.QuantGRU"),
        ("RNN", "brevitas.nn.QuantRNN"),
        ("GRUCell", "hwrnn.nn.QuantGRU"),
    ],
)
def test_unquantised_layers(tmp_path: Path, kind: str, layer: str) -> None:
    module = torch.nn.ModuleDict({"first": getattr(torch.nn, kind)(3, 4), "other": small()})
    assert refusal(module, tmp_path / "m.onnx") == (
        f'module "first": torch.nn.{kind} is not quantised\n'
        f"  hint: use {layer}, with all its quantisers on"
    )


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"sigmoid_quant": None}, "input_sigmoid, forget_sigmoid, output_sigmoid"),
        ({"cell_state_quant": None}, "cell_state"),
        (
            {"weight_quant": None, "bias_quant": None},
            "weights of the input gate, weights of the forget gate, weights of the cell gate, "
            "weights of the output gate",
        ),
    ],
)
def test_partly_quantised_cell(tmp_path: Path, options: dict[str, Any], missing: str) -> None:
    assert refusal(small(**options), tmp_path / "m.onnx") == (
        f'module "lstm.layers.0.0": the LSTM has no exact integers: {missing} has no quantiser\n'
        "  hint: of its quantisers only io_quant and gate_acc_quant can be None"
    )


def test_a_table_for_an_accumulator_that_is_too_wide(tmp_path: Path) -> None:
    assert refusal(small(gate_acc_quant=None), tmp_path / "m.onnx") == (
        'module: node "lstm/layers.0.0/input_gate/gate" (Quant): partly quantised, and has no '
        "exact integers: needs a table with 18 input bits; 16 are the most\n"
        "  hint: quantise the value in front of the sigmoid; or turn all quantisers on"
    )


def test_projections(tmp_path: Path) -> None:
    module = torch.nn.ModuleDict({"first": torch.nn.LSTM(3, 4, proj_size=2), "other": small()})
    assert refusal(module, tmp_path / "m.onnx") == (
        'module "first": torch.nn.LSTM has a projection (proj_size=2)\n'
        "  hint: no quantised layer has one: use brevitas.nn.QuantLSTM and a QuantLinear behind it"
    )


class Odd(torch.nn.Module):
    """Answers with what is no tensor."""

    def __init__(self, answer: Any) -> None:  # noqa: ANN401
        super().__init__()
        self.lstm, self.answer = qnn.QuantLSTM(3, 4, batch_first=True), answer

    def forward(self, x: torch.Tensor) -> Any:  # noqa: ANN401
        y, _ = self.lstm(x)
        return self.answer(y)


def test_what_is_no_tensor_cannot_be_an_output(tmp_path: Path) -> None:
    assert refusal(Odd(lambda y: (y, 3)), tmp_path / "m.onnx") == (
        "module: it returns a int; only tensors can be exported\n"
        "  hint: wrap the layer in a module whose forward does: y, _ = self.lstm(x); return y"
    )
    assert refusal(Odd(lambda y: {"a b": y, "a.b": y}), tmp_path / "m.onnx") == (
        "module: it returns 2 tensors in a dict of 1 names\n"
        "  hint: give each tensor a key of its own"
    )


def test_an_example_of_the_wrong_shape_or_type(tmp_path: Path) -> None:
    module = small()
    said = refusal(module, tmp_path / "m.onnx", EXAMPLE[..., :2])
    assert said.startswith(
        "example_input: the module fails on this input of shape (2, 5, 2): RuntimeError: "
    )
    assert said.endswith("  hint: call module(example_input) yourself until it works")
    assert refusal(module, tmp_path / "m.onnx", np.zeros((2, 5, 3), np.int64)) == (
        "example_input: its type is torch.int64\n  hint: give real values, in float32"
    )


def test_a_failure_inside_brevitas_leaves_the_module_usable(tmp_path: Path) -> None:
    from brevitas.quant import Int32Bias

    module = small().train()
    module.unused = qnn.QuantLinear(4, 4, bias=True, bias_quant=Int32Bias)
    x = torch.from_numpy(EXAMPLE)
    expected = module.eval()(x)
    module.train()
    said = refusal(module, tmp_path / "m.onnx")
    assert said.startswith("module: Brevitas fails to export it: RuntimeError: ")
    assert said.endswith(
        "  hint: a bias quantiser needs the scale of its layer's input: return_quant_tensor=True "
        "before it; and remove layers that forward never calls"
    )
    assert module.training
    assert torch.equal(module.eval()(x), expected)


def test_places_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    cases = {
        tmp_path / "folder": "this is a folder\n  hint: name a file in it: model.onnx",
        tmp_path / "none" / "m.onnx": "no folder to write to: it does not exist\n"
        "  hint: create it first",
        tmp_path / "file" / "m.onnx": "no folder to write to: there is a file of that name\n"
        "  hint: create it first",
    }
    for path, fact in cases.items():
        with pytest.raises(OutputError) as caught:
            export(small(), EXAMPLE, path)
        assert str(caught.value).endswith(fact)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError) as caught:
        export(small(), EXAMPLE, tmp_path / "folder" / "m.onnx")
    assert str(caught.value).endswith("this folder is not writable\n  hint: choose another folder")
    assert not list((tmp_path / "folder").iterdir())


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        export(small(), EXAMPLE, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.onnx"]
    assert path.read_bytes() == b"old"


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export(small(), EXAMPLE, tmp_path / "m.onnx")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("spec", networks.sample(4, seed=77), ids=str)
def test_random_networks_export_and_load(tmp_path: Path, spec: networks.NetworkSpec) -> None:
    example = networks.inputs(spec, spec.steps, 2, 0)
    export(networks.build(spec), example, tmp_path / "m.onnx", record=True)
    answer = np.load(tmp_path / "m.npz")["output"]
    got = run_reference(lower(read_model(tmp_path / "m.onnx")), example)
    assert got.shape == answer.shape
