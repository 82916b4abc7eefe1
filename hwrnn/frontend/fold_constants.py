# SPDX-License-Identifier: Apache-2.0
"""Constants of a file in one form: initialisers, whatever node wrote them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper


def bodies(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs inside of a node."""
    for entry in node.attribute:
        if entry.type == AttributeProto.GRAPH:
            yield entry.g


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and every body inside it."""
    yield graph
    for node in graph.node:
        for body in bodies(node):
            yield from graphs(body)


def _constant_value(node: NodeProto) -> TensorProto | None:
    """The tensor of a Constant node; None for kinds that no exporter writes."""
    for entry in node.attribute:
        if entry.name == "value":
            tensor: TensorProto = entry.t
            return tensor
        if entry.name in ("value_float", "value_floats"):
            value = np.array(helper.get_attribute_value(entry), np.float32)
            return numpy_helper.from_array(value)
        if entry.name in ("value_int", "value_ints"):
            return numpy_helper.from_array(np.array(helper.get_attribute_value(entry), np.int64))
    return None


def fold_constants(graph: GraphProto) -> None:
    """Make initialisers of Constant nodes and of Identity nodes on initialisers."""
    known = {entry.name: entry for entry in graph.initializer}
    results = {port.name for port in graph.output}
    kept: list[NodeProto] = []
    for node in graph.node:
        source = None
        if node.op_type == "Constant" and not node.domain:
            source = _constant_value(node)
        elif node.op_type == "Identity" and node.input[0] in known:
            source = known[node.input[0]]
        if source is None or node.output[0] in results:
            kept.append(node)
            continue
        copy = TensorProto.FromString(source.SerializeToString())
        copy.name = node.output[0]
        known[copy.name] = copy
        graph.initializer.append(copy)
    if len(kept) != len(graph.node):
        nodes = [NodeProto.FromString(node.SerializeToString()) for node in kept]
        del graph.node[:]
        graph.node.extend(nodes)
