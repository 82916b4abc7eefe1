# SPDX-License-Identifier: Apache-2.0
"""States that go in and come out: python examples/states.py [folder].

An LSTM of two layers starts with the states that it is given, and returns those in which it ends.
So a sequence can be computed in parts, by whoever keeps the states in between.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import hwrnn

FEATURES, UNITS, LAYERS, BATCH, STEPS = 3, 6, 2, 4, 8


class Net(nn.Module):
    """A sequence, h and c to a sequence, h and c."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, UNITS, LAYERS, batch_first=True)

    def forward(self, x: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States are (layers, batch, units), as torch has them."""
        y, (h, c) = self.lstm(x, (h0, c0))
        return y, h, c


def main(folder: str = "build/states", engines: str = "reference,cmodel,csim,rtl") -> None:
    """Quantise, export, compute in two parts, prove."""
    torch.manual_seed(0)
    x = torch.rand(BATCH, STEPS, FEATURES) * 2 - 1
    states = torch.rand(2, LAYERS, BATCH, UNITS) - 0.5
    given = (x, states[0], states[1])
    net = hwrnn.quantize(Net(), given, weight_bits=6, act_bits=8)

    Path(folder).mkdir(parents=True, exist_ok=True)
    hwrnn.export(net, given, Path(folder, "states.onnx"))
    graph = hwrnn.load(Path(folder, "states.onnx"))
    print("inputs: ", ", ".join(f"{p.out.name} {p.axes}" for p in graph.inputs))
    whole = hwrnn.run(graph, given)
    first = hwrnn.run(graph, (x[:, :3], states[0], states[1]))
    print("outputs:", ", ".join(f"{name} {y.shape}" for name, y in whole.items()))
    y, h, c = first.values()
    rest = hwrnn.run(graph, (x[:, 3:], h, c))
    parts = np.concatenate([y, next(iter(rest.values()))], axis=1)
    print("in two parts the same:", np.array_equal(parts, next(iter(whole.values()))))
    hwrnn.verify(graph, given, engines=engines.split(",")).check()
    print(f"equal, bit for bit: {engines}")


if __name__ == "__main__":
    main(*sys.argv[1:])
