# SPDX-License-Identifier: Apache-2.0
"""What every cell has around its step when it becomes a Scan; `lower_cells` says in which form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from hwrnn.errors import ImportFault
from hwrnn.frontend.cell_nodes import QONNX_DOMAIN, CellKind, attribute, quantiser_attributes

Attribute = int | str | list[int]
_BEFORE_FIRST = -(2**63 - 1)


def named(op: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> NodeProto:
    """A node called like its only output."""
    node = helper.make_node(op, list(inputs), [output], name=output)
    node.attribute.extend(helper.make_attribute(key, val) for key, val in attributes.items())
    return node


def wrong_inputs(node: NodeProto, kind: CellKind) -> str:
    """What is wrong with a cell that has another number of inputs."""
    article = f"a {kind.op} has {kind.inputs} inputs"
    return f"{article}, this one has {len(node.input)}"


@dataclass
class CellToScan:
    """One cell on its way to a Scan: collects the nodes around it and those of its body.

    A kind of cell is a subclass that says what a step does: `step`.
    """

    kind: ClassVar[CellKind]

    node: NodeProto
    name: str
    constants: dict[str, TensorProto]
    graph: GraphProto
    before: list[NodeProto] = field(default_factory=list)
    body: list[NodeProto] = field(default_factory=list)
    body_constants: dict[str, TensorProto] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.node.input) != self.kind.inputs or len(self.node.output) < 1:
            raise ImportFault(
                f'node "{self.name}"',
                wrong_inputs(self.node, self.kind),
                "export the model again with hwrnn.export and Brevitas 0.13",
            )
        self.batch_first = bool(attribute(self.node, "batch_first", 0))
        self.reverse = bool(attribute(self.node, "reverse_input", 0))

    def step(self) -> None:
        """Append to the body what makes `h_next` (and the next of every other state)."""
        raise NotImplementedError

    def lower(self) -> list[NodeProto]:
        """The nodes that take the cell's place."""
        letters = self.kind.states
        first = [self._first_state(self.node.input[1 + k], s) for k, s in enumerate(letters)]
        steps = self._reversed(self._time_major(self.node.input[0], "x_steps"), "x_scan")
        body = self._body()
        sequence, after = self._sequence_outputs()
        last = [self._output(1 + k, f"{s}_last") for k, s in enumerate(letters)]
        scan = helper.make_node(
            "Scan",
            [*first, steps],
            [*last, sequence],
            name=f"{self.name}/scan",
            body=body,
            num_scan_inputs=1,
        )
        return [*self.before, scan, *after]

    def _body(self) -> GraphProto:
        """One time step: the states and x_t -> the next states and y_t."""
        inputs = [self._port(label) for label in (*self.kind.states, "x_t")]
        self.step()
        self.do("Identity", [self.at("h_next")], "y_t")
        labels = (*(f"{state}_next" for state in self.kind.states), "y_t")
        outputs = [self._port(label) for label in labels]
        constants = list(self.body_constants.values())
        return helper.make_graph(self.body, f"{self.name}/step", inputs, outputs, constants)

    def at(self, label: str) -> str:
        """The name of a value of the body."""
        return f"{self.name}/{label}"

    def _output(self, index: int, fallback: str) -> str:
        given = self.node.output[index] if len(self.node.output) > index else ""
        return str(given or f"{self.name}/{fallback}")

    def _add(self, op: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> str:
        """Append a node to the outer graph; its name is its output's."""
        self.before.append(named(op, inputs, output, **attributes))
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
            nodes.append(named(kind, inputs, target, **perm))
        return names[0], nodes

    def _first_state(self, source: str, letter: str) -> str:
        """An initial state that fits any batch; see the module's page."""
        if source in self.constants:
            row, units = self._first_row(source, letter)
        else:
            quant = next((node for node in self.graph.node if source in node.output), None)
            if quant is None or quant.op_type != "Quant" or quant.input[0] not in self.constants:
                return source
            raw, units = self._first_row(quant.input[0], letter)
            row = f"{raw}_q"
            copy = NodeProto.FromString(quant.SerializeToString())
            copy.name = copy.output[0] = row
            copy.input[0] = raw
            self.before.append(copy)
        return self._add("Expand", [row, self._state_shape(units)], f"{self.name}/{letter}_first")

    def _first_row(self, source: str, letter: str) -> tuple[str, int]:
        """The row that all sequences of a constant state have in common, and its size."""
        state = numpy_helper.to_array(self.constants[source]).astype(np.float32)
        rows = state.reshape(-1, state.shape[-1])
        if (rows != rows[:1]).any():
            raise ImportFault(
                f'node "{self.name}"',
                f"the initial {letter} differs from sequence to sequence of the example batch",
                "give all sequences the same initial state, or export with a batch of 1",
            )
        return self._constant(f"{self.name}/{letter}_row", rows[:1].copy()), rows.shape[1]

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

    def do(self, op: str, inputs: Sequence[str], label: str, **attributes: Attribute) -> str:
        """Append a node to the body; its name is its output's."""
        output = self.at(label)
        self.body.append(named(op, inputs, output, **attributes))
        return output

    def _copy(self, source: str, label: str) -> str:
        """Copy an outer constant into the body, once."""
        name = self.at(label)
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

    def quant(self, quantiser: str, value: str, label: str) -> str:
        """Append a Quant with the parameters of one of the cell's quantisers, if it is on."""
        bits = self.constants.get(self.node.input[self.kind.quantiser(quantiser)][2])
        if bits is not None and not numpy_helper.to_array(bits).any():
            return self.do("Identity", [value], label)
        parameters = self.parameters(quantiser)
        kind = quantiser_attributes(self.node, quantiser)
        return self.quant_with(value, parameters, kind, label)

    def quant_with(
        self, value: str, parameters: Sequence[str], kind: Mapping[str, Attribute], label: str
    ) -> str:
        """Append a Quant: of which value, by which scale, zero point and bit width."""
        output = self.do("Quant", [value, *parameters], label, **kind)
        self.body[-1].domain = QONNX_DOMAIN
        return output

    def parameters(self, quantiser: str) -> list[str]:
        """Scale, zero point and bit width of a quantiser, copied into the body."""
        sources = self.node.input[self.kind.quantiser(quantiser)]
        parts = ("scale", "zero_point", "bit_width")
        return [self._copy(s, f"{quantiser}/{p}") for s, p in zip(sources, parts, strict=True)]

    def scalar(self, label: str, value: float) -> str:
        """A constant of the body."""
        name = self.at(label)
        array = np.array(value, np.float32)
        self.body_constants[name] = numpy_helper.from_array(array, name)
        return name

    def bias(self, name: str) -> str | None:
        """A bias as the body reads it; None when there is none (then the file holds a 0)."""
        source = self.node.input[self.kind.bias(name)]
        if source not in self.constants:
            return str(source)
        value = numpy_helper.to_array(self.constants[source])
        if value.size == 1 and not value.any():
            return None
        return self._copy(source, f"{name}_gate/bias")

    def product(self, gate: str, source: str, *, hidden: bool) -> str:
        """W_x of a gate times x_t, or W_h times a state."""
        letter = "h" if hidden else "x"
        weight = self.node.input[self.kind.weight(gate, hidden=hidden)]
        turned = self._add("Transpose", [weight], self.at(f"{gate}_gate/w_{letter}"), perm=[1, 0])
        return self.do("MatMul", [source, turned], f"{gate}_gate/{letter}_part")

    def biased(self, value: str, bias: str, label: str) -> str:
        """A value and a bias, or the value alone if there is no such bias."""
        known = self.bias(bias)
        return value if known is None else self.do("Add", [value, known], label)

    def accumulated(self, gate: str, hidden: str) -> str:
        """W_x x + W_h hidden + bias of a gate; not quantised yet."""
        parts = [self.product(gate, self.at("x_t"), hidden=False)]
        parts.append(self.product(gate, hidden, hidden=True))
        total = self.do("Add", parts, f"{gate}_gate/sum")
        return self.biased(total, gate, f"{gate}_gate/acc")

    def activated(self, gate: str, acc: str, op: str) -> str:
        """The quantised sigmoid or tanh of a gate's accumulator, which is quantised first."""
        acc_q = self.quant(f"{gate}_acc", acc, f"{gate}_gate/acc_q")
        act = self.do(op, [acc_q], f"{gate}_gate/act")
        return self.quant(f"{gate}_{op.lower()}", act, f"{gate}_gate/gate")

    def _port(self, label: str) -> ValueInfoProto:
        return helper.make_tensor_value_info(self.at(label), TensorProto.FLOAT, None)
