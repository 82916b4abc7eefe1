# SPDX-License-Identifier: Apache-2.0
"""`sequence_lens` of standard LSTM, GRU and RNN nodes: `lengths` of hwrnn.run, no graph input.

Every engine here computes only the steps that count: the reverse direction starts at the last of
them, Y_h is that of the last of them, and a sequence is 0 behind them, as ONNX wants it of Y. What
else looks at several steps would see padding in ONNX, and the real end here: such nodes are
refused, and files in which one recurrent node knows the lengths and another does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from hwrnn.frontend.first_states import EXAMPLE_SIZE, Fold
from hwrnn.frontend.onnx_rnn import int_attribute, refuse
from hwrnn.frontend.ports import STANDARD, time_axis

LENGTHS = "hwrnn.lengths"
PASSED = ("Cast", "Identity", "Squeeze", "Unsqueeze", "Reshape")
"""What may stand between an input of the graph and the sequence_lens of a node."""
POINTWISE = (
    *("Add", "Sub", "Mul", "Div", "MatMul", "Gemm", "Relu", "Sigmoid", "Tanh", "HardSigmoid"),
    *("LeakyRelu", "Elu", "Softsign", "Softplus", "ThresholdedRelu", "Clip", "Cast", "Identity"),
    *("Dropout", "Quant", "QuantizeLinear", "DequantizeLinear", "BatchNormalization"),
)


def take_lengths(model: ModelProto, nodes: list[NodeProto]) -> None:
    """Let the standard nodes forget their sequence_lens; what cannot is refused by name."""
    known = [(node, lengths_of(model, node)) for node in nodes]
    ports = list(dict.fromkeys(port for _, port in known if port))
    if not ports:
        return
    for node, port in known:
        if not port:
            fact = "has no sequence_lens, but another recurrent node has"
            refuse(node, fact, "give all of them the same sequence_lens, or none")
        if port != ports[0]:
            refuse(node, "has other sequence_lens than a node before it", "use one for all")
    refuse_unlike(model.graph, ports[0])
    model.metadata_props.add(key=LENGTHS, value=ports[0])


def lengths_of(model: ModelProto, node: NodeProto) -> str:
    """The input of the graph that is the sequence_lens of a node; empty if all steps count."""
    source = node.input[4] if len(node.input) > 4 else ""
    if not source:
        return ""
    fold, other = Fold(model), Fold(model, EXAMPLE_SIZE + 1)
    if fold.value(source) is not None:
        check_whole(fold, node, source)
        check_whole(other, node, source)  # a constant is not the number of steps in both
        return ""
    while source in fold.made and fold.made[source].op_type in PASSED:
        source = fold.made[source].input[0]
    hint = "make it an input of the graph; of torch, pack with enforce_sorted=True"
    if all(port.name != source for port in model.graph.input):
        refuse(node, "its sequence_lens is computed in the graph", hint)
    return str(source)


def check_whole(fold: Fold, node: NodeProto, source: str) -> None:
    """Lengths that are constant, or follow from shapes, are the number of steps."""
    lengths = np.asarray(fold.value(source))
    shape = fold.shape(node.input[0]) or [fold.example] * 3
    if set(lengths.reshape(-1).tolist()) != {shape[int_attribute(node, "layout", 0)]}:
        shown = ", ".join(str(int(v)) for v in lengths.reshape(-1)[:4])
        refuse(
            node,
            f"its sequence_lens is the constant {shown}, not the number of steps",
            "make it an input of the graph, and give `lengths` to hwrnn.run",
        )


@dataclass(frozen=True, slots=True)
class Steps:
    """Along which of its dimensions a tensor has the steps, and how many dimensions it has."""

    axis: int
    rank: int


def refuse_unlike(graph: GraphProto, lengths: str) -> None:
    """Refuse the first node that looks at several steps of what is padded."""
    walk = Walk(graph)
    for port in graph.input:
        rank = len(port.type.tensor_type.shape.dim)
        if port.name != lengths and not only_a_state(graph, port.name):
            whole = port.type.tensor_type.elem_type in (TensorProto.INT32, TensorProto.INT64)
            axis = 1 if whole and rank == 2 else time_axis(graph, port.name)
            walk.steps[port.name] = Steps(axis, rank)
    for node in graph.node:
        walk.visit(node)


def only_a_state(graph: GraphProto, name: str) -> bool:
    """Whether a graph input is an initial state, or what one is made of."""
    held = {name}
    for node in graph.node:
        if node.op_type in STANDARD:
            if node.input[0] in held:
                return False
        elif held.intersection(node.input):
            held.update(node.output)
    return True


class Walk:
    """Follows sequences through a graph."""

    def __init__(self, graph: GraphProto) -> None:
        self.steps: dict[str, Steps] = {}
        self.known = {e.name: numpy_helper.to_array(e) for e in graph.initializer}
        self.rules: dict[str, Callable[[NodeProto, Steps], Steps | None]] = {
            "Transpose": self._transpose,
            "Unsqueeze": self._unsqueeze,
            "Squeeze": self._squeeze,
            "Gather": self._gather,
            "Slice": self._slice,
            "Concat": self._along,
            "Softmax": self._along,
            "LogSoftmax": self._along,
            "ArgMax": self._reduce,
            "Reshape": self._reshape,
        }

    def visit(self, node: NodeProto) -> None:
        """The steps of what one node makes."""
        held = next((self.steps[name] for name in node.input if name in self.steps), None)
        if held is None or node.op_type == "Shape":
            return
        if node.op_type in STANDARD:
            self.steps[node.output[0]] = Steps(int_attribute(node, "layout", 0), 4)
            return
        rule = self.rules.get(node.op_type)
        made = held if node.op_type in POINTWISE else rule(node, held) if rule else None
        if made is None:
            refuse(
                node,
                "looks at steps behind the ends of sequences, which sequence_lens gives",
                "take Y_h, that of the last step; or leave sequence_lens out, and give `lengths` "
                "to hwrnn.run, for which a sequence ends there",
            )
        self.steps[node.output[0]] = made

    def _numbers(self, node: NodeProto, index: int, name: str) -> list[int]:
        """Constants that are an input of a node, or an attribute."""
        if len(node.input) > index and node.input[index] in self.known:
            found: list[int] = self.known[node.input[index]].reshape(-1).astype(int).tolist()
            return found
        values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        return list(values.get(name, []))

    def _transpose(self, node: NodeProto, held: Steps) -> Steps:
        perm = self._numbers(node, 9, "perm") or list(range(held.rank))[::-1]
        return Steps(perm.index(held.axis), held.rank)

    def _unsqueeze(self, node: NodeProto, held: Steps) -> Steps:
        axes = self._numbers(node, 1, "axes")
        rank = held.rank + len(axes)
        axis = held.axis
        for k in sorted(a % rank for a in axes):
            axis += k <= axis
        return Steps(axis, rank)

    def _squeeze(self, node: NodeProto, held: Steps) -> Steps:
        axes = [a % held.rank for a in self._numbers(node, 1, "axes")]
        return Steps(held.axis - sum(a < held.axis for a in axes), held.rank - len(axes))

    def _gather(self, node: NodeProto, held: Steps) -> Steps | None:
        if node.input[0] not in self.steps:  # a table is read
            return Steps(held.axis, held.rank + 1)
        axis = int_attribute(node, "axis", 0) % held.rank
        index = self.known.get(node.input[1])
        if axis == held.axis or index is None:
            return None
        gone = index.ndim == 0
        return Steps(held.axis - (gone and axis < held.axis), held.rank - gone)

    def _slice(self, node: NodeProto, held: Steps) -> Steps | None:
        axes = self._numbers(node, 3, "axes") or [held.axis]
        return None if held.axis in [a % held.rank for a in axes] else held

    def _along(self, node: NodeProto, held: Steps) -> Steps | None:
        return None if int_attribute(node, "axis", -1) % held.rank == held.axis else held

    def _reduce(self, node: NodeProto, held: Steps) -> Steps | None:
        axis = int_attribute(node, "axis", 0) % held.rank
        gone = not int_attribute(node, "keepdims", 1)
        if axis == held.axis:
            return None
        return Steps(held.axis - (gone and axis < held.axis), held.rank - gone)

    def _reshape(self, node: NodeProto, held: Steps) -> Steps | None:
        shape = self._numbers(node, 1, "shape")
        kept = not shape or len(shape) > held.axis + 1
        return Steps(held.axis, len(shape) or held.rank) if kept else None
