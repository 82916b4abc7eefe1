# SPDX-License-Identifier: Apache-2.0
"""Small QONNX models, node by node, as an exporter would write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from hwrnn.frontend.cell_nodes import QONNX_DOMAIN

FEATURES = 3


@dataclass
class Net:
    """Nodes and constants of a graph; every method returns the name of a tensor."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    prefix: str = ""  # of the names in a body: an engine may see them beside the outer ones

    def const(self, value: ArrayLike, kind: type = np.float32) -> str:
        name = f"{self.prefix}c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(
        self,
        op: str,
        *inputs: str,
        outputs: int = 1,
        **attributes: Any,  # noqa: ANN401
    ) -> str:
        """Add a node; returns its first output."""
        at = len(self.nodes)
        made = [f"{self.prefix}{op.lower()}{at}" + "b" * k for k in range(outputs)]
        domain = QONNX_DOMAIN if op == "Quant" else ""
        self.nodes.append(
            helper.make_node(op, inputs, made, name=f"/{op}{at}", domain=domain, **attributes)
        )
        return made[0]

    def ints(self, *values: int) -> str:
        return self.const(values, np.int64)

    def index(self, value: int) -> str:
        return self.const(value, np.int64)

    def quant(  # noqa: PLR0917 - in the order of the node's inputs
        self,
        x: str,
        scale: ArrayLike = 1 / 8,
        zero: float = 0,
        bits: int = 4,
        signed: int = 1,
        narrow: int = 0,
        mode: str = "ROUND",
    ) -> str:
        parts = [self.const(scale), self.const(zero), self.const(bits)]
        return self.node("Quant", x, *parts, signed=signed, narrow=narrow, rounding_mode=mode)

    def weights(self, value: ArrayLike, scale: ArrayLike = 1 / 4, bits: int = 4) -> str:
        return self.quant(self.const(value), scale, bits=bits)

    def body(self, inputs: list[str], outputs: list[str]) -> GraphProto:
        """The graph as the body of a Scan."""
        ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in inputs]
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
        return helper.make_graph(self.nodes, "body", ports, ends, self.constants)

    def model(self, *outputs: str, x: str = "x", features: int = FEATURES) -> onnx.ModelProto:
        """The model with one sequence input."""
        dims: list[str | int | None] = ["batch", "steps", features]
        port = helper.make_tensor_value_info(x, TensorProto.FLOAT, dims)
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
        graph = helper.make_graph(self.nodes, "g", [port], ends, self.constants)
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(QONNX_DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets)
