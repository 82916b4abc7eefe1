# SPDX-License-Identifier: Apache-2.0
"""Which axes a graph input has: batch, steps, features, in which order, and what is left out.

A Scan walks the steps. Models written by hand may have no batch, (steps, features) or plain
(steps); or column vectors, (steps, features, 1), which weights multiply from the left.
"""

from __future__ import annotations

from onnx import AttributeProto, GraphProto, TensorProto, ValueInfoProto

KEEP_DIMENSIONS = (
    "Quant",
    "QuantizeLinear",
    "Clip",
    "DequantizeLinear",
    "Transpose",
    "Slice",
    "Relu",
    "MatMul",
    "Add",
    "Mul",
    "Identity",
    "Div",
    "Sub",
    "Concat",
    "Cast",
    "Dropout",
    "Sigmoid",
    "Tanh",
    "HardSigmoid",
    "LeakyRelu",
    "Elu",
    "Softsign",
    "Softplus",
    "BatchNormalization",
    "Conv",
    "MaxPool",
    "AveragePool",
)
STANDARD = ("LSTM", "GRU", "RNN")
FOLLOWED = ("Quant", "QuantizeLinear", "Clip", "DequantizeLinear", "Identity", "Transpose")


def input_axes(graph: GraphProto, port: ValueInfoProto) -> tuple[str, ...]:
    """The axes of a sequence input; empty if it cannot be one."""
    dims = [int(d.dim_value) for d in port.type.tensor_type.shape.dim]
    if reads_table(graph, port):
        first = time_axis(graph, port.name) == 0
        two = ("T", "B") if first else ("B", "T")
        return {1: ("T",), 2: two, 3: (*two, "1")}.get(len(dims), ())
    if len(dims) in (1, 2):
        alone = (len(dims) == 1 or dims[1] > 0) and scanned(graph, port.name)
        return ("T", "F")[: len(dims)] if alone else ()
    if len(dims) == 3 and dims[2] == 1 and dims[1] > 0 and columns(graph, port.name):
        return ("T", "F", "1")
    if len(dims) != 3 or dims[2] < 1:
        return ()
    return ("T", "B", "F") if time_axis(graph, port.name) == 0 else ("B", "T", "F")


def state_axes(graph: GraphProto, port: ValueInfoProto) -> tuple[str, ...]:
    """The axes of an input that is an initial state: one, or several side by side."""
    if len(port.type.tensor_type.shape.dim) != 3:
        return ("B", "F")
    taken = [n for n in graph.node if n.op_type == "Gather" and n.input[0] == port.name]
    second = any(a.name == "axis" and a.i in (1, -2) for n in taken for a in n.attribute)
    return ("B", "S", "F") if second else ("S", "B", "F")


def features(port: ValueInfoProto, axes: tuple[str, ...]) -> int:
    """How many features an input of these axes has."""
    if "F" not in axes:
        return 1
    return int(port.type.tensor_type.shape.dim[axes.index("F")].dim_value)


def reads_table(graph: GraphProto, port: ValueInfoProto) -> bool:
    """Whether an input is indices of a table: whole numbers by which a Gather reads."""
    whole = port.type.tensor_type.elem_type in (TensorProto.INT32, TensorProto.INT64)
    return whole and any(
        node.op_type == "Gather" and node.input[1] == port.name for node in graph.node
    )


def scanned(graph: GraphProto, name: str) -> bool:
    """Whether a Scan walks a tensor, or what only quantises it."""
    for node in graph.node:
        if name in node.input:
            if node.op_type == "Scan":
                return True
            if node.op_type in FOLLOWED and scanned(graph, node.output[0]):
                return True
    return False


def columns(graph: GraphProto, name: str) -> bool:
    """Whether weights multiply a tensor from the left, in this graph or in a Scan's body."""
    for node in graph.node:
        at = [k for k, given in enumerate(node.input) if given == name]
        if not at:
            continue
        if node.op_type == "MatMul":
            return at == [1]
        if node.op_type == "Scan":
            body = next(a.g for a in node.attribute if a.type == AttributeProto.GRAPH)
            return columns(body, body.input[at[0]].name)
        if node.op_type in FOLLOWED and columns(graph, node.output[0]):
            return True
    return False


def time_axis(graph: GraphProto, port: str) -> int:
    """The dimension of a graph input along which the first Scan behind it goes; 1 if none does.

    Follows the tensor through ops that keep its dimensions, and through transpositions.
    """
    order: dict[str, tuple[int, ...]] = {port: (0, 1, 2)}
    for node in graph.node:
        held = next((order[name] for name in node.input if name in order), None)
        if held is None:
            continue
        if node.op_type == "Scan":
            return held[0]
        if node.op_type in STANDARD:
            return held[next((int(a.i) for a in node.attribute if a.name == "layout"), 0)]
        if node.op_type == "Transpose":
            perm = next((list(a.ints) for a in node.attribute if a.name == "perm"), [2, 1, 0])
            held = tuple(held[p] for p in perm)
        indices = node.op_type == "Gather" and node.input[1] in order  # of a table
        if node.op_type in KEEP_DIMENSIONS or indices:
            order[node.output[0]] = held
    return 1
