# SPDX-License-Identifier: Apache-2.0
"""The steps of the standard LSTM, GRU and RNN, and the pass that lowers such nodes to Scans.

LSTM, where f, g, h are the node's activations, P its peepholes (zero without) and * is element
by element (https://onnx.ai/onnx/operators/onnx__LSTM.html):
    i = f(W_i x + R_i h + P_i * c + b_i)      c' = (forget gate) * c + i * g(W_c x + R_c h + b_c)
    o = f(W_o x + R_o h + P_o * c' + b_o)     h' = o * h(c')
With `input_forget` the forget gate is 1 - i.  GRU:
    n = g(W_h x + r * (R_h h + Rb_h) + Wb_h)          with linear_before_reset
    n = g(W_h x + R_h (r * h) + Rb_h + Wb_h)          without
    h' = (1 - z) * n + z * h
RNN: h' = f(W x + R h + b).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper
from onnx.version_converter import convert_version

from hwrnn.frontend.cell_scan import named
from hwrnn.frontend.first_states import fix_first_states
from hwrnn.frontend.onnx_rnn import (
    StandardCell,
    StandardKind,
    check_standard,
    directions,
    functions_of,
    int_attribute,
)
from hwrnn.frontend.sequence_lens import take_lengths
from hwrnn.nn.gate_orders import ONNX_GRU, ONNX_LSTM, ONNX_PEEPHOLES, ONNX_RNN

LSTM = StandardKind(
    op="LSTM", gates=ONNX_LSTM, states=("h", "c"), functions=("Sigmoid", "Tanh", "Tanh")
)
GRU = StandardKind(op="GRU", gates=ONNX_GRU, states=("h",), functions=("Sigmoid", "Tanh"))
RNN = StandardKind(op="RNN", gates=ONNX_RNN, states=("h",), functions=("Tanh",))
MIN_OPSET = 13  # from here on Unsqueeze takes its axes as an input


class LstmCell(StandardCell):
    """h, c, x_t -> h_next, c_next."""

    kind: ClassVar[StandardKind] = LSTM

    def step(self) -> None:
        f, g, h = self.functions
        c = self.at("c")
        i = self.act(f, self.seen("input", c), "input_gate/gate")
        if int_attribute(self.node, "input_forget", 0):
            kept_share = self.do("Sub", [self.inner("one", 1.0), i], "forget_gate/gate")
        else:
            kept_share = self.act(f, self.seen("forget", c), "forget_gate/gate")
        new = self.act(g, self.accumulated("cell", self.at("h")), "cell_gate/gate")
        kept = self.do("Mul", [kept_share, c], "kept")
        added = self.do("Mul", [i, new], "added")
        c_next = self.do("Add", [kept, added], "c_next")
        o = self.act(f, self.seen("output", c_next), "output_gate/gate")
        self.do("Mul", [o, self.act(h, c_next, "c_act")], "h_next")

    def seen(self, gate: str, c: str) -> str:
        """The sum of a gate that may look at the cell state."""
        extra = []
        peepholes = self.value_of(7)
        if self.given(7) and (peepholes is None or peepholes.any()):
            start = ONNX_PEEPHOLES.index(gate) * self.units
            weight = self.cut(7, start, f"{gate}_gate/p", matrix=False)
            extra = [self.do("Mul", [c, weight], f"{gate}_gate/c_part")]
        return self.accumulated(gate, self.at("h"), *extra)


class GruCell(StandardCell):
    """h, x_t -> h_next."""

    kind: ClassVar[StandardKind] = GRU

    def step(self) -> None:
        f, g = self.functions
        h = self.at("h")
        z, r = (
            self.act(f, self.accumulated(gate, h), f"{gate}_gate/gate")
            for gate in ("update", "reset")
        )
        after = int_attribute(self.node, "linear_before_reset", 0)
        acc = self.reset_after(r) if after else self.reset_before(r)
        n = self.act(g, acc, "new_gate/gate")
        rest = self.do("Sub", [self.inner("one", 1.0), z], "update_gate/rest")
        added = self.do("Mul", [rest, n], "added")
        self.do("Add", [self.do("Mul", [z, h], "kept"), added], "h_next")

    def reset_before(self, r: str) -> str:
        """W x + R (r * h) + both biases."""
        return self.accumulated("new", self.do("Mul", [r, self.at("h")], "new_gate/reset"))

    def reset_after(self, r: str) -> str:
        """W x + r * (R h + one bias) + the other bias."""
        h_parts = [self.product("new", self.at("h"), hidden=True), *self.biases("new", [True])]
        reset = self.do("Mul", [r, self.summed(h_parts, "new_gate/h_acc")], "new_gate/reset")
        x_part = self.product("new", self.at("x_t"), hidden=False)
        return self.summed([x_part, reset, *self.biases("new", [False])], "new_gate/acc")


class RnnCell(StandardCell):
    """h, x_t -> h_next."""

    kind: ClassVar[StandardKind] = RNN

    def step(self) -> None:
        self.act(self.functions[0], self.accumulated("hidden", self.at("h")), "h_next")


CELLS: dict[str, type[StandardCell]] = {form.kind.op: form for form in (LstmCell, GruCell, RnnCell)}


def standard_cells(graph: GraphProto) -> list[NodeProto]:
    """The standard LSTM, GRU and RNN nodes of a graph."""
    return [n for n in graph.node if n.op_type in CELLS and n.domain in ("", "ai.onnx")]


def lower_standard(model: ModelProto) -> ModelProto:
    """A copy of the model in which a Scan stands for each standard cell.

    Raises ImportFault naming the node that has no such form.
    """
    copy: ModelProto = ModelProto.FromString(model.SerializeToString())
    found = standard_cells(copy.graph)
    if not found:
        return copy
    copy = with_opset(copy, MIN_OPSET)
    graph = copy.graph
    take_lengths(copy, standard_cells(graph))
    fix_first_states(copy, standard_cells(graph))
    names = distinct(standard_cells(graph))
    lowered: list[NodeProto] = []
    for node in graph.node:
        whole = node.op_type in CELLS and node.domain in ("", "ai.onnx")
        lowered += lower_node(copy, node, names[id(node)]) if whole else [node]
    kept = [NodeProto.FromString(node.SerializeToString()) for node in lowered]
    del graph.node[:]
    graph.node.extend(kept)
    del graph.value_info[:]
    return copy


def with_opset(model: ModelProto, least: int) -> ModelProto:
    """The model at an opset of ONNX of at least `least`."""
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), least)
    if version >= least:
        return model
    converted: ModelProto = convert_version(model, least)
    return converted


def distinct(nodes: list[NodeProto]) -> dict[int, str]:
    """A name for each node; no two are equal."""
    names: dict[int, str] = {}
    for node in nodes:
        base = node.name.strip("/") or node.op_type.lower()
        name, count = base, 2
        while name in names.values():
            name, count = f"{base}_{count}", count + 1
        names[id(node)] = name
    return names


def lower_node(model: ModelProto, node: NodeProto, name: str) -> list[NodeProto]:
    """The nodes that take a standard cell's place."""
    check_standard(node)
    form = CELLS[node.op_type]
    ways = directions(node)
    functions = functions_of(node, form.kind, len(ways))
    constants = {entry.name: entry for entry in model.graph.initializer}
    made: list[NodeProto] = []
    results: list[dict[str, str]] = []
    for k, reverse in enumerate(ways):
        end = "" if len(ways) == 1 else "/reverse" if reverse else "/forward"
        cell = form(node, name + end, k, reverse, functions[k], constants, model.graph)
        results.append(cell.lower())
        made += cell.before
    for k, letter in enumerate(("y", *form.kind.states)):
        output = node.output[k] if len(node.output) > k else ""
        if output:
            joined = Gathered(graph=model.graph, name=name, letter=letter, node=node)
            made += joined.nodes([r[letter] for r in results], output)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """From what the Scans make to one output of the node, with its axis of directions."""

    graph: GraphProto
    name: str
    letter: str
    node: NodeProto

    def nodes(self, parts: list[str], output: str) -> list[NodeProto]:
        """The nodes, for the results of each direction."""
        layout = int_attribute(self.node, "layout", 0)
        sequence = self.letter == "y"
        axis = (2 if layout else 1) if sequence else (1 if layout else 0)
        where = self._axis(axis)
        made: list[NodeProto] = []
        ready = [output] if len(parts) == 1 else [self._at(f"part_{k}") for k in range(len(parts))]
        for k, (source, end) in enumerate(zip(parts, ready, strict=True)):
            part = source
            if layout and sequence:
                part = self._at(f"turned_{k}")
                made.append(named("Transpose", [source], part, perm=[1, 0, 2]))
            made.append(named("Unsqueeze", [part, where], end))
        return made if len(parts) == 1 else [*made, named("Concat", ready, output, axis=axis)]

    def _at(self, label: str) -> str:
        return f"{self.name}/{self.letter}_{label}"

    def _axis(self, axis: int) -> str:
        name = self._at("axis")
        if not any(entry.name == name for entry in self.graph.initializer):
            value = np.array([axis], np.int64)
            self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name


def drop_unread_inputs(model: ModelProto) -> None:
    """Forget graph inputs that nothing reads any more."""
    read = {name for node in model.graph.node for name in node.input}
    kept = [p for p in model.graph.input if p.name in read]
    if len(kept) != len(model.graph.input) and kept:
        copies = [type(p).FromString(p.SerializeToString()) for p in kept]
        del model.graph.input[:]
        model.graph.input.extend(copies)
