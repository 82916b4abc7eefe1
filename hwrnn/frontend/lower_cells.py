# SPDX-License-Identifier: Apache-2.0
"""Recurrent cell nodes become ONNX `Scan` nodes whose body is plain arithmetic and `Quant`.

The lowered graph runs in any ONNX engine that knows `Quant` (of `qonnx.custom_op.general`): each
Scan walks axis 0 forwards, because `onnx.reference` knows no other kind; batch-first and reversed
cells get a `Transpose` or a `Slice` before and after.  For a cell called C (`lstm/layers.0.0`)
the forms are exactly these, in this order; [..] is an initialiser, B batch, T steps, I inputs,
H units, G one of input, forget, cell, output:

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

Body: inputs C/h, C/c, C/x_t; outputs C/h_next, C/c_next, C/y_t.  Q_q(..) is a Quant with the
parameters of the cell's quantiser q, its three constants being body initialisers C/q/scale,
C/q/zero_point and C/q/bit_width (one copy, however often it is used).  For each gate G, where
act is Sigmoid, for the cell gate Tanh, and a is `sigmoid` or `tanh`:
    C/G_gate/x_part = MatMul(C/x_t, C/G_gate/w_x)
    C/G_gate/h_part = MatMul(C/h, C/G_gate/w_h)
    C/G_gate/sum    = Add(x_part, h_part)
    C/G_gate/acc    = Add(sum, bias)                     without a bias: acc is sum
    C/G_gate/acc_q  = Q_G_acc(acc)
    C/G_gate/act    = Sigmoid(acc_q)
    C/G_gate/gate   = Q_G_a(act)
With coupled gates (CIFG) the forget gate is instead
    C/forget_gate/one  = Q_input_sigmoid([C/one: ()])
    C/forget_gate/gate = Sub(one, C/input_gate/gate)
and then
    C/kept      = Q_cell_state(Mul(forget gate, C/c))
    C/added     = Q_cell_state(Mul(input gate, cell gate))
    C/c_next    = Q_cell_state(Add(C/kept, C/added))
    C/c_tanh    = Q_hidden_state_tanh(Tanh(C/c_next))
    C/h_next    = Q_output(Mul(output gate, C/c_tanh))
    C/y_t       = Identity(C/h_next)
An unquantised operand of such a Quant is called like its result with `/raw` behind it.

On graph inputs of rank 3 batch and steps become the symbolic dimensions `batch` and `steps`; a
number that stood there for the steps is kept in the model's metadata, `hwrnn.example_steps`.
Stale `value_info` is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from hwrnn.errors import ImportFault
from hwrnn.frontend.gate_orders import QUANT_LSTM_CELL

Attribute = int | str | list[int]

EXAMPLE_STEPS = "hwrnn.example_steps"
QONNX_DOMAIN = "qonnx.custom_op.general"
CELL_OP = "QuantLSTMCell"
QUANTISERS = (
    "output",
    "cell_state",
    "input_acc",
    "forget_acc",
    "cell_acc",
    "output_acc",
    "input_sigmoid",
    "forget_sigmoid",
    "cell_tanh",
    "output_sigmoid",
    "hidden_state_tanh",
)
"""The cell's quantisers, in the order of its inputs: three each, after x, h, c and 12 weights."""

FIRST_QUANTISER_INPUT = 15
CELL_INPUTS = FIRST_QUANTISER_INPUT + 3 * len(QUANTISERS)
_BEFORE_FIRST = -(2**63 - 1)


