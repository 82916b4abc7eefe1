# SPDX-License-Identifier: Apache-2.0
"""hwrnn.quantize: float torch modules, quantised after training."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import hwrnn
from hwrnn.errors import HwrnnError

pytestmark = pytest.mark.needs_train
if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn")
nn: Any = torch.nn

X = np.random.default_rng(7).uniform(-1, 1, (24, 6, 3)).astype(np.float32)


class Net(torch.nn.Module):
    """What users write: their own forward."""

    def __init__(self, kind: str, **options: Any) -> None:  # noqa: ANN401
        super().__init__()
        torch.manual_seed(2)
        self.rnn = getattr(nn, kind)(3, 4, batch_first=True, **options)
        width = 8 if options.get("bidirectional") else 4
        self.head = nn.Sequential(nn.Linear(width, 6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 2))

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        output, _ = self.rnn(x)
        return self.head(output[:, -1])


def plain(net: Any, x: Any = X) -> Any:  # noqa: ANN401
    with torch.no_grad():
        return net.eval()(torch.as_tensor(x)).numpy()


KINDS = [
    ("LSTM", {}),
    ("LSTM", {"bidirectional": True, "num_layers": 2, "bias": False}),
    ("GRU", {"num_layers": 2}),
    ("GRU", {"bidirectional": True}),
    ("RNN", {"nonlinearity": "relu"}),
    ("RNN", {"bidirectional": True}),
]


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=str)
def test_sixteen_bits_are_almost_the_float_module(kind: str, options: dict[str, Any]) -> None:
    net = Net(kind, **options)
    want = plain(net)
    for scales in ("pot", "float"):
        made = hwrnn.quantize(net, X, weight_bits=16, act_bits=16, scales=scales)
        assert np.abs(plain(made) - want).max() <= 2e-3 * np.abs(want).max()
    assert type(net.rnn) is getattr(nn, kind)  # the module that was given stays as it was


@pytest.mark.parametrize(("kind", "options"), KINDS[::2], ids=str)
@pytest.mark.parametrize("observer", ["max", "percentile", "mse"])
def test_eight_bits_export_and_are_exact(
    kind: str, options: dict[str, Any], observer: str, tmp_path: Path
) -> None:
    net = Net(kind, **options)
    made = hwrnn.quantize(net, X, observer=observer)
    hwrnn.export(made, X, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx")
    hwrnn.verify(graph, X, engines=("reference", "cmodel"), module=made).check()
    np.testing.assert_array_equal(hwrnn.run(graph, X), plain(made))
    assert np.abs(plain(made) - plain(net)).max() < 0.08


@pytest.mark.needs_sim
def test_a_quantised_module_in_simulation(tmp_path: Path) -> None:
    made = hwrnn.quantize(Net("GRU"), X, weight_bits=4, act_bits=6)
    hwrnn.export(made, X, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx")
    hwrnn.verify(graph, X[:4], engines=("reference", "cmodel", "csim"), module=made).check()


def test_it_can_be_trained_on() -> None:
    net = Net("LSTM")
    made: Any = hwrnn.quantize(net, X, weight_bits=4)
    before = {name: p.detach().clone() for name, p in made.named_parameters()}
    wanted = torch.as_tensor(plain(net))
    optimiser = torch.optim.Adam(made.parameters(), lr=5e-3)
    losses = []
    made.train()
    for _ in range(12):
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(made(torch.as_tensor(X)), wanted)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[-4:]) < losses[0]
    assert any((p != before[n]).any() for n, p in made.named_parameters() if "weight" in n)


def test_scales_are_those_of_the_largest_numbers() -> None:
    made: Any = hwrnn.quantize(Net("LSTM"), X, scales="float")
    cell = made.rnn.layers[0][0].cell
    assert float(cell.output_quant.scale()) == pytest.approx(np.abs(X).max() / 127, rel=1e-2)
    assert float(cell.output_sigmoid_quant.scale()) < 1 / 255
    pot: Any = hwrnn.quantize(Net("LSTM"), X)
    assert np.log2(float(pot.rnn.layers[0][0].cell.output_quant.scale())) == -7


def test_inputs_on_the_grid_of_the_layer_before_are_not_rounded_again(tmp_path: Path) -> None:
    made: Any = hwrnn.quantize(Net("GRU"), X)
    output = made.rnn.layers[0][0].cell.output_quant
    assert float(made.head[0].input_quant.scale()) == float(output.scale())
    hwrnn.export(made, X, tmp_path / "m.onnx")


def test_convolutions_tables_and_shared_layers() -> None:
    class Words(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.table: Any = nn.Embedding(20, 4)
            self.conv: Any = nn.Conv1d(4, 4, 3, padding=1)
            self.again: Any = self.conv
            self.gru: Any = nn.GRU(4, 5, batch_first=True)

        def forward(self, words: Any) -> Any:  # noqa: ANN401
            x = self.again(torch.relu(self.conv(self.table(words).transpose(1, 2))))
            return self.gru(x.transpose(1, 2))[0][:, -1]

    words = np.random.default_rng(1).integers(0, 20, (8, 6))
    net = Words().eval()
    made: Any = hwrnn.quantize(net, words, weight_bits=16, act_bits=16)
    assert made.conv is made.again
    assert isinstance(made.table, qnn.QuantEmbedding)
    assert isinstance(made.conv, qnn.QuantConv1d)
    assert np.abs(plain(made, words) - plain(net, words)).max() < 1e-2


class Strange(torch.nn.Module):
    """A parameter of its own."""

    lstm: Any

    def __init__(self, **parts: Any) -> None:  # noqa: ANN401
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        return self.lstm(x)[0]


class Packed(torch.nn.Module):
    """Sequences of different lengths, as torch has them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = lstm()

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        lengths = torch.arange(len(x), 0, -1).clamp(max=x.shape[1])
        return self.lstm(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True))


