# SPDX-License-Identifier: Apache-2.0
"""Scan: the recurrence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import GraphProto, NodeProto

from hwrnn.frontend.constants import FloatConst, QuantConst
from hwrnn.frontend.grids import Grids
from hwrnn.frontend.names import tensor_wish
from hwrnn.frontend.nodes_arithmetic import exact_constant
from hwrnn.frontend.nodes_shape import AXIS_NAMES
from hwrnn.frontend.symbols import Function, Real, spread
from hwrnn.frontend.walker import Walker, attributes, int_attribute, shown
from hwrnn.ir import Body, Scan, ScanOutput, Select, State, Step, Value


def scan(w: Walker, node: NodeProto) -> None:
    """Scan: its body is walked once; every state lives on the grid of its next value."""
    known = attributes(node)
    body = known["body"]
    assert isinstance(body, GraphProto)
    n_scan = int_attribute(node, "num_scan_inputs", 1)
    n_states = len(node.input) - n_scan
    check_scan(w, node, known)
    inner = Walker(w.file, w.namer, w.handlers, w.hints, outer=w)
    inner.read_constants(body)
    producers = {o: n for n in body.node for o in n.output}
    states = [state_port(inner, node, body, k, producers) for k in range(n_states)]
    xs = [scan_input(w, inner, node, body, n_states + k) for k in range(n_scan)]
    for inside in body.node:
        inner.visit(inside)
    made = [body_output(inner, node, body, k) for k in range(len(body.output))]
    finals = tuple(first_state(w, node, k, s, made[k]) for k, s in enumerate(states))
    outs = scan_outputs(w, node, made, n_states, xs[0].axes)
    ports = tuple(
        inner_port.value
        for inner_port in (inner.symbols[p.name] for p in body.input[n_states:])
        if isinstance(inner_port, Real)
    )
    w.ops.append(
        Scan(
            xs=tuple(x.value.name for x in xs),
            body=Body(inputs=ports, states=finals, ops=tuple(inner.ops)),
            outs=tuple(o for o, _ in outs),
        )
    )
    final_states(w, node, made, outs, n_states)


def check_scan(w: Walker, node: NodeProto, known: dict[str, object]) -> None:
    """Only the plain form: axis 0, forwards. Reversal is a Slice around it."""
    for key, value in known.items():
        if key not in ("body", "num_scan_inputs") and isinstance(value, list) and any(value):
            w.fault_at(node, f"has {key} set", "scan axis 0 forwards; reverse with a Slice")


def state_port(
    inner: Walker, node: NodeProto, body: GraphProto, k: int, producers: dict[str, NodeProto]
) -> Real:
    """A state as the body reads it: on the grid of the Quant that makes its next value."""
    grid = Grids(inner, producers).of(body.output[k].name)
    if grid is None:
        inner.fault_at(
            node,
            f'its state "{shown(body.input[k].name)}" is not quantised',
            "give the cell a quantiser for that state",
        )
    size = state_size(inner, node, k)
    wish = tensor_wish(body.input[k].name, "state")
    v = Value(name=inner.namer.fresh(wish), type=grid.type, size=size)
    real = Real(v, step_axes(inner, node), grid.scale, grid.offset)
    inner.symbols[body.input[k].name] = real
    return real


def step_axes(inner: Walker, node: NodeProto) -> tuple[str, ...]:
    """The axes of one step of what is scanned: those of the sequence without the first."""
    assert inner.outer is not None
    return inner.outer.real(node, len(node.input) - 1).axes[1:]


def state_size(inner: Walker, node: NodeProto, k: int) -> int:
    """Elements of a state, from its initial value."""
    assert inner.outer is not None
    start = inner.outer.symbol(node, k)
    if isinstance(start, Real) and not start.value.sequence:
        return start.value.size
    if not isinstance(start, FloatConst | QuantConst):
        inner.fault_at(
            node,
            f"its initial state {k} is neither a constant nor quantised",
            "quantise it, or leave the initial states out; they are then zero",
        )
    array = start.array if isinstance(start, FloatConst) else start.q
    return int(np.prod(array.shape[-2:] if column(inner, node) else array.shape[-1:], dtype=int))


def column(inner: Walker, node: NodeProto) -> bool:
    """Whether vectors stand upright: (features, 1)."""
    return step_axes(inner, node) == ("F", "1")


def first_state(w: Walker, node: NodeProto, k: int, state: Real, after: Real) -> State:
    """State k with what it starts as: integers, or a vector that the graph is given or makes."""
    start, v = w.symbol(node, k), state.value
    same = (after.scale, after.offset) == (state.scale, state.offset)
    if not same or not v.type.covers(after.value.type):
        w.fault_at(node, f"its state {k} changes its grid from step to step", "quantise it")
    if not isinstance(start, Real):
        return State(value=v, initial=initial_state(w, node, k, state), next=after.value.name)
    if (start.scale, start.offset) != (state.scale, state.offset):
        w.fault_at(
            node,
            f"its initial state {k} is on another grid than the state",
            "quantise it with the quantiser of the state",
        )
    if not v.type.covers(start.value.type) or start.axes[-2:] not in STEPS:
        w.fault_at(
            node,
            f"its initial state {k} does not fit the state",
            "quantise it with the quantiser of the state",
        )
    zero = (v.type.clamp(0),) * v.size
    return State(value=v, initial=zero, next=after.value.name, start=start.value.name)


def initial_state(w: Walker, node: NodeProto, k: int, state: Real) -> tuple[int, ...]:
    """The initial value on the state's grid; it has to lie on it exactly."""
    size = state.value.size
    real = exact_constant(w, node, w.symbol(node, k), size)
    grid = zip(spread(state.scale, size), spread(state.offset, size), strict=True)
    q = [(v - o) / s for v, (s, o) in zip(spread(real, size), grid, strict=True)]
    t = state.value.type
    if any(v.denominator != 1 or not t.lo <= v <= t.hi for v in q):
        w.fault_at(
            node,
            f"its initial state {k} is not a number of the state's quantiser",
            "start with what that quantiser gives back as it is, 0 for example",
        )
    return tuple(int(v) for v in q)


