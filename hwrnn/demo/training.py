# SPDX-License-Identifier: Apache-2.0
"""The networks of the demo and their training: in float first, then with quantisation on.

The quantisers have power-of-two scales, so that the float32 module itself computes without
rounding and its outputs can be compared with the hardware's bit by bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwrnn.demo.digits import Digits
from hwrnn.errors import ToolError

try:
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import Int32Bias
    from brevitas.quant.fixed_point import (
        Int8ActPerTensorFixedPoint,
        Int8WeightPerTensorFixedPoint,
        Uint8ActPerTensorFixedPoint,
    )
    from torch import Tensor, nn
except ImportError as fault:
    raise ToolError(
        "hwrnn demo", f"needs torch and brevitas: {fault}", "pip install 'hwrnn[train]'"
    ) from fault

FEATURES, HIDDEN, CLASSES = 8, 32, 10
WEIGHT_BITS = 4

Tick = Callable[[int], None]


class FloatDigits(nn.Module):
    """LSTM, last step, dense layer: (n, 8, 8) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes."""
        y, _ = self.lstm(x)
        scores: Tensor = self.head(y[:, -1])
        return scores


class QuantDigits(nn.Module):
    """The same with 4-bit weights and 8-bit activations."""

    def __init__(self) -> None:
        super().__init__()
        self.quant = qnn.QuantIdentity(
            Int8ActPerTensorFixedPoint, bit_width=8, return_quant_tensor=True
        )
        self.lstm = qnn.QuantLSTM(
            FEATURES,
            HIDDEN,
            batch_first=True,
            weight_quant=Int8WeightPerTensorFixedPoint,
            weight_bit_width=WEIGHT_BITS,
            bias_quant=Int32Bias,
            io_quant=Int8ActPerTensorFixedPoint,
            gate_acc_quant=Int8ActPerTensorFixedPoint,
            sigmoid_quant=Uint8ActPerTensorFixedPoint,
            tanh_quant=Int8ActPerTensorFixedPoint,
            cell_state_quant=Int8ActPerTensorFixedPoint,
        )
        self.head = qnn.QuantLinear(
            HIDDEN,
            CLASSES,
            bias=True,
            weight_quant=Int8WeightPerTensorFixedPoint,
            weight_bit_width=WEIGHT_BITS,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes."""
        y, _ = self.lstm(self.quant(x))
        scores: Tensor = self.head(y[:, -1])
        return scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a network is trained: Adam, the rate falling along a cosine."""

    epochs: int
    batch: int
    rate: float


FLOAT_PLAN = Plan(epochs=60, batch=64, rate=1e-2)
QUANT_PLAN = Plan(epochs=15, batch=128, rate=5e-3)


def train_float(digits: Digits, tick: Tick, *, seed: int, plan: Plan = FLOAT_PLAN) -> FloatDigits:
    """The float network, trained. `tick(n)`: n epochs are done."""
    with reproducible(seed):
        network = FloatDigits()
        fit(network, digits, plan, tick)
    return network


def train_quantised(
    start: FloatDigits, digits: Digits, tick: Tick, *, seed: int, plan: Plan = QUANT_PLAN
) -> QuantDigits:
    """The quantised network: starts with the float weights, trained with quantisation on."""
    with reproducible(seed):
        network = QuantDigits()
        network.load_state_dict(start.state_dict(), strict=False)  # scales are not in it
        fit(network, digits, plan, tick)
    return network


def fit(network: nn.Module, digits: Digits, plan: Plan, tick: Tick) -> None:
    """Train in place; the network is in eval mode afterwards."""
    x, y = torch.from_numpy(digits.train_x), torch.from_numpy(digits.train_y)
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.rate)
    batches = -(-len(x) // plan.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, plan.epochs * batches)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    network.train()
    for epoch in range(plan.epochs):
        order = torch.randperm(len(x))
        for start in range(0, len(x), plan.batch):
            chosen = order[start : start + plan.batch]
            optimiser.zero_grad()
            loss(network(shifted(x[chosen])), y[chosen]).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        tick(epoch + 1)
    network.eval()


def shifted(x: Tensor) -> Tensor:
    """Half of the images as they are, half moved by up to one pixel in each direction."""
    n, size = len(x), x.shape[-1]
    moves = torch.randint(0, 3, (2, n))
    moves[:, torch.rand(n) < 0.5] = 1
    rows, columns = moves[:, :, None] + torch.arange(size)
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def scores(network: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's own outputs, in eval mode."""
    network.eval()
    with one_thread(), torch.no_grad():
        found: Any = network(torch.from_numpy(x))
    return np.asarray(found.numpy(), dtype=np.float32)


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """A seed, one thread, and none of Brevitas' warnings; the state is put back."""
    with one_thread(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Matrices this small gain nothing from a second thread, and on a busy machine wait for it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
