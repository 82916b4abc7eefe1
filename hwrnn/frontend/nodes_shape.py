# SPDX-License-Identifier: Apache-2.0
"""Axes: what only moves, selects or joins elements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import GraphProto, NodeProto, numpy_helper

from hwrnn.frontend.constants import FloatConst, QuantConst
from hwrnn.frontend.symbols import RawInput, RawState, Real, ShapeOf, Stacked, merged, spread
from hwrnn.frontend.walker import Walker, attributes, int_attribute
from hwrnn.ir import Concat, Reverse, Select, Step


def identity(w: Walker, node: NodeProto) -> None:
    """Identity, Dropout, Cast: the same tensor."""
    w.symbols[node.output[0]] = w.symbol(node, 0)


def shape_arithmetic(w: Walker, node: NodeProto) -> None:
    """Anything computed from shapes; an Expand of a constant to such a shape is the constant."""
    first = w.symbol(node, 0)
    if node.op_type == "Expand" and isinstance(first, FloatConst | QuantConst):
        w.symbols[node.output[0]] = first
    elif node.op_type == "Reshape" and isinstance(first, Real | Stacked):
        w.handlers["Reshape"](w, node)
    elif node.op_type == "If":
        conditional(w, node)
    else:
        w.symbols[node.output[0]] = ShapeOf()


def conditional(w: Walker, node: NodeProto) -> None:
    """If an axis is of length one, squeeze it: what an exporter writes for `squeeze`."""
    branch = attributes(node).get("then_branch")
    assert isinstance(branch, GraphProto)
    if [n.op_type for n in branch.node if n.op_type != "Constant"] != ["Squeeze"]:
        w.fault_at(node, "decides by a shape what is computed", "select with an index")
    inner = Walker(w.file, w.namer, w.handlers, w.hints, outer=w)
    inner.read_constants(branch)
    for inside in branch.node:
        if inside.op_type == "Constant":
            value = numpy_helper.to_array(inside.attribute[0].t).astype(np.float64)
            inner.symbols[inside.output[0]] = FloatConst(value)
        else:
            inner.symbols = w.symbols | inner.symbols  # a branch sees what is outside of it
            inner.visit(inside)
    w.symbols[node.output[0]] = inner.symbols[branch.output[0].name]


def shape_of(w: Walker, node: NodeProto) -> None:
    """Shape."""
    w.symbols[node.output[0]] = ShapeOf()


def transpose(w: Walker, node: NodeProto) -> None:
    """Transpose: of a constant, or a new order of the axes."""
    x = w.symbol(node, 0)
    found = attributes(node).get("perm")
    perm = [int(p) for p in found] if isinstance(found, list) else None
    if isinstance(x, FloatConst):
        w.symbols[node.output[0]] = FloatConst(np.transpose(x.array, perm))
    elif isinstance(x, QuantConst):
        scale = np.broadcast_to(x.scale, x.q.shape)
        w.symbols[node.output[0]] = replace(
            x, q=np.transpose(x.q, perm), scale=np.transpose(scale, perm)
        )
    elif isinstance(x, RawInput | Real):
        order = perm or list(range(len(x.axes)))[::-1]
        w.symbols[node.output[0]] = replace(x, axes=tuple(x.axes[p] for p in order))
    else:
        w.symbols[node.output[0]] = ShapeOf()


def squeeze(w: Walker, node: NodeProto) -> None:
    """Squeeze: drops axes of length one."""
    state = w.symbol(node, 0)
    if isinstance(state, RawState) and len(state.states) == 1:
        w.symbols[node.output[0]] = replace(state, axes=("B", "F"))
        return
    x = w.real(node, 0)
    rank = len(x.axes)
    drop = axes_argument(w, node, rank) or [k for k, a in enumerate(x.axes) if a == "1"]
    if any(x.axes[k] != "1" for k in drop):
        w.fault_at(
            node, "squeezes an axis that is not of length one", "select one of its elements instead"
        )
    kept = tuple(a for k, a in enumerate(x.axes) if k not in drop)
    w.symbols[node.output[0]] = replace(x, axes=kept)


def unsqueeze(w: Walker, node: NodeProto) -> None:
    """Unsqueeze: adds axes of length one."""
    x = w.real(node, 0)
    axes = list(x.axes)
    for k in sorted(axes_argument(w, node, len(axes) + 1)):
        axes.insert(k, "1")
    w.symbols[node.output[0]] = replace(x, axes=tuple(axes))


def axes_argument(w: Walker, node: NodeProto, rank: int) -> list[int]:
    """The `axes` of a node, as an input or an attribute, counted from the front."""
    if len(node.input) > 1 and node.input[1]:
        axes = w.integers(node, 1)
    else:
        found = attributes(node).get("axes", [])
        axes = [int(a) for a in found] if isinstance(found, list) else []
    return [a % rank for a in axes]


def gather(w: Walker, node: NodeProto) -> None:
    """Gather: the first or the last step, or one of stacked states."""
    stack = w.symbol(node, 0)
    if isinstance(stack, RawState):
        index = w.floats(node, 1)
        axis = int_attribute(node, "axis", 0) % len(stack.axes)
        if stack.axes[axis] != "S" or index.ndim:
            w.fault_at(node, "gathers from initial states", "take one of them with an index")
        taken = stack.states[int(index)]
        w.symbols[node.output[0]] = RawState(stack.name, ("B", "F"), (taken,))
        return
    x = w.real(node, 0)
    axis = int_attribute(node, "axis", 0) % len(x.axes)
    index = w.floats(node, 1)
    if index.ndim > 1 or index.size != 1:
        w.fault_at(node, "gathers more than one index", "select one step, or keep all")
    kept = () if index.ndim == 0 else ("1",)
    axes = x.axes[:axis] + kept + x.axes[axis + 1 :]
    if x.axes[axis] == "1" and int(index.reshape(-1)[0]) in (0, -1):
        w.symbols[node.output[0]] = replace(x, axes=axes)
        return
    step(w, node, axis, int(index.reshape(-1)[0]), axes)


def step(w: Walker, node: NodeProto, axis: int, index: int, axes: tuple[str, ...]) -> None:
    """One step of a sequence: index 0 or -1, whatever the number of steps."""
    x = w.real(node, 0)
    if x.axes[axis] != "T":
        w.fault_at(node, f"selects along the {AXIS_NAMES[x.axes[axis]]}", "select a time step")
    if index not in (0, -1):
        w.fault_at(
            node,
            f"takes step {index}, which fixes the number of steps",
            "take the first step [0] or the last [-1]",
        )
    v = x.value
    out = w.value(node, v.type, v.size, False)
    op = Select(out=out, x=v.name, step=Step.LAST if index else Step.FIRST)
    w.emit(node, Real(out, axes, x.scale, x.offset), op)


AXIS_NAMES = {
    "B": "batch",
    "T": "steps",
    "F": "features",
    "TF": "flattened steps",
    "1": "axis",
    "S": "layers",
}


def slice_node(w: Walker, node: NodeProto) -> None:
    """Slice: time reversed, the first or last step kept as an axis of one, or everything."""
    x = w.symbol(node, 0)
    if not isinstance(x, Real | RawInput):
        w.fault_at(node, "slices a constant", "store the part that is needed as a constant")
    rank = len(x.axes)
    starts, ends = w.integers(node, 1), w.integers(node, 2)
    axes = w.integers(node, 3) if len(node.input) > 3 else list(range(len(starts)))
    steps = w.integers(node, 4) if len(node.input) > 4 else [1] * len(starts)
    moves = [
        m
        for m in zip(starts, ends, axes, steps, strict=True)
        if (m[0], m[3]) != (0, 1) or m[1] < BIG
    ]
    if not moves:
        w.symbols[node.output[0]] = x
        return
    (start, end, axis, stride), *more = moves
    where = axis % rank
    if more or x.axes[where] != "T":
        w.fault_at(node, "slices features or batch", "select a time step, or keep all")
    x = w.real(node, 0)
    if (start, stride) == (-1, -1) and end < -BIG:
        out = w.value(node, x.value.type, x.value.size, True)
        w.emit(node, replace(x, value=out), Reverse(out=out, x=x.value.name))
        return
    kept = (*x.axes[:where], "1", *x.axes[where + 1 :])
    if stride == 1 and start == -1 and end >= BIG:
        step(w, node, where, -1, kept)
    elif stride == 1 and (start, end) == (0, 1):
        step(w, node, where, 0, kept)
    else:
        w.fault_at(node, f"takes steps {start} to {end}", "take the first, the last or all steps")


BIG = 2**31 - 1


def flatten(w: Walker, node: NodeProto) -> None:
    """Flatten: steps and features of each sequence become one vector."""
    x = w.real(node, 0)
    axis = int_attribute(node, "axis", 1)
    if x.axes == ("B", "F") and axis in (1, -1):
        w.symbols[node.output[0]] = x
        return
    if x.axes != ("B", "T", "F") or axis != 1:
        w.fault_at(
            node,
            "flattens other axes than steps and features of each sequence",
            "flatten a batch-first sequence with flatten(1)",
        )
    w.symbols[node.output[0]] = replace(x, axes=("B", "TF"))


def reshape(w: Walker, node: NodeProto) -> None:
    """Reshape to (batch, everything else): a Flatten; anything else is refused."""
    x, target = w.real(node, 0), w.find(node.input[1])
    if merges_one(x, target):
        w.symbols[node.output[0]] = replace(x, axes=(*x.axes[:-2], "F"))
        return
    two = isinstance(target, ShapeOf)
    if isinstance(target, FloatConst) and target.array.size == 2:
        merges = x.axes == ("B", "T", "F") and int(target.array.reshape(-1)[1]) == x.value.size
        two = not merges  # (batch times steps, features) is no Flatten
    if two and x.axes == ("B", "T", "F"):
        w.symbols[node.output[0]] = replace(x, axes=("B", "TF"))
    elif two and x.axes == ("B", "F"):
        w.symbols[node.output[0]] = x
    else:
        w.fault_at(
            node,
            f"reshapes the axes {', '.join(AXIS_NAMES[a] for a in x.axes)}",
            "flatten a batch-first sequence with flatten(1)",
        )


def merges_one(x: Real, target: object) -> bool:
    """Whether a Reshape only drops an axis of one in front of the features."""
    if x.axes[-2:] != ("1", "F") or not isinstance(target, FloatConst):
        return False
    shape = target.array.reshape(-1).astype(int).tolist()
    return len(shape) == len(x.axes) - 1 and shape[-1] in (-1, x.value.size)


def concat(w: Walker, node: NodeProto) -> None:
    """Concat along the features: the two directions of a layer, or two branches."""
    found = [w.symbol(node, k) for k in range(len(node.input))]
    axis = int_attribute(node, "axis", 0)
    if all(isinstance(s, Stacked) and axis % len(s.parts[0].axes) == s.axis for s in found):
        stacks = [s for s in found if isinstance(s, Stacked)]
        parts = [p for s in stacks for p in s.parts]
        w.symbols[node.output[0]] = Stacked(tuple(parts), stacks[0].axis)
        return
    reals = [w.real(node, k) for k in range(len(node.input))]
    first = reals[0]
    axis %= len(first.axes)
    if first.axes[axis] == "1" and all(r.axes == first.axes for r in reals):
        w.symbols[node.output[0]] = Stacked(tuple(reals), axis)
        return
    if first.axes[axis] != "F" or any(r.axes != first.axes for r in reals):
        w.fault_at(
            node,
            f"concatenates along the {AXIS_NAMES[first.axes[axis]]}",
            "concatenate features; for the last states use the last step of the sequence",
        )
    size = sum(r.value.size for r in reals)
    t = first.value.type
    for r in reals:
        t = t.hull(r.value.type)
    out = w.value(node, t, size, first.value.sequence)
    scale = merged(tuple(s for r in reals for s in spread(r.scale, r.value.size)))
    offset = merged(tuple(o for r in reals for o in spread(r.offset, r.value.size)))
    op = Concat(out=out, xs=tuple(r.value.name for r in reals))
    w.emit(node, Real(out, first.axes, scale, offset), op)
