# SPDX-License-Identifier: Apache-2.0
"""Standard LSTM, GRU and RNN nodes become ONNX `Scan` nodes whose body is plain arithmetic.

The form is that of `lower_cells`, without quantisers: for a node called C, in the outer graph

    C/G_gate/w_x, C/G_gate/w_h   (I, H) and (H, H); cut out of constants, or by nodes if the file
                                 computes W and R (a weight-only quantised layer does)
    C/h_first                    Expand of one row; a state that is no constant is gathered
    C/y, C/h_last                what the Scan makes; then the axes of the node's outputs

With two directions there is a Scan for each, called C/forward and C/reverse; their results are
concatenated along the axis of directions. What a step does is said in `onnx_rnn_steps`.
`sequence_lens` is no part of the Scan: every engine here takes the length of each sequence, and
computes only its own steps, the reverse direction from its own last one, as ONNX wants it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn

import numpy as np
from onnx import (
    GraphProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from hwrnn.errors import ImportFault, shorten
from hwrnn.frontend.cell_scan import Attribute, named
from hwrnn.frontend.first_states import state_of
from hwrnn.frontend.onnx_activations import KNOWN, Activation, activations
from hwrnn.nn.gate_orders import GateOrder

_BEFORE_FIRST = -(2**63 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardKind:
    """One of the three operators: its gates, and the inputs that the others do not have."""

    op: str
    gates: GateOrder
    states: tuple[str, ...]
    functions: tuple[str, ...]

    @property
    def peephole(self) -> int | None:
        """Where the peephole weights are among the inputs."""
        return 7 if self.op == "LSTM" else None


@dataclass
class StandardCell:
    """One direction of a node on its way to a Scan; a subclass says what a step does."""

    kind: ClassVar[StandardKind]

    node: NodeProto
    name: str
    direction: int
    reverse: bool
    functions: list[Activation]
    constants: dict[str, TensorProto]
    graph: GraphProto
    before: list[NodeProto] = field(default_factory=list)
    body: list[NodeProto] = field(default_factory=list)
    body_constants: dict[str, TensorProto] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layout = int_attribute(self.node, "layout", 0)
        self.producers = {name: made for made in self.graph.node for name in made.output}
        self.units = self._units()

    def step(self) -> None:
        """Append to the body what makes `h_next` (and the next of every other state)."""
        raise NotImplementedError

    def lower(self) -> dict[str, str]:
        """Append the Scan to `before`; what it makes, by the letter: y, (T, B, H), h, (B, H), c."""
        letters = self.kind.states
        first = [self._first_state(letter, 5 + k) for k, letter in enumerate(letters)]
        steps = self.node.input[0]
        if self.layout:
            steps = self.add("Transpose", [steps], "x_steps", perm=[1, 0, 2])
        if self.reverse:
            steps = self.add("Slice", [steps, *self._backwards()], "x_scan")
        body = self._body()
        last = [self.at(f"{letter}_last") for letter in letters]
        sequence = self.at("y_scan")
        scan = helper.make_node(
            "Scan",
            [*first, steps],
            [*last, sequence],
            name=f"{self.name}/scan",
            body=body,
            num_scan_inputs=1,
        )
        self.before.append(scan)
        if self.reverse:
            sequence = self.add("Slice", [sequence, *self._backwards()], "y_steps")
        return {"y": sequence} | dict(zip(letters, last, strict=True))

    def at(self, label: str) -> str:
        """The name of a value of this direction."""
        return f"{self.name}/{label}"

    def add(self, op: str, inputs: Sequence[str], label: str, **attributes: Attribute) -> str:
        """Append a node to the outer graph; its name is its output's."""
        self.before.append(named(op, inputs, self.at(label), **attributes))
        return self.at(label)

    def constant(self, label: str, value: np.ndarray) -> str:
        """An initialiser of the outer graph, made once."""
        name = self.at(label)
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(value, name)
            self.graph.initializer.append(self.constants[name])
        return name

    def given(self, index: int) -> str:
        """The name of an input of the node; empty if it has none."""
        return str(self.node.input[index]) if index < len(self.node.input) else ""

    def value_of(self, index: int) -> np.ndarray | None:
        """A constant input of the node; None for what is computed, or absent."""
        found = self.constants.get(self.given(index))
        return None if found is None else numpy_helper.to_array(found)

    def fault(self, fact: str, hint: str = "") -> NoReturn:
        """Refuse the node."""
        refuse(self.node, fact, hint)

    def _units(self) -> int:
        declared = int_attribute(self.node, "hidden_size", 0)
        weights = self.value_of(2)
        units = int(weights.shape[-1]) if weights is not None else declared
        if units < 1:
            self.fault("has no hidden_size", "export it again; every exporter writes one")
        if declared not in (0, units):
            hint = "export it again; its weights are those of another size"
            self.fault(f"says hidden_size {declared}, its R is for {units} units", hint)
        return units

    def _backwards(self) -> list[str]:
        numbers = {"from": -1, "to": _BEFORE_FIRST, "axis": 0, "step": -1}
        return [self.constant(f"reverse/{k}", np.array([v], np.int64)) for k, v in numbers.items()]

    def _first_state(self, letter: str, index: int) -> str:
        """The initial state of this direction, (B, H)."""
        found = self.value_of(index)
        if self.given(index) and found is None:
            return self._state_of_graph(letter, self.given(index))
        rows = np.zeros((1, self.units), np.float32)
        if found is not None:
            rows = np.asarray(found[:, self.direction] if self.layout else found[self.direction])
        if rows.shape[-1] != self.units:
            self.fault(
                f"its initial {letter} is for {rows.shape[-1]} units, not {self.units}",
                "give a state of (directions, batch, units)",
            )
        if (rows != rows[:1]).any():
            self.fault(
                f"the initial {letter} differs from sequence to sequence of a batch",
                "give all sequences the same initial state, or make it an input of the graph",
            )
        row = self.constant(f"{letter}_row", rows[:1].astype(np.float32))
        return self.add("Expand", [row, self._state_shape()], f"{letter}_first")

    def _state_of_graph(self, letter: str, name: str) -> str:
        """An initial state that is given to the graph, or made by it: that of this direction."""
        axis = 1 if self.layout else 0
        found = state_of(self.graph, name, self.direction, axis)
        if found.index is None:
            return self.add("Identity", [found.name], f"{letter}_first")
        which = self.constant(f"{letter}_which", np.array(found.index, np.int64))
        return self.add("Gather", [found.name, which], f"{letter}_first", axis=axis)

    def _state_shape(self) -> str:
        shape = self.at("state_shape")
        if not any(shape in node.output for node in self.before):
            whole = self.add("Shape", [self.node.input[0]], "x_shape")
            index = self.constant("batch_axis", np.array([0 if self.layout else 1], np.int64))
            batch = self.add("Gather", [whole, index], "batch", axis=0)
            units = self.constant("units", np.array([self.units], np.int64))
            self.add("Concat", [batch, units], "state_shape", axis=0)
        return shape

    def cut(self, index: int, start: int, label: str, *, matrix: bool) -> str:
        """H rows of W, R, B or P of this direction, from row `start`; a matrix is turned."""
        found = self.value_of(index)
        stop = start + self.units
        if found is not None:
            part = np.asarray(found[self.direction][start:stop], np.float32)
            if part.shape[0] != self.units:
                hint = "export it again; its weights are those of another size"
                self.fault(f"its input {index} is too small for {self.units} units", hint)
            return self.constant(label, np.ascontiguousarray(part.T if matrix else part))
        gate = self._part(self.given(index), start // self.units)
        if gate:
            return self.add("Transpose", [gate], label, perm=[1, 0]) if matrix else gate
        which = self.constant("direction", np.array(self.direction, np.int64))
        whole = self._once("Gather", [self.given(index), which], f"input_{index}", axis=0)
        ends = {"from": start, "to": stop, "axis": 0}
        slots = [self.constant(f"{label}/{k}", np.array([v], np.int64)) for k, v in ends.items()]
        rows = self.add("Slice", [whole, *slots], f"{label}_rows" if matrix else label)
        return self.add("Transpose", [rows], label, perm=[1, 0]) if matrix else rows

    def _part(self, name: str, which: int) -> str:
        """The tensor of one gate, if the file stacks those of all gates with a Concat."""
        made = self.producers.get(name)
        if made is not None and made.op_type == "Concat" and axis_of(made) == 0:
            made = self.producers.get(made.input[self.direction])
        if made is None or made.op_type != "Unsqueeze":
            return ""
        stack = self.producers.get(made.input[0])
        size = len(self.kind.gates)
        whole = stack is not None and stack.op_type == "Concat" and axis_of(stack) == 0
        if stack is None or not whole or len(stack.input) not in (size, 2 * size):
            return ""
        return str(stack.input[which])

    def _once(self, op: str, inputs: Sequence[str], label: str, **attributes: Attribute) -> str:
        made = any(self.at(label) in node.output for node in self.before)
        return self.at(label) if made else self.add(op, inputs, label, **attributes)

    def _body(self) -> GraphProto:
        """One time step: the states and x_t -> the next states and y_t."""
        inputs = [self._port(label) for label in (*self.kind.states, "x_t")]
        self.step()
        self.do("Identity", [self.at("h_next")], "y_t")
        outputs = [self._port(label) for label in (*(f"{s}_next" for s in self.kind.states), "y_t")]
        constants = list(self.body_constants.values())
        return helper.make_graph(self.body, f"{self.name}/step", inputs, outputs, constants)

    def _port(self, label: str) -> ValueInfoProto:
        return helper.make_tensor_value_info(self.at(label), TensorProto.FLOAT, None)

    def do(self, op: str, inputs: Sequence[str], label: str, **attributes: float) -> str:
        """Append a node to the body; its name is its output's."""
        node = helper.make_node(op, list(inputs), [self.at(label)], name=self.at(label))
        node.attribute.extend(helper.make_attribute(key, val) for key, val in attributes.items())
        self.body.append(node)
        return self.at(label)

    def inner(self, label: str, value: np.ndarray | float) -> str:
        """A constant of the body."""
        name = self.at(label)
        self.body_constants[name] = numpy_helper.from_array(np.asarray(value, np.float32), name)
        return name

    def product(self, gate: str, source: str, *, hidden: bool) -> str:
        """W of a gate times x_t, or R of a gate times a state."""
        letter = "h" if hidden else "x"
        start = self.kind.gates.index(gate) * self.units
        weight = self.cut(1 + hidden, start, f"{gate}_gate/w_{letter}", matrix=True)
        return self.do("MatMul", [source, weight], f"{gate}_gate/{letter}_part")

    def biases(self, gate: str, sides: Sequence[bool]) -> list[str]:
        """The biases of a gate beside W (False) or R (True); constants as one, zeros as none."""
        if not self.given(3):
            return []
        size, at = len(self.kind.gates), self.kind.gates.index(gate)
        starts = [(at + size * hidden) * self.units for hidden in sides]
        found = self.value_of(3)
        if found is None:
            names = [f"{gate}_gate/b_{'h' if hidden else 'x'}" for hidden in sides]
            return [
                self.cut(3, s, label, matrix=False) for s, label in zip(starts, names, strict=True)
            ]
        parts = [found[self.direction][s : s + self.units].astype(np.float64) for s in starts]
        total = np.sum(parts, axis=0)
        end = "b_h" if list(sides) == [True] else "bias"
        return [self.inner(f"{gate}_gate/{end}", total)] if total.any() else []

    def summed(self, parts: Sequence[str], label: str) -> str:
        """The sum of some values, from the left."""
        total = parts[0]
        for k, part in enumerate(parts[1:], 2):
            end = label if k == len(parts) else f"{label}_{k}"
            total = self.do("Add", [total, part], end)
        return total

    def accumulated(self, gate: str, hidden: str, *extra: str) -> str:
        """W x + R hidden + bias of a gate, and whatever else."""
        parts = [
            self.product(gate, self.at("x_t"), hidden=False),
            self.product(gate, hidden, hidden=True),
            *extra,
            *self.biases(gate, (False, True)),
        ]
        return self.summed(parts, f"{gate}_gate/acc")

    def act(self, function: Activation, value: str, label: str) -> str:
        """The activation of a value."""
        alpha, beta = function.alpha or 0.0, function.beta or 0.0
        match function.name:
            case "Affine":
                scaled = self.do("Mul", [value, self.inner(f"{label}/alpha", alpha)], f"{label}/ax")
                return self.do("Add", [scaled, self.inner(f"{label}/beta", beta)], label)
            case "ScaledTanh":
                inside = self.do("Mul", [value, self.inner(f"{label}/beta", beta)], f"{label}/bx")
                tanh = self.do("Tanh", [inside], f"{label}/tanh")
                return self.do("Mul", [tanh, self.inner(f"{label}/alpha", alpha)], label)
        known = {"alpha": function.alpha, "beta": function.beta}
        used = {key: number for key, number in known.items() if number is not None}
        return self.do(function.name, [value], label, **used)


def int_attribute(node: NodeProto, name: str, default: int) -> int:
    """An integer attribute."""
    found = next((a for a in node.attribute if a.name == name), None)
    return default if found is None else int(found.i)


def axis_of(node: NodeProto) -> int:
    """The axis of a Concat."""
    return int_attribute(node, "axis", 0)


def refuse(node: NodeProto, fact: str, hint: str = "") -> NoReturn:
    """Refuse a standard node by name."""
    name = shorten(node.name or next((o for o in node.output if o), node.op_type), 48)
    raise ImportFault(f'node "{name}" ({node.op_type})', fact, hint)


def directions(node: NodeProto) -> list[bool]:
    """For each direction of a node, whether it is the reverse one."""
    found = next((a.s.decode() for a in node.attribute if a.name == "direction"), "forward")
    known = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    if found.lower() not in known:
        refuse(
            node, f"has the unknown direction {shorten(found, 24)!r}", f"known: {', '.join(known)}"
        )
    return known[found.lower()]


def functions_of(node: NodeProto, kind: StandardKind, count: int) -> list[list[Activation]]:
    """The activations of each direction."""
    lists = {a.name: a for a in node.attribute}
    names = list(kind.functions) * count
    if "activations" in lists and lists["activations"].strings:
        names = [entry.decode() for entry in lists["activations"].strings]
    if len(names) != count * len(kind.functions):
        fact = f"names {len(names)} activations, not {count * len(kind.functions)}"
        refuse(node, fact, "name one for each gate and direction, or none")
    numbers = [
        list(lists[key].floats) if key in lists else []
        for key in ("activation_alpha", "activation_beta")
    ]
    try:
        found = activations(names, numbers[0], numbers[1])
    except KeyError as fault:
        known = ", ".join(a.name for a in KNOWN.values())
        refuse(node, f"has the unknown activation {fault}", f"known: {known}")
    size = len(kind.functions)
    return [found[k * size : (k + 1) * size] for k in range(count)]


def check_standard(node: NodeProto) -> None:
    """Refuse what has no form here."""
    if any(a.name == "clip" for a in node.attribute):
        refuse(
            node,
            "has clip set, which cuts every gate's sum",
            "export it without clip: the quantiser of each sum clips it anyway",
        )
