# SPDX-License-Identifier: Apache-2.0
"""The integer graph, op by op, in int64: slow, plain, and with every internal value to look at.

Arrays are (steps, batch, elements) for a sequence and (batch, elements) for a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwrnn.ir import (
    Add,
    AnyOp,
    ArgMax,
    Concat,
    Const,
    Embed,
    Flatten,
    Graph,
    How,
    Input,
    IntType,
    Lut,
    MatVec,
    Max,
    Mul,
    Output,
    Pool,
    Reduce,
    Repeat,
    Requant,
    Reverse,
    ScaleShift,
    Scan,
    Select,
    Slice,
    Step,
    Sub,
    Thresholds,
    Ties,
    Window,
)
from hwrnn.ir.requant import Realisation

Ints = NDArray[np.int64]
Values = dict[str, Ints]


def run_plain(g: Graph, inputs: Mapping[str, Ints]) -> Values:
    """Every value of the graph, Scan bodies included (those as sequences), by name."""
    values: Values = dict(inputs)
    types = {name: v.type for name, v in g.scope().items()}
    for op in g.ops:
        if isinstance(op, Scan):
            values |= run_scan(op, values)
        elif isinstance(op, Const):
            values[op.out.name] = constant(op, values[g.inputs[0].out.name])
        elif not isinstance(op, Input):
            values[op.out.name] = evaluate(op, values, types)
    return values


def constant(op: Const, x: Ints) -> Ints:
    """A constant outside of a Scan, in the batch and steps of the input x."""
    steps = x.shape[:1] if op.out.sequence else ()
    return np.broadcast_to(np.array(op.values, dtype=np.int64), (*steps, x.shape[-2], op.out.size))


def run_scan(op: Scan, values: Mapping[str, Ints]) -> Values:
    """All values of the body at every step, and the outputs of the Scan."""
    steps, batch = values[op.xs[0]].shape[:2]
    types = {name: v.type for name, v in op.body.scope().items()}
    state = {
        s.value.name: tiled(s.initial, batch) if s.start is None else values[s.start]
        for s in op.body.states
    }
    history: dict[str, list[Ints]] = {name: [] for name in types}
    for t in range(steps):
        scope = dict(state)
        for port, x in zip(op.body.inputs, op.xs, strict=True):
            scope[port.name] = values[x][t]
        for inner in op.body.ops:
            scope[inner.out.name] = evaluate(inner, scope, types, batch)
        for name, value in scope.items():
            history[name].append(value)
        state = {s.value.name: scope[s.next] for s in op.body.states}
    made = {name: np.stack(found) for name, found in history.items()}
    return made | {o.out.name: made[o.body_value] for o in op.outs}


def tiled(values: tuple[int, ...], batch: int) -> Ints:
    """The same vector for every sequence of the batch."""
    return np.tile(np.array(values, dtype=np.int64), (batch, 1))


def evaluate(
    op: AnyOp, scope: Mapping[str, Ints], types: Mapping[str, IntType], batch: int = 1
) -> Ints:
    """The value of one op."""
    if isinstance(op, Const):
        return tiled(op.values, batch)
    if isinstance(op, Lut):
        return np.array(op.table, dtype=np.int64)[scope[op.x] - types[op.x].lo]
    return RULES[type(op)](op, *(scope[name] for name in op.operands()))


def requantise(r: Realisation, x: Ints, out: IntType) -> Ints:
    """A realised requantiser on integers; the last axis is the channel."""
    if isinstance(r, Thresholds):
        return out.lo + count_reached(r.table.array, x)
    total = scaled_sum(r, x)
    y = total >> r.shift
    if r.ties is Ties.EVEN and r.shift:
        tie = (total & ((1 << r.shift) - 1)) == 0
        y = np.where(tie, y & ~1, y)
    clamped: Ints = np.clip(y, out.lo, out.hi).astype(np.int64)
    return clamped


def scaled_sum(r: ScaleShift, x: Ints) -> NDArray[Any]:
    """The sum mul * x + add; in Python integers where 64 bits may not hold it."""
    limit = max(abs(int(x.min(initial=0))), abs(int(x.max(initial=0)))) + 1
    wide = limit * max(r.mul) + max(map(abs, r.add)) >= 2**63
    kind = object if wide else np.int64
    mul, add = np.array(r.mul, dtype=kind), np.array(r.add, dtype=kind)
    total: NDArray[Any] = x.astype(kind) * mul + add
    return total


def count_reached(table: Ints, x: Ints) -> Ints:
    """How many thresholds of its channel each element has reached."""
    if len(table) == 1:
        return np.searchsorted(table[0], x, side="right").astype(np.int64)
    return np.stack(
        [np.searchsorted(row, x[..., c], side="right") for c, row in enumerate(table)], axis=-1
    ).astype(np.int64)


def _requant(op: Requant, x: Ints) -> Ints:
    assert op.realised is not None, "realise_requants runs before any engine"
    return requantise(op.realised, x, op.out.type)


def _flatten(_: Flatten, x: Ints) -> Ints:
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


def windows(op: Window | Pool, x: Ints) -> Ints:
    """Every window of a sequence, (windows, size, batch, elements)."""
    fill = [(op.before, op.after), (0, 0), (0, 0)]
    padded = np.pad(x, fill, constant_values=op.fill)
    seen = np.lib.stride_tricks.sliding_window_view(padded, op.size, axis=0)
    return np.moveaxis(seen[:: op.stride], -1, 1)


def _window(op: Window, x: Ints) -> Ints:
    found = np.moveaxis(windows(op, x), 1, 2)
    return found.reshape(*found.shape[:2], -1)


def _arg_max(op: ArgMax, x: Ints) -> Ints:
    """In Python integers: the common unit of the reals may be small."""
    mul, add = (np.array(v, dtype=object) for v in op.weights(x.shape[-1]))
    found: Ints = np.argmax(x.astype(object) * mul + add, axis=-1, keepdims=True)
    return found.astype(np.int64)


def _repeat(op: Repeat, x: Ints) -> Ints:
    return np.broadcast_to(x, (op.steps, *x.shape))


JOIN: dict[How, Callable[..., Ints]] = {How.SUM: np.sum, How.MAX: np.max}

RULES: dict[type, Callable[..., Ints]] = {
    Add: lambda _, a, b: a + b,
    ArgMax: _arg_max,
    Concat: lambda _, *xs: np.concatenate(xs, axis=-1),
    Embed: lambda op, x: op.table.array[x[..., 0]],
    Flatten: _flatten,
    MatVec: lambda op, x: x @ op.weights.array.T,
    Max: lambda _, a, b: np.maximum(a, b),
    Mul: lambda _, a, b: a * b,
    Output: lambda _, x: x,
    Pool: lambda op, x: JOIN[op.how](windows(op, x), axis=1),
    Reduce: lambda op, x: JOIN[op.how](x, axis=0),
    Repeat: _repeat,
    Requant: _requant,
    Reverse: lambda _, x: x[::-1],
    Select: lambda op, x: x[-1] if op.step is Step.LAST else x[0],
    Slice: lambda op, x: x[..., op.start : op.start + op.out.size],
    Sub: lambda _, a, b: a - b,
    Window: _window,
}