def scan_input(w: Walker, inner: Walker, node: NodeProto, body: GraphProto, k: int) -> Real:
    """A scanned sequence, and the port by which the body reads a step of it."""
    x = w.real(node, k)
    if x.axes[:1] != ("T",) or x.axes[1:] not in STEPS:
        w.fault_at(
            node,
            f"scans the axes {', '.join(AXIS_NAMES[a] for a in x.axes)}",
            "scan (steps, batch, features), steps first",
        )
    port = body.input[k].name
    v = replace(x.value, name=w.namer.fresh(tensor_wish(port, "x")), sequence=False)
    inner.symbols[port] = replace(x, value=v, axes=x.axes[1:])
    return x


STEPS = (("B", "F"), ("F",), (), ("F", "1"))
"""The axes that a step may have: of a batch, of one sequence, of single numbers, of columns."""


def body_output(inner: Walker, node: NodeProto, body: GraphProto, k: int) -> Real:
    """What the body makes at output k."""
    found = inner.find(body.output[k].name)
    if isinstance(found, Real) and found.function is Function.RELU:
        found = inner.settled(found)
        inner.symbols[body.output[k].name] = found
    if not isinstance(found, Real) or found.function is not None:
        inner.fault_at(
            node,
            f'its body output "{shown(body.output[k].name)}" is not quantised',
            "put a quantiser behind it",
        )
    return found


Outs = list[tuple[ScanOutput, Real]]


def scan_outputs(
    w: Walker, node: NodeProto, made: list[Real], n_states: int, axes: tuple[str, ...]
) -> Outs:
    """A sequence for each scan output, and for each final state that has none yet."""
    outs: Outs = []
    for k, real in enumerate(made[n_states:]):
        name = node.output[n_states + k]
        outs.append(scan_output(w, tensor_wish(name, "Scan"), real, axes))
        w.symbols[name] = outs[-1][1]
    for k, real in enumerate(made[:n_states]):
        if node.output[k] and all(o.body_value != real.value.name for o, _ in outs):
            outs.append(scan_output(w, tensor_wish(node.output[k], "Scan"), real, axes))
    return outs


def scan_output(w: Walker, wish: str, real: Real, axes: tuple[str, ...]) -> tuple[ScanOutput, Real]:
    """The sequence of a body value."""
    v = replace(real.value, name=w.namer.fresh(wish), sequence=True)
    return ScanOutput(out=v, body_value=real.value.name), replace(real, value=v, axes=axes)


def final_states(w: Walker, node: NodeProto, made: list[Real], outs: Outs, n_states: int) -> None:
    """A final state is the last step of its sequence."""
    for k in range(n_states):
        if not node.output[k]:
            continue
        sequence = next(r for o, r in outs if o.body_value == made[k].value.name)
        v = replace(
            sequence.value, name=w.namer.fresh(f"{sequence.value.name}_last"), sequence=False
        )
        w.ops.append(Select(out=v, x=sequence.value.name, step=Step.LAST))
        w.symbols[node.output[k]] = replace(sequence, value=v, axes=sequence.axes[1:])
