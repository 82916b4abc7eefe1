# SPDX-License-Identifier: Apache-2.0
"""A GRU from torch to SystemVerilog: python examples/gru.py [folder].

Trains a float GRU for a moment, gives its weights to a QuantGRU, trains that, and builds it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from brevitas.nn import QuantIdentity, QuantLinear
from torch import Tensor, nn

import hwrnn
from hwrnn.nn import QuantGRU

INPUTS, UNITS, STEPS = 4, 12, 10


class Float(nn.Module):
    """Does the sequence rise or fall?"""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(INPUTS, UNITS, batch_first=True)
        self.head = nn.Linear(UNITS, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Sequences (batch, steps, features) to scores (batch, 2)."""
        return self.head(self.gru(x)[0][:, -1])


class Quantised(Float):
    """The same with 4-bit weights and 8-bit values."""

    def __init__(self) -> None:
        super().__init__()
        self.quant = QuantIdentity(return_quant_tensor=True)
        self.gru = QuantGRU(INPUTS, UNITS, batch_first=True, weight_bit_width=4)
        self.head = QuantLinear(UNITS, 2, bias=True, weight_bit_width=4)

    def forward(self, x: Tensor) -> Tensor:
        """Sequences (batch, steps, features) to scores (batch, 2)."""
        return super().forward(self.quant(x))


def data(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy ramps, and whether they rise."""
    rng = torch.Generator().manual_seed(seed)
    slope = torch.rand(count, 1, 1, generator=rng) - 0.5
    ramp = slope * torch.linspace(-1, 1, STEPS)[None, :, None]
    x = ramp + 0.2 * torch.randn(count, STEPS, INPUTS, generator=rng)
    return x.clamp(-1, 1), (slope[:, 0, 0] > 0).long()


def train(module: nn.Module, epochs: int) -> None:
    """Plain training; the scales of a quantised module are found on the way."""
    x, wanted = data(256, 0)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    module.train()
    for _ in range(epochs):
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(x), wanted).backward()
        optimiser.step()
    module.eval()


def accuracy(said: Tensor, wanted: Tensor) -> float:
    """The share of right answers."""
    return float((said.argmax(1) == wanted).float().mean())


def main(folder: str = "build/gru") -> None:
    """From a float GRU to files."""
    torch.manual_seed(0)
    plain, net = Float(), Quantised()
    train(plain, 60)
    net.load_state_dict(plain.state_dict(), strict=False)
    train(net, 40)
    x, wanted = data(200, 1)
    with torch.no_grad():
        print(f"float      {accuracy(plain(x), wanted):.1%}")
        print(f"quantised  {accuracy(net(x), wanted):.1%}")

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    hwrnn.export(net, x, target / "gru.onnx")
    graph = hwrnn.load(target / "gru.onnx")
    exact = torch.as_tensor(hwrnn.run(graph, x))
    print(f"exact      {accuracy(exact, wanted):.1%}")
    hwrnn.verify(graph, x[:20], engines=("reference", "cmodel"), module=net).check()
    for pe, simd in ((1, 4), (4, 8), (12, 16)):
        design = hwrnn.build(graph, "pynq_z2", folding={"gru_l0d0": {"pe": pe, "simd": simd}})
        est = hwrnn.estimate(design, steps=STEPS)
        print(f"pe {pe:2}, simd {simd:2}: {est.cycles_per_step:4} cycles a step, {est.dsps} DSP")
    hwrnn.emit(design, backend="both").write(target / "project")
    print(f"written: {target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
