# SPDX-License-Identifier: Apache-2.0
"""Constants that a file moves about before they are used: parts of weights, stacked gates.

Quantised constants keep their integers; their scales move with them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from hwrnn.frontend.constants import FloatConst, QuantConst
from hwrnn.frontend.walker import Handler, Walker, attributes, int_attribute

Array = NDArray[np.generic]
Move = Callable[[Walker, NodeProto, list[Array]], Array]


def constant_or(handler: Handler) -> Handler:
    """A handler of activations that moves constants, too."""

    def visit(w: Walker, node: NodeProto) -> None:
        count = len(node.input) if node.op_type == "Concat" else 1
        found = [w.find(name) for name in node.input[:count]]
        if found and all(isinstance(c, QuantConst) for c in found):
            parts = [c for c in found if isinstance(c, QuantConst)]
            q = moved(w, node, [c.q for c in parts])
            scale = moved(w, node, [np.broadcast_to(c.scale, c.q.shape) for c in parts])
            t = parts[0].type
            for c in parts:
                t = t.hull(c.type)
            w.symbols[node.output[0]] = QuantConst(q.astype(np.int64), scale.astype(float), t)
        elif found and all(isinstance(c, FloatConst) for c in found):
            arrays = [c.array for c in found if isinstance(c, FloatConst)]
            w.symbols[node.output[0]] = FloatConst(moved(w, node, list(arrays)).astype(float))
        else:
            handler(w, node)

    return visit


def moved(w: Walker, node: NodeProto, parts: list[Array]) -> Array:
    """What the node makes of some arrays."""
    return MOVES[node.op_type](w, node, parts)


def concat(_: Walker, node: NodeProto, parts: list[Array]) -> Array:
    """Constants one after the other."""
    return np.concatenate(parts, axis=int_attribute(node, "axis", 0))


def unsqueeze(w: Walker, node: NodeProto, parts: list[Array]) -> Array:
    """Axes of one more."""
    return np.expand_dims(parts[0], tuple(axes_of(w, node)))


def squeeze(w: Walker, node: NodeProto, parts: list[Array]) -> Array:
    """Axes of one less."""
    axes = tuple(axes_of(w, node))
    return np.squeeze(parts[0], axes or None)


def axes_of(w: Walker, node: NodeProto) -> list[int]:
    """The `axes` of a node, as an input or an attribute."""
    if len(node.input) > 1 and node.input[1]:
        return w.integers(node, 1)
    found = attributes(node).get("axes", [])
    return [int(a) for a in found] if isinstance(found, list) else []


def gather(w: Walker, node: NodeProto, parts: list[Array]) -> Array:
    """Some indices of an axis."""
    index = w.floats(node, 1).astype(np.int64)
    return np.take(parts[0], index, axis=int_attribute(node, "axis", 0))


def slice_part(w: Walker, node: NodeProto, parts: list[Array]) -> Array:
    """A part of each axis; steps may go backwards."""
    starts, ends = w.integers(node, 1), w.integers(node, 2)
    axes = w.integers(node, 3) if len(node.input) > 3 else list(range(len(starts)))
    steps = w.integers(node, 4) if len(node.input) > 4 else [1] * len(starts)
    cut: list[slice] = [slice(None)] * parts[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        below = step < 0 and end < -parts[0].shape[axis]
        cut[axis] = slice(start, None if below else end, step)
    return parts[0][tuple(cut)]


def reshape(w: Walker, node: NodeProto, parts: list[Array]) -> Array:
    """Another shape; a 0 keeps a dimension."""
    shape = w.integers(node, 1)
    kept = [parts[0].shape[k] if n == 0 else n for k, n in enumerate(shape)]
    return parts[0].reshape(kept)


MOVES: dict[str, Move] = {
    "Concat": concat,
    "Gather": gather,
    "Reshape": reshape,
    "Slice": slice_part,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
}
