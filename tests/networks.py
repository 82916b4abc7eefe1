# SPDX-License-Identifier: Apache-2.0
"""Random quantised recurrent networks from the whole space that hwrnn promises to compile.

`sample(n, seed)` is for sweeps: spec i depends on (seed, i) alone.  `networks()` is the same
drawing as a Hypothesis strategy.  `build(spec)` gives a calibrated Brevitas module in eval mode.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
from hypothesis import strategies as st
from network_layers import LAYERS, Quantisers
from onnx import numpy_helper

if TYPE_CHECKING:
    from torch import Tensor, nn

CALIBRATION_BATCH = 16
TAME_TABLE_BITS = 12


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A QuantLinear and the activation behind it; `act_bits` 0: none."""

    units: int
    weight_bits: int
    per_channel: bool
    bias: str  # "none", "float" (unquantised) or "int32"
    relu: bool = False
    act_bits: int = 0

    def __repr__(self) -> str:
        return _short(self)


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """Everything that decides a network, weights and calibration data included."""

    seed: int
    inputs: int
    hidden: int
    layers: int
    batch_first: bool
    bidirectional: bool
    cifg: bool
    pot: bool
    per_channel: bool
    bias: str
    weight_bits: int
    input_bits: int
    io_bits: int
    acc_bits: tuple[int, int, int, int]  # input, forget, cell, output
    sigmoid_bits: tuple[int, int, int]  # input, forget, output
    tanh_bits: tuple[int, int]  # cell gate, cell state
    cell_bits: int
    shared_input_hidden_weights: bool
    shared_intra_layer_weight_quant: bool
    shared_intra_layer_gate_acc_quant: bool
    shared_cell_state_quant: bool
    select: str  # "last", "sequence" or "flatten"
    steps: int  # of calibration and example; of every input if select is "flatten"
    quant_select_bits: int  # 0: no QuantIdentity between LSTM and first dense layer
    dense: tuple[Dense, ...]
    cell: str = "lstm"  # or "rnn", "gru"; those have no cifg, and cell_bits are hidden_state's
    nonlinearity: str = "tanh"  # of an rnn
    reset_after: bool = True  # of a gru

    def __repr__(self) -> str:
        return _short(self)


def _short(spec: Dense | NetworkSpec) -> str:
    """A call that builds an equal object; defaults of Dense are left out."""
    shown = [(entry.name, getattr(spec, entry.name), entry.default) for entry in fields(spec)]
    inside = ", ".join(f"{name}={value!r}" for name, value, plain in shown if value != plain)
    return f"{type(spec).__name__}({inside})"


def sample(n: int, seed: int) -> list[NetworkSpec]:
    """The first `n` specs of the sweep `seed`; a longer sweep starts with the shorter one."""
    return [draw(np.random.default_rng([seed, index])) for index in range(n)]


def networks() -> st.SearchStrategy[NetworkSpec]:
    """Hypothesis: any spec; it shrinks towards small seeds, not towards small networks."""
    return st.integers(0, 2**32 - 1).map(lambda seed: draw(np.random.default_rng(seed)))