def lstm(**options: Any) -> Any:  # noqa: ANN401
    return nn.LSTM(3, 4, batch_first=True, **options)


REFUSED: dict[str, tuple[Any, str]] = {
    "layer": (
        lambda: Strange(lstm=lstm(), norm=nn.LayerNorm(4)),
        'module "norm": torch.nn.normalization.LayerNorm has parameters (weight, bias), but no '
        "quantised form here\n  hint: it has no exact integer form; train without it",
    ),
    "parameter": (
        lambda: Strange(lstm=lstm(), gain=nn.Parameter(torch.ones(1))),
        f"module: {__name__}.Strange has parameters (gain), but no quantised form here\n"
        "  hint: if it is an initial state or another constant, make it a buffer (register_buffer)",
    ),
    "parametrised": (
        lambda: Strange(lstm=lstm(), head=nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))),
        'module "head": torch.nn.utils.parametrize.ParametrizedLinear has parameters (bias), but '
        "no quantised form here\n"
        "  hint: make it plain: torch.nn.utils.parametrize.remove_parametrizations",
    ),
    "packed": (
        lambda: Packed(),  # noqa: PLW0108 - torch may be missing when this is read
        'module "lstm": is given a packed sequence\n  hint: give it the padded tensor; '
        "hwrnn.run(graph, x, lengths=[...]) says where each ends",
    ),
    "projection": (
        lambda: Strange(lstm=lstm(proj_size=2)),
        'module "lstm": has a projection (proj_size)\n  hint: put a Linear behind the layer',
    ),
    "unused": (
        lambda: Strange(lstm=lstm(), other=nn.Linear(2, 2)),
        'module "other": is never called on the calibration data\n'
        "  hint: leave it out, or calibrate with data that reach it",
    ),
    "nothing": (
        lambda: nn.ReLU(),  # noqa: PLW0108 - torch may be missing when this is read
        "module: there is no layer in it to quantise\n"
        "  hint: known: LSTM, GRU, RNN, Linear, Conv1d, Embedding",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_by_name(case: str) -> None:
    make, message = REFUSED[case]
    module: Any = make()
    with pytest.raises(HwrnnError) as caught:
        hwrnn.quantize(module, X)
    assert str(caught.value) == message


class Translator(torch.nn.Module):
    """The states of one layer are those with which the other starts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first: Any = lstm()
        self.second: Any = lstm()

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        _, states = self.first(x)
        return self.second(x, states)[0]


class Normed(torch.nn.Module):
    """Batch normalisation and functions that are modules stay exact."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.conv: Any = nn.Conv1d(3, 4, 3, padding="same")
        self.norm: Any = nn.BatchNorm1d(4)
        self.gru: Any = nn.GRU(4, 4, batch_first=True)
        self.head: Any = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), nn.Sigmoid())
        self.norm.running_mean += 0.3
        self.norm.running_var *= 2.5

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = torch.relu(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        return self.head(self.gru(x)[0].amax(1))


@pytest.mark.parametrize("kind", [Translator, Normed])
def test_networks_of_strangers(kind: Any, tmp_path: Path) -> None:  # noqa: ANN401
    net = kind()
    for bits, most in ((16, 1e-3), (8, 0.05)):
        made = hwrnn.quantize(net, X, weight_bits=bits, act_bits=bits)
        assert np.abs(plain(made) - plain(net)).max() <= most
        hwrnn.export(made, X, tmp_path / "m.onnx")
        graph = hwrnn.load(tmp_path / "m.onnx")
        hwrnn.verify(graph, X, engines=("reference", "cmodel")).check()
        assert np.abs(hwrnn.run(graph, X) - plain(net)).max() <= most


class Peak(torch.nn.Module):
    """A maximum over time between a function and its quantiser."""

    def __init__(self, function: str, **options: Any) -> None:  # noqa: ANN401
        super().__init__()
        torch.manual_seed(6)
        self.lstm: Any = qnn.QuantLSTM(3, 4, batch_first=True, io_bit_width=4)
        self.head: Any = qnn.QuantLinear(4, 3, bias=function == "relu", weight_bit_width=3)
        self.out: Any = qnn.QuantIdentity(bit_width=5)
        self.function, self.options = getattr(nn.functional, function), options

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        y = self.function(self.head(self.lstm(x)[0]), **self.options)
        return self.out(nn.functional.max_pool1d(y.transpose(1, 2), 2).amax(2))


@pytest.mark.parametrize("function", ["tanh", "leaky_relu", "relu"])
def test_the_largest_of_a_function_is_that_of_the_largest(function: str, tmp_path: Path) -> None:
    net = Peak(function)
    net(torch.as_tensor(X))
    hwrnn.export(net.eval(), X, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx")
    hwrnn.verify(graph, X, engines=("reference", "cmodel")).check()


def test_the_largest_of_a_function_that_falls_is_not(tmp_path: Path) -> None:
    net = Peak("leaky_relu", negative_slope=-0.5)
    net(torch.as_tensor(X))
    hwrnn.export(net.eval(), X, tmp_path / "m.onnx")
    with pytest.raises(HwrnnError, match="works on a leakyrelu that no quantiser follows"):
        hwrnn.load(tmp_path / "m.onnx")


def test_biases_that_32_bits_would_clip() -> None:
    net = Net("LSTM")
    with torch.no_grad():
        net.rnn.bias_ih_l0[:4] += 3.0
    want = plain(net)
    made: Any = hwrnn.quantize(net, X, weight_bits=16, act_bits=16)
    assert np.abs(plain(made) - want).max() <= 2e-3 * np.abs(want).max()
    small: Any = hwrnn.quantize(net, X)
    assert small.rnn.layers[0][0].input_gate_params.bias_quant.is_quant_enabled
    assert not made.rnn.layers[0][0].input_gate_params.bias_quant.is_quant_enabled


class Started(torch.nn.Module):
    """Takes its states."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.lstm: Any = lstm()

    def forward(self, x: Any, h: Any, c: Any) -> Any:  # noqa: ANN401
        y, (h, c) = self.lstm(x, (h, c))
        return y, h, c


def test_several_inputs(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    h, c = (rng.uniform(-k, k, (1, 24, 4)).astype(np.float32) for k in (0.9, 1.4))
    net = Started().eval()
    given = tuple(torch.as_tensor(v) for v in (X, h, c))
    ways = [given, [given], {"x": X, "h": h, "c": c}, [{"c": c, "h": h, "x": X}]]
    made = [hwrnn.quantize(net, way, weight_bits=16, act_bits=16) for way in ways]
    with torch.no_grad():
        want = [v.numpy() for v in net(*given)]
        for one in made:
            for got, expected in zip(one(*given), want, strict=True):
                assert np.abs(got.numpy() - expected).max() <= 1e-3
    hwrnn.export(made[0], given, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx")
    results = hwrnn.run(graph, (X, h, c))
    assert isinstance(results, dict)
    for got, expected in zip(results.values(), want, strict=True):
        assert np.abs(got - expected).max() <= 1e-3
    with pytest.raises(HwrnnError, match="calibration_data: lacks c"):
        hwrnn.quantize(net, {"x": X, "h": h})
    with pytest.raises(HwrnnError, match="calibration_data: has the unknown name z"):
        hwrnn.quantize(net, {"x": X, "h": h, "c": c, "z": c})
    with pytest.raises(HwrnnError, match=r"shape \(24, 6, 3\): TypeError"):
        hwrnn.quantize(net, X)


def test_data_that_do_not_fit() -> None:
    with pytest.raises(HwrnnError, match="the module fails on an input of shape \\(2, 6, 5\\)"):
        hwrnn.quantize(Net("GRU"), np.zeros((2, 6, 5), np.float32))
    with pytest.raises(HwrnnError, match="calibration_data: is empty"):
        hwrnn.quantize(Net("GRU"), [])
    pairs = [(torch.as_tensor(X[:8]), torch.zeros(8)), (torch.as_tensor(X[8:]), torch.zeros(16))]
    assert hwrnn.quantize(Net("GRU"), pairs) is not None


def test_the_benchmark_keeps_its_promise() -> None:
    pytest.importorskip("sklearn")
    bench = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "ptq_digits.py"))
    from hwrnn.demo.digits import load_digits

    rows = list(bench["measure"]("GRU", load_digits(), epochs=10, tuning=3, seed=0))
    assert [row.form for row in rows] == [
        "float",
        "8 bits",
        "4-bit weights",
        "4-bit weights, 3 epochs",
    ]
    assert rows[1].loss <= 0.01
    assert rows[3].loss <= 0.03
    assert all(row.exact == row.share for row in rows[1:])
