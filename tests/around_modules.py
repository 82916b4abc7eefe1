# SPDX-License-Identifier: Apache-2.0
"""Brevitas modules with what people put around a recurrent layer."""

from __future__ import annotations

from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.quant import fixed_point
from torch import Tensor, nn

ACT = fixed_point.Int8ActPerTensorFixedPoint
UACT = fixed_point.Uint8ActPerTensorFixedPoint
WEIGHT = fixed_point.Int8WeightPerTensorFixedPoint


def act() -> Any:  # noqa: ANN401 - Brevitas has no types
    return qnn.QuantIdentity(act_quant=ACT)


def lstm(inputs: int, units: int, *, batch_first: bool = True) -> Any:  # noqa: ANN401
    return qnn.QuantLSTM(
        inputs,
        units,
        batch_first=batch_first,
        weight_quant=WEIGHT,
        io_quant=ACT,
        gate_acc_quant=ACT,
        sigmoid_quant=UACT,
        tanh_quant=ACT,
        cell_state_quant=ACT,
        bias_quant=None,
    )


def dense(inputs: int, outputs: int) -> Any:  # noqa: ANN401
    return qnn.QuantLinear(inputs, outputs, bias=True, weight_quant=WEIGHT)


class Conv(nn.Module):
    """Convolution, normalisation and pool in front; `grouped`: with stride and groups."""

    def __init__(self, grouped: bool = False) -> None:
        super().__init__()
        stride, pad, groups = (2, 0, 2) if grouped else (1, 1, 1)
        self.x = act()
        self.conv = qnn.QuantConv1d(
            4, 6, 3, stride=stride, padding=pad, groups=groups, weight_quant=WEIGHT
        )
        self.norm = nn.BatchNorm1d(6)
        self.norm.weight.data = torch.randn(6)  # of both signs
        self.relu = qnn.QuantReLU(act_quant=UACT)
        self.pool = nn.AvgPool1d(3, 2, 1) if grouped else nn.MaxPool1d(2)
        self.between, self.lstm, self.dense = act(), lstm(6, 5), dense(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm(self.conv(self.x(x).transpose(1, 2))))
        y, _ = self.lstm(self.between(self.pool(y)).transpose(1, 2))
        return self.dense(y[:, -1])  # type: ignore[no-any-return]


class OverTime(nn.Module):
    """The mean, or the maximum, over time behind the recurrent layer."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.x, self.lstm, self.between, self.dense = act(), lstm(4, 5), act(), dense(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(self.x(x))
        y = y.mean(1) if self.how == "mean" else y.amax(1)
        return self.dense(self.between(y))  # type: ignore[no-any-return]


class Words(nn.Module):
    """Indices through a table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = qnn.QuantEmbedding(11, 4, weight_quant=WEIGHT)
        self.x, self.lstm, self.dense = act(), lstm(4, 5), dense(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(self.x(self.table(x)))
        return self.dense(y[:, -1])  # type: ignore[no-any-return]


class PaddedPool(nn.Module):
    """A maximum of windows with a stride of 1 and padding, whose scales are those of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.x, self.pool, self.between = act(), nn.MaxPool1d(3, 1, 1), act()
        self.lstm = lstm(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.pool(self.x(x).transpose(1, 2)).transpose(1, 2)
        return self.lstm(self.between(pooled))[0][:, -1]  # type: ignore[no-any-return]


class WordsOverTime(nn.Module):
    """Indices, steps first, or batch first and summed up."""

    def __init__(self, *, time_first: bool) -> None:
        super().__init__()
        self.table = qnn.QuantEmbedding(11, 4, weight_quant=WEIGHT)
        self.x, self.lstm = act(), lstm(4, 5, batch_first=not time_first)
        self.between, self.dense = act(), dense(5, 3)
        self.time_first = time_first

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(self.x(self.table(x)))
        z = y[-1] if self.time_first else self.between(y.sum(1))
        return self.dense(z)  # type: ignore[no-any-return]


class Autoencoder(nn.Module):
    """The last state again and again through a second layer."""

    def __init__(self) -> None:
        super().__init__()
        self.x, self.encode, self.decode, self.dense = act(), lstm(1, 5), lstm(5, 5), dense(5, 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.encode(self.x(x))
        y, _ = self.decode(y[:, -1:].repeat(1, 8, 1))
        return self.dense(y)  # type: ignore[no-any-return]


class Residual(nn.Module):
    """Two layers whose outputs are added."""

    def __init__(self) -> None:
        super().__init__()
        self.x, self.one, self.two = act(), lstm(4, 4), lstm(4, 4)
        self.between, self.dense = act(), dense(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.one(self.x(x))
        z, _ = self.two(y)
        return self.dense(self.between(y + z))  # type: ignore[no-any-return]


class Branches(nn.Module):
    """Two layers beside each other, and the index of the largest score."""

    def __init__(self) -> None:
        super().__init__()
        self.x, self.one, self.two = act(), lstm(4, 4), lstm(4, 3)
        self.between, self.dense = act(), dense(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.x(x)
        y, _ = self.one(x)
        z, _ = self.two(x)
        joined = torch.cat([y[:, -1], z[:, -1]], 1)
        return self.dense(self.between(joined)).argmax(1)  # type: ignore[no-any-return]


def modules() -> dict[str, tuple[nn.Module, Tensor]]:
    """Each with an example, its scales settled."""
    torch.manual_seed(0)
    x = torch.randn(4, 8, 4)
    found: dict[str, tuple[nn.Module, Tensor]] = {
        "convolution": (Conv(), x),
        "grouped convolution": (Conv(grouped=True), x),
        "mean": (OverTime("mean"), x),
        "maximum": (OverTime("max"), x),
        "embedding": (Words(), torch.randint(0, 11, (4, 8))),
        "padded pool": (PaddedPool(), x),
        "embedding, time first": (WordsOverTime(time_first=True), torch.randint(0, 11, (8, 4))),
        "sum behind an embedding": (WordsOverTime(time_first=False), torch.randint(0, 11, (4, 8))),
        "autoencoder": (Autoencoder(), x[..., :1]),
        "residual": (Residual(), x),
        "branches": (Branches(), x),
    }
    for module, example in found.values():
        for _ in range(5):
            module.train()(example)
        module.eval()
    return found
