# SPDX-License-Identifier: Apache-2.0
"""A float LSTM to hardware, without training it again: python examples/float_model.py [folder].

Two ways: the torch module with `hwrnn.quantize`, and its ONNX file with `hwrnn.load(calibration=)`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import hwrnn


class Net(nn.Module):
    """An LSTM, its last step, two scores."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Sequences (batch, steps, 4) to scores (batch, 2)."""
        y, _ = self.lstm(x)
        scores: Tensor = self.head(y[:, -1])
        return scores


def main(folder: str = "build/float_model", engines: str = "reference,cmodel,csim") -> None:
    """Quantise in both ways; say how far the scores move; prove, and write a project."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    net = Net().eval()
    x = torch.rand(64, 10, 4) * 2 - 1
    with torch.no_grad():
        exact = net(x).numpy()

    hwrnn.export(hwrnn.quantize(net, x), x[:2], target / "torch.onnx")
    graph = hwrnn.load(target / "torch.onnx")
    print(f"hwrnn.quantize:  {abs(hwrnn.run(graph, x.numpy()) - exact).max():.4f}")

    torch.onnx.export(net, (x,), str(target / "float.onnx"), dynamo=False)
    graph = hwrnn.load(target / "float.onnx", calibration=x.numpy())
    print(f"calibrated ONNX: {abs(hwrnn.run(graph, x.numpy()) - exact).max():.4f}")

    hwrnn.verify(graph, x[:16], engines=engines.split(",")).check()
    print(f"equal, bit for bit: {engines}")
    design = hwrnn.build(graph, "pynq_z2")
    hwrnn.emit(design, backend="both").write(target / "project")
    print(f"written: {target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
