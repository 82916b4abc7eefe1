# SPDX-License-Identifier: Apache-2.0
"""Recurrent cell nodes become ONNX `Scan` nodes whose body is plain arithmetic and `Quant`.

The lowered graph runs in any ONNX engine that knows `Quant` (of `qonnx.custom_op.general`): each
Scan walks axis 0 forwards, because `onnx.reference` knows no other kind; batch-first and reversed
cells get a `Transpose` or a `Slice` before and after.  For a cell called C (`lstm/layers.0.0`)
the forms are exactly these, in this order; [..] is an initialiser, B batch, T steps, I inputs,
H units, G a gate (`cell_nodes` has their names); c only in an LSTM:

Weights, outer graph, read by the body under their outer names:
    C/G_gate/w_x = Transpose<perm=[1, 0]>(W_iG)          (I, H); W_iG is a Quant of an initialiser
    C/G_gate/w_h = Transpose<perm=[1, 0]>(W_hG)          (H, H)
    The bias is read by the body under its own name if a node (a Quant) makes it; an initialiser
    (no bias quantiser) is copied to C/G_gate/bias in the body.  A scalar 0 (no bias) leaves no Add.

Sequence:
    C/x_steps  = Transpose<perm=[1, 0, 2]>(x)            only if batch_first; (T, B, I)
    C/x_scan   = Slice(.., [-1], [-(2**63 - 1)], [0], [-1])   only if reverse_input: steps reversed

Initial states, when the cell has them as an initialiser whose rows are all equal:
    C/batch       = Gather<axis=0>(Shape(x), [b])        b = 0 if batch_first, else 1; (1,)
    C/state_shape = Concat<axis=0>(C/batch, [H])
    C/h_first     = Expand([C/h_row: (1, H)], C/state_shape)
    C/c_first     = Expand([C/c_row: (1, H)], C/state_shape)
    A state made by a node or a graph input (B, H) is passed to the Scan as it is.

    C/h_last, C/c_last, C/y_scan = Scan<num_scan_inputs=1>(C/h_first, C/c_first, C/x_scan)
    No axes or directions are set.  Undoing: Slice as above if reverse_input, then Transpose as
    above if batch_first.  The sequence ends in the cell's output 0.  The Scan's states are the
    cell's outputs 1 and 2, both (B, H).

Body: inputs C/h, C/c, C/x_t; outputs C/h_next, C/c_next, C/y_t = Identity(C/h_next).  Q_q(..) is
a Quant with the parameters of the cell's quantiser q, its three constants being body initialisers
C/q/scale, C/q/zero_point and C/q/bit_width (one copy, however often it is used).  An unquantised
operand of such a Quant is called like its result with `/raw` behind it.  What the body holds is
said in `lower_lstm`, `lower_rnn` and `lower_gru`.

On graph inputs of rank 3 batch and steps become the symbolic dimensions `batch` and `steps`; a
number that stood there for the steps is kept in the model's metadata, `hwrnn.example_steps`.
Stale `value_info` is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
)
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from hwrnn.frontend.cell_nodes import attribute, cells, kind_of, readable_name
from hwrnn.frontend.cell_scan import CellToScan
from hwrnn.frontend.fold_states import fold_states, leading_to_states
from hwrnn.frontend.lower_gru import GruToScan
from hwrnn.frontend.lower_lstm import LstmToScan
from hwrnn.frontend.lower_rnn import RnnToScan

EXAMPLE_STEPS = "hwrnn.example_steps"
LOWERINGS: dict[str, type[CellToScan]] = {
    form.kind.op: form for form in (LstmToScan, RnnToScan, GruToScan)
}


class LowerRecurrentCells(Transformation):  # type: ignore[misc]
    """Replace every recurrent cell by a Scan; the module's page says in which form."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Lower all cells of `model` in place; raises ImportFault for a cell that is not whole."""
        graph: GraphProto = model.model.graph
        found = cells(graph.node)
        if not found:
            return model, False
        free_batch_and_steps(model.model)
        fold_states(model.model)
        del graph.value_info[:]
        constants = {entry.name: entry for entry in graph.initializer}
        names = _distinct_names(found)
        lowered: list[NodeProto] = []
        for node in graph.node:
            kind = kind_of(node)
            if kind:
                form = LOWERINGS[kind.op]
                lowered += form(node, names[node.output[0]], constants, graph).lower()
            else:
                lowered.append(node)
        kept = [
            NodeProto.FromString(node.SerializeToString()) for node in used_nodes(lowered, graph)
        ]
        del graph.node[:]
        graph.node.extend(kept)
        _drop_unused_constants(graph)
        return model, False


