# SPDX-License-Identifier: Apache-2.0
"""Sums and products: they change the grid of a tensor, and never round."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from onnx import NodeProto

from hwrnn.frontend.constants import FloatConst, QuantConst, rationals
from hwrnn.frontend.names import tensor_wish
from hwrnn.frontend.symbols import ZERO, Real, Symbol, combined, merged, spread
from hwrnn.frontend.walker import Walker, attributes
from hwrnn.ir import Add, Const, Flatten, IntMatrix, IntType, MatVec, Mul, Rationals, Sub, Value
from hwrnn.ir.exact import Ints

WIDEST_WEIGHTS = 24
"""Bits that the weights of a product may get so that a sum of products has one scale."""


def matmul(w: Walker, node: NodeProto) -> None:
    """MatMul(activation, weights); of columns MatMul(weights, activation)."""
    first = w.symbol(node, 0)
    if isinstance(first, QuantConst) and len(node.input) == 2:
        turned = NodeProto.FromString(node.SerializeToString())
        turned.input[0], turned.input[1] = node.input[1], node.input[0]
        product(w, turned, transposed=True, column=True)
    else:
        product(w, node, transposed=False)


def gemm(w: Walker, node: NodeProto) -> None:
    """Gemm(activation, weights, bias)."""
    known = attributes(node)
    if known.get("alpha", 1.0) != 1.0 or known.get("beta", 1.0) != 1.0 or known.get("transA", 0):
        w.fault_at(node, "has alpha, beta or transA set", "use a linear layer")
    product(w, node, transposed=bool(known.get("transB", 0)))
    if len(node.input) > 2 and node.input[2]:
        made = w.symbols[node.output[0]]
        assert isinstance(made, Real)
        w.symbols[node.output[0]] = shifted(w, node, made, w.symbol(node, 2))


def product(w: Walker, node: NodeProto, *, transposed: bool, column: bool = False) -> None:
    """A MatVec; the weights are columns x rows, or rows x columns when `transposed`."""
    x, weights = w.real(node, 0), w.symbol(node, 1)
    if not isinstance(weights, QuantConst):
        w.fault_at(node, "its weights are not quantised", "give the layer a weight quantiser")
    upright = x.axes[-2:] == ("F", "1")
    if weights.q.ndim != 2 or upright != column or x.axes[-1] not in ("F", "TF", "1")[: 2 + column]:
        w.fault_at(
            node, "is no product of features and a matrix", "use a linear layer on the features"
        )
    rows = weights.q if transposed else weights.q.T
    scale = np.broadcast_to(weights.scale, weights.q.shape)
    scale = scale if transposed else scale.T
    if np.any(scale != scale[:, :1]):
        w.fault_at(node, "its weights have a scale for each input", "use a scale for each output")
    x = flattened(w, node, x, rows.shape[1]) if x.axes[-1] == "TF" else x
    if rows.shape[1] != x.value.size:
        w.fault_at(
            node,
            f"its weights take {rows.shape[1]} features, its input has {x.value.size}",
            "check the sizes of this layer and of the one before it",
        )
    if len(merged(x.scale)) > 1:
        w.fault_at(
            node,
            "its input has a scale for each feature",
            "use one scale for the activation; behind a concatenation, put a QuantIdentity",
        )
    if any((o / x.scale[0]).denominator != 1 for o in x.offset):
        w.fault_at(
            node,
            "multiplies an activation that has a bias but no quantiser",
            "put a quantiser between the two layers",
        )
    matrix = IntMatrix(rows)
    out = w.value(node, matrix.range_of_product(x.value.type), rows.shape[0], x.value.sequence)
    s_w = rationals(scale[:, 0])
    offset = combined(s_w, offset_of_rows(rows, x), out.size, times=True)
    real = Real(out, x.axes, combined(s_w, merged(x.scale), out.size, times=True), offset)
    w.emit(node, real, MatVec(out=out, x=x.value.name, weights=matrix, declared=weights.type))


def offset_of_rows(rows: Ints, x: Real) -> Rationals:
    """What a product makes of its input's zero point: a constant for each row."""
    if not any(x.offset):
        return ZERO
    if len(x.offset) == 1:
        return merged(tuple(int(n) * x.offset[0] for n in rows.sum(axis=1)))
    pairs = (zip(row.tolist(), x.offset, strict=True) for row in rows)
    return merged(tuple(sum((n * o for n, o in pair), Fraction(0)) for pair in pairs))


