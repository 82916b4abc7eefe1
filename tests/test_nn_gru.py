# SPDX-License-Identifier: Apache-2.0
"""hwrnn.nn.QuantGRU as a torch module: what it computes, loads, trains, and refuses."""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import hwrnn
from hwrnn import errors as hwrnn_errors

pytestmark = pytest.mark.needs_train
if TYPE_CHECKING:
    import torch
    from brevitas import quant
    from torch import Tensor
else:
    torch = pytest.importorskip("torch")
    quant = pytest.importorskip("brevitas.quant")

from hwrnn.nn import QuantGRU  # noqa: E402 - only with torch

INPUTS, UNITS = 5, 7
UNQUANTISED: dict[str, Any] = dict.fromkeys(
    (
        "weight_quant",
        "bias_quant",
        "io_quant",
        "gate_acc_quant",
        "sigmoid_quant",
        "tanh_quant",
        "hidden_state_quant",
    )
)


class Signed(quant.Int8ActPerTensorFloatMinMaxInit):  # type: ignore[misc]
    """16 bits, -4 to 4: wide enough for everything here."""

    bit_width = 16
    min_val = -4.0
    max_val = 4.0


class Acc(Signed):
    """16 bits, -8 to 8: a sigmoid is flat beyond that, to a thousandth."""

    min_val = -8.0
    max_val = 8.0


class Unsigned(quant.Uint8ActPerTensorFloatMaxInit):  # type: ignore[misc]
    """16 bits, 0 to 1."""

    bit_width = 16
    max_val = 1.0


WIDE: dict[str, Any] = {
    "weight_bit_width": 16,
    "io_quant": Signed,
    "gate_acc_quant": Acc,
    "sigmoid_quant": Unsigned,
    "tanh_quant": Signed,
    "hidden_state_quant": Signed,
}
SHAPES = [(1, False, True, True), (2, True, False, True), (2, False, True, False)]


def pair(options: dict[str, Any], shape: tuple[int, bool, bool, bool]) -> tuple[Any, Any]:
    """A torch.nn.GRU and a QuantGRU with its weights."""
    layers, bidirectional, batch_first, bias = shape
    same: dict[str, Any] = {
        "num_layers": layers,
        "bidirectional": bidirectional,
        "batch_first": batch_first,
        "bias": bias,
    }
    torch.manual_seed(1)
    plain = torch.nn.GRU(INPUTS, UNITS, **same)
    mine = QuantGRU(INPUTS, UNITS, **same, **options)
    found = mine.load_state_dict(plain.state_dict(), strict=False)
    assert not found.unexpected_keys
    assert not [name for name in found.missing_keys if "scaling" not in name]
    return plain.eval(), mine.eval()


