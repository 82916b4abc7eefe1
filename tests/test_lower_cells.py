# SPDX-License-Identifier: Apache-2.0
"""LowerRecurrentCells: its forms, and that the lowered file means what the exported one means.

Rung 1 (the lowered file in onnx.reference, float64) must equal tests/exact_cell.py (the exported
file, exact) on every sequence without a near tie, and equal the module where it has to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hwrnn.errors import ImportFault, VerifyError

pytestmark = pytest.mark.needs_train
if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = pytest.importorskip("torch")

import exact_cell  # noqa: E402 - only with torch
import networks  # noqa: E402

from hwrnn.frontend.export import export  # noqa: E402
from hwrnn.frontend.lower_cells import LowerRecurrentCells  # noqa: E402
from hwrnn.frontend.read import lower, read_model  # noqa: E402
from hwrnn.sim.reference import Quant, Reference, run_reference, to_double  # noqa: E402

SWEEP = networks.sample(25, seed=2)
BASE = replace(
    networks.sample(1, seed=5)[0],
    inputs=3,
    hidden=4,
    layers=1,
    batch_first=True,
    bidirectional=False,
    shared_input_hidden_weights=False,
    cifg=False,
    bias="int32",
    select="sequence",
    quant_select_bits=0,
    dense=(),
)


@dataclass(frozen=True)
class Exported:
    """One network in its forms."""

    spec: networks.NetworkSpec
    module: nn.Module
    path: Path


Maker = Callable[[networks.NetworkSpec], Exported]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    folder = tmp_path_factory.mktemp("models")

    @cache
    def make(spec: networks.NetworkSpec) -> Exported:
        module = networks.build(spec)
        path = folder / f"{len(list(folder.iterdir()))}.onnx"
        export(module, networks.inputs(spec, spec.steps, 2, 0), path)
        return Exported(spec, module, path)

    return make


def answer(module: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(module(torch.from_numpy(x)).numpy())


@pytest.mark.parametrize("spec", SWEEP, ids=lambda spec: f"seed{spec.seed}")
def test_lowered_file_means_what_the_exported_file_means(
    exported: Maker, spec: networks.NetworkSpec
) -> None:
    model = exported(spec)
    steps = spec.steps if spec.select == "flatten" else spec.steps + 3
    x = networks.inputs(spec, steps, 3, 1)
    got = run_reference(lower(read_model(model.path)), x)
    exact = exact_cell.Exact(model.path).run(x)
    assert got.shape == exact.outputs.shape
    axis = 1 if got.ndim == 3 and not spec.batch_first else 0
    for sequence in range(3):
        mine = np.take(got, sequence, axis)
        true = np.take(exact.outputs, sequence, axis).astype(np.float64)
        if np.allclose(mine, true, rtol=1e-12, atol=1e-12):
            continue
        assert not spec.pot, f"{spec} with power-of-two scales float64 is exact"
        ties = [tie for tie in exact.near_ties if tie.sequence in (-1, sequence)]
        print(f"{spec} sequence {sequence} differs; near ties: {ties}")  # noqa: T201
        assert ties, f"{spec}: sequence {sequence} differs without a near tie"


@pytest.mark.parametrize("spec", SWEEP, ids=lambda spec: f"seed{spec.seed}")
def test_module_agrees_where_float32_is_exact(exported: Maker, spec: networks.NetworkSpec) -> None:
    model = exported(spec)
    if not networks.pot_condition(onnx.load(model.path)):
        return
    steps = spec.steps if spec.select == "flatten" else spec.steps + 2
    x = networks.inputs(spec, steps, 16, 2)
    got = run_reference(lower(read_model(model.path)), x)
    said = answer(model.module, x)
    if spec.dense and spec.dense[-1].bias == "float":
        # The module's own sum with the unquantised bias is rounded to float32, step by step.
        assert np.abs(got - said).max() <= 64 * np.spacing(np.float32(1 + np.abs(said).max()))
    else:
        assert (got == said).all()


def test_the_sweep_has_enough_of_both_kinds(exported: Maker) -> None:
    holds = [networks.pot_condition(onnx.load(exported(spec).path)) for spec in SWEEP]
    assert 10 <= sum(holds) <= 20


def form(model: onnx.ModelProto) -> str:
    """The graph with short names and without quantiser parameters, one node a line."""

    def line(node: onnx.NodeProto, short: dict[str, str]) -> str:
        ends = 1 if node.op_type == "Quant" else None
        given = [short.get(name, name) for name in node.input[:ends] if name]
        made = [short.get(name, name) for name in node.output]
        plain = {
            entry.name: helper.get_attribute_value(entry)
            for entry in node.attribute
            if entry.type != onnx.AttributeProto.GRAPH and node.op_type != "Quant"
        }
        shown = "".join(f" {name}={value}" for name, value in plain.items())
        return f"{', '.join(made)} = {node.op_type}({', '.join(given)}){shown}"

    lines = []
    short = {node.output[0]: node.name.split("/export_")[0] for node in model.graph.node}
    short |= {entry.name: "[zeros]" for entry in model.graph.initializer if "row" in entry.name}
    for node in model.graph.node:
        lines.append(line(node, short))
        for entry in node.attribute:
            if entry.type == onnx.AttributeProto.GRAPH:
                lines += ["  " + line(sub, short) for sub in entry.g.node]
    return "\n".join(lines).replace("lstm/layers.0.0/", "C/") + "\n"


EXPECTED_BODY = """\
  C/input_gate/x_part = MatMul(C/x_t, C/input_gate/w_x)
  C/input_gate/h_part = MatMul(C/h, C/input_gate/w_h)
  C/input_gate/sum = Add(C/input_gate/x_part, C/input_gate/h_part)
  C/input_gate/acc = Add(C/input_gate/sum, /C/bias_quant)
  C/input_gate/acc_q = Quant(C/input_gate/acc)
  C/input_gate/act = Sigmoid(C/input_gate/acc_q)
  C/input_gate/gate = Quant(C/input_gate/act)
