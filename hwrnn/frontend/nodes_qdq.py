# SPDX-License-Identifier: Apache-2.0
"""QuantizeLinear, Clip, DequantizeLinear: the quantisers of ONNX itself.

QuantizeLinear(x) = clamp(round_half_even(x / s) + z) to the zero point's type, which a Clip may
narrow; DequantizeLinear(q) = (q - z) * s. The integers kept here are q - z: rounding comes before
the zero point, so that a zero point only moves the range. A DequantizeLinear with another scale
or zero point than the QuantizeLinear before it stretches and shifts the grid, exactly.
https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from onnx import NodeProto

from hwrnn.frontend.constants import FloatConst, QuantConst, quantise_constant, rationals
from hwrnn.frontend.nodes_quant import apply_quantiser
from hwrnn.frontend.symbols import Levels, RawInput, Real
from hwrnn.frontend.walker import Walker, int_attribute
from hwrnn.ir import IntType, Quantiser, Rationals, Rounding
from hwrnn.ir.exact import Floats

DEFAULT_TYPE = "uint8"
RANGES = {
    "int8": IntType(-128, 127),
    "uint8": IntType(0, 255),
    "int16": IntType(-32768, 32767),
    "uint16": IntType(0, 65535),
    "int32": IntType(-(2**31), 2**31 - 1),
    "int4": IntType(-8, 7),
    "uint4": IntType(0, 15),
    "int2": IntType(-2, 1),
    "uint2": IntType(0, 3),
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """Scale and zero point of a node, shaped to broadcast along its axis; the range of its type."""

    scale: Floats
    zero: Floats
    type: IntType


def parameters(w: Walker, node: NodeProto, rank: int) -> Parameters:
    """The numbers of a QuantizeLinear or DequantizeLinear."""
    scale = w.floats(node, 1)
    if np.any(~np.isfinite(scale) | (scale <= 0)):
        w.fault_at(node, "has a scale that is not positive", "calibrate again")
    if int_attribute(node, "block_size", 0):
        w.fault_at(node, "has a scale for each block", "use one scale, or one for each output")
    given = len(node.input) > 2 and bool(node.input[2])
    zero = w.floats(node, 2) if given else np.zeros_like(scale)
    kind = kind_of(w, node, 2) if given else DEFAULT_TYPE
    if kind not in RANGES:
        w.fault_at(node, f"quantises to {kind}, which is no integer type", "use int8 or uint8")
    if scale.ndim == 1 and scale.size > 1:
        axis = int_attribute(node, "axis", 1) % rank
        shape = [-1 if k == axis else 1 for k in range(rank)]
        scale, zero = scale.reshape(shape), np.broadcast_to(zero, scale.shape).reshape(shape)
    return Parameters(scale, zero, RANGES[kind])


def kind_of(w: Walker, node: NodeProto, index: int) -> str:
    """The type of a constant input, as numpy calls it."""
    found = w.symbol(node, index)
    return found.kind if isinstance(found, FloatConst) else ""


def quantize_linear(w: Walker, node: NodeProto) -> None:
    """The integers wait for the Clip and the DequantizeLinear behind them."""
    x = w.symbol(node, 0)
    if isinstance(x, FloatConst):
        p = parameters(w, node, max(x.array.ndim, 1))
        made = quantise_constant(x.array, p.scale, np.zeros(1), moved(p), Rounding.HALF_EVEN)
        w.symbols[node.output[0]] = FloatConst((made.q + p.zero).astype(np.float64))
        return
    if not isinstance(x, Real | RawInput):
        w.fault_at(node, "quantises what is no activation", "quantise an input or an activation")
    p = parameters(w, node, max(len(x.axes), 1))
    if p.scale.size != 1:
        w.fault_at(node, "has a scale for each channel of an activation", "use one scale")
    zero = int(p.zero.reshape(-1)[0])
    w.symbols[node.output[0]] = Levels(x, rationals(p.scale)[0], zero, p.type)


def moved(p: Parameters) -> IntType:
    """The range without the zero point, for constants of one zero point; else the hull."""
    return IntType(p.type.lo - int(p.zero.max()), p.type.hi - int(p.zero.min()))


def clip_ends(w: Walker, node: NodeProto) -> tuple[float | None, float | None]:
    """Least and greatest of a Clip; None where it has none."""
    given = [len(node.input) > k and bool(node.input[k]) for k in (1, 2)]
    low, high = (
        float(w.floats(node, k).reshape(-1)[0]) if is_given else None
        for k, is_given in enumerate(given, 1)
    )
    return low, high


def clip(w: Walker, node: NodeProto) -> None:
    """Clip of integers: a narrower range."""
    x = w.symbol(node, 0)
    low, high = clip_ends(w, node)
    if isinstance(x, FloatConst):
        w.symbols[node.output[0]] = FloatConst(np.clip(x.array, low, high))
    elif isinstance(x, Levels):
        lo = x.type.lo if low is None else max(x.type.lo, int(low))
        hi = x.type.hi if high is None else min(x.type.hi, int(high))
        w.symbols[node.output[0]] = replace(x, type=IntType(lo, hi))
    else:
        w.fault_at(node, "clips real numbers", "a quantiser clips: leave the Clip out")


def dequantize_linear(w: Walker, node: NodeProto) -> None:
    """Integers as real numbers."""
    x = w.symbol(node, 0)
    if isinstance(x, FloatConst):
        p = parameters(w, node, max(x.array.ndim, 1))
        q = np.asarray(x.array - p.zero, np.int64)
        t = IntType(int(q.min(initial=0)), int(q.max(initial=0)))
        w.symbols[node.output[0]] = QuantConst(q, p.scale, t)
        return
    if not isinstance(x, Levels):
        w.fault_at(
            node, "works on no integers of a QuantizeLinear", "put a QuantizeLinear in front of it"
        )
    p = parameters(w, node, 1)
    if p.scale.size != 1:
        w.fault_at(node, "has a scale for each channel of an activation", "use one scale")
    made = realised(w, node, x)
    scale, zero = rationals(p.scale)[0], int(p.zero.reshape(-1)[0])
    offset = scale * (x.zero - zero)
    w.symbols[node.output[0]] = replace(made, scale=(scale,), offset=(Fraction(offset),))


def dequantised(
    w: Walker, producers: Mapping[str, NodeProto], node: NodeProto
) -> tuple[IntType, Rationals, Rationals] | None:
    """The grid of a DequantizeLinear, before what it reads is known: range, scale, offset."""
    low, high = -(2.0**63), 2.0**63
    made = producers.get(node.input[0])
    while made is not None and made.op_type in ("Clip", "Identity"):
        if made.op_type == "Clip":
            ends = clip_ends(w, made)
            low = low if ends[0] is None else max(low, ends[0])
            high = high if ends[1] is None else min(high, ends[1])
        made = producers.get(made.input[0])
    if made is None or made.op_type != "QuantizeLinear":
        return None
    q, d = parameters(w, made, 1), parameters(w, node, 1)
    if q.scale.size != 1 or d.scale.size != 1:
        return None
    zeros = [int(p.zero.reshape(-1)[0]) for p in (q, d)]
    t = IntType(int(max(q.type.lo, low)) - zeros[0], int(min(q.type.hi, high)) - zeros[0])
    scale = rationals(d.scale)[0]
    return t, (scale,), (scale * (zeros[0] - zeros[1]),)


def realised(w: Walker, node: NodeProto, x: Levels) -> Real:
    """What the quantiser of some integers makes, less the zero point."""
    t = IntType(x.type.lo - x.zero, x.type.hi - x.zero)
    apply_quantiser(w, node, x.x, Quantiser(scale=(x.scale,), type=t))
    made = w.symbols[node.output[0]]
    assert isinstance(made, Real)
    return made