def data(*shape: int) -> Tensor:
    return torch.empty(shape).uniform_(-3, 3, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("shape", SHAPES)
def test_without_quantisers_it_is_a_torch_gru(shape: tuple[int, bool, bool, bool]) -> None:
    plain, mine = pair(UNQUANTISED, shape)
    x = data(6, 9, INPUTS)
    first = data(shape[0] * (1 + shape[1]), 6 if shape[2] else 9, UNITS) / 3
    for given in ((x,), (x, first)):
        (y, h), (mine_y, mine_h) = plain(*given), mine(*given)
        assert y.shape == mine_y.shape
        assert h.shape == mine_h.shape
        assert (y - mine_y).abs().max() < 1e-6
        assert (h - mine_h).abs().max() < 1e-6


@pytest.mark.parametrize("shape", SHAPES)
def test_with_16_bits_it_is_within_a_thousandth(shape: tuple[int, bool, bool, bool]) -> None:
    plain, mine = pair(WIDE, shape)
    x = data(16, 20, INPUTS)
    assert (plain(x)[0] - mine(x)[0]).abs().max() < 1e-3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reach", [0.2, 5.0])
def test_a_few_sequences_are_enough_to_find_the_scales(
    shape: tuple[int, bool, bool, bool], reach: float
) -> None:
    """Brevitas' own way, an average over steps, would be off by a tenth and more."""
    bits = dict.fromkeys(("weight", "io", "gate_acc", "sigmoid", "tanh"), 16)
    options: dict[str, Any] = {f"{name}_bit_width": width for name, width in bits.items()}
    if reach < 1:
        options["bias_quant"] = None  # 32 bits of 16-bit steps by 16-bit steps do not reach 0.4
    plain, mine = pair(options, shape)
    x = data(16, 20, INPUTS) * reach / 3
    with torch.no_grad():
        for _ in range(2):
            mine.train()(x)
        error = (plain(x)[0] - mine.eval()(x)[0]).abs().max()
    assert error < 1e-3


def scalings(layer: Any) -> list[Any]:  # noqa: ANN401
    """What finds the scale of each quantiser of a cell."""
    proxies = layer.cell.proxies
    return [p.fused_activation_quant_proxy.tensor_quant.scaling_impl for p in proxies]


def test_scales_are_collected_once_a_sequence_and_then_learnt() -> None:
    prefixes = ("io", "gate_acc", "sigmoid", "tanh", "hidden_state")
    steps: dict[str, Any] = {f"{prefix}_collect_stats_steps": 2 for prefix in prefixes}
    gru = QuantGRU(2, 3, batch_first=True, **steps).train()
    x = torch.rand(4, 5, 2)
    found = scalings(gru.layers[0][0])
    assert len(found) == 9
    for count in (1, 2):
        gru(x)
        assert {s.counter for s in found} == {count}
    gru(x)[0].sum().backward()
    assert {s.counter for s in found} == {3}
    assert all(s.value.grad is not None for s in found)
    assert all(p.training for p in gru.layers[0][0].cell.proxies)


def by_hand(layer: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """A GRU whose reset gate multiplies the state, in the words of the paper."""

    def gate(name: str, given: Tensor, state: Tensor) -> Tensor:
        p = getattr(layer, f"{name}_gate_params")
        total = given @ p.input_weight.weight.T + state @ p.hidden_weight.weight.T
        return torch.as_tensor(total + p.bias)

    h = torch.zeros(x.shape[0], UNITS)
    outputs = []
    for x_t in x.unbind(1):
        r, z = (torch.sigmoid(gate(name, x_t, h)) for name in ("reset", "update"))
        n = torch.tanh(gate("new", x_t, r * h))
        h = (1 - z) * n + z * h
        outputs.append(h)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize(("options", "bound"), [(UNQUANTISED, 1e-6), (WIDE, 1e-3)])
def test_the_reset_before_the_product(options: dict[str, Any], bound: float) -> None:
    torch.manual_seed(3)
    mine = QuantGRU(INPUTS, UNITS, batch_first=True, reset_after=False, **options).eval()
    x = data(8, 15, INPUTS)
    assert (mine(x)[0] - by_hand(mine.layers[0][0], x)).abs().max() < bound
    assert not [name for name, _ in mine.named_parameters() if "new_hidden" in name]


def test_one_option_has_two_names() -> None:
    assert not QuantGRU(2, 3, linear_before_reset=False).layers[0][0].cell.reset_after
    assert not QuantGRU(2, 3, reset_after=False).layers[0][0].cell.reset_after
    assert QuantGRU(2, 3, linear_before_reset=True).layers[0][0].cell.reset_after
    assert QuantGRU(2, 3).layers[0][0].cell.reset_after
    with pytest.raises(ValueError, match="are the same option; give one"):
        QuantGRU(2, 3, linear_before_reset=False, reset_after=True)


@pytest.mark.parametrize("reset_after", [True, False])
def test_it_trains(reset_after: bool) -> None:
    """Learns whether the first value of a sequence was positive; every parameter moves."""
    torch.manual_seed(0)
    gru = QuantGRU(2, 6, batch_first=True, reset_after=reset_after).train()
    head = torch.nn.Linear(6, 1)
    parameters = [*gru.named_parameters(), *head.named_parameters()]
    before = {name: value.detach().clone() for name, value in parameters}
    optimiser = torch.optim.Adam([value for _, value in parameters], lr=0.03)
    x = torch.randn(64, 6, 2)
    wanted = (x[:, 0, 0] > 0).float()
    losses = []
    for _ in range(40):
        said = head(gru(x)[0][:, -1])[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(said, wanted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    still = [name for name, value in parameters if torch.equal(before[name], value)]
    assert not [name for name in still if "weight" in name or "bias" in name]


def test_it_can_be_saved_and_copied() -> None:
    x = torch.rand(4, 5, 2)
    gru = QuantGRU(2, 3, num_layers=2, bidirectional=True, batch_first=True)
    gru(x)
    other = QuantGRU(2, 3, num_layers=2, bidirectional=True, batch_first=True)
    other(x)
    other.load_state_dict(gru.state_dict())
    want = gru.eval()(x)[0]
    assert torch.equal(other.eval()(x)[0], want)
    assert torch.equal(copy.deepcopy(gru)(x)[0], want)


def test_shared_parts_are_shared() -> None:
    gru = QuantGRU(
        2,
        3,
        num_layers=2,
        bidirectional=True,
        shared_input_hidden_weights=True,
        shared_intra_layer_weight_quant=True,
        shared_intra_layer_gate_acc_quant=True,
    )
    one, two = gru.layers[0]
    assert one.reset_gate_params.input_weight is two.reset_gate_params.input_weight
    assert one.reset_gate_params.hidden_weight is not two.reset_gate_params.hidden_weight
    quants = {id(one.gate_params(g).hidden_weight.weight_quant) for g in ("reset", "new")}
    assert len(quants) == 1
    assert one.cell.reset_acc_quant is one.cell.new_hidden_acc_quant
    outputs = {id(d.cell.output_quant) for layer in gru.layers for d in layer}
    assert len(outputs) == 1


def test_a_quant_tensor_comes_out_on_request() -> None:
    gru = QuantGRU(2, 3, batch_first=True, bidirectional=True, return_quant_tensor=True)
    gru(torch.rand(4, 5, 2))
    y, h = gru.eval()(torch.rand(4, 5, 2))
    scale = float(y.scale)
    assert scale == float(h.scale)
    steps = y.value.detach().numpy() / scale
    assert np.allclose(steps, np.rint(steps), atol=1e-3)


def test_brevitas_own_exporter_is_refused() -> None:
    from brevitas.export import export_qonnx

    gru = QuantGRU(2, 3).eval()
    with pytest.raises(RuntimeError, match="only hwrnn.export"):
        export_qonnx(gru, args=torch.rand(4, 5, 2), export_path=None, dynamo=False)


def test_without_torch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hwrnn.nn.gru", None)
    monkeypatch.delattr(hwrnn.nn, "gru", raising=False)
    monkeypatch.delitem(vars(hwrnn.nn), "QuantGRU", raising=False)
    with pytest.raises(hwrnn_errors.ToolError, match=r'hint: pip install "hwrnn\[train\]"'):
        _ = hwrnn.nn.QuantGRU


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(AttributeError, match="module 'hwrnn.nn' has no attribute 'QuantGRUU'"):
        _ = hwrnn.nn.QuantGRUU
