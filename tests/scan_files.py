# SPDX-License-Identifier: Apache-2.0
"""Scan graphs as others write them by hand: an LSTM cell in QCDQ, and in Quant nodes.

`qcdq_lstm` has the structure of the LSTM notebook of qonnx: column vectors (features, 1), weights
that multiply from the left and are quantised in the body, the input quantised in the body, too,
two scales around some QuantizeLinear, and a cell state that is a sum without a quantiser.
`quant_lstm` is the cell of FINN-GL's intrusion detection, 10 -> 20 units, with Quant nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import GraphProto, TensorProto, helper
from small_onnx import Net

from hwrnn.frontend.cell_nodes import QONNX_DOMAIN

GATES = ("f", "i", "o", "c")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Of a cell."""

    features: int = 10
    units: int = 20
    steps: int = 5


class Body(Net):
    """A Scan's body with the quantisers of ONNX."""

    def quantised(self, x: str, scale: float, zero: int = 0, kind: type = np.int8) -> str:
        """QuantizeLinear alone."""
        parts = [self.const(scale), self.const(zero, kind)]
        return self.node("QuantizeLinear", x, *parts)

    def real(self, q: str, scale: float, zero: int = 0, kind: type = np.int8) -> str:
        """DequantizeLinear alone."""
        return self.node("DequantizeLinear", q, self.const(scale), self.const(zero, kind))

    def qdq(self, x: str, scale: float, zero: int = 0, kind: type = np.int8) -> str:
        """Both."""
        return self.real(self.quantised(x, scale, zero, kind), scale, zero, kind)

    def qcdq(self, x: str, scale: float, bits: int = 8) -> str:
        """Both, with a Clip to a narrow range between them."""
        end = 2 ** (bits - 1) - 1
        q = self.quantised(x, scale)
        cut = self.node("Clip", q, self.const(-end, np.int8), self.const(end, np.int8))
        return self.real(cut, scale)


def random(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Weights of a trained layer's size."""
    return rng.uniform(-0.25, 0.25, shape).astype(np.float32)


def qcdq_lstm(
    seed: int = 0, sizes: Sizes | None = None, *, odd: int = 3, states: bool = True
) -> onnx.ModelProto:
    """The notebook's cell; `odd`: zero point of x and tanh; `states`: c is an output, too."""
    s = sizes or Sizes()
    rng = np.random.default_rng(seed)
    b = Body(prefix="b_")
    x = b.qdq("b_x", 1 / 128, odd)
    act: dict[str, str] = {}
    for k, gate in enumerate(GATES):
        scale = 0.0017 + 0.0001 * k
        w_x, w_h = (b.const(random(rng, s.units, n)) for n in (s.features, s.units))
        w_x, w_h = b.qcdq(w_x, scale), b.qcdq(w_h, scale, bits=7)
        parts = b.node("Add", b.node("MatMul", w_x, x), b.node("MatMul", w_h, "b_h"))
        total = b.node("Add", parts, b.const(random(rng, s.units, 1)))
        q = b.quantised(total, 1 / 32)
        acc = b.real(q, 1 / 16 if gate == "f" else 1 / 32)  # as in the notebook: two scales
        if gate == "c":
            act[gate] = b.qdq(b.node("Tanh", acc), 1 / 64, odd)
        else:
            act[gate] = b.qdq(b.node("Sigmoid", acc), 1 / 256, 0, np.uint8)
    kept = b.qdq(b.node("Mul", act["f"], "b_c"), 1 / 64)
    added = b.qdq(b.node("Mul", act["i"], act["c"]), 1 / 64)
    b.nodes.append(helper.make_node("Add", [kept, added], ["b_c_next"], name="/c"))
    tanh = b.qdq(b.node("Tanh", b.qdq("b_c_next", 1 / 64)), 1 / 128)
    h = b.qdq(b.node("Mul", tanh, act["o"]), 1 / 128)
    b.nodes.append(helper.make_node("Identity", [h], ["b_y"], name="/y"))
    body = b.body(["b_h", "b_c", "b_x"], [h, "b_c_next", "b_y"])
    outer = Net()
    first = [outer.const(np.zeros((s.units, 1))) for _ in range(2)]
    outer.node("Scan", *first, "x", outputs=3, body=body, num_scan_inputs=1)
    names = outer.nodes[-1].output
    return wrapped(outer, [names[2], names[1]][: 1 + states], ["steps", s.features, 1])


def quant_lstm(seed: int = 0, sizes: Sizes | None = None) -> onnx.ModelProto:
    """The cell with Quant nodes; batch in the middle, weights multiply from the right."""
    s = sizes or Sizes()
    rng = np.random.default_rng(seed)
    b = Net(prefix="b_")
    x = b.quant("b_x", 1 / 128, bits=8)
    act: dict[str, str] = {}
    for gate in GATES:
        w_x, w_h = (
            b.weights(random(rng, n, s.units), 1 / 512, bits=8) for n in (s.features, s.units)
        )
        parts = b.node("Add", b.node("MatMul", x, w_x), b.node("MatMul", "b_h", w_h))
        total = b.node("Add", parts, b.const(random(rng, s.units)))
        acc = b.quant(total, 1 / 32, bits=8)
        if gate == "c":
            act[gate] = b.quant(b.node("Tanh", acc), 1 / 128, bits=8)
        else:
            act[gate] = b.quant(b.node("Sigmoid", acc), 1 / 256, bits=8, signed=0)
    kept = b.quant(b.node("Mul", act["f"], "b_c"), 1 / 64, bits=8)
    added = b.quant(b.node("Mul", act["i"], act["c"]), 1 / 64, bits=8)
    c = b.quant(b.node("Add", kept, added), 1 / 64, bits=8)
    tanh = b.quant(b.node("Tanh", c), 1 / 128, bits=8)
    h = b.quant(b.node("Mul", tanh, act["o"]), 1 / 128, bits=8)
    y = b.node("Identity", h)
    body = b.body(["b_h", "b_c", "b_x"], [h, c, y])
    outer = Net()
    first = [outer.const(np.zeros((1, s.units))) for _ in range(2)]
    outer.node("Scan", *first, "x", outputs=3, body=body, num_scan_inputs=1)
    return wrapped(outer, [outer.nodes[-1].output[2]], ["steps", 1, s.features])


def wrapped(net: Net, outputs: list[str], dims: list[str | int]) -> onnx.ModelProto:
    """The model around a Scan."""
    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * 3) for n in outputs]
    for k, end in enumerate(ends):
        if k:
            end.CopyFrom(helper.make_tensor_value_info(end.name, TensorProto.FLOAT, [None] * 2))
    graph: GraphProto = helper.make_graph(net.nodes, "hand", [port], ends, net.constants)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(QONNX_DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)