def centred(w: Walker, node: NodeProto, x: Real) -> Real:
    """The same activation on a grid that holds 0: its integers plus a constant."""
    if not any(x.offset):
        return x
    size = x.value.size
    pairs = zip(spread(x.offset, size), spread(x.scale, size), strict=True)
    steps = tuple(o / s for o, s in pairs)
    if any(n.denominator != 1 for n in steps):
        w.fault_at(
            node,
            "multiplies a value that has a bias but no quantiser",
            "put a quantiser in front of the product",
        )
    q, v = tuple(map(int, steps)), x.value
    t = IntType(min(q), max(q))
    const = Value(name=w.namer.fresh(v.name + "_zero"), type=t, size=size, sequence=v.sequence)
    sums = IntType(v.type.lo + t.lo, v.type.hi + t.hi)
    out = replace(v, name=w.namer.fresh(v.name + "_centred"), type=sums)
    w.ops += [Const(out=const, values=q), Add(out=out, a=v.name, b=const.name)]
    return replace(x, value=out, offset=ZERO)


def flattened(w: Walker, node: NodeProto, x: Real, columns: int) -> Real:
    """A sequence as one long vector; the weights tell how many steps it has."""
    steps, rest = divmod(columns, x.value.size)
    if rest or not steps:
        w.fault_at(
            node,
            f"takes {columns} features, not a multiple of {x.value.size}",
            "flatten sequences of the length of the exported example",
        )
    name = w.namer.fresh(f"{x.value.name}_flat")
    out = Value(name=name, type=x.value.type, size=columns)
    w.ops.append(Flatten(out=out, x=x.value.name, steps=steps))
    scale = x.scale if len(x.scale) == 1 else x.scale * steps
    offset = x.offset if len(x.offset) == 1 else x.offset * steps
    return Real(out, ("B", "F"), scale, offset)


def exact_constant(w: Walker, node: NodeProto, c: Symbol, size: int) -> tuple[Fraction, ...]:
    """A constant operand as exact rationals: one, or one a feature."""
    if isinstance(c, QuantConst):
        scale = np.broadcast_to(c.scale, c.q.shape).reshape(-1)
        pairs = zip(c.q.reshape(-1), scale, strict=True)
        values = merged(tuple(int(q) * Fraction(float(s)) for q, s in pairs))
    elif isinstance(c, FloatConst):
        values = rationals(c.array)
    else:
        w.fault_at(
            node,
            "its operands are of kinds that do not go together",
            "combine activations with activations or constants",
        )
    if len(values) not in (1, size):
        w.fault_at(
            node,
            f"adds {len(values)} constants to {size} features",
            "use one constant, or one for each feature",
        )
    return values


def shifted(w: Walker, node: NodeProto, x: Real, c: Symbol, sign: int = 1) -> Real:
    """X + c: an exact shift of the grid."""
    values = tuple(sign * v for v in exact_constant(w, node, c, x.value.size))
    return replace(x, offset=combined(x.offset, values, x.value.size, times=False))


def add(w: Walker, node: NodeProto) -> None:
    """Add: of a constant, or of two activations."""
    a, b = w.symbol(node, 0), w.symbol(node, 1)
    if isinstance(b, FloatConst | QuantConst):
        w.symbols[node.output[0]] = shifted(w, node, w.real(node, 0), b)
    elif isinstance(a, FloatConst | QuantConst):
        w.symbols[node.output[0]] = shifted(w, node, w.real(node, 1), a)
    else:
        sum_of(w, node, w.real(node, 0), w.real(node, 1), Add)


