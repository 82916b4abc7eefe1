# SPDX-License-Identifier: Apache-2.0
"""Initial states in a module's forward: what export must not lose without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hwrnn
from hwrnn.errors import ExportFault

pytestmark = pytest.mark.needs_train
torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn")
hnn = pytest.importorskip("hwrnn.nn")


class Stateful(torch.nn.Module):  # type: ignore[name-defined,misc]
    """An LSTM with initial states, called in one of several ways."""

    def __init__(self, layers: int, call: Callable[..., Any]) -> None:
        super().__init__()
        self.lstm = qnn.QuantLSTM(3, 4, num_layers=layers, batch_first=True)
        self.call = call

    def forward(self, x: Any, h0: Any, c0: Any) -> Any:  # noqa: ANN401 - torch is optional
        return self.call(self.lstm, x, h0, c0)[0]


STATES = (torch.rand(2, 5, 3), torch.rand(1, 2, 4), torch.rand(1, 2, 4))
PAIR = (
    'module "lstm": it is called with the pair (h0, c0), of which Brevitas takes h0 and loses c0\n'
    "  hint: call it with h0, c0, without brackets; or use hwrnn.nn.QuantLSTM, which takes both"
)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(
    "call", [lambda f, x, h, c: f(x, (h, c)), lambda f, x, h, c: f(x, hx=[h, c])]
)
def test_a_pair_of_states_that_brevitas_would_lose(
    tmp_path: Path, layers: int, call: Callable[..., Any]
) -> None:
    with pytest.raises(ExportFault) as refused:
        hwrnn.export(Stateful(layers, call), STATES, tmp_path / "m.onnx")
    assert str(refused.value) == PAIR
    assert not [*tmp_path.iterdir()]


def test_states_one_by_one_and_a_pair_for_our_layer(tmp_path: Path) -> None:
    """Both start with all that they are given."""
    net = Stateful(1, lambda f, x, h, c: f(x, h, c))
    ours = Stateful(1, lambda f, x, h, c: f(x, (h, c)))
    ours.lstm = hnn.QuantLSTM(3, 4, batch_first=True)
    for module in (net, ours):
        module(*STATES)
        hwrnn.export(module, STATES, tmp_path / "m.onnx")
        names = [i.out.name for i in hwrnn.load(tmp_path / "m.onnx").inputs]
        assert names == ["x", "h0", "c0"]


def test_an_input_without_influence(tmp_path: Path) -> None:
    """The exporter would drop it, and the file would take fewer inputs than the module."""
    net = Stateful(1, lambda f, x, h, c: f(x))  # noqa: ARG005
    with pytest.raises(ExportFault) as refused:
        hwrnn.export(net, STATES, tmp_path / "m.onnx")
    assert str(refused.value) == (
        'module: its input "h0" has no influence on the outputs\n'
        "  hint: leave it out of forward and of example_input"
    )
