# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits on an iCEBreaker: python examples/icebreaker_digits.py [folder].

Trains an LSTM with 4-bit weights, builds it for the board's iCE40 UP5K, and makes the bitstream.
Scales are powers of two, and values have few bits: requantisers are shifts, tables are small.
"""

from __future__ import annotations

import sys
from pathlib import Path

import brevitas.nn as qnn
from brevitas.quant import Int32Bias
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
)
from torch import Tensor, nn

import hwrnn
from hwrnn.backends.rtl_streams import port_bits
from hwrnn.demo import training
from hwrnn.demo.digits import Digits, accuracy, load_digits
from hwrnn.synth import bitstream

UNITS, WEIGHT_BITS = 20, 4
BITS = {"io": 4, "gate_acc": 6, "sigmoid": 5, "tanh": 5, "cell_state": 6}
PIXEL_BITS = 4
FLOAT_PLAN = training.Plan(epochs=60, batch=64, rate=1e-2)
QUANT_PLAN = training.Plan(epochs=30, batch=64, rate=5e-3)
FOLDING = {"pe": 1, "simd": 1}
BYTE_BITS = 10  # on a serial line
FRAME = 10  # bytes of a request beside its payload, one more than those of an answer: docs/uart.md


class FloatDigits(nn.Module):
    """LSTM, last step, dense layer: (n, 8, 8) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, UNITS, batch_first=True)
        self.head = nn.Linear(UNITS, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes."""
        return self.head(self.lstm(x)[0][:, -1])


class SmallDigits(FloatDigits):
    """The same with few bits."""

    def __init__(self) -> None:
        super().__init__()
        signed, weights = Int8ActPerTensorFixedPoint, Int8WeightPerTensorFixedPoint
        self.quant = qnn.QuantIdentity(signed, bit_width=PIXEL_BITS, return_quant_tensor=True)
        self.lstm = qnn.QuantLSTM(
            8,
            UNITS,
            batch_first=True,
            weight_quant=weights,
            weight_bit_width=WEIGHT_BITS,
            bias_quant=Int32Bias,
            io_quant=signed,
            gate_acc_quant=signed,
            sigmoid_quant=Uint8ActPerTensorFixedPoint,
            tanh_quant=signed,
            cell_state_quant=signed,
            **{f"{name}_bit_width": bits for name, bits in BITS.items()},
        )
        self.head = qnn.QuantLinear(
            UNITS, 10, bias=True, weight_quant=weights, weight_bit_width=WEIGHT_BITS
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes."""
        return super().forward(self.quant(x))


def train(digits: Digits, seed: int = 0) -> SmallDigits:
    """In float first, then with quantisation on."""
    with training.reproducible(seed):
        start = FloatDigits()
        training.fit(start, digits, FLOAT_PLAN, lambda _: None)
        network = SmallDigits()
        network.load_state_dict(start.state_dict(), strict=False)  # scales are not in it
        training.fit(network, digits, QUANT_PLAN, lambda _: None)
    return network


def main(folder: Path) -> None:
    """From training to the bitstream."""
    digits = load_digits()
    network = train(digits)
    folder.mkdir(parents=True, exist_ok=True)
    hwrnn.export(network, digits.test_x[:1], folder / "digits.onnx")
    graph = hwrnn.load(folder / "digits.onnx")
    right = accuracy(hwrnn.run(graph, digits.test_x), digits.test_y)
    print(f"accuracy of the integers: {100 * right:.2f} %, {len(digits.test_y)} test digits")
    design = hwrnn.build(graph, "icebreaker", folding=FOLDING)
    made = bitstream(design)
    made.files.write(folder / "icebreaker")
    clock, baud = made.on_board.clock_mhz, made.on_board.baud
    compute = made.estimate.latency_cycles / clock
    x, y = design.source.out, design.sink.x
    request = 8 * x.beats * port_bits(x) // 8 + FRAME
    answer = y.beats * port_bits(y) // 8 + FRAME - 1
    line = (request + answer) * BYTE_BITS * 1e6 / baud
    print(f"clock: {clock:g} MHz, reached {made.placed.fmax_mhz:.1f} MHz")
    print(f"cells: {dict(made.placed.used)}")
    print(f"a digit: {compute:.0f} µs, with the line, at {baud:,} baud: {compute + line:.0f} µs")
    print(f"load it: cd {folder}/icebreaker && {made.load}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/icebreaker_digits"))
