# SPDX-License-Identifier: Apache-2.0
"""The layers of tests/option_matrix.py: options in words, to arguments of Brevitas. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brevitas.nn as qnn
import numpy as np
from brevitas import quant
from brevitas.quant import fixed_point
from option_matrix import HIDDEN, INPUTS
from torch import Tensor, nn

import hwrnn.nn

WEIGHTS = {
    "integer": quant.Int8WeightPerTensorFloat,
    "per channel": quant.Int8WeightPerChannelFloat,
    "power of two": fixed_point.Int8WeightPerTensorFixedPoint,
    "zero point": quant.ShiftedUint8WeightPerTensorFloat,
    "binary": quant.SignedBinaryWeightPerTensorConst,
    "ternary": quant.SignedTernaryWeightPerTensorConst,
}
POWER = (fixed_point.Int8ActPerTensorFixedPoint, fixed_point.Uint8ActPerTensorFixedPoint)
FLOAT = (quant.Int8ActPerTensorFloat, quant.Uint8ActPerTensorFloat)
SHIFTED = quant.ShiftedUint8ActPerTensorFloat
LAYERS = {"lstm": hwrnn.nn.QuantLSTM, "rnn": hwrnn.nn.QuantRNN, "gru": hwrnn.nn.QuantGRU}
WORDS = ("directions", "weights", "activations", "bias_quant", "states", "scales")


def quantisers(cell: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The quantiser arguments of a layer."""
    kind = options.get("activations", "signed")
    power = "power of two" in (kind, options.get("scales"))
    signed, unsigned = POWER if power else FLOAT
    if kind == "zero point":
        signed = unsigned = SHIFTED
    weights = options.get("weights", "power of two" if power else "integer")
    found: dict[str, Any] = {
        "io_quant": unsigned if kind == "unsigned" else signed,
        "gate_acc_quant": signed,
        "weight_quant": WEIGHTS[weights],
        "bias_quant": None if options.get("bias_quant") == "None" else quant.Int32Bias,
    }
    if cell != "rnn":
        found |= {"sigmoid_quant": unsigned, "tanh_quant": signed}
        found["cell_state_quant" if cell == "lstm" else "hidden_state_quant"] = signed
    for name in [key for key, off in options.items() if key.endswith(" off") and off]:
        found[name.removesuffix(" off")] = None
    if found["weight_quant"] is None or found["io_quant"] is None:
        found["bias_quant"] = None  # which takes its scale from both
    return found


def layer_of(cell: str, options: Mapping[str, Any], rng: np.random.Generator) -> Any:  # noqa: ANN401
    """A QuantLSTM, QuantRNN or QuantGRU; the bits are drawn."""
    given = {k: v for k, v in options.items() if k not in WORDS and not k.endswith(" off")}
    given |= {
        "batch_first": options.get("batch_first", True),
        "bidirectional": options.get("directions", "one") != "one",
        "shared_input_hidden_weights": options.get("directions") == "shared input weights",
    }
    if options.get("shared_cell_state_quant") is False:
        given["cat_output_cell_states"] = False
    low = any(options.get(f"{name}_quant off") for name in ("io", "gate_acc"))
    names = ["io", "gate_acc_quant" if cell == "rnn" else "gate_acc"]
    names += [] if cell == "rnn" else ["sigmoid", "tanh"]
    names += {"lstm": ["cell_state"], "gru": ["hidden_state"]}.get(cell, [])
    bits = {f"{name}_bit_width": int(rng.integers(3, 5 if low else 9)) for name in names}
    if options.get("weights") not in ("binary", "ternary"):
        bits["weight_bit_width"] = int(rng.integers(2, 4 if low else 9))
    return LAYERS[cell](INPUTS, HIDDEN, **given, **quantisers(cell, options), **bits)


class Net(nn.Module):
    """The layer behind a quantiser; returns the sequence, or also the last states."""

    def __init__(self, cell: str, options: Mapping[str, Any], rng: np.random.Generator) -> None:
        super().__init__()
        first = quantisers(cell, options)["io_quant"] or quant.Int8ActPerTensorFloat
        if options.get("scales") == "power of two":
            first = POWER[0]
        self.quant = qnn.QuantIdentity(first, bit_width=4, return_quant_tensor=True)
        self.layer = layer_of(cell, options, rng)
        self.all = str(options.get("states")).startswith("inputs")
        self.held: list[str] = []

    def hold(self, states: list[Tensor]) -> None:
        """Initial states that are constants of the module, (layers * directions, 1, units)."""
        for k, state in enumerate(states):
            self.register_buffer(f"state_{k}", state)
            self.held.append(f"state_{k}")

    def forward(self, x: Tensor, h0: Tensor | None = None, c0: Tensor | None = None) -> Any:  # noqa: ANN401
        """The sequence; with states as inputs also the last ones."""
        batch = x.shape[0 if self.layer.layers[0][0].cell.batch_first else 1]
        first = [state for state in (h0, c0) if state is not None]
        first += [getattr(self, name).expand(-1, batch, -1) for name in self.held]
        y, last = self.layer(self.quant(x), *first)
        return (y, last if isinstance(last, tuple) else (last,)) if self.all else y