"""
EXPECTED_TAIL = """\
  C/kept/raw = Mul(C/forget_gate/gate, C/c)
  C/kept = Quant(C/kept/raw)
  C/added/raw = Mul(C/input_gate/gate, C/cell_gate/gate)
  C/added = Quant(C/added/raw)
  C/c_next/raw = Add(C/kept, C/added)
  C/c_next = Quant(C/c_next/raw)
  C/c_tanh/raw = Tanh(C/c_next)
  C/c_tanh = Quant(C/c_tanh/raw)
  C/h_next/raw = Mul(C/output_gate/gate, C/c_tanh)
  C/h_next = Quant(C/h_next/raw)
  C/y_t = Identity(C/h_next)
"""


def test_forms_of_a_plain_cell(exported: Maker) -> None:
    text = form(lower(read_model(exported(BASE).path)).model)
    assert EXPECTED_BODY in text
    assert EXPECTED_TAIL in text
    assert "C/h_first = Expand([zeros], C/state_shape)\n" in text
    assert "C/batch = Gather(C/x_shape, C/batch_axis) axis=0\n" in text
    assert "C/state_shape = Concat(C/batch, C/units) axis=0\n" in text
    assert "C/x_steps = Transpose(/C/output_quant) perm=[1, 0, 2]\n" in text
    assert "C/input_gate/w_x = Transpose(/C/input_weight/weight_quant) perm=[1, 0]\n" in text
    assert "C/y_scan = Scan(C/h_first, C/c_first, C/x_steps) num_scan_inputs=1\n" in text
    assert "Slice" not in text


def test_forms_of_the_variants(exported: Maker) -> None:
    spec = replace(BASE, batch_first=False, bidirectional=True, cifg=True, bias="none")
    text = form(lower(read_model(exported(spec).path)).model)
    assert "Transpose(/C/output_quant)" not in text
    assert "  C/input_gate/acc_q = Quant(C/input_gate/sum)\n" in text
    assert "  C/forget_gate/one = Quant(C/one)\n" in text
    assert "  C/forget_gate/gate = Sub(C/forget_gate/one, C/input_gate/gate)\n" in text
    assert "C/forget_gate/w_x" not in text
    reverse = ", ".join(
        f"lstm/layers.0.1/reverse/{part}" for part in ("from", "to", "axis", "step")
    )
    assert f"lstm/layers.0.1/x_scan = Slice(/lstm/layers.0.1/output_quant, {reverse})\n" in text
    assert f"Slice(lstm/layers.0.1/y_scan, {reverse})\n" in text


def test_an_unquantised_bias_is_copied_into_the_body(exported: Maker) -> None:
    text = form(lower(read_model(exported(replace(BASE, bias="float")).path)).model)
    assert "  C/input_gate/acc = Add(C/input_gate/sum, C/input_gate/bias)\n" in text


def test_last_states_are_the_last_steps(exported: Maker) -> None:
    spec = replace(BASE, bidirectional=True)
    lowered = lower(read_model(exported(spec).path))
    scans = [node for node in lowered.graph.node if node.op_type == "Scan"]
    x = networks.inputs(spec, 6, 3, 0)
    tensors = Reference(lowered).intermediates(x)
    y = tensors["y"]
    assert (tensors[scans[0].output[0]] == y[:, -1, :4]).all()
    assert (tensors[scans[1].output[0]] == y[:, 0, 4:]).all()
    assert tensors[scans[0].output[1]].shape == (3, 4)


def test_other_transformations_may_clean_up_around_it(exported: Maker) -> None:
    spec = replace(BASE, layers=2, bidirectional=True)
    model = read_model(exported(spec).path)
    tidied = model.transform(LowerRecurrentCells())
    onnx.checker.check_model(tidied.model, full_check=False)
    x = networks.inputs(spec, 6, 3, 0)
    assert (run_reference(tidied, x) == run_reference(lower(model), x)).all()


def test_the_plain_reference_evaluator_runs_the_file_in_float32(
    exported: Maker, tmp_path: Path
) -> None:
    from onnx.reference import ReferenceEvaluator

    spec = replace(BASE, pot=True, bidirectional=True)
    lowered = lower(read_model(exported(spec).path))
    lowered.save(str(tmp_path / "lowered.onnx"))
    engine = ReferenceEvaluator(str(tmp_path / "lowered.onnx"), new_ops=[Quant])
    x = networks.inputs(spec, 5, 2, 0)
    results = engine.run(["y"], {"x": x})
    assert isinstance(results, list)
    assert np.allclose(results[0], run_reference(lowered, x), atol=0.1)


def quant_in_plain_onnx(graph: onnx.GraphProto, constants: dict[str, np.ndarray]) -> None:
    """Quant as Div, Clip, Round, Mul, so that an engine which has no Quant runs the graph."""
    known = constants | {e.name: numpy_helper.to_array(e) for e in graph.initializer}
    nodes = []
    for node in graph.node:
        for entry in node.attribute:
            if entry.type == onnx.AttributeProto.GRAPH:
                quant_in_plain_onnx(entry.g, known)
        if node.op_type != "Quant":
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
            continue
        kind = {e.name: helper.get_attribute_value(e) for e in node.attribute}
        signed, narrow = kind["signed"], kind["narrow"]
        high = 2 ** (int(known[node.input[3]]) - signed) - 1 - (narrow and not signed)
        low = (-high - 1 + narrow) if signed else 0
        at = node.output[0]
        for name, value in (("low", low), ("high", high)):
            limit = numpy_helper.from_array(np.array(value, np.float64), f"{at}:{name}")
            graph.initializer.append(limit)
        nodes += [
            helper.make_node("Div", node.input[:2], [f"{at}:1"]),
            helper.make_node("Clip", [f"{at}:1", f"{at}:low", f"{at}:high"], [f"{at}:2"]),
            helper.make_node("Round", [f"{at}:2"], [f"{at}:3"]),
            helper.make_node("Mul", [f"{at}:3", node.input[1]], [at]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


@pytest.mark.parametrize("spec", SWEEP[:8], ids=lambda spec: f"seed{spec.seed}")
def test_onnx_runtime_agrees(exported: Maker, spec: networks.NetworkSpec) -> None:
    runtime = pytest.importorskip("onnxruntime")
    lowered = lower(read_model(exported(spec).path))
    plain = to_double(lowered.model)
    quant_in_plain_onnx(plain.graph, {})
    session = runtime.InferenceSession(
        plain.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    steps = spec.steps if spec.select == "flatten" else spec.steps + 1
    x = networks.inputs(spec, steps, 4, 3)
    got = session.run(None, {"x": x.astype(np.float64)})[0]
    mine = run_reference(lowered, x)
    differ = int((~np.isclose(got, mine, rtol=1e-12, atol=1e-12)).sum())
    assert differ == 0 if spec.pot else differ <= mine.size // 100


def initial_states(path: Path, change: np.ndarray) -> onnx.ModelProto:
    """The exported file with other initial states."""
    model = onnx.load(path)
    cell = next(node for node in model.graph.node if node.op_type == "QuantLSTMCell")
    for entry in model.graph.initializer:
        if entry.name in cell.input[1:3]:
            entry.CopyFrom(numpy_helper.from_array(change.astype(np.float32), entry.name))
    return model


def test_equal_initial_states_fit_any_batch(exported: Maker, tmp_path: Path) -> None:
    spec = replace(BASE, pot=True)
    state = np.tile(np.array([0.5, -0.25, 0.0, 0.125]), (2, 1))
    onnx.save(initial_states(exported(spec).path, state), tmp_path / "m.onnx")
    x = networks.inputs(spec, 4, 2, 1)
    got = run_reference(lower(read_model(tmp_path / "m.onnx")), np.concatenate([x, x]))
    exact = exact_cell.Exact(tmp_path / "m.onnx").run(x)
    assert (got[:2] == exact.outputs.astype(np.float64)).all()
    assert (got[2:] == got[:2]).all()


def test_different_initial_states_are_refused(exported: Maker, tmp_path: Path) -> None:
    state = np.arange(8).reshape(2, 4)
    onnx.save(initial_states(exported(BASE).path, state), tmp_path / "m.onnx")
    with pytest.raises(ImportFault) as caught:
        lower(read_model(tmp_path / "m.onnx"))
    assert str(caught.value) == (
        'node "lstm/layers.0.0": the initial h differs from sequence to sequence of the example '
        "batch\n  hint: give all sequences the same initial state, or export with a batch of 1"
    )


def test_an_unlowered_file_is_refused_by_the_reference(
    exported: Maker,
) -> None:
    with pytest.raises(VerifyError, match="QuantLSTMCell has no meaning in an ONNX engine"):
        run_reference(read_model(exported(BASE).path), networks.inputs(BASE, 2, 1, 0))


def test_the_reference_takes_a_whole_test_split(
    exported: Maker,
) -> None:
    spec = replace(BASE, inputs=8, hidden=32, select="last", steps=8)
    lowered = lower(read_model(exported(spec).path))
    x = networks.inputs(spec, 8, 360, 0)
    assert run_reference(lowered, x).shape == (360, 32)
