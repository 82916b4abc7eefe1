# SPDX-License-Identifier: Apache-2.0
"""Initial states that a file computes from constants become constants.

A module that says `h0.expand(-1, x.shape[1], -1)` leaves a trail of shape arithmetic in its file.
Only what leads to the initial states of cells is computed here, and only if nothing but constants
goes in; a Quant in between stays, since it rounds.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from hwrnn.frontend.cell_nodes import cells, kind_of

FOLDED = frozenset(
    (
        "Add",
        "Cast",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Equal",
        "Expand",
        "Gather",
        "Identity",
        "Mul",
        "Reshape",
        "Shape",
        "Slice",
        "Split",
        "Squeeze",
        "Sub",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Where",
    )
)


def fold_states(model: ModelProto) -> None:
    """Compute what leads from constants to the initial states of the model's cells, in place."""
    graph = model.graph
    needed = leading_to_states(graph)
    known = {entry.name for entry in graph.initializer}
    kept = []
    for node in graph.node:
        if needed.intersection(node.output) and computable(node, known):
            made = computed(node, graph, model)
            graph.initializer.extend(made)
            known.update(entry.name for entry in made)
        else:
            kept.append(NodeProto.FromString(node.SerializeToString()))
    if len(kept) != len(graph.node):
        del graph.node[:]
        graph.node.extend(kept)


def leading_to_states(graph: GraphProto) -> set[str]:
    """The names of all tensors from which an initial state is made, by whatever op."""
    makers = {name: node for node in graph.node for name in node.output}
    pending = [name for node in cells(graph.node) for name in state_inputs(node)]
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        node = makers.get(name)
        if node is not None and kind_of(node) is None:
            pending += node.input
    return found


def state_inputs(node: NodeProto) -> Sequence[str]:
    """The inputs of a cell that are its initial states."""
    kind = kind_of(node)
    return list(node.input[1 : kind.first_weight]) if kind else []


def computable(node: NodeProto, known: set[str]) -> bool:
    """An op of ONNX that only moves or counts, of constants."""
    return not node.domain and node.op_type in FOLDED and all(n in known for n in node.input if n)


def computed(node: NodeProto, graph: GraphProto, model: ModelProto) -> list[TensorProto]:
    """The outputs of one node."""
    inputs = [entry for entry in graph.initializer if entry.name in set(node.input)]
    ports = [helper.make_empty_tensor_value_info(name) for name in node.output]
    alone = helper.make_graph([node], "constant", [], ports, inputs)
    engine = ReferenceEvaluator(helper.make_model(alone, opset_imports=model.opset_import))
    values = engine.run(None, {})
    return [numpy_helper.from_array(v, n) for v, n in zip(values, node.output, strict=True)]
