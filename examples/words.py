# SPDX-License-Identifier: Apache-2.0
"""A table of words, a bidirectional GRU, the best of four: python examples/words.py [folder]."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import hwrnn

WORDS, CLASSES, STEPS = 20, 4, 7


class Net(nn.Module):
    """Numbers of words, (batch, steps), to the number of a class."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, 5, padding_idx=0)
        self.gru = nn.GRU(5, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, CLASSES)

    def forward(self, words: Tensor) -> Tensor:
        """The largest over time of each feature, then the largest score."""
        best: Tensor = self.head(self.gru(self.table(words))[0].amax(1)).argmax(-1)
        return best


def main(folder: str = "build/words", engines: str = "reference,cmodel,csim,rtl") -> None:
    """Quantise, export, prove: the input is integers, and so is the output."""
    torch.manual_seed(0)
    net = Net().eval()
    words = torch.randint(WORDS, (200, STEPS))
    quantised = hwrnn.quantize(net, words, weight_bits=6, act_bits=8)
    Path(folder).mkdir(parents=True, exist_ok=True)
    hwrnn.export(quantised, words[:1], Path(folder, "words.onnx"))
    graph = hwrnn.load(Path(folder, "words.onnx"))
    same = torch.as_tensor(hwrnn.run(graph, words.numpy())).flatten() == net(words)
    print(f"the class of the float network: {same.float().mean():.0%}")
    design = hwrnn.build(graph, "pynq_z2", max_steps=STEPS)
    report = hwrnn.verify(graph, words[:8].numpy(), engines=engines.split(","), design=design)
    report.check()
    print(f"equal, bit for bit: {engines}")


if __name__ == "__main__":
    main(*sys.argv[1:])
