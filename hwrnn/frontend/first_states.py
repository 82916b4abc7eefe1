# SPDX-License-Identifier: Apache-2.0
"""The initial states of standard LSTM, GRU and RNN nodes, as exporters write them.

States that start at 0 leave a trail of shape arithmetic where the batch is free: Shape, Gather,
Concat, ConstantOfShape or Expand. They are computed here, for a batch of two, and become constants
of one row. States that are inputs are stacked, for layers and directions, by Unsqueeze and Concat,
or cut by Slice and Split: the path back to the tensor of one state is followed here, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.shape_inference import infer_shapes

from hwrnn.frontend.fold_states import FOLDED

EXAMPLE_SIZE = 2
"""What stands for a size that the file does not say."""
OPSET = 21
Arrays = dict[str, NDArray[np.generic]]


def evaluated(node: NodeProto, values: Arrays) -> Arrays:
    """The outputs of one node of ONNX, by name."""
    ports = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in values.items()
    ]
    names = [name for name in node.output if name]
    ends = [helper.make_tensor_value_info(name, 1, None) for name in names]
    graph = helper.make_graph([node], "fold", ports, ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    found = ReferenceEvaluator(model).run(None, values)
    return {n: np.asarray(v) for n, v in zip(names, found, strict=True)}


def fix_first_states(model: ModelProto, nodes: list[NodeProto]) -> None:
    """Initial states of some nodes that follow from constants and shapes become constants."""
    graph = model.graph
    fold = Fold(model)
    constants = {entry.name for entry in graph.initializer}
    for node in nodes:
        for k in (5, 6):
            name = node.input[k] if len(node.input) > k else ""
            value = None if not name or name in constants else fold.value(name)
            if value is None:
                continue
            node.input[k] = f"{name}/constant"
            if node.input[k] not in constants:
                constants.add(node.input[k])
                tensor = numpy_helper.from_array(value.astype(np.float32), node.input[k])
                graph.initializer.append(tensor)


class Fold:
    """Values that follow from constants and shapes only."""

    def __init__(self, model: ModelProto, example: int = EXAMPLE_SIZE) -> None:
        graph = model.graph
        self.example = example
        self.model = model
        self.made = {name: node for node in graph.node for name in node.output}
        self.known: Arrays = {e.name: numpy_helper.to_array(e) for e in graph.initializer}
        self.shapes: dict[str, list[int]] | None = None
        self.hopeless: set[str] = set()

    def value(self, name: str) -> NDArray[np.generic] | None:
        """The value of a tensor; None if it follows from an activation."""
        if name not in self.known and name not in self.hopeless:
            self._find(name)
        return self.known.get(name)

    def _find(self, name: str) -> None:
        node = self.made.get(name)
        if node is None or node.domain not in ("", "ai.onnx") or node.op_type not in FOLDED:
            self.hopeless.add(name)
        elif node.op_type == "Shape":
            self.known[name] = self._shape(node)
        else:
            given = {n: self.value(n) for n in node.input if n}
            values = {n: v for n, v in given.items() if v is not None}
            found = None if len(values) < len(given) else self._run(node, values)
            if found is None:
                self.hopeless.update(node.output)
            else:
                self.known |= found

    def _run(self, node: NodeProto, values: Arrays) -> Arrays | None:
        """The outputs of a node; None if a size that the file does not say is not the example's."""
        try:
            return evaluated(node, values)
        except (ValueError, IndexError, RuntimeError):
            return None

    def shape(self, name: str) -> list[int]:
        """The shape of a tensor in the example; empty if it does not follow from the file."""
        if self.shapes is None:
            self.shapes = example_shapes(self.model, self.example)
        return self.shapes.get(name, [])

    def _shape(self, node: NodeProto) -> NDArray[np.int64]:
        """What a Shape makes."""
        shape = self.shape(node.input[0]) or [self.example] * 3
        ends = {a.name: a.i for a in node.attribute}
        return np.array(shape[ends.get("start", 0) : ends.get("end", len(shape))], np.int64)


def example_shapes(model: ModelProto, size: int) -> dict[str, list[int]]:
    """The shapes of tensors if every free size of the inputs is that of the example."""
    copy: ModelProto = ModelProto.FromString(model.SerializeToString())
    for port in copy.graph.input:
        for dim in port.type.tensor_type.shape.dim:
            dim.dim_value = dim.dim_value or size
    del copy.graph.value_info[:]
    whole = infer_shapes(copy).graph
    return {
        port.name: [d.dim_value or size for d in port.type.tensor_type.shape.dim]
        for port in (*whole.input, *whole.value_info)
    }


@dataclass(frozen=True, slots=True)
class Found:
    """A tensor, and which of the states stacked in it is meant; None if it is one state."""

    name: str
    index: int | None


def state_of(graph: GraphProto, name: str, index: int, axis: int) -> Found:
    """Where state `index` of a tensor comes from that stacks states along `axis`."""
    made = {output: node for node in graph.node for output in node.output}
    known = {e.name: numpy_helper.to_array(e) for e in graph.initializer}
    while name in made:
        node = made[name]
        numbers = [known[n].reshape(-1).tolist() if n in known else None for n in node.input[1:]]
        if node.op_type in ("Identity", "Cast"):
            name = node.input[0]
        elif node.op_type == "Unsqueeze" and numbers[0] in ([axis], [axis - 3]) and index == 0:
            return Found(node.input[0], None)
        elif node.op_type == "Concat" and stacks_one_by_one(node, made, axis):
            name, index = node.input[index], 0
        elif node.op_type == "Slice" and (start := first_of_slice(numbers, axis)) is not None:
            name, index = node.input[0], index + start
        elif node.op_type == "Split" and numbers and numbers[0] and axis_of(node) == axis:
            index += sum(numbers[0][: list(node.output).index(name)])
            name = node.input[0]
        else:
            break
    return Found(name, index)


def axis_of(node: NodeProto) -> int:
    """The axis of a Concat or Split, of three dimensions."""
    return next((int(a.i) for a in node.attribute if a.name == "axis"), 0) % 3


def stacks_one_by_one(node: NodeProto, made: dict[str, NodeProto], axis: int) -> bool:
    """Whether a Concat puts single states side by side."""
    parts = [made.get(name) for name in node.input]
    return axis_of(node) == axis and all(p is not None and p.op_type == "Unsqueeze" for p in parts)


def first_of_slice(numbers: list[list[int] | None], axis: int) -> int | None:
    """Where a Slice along one axis starts; None if it does anything else."""
    defaults: list[list[int] | None] = [None, None, [0], [1]]
    starts, _, axes, steps = [*numbers, *defaults[len(numbers) :]]
    plain = starts is not None and len(starts) == 1 and starts[0] >= 0
    if not plain or starts is None or axes not in ([axis], [axis - 3]) or steps != [1]:
        return None
    return int(starts[0])
