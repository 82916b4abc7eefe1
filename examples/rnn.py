# SPDX-License-Identifier: Apache-2.0
"""A plain RNN: which way does a dot move? python examples/rnn.py [folder].

Trains a QuantRNN with 4-bit weights for a moment; the scales are powers of two.
"""

from __future__ import annotations

import sys
from pathlib import Path

import brevitas.nn as qnn
import torch
from brevitas.quant.fixed_point import Int8ActPerTensorFixedPoint, Int8WeightPerTensorFixedPoint
from torch import Tensor, nn

import hwrnn

PIXELS, UNITS, STEPS = 6, 8, 5


class Net(nn.Module):
    """Two scores for a film of PIXELS, (batch, steps, PIXELS)."""

    def __init__(self) -> None:
        super().__init__()
        options = {"weight_quant": Int8WeightPerTensorFixedPoint, "weight_bit_width": 4}
        acts = {f"{name}_quant": Int8ActPerTensorFixedPoint for name in ("io", "gate_acc")}
        self.rnn = qnn.QuantRNN(PIXELS, UNITS, batch_first=True, **options, **acts)
        self.head = qnn.QuantLinear(UNITS, 2, bias=True, **options)

    def forward(self, x: Tensor) -> Tensor:
        """The scores after the last step."""
        scores: Tensor = self.head(self.rnn(x)[0][:, -1])
        return scores


def films(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Dots that move left or right, around the edge, and which way."""
    rng = torch.Generator().manual_seed(seed)
    start = torch.randint(PIXELS, (count, 1), generator=rng)
    right = torch.randint(2, (count,), generator=rng)
    place = (start + torch.arange(STEPS) * (2 * right[:, None] - 1)) % PIXELS
    return nn.functional.one_hot(place, PIXELS).float(), right


def main(folder: str = "build/rnn", engines: str = "reference,cmodel,csim,rtl") -> None:
    """Train, export, prove."""
    torch.manual_seed(0)
    net, (x, right) = Net(), films(64, 0)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(40):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), right).backward()
        optimiser.step()
    x, right = films(64, 1)
    Path(folder).mkdir(parents=True, exist_ok=True)
    hwrnn.export(net.eval(), x, Path(folder, "rnn.onnx"))
    graph = hwrnn.load(Path(folder, "rnn.onnx"))
    said = torch.as_tensor(hwrnn.run(graph, x)).argmax(1)
    print(f"right: {(said == right).float().mean():.0%}")
    hwrnn.verify(graph, x, engines=engines.split(","), module=net).check()
    print(f"equal, bit for bit: {engines}")


if __name__ == "__main__":
    main(*sys.argv[1:])
