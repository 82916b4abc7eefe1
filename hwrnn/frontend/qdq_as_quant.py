# SPDX-License-Identifier: Apache-2.0
"""QuantizeLinear and DequantizeLinear around float layers become the `Quant` that they are.

Calibration keeps what is quantised already, and knows it by that node alone. Integers of a file
behind a DequantizeLinear become their numbers in front of a Quant that gives them back; biases of
32 bits become numbers. A pair with two different scales stays, and so does what no Quant can say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from hwrnn.frontend.cell_nodes import QONNX_DOMAIN
from hwrnn.frontend.fold_constants import graphs
from hwrnn.frontend.nodes_qdq import RANGES
from hwrnn.frontend.normalise import replace_nodes
from hwrnn.ir.types import IntType, of_bits

Array = NDArray[np.generic]
WIDEST = 16  # bits of what stays quantised; float32 holds such integers times any scale


def qdq_as_quant(model: ModelProto) -> None:
    """Change a model in place."""
    for graph in graphs(model.graph):
        _Graph(graph).change()


@dataclass(frozen=True, slots=True)
class Linear:
    """The numbers of a QuantizeLinear or DequantizeLinear; the range of its integers."""

    scale: Array
    zero: Array
    axis: int
    type: IntType

    def same(self, other: Linear) -> bool:
        """Whether both have one grid."""
        return np.array_equal(self.scale, other.scale) and np.array_equal(self.zero, other.zero)

    def spread(self, values: Array, rank: int) -> NDArray[np.float32]:
        """Scale or zero point so that it broadcasts to a tensor."""
        found = values.astype(np.float32)
        if found.size == 1:
            return found.reshape(())
        shape = [1] * rank
        shape[self.axis % rank] = found.size
        return found.reshape(shape)


class _Graph:
    """One graph and its constants."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.known = {e.name: numpy_helper.to_array(e) for e in graph.initializer}
        self.made = {name: node for node in graph.node for name in node.output}

    def change(self) -> None:
        """Every DequantizeLinear that has another form, takes it."""
        nodes = [
            self.other_form(n) if n.op_type == "DequantizeLinear" else n for n in self.graph.node
        ]
        read = {name for node in nodes if node is not None for name in node.input}
        read |= {port.name for port in self.graph.output}
        dead = ("QuantizeLinear", "Clip")
        kept = [n for n in nodes if n is not None]
        kept = [n for n in kept if n.op_type not in dead or read.intersection(n.output)]
        replace_nodes(self.graph, kept)

    def other_form(self, node: NodeProto) -> NodeProto | None:
        """A Quant, or the node itself; None if its result is a constant now."""
        linear = self.linear(node)
        if linear is None:
            return node
        if node.input[0] in self.known:
            return self.constant(node, linear)
        source = self.made.get(node.input[0])
        t = linear.type
        if source is not None and source.op_type == "Clip":
            ends = [self.known.get(name) for name in source.input[1:3]]
            if len(ends) < 2 or any(end is None for end in ends):
                return node
            t = IntType(*(int(np.asarray(end)) for end in ends))
            source = self.made.get(source.input[0])
        if source is None or source.op_type != "QuantizeLinear":
            return node
        first = self.linear(source)
        if first is None or not first.same(linear) or linear.scale.size > 1:
            return node
        return self.quant(node, source.input[0], linear, t, 0) or node

    def linear(self, node: NodeProto) -> Linear | None:
        """The numbers of a node, if they are constants."""
        names = [name for name in node.input[1:3] if name]
        if not names or any(name not in self.known for name in names):
            return None
        scale = self.known[names[0]]
        zero = self.known[names[1]] if len(names) > 1 else np.zeros(scale.shape, np.uint8)
        options = {a.name: a.i for a in node.attribute}
        kind = zero.dtype.name
        if kind not in RANGES or options.get("block_size", 0):
            return None
        return Linear(scale, zero, options.get("axis", 1), RANGES[kind])

    def constant(self, node: NodeProto, linear: Linear) -> NodeProto | None:
        """Integers of the file as numbers, and the Quant behind them."""
        q = self.known[node.input[0]]
        scale, zero = (linear.spread(v, q.ndim) for v in (linear.scale, linear.zero))
        numbers = ((q.astype(np.float64) - zero) * scale).astype(np.float32)
        if linear.type.bits > WIDEST:
            self.graph.initializer.append(numpy_helper.from_array(numbers, node.output[0]))
            return None
        name = f"{node.output[0]}/numbers"
        made = self.quant(node, name, linear, linear.type, q.ndim)
        if made is None:
            return node
        self.graph.initializer.append(numpy_helper.from_array(numbers, name))
        return made

    def quant(
        self, node: NodeProto, source: str, linear: Linear, t: IntType, rank: int
    ) -> NodeProto | None:
        """The Quant with these numbers; None if no bit width has that range."""
        forms = [
            (bits, signed, narrow)
            for bits in range(2, WIDEST + 1)
            for signed in (True, False)
            for narrow in (True, False)
            if of_bits(bits, signed=signed, narrow=narrow) == t
        ]
        if not forms:
            return None
        bits, signed, narrow = forms[0]
        label = node.output[0]
        values = {
            "scale": linear.spread(linear.scale, rank),
            "zero_point": linear.spread(linear.zero, rank),
            "bit_width": np.array(bits, np.float32),
        }
        for part, value in values.items():
            tensor = numpy_helper.from_array(np.asarray(value), f"{label}/{part}")
            self.graph.initializer.append(tensor)
        return helper.make_node(
            "Quant",
            [source, *(f"{label}/{part}" for part in values)],
            [label],
            name=node.name or label,
            domain=QONNX_DOMAIN,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode="ROUND",
        )
