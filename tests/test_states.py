# SPDX-License-Identifier: Apache-2.0
"""Initial states as constants and as inputs, returned states: from the module to the C-model."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwrnn
from hwrnn.errors import DataError, ImportFault
from hwrnn.ir import Graph
from hwrnn.ir.text import parse_graph, print_graph

pytestmark = pytest.mark.needs_train
pytest.importorskip("torch")

import brevitas.nn as qnn  # noqa: E402 - only with torch
import exact_other_cells  # noqa: E402
import torch  # noqa: E402
from brevitas import quant  # noqa: E402

import hwrnn.nn  # noqa: E402

HIDDEN = 4


class Net(torch.nn.Module):
    """A quantiser and a layer; what is returned is up to `answer`."""

    def __init__(self, layer: Any, answer: Any = lambda y, last: (y, last)) -> None:  # noqa: ANN401
        super().__init__()
        self.quant = qnn.QuantIdentity(quant.Int8ActPerTensorFloat, return_quant_tensor=True)
        self.layer, self.answer = layer, answer

    def forward(self, x: Any, h0: Any = None, c0: Any = None) -> Any:  # noqa: ANN401
        states = [s for s in (h0, c0) if s is not None]
        return self.answer(*self.layer(self.quant(x), *states))


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).uniform(-1, 1, shape).astype(np.float32)


def states(count: int, rows: int, batch: int, seed: int = 1) -> tuple[np.ndarray, ...]:
    return tuple(random(rows, batch, HIDDEN, seed=seed + k) for k in range(count))


def calibrated(net: torch.nn.Module, *given: np.ndarray) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(3)
        net.train()(*map(torch.from_numpy, given))
    return net.eval()


def lstm(**options: Any) -> Any:  # noqa: ANN401
    return hwrnn.nn.QuantLSTM(3, HIDDEN, batch_first=True, **options)


def gru(**options: Any) -> Any:  # noqa: ANN401
    return hwrnn.nn.QuantGRU(3, HIDDEN, batch_first=True, **options)


CASES: dict[str, tuple[Any, dict[str, Any], int, int]] = {
    "lstm": (lstm, {}, 2, 1),
    "lstm, two layers": (lstm, {"num_layers": 2}, 2, 2),
    "lstm, two directions": (
        lstm,
        {"bidirectional": True, "shared_cell_state_quant": False, "cat_output_cell_states": False},
        2,
        2,
    ),
    "gru with zero points": (
        gru,
        {"num_layers": 2, "io_quant": quant.ShiftedUint8ActPerTensorFloat},
        1,
        2,
    ),
}


@pytest.fixture(params=CASES, scope="module")
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Graph, Path, int, int]:
    """A module with states as inputs and outputs, its graph, its file; how many states."""
    make, options, count, rows = CASES[request.param]
    net = calibrated(Net(make(**options)), random(8, 5, 3), *states(count, rows, 8))
    path = tmp_path_factory.mktemp("case") / "m.onnx"
    example = (random(2, 5, 3), *states(count, rows, 2))
    hwrnn.export(net, example, path, record=True)
    return net, hwrnn.load(path), path, count, rows


def test_states_go_in_and_come_out(case: tuple[Any, Graph, Path, int, int]) -> None:
    net, graph, path, count, rows = case
    given = (random(3, 6, 3, seed=5), *states(count, rows, 3, seed=6))
    names = [port.out.name for port in graph.inputs]
    assert names == ["x", "h0", "c0"][: 1 + count]
    found = hwrnn.run(graph, given)
    assert isinstance(found, dict)
    wanted = exact_other_cells.Exact(path).run_all(given[0], given[1:])
    for output, exact in zip(graph.outputs, wanted, strict=True):
        assert np.array_equal(found[output.out.name], exact.astype(np.float32))
    by_name = hwrnn.run(graph, dict(zip(names, given, strict=True)))
    assert isinstance(by_name, dict)
    assert all(np.array_equal(by_name[name], found[name]) for name in found)
    said = net(*map(torch.from_numpy, given))
    assert np.array_equal(found["y"] if "y" in found else found["y0"], said[0].detach().numpy())
    report = hwrnn.verify(graph, given, engines=("reference", "cmodel"))
    assert report.ok
    assert report.engines[0].values == sum(v.size for v in found.values())
    assert parse_graph(print_graph(graph)) == graph


def test_sequences_of_several_lengths_have_their_own_states(
    case: tuple[Any, Graph, Path, int, int],
) -> None:
    _, graph, _, count, rows = case
    x, first = random(3, 6, 3, seed=5), states(count, rows, 3, seed=6)
    whole = hwrnn.run(graph, (x, *first), lengths=[6, 2, 4])
    assert isinstance(whole, dict)
    for b, steps in enumerate([6, 2, 4]):
        alone = hwrnn.run(graph, (x[[b], :steps], *(s[:, [b]] for s in first)))
        assert isinstance(alone, dict)
        for output in graph.outputs:
            mine = np.take(whole[output.out.name], [b], output.axes.index("B"))
            if output.out.sequence:
                mine = mine[:, :steps]
            assert np.array_equal(mine, alone[output.out.name])


def test_the_record_has_all_arrays(case: tuple[Any, Graph, Path, int, int]) -> None:
    _, graph, path, _, _ = case
    known = np.load(path.with_suffix(".npz"))
    names = [port.out.name for port in (*graph.inputs, *graph.outputs)]
    assert sorted(known) == sorted(names)
    found = hwrnn.run(graph, {port.out.name: known[port.out.name] for port in graph.inputs})
    assert isinstance(found, dict)
    assert all(np.array_equal(found[name], known[name]) for name in found)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    net = calibrated(Net(lstm()), random(8, 5, 3), *states(2, 1, 8))
    path = tmp_path_factory.mktemp("states") / "m.onnx"
    hwrnn.export(net, (random(2, 5, 3), *states(2, 1, 2)), path)
    return hwrnn.load(path)


X, H = random(2, 5, 3), random(1, 2, HIDDEN)
ALL = "pass a dict by these names, or a tuple in this order"
FAULTS: dict[str, tuple[Any, str]] = {
    "one of three": (X, 'input "h0": is missing'),
    "too many": ((X, H, H, H), 'input "number 3": is none of the model\'s'),
    "a wrong name": ({"x": X, "h0": H, "c0": H, "h1": H}, 'input "h1": is none of the model\'s'),
    "another rank": ((X, H[0], H), 'input "h0": has 2 dimensions'),
    "another size": ((X, H[..., :3], H), 'input "h0": has the shape (1, 2, 3)'),
    "another batch": ((X, H[:, :1], H), 'input "h0": has 1 sequences; the first input has 2'),
    "no number": (
        (X, np.full_like(H, np.nan), H),
        'input "h0": holds nan at sequence 0, feature 0',
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_data_that_does_not_fit(plain: Graph, name: str) -> None:
    given, fact = FAULTS[name]
    with pytest.raises(DataError) as caught:
        hwrnn.run(plain, given)
    assert str(caught.value).startswith(fact)


@pytest.mark.needs_sim
def test_the_command_line_verifies_hardware_with_all_of_them(plain: Graph, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from hwrnn.cli import app

    net = calibrated(Net(lstm()), random(8, 5, 3), *states(2, 1, 8))
    model = tmp_path / "m.onnx"
    hwrnn.export(net, (random(2, 5, 3), *states(2, 1, 2)), model)
    done = CliRunner().invoke(app, ["verify", str(model), "--engines", "rtl", "--json"])
    assert done.exit_code == 0, done.output
    (engine,) = json.loads(done.stdout)["engines"]
    exact = hwrnn.verify(plain, engines=("cmodel",)).engines[0]
    assert (engine["values"], engine["differing"]) == (exact.values, 0)


def test_the_command_line_takes_and_writes_all_of_them(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from hwrnn.cli import app

    net = calibrated(Net(lstm()), random(8, 5, 3), *states(2, 1, 8))
    model, x, y = tmp_path / "m.onnx", tmp_path / "x.npz", tmp_path / "y.npy"
    hwrnn.export(net, (random(2, 5, 3), *states(2, 1, 2)), model)
    given = dict(zip(("x", "h0", "c0"), (random(3, 6, 3), *states(2, 1, 3)), strict=True))
    np.savez(x, **given)  # type: ignore[arg-type]
    assert CliRunner().invoke(app, ["run", str(model), str(x), "-o", str(y)]).exit_code == 0
    found = hwrnn.run(hwrnn.load(model), given)
    assert isinstance(found, dict)
    for name, array in found.items():
        assert np.array_equal(np.load(tmp_path / f"y.{name}.npy"), array)
    x.write_bytes(b"PK junk")
    said = CliRunner().invoke(app, ["run", str(model), str(x), "-o", str(y)])
    assert "is not a .npz file of numbers" in str(said.exception)


class Held(torch.nn.Module):
    """Initial states that the module holds."""

    def __init__(self, layer: Any, rows: int, count: int, form: str) -> None:  # noqa: ANN401
        super().__init__()
        self.net = Net(layer, lambda y, _: y)
        self.form = form
        values = map(torch.from_numpy, states(count, rows, 1))
        self.states = torch.nn.ParameterList(torch.nn.Parameter(v) for v in values)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        batch = x.shape[0]
        if self.form == "expand":
            return self.net(x, *(s.expand(-1, batch, -1) for s in self.states))
        if self.form == "repeat":
            return self.net(x, *(s.repeat(1, batch, 1) for s in self.states))
        return self.net(x, *(torch.cat([s] * batch, 1) * self.scales(batch) for s in self.states))

    def scales(self, batch: int) -> Any:  # noqa: ANN401
        return torch.arange(1, batch + 1).reshape(1, -1, 1)


HELD: dict[str, tuple[Any, dict[str, Any], int, int, str]] = {
    "expanded": (lstm, {}, 1, 2, "expand"),
    "repeated, two layers": (lstm, {"num_layers": 2}, 2, 2, "repeat"),
    "gru, two directions": (gru, {"bidirectional": True}, 2, 1, "expand"),
}


@pytest.mark.parametrize("name", HELD)
def test_states_as_constants(name: str, tmp_path: Path) -> None:
    make, options, rows, count, form = HELD[name]
    net = calibrated(Held(make(**options), rows, count, form), random(8, 5, 3))
    hwrnn.export(net, random(2, 5, 3), tmp_path / "m.onnx")
    graph, x = hwrnn.load(tmp_path / "m.onnx"), random(3, 6, 3, seed=5)
    assert any(any(s.initial) for scan in graph.scans for s in scan.body.states)
    exact = exact_other_cells.Exact(tmp_path / "m.onnx").run(x)
    found = hwrnn.run(graph, x)
    assert np.array_equal(found, exact.outputs.astype(np.float32))  # type: ignore[arg-type]
    assert np.array_equal(found, net(torch.from_numpy(x)).detach().numpy())  # type: ignore[arg-type]
    assert hwrnn.verify(graph, x, engines=("reference",)).ok


def test_constants_that_differ_from_sequence_to_sequence(tmp_path: Path) -> None:
    net = calibrated(Held(lstm(), 1, 2, "each"), random(8, 5, 3))
    hwrnn.export(net, random(2, 5, 3), tmp_path / "m.onnx")
    with pytest.raises(ImportFault) as caught:
        hwrnn.load(tmp_path / "m.onnx")
    assert str(caught.value) == (
        'node "net/layer/layers.0.0": the initial h differs from sequence to sequence of the '
        "example batch\n"
        "  hint: give all sequences the same initial state, or export with a batch of 1"
    )


def test_each_layer_starts_with_its_own_state() -> None:
    layer = calibrated(lstm(num_layers=2), random(8, 5, 3), *states(2, 2, 8))
    x, h, c = map(torch.from_numpy, (random(2, 5, 3), *states(2, 2, 2)))
    y = x
    for k in range(2):
        y = layer.layers[k][0](y, h[k], c[k])[0]  # type: ignore[index, operator]
    assert torch.equal(layer(x, h, c)[0], getattr(y, "value", y))


def test_brevitas_own_layers_export_though_they_raise(tmp_path: Path) -> None:
    mine = calibrated(Held(lstm(num_layers=2), 2, 2, "expand"), random(8, 5, 3))
    theirs = Held(qnn.QuantLSTM(3, HIDDEN, num_layers=2, batch_first=True), 2, 2, "expand").eval()
    theirs.load_state_dict(mine.state_dict())
    with pytest.raises(IndexError):
        theirs(torch.from_numpy(random(2, 5, 3)))
    for net, name in ((mine, "a"), (theirs, "b")):
        hwrnn.export(net, random(2, 5, 3), tmp_path / f"{name}.onnx")
    x = random(3, 6, 3, seed=5)
    a, b = (hwrnn.run(hwrnn.load(tmp_path / f"{n}.onnx"), x) for n in "ab")
    assert np.array_equal(a, b)  # type: ignore[arg-type]
    with pytest.raises(IndexError):
        theirs(torch.from_numpy(random(2, 5, 3)))


@pytest.mark.parametrize("name", hwrnn.nn.__all__)
def test_projections_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has no projection"):
        getattr(hwrnn.nn, name)(3, 4, proj_size=2)


def test_zero_points_compare_with_the_module(tmp_path: Path) -> None:
    shifted = quant.ShiftedUint8ActPerTensorFloat
    options = {"weight_quant": quant.ShiftedUint8WeightPerTensorFloat, "io_quant": shifted}
    net = calibrated(
        Net(lstm(tanh_quant=shifted, gate_acc_quant=shifted, **options), lambda y, _: y),
        random(8, 5, 3),
    )
    hwrnn.export(net, random(2, 5, 3), tmp_path / "m.onnx")
    graph, x = hwrnn.load(tmp_path / "m.onnx"), random(200, 6, 3, seed=5)
    report: Any = hwrnn.verify(graph, x, engines=(), module=net).module
    assert report.differing_integers == 0
    assert report.constants == ()
    layer: Any = net.layer
    layer.layers[0][0].cell.cell_tanh_quant.fused_activation_quant_proxy.register_forward_hook(
        lambda _, __, out: (out[0] + out[1], *out[1:])
    )
    report = hwrnn.verify(graph, x[:2], engines=(), module=net).module
    assert report.traces[0].quantiser.endswith("cell_gate_gate")
