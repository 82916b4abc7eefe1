# SPDX-License-Identifier: Apache-2.0
"""Sequences of different lengths in one batch: python examples/lengths.py [folder].

The batch is padded; `lengths` says where each sequence ends. The hardware needs no padding: TLAST
ends a sequence, whatever its length.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import hwrnn

LENGTHS = [9, 1, 4, 6, 2]


class Net(nn.Module):
    """Two layers, both directions, the largest of each feature over time."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, steps, 3) to (batch, 2)."""
        scores: Tensor = self.head(self.lstm(x)[0].amax(1))
        return scores


def main(folder: str = "build/lengths", engines: str = "csim,rtl") -> None:
    """A batch, and each of its sequences alone."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    net = hwrnn.quantize(Net(), rng.uniform(-1, 1, (32, 9, 3)), weight_bits=6, act_bits=6)
    Path(folder).mkdir(parents=True, exist_ok=True)
    hwrnn.export(net, torch.zeros(1, 9, 3), Path(folder, "lengths.onnx"))
    graph = hwrnn.load(Path(folder, "lengths.onnx"))

    batch = rng.uniform(-1, 1, (len(LENGTHS), max(LENGTHS), 3)).astype(np.float32)
    together = hwrnn.run(graph, batch, lengths=LENGTHS, integers=True)
    alone = [
        hwrnn.run(graph, x[None, :n], integers=True) for x, n in zip(batch, LENGTHS, strict=True)
    ]
    print("together as alone:", np.array_equal(together, np.concatenate(alone)))

    design = hwrnn.build(graph, "zcu104", max_steps=max(LENGTHS))
    cycles = hwrnn.estimate(design).cycles(sequences=LENGTHS)
    for engine in engines.split(","):
        got = hwrnn.simulate(design, batch, engine=engine, lengths=LENGTHS)
        if not np.array_equal(got.outputs, together) or got.cycles not in (None, cycles):
            raise SystemExit(f"{engine} differs")
        print(f"{engine}: equal, bit for bit; cycles: {got.cycles}, estimated {cycles}")


if __name__ == "__main__":
    main(*sys.argv[1:])
