# SPDX-License-Identifier: Apache-2.0
"""A signal without end, in pieces: python examples/streaming.py [folder].

With state="keep" the hardware carries h from one piece to the next; `first` says where a new
signal starts. What comes out is what one long sequence would give.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import hwrnn

LENGTHS = [5, 2, 7, 4, 3]
FIRST = [True, False, False, True, False]  # three pieces of one signal, two of another


class Filter(nn.Module):
    """A smoother with a memory: a GRU, and one number for each step."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 6, batch_first=True)
        self.head = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, steps, 1) to (batch, steps, 1)."""
        y: Tensor = self.head(self.gru(x)[0])
        return y


def main(folder: str = "build/streaming", engines: str = "csim,rtl") -> None:
    """Cut two signals into pieces, and compare with the signals as they are."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    net = hwrnn.quantize(Filter(), rng.uniform(-1, 1, (32, 12, 1)), weight_bits=6)
    Path(folder).mkdir(parents=True, exist_ok=True)
    hwrnn.export(net, torch.zeros(1, 8, 1), Path(folder, "filter.onnx"))
    graph = hwrnn.load(Path(folder, "filter.onnx"))

    pieces = np.zeros((len(LENGTHS), max(LENGTHS), 1), np.float32)
    for piece, n in zip(pieces, LENGTHS, strict=True):
        piece[:n] = rng.uniform(-1, 1, (n, 1))
    want = hwrnn.run(graph, pieces, lengths=LENGTHS, first=FIRST, integers=True)
    signal = np.concatenate([piece[:n] for piece, n in zip(pieces[:3], LENGTHS, strict=False)])
    whole = hwrnn.run(graph, signal[None], integers=True)[0]
    joined = np.concatenate([y[:n] for y, n in zip(want[:3], LENGTHS, strict=False)])
    print("pieces give what the whole signal gives:", np.array_equal(joined, whole))

    design = hwrnn.build(graph, "pynq_z2", state="keep")
    for engine in engines.split(","):
        got = hwrnn.simulate(design, pieces, engine=engine, lengths=LENGTHS, first=FIRST)
        if not np.array_equal(got.outputs, want):
            raise SystemExit(f"{engine} differs")
        print(f"{engine}: equal, bit for bit; cycles: {got.cycles}")


if __name__ == "__main__":
    main(*sys.argv[1:])
