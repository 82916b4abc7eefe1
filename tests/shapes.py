# SPDX-License-Identifier: Apache-2.0
"""Networks of published shapes with random weights, calibrated so that their values are lively.

Brevitas' initial weights leave every gate near its middle, and its calibration follows outliers:
weights are scaled up, and data without outliers sets the scales.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from networks import Dense, NetworkSpec, _network

Folding = dict[str, object]
CALIBRATION = 32  # sequences


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """A network, how it is folded, and where it was published.

    `amplitude` of the data: x and h share one scale, and h is below 1. `gain`: of the LSTM's
    weights.
    """

    name: str
    source: str
    spec: NetworkSpec
    steps: int
    board: str
    folding: Folding
    amplitude: float = 0.4
    gain: float = 5.0

    def inputs(self, batch: int, seed: int = 0, steps: int | None = None) -> np.ndarray:
        """Smooth random sequences, (batch, steps, features): each step is near the one before."""
        rng = np.random.default_rng([seed, self.spec.seed])
        noise = rng.standard_normal((batch, steps or self.steps, self.spec.inputs))
        value = np.empty_like(noise)
        value[:, 0] = noise[:, 0]
        for t in range(1, noise.shape[1]):
            value[:, t] = 0.8 * value[:, t - 1] + 0.6 * noise[:, t]
        return (self.amplitude * value).astype(np.float32)

    def build(self) -> Any:  # noqa: ANN401 - torch is an extra
        """The calibrated Brevitas module, in eval mode."""
        import torch

        with warnings.catch_warnings(), torch.random.fork_rng(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.manual_seed(self.spec.seed)
            net = _network(self.spec)
            for name, parameter in net.named_parameters():
                if "gate_params" in name and name.endswith("weight"):
                    parameter.mul_(self.gain)
            net.train()
            for seed in range(3):
                net(torch.from_numpy(self.inputs(CALIBRATION, seed)))
            return net.eval()


def spec(
    inputs: int,
    hidden: int,
    select: str,
    dense: tuple[Dense, ...],
    *,
    weights: int,
    bits: int,
    steps: int,
    bidirectional: bool = False,
    pot: bool = False,
) -> NetworkSpec:
    """An LSTM with one width for weights and one for everything else."""
    return NetworkSpec(
        seed=1000 * inputs + hidden,
        inputs=inputs,
        hidden=hidden,
        layers=1,
        batch_first=True,
        bidirectional=bidirectional,
        cifg=False,
        pot=pot,
        per_channel=False,
        bias="int32",
        weight_bits=weights,
        input_bits=bits,
        io_bits=bits,
        acc_bits=(bits,) * 4,
        sigmoid_bits=(bits,) * 3,
        tanh_bits=(bits,) * 2,
        cell_bits=bits,
        shared_input_hidden_weights=False,
        shared_intra_layer_weight_quant=False,
        shared_intra_layer_gate_acc_quant=False,
        shared_cell_state_quant=True,
        select=select,
        steps=steps,
        quant_select_bits=0,
        dense=dense,
    )


def dense(units: int, weights: int, act: int = 0) -> Dense:
    """A dense layer: with a ReLU and `act` bits behind it, or the last one."""
    return Dense(
        units=units,
        weight_bits=weights,
        per_channel=False,
        bias="float",
        relu=bool(act),
        act_bits=act,
    )


TOP_TAGGER = Shape(
    name="top_tagger",
    source="hls4ml: LSTM 6 -> 20, whole sequence -> 5, T 20",
    spec=spec(6, 20, "flatten", (dense(5, 8),), weights=8, bits=8, steps=20),
    steps=20,
    board="alveo_u250",
    folding={"pe": 20, "simd": 20},
)
MNIST_ROWS = Shape(
    name="mnist_rows",
    source="LSTM 28 -> 32, last step -> 10, T 28",
    spec=spec(28, 32, "last", (dense(10, 8),), weights=8, bits=8, steps=28, pot=True),
    steps=28,
    board="zcu104",
    folding={"pe": 4, "simd": 16},
)
QUICKDRAW = Shape(
    name="quickdraw",
    source="hls4ml: LSTM 3 -> 128, last step, dense 256, 128, 5, T 100",
    spec=spec(
        3,
        128,
        "last",
        (dense(256, 6, 8), dense(128, 6, 8), dense(5, 8)),
        weights=6,
        bits=8,
        steps=100,
    ),
    steps=100,
    board="alveo_u250",
    folding={"pe": 8, "simd": 32},
    amplitude=0.25,
    gain=12.0,
)
FINN_L = Shape(
    name="finn_l",
    source="FINN-L OCR: BiLSTM 32 -> 128 + 128 -> 82 a step, W2A4, T 100",
    spec=spec(
        32,
        128,
        "sequence",
        (dense(82, 2),),
        weights=2,
        bits=4,
        steps=100,
        bidirectional=True,
    ),
    steps=100,
    board="zcu104",
    folding={"pe": 8, "simd": 32},
)
SHAPES = (TOP_TAGGER, MNIST_ROWS, QUICKDRAW, FINN_L)
