# SPDX-License-Identifier: Apache-2.0
"""From the lowered QONNX graph to the integer graph: every tensor becomes integers and a grid.

The walk keeps, for each tensor, the exact rationals scale and offset with real = scale * q +
offset. Sums and products change only those; a `Quant` becomes a Requant (or a table, behind a
sigmoid or tanh): the one place where something rounds.
"""

from __future__ import annotations

from onnx import ModelProto

from hwrnn.frontend.names import Namer, identifier
from hwrnn.frontend.nodes_arithmetic import add, div, gemm, matmul, mul, sub
from hwrnn.frontend.nodes_around import AROUND, repeat_or, table_or
from hwrnn.frontend.nodes_constant import constant_or
from hwrnn.frontend.nodes_qdq import clip, dequantize_linear, quantize_linear
from hwrnn.frontend.nodes_quant import bipolar, function_node, quant
from hwrnn.frontend.nodes_scan import scan
from hwrnn.frontend.nodes_shape import (
    concat,
    flatten,
    gather,
    identity,
    reshape,
    shape_arithmetic,
    shape_of,
    slice_node,
    squeeze,
    transpose,
    unsqueeze,
)
from hwrnn.frontend.nodes_stack import stack_or
from hwrnn.frontend.walker import OF_SHAPES, Handler, Walker
from hwrnn.ir import AnyOp, Graph, Input


def integerise(
    model: ModelProto, name: str, example_steps: int | None = None, file: str | None = None
) -> Graph:
    """The integer graph of a lowered model. Raises ImportFault naming the first node that has no
    exact integer form. `example_steps`: T of the example with which the model was exported;
    `file`: how messages call the model.
    """
    graph = model.graph
    walker = Walker(file or name, Namer(), HANDLERS, HINTS, example_steps=example_steps)
    walker.read_constants(graph)
    walker.read_inputs(graph)
    for node in graph.node:
        walker.visit(node)
    walker.finish(graph)
    return Graph(name=identifier(name), ops=in_order(walker.ops))


def in_order(ops: list[AnyOp]) -> tuple[AnyOp, ...]:
    """The ops; of several inputs, that of the sequence comes first, and all before the rest."""
    inputs = sorted((op for op in ops if isinstance(op, Input)), key=lambda op: "T" not in op.axes)
    if len(inputs) == 1:
        return tuple(ops)
    return (*inputs, *(op for op in ops if not isinstance(op, Input)))


HANDLERS: dict[str, Handler] = {
    "Add": add,
    "BipolarQuant": bipolar,
    "Cast": stack_or(identity),
    "Clip": clip,
    "Concat": constant_or(concat),
    "DequantizeLinear": dequantize_linear,
    "Div": div,
    "Dropout": stack_or(identity),
    "Elu": function_node,
    "Expand": repeat_or(shape_arithmetic),
    OF_SHAPES: shape_arithmetic,
    "Flatten": flatten,
    "Gather": table_or(constant_or(stack_or(gather))),
    "Gemm": gemm,
    "HardSigmoid": function_node,
    "Identity": stack_or(identity),
    "LeakyRelu": function_node,
    "MatMul": matmul,
    "Mul": mul,
    "Quant": stack_or(quant),
    "QuantizeLinear": quantize_linear,
    "Relu": stack_or(function_node),
    "Reshape": constant_or(stack_or(reshape)),
    "Scan": scan,
    "Shape": shape_of,
    "Sigmoid": function_node,
    "Slice": constant_or(stack_or(slice_node)),
    "Softplus": function_node,
    "Softsign": function_node,
    "Squeeze": constant_or(stack_or(squeeze)),
    "Sub": sub,
    "Tanh": function_node,
    "ThresholdedRelu": function_node,
    "Transpose": stack_or(transpose),
    "Unsqueeze": constant_or(stack_or(unsqueeze)),
} | AROUND

HINTS = {
    "Gelu": "use ReLU, LeakyReLU, ELU, Sigmoid or Tanh",
    "Erf": "use ReLU, LeakyReLU, ELU, Sigmoid or Tanh instead of GELU",
    "PRelu": "use LeakyReLU, whose slope is a number",
    "LogSoftmax": "leave it to the host: it does not change the largest output",
    "Softmax": "leave it to the host: it does not change the largest output",
    "LayerNormalization": "it has no exact integer form; train without it",
}
