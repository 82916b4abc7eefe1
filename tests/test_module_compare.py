# SPDX-License-Identifier: Apache-2.0
"""The comparison with the Brevitas module: what it counts, and the place that it names.

A module that is bent at one place on purpose has to be found out at exactly that place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import hwrnn
from hwrnn.errors import DataError, VerifyError
from hwrnn.ir import Graph, Rounding
from hwrnn.ir.rounding import round_exact
from hwrnn.sim.module import Cause, Trace, Verdict, compare_module

pytestmark = pytest.mark.needs_train
if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

import networks  # noqa: E402 - only with torch

BASE = replace(
    networks.sample(1, seed=5)[0],
    pot=True,
    inputs=3,
    hidden=4,
    layers=2,
    batch_first=True,
    bidirectional=True,
    shared_input_hidden_weights=False,
    shared_intra_layer_gate_acc_quant=False,
    cifg=False,
    bias="int32",
    weight_bits=6,
    input_bits=8,
    io_bits=7,
    acc_bits=(8, 8, 8, 8),
    sigmoid_bits=(8, 8, 8),
    tanh_bits=(8, 8),
    cell_bits=9,
    select="sequence",
    quant_select_bits=0,
    dense=(),
)
HEAD = networks.Dense(units=3, weight_bits=5, per_channel=False, bias="float")
STEPS, BATCH = 5, 6
BENT = 80  # integers: enough to be seen at the output


@dataclass(frozen=True, eq=False)
class Subject:
    """A module and its graph."""

    spec: networks.NetworkSpec
    module: Any
    graph: Graph

    def inputs(self, batch: int = BATCH) -> np.ndarray:
        return networks.inputs(self.spec, STEPS, batch, 1)


def subject(
    folder: Path, spec: networks.NetworkSpec, change: Callable[[Any], None] = lambda _: None
) -> Subject:
    module = networks.build(spec)
    change(module)
    hwrnn.export(module, networks.inputs(spec, spec.steps, 2, 0), folder / "m.onnx")
    return Subject(spec, module, hwrnn.load(folder / "m.onnx"))


Maker = Callable[[networks.NetworkSpec], Subject]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return cache(lambda spec: subject(tmp_path_factory.mktemp("model"), spec))


@contextmanager
def bent(proxy: Any, call: int, sequence: int, unit: int) -> Iterator[None]:  # noqa: ANN401
    """Let one call of a quantiser give another integer, for one sequence and unit."""
    calls = iter(range(10**6))

    def hook(_: object, __: object, out: tuple[Any, ...]) -> tuple[Any, ...]:
        if next(calls) != call:
            return out
        value = out[0].clone()
        value[sequence, unit] -= BENT * out[1] * (1 if value[sequence, unit] > 0 else -1)
        return (value, *out[1:])

    handle = proxy.fused_activation_quant_proxy.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def only_trace(s: Subject) -> Trace:
    report = compare_module(s.graph, s.inputs(), module=s.module)
    assert report.verdict is Verdict.UNTRACED
    assert len(report.traces) == 1
    return report.traces[0]


def test_equal(made: Maker) -> None:
    s = made(BASE)
    report = hwrnn.verify(s.graph, s.inputs(), engines=("cmodel",), module=s.module)
    found = report.as_dict()["module"]
    assert found == {
        "verdict": "equal",
        "values": BATCH * STEPS * 8,
        "differing": 0,
        "differing_integers": 0,
        "sequences": BATCH,
        "differing_sequences": 0,
        "first_differences": [],
        "constants": [],
    }
    q = np.clip(np.rint(s.inputs() * 4), -128, 127).astype(np.int64)
    assert compare_module(s.graph, q, module=s.module).verdict is Verdict.EQUAL


@pytest.mark.parametrize(
    ("quantiser", "value"),
    [
        ("cell_acc", "cell_gate_acc_q"),
        ("forget_sigmoid", "forget_gate_gate"),
        ("cell_tanh", "cell_gate_gate"),
        ("output_acc", "output_gate_acc_q"),
        ("hidden_state_tanh", "c_tanh"),
    ],
)
@pytest.mark.parametrize(("layer", "direction"), [(0, 0), (0, 1), (1, 1)])
def test_a_bent_quantiser_is_named(
    made: Maker, quantiser: str, value: str, layer: int, direction: int
) -> None:
    s = made(BASE)
    step, sequence, unit = 1, 2, 3
    proxy = getattr(s.module.lstm.layers[layer][direction].cell, f"{quantiser}_quant")
    with bent(proxy, call=step, sequence=sequence, unit=unit):
        trace = only_trace(s)
    assert trace.layer.startswith(f"lstm_l{layer}d{direction}")
    assert trace.quantiser == f"lstm_l{layer}d{direction}_{value}"
    assert (trace.sequence, trace.at_unit) == (sequence, unit)
    assert trace.at_step == (STEPS - 1 - step if direction else step)
    assert abs((trace.module_integer or 0) - (trace.exact_integer or 0)) == BENT
    assert trace.distance is not None
    assert trace.bound is not None
    assert trace.distance > trace.bound
    assert trace.cause is Cause.UNKNOWN


@pytest.mark.parametrize(("which", "value"), [(0, "kept"), (1, "added"), (2, "c_next")])
def test_the_three_calls_of_the_cell_state_are_told_apart(
    made: Maker, which: int, value: str
) -> None:
    s = made(replace(BASE, layers=1, bidirectional=False, batch_first=False))
    proxy = s.module.lstm.layers[0][0].cell.cell_state_quant
    with bent(proxy, call=3 * 2 + which, sequence=4, unit=0):
        trace = only_trace(s)
    assert trace.quantiser == f"lstm_l0d0_{value}"
    assert (trace.sequence, trace.at_step, trace.at_unit) == (4, 2, 0)


def test_a_head_behind_the_last_step_is_named(made: Maker) -> None:
    dense = replace(HEAD, act_bits=7)
    spec = replace(BASE, select="last", quant_select_bits=6, dense=(dense, HEAD))
    s = made(spec)
    with bent(s.module.head[2].act_quant, call=0, sequence=1, unit=2):
        trace = only_trace(s)
    assert trace.at_step is None
    assert (trace.sequence, trace.at_unit) == (1, 2)
    assert trace.quantiser == trace.layer


def test_as_many_steps_as_sequences(made: Maker) -> None:
    s = made(replace(BASE, batch_first=False))
    x = networks.inputs(s.spec, BATCH, BATCH, 1)
    cell = s.module.lstm.layers[1][0].cell
    with bent(cell.cell_acc_quant, call=3, sequence=2, unit=1):
        traces = compare_module(s.graph, x, module=s.module).traces
    places = [(t.sequence, t.quantiser, t.at_step, t.at_unit) for t in traces]
    assert places == [(2, "lstm_l1d0_cell_gate_acc_q", 3, 1)]


def test_the_last_sum_of_an_unquantised_head_is_float32(made: Maker) -> None:
    spec = replace(BASE, pot=False, select="last", dense=(HEAD,))
    s = made(spec)
    report = compare_module(s.graph, s.inputs(200), module=s.module)
    assert report.verdict is Verdict.TRACED
    assert Cause.LAST_SUM in {t.cause for t in report.traces}
    for t in report.traces:
        assert t.distance is not None
        assert t.bound is not None
        assert t.distance <= t.bound < 1e-2


def test_roundings_of_sums_with_float_scales_are_traced(made: Maker) -> None:
    spec = replace(BASE, pot=False, io_bits=12, weight_bits=12, acc_bits=(14,) * 4, cell_bits=14)
    s = made(spec)
    report = compare_module(s.graph, s.inputs(2000), module=s.module)
    assert report.verdict is Verdict.TRACED
    rounding = [t for t in report.traces if t.cause is Cause.ROUNDING]
    assert len(rounding) >= 3
    for t in rounding:
        assert t.quantiser.startswith(t.layer)
        assert t.exact_integer != t.module_integer
        assert t.distance is not None
        assert t.distance < 0.05


def weight_on_a_tie(scale: float) -> float:
    """A float32 whose quotient by the scale float32 rounds to the other side of a tie."""
    s = np.float32(scale)
    for k in range(3, 20):
        near = np.float32((k + 0.5) * float(s))
        for w in (np.nextafter(near, np.float32(0)), near, np.nextafter(near, np.float32(9))):
            exact = round_exact(Fraction(float(w)) / Fraction(float(s)), Rounding.HALF_EVEN)
            if exact != int(np.rint(w / s)):
                return float(w)
    raise AssertionError("no such weight; take another seed")


def test_weights_that_the_module_rounds_otherwise_are_listed(tmp_path: Path) -> None:
    def change(module: Any) -> None:  # noqa: ANN401
        gate = module.lstm.layers[0][0].cell_gate_params.hidden_weight
        scale = float(gate.quant_weight().scale.detach())
        with torch.no_grad():
            gate.weight[1, 2] = weight_on_a_tie(scale)

    spec = replace(BASE, pot=False, layers=1, bidirectional=False, seed=BASE.seed + 1)
    s = subject(tmp_path, spec, change)
    report = compare_module(s.graph, s.inputs(64), module=s.module)
    listed = [c for c in report.constants if c.index == (1, 2)]
    assert len(listed) == 1
    assert listed[0].name.startswith("lstm/layers.0.0/")
    assert abs(listed[0].exact - listed[0].module) == 1
    assert listed[0].traced
    assert report.verdict is not Verdict.UNTRACED
    assert Cause.CONSTANT in {t.cause for t in report.traces}
    outputs = s.module(torch.from_numpy(s.inputs(64))).detach().numpy()
    blind = compare_module(s.graph, s.inputs(64), expected=outputs)
    assert blind.constants == report.constants
    assert blind.differing == report.differing


def test_only_the_outputs(made: Maker) -> None:
    s = made(replace(BASE, batch_first=False))
    outputs = s.module(torch.from_numpy(s.inputs())).detach().numpy()
    report = compare_module(s.graph, s.inputs(), expected=outputs)
    assert report.verdict is Verdict.EQUAL
    scale = float(s.graph.outputs[0].grid.scale[0])
    outputs[3, 1, 2] += scale * (1 if outputs[3, 1, 2] <= 0 else -1)
    report = compare_module(s.graph, s.inputs(), expected=outputs)
    assert (report.differing, report.differing_integers) == (1, 1)
    assert report.verdict is Verdict.UNTRACED
    (row,) = report.rows()
    assert (row["sequence"], row["step"], row["unit"]) == (1, 3, 2)
    assert isinstance(row["distance"], float)
    assert 0 < row["distance"] <= 1
    assert row["cause"] == "untraced"


def test_another_module_is_found_out(tmp_path: Path) -> None:
    s = subject(tmp_path, BASE)
    with torch.no_grad():
        s.module.lstm.layers[0][0].cell_gate_params.input_weight.weight.mul_(0.5)
    other = networks.build(replace(BASE, layers=1))
    with pytest.raises(VerifyError) as caught:
        compare_module(s.graph, s.inputs(), module=other)
    assert str(caught.value) == (
        "module: is not the one that was exported: it has 2 recurrent layers and directions, "
        "the file 4\n  hint: export it again"
    )
    report = compare_module(s.graph, s.inputs(), module=s.module)
    assert report.verdict is Verdict.UNTRACED


def test_another_scale_is_found_out(made: Maker) -> None:
    s = made(BASE)
    other = networks.build(replace(BASE, pot=False))
    with pytest.raises(VerifyError, match="is not the one that was exported: it has no quantiser"):
        compare_module(s.graph, s.inputs(), module=other)


def test_refusals(made: Maker) -> None:
    s = made(BASE)
    x = s.inputs()
    with pytest.raises(DataError, match="was given neither a module nor its outputs"):
        compare_module(s.graph, x)
    with pytest.raises(VerifyError, match=r"this is int, not a torch\.nn\.Module"):
        compare_module(s.graph, x, module=3)
    with pytest.raises(DataError) as caught:
        compare_module(s.graph, x, expected=np.zeros((1, 2)))
    assert str(caught.value) == (
        "module: gives an array of shape (1, 2); the model gives (6, 5, 8)"
    )


def test_the_module_is_as_it_was(tmp_path: Path) -> None:
    s = subject(tmp_path, BASE)
    s.module.train()
    s.module.head.eval()
    compare_module(s.graph, s.inputs(), module=s.module)
    assert s.module.training
    assert not s.module.head.training
    assert all(not part._forward_hooks for part in s.module.modules())