def sub(w: Walker, node: NodeProto) -> None:
    """Sub: of two activations; a constant first operand becomes a Const."""
    a, b = w.symbol(node, 0), w.symbol(node, 1)
    if isinstance(b, FloatConst | QuantConst):
        w.symbols[node.output[0]] = shifted(w, node, w.real(node, 0), b, sign=-1)
    elif isinstance(a, QuantConst):
        y = w.real(node, 1)
        sum_of(w, node, constant(w, node, a, y), y, Sub)
    else:
        sum_of(w, node, w.real(node, 0), w.real(node, 1), Sub)


def constant(w: Walker, node: NodeProto, c: QuantConst, like: Real) -> Real:
    """A quantised constant as a vector beside the activation `like`."""
    size = like.value.size
    q = tuple(int(v) for v in np.broadcast_to(c.q.reshape(-1), (size,)))
    t = IntType(min(q), max(q))
    name = w.namer.fresh(tensor_wish(node.output[0], node.op_type) + "_const")
    out = Value(name=name, type=t, size=size, sequence=like.value.sequence)
    w.ops.append(Const(out=out, values=q, declared=c.type))
    return Real(out, like.axes, rationals(np.broadcast_to(c.scale, c.q.shape)))


def sum_of(w: Walker, node: NodeProto, a: Real, b: Real, kind: type[Add | Sub]) -> None:
    """A + b or a - b on the finest grid that holds both."""
    if a.value.size != b.value.size or a.value.sequence != b.value.sequence:
        w.fault_at(
            node,
            f"adds {a.value.size} and {b.value.size} features",
            "add activations of equal size, both sequences or neither",
        )
    size = a.value.size
    scale = common_scale(a.scale, b.scale, size)
    a, b = on_grid(w, node, a, scale), on_grid(w, node, b, scale)
    sign = 1 if kind is Add else -1
    ends = (a.value.type, b.value.type)
    t = IntType(
        ends[0].lo + (ends[1].lo if sign > 0 else -ends[1].hi),
        ends[0].hi + (ends[1].hi if sign > 0 else -ends[1].lo),
    )
    out = w.value(node, t, size, a.value.sequence)
    offset = combined(a.offset, tuple(sign * o for o in b.offset), size, times=False)
    op = kind(out=out, a=a.value.name, b=b.value.name)
    w.emit(node, Real(out, a.axes, scale, offset), op)


def common_scale(
    a: tuple[Fraction, ...], b: tuple[Fraction, ...], size: int
) -> tuple[Fraction, ...]:
    """The greatest scale of which both are whole multiples, channel by channel."""
    if a == b:
        return a
    pairs = zip(spread(a, size), spread(b, size), strict=True)
    return merged(tuple(_gcd(x, y) for x, y in pairs))


def _gcd(a: Fraction, b: Fraction) -> Fraction:
    while b:
        a, b = b, a % b
    return a


def on_grid(w: Walker, node: NodeProto, x: Real, scale: tuple[Fraction, ...]) -> Real:
    """X on a finer grid: its integers times a whole constant."""
    if x.scale == scale:
        return x
    size = x.value.size
    pairs = zip(spread(x.scale, size), spread(scale, size), strict=True)
    factor = tuple(int(a / b) for a, b in pairs)
    made = next((op for op in reversed(w.ops) if op.out.name == x.value.name), None)
    wider = weights_times(w, node, x, made, factor) if isinstance(made, MatVec) else None
    if wider is not None:
        return replace(x, value=wider, scale=scale)
    v, t = x.value, IntType(min(factor), max(factor))
    const = Value(name=w.namer.fresh(v.name + "_factor"), type=t, size=size, sequence=v.sequence)
    ends = [p * q for p in (v.type.lo, v.type.hi) for q in (t.lo, t.hi)]
    out = w.value(node, IntType(min(ends), max(ends)), size, v.sequence)
    w.ops += [Const(out=const, values=factor), Mul(out=out, a=v.name, b=const.name)]
    return replace(x, value=out, scale=scale)