class _Dice:
    """Readable draws from one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, *options: str) -> str:
        return options[self.number(0, len(options) - 1)]


def draw(rng: np.random.Generator) -> NetworkSpec:
    """One spec.  Half use power-of-two scales, most of those within `pot_condition`."""
    dice = _Dice(rng)
    pot = dice.chance(0.55)
    tame = dice.chance(0.9 if pot else 0.5)
    table = TAME_TABLE_BITS if tame else 16
    factor = 8 if tame else 16  # both factors of a product
    bidirectional = dice.chance(0.35)
    hidden = dice.number(1, 12)
    select = dice.pick("last", "last", "sequence", "flatten")
    spec = NetworkSpec(
        seed=dice.number(0, 2**31 - 1),
        inputs=dice.number(1, 9),
        hidden=hidden,
        layers=1 + int(dice.chance(0.35)) + int(dice.chance(0.15)),
        batch_first=select == "flatten" or dice.chance(0.5),
        bidirectional=bidirectional,
        cifg=dice.chance(0.25),
        pot=pot,
        per_channel=dice.chance(0.4),
        bias=dice.pick("int32", "int32", "none") if tame else dice.pick("int32", "float", "none"),
        weight_bits=dice.number(2, factor),
        input_bits=dice.number(2, 16),
        io_bits=dice.number(2, factor),
        acc_bits=tuple(dice.number(2, table) for _ in range(4)),  # type: ignore[arg-type]
        sigmoid_bits=tuple(dice.number(2, table) for _ in range(3)),  # type: ignore[arg-type]
        tanh_bits=tuple(dice.number(2, table) for _ in range(2)),  # type: ignore[arg-type]
        cell_bits=dice.number(2, table),
        shared_input_hidden_weights=bidirectional and dice.chance(0.3),
        shared_intra_layer_weight_quant=dice.chance(0.25),
        shared_intra_layer_gate_acc_quant=dice.chance(0.25),
        shared_cell_state_quant=dice.chance(0.7),
        select=select,
        steps=dice.number(1, 6),
        quant_select_bits=dice.number(2, factor) if dice.chance(0.25) else 0,
        dense=_draw_dense(dice, dice.number(0, 3), factor, exact=pot and tame),
    )
    return _consistent(spec)


def _draw_dense(dice: _Dice, count: int, factor: int, exact: bool) -> tuple[Dense, ...]:
    layers = []
    for index in range(count):
        last = index == count - 1
        act = not last or dice.chance(0.3)
        # The float32 module rounds the sum of an unquantised bias and an accumulator.
        inner = ("none", "int32", "int32") if exact else ("none", "int32", "float")
        layers.append(
            Dense(
                units=dice.number(1, 8),
                weight_bits=dice.number(2, factor),
                per_channel=dice.chance(0.4),
                bias=dice.pick(*(inner if act else ("none", "int32", "float", "float"))),
                relu=act and dice.chance(0.6),
                act_bits=dice.number(2, factor) if act else 0,
            )
        )
    return tuple(layers)


def _consistent(spec: NetworkSpec) -> NetworkSpec:
    """Int32Bias needs to know its input's scale: after a selection, a QuantIdentity gives it."""
    first_needs_scale = bool(spec.dense) and spec.dense[0].bias == "int32"
    if first_needs_scale and not spec.quant_select_bits:
        return replace(spec, quant_select_bits=8)
    return spec


def inputs(spec: NetworkSpec, steps: int, batch: int, seed: int) -> np.ndarray:
    """Float32 sequences in the module's axis order: noise, a few zeros, a few out of range."""
    rng = np.random.default_rng([seed, spec.seed])
    value = rng.standard_normal((batch, steps, spec.inputs)).astype(np.float32)
    value[rng.random(value.shape) < 0.05] = 0.0
    value[rng.random(value.shape) < 0.05] *= 20
    return value if spec.batch_first else np.ascontiguousarray(value.swapaxes(0, 1))


def build(spec: NetworkSpec) -> nn.Module:
    """The calibrated module, in eval mode; the same spec gives the same weights."""
    import torch

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(spec.seed)
        net = _network(spec)
        net.train()
        with torch.no_grad():
            for index in range(3):
                data = inputs(spec, spec.steps, CALIBRATION_BATCH, index)
                net(torch.from_numpy(data))
        return net.eval()


def _network(spec: NetworkSpec) -> nn.Module:
    import brevitas.nn as qnn
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            quantisers = Quantisers(spec.pot)
            self.quant_in = qnn.QuantIdentity(
                quantisers.act, bit_width=spec.input_bits, return_quant_tensor=True
            )
            self.lstm = LAYERS[spec.cell](spec, quantisers)
            width = spec.hidden * (2 if spec.bidirectional else 1)
            if spec.select == "flatten":
                width *= spec.steps
            self.head = nn.Sequential(*_head(spec, quantisers, width))

        def forward(self, x: Tensor) -> Tensor:
            y = self.lstm(self.quant_in(x))[0]
            if spec.select == "last":
                y = y[:, -1] if spec.batch_first else y[-1]
            elif spec.select == "flatten":
                y = y.flatten(1)
            result: Tensor = self.head(y)
            return result

    return Network()


def _head(spec: NetworkSpec, quantisers: Quantisers, width: int) -> list[nn.Module]:
    import brevitas.nn as qnn

    parts: list[nn.Module] = []
    if spec.quant_select_bits:
        parts.append(
            qnn.QuantIdentity(
                quantisers.act,
                bit_width=spec.quant_select_bits,
                return_quant_tensor=bool(spec.dense),
            )
        )
    for index, dense in enumerate(spec.dense):
        parts.append(
            qnn.QuantLinear(
                width,
                dense.units,
                bias=dense.bias != "none",
                weight_quant=quantisers.weights(dense.per_channel),
                bias_quant=quantisers.biases[dense.bias],
                weight_bit_width=dense.weight_bits,
            )
        )
        width = dense.units
        if dense.act_bits:
            kind = qnn.QuantReLU if dense.relu else qnn.QuantIdentity
            quantiser = quantisers.unsigned if dense.relu else quantisers.act
            last = index == len(spec.dense) - 1
            parts.append(kind(quantiser, bit_width=dense.act_bits, return_quant_tensor=not last))
    return parts


