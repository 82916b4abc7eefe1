# SPDX-License-Identifier: Apache-2.0
"""Tensors side by side along an axis of their own: directions and layers of a recurrent layer.

They stay apart as long as possible, so that taking one of them costs nothing; features are only
joined where a Reshape merges that axis with them, or where the stack is an output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from onnx import NodeProto

from hwrnn.frontend.constants import FloatConst
from hwrnn.frontend.symbols import Real, Stacked, merged, spread
from hwrnn.frontend.walker import Handler, Walker, attributes, int_attribute
from hwrnn.ir import Concat


def stack_or(handler: Handler) -> Handler:
    """A handler of single tensors that works on stacks, too, part by part."""

    def visit(w: Walker, node: NodeProto) -> None:
        found = w.find(node.input[0]) if node.input else None
        if isinstance(found, Stacked):
            own = OWN.get(node.op_type, part_by_part(handler))
            own(w, node, found)
        else:
            handler(w, node)

    return visit


StackHandler = Callable[[Walker, NodeProto, Stacked], None]


def part_by_part(handler: Handler) -> StackHandler:
    """Do the same with each part; the axis of the stack stays where it is."""

    def visit(w: Walker, node: NodeProto, stack: Stacked) -> None:
        made = []
        for k, part in enumerate(stack.parts):
            copy = NodeProto.FromString(node.SerializeToString())
            copy.input[0] = f"{node.input[0]}/{k}"
            copy.output[0] = f"{node.output[0]}/{k}"
            w.symbols[copy.input[0]] = part
            handler(w, copy)
            found = w.symbols[copy.output[0]]
            if not isinstance(found, Real):
                w.fault_at(
                    node,
                    "does to stacked tensors what only single ones can take",
                    "take the parts apart first",
                )
            made.append(found)
        w.symbols[node.output[0]] = replace(stack, parts=tuple(made))

    return visit


def axes_of(stack: Stacked) -> tuple[str, ...]:
    """The axes of all parts; that of the stack is a 1."""
    return stack.parts[0].axes


def transpose(w: Walker, node: NodeProto, stack: Stacked) -> None:
    """Another order of the axes."""
    found = attributes(node).get("perm")
    rank = len(axes_of(stack))
    perm = [int(p) for p in found] if isinstance(found, list) else list(range(rank))[::-1]
    parts = tuple(replace(p, axes=tuple(p.axes[k] for k in perm)) for p in stack.parts)
    w.symbols[node.output[0]] = Stacked(parts, perm.index(stack.axis))


def gather(w: Walker, node: NodeProto, stack: Stacked) -> None:
    """One of the parts, or a step of each."""
    rank = len(axes_of(stack))
    axis = int_attribute(node, "axis", 0) % rank
    index = w.floats(node, 1)
    if axis != stack.axis:
        if index.ndim:
            w.fault_at(node, "gathers with a list from stacked tensors", "select with one index")
        part_by_part(w.handlers["Gather"])(w, node, stack)
        moved = stack.axis - (axis < stack.axis)
        made = w.symbols[node.output[0]]
        assert isinstance(made, Stacked)
        w.symbols[node.output[0]] = replace(made, axis=moved)
        return
    if index.ndim or not -len(stack.parts) <= int(index) < len(stack.parts):
        w.fault_at(node, "gathers from stacked tensors", "take one of them with an index")
    part = stack.parts[int(index)]
    axes = part.axes[: stack.axis] + part.axes[stack.axis + 1 :]
    w.symbols[node.output[0]] = replace(part, axes=axes)


def squeeze(w: Walker, node: NodeProto, stack: Stacked) -> None:
    """Axes of one may go, but not that of the stack."""
    axes = w.integers(node, 1) if len(node.input) > 1 else []
    drop = sorted(a % len(axes_of(stack)) for a in axes)
    if not drop or stack.axis in drop or any(axes_of(stack)[k] != "1" for k in drop):
        w.fault_at(node, f"squeezes an axis of {len(stack.parts)}", "take one part with an index")
    part_by_part(w.handlers["Squeeze"])(w, node, stack)
    made = w.symbols[node.output[0]]
    assert isinstance(made, Stacked)
    w.symbols[node.output[0]] = replace(made, axis=stack.axis - sum(k < stack.axis for k in drop))


def unsqueeze(w: Walker, node: NodeProto, stack: Stacked) -> None:
    """Another axis of one."""
    axes = w.integers(node, 1) if len(node.input) > 1 else []
    where = sorted(a % (len(axes_of(stack)) + len(axes)) for a in axes)
    part_by_part(w.handlers["Unsqueeze"])(w, node, stack)
    made = w.symbols[node.output[0]]
    assert isinstance(made, Stacked)
    axis = stack.axis
    for k in where:
        axis += k <= axis
    w.symbols[node.output[0]] = replace(made, axis=axis)


def reshape(w: Walker, node: NodeProto, stack: Stacked) -> None:
    """Merge the axis of the stack with the features behind it: they stand side by side then."""
    axes, target = axes_of(stack), w.find(node.input[1])
    shape = target.array.reshape(-1).astype(int).tolist() if isinstance(target, FloatConst) else []
    size = sum(p.value.size for p in stack.parts)
    ends = len(axes) > 1 and axes[-1] == "F" and stack.axis == len(axes) - 2
    ready = not shape or (len(shape) == len(axes) - 1 and shape[-1] in (-1, size))
    if not ends or not ready:
        w.fault_at(
            node,
            "reshapes stacked directions in another way than into the features",
            "merge the directions with the features: transpose, then reshape to (.., -1)",
        )
    w.symbols[node.output[0]] = side_by_side(w, node, stack)


def side_by_side(w: Walker, node: NodeProto, stack: Stacked) -> Real:
    """The features of all parts as one vector."""
    parts = stack.parts
    first = parts[0]
    size = sum(p.value.size for p in parts)
    t = first.value.type
    for p in parts:
        t = t.hull(p.value.type)
    out = w.value(node, t, size, first.value.sequence)
    scale = merged(tuple(s for p in parts for s in spread(p.scale, p.value.size)))
    offset = merged(tuple(o for p in parts for o in spread(p.offset, p.value.size)))
    axes = first.axes[: stack.axis] + first.axes[stack.axis + 1 :]
    w.ops.append(Concat(out=out, xs=tuple(p.value.name for p in parts)))
    return Real(out, axes, scale, offset)


def unchanged(w: Walker, node: NodeProto, stack: Stacked) -> None:
    """Identity, Dropout, Cast."""
    w.symbols[node.output[0]] = stack


OWN: dict[str, StackHandler] = {
    "Transpose": transpose,
    "Gather": gather,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Reshape": reshape,
    "Identity": unchanged,
    "Dropout": unchanged,
    "Cast": unchanged,
}