def weights_times(
    w: Walker, node: NodeProto, x: Real, made: MatVec, factor: tuple[int, ...]
) -> Value | None:
    """The same product with its weights times whole factors, so that a sum stays one product.

    None if the weights would be too wide for that.
    """
    widest = made.declared or made.weights.type
    most = max(factor)
    if most * max(-widest.lo, widest.hi) >= 2**WIDEST_WEIGHTS:
        return None
    rows = made.weights.array * np.array(factor, np.int64)[:, None]
    t = x.value.type
    out = w.value(
        node, IntType(min(t.lo, 0) * most, max(t.hi, 0) * most), x.value.size, x.value.sequence
    )
    declared = IntType(widest.lo * most, widest.hi * most)
    w.ops.append(MatVec(out=out, x=made.x, weights=IntMatrix(rows), declared=declared))
    return out


def mul(w: Walker, node: NodeProto) -> None:
    """Mul: of an activation and a positive constant, or of two activations without an offset."""
    first, second = w.symbol(node, 0), w.symbol(node, 1)
    if isinstance(first, QuantConst) and weighs(first):
        first, second = second, first
    if isinstance(second, QuantConst) and weighs(second):
        k = 0 if w.symbol(node, 1) is second else 1
        x = centred(w, node, w.real(node, k))
        multiplied(w, node, x, constant(w, node, second, x))
        return
    if isinstance(second, FloatConst | QuantConst):
        w.symbols[node.output[0]] = scaled(w, node, w.real(node, 0), second)
        return
    if isinstance(first, FloatConst | QuantConst):
        w.symbols[node.output[0]] = scaled(w, node, w.real(node, 1), first)
        return
    multiplied(w, node, *(centred(w, node, w.real(node, k)) for k in (0, 1)))


def weighs(c: QuantConst) -> bool:
    """Whether a constant factor is a vector of weights (peepholes), not a stretch of the grid."""
    return c.q.size > 1 or bool((c.q <= 0).any())


def multiplied(w: Walker, node: NodeProto, a: Real, b: Real) -> None:
    """The product of two vectors, element by element."""
    if a.value.size != b.value.size:
        w.fault_at(
            node,
            f"multiplies {a.value.size} and {b.value.size} features",
            "multiply activations of equal size",
        )
    ends = [
        p * q
        for p in (a.value.type.lo, a.value.type.hi)
        for q in (b.value.type.lo, b.value.type.hi)
    ]
    out = w.value(node, IntType(min(ends), max(ends)), a.value.size, a.value.sequence)
    scale = combined(a.scale, b.scale, out.size, times=True)
    w.emit(node, Real(out, a.axes, scale), Mul(out=out, a=a.value.name, b=b.value.name))


def div(w: Walker, node: NodeProto) -> None:
    """Div: of an activation by a positive constant."""
    divisor = w.symbol(node, 1)
    if not isinstance(divisor, FloatConst | QuantConst):
        w.fault_at(node, "divides by a value that is not constant", "multiply instead")
    w.symbols[node.output[0]] = scaled(w, node, w.real(node, 0), divisor, inverse=True)


def scaled(w: Walker, node: NodeProto, x: Real, c: Symbol, *, inverse: bool = False) -> Real:
    """X * c or x / c: an exact stretch of the grid."""
    size = x.value.size
    values = exact_constant(w, node, c, size)
    if any(v <= 0 for v in values):
        w.fault_at(node, "scales by a constant that is not positive", "fold it into the weights")
    values = tuple(1 / v for v in values) if inverse else values
    scale = combined(x.scale, values, size, times=True)
    return replace(x, scale=scale, offset=combined(x.offset, values, size, times=True))
