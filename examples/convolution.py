# SPDX-License-Identifier: Apache-2.0
"""Conv1d, batch normalisation, pooling, LSTM, dense: python examples/convolution.py [folder]."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import hwrnn

CHANNELS, STEPS = 2, 16


class Net(nn.Module):
    """What listens to a sensor: windows first, memory behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv1d(CHANNELS, 6, 3, padding=1), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2)
        )
        self.lstm = nn.LSTM(6, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, steps, channels) to three scores: of the mean over time."""
        windows = self.front(x.transpose(1, 2)).transpose(1, 2)
        scores: Tensor = self.head(self.lstm(windows)[0].mean(1))
        return scores


def main(folder: str = "build/convolution", engines: str = "reference,cmodel,csim,rtl") -> None:
    """Quantise, export, prove."""
    torch.manual_seed(0)
    net, x = Net(), torch.rand(64, STEPS, CHANNELS) * 2 - 1
    net(x)  # stands for the training: the normalisation sees data
    net.eval()
    quantised = hwrnn.quantize(net, x, weight_bits=6, act_bits=8)
    Path(folder).mkdir(parents=True, exist_ok=True)
    hwrnn.export(quantised, x[:1], Path(folder, "convolution.onnx"))
    graph = hwrnn.load(Path(folder, "convolution.onnx"))
    with torch.no_grad():
        error = (torch.as_tensor(hwrnn.run(graph, x)) - net(x)).abs().max()
    print(f"{error:.4f} from float")
    hwrnn.verify(graph, x[:8], engines=engines.split(","), module=quantised).check()
    print(f"equal, bit for bit: {engines}")


if __name__ == "__main__":
    main(*sys.argv[1:])
