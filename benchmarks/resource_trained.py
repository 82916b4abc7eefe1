# SPDX-License-Identifier: Apache-2.0
"""Small networks trained on the digits, of any width and size, for the resource model's check."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import brevitas.nn as qnn
import torch
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
)
from torch import Tensor, nn

import hwrnn
import hwrnn.nn as hnn
from hwrnn.demo.digits import load_digits
from hwrnn.demo.training import FEATURES, Plan, fit, reproducible
from hwrnn.ir import Graph
from hwrnn.sim.cache import cached_build

EPOCHS = 4
CLASSES = 10
CELLS = {"lstm": qnn.QuantLSTM, "gru": hnn.QuantGRU, "rnn": hnn.QuantRNN}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is trained: a cell, its size, the bits of weights and activations."""

    cell: str
    hidden: int
    weight_bits: int
    act_bits: int
    seed: int


class Network(nn.Module):
    """A recurrent layer, its last step, a dense layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        bits = shape.act_bits
        self.quant = qnn.QuantIdentity(
            Int8ActPerTensorFixedPoint, bit_width=bits, return_quant_tensor=True
        )
        act, gate = Int8ActPerTensorFixedPoint, Uint8ActPerTensorFixedPoint
        quantisers = {"io_quant": act, "gate_acc_quant": act, "tanh_quant": act}
        if shape.cell != "rnn":
            quantisers["sigmoid_quant"] = gate
        if shape.cell == "lstm":
            quantisers["cell_state_quant"] = act
        widths = {f"{name.removesuffix('quant')}bit_width": bits for name in quantisers}
        self.cell = CELLS[shape.cell](
            FEATURES,
            shape.hidden,
            batch_first=True,
            weight_quant=Int8WeightPerTensorFixedPoint,
            weight_bit_width=shape.weight_bits,
            bias_quant=None,
            **quantisers,
            **widths,
        )
        self.head = qnn.QuantLinear(
            shape.hidden,
            CLASSES,
            bias=True,
            weight_quant=Int8WeightPerTensorFixedPoint,
            weight_bit_width=shape.weight_bits,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes."""
        y, _ = self.cell(self.quant(x))
        scores: Tensor = self.head(y[:, -1])
        return scores


def trained(shape: Shape) -> Graph:
    """The graph of a network after a few epochs; from the cache, if it was trained before."""
    key = sha256(repr((asdict(shape), EPOCHS)).encode()).hexdigest()[:32]
    folder = cached_build("trained", key, lambda place: train(shape, place))
    return hwrnn.load(str(folder / "model.onnx"))


def train(shape: Shape, folder: Path) -> None:
    """Train and export."""
    digits = load_digits()
    with reproducible(shape.seed):
        network = Network(shape)
        plan = Plan(epochs=EPOCHS, batch=128, rate=1e-2)
        fit(network, digits, plan, lambda _: None)
        hwrnn.export(network, torch.from_numpy(digits.test_x[:1]), str(folder / "model.onnx"))