def _named(op: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> NodeProto:
    """A node called like its only output."""
    node = helper.make_node(op, list(inputs), [output], name=output)
    node.attribute.extend(helper.make_attribute(key, val) for key, val in attributes.items())
    return node


def readable_name(node: NodeProto) -> str:
    """The node's name without Brevitas' scaffolding: `lstm/layers.0.0`, `q/act_quant`."""
    plain = node.name or (node.output[0] if node.output else node.op_type)
    plain = re.sub(r"/export_handler(_\d+)?/\w+$", lambda m: m.group(1) or "", plain)
    return plain.strip("/") or node.op_type


def attribute(node: NodeProto, name: str, default: int | str | None = None) -> int | str | None:
    """One integer or string attribute of a node."""
    for entry in node.attribute:
        if entry.name == name:
            value = helper.get_attribute_value(entry)
            return value.decode() if isinstance(value, bytes) else int(value)
    return default


def quantiser_attributes(cell: NodeProto, quantiser: str) -> dict[str, int | str]:
    """signed, narrow and rounding_mode of one quantiser of a cell, as attributes of a Quant."""
    # Brevitas writes output_sigmoid_narrow_range where the other ten say *_narrow.
    narrow = attribute(cell, f"{quantiser}_narrow")
    if narrow is None:
        narrow = attribute(cell, f"{quantiser}_narrow_range", 0)
    signed = attribute(cell, f"{quantiser}_signed", 1)
    rounding = attribute(cell, f"{quantiser}_rounding_mode", "ROUND")
    return {"signed": int(signed or 0), "narrow": int(narrow or 0), "rounding_mode": str(rounding)}


def is_cell(node: NodeProto) -> bool:
    """Whether the node is Brevitas' QuantLSTMCell."""
    return bool(node.domain == QONNX_DOMAIN and node.op_type == CELL_OP)


class LowerRecurrentCells(Transformation):  # type: ignore[misc]
    """Replace every QuantLSTMCell by a Scan; the module's page says in which form."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Lower all cells of `model` in place; raises ImportFault for a cell that is not whole."""
        graph: GraphProto = model.model.graph
        cells = [node for node in graph.node if is_cell(node)]
        if not cells:
            return model, False
        free_batch_and_steps(model.model)
        del graph.value_info[:]
        constants = {entry.name: entry for entry in graph.initializer}
        names = _distinct_names(cells)
        lowered: list[NodeProto] = []
        for node in graph.node:
            if is_cell(node):
                lowered += _Cell(node, names[node.output[0]], constants, graph).lower()
            else:
                lowered.append(node)
        kept = [NodeProto.FromString(node.SerializeToString()) for node in lowered]
        del graph.node[:]
        graph.node.extend(kept)
        _drop_unused_constants(graph)
        return model, False


def _distinct_names(cells: Sequence[NodeProto]) -> dict[str, str]:
    """A readable name for each cell, by the cell's first output; no two are equal."""
    names: dict[str, str] = {}
    for node in cells:
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
    cells = [node for node in graph.node if is_cell(node)]
    batch_first = bool(cells) and bool(attribute(cells[0], "batch_first", 0))
    order = ("batch", "steps") if batch_first else ("steps", "batch")
    constants = {entry.name for entry in graph.initializer}
    for port in graph.input:
        shape = port.type.tensor_type.shape
        if port.name not in constants and len(shape.dim) == 3:
            for dim, name in zip(shape.dim, order, strict=False):
                if name == "steps" and dim.dim_value > 0 and example_steps(model) is None:
                    model.metadata_props.add(key=EXAMPLE_STEPS, value=str(dim.dim_value))
                dim.dim_param = name
    for port in graph.output:
        for index, dim in enumerate(list(port.type.tensor_type.shape.dim)[:-1]):
            if not dim.dim_param:
                dim.dim_param = f"{port.name}_dim_{index}"


def example_steps(model: ModelProto) -> int | None:
    """T of the example with which the model was exported; None if the file does not say."""
    for entry in model.metadata_props:
        if entry.key == EXAMPLE_STEPS and re.fullmatch(r"[1-9][0-9]{0,8}", entry.value):
            return int(entry.value)
    return None


@dataclass
class _Cell:
    """One cell on its way to a Scan: collects the nodes around it and those of its body."""

    node: NodeProto
    name: str
    constants: dict[str, TensorProto]
    graph: GraphProto
    before: list[NodeProto] = field(default_factory=list)
    body: list[NodeProto] = field(default_factory=list)
    body_constants: dict[str, TensorProto] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.node.input) != CELL_INPUTS or len(self.node.output) < 1:
            raise ImportFault(
                f'node "{self.name}"',
                f"a QuantLSTMCell has {CELL_INPUTS} inputs, this one has {len(self.node.input)}",
                "export the model again with Brevitas 0.13",
            )
        self.batch_first = bool(attribute(self.node, "batch_first", 0))
        self.reverse = bool(attribute(self.node, "reverse_input", 0))
        self.cifg = bool(attribute(self.node, "cifg", 0))

    def lower(self) -> list[NodeProto]:
        """The nodes that take the cell's place."""
        x, h, c = self.node.input[:3]
        first = [self._first_state(h, "h"), self._first_state(c, "c")]
        steps = self._reversed(self._time_major(x, "x_steps"), "x_scan")
        body = self._body()
        sequence, after = self._sequence_outputs()
        h_last = self._output(1, "h_last")
        c_last = self._output(2, "c_last")
        scan = helper.make_node(
            "Scan",
            [*first, steps],
            [h_last, c_last, sequence],
            name=f"{self.name}/scan",
            body=body,
            num_scan_inputs=1,
        )
        return [*self.before, scan, *after]

    def _output(self, index: int, fallback: str) -> str:
        given = self.node.output[index] if len(self.node.output) > index else ""
        return str(given or f"{self.name}/{fallback}")

    def _add(self, op: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> str:
        """Append a node to the outer graph; its name is its output's."""
        self.before.append(_named(op, inputs, output, **attributes))
        return output

    def _constant(self, name: str, value: np.ndarray) -> str:
        """Add an initialiser of the outer graph."""
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def _time_major(self, value: str, label: str) -> str:
        if not self.batch_first:
            return value
        return self._add("Transpose", [value], f"{self.name}/{label}", perm=[1, 0, 2])

    def _slice_inputs(self, value: str) -> list[str]:
        """Inputs of a Slice that turns axis 0 round; its constants are made once per cell."""
        numbers = {"from": -1, "to": _BEFORE_FIRST, "axis": 0, "step": -1}
        known = {entry.name for entry in self.graph.initializer}
        names = [f"{self.name}/reverse/{label}" for label in numbers]
        for name, number in zip(names, numbers.values(), strict=True):
            if name not in known:
                self._constant(name, np.array([number], np.int64))
        return [value, *names]

    def _reversed(self, value: str, label: str) -> str:
        if not self.reverse:
            return value
        return self._add("Slice", self._slice_inputs(value), f"{self.name}/{label}")

    def _sequence_outputs(self) -> tuple[str, list[NodeProto]]:
        """The name the Scan gives its sequence, and the nodes from there to the cell's output."""
        kinds = ["Slice"] * self.reverse + ["Transpose"] * self.batch_first
        labels = ["y_scan", "y_steps"][: len(kinds)]
        names = [*(f"{self.name}/{label}" for label in labels), self._output(0, "y")]
        nodes = []
        for kind, source, target in zip(kinds, names, names[1:], strict=False):
            inputs = self._slice_inputs(source) if kind == "Slice" else [source]
            perm = {"perm": [1, 0, 2]} if kind == "Transpose" else {}
            nodes.append(_named(kind, inputs, target, **perm))
        return names[0], nodes

    def _first_state(self, source: str, letter: str) -> str:
        """An initial state that fits any batch; see the module's page."""
        if source not in self.constants:
            return source
        state = numpy_helper.to_array(self.constants[source]).astype(np.float32)
        rows = state.reshape(-1, state.shape[-1])
        if (rows != rows[:1]).any():
            raise ImportFault(
                f'node "{self.name}"',
                f"the initial {letter} differs from sequence to sequence of the example batch",
                "give all sequences the same initial state, or export with a batch of 1",
            )
        row = self._constant(f"{self.name}/{letter}_row", rows[:1].copy())
        shape = self._state_shape(rows.shape[1])
        return self._add("Expand", [row, shape], f"{self.name}/{letter}_first")

    def _state_shape(self, hidden: int) -> str:
        shape = f"{self.name}/state_shape"
        if any(shape in node.output for node in self.before):
            return shape
        whole = self._add("Shape", [self.node.input[0]], f"{self.name}/x_shape")
        axis = np.array([0 if self.batch_first else 1], np.int64)
        index = self._constant(f"{self.name}/batch_axis", axis)
        batch = self._add("Gather", [whole, index], f"{self.name}/batch", axis=0)
        units = self._constant(f"{self.name}/units", np.array([hidden], np.int64))
        return self._add("Concat", [batch, units], shape, axis=0)

    def _do(self, op: str, inputs: Sequence[str], label: str, **attributes: Attribute) -> str:
        """Append a node to the body; its name is its output's."""
        output = f"{self.name}/{label}"
        self.body.append(_named(op, inputs, output, **attributes))
        return output

    def _copy(self, source: str, label: str) -> str:
        """Copy an outer constant into the body, once."""
        name = f"{self.name}/{label}"
        if source not in self.constants:
            raise ImportFault(
                f'node "{self.name}"',
                f"{label} is computed in the graph; a quantiser needs constant parameters",
                "export the module in eval mode",
            )
        copy = TensorProto.FromString(self.constants[source].SerializeToString())
        copy.name = name
        self.body_constants[name] = copy
        return name

    def _quant(self, quantiser: str, value: str, label: str) -> str:
        start = FIRST_QUANTISER_INPUT + 3 * QUANTISERS.index(quantiser)
        sources = self.node.input[start : start + 3]
        parts = ("scale", "zero_point", "bit_width")
        parameters = [
            self._copy(source, f"{quantiser}/{part}")
            for source, part in zip(sources, parts, strict=True)
        ]
        kind = quantiser_attributes(self.node, quantiser)
        output = self._do("Quant", [value, *parameters], label, **kind)
        self.body[-1].domain = QONNX_DOMAIN
        return output

    def _bias(self, gate: str) -> str | None:
        """The bias as the body reads it; None when the cell has none (Brevitas writes a 0)."""
        source = self.node.input[11 + QUANT_LSTM_CELL.index(gate)]
        if source not in self.constants:
            return str(source)
        value = numpy_helper.to_array(self.constants[source])
        if value.size == 1 and not value.any():
            return None
        return self._copy(source, f"{gate}_gate/bias")

    def _weight(self, source: str, label: str) -> str:
        return self._add("Transpose", [source], f"{self.name}/{label}", perm=[1, 0])

    def _gate(self, gate: str) -> str:
        """One gate, from x_t and h to its quantised activation."""
        index = QUANT_LSTM_CELL.index(gate)
        at = f"{gate}_gate"
        w_x = self._weight(self.node.input[3 + index], f"{at}/w_x")
        w_h = self._weight(self.node.input[7 + index], f"{at}/w_h")
        x_part = self._do("MatMul", [f"{self.name}/x_t", w_x], f"{at}/x_part")
        h_part = self._do("MatMul", [f"{self.name}/h", w_h], f"{at}/h_part")
        acc = self._do("Add", [x_part, h_part], f"{at}/sum")
        bias = self._bias(gate)
        if bias is not None:
            acc = self._do("Add", [acc, bias], f"{at}/acc")
        acc = self._quant(f"{gate}_acc", acc, f"{at}/acc_q")
        op, kind = ("Tanh", "tanh") if gate == "cell" else ("Sigmoid", "sigmoid")
        act = self._do(op, [acc], f"{at}/act")
        return self._quant(f"{gate}_{kind}", act, f"{at}/gate")

    def _coupled_forget_gate(self, input_gate: str) -> str:
        """1 - i, where the 1 passes the input gate's sigmoid quantiser."""
        one = f"{self.name}/one"
        self.body_constants[one] = numpy_helper.from_array(np.array(1.0, np.float32), one)
        quantised = self._quant("input_sigmoid", one, "forget_gate/one")
        return self._do("Sub", [quantised, input_gate], "forget_gate/gate")

    def _body(self) -> GraphProto:
        """One time step: h, c, x_t -> h_next, c_next, y_t."""
        h, c, x_t = (self._port(label) for label in ("h", "c", "x_t"))
        i = self._gate("input")
        f = self._coupled_forget_gate(i) if self.cifg else self._gate("forget")
        g, o = self._gate("cell"), self._gate("output")
        kept = self._quant("cell_state", self._do("Mul", [f, c.name], "kept/raw"), "kept")
        added = self._quant("cell_state", self._do("Mul", [i, g], "added/raw"), "added")
        total = self._do("Add", [kept, added], "c_next/raw")
        c_next = self._quant("cell_state", total, "c_next")
        tanh = self._do("Tanh", [c_next], "c_tanh/raw")
        tanh = self._quant("hidden_state_tanh", tanh, "c_tanh")
        h_next = self._quant("output", self._do("Mul", [o, tanh], "h_next/raw"), "h_next")
        self._do("Identity", [h_next], "y_t")
        outputs = [self._port(label) for label in ("h_next", "c_next", "y_t")]
        constants = list(self.body_constants.values())
        return helper.make_graph(self.body, f"{self.name}/step", [h, c, x_t], outputs, constants)

    def _port(self, label: str) -> ValueInfoProto:
        return helper.make_tensor_value_info(f"{self.name}/{label}", TensorProto.FLOAT, None)