CELL_INPUTS = {"QuantLSTMCell": (3, 4, 4), "QuantRNNCell": (2, 1, 1), "QuantGRUCell": (2, 3, 4)}
"""Where the weights of each cell begin, how many gates it has, and how many biases."""


def pot_condition(model: onnx.ModelProto) -> bool:
    """Whether the float32 module must agree exactly with the exported file.

    All scales are powers of two; every gate's and layer's accumulator, bias included, is a
    multiple of its grid and below 2**24 grid steps; tables have at most 12 bits in and out.  The
    last layer's unquantised bias is let through: it is added behind the last exact value.
    """
    return _PotCheck(model).holds()


class _PotCheck:
    """`pot_condition` on one file."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.raw = {entry.name: numpy_helper.to_array(entry) for entry in self.graph.initializer}
        self.makers = {name: node for node in self.graph.node for name in node.output}
        self.results = {port.name for port in self.graph.output}

    def holds(self) -> bool:
        return all(self._node_holds(node) for node in self.graph.node)

    def _node_holds(self, node: onnx.NodeProto) -> bool:
        if node.op_type == "Quant":
            return _is_power_of_two(self.raw[node.input[1]])
        if node.op_type in CELL_INPUTS:
            return self._cell_holds(node)
        if node.op_type == "Gemm":
            bias = node.input[2] if len(node.input) > 2 else ""
            return self._product_holds(node.input[0], [(node.input[1], 0)], bias, node.output[0])
        if node.op_type == "MatMul":
            return self._matmul_holds(node)
        return True

    def _matmul_holds(self, node: onnx.NodeProto) -> bool:
        result, bias = node.output[0], ""
        for other in self.graph.node:
            if other.op_type == "Add" and result in other.input:
                bias = next(name for name in other.input if name != result)
                result = other.output[0]
                break
        weights = self.makers[node.input[1]].input[0]  # behind the Transpose
        return self._product_holds(node.input[0], [(weights, 0)], bias, result)

    def _cell_holds(self, node: onnx.NodeProto) -> bool:
        weights, gates, biases = CELL_INPUTS[node.op_type]
        first = weights + 2 * gates + biases
        scales = [self.raw[name] for name in node.input[first::3]]
        bits = [float(self.raw[name]) for name in node.input[first + 2 :: 3]]
        if not all(_is_power_of_two(scale) for scale in scales) or max(bits[1:]) > TAME_TABLE_BITS:
            return False
        if node.op_type == "QuantGRUCell" and 2.0 ** (bits[8] - 1) / scales[7] > 2**24:
            return False  # (1 - z) * n
        x_scale, _ = self._activation(node.input[0])
        if x_scale != float(scales[0]):
            return False
        h_high = 2.0 ** (bits[0] - 1)
        for k in range(biases):
            at = weights + min(k, gates - 1)  # the second bias of a GRU's candidate comes last
            products = [(node.input[at], 0.0), (node.input[at + gates], h_high)]
            bias = node.input[weights + 2 * gates + k]
            if not self._product_holds(node.input[0], products, bias, ""):
                return False
        return True

    def _product_holds(
        self, source: str, products: list[tuple[str, float]], bias: str, result: str
    ) -> bool:
        """Sum of weights times inputs (their own highest, or the source's), plus the bias."""
        x_scale, x_high = self._activation(source)
        total: np.ndarray = np.zeros(1)
        for name, high in products:
            steps, scale = self._quantised(name)
            total = total + np.abs(steps).sum(1) * (high or x_high)
        grid = np.asarray(scale, np.float64).reshape(-1) * x_scale
        if bias in self.raw and self.raw[bias].any():
            return result in self.results and bool((total < 2**24).all())
        if bias in self.makers:
            steps, scale = self._quantised(bias)
            in_grid = np.abs(steps * np.asarray(scale, np.float64).reshape(-1) / grid)
            if (in_grid % 1).any():
                return False
            total = total + in_grid
        return bool((total < 2**24).all())

    def _quantised(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Integers and scale of a weight or bias; not clamped, so never too small."""
        value, scale = (self.raw[source] for source in self.makers[name].input[:2])
        return np.round(value.astype(np.float64) / scale), scale

    def _activation(self, name: str) -> tuple[float, float]:
        """Scale and highest magnitude of the integers of an activation."""
        node = self.makers[name]
        if node.op_type == "Quant" or node.op_type in CELL_INPUTS:
            weights, gates, biases = CELL_INPUTS.get(node.op_type, (1, 0, 0))
            start = weights + 2 * gates + biases
            scale, bits = (float(self.raw[node.input[start + at]]) for at in (0, 2))
            return scale, 2.0**bits
        return self._activation(node.input[0])


def _is_power_of_two(scale: np.ndarray) -> bool:
    return bool((np.frexp(scale)[0] == 0.5).all())
