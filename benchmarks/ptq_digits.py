# SPDX-License-Identifier: Apache-2.0
"""Float LSTM and GRU on the digits, quantised after training: what that costs in accuracy.

    python benchmarks/ptq_digits.py [--epochs 30] [--tuning 3] [--seeds 1]

For each cell the share of right answers on the test digits: in float; with 8-bit weights and
values; with 4-bit weights; and with these after a few epochs of fine-tuning. `exact` is the same
from `hwrnn.run`, on the exported file.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import hwrnn
from hwrnn.demo.digits import Digits, accuracy, load_digits
from hwrnn.demo.training import Plan, fit, reproducible, scores

FEATURES, HIDDEN, CLASSES = 8, 32, 10
CALIBRATION = 256
CELLS = {"LSTM": nn.LSTM, "GRU": nn.GRU}


class Net(nn.Module):
    """A recurrent layer, its last step, a dense layer: (n, 8, 8) -> (n, 10)."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.rnn = CELLS[cell](FEATURES, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes."""
        y, _ = self.rnn(x)
        found: Tensor = self.head(y[:, -1])
        return found


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; shares from 0 to 1. `exact` is None for a float network."""

    cell: str
    form: str
    share: float
    loss: float
    exact: float | None


def exact_share(net: nn.Module, digits: Digits) -> float:
    """The accuracy of the exported file in the C-model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        hwrnn.export(net, digits.train_x[:2], path)
        return accuracy(hwrnn.run(hwrnn.load(path), digits.test_x), digits.test_y)


def measure(cell: str, digits: Digits, epochs: int, tuning: int, seed: int) -> Iterator[Row]:
    """The rows of one cell."""
    data = digits.train_x[:CALIBRATION]
    with reproducible(seed):
        plain = Net(cell)
        fit(plain, digits, Plan(epochs=epochs, batch=64, rate=1e-2), lambda _: None)
    base = accuracy(scores(plain, digits.test_x), digits.test_y)
    yield Row(cell=cell, form="float", share=base, loss=0.0, exact=None)

    def row(form: str, net: nn.Module) -> Row:
        share = accuracy(scores(net, digits.test_x), digits.test_y)
        return Row(
            cell=cell, form=form, share=share, loss=base - share, exact=exact_share(net, digits)
        )

    yield row("8 bits", hwrnn.quantize(plain, data, weight_bits=8, act_bits=8))
    four = hwrnn.quantize(plain, data, weight_bits=4, act_bits=8)
    yield row("4-bit weights", four)
    with reproducible(seed):
        fit(four, digits, Plan(epochs=tuning, batch=64, rate=2e-3), lambda _: None)
    yield row(f"4-bit weights, {tuning} epochs", four)


def line(row: Row) -> str:
    """A row as text."""
    exact = "" if row.exact is None else f"{row.exact:9.2%}"
    return f"{row.cell:5} {row.form:24} {row.share:8.2%} {100 * row.loss:+8.2f} {exact}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30, help="of the float network")
    parser.add_argument("--tuning", type=int, default=3, help="epochs of fine-tuning")
    parser.add_argument("--seeds", type=int, default=1, help="how often, with other seeds")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    digits = load_digits()
    print(f"{'cell':5} {'form':24} {'right':>8} {'loss':>8} {'exact':>9}")
    for seed in range(given.seeds):
        for cell in CELLS:
            for row in measure(cell, digits, given.epochs, given.tuning, seed):
                print(line(row))


if __name__ == "__main__":
    main()
