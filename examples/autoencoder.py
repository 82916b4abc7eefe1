# SPDX-License-Identifier: Apache-2.0
"""An autoencoder that sees glitches: python examples/autoencoder.py [folder].

An LSTM reads a sequence, its last state is repeated as often as there were steps, another LSTM
and a dense layer say the sequence again. What they cannot say is a glitch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import hwrnn

STEPS, UNITS = 8, 6


class Autoencoder(nn.Module):
    """(batch, STEPS, 1) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = nn.LSTM(1, UNITS, batch_first=True)
        self.says = nn.LSTM(UNITS, UNITS, batch_first=True)
        self.head = nn.Linear(UNITS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """RepeatVector, as other frameworks call it, is `repeat`."""
        last = self.reads(x)[0][:, -1:].repeat(1, STEPS, 1)
        y: Tensor = self.head(self.says(last)[0])
        return y


def waves(count: int, seed: int) -> Tensor:
    """Sines of any phase."""
    phase = torch.rand(count, 1, generator=torch.Generator().manual_seed(seed)) * 6.28
    return torch.sin(phase + torch.arange(STEPS) * 0.8)[:, :, None]


def main(folder: str = "build/autoencoder", engines: str = "reference,cmodel,csim,rtl") -> None:
    """Train in float, quantise, look for glitches with integers, prove."""
    torch.manual_seed(0)
    net, x = Autoencoder(), waves(64, 0)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(80):
        optimiser.zero_grad()
        nn.functional.mse_loss(net(x), x).backward()
        optimiser.step()
    quantised = hwrnn.quantize(net.eval(), x, weight_bits=8, act_bits=8)
    Path(folder).mkdir(parents=True, exist_ok=True)
    hwrnn.export(quantised, x[:1], Path(folder, "autoencoder.onnx"))
    graph = hwrnn.load(Path(folder, "autoencoder.onnx"))
    good, bad = waves(16, 1), waves(16, 2)
    bad[:, 4] = -bad[:, 4]
    for name, data in (("waves", good), ("glitches", bad)):
        far = (torch.as_tensor(hwrnn.run(graph, data)) - data).square().mean()
        print(f"{name:8} {far:.4f} from what the network says")
    hwrnn.verify(graph, torch.cat([good, bad]), engines=engines.split(",")).check()
    print(f"equal, bit for bit: {engines}")


if __name__ == "__main__":
    main(*sys.argv[1:])