def used_nodes(nodes: Sequence[NodeProto], graph: GraphProto) -> list[NodeProto]:
    """The nodes without the Quants that nobody reads: those of initial states were copied."""
    used = {name for node in nodes for name in (*node.input, *_captured(node))}
    used |= {port.name for port in graph.output}
    return [node for node in nodes if node.op_type != "Quant" or used.intersection(node.output)]


def _distinct_names(nodes: Sequence[NodeProto]) -> dict[str, str]:
    """A readable name for each cell, by the cell's first output; no two are equal."""
    names: dict[str, str] = {}
    for node in nodes:
        base = readable_name(node)
        name, count = base, 2
        while name in names.values():
            name, count = f"{base}_{count}", count + 1
        names[node.output[0]] = name
    return names


def _drop_unused_constants(graph: GraphProto) -> None:
    """Forget the constants that only the cells read: the bodies hold copies."""
    used = {entry for node in graph.node for entry in node.input}
    used |= {entry.name for entry in graph.output}
    used |= {name for node in graph.node for name in _captured(node)}
    kept = [entry for entry in graph.initializer if entry.name in used]
    if len(kept) == len(graph.initializer):
        return
    copies = [TensorProto.FromString(entry.SerializeToString()) for entry in kept]
    del graph.initializer[:]
    graph.initializer.extend(copies)


def _captured(node: NodeProto) -> set[str]:
    """Every name that a node's bodies read (their own names included)."""
    bodies = [entry.g for entry in node.attribute if entry.type == AttributeProto.GRAPH]
    inner = {name for body in bodies for sub in body.node for name in (*sub.input, *_captured(sub))}
    return inner | {entry.name for body in bodies for entry in body.output}


def free_batch_and_steps(model: ModelProto) -> None:
    """The example's batch and T are no property of the graph: make them symbolic at the ports.

    T is remembered in the model's metadata, for those who want it: see `example_steps`.
    """
    graph = model.graph
    found = cells(graph.node)
    batch_first = bool(found) and bool(attribute(found[0], "batch_first", 0))
    order = ("batch", "steps") if batch_first else ("steps", "batch")
    constants = {entry.name for entry in graph.initializer}
    leading = leading_to_states(graph)
    ranks = {port.name: len(port.type.tensor_type.shape.dim) for port in graph.input}
    states = {name for name, rank in ranks.items() if name in leading and rank in (2, 3)}
    for port in graph.input:
        shape = port.type.tensor_type.shape
        if port.name in states:
            shape.dim[-2].dim_param = "batch"
        elif port.name not in constants and (len(shape.dim) == 3 or takes_indices(port)):
            for dim, name in zip(shape.dim, order, strict=False):
                if name == "steps" and dim.dim_value > 0 and example_steps(model) is None:
                    model.metadata_props.add(key=EXAMPLE_STEPS, value=str(dim.dim_value))
                dim.dim_param = name
    for port in graph.output:
        for index, dim in enumerate(list(port.type.tensor_type.shape.dim)[:-1]):
            if not dim.dim_param:
                dim.dim_param = f"{port.name}_dim_{index}"


def takes_indices(port: ValueInfoProto) -> bool:
    """True for a port of whole numbers without an axis of features: a table is read by them."""
    found = port.type.tensor_type
    return len(found.shape.dim) == 2 and found.elem_type in (TensorProto.INT32, TensorProto.INT64)


def example_steps(model: ModelProto) -> int | None:
    """T of the example with which the model was exported; None if the file does not say."""
    for entry in model.metadata_props:
        if entry.key == EXAMPLE_STEPS and re.fullmatch(r"[1-9][0-9]{0,8}", entry.value):
            return int(entry.value)
    return None
