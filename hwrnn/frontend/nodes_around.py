# SPDX-License-Identifier: Apache-2.0
"""What stands around the recurrence: convolutions, pools, means, normalisation, tables, ArgMax."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from onnx import NodeProto, TensorProto, numpy_helper

from hwrnn.frontend.constants import FloatConst, QuantConst, rationals
from hwrnn.frontend.nodes_arithmetic import offset_of_rows, shifted
from hwrnn.frontend.symbols import Function, RawInput, Real, combined, merged, spread
from hwrnn.frontend.walker import Handler, Walker, attributes, int_attribute
from hwrnn.ir import (
    ArgMax,
    Embed,
    Graph,
    How,
    Input,
    IntMatrix,
    IntType,
    MatVec,
    Mul,
    Pool,
    Quantiser,
    Reduce,
    Repeat,
    Value,
    Window,
)
from hwrnn.ir import Const as ConstOp
from hwrnn.ir.exact import Ints
from hwrnn.ir.steps import count_steps

OVER_TIME = ("B", "F", "T")


def conv(w: Walker, node: NodeProto) -> None:
    """Conv over time: windows of steps, times a matrix; groups and dilation are zeros in it."""
    x, weights = over_time(w, node), w.symbol(node, 1)
    if not isinstance(weights, QuantConst):
        w.fault_at(node, "its weights are not quantised", "give the layer a weight quantiser")
    scale = np.broadcast_to(weights.scale, weights.q.shape).reshape(len(weights.q), -1)
    if np.any(scale != scale[:, :1]):
        w.fault_at(node, "its weights have a scale for each input", "use a scale for each output")
    dilation, groups = first_of(node, "dilations", 1), int_attribute(node, "group", 1)
    rows = conv_matrix(weights.q, groups, dilation)
    if rows.shape[1] % x.value.size or len(rows) % groups:
        channels = weights.q.shape[1] * groups
        w.fault_at(
            node,
            f"its weights take {channels} channels, its input has {x.value.size}",
            "check the sizes of this layer and of the one before it",
        )
    size = rows.shape[1] // x.value.size
    fields = window_fields(w, node, size, one_zero(w, node, x))
    reach = padded_type(x.value.type, fields)
    seen = w.value(node, reach, rows.shape[1], True)
    w.ops.append(Window(out=seen, x=x.value.name, size=size, **fields))
    windows = replace(x, value=seen, scale=merged(x.scale), offset=merged(x.offset))
    matrix, s_w = IntMatrix(rows), rationals(scale[:, 0])
    out = w.value(node, matrix.range_of_product(reach), len(rows), True)
    made = Real(
        out,
        x.axes,
        combined(s_w, windows.scale, out.size, times=True),
        combined(s_w, offset_of_rows(rows, windows), out.size, times=True),
    )
    if len(node.input) > 2 and node.input[2]:
        made = shifted(w, node, made, w.symbol(node, 2))
    w.emit(node, made, MatVec(out=out, x=seen.name, weights=matrix, declared=weights.type))


def conv_matrix(q: Ints, groups: int, dilation: int) -> Ints:
    """Weights (out, in / groups, kernel) as a row for each output: columns step after step."""
    outs, ins, kernel = q.shape
    rows = np.zeros((outs, (kernel - 1) * dilation + 1, ins * groups), dtype=np.int64)
    each = max(1, outs // groups)
    for o in range(outs):
        start = (o // each) * ins
        rows[o, ::dilation, start : start + ins] = q[o].T
    return rows.reshape(outs, -1)


def over_time(w: Walker, node: NodeProto) -> Real:
    """The activation, with its features in front of its steps."""
    x = w.real(node, 0)
    if x.axes != OVER_TIME:
        w.fault_at(
            node,
            "does not work on batch, features and steps in this order",
            "transpose(1, 2) a batch-first sequence in front of it, and back behind it",
        )
    return x


def first_of(node: NodeProto, name: str, default: int) -> int:
    """The only entry of a list attribute: that of the time axis."""
    found = attributes(node).get(name)
    return int(found[0]) if isinstance(found, list) and found else default


def window_fields(w: Walker, node: NodeProto, size: int, fill: int) -> dict[str, int]:
    """Stride and padding of a Conv or a pool."""
    known = attributes(node)
    stride = first_of(node, "strides", 1)
    pads = known.get("pads", [0, 0])
    before, after = (int(p) for p in pads) if isinstance(pads, list) else (0, 0)
    auto = known.get("auto_pad", b"NOTSET")
    mode = auto.decode() if isinstance(auto, bytes) else str(auto)
    if mode.startswith("SAME"):
        if stride != 1:
            w.fault_at(
                node,
                f"pads {mode} with a stride, which depends on the number of steps",
                "give the padding as numbers",
            )
        before, after = sorted(((size - 1) // 2, size // 2), reverse=mode == "SAME_LOWER")
    if int_attribute(node, "ceil_mode", 0) and stride > 1:
        w.fault_at(node, "rounds the number of windows up", "leave out ceil_mode")
    if not 0 <= before < size or not 0 <= after < size:
        w.fault_at(
            node,
            f"pads {before} and {after} steps, for windows of {size}",
            "pad fewer steps than the window has",
        )
    return {"stride": stride, "before": before, "after": after, "fill": fill}


def padded_type(t: IntType, fields: dict[str, int]) -> IntType:
    """The range of what is in a window."""
    padded = fields["before"] or fields["after"]
    return t.hull(IntType(fields["fill"], fields["fill"])) if padded else t


def one_zero(w: Walker, node: NodeProto, x: Real) -> int:
    """The integer that stands for 0."""
    scale, offset = merged(x.scale), merged(x.offset)
    if len(scale) > 1 or len(offset) > 1:
        w.fault_at(
            node,
            "its input has a scale, or a zero, for each feature",
            "use one scale for the activation",
        )
    zero = -offset[0] / scale[0]
    if zero.denominator != 1:
        w.fault_at(
            node,
            "works on an activation that has a bias but no quantiser",
            "put a quantiser in front of it",
        )
    return int(zero)


def max_pool(w: Walker, node: NodeProto) -> None:
    """MaxPool over time; what stands around the sequence is never the largest."""
    x = over_time(w, node)
    if first_of(node, "dilations", 1) != 1:
        w.fault_at(node, "leaves steps out of its windows", "use a dilation of 1")
    size = first_of(node, "kernel_shape", 1)
    fields = window_fields(w, node, size, x.value.type.lo)
    out = w.value(node, x.value.type, x.value.size, True)
    op = Pool(out=out, x=x.value.name, size=size, how=How.MAX, **fields)
    w.emit(node, replace(x, value=out), op)


def in_front_of_function(handler: Handler) -> Handler:
    """The largest of f(x) is f of the largest x, if f rises: f waits for its quantiser still."""

    def visit(w: Walker, node: NodeProto) -> None:
        x = w.find(node.input[0])
        if isinstance(x, Real) and x.function is Function.RELU:
            x = w.symbols[node.input[0]] = w.settled(x)
        if not isinstance(x, Real) or not rises(x):
            handler(w, node)
            return
        copy: NodeProto = NodeProto.FromString(node.SerializeToString())
        copy.input[0] = f"{node.input[0]}/in_front"
        w.symbols[copy.input[0]] = replace(x, function=None, numbers=())
        handler(w, copy)
        made = w.symbols[node.output[0]]
        assert isinstance(made, Real)
        w.symbols[node.output[0]] = replace(made, function=x.function, numbers=x.numbers)

    return visit


def rises(x: Real) -> bool:
    """Whether a function waits for its quantiser, and never falls."""
    known = x.function not in (None, Function.THRESHOLDED_RELU)
    return known and all(slope >= 0 for slope in x.numbers[:1])


def average_pool(w: Walker, node: NodeProto) -> None:
    """AveragePool over time: a sum, on a finer grid."""
    x = over_time(w, node)
    size = first_of(node, "kernel_shape", 1)
    fields = window_fields(w, node, size, 0)
    if fields["before"] or fields["after"]:
        if not int_attribute(node, "count_include_pad", 0):
            w.fault_at(
                node,
                "leaves the padding out of its means, which then divide by different numbers",
                "use count_include_pad, or no padding",
            )
        fields["fill"] = one_zero(w, node, x)
    inside = padded_type(x.value.type, fields)
    out = w.value(node, IntType(size * inside.lo, size * inside.hi), x.value.size, True)
    scale = tuple(s / size for s in x.scale)
    op = Pool(out=out, x=x.value.name, size=size, how=How.SUM, **fields)
    w.emit(node, replace(x, value=out, scale=scale), op)


def reduce_over_time(how: How, *, mean: bool = False, last: bool = False) -> Handler:
    """ReduceMax, ReduceSum, ReduceMean; `last`: the global pools, which keep the axis."""

    def visit(w: Walker, node: NodeProto) -> None:
        x = over_time(w, node) if last else w.real(node, 0)
        axis = len(x.axes) - 1 if last else reduced_axis(w, node, x)
        if x.axes[axis] != "T":
            w.fault_at(node, "reduces another axis than the steps", "reduce over time")
        steps = None if how is How.MAX else steps_so_far(w, node, x)
        t = x.value.type
        reach = t if steps is None else IntType(steps * t.lo, steps * t.hi)
        out = w.value(node, reach, x.value.size, False)
        kept = ("1",) if last or int_attribute(node, "keepdims", 1) else ()
        axes = (*x.axes[:axis], *kept, *x.axes[axis + 1 :])
        made = replace(x, value=out, axes=axes)
        if steps is not None:
            divisor = steps if mean else 1
            made = replace(
                made,
                scale=tuple(s / divisor for s in x.scale),
                offset=tuple(o * steps / divisor for o in x.offset),
            )
        w.emit(node, made, Reduce(out=out, x=x.value.name, how=how, steps=steps))

    return visit


def reduced_axis(w: Walker, node: NodeProto, x: Real) -> int:
    """The only axis that is reduced."""
    given = len(node.input) > 1 and node.input[1]
    found = w.integers(node, 1) if given else attributes(node).get("axes", [])
    axes = [int(a) for a in found] if isinstance(found, list) else []
    if len(axes) != 1:
        w.fault_at(node, f"reduces {len(axes) or 'all'} axes", "reduce over time alone")
    return axes[0] % len(x.axes)


def steps_so_far(w: Walker, node: NodeProto, x: Real) -> int:
    """The steps that a value has for the example with which the model was exported."""
    example = w.example_steps
    if example is None:
        w.fault_at(
            node,
            "sums over a number of steps that the file does not say",
            "export with an example of that length",
        )
    counts, _ = count_steps(Graph(name="part", ops=tuple(w.ops)), example)
    return counts[x.value.name]


def batch_norm(w: Walker, node: NodeProto) -> None:
    """BatchNormalization with fixed statistics: a factor and an offset for each feature.

    The factor gamma / sqrt(var + epsilon) is rounded once, to float64; from then on all is exact.
    """
    x = w.real(node, 0)
    if len(x.axes) < 2 or x.axes[1] != "F":
        w.fault_at(
            node,
            "normalises another axis than the features",
            "transpose(1, 2) a batch-first sequence in front of it, and back behind it",
        )
    gamma, beta, mean, var = (w.floats(node, k).astype(np.float64) for k in range(1, 5))
    epsilon = attributes(node).get("epsilon", 1e-5)
    assert isinstance(epsilon, float)
    factors = [Fraction(float(f)) for f in gamma / np.sqrt(var + epsilon)]
    dead = next((k for k, f in enumerate(factors) if f == 0), None)
    if dead is not None:
        w.fault_at(
            node, f"multiplies feature {dead} by 0", "remove the feature, or give it a weight"
        )
    size = x.value.size
    x = turned(w, node, x, tuple(-1 if f < 0 else 1 for f in factors))
    scales = zip(spread(x.scale, size), factors, strict=True)
    offsets = zip(spread(x.offset, size), factors, mean, beta, strict=True)
    w.symbols[node.output[0]] = replace(
        x,
        scale=merged(tuple(s * abs(f) for s, f in scales)),
        offset=merged(
            tuple((o - Fraction(float(m))) * f + Fraction(float(b)) for o, f, m, b in offsets)
        ),
    )


def turned(w: Walker, node: NodeProto, x: Real, signs: tuple[int, ...]) -> Real:
    """The same activation with the integers of some features negated: its grid has a positive
    scale again once a negative factor has been multiplied.
    """
    if min(signs) > 0:
        return x
    made = next((op for op in reversed(w.ops) if op.out.name == x.value.name), None)
    t, size = x.value.type, x.value.size
    if isinstance(made, MatVec):
        rows = made.weights.array * np.array(signs)[:, None]
        declared = made.declared and IntType(
            min(made.declared.lo, -made.declared.hi), max(made.declared.hi, -made.declared.lo)
        )
        source = next(v for op in w.ops for v in op.outputs() if v.name == made.x)
        matrix = IntMatrix(rows)
        out = w.value(node, matrix.range_of_product(source.type), size, x.value.sequence)
        w.ops.append(MatVec(out=out, x=made.x, weights=matrix, declared=declared))
        return replace(x, value=out)
    name = w.namer.fresh(f"{x.value.name}_signs")
    const = Value(name=name, type=IntType(-1, 1), size=size, sequence=x.value.sequence)
    low, high = min(t.lo, -t.hi), max(t.hi, -t.lo)
    out = w.value(node, IntType(low, high), size, x.value.sequence)
    w.ops += [ConstOp(out=const, values=signs), Mul(out=out, a=x.value.name, b=const.name)]
    return replace(x, value=out)


def embedding(w: Walker, node: NodeProto) -> None:
    """Gather of rows of a table, by integers that the host gives."""
    table, index = w.symbol(node, 0), w.symbol(node, 1)
    if isinstance(table, FloatConst):
        w.fault_at(
            node,
            "reads a table that is not quantised",
            "use a QuantEmbedding, or put a quantiser behind the table",
        )
    if not isinstance(table, QuantConst) or table.q.ndim != 2 or int_attribute(node, "axis", 0):
        w.fault_at(
            node,
            "is no table with a row for each number",
            "use an embedding with a weight quantiser",
        )
    if not isinstance(index, RawInput) or "F" in index.axes:
        w.fault_at(node, "reads a table by something else than the input", "pass the indices")
    scale = np.broadcast_to(table.scale, table.q.shape)
    if np.any(scale != scale[:1]):
        w.fault_at(node, "its table has a scale for each row", "use one scale for the table")
    rows, columns = table.q.shape
    x = index_input(w, node, index, rows)
    reach = IntType(int(table.q.min()), int(table.q.max()))
    out = w.value(node, reach, columns, x.sequence)
    w.emit(
        node,
        Real(out, (*index.axes, "F"), rationals(scale[0])),
        Embed(out=out, x=x.name, table=IntMatrix(table.q)),
    )


def table_or(handler: Handler) -> Handler:
    """A handler of Gather that leaves reading a table by the input to `embedding`."""

    def visit(w: Walker, node: NodeProto) -> None:
        index = w.find(node.input[1]) if len(node.input) > 1 else None
        (embedding if isinstance(index, RawInput) else handler)(w, node)

    return visit


def index_input(w: Walker, node: NodeProto, index: RawInput, rows: int) -> Value:
    """The Input op of indices: integers from 0 upwards."""
    q = Quantiser(scale=(Fraction(1),), type=IntType(0, rows - 1))
    if w.quantisers.setdefault(index.name, q) != q:
        w.fault_at(
            node,
            "reads a table of another length than a node before it",
            "use one table for one input",
        )
    key = f"__input_{index.name}"
    found = w.symbols.get(key)
    if isinstance(found, Real):
        return found.value
    v = Value(name=w.namer.fresh(index.name), type=q.type, size=1, sequence="T" in index.axes)
    w.symbols[key] = Real(v, index.own, q.scale)
    w.ops.append(Input(out=v, quantiser=q, axes=index.own, example_steps=w.example_steps))
    return v


def repeat(w: Walker, node: NodeProto) -> None:
    """Tile, or Expand, of a vector along an axis of length one: a sequence of equal steps."""
    x = w.real(node, 0)
    times = w.integers(node, 1)
    axes = ("1",) * (len(times) - len(x.axes)) + x.axes
    grown = [k for k, n in enumerate(times) if n > 1 and axes[k] == "1"]
    other = [k for k, n in enumerate(times) if n > 1 and axes[k] != "1"]
    if node.op_type == "Tile" and other:
        w.fault_at(node, "repeats batch, steps or features", "repeat a vector as steps")
    if not grown:
        w.symbols[node.output[0]] = x
        return
    if len(grown) > 1 or x.value.sequence:
        w.fault_at(node, "repeats what is a sequence already", "repeat the vector of one step")
    steps = times[grown[0]]
    out = w.value(node, x.value.type, x.value.size, True)
    made = (*axes[: grown[0]], "T", *axes[grown[0] + 1 :])
    w.emit(node, replace(x, value=out, axes=made), Repeat(out=out, x=x.value.name, steps=steps))


def constant_of_shape(w: Walker, node: NodeProto) -> None:
    """ConstantOfShape of a shape that is known: a constant."""
    found = attributes(node).get("value")
    fill = numpy_helper.to_array(found).reshape(-1)[0] if isinstance(found, TensorProto) else 0
    w.symbols[node.output[0]] = FloatConst(np.full(w.integers(node, 0), float(fill)))


def repeat_or(handler: Handler) -> Handler:
    """A handler of Expand that leaves an activation, and a shape that is known, to `repeat`."""

    def visit(w: Walker, node: NodeProto) -> None:
        x, shape = (w.find(name) for name in node.input)
        known = isinstance(x, Real) and isinstance(shape, FloatConst)
        (repeat if known else handler)(w, node)

    return visit


def arg_max(w: Walker, node: NodeProto) -> None:
    """ArgMax over the features: compares exact reals."""
    x = w.real(node, 0)
    axis = int_attribute(node, "axis", 0) % len(x.axes)
    if x.axes[axis] != "F":
        w.fault_at(
            node,
            "looks for the largest along another axis than the features",
            "take the argmax of the features",
        )
    if int_attribute(node, "select_last_index", 0):
        w.fault_at(node, "takes the last of equal values", "take the first: select_last_index 0")
    kept = ("1",) if int_attribute(node, "keepdims", 1) else ()
    out = w.value(node, IntType(0, x.value.size - 1), 1, x.value.sequence)
    made = Real(out, (*x.axes[:axis], *kept, *x.axes[axis + 1 :]), (Fraction(1),))
    w.emit(node, made, ArgMax(out=out, x=x.value.name, scale=x.scale, offset=x.offset))


AROUND: dict[str, Handler] = {
    "ArgMax": arg_max,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "ConstantOfShape": constant_of_shape,
    "Conv": conv,
    "GlobalAveragePool": reduce_over_time(How.SUM, mean=True, last=True),
    "GlobalMaxPool": in_front_of_function(reduce_over_time(How.MAX, last=True)),
    "MaxPool": in_front_of_function(max_pool),
    "ReduceMax": in_front_of_function(reduce_over_time(How.MAX)),
    "ReduceMean": reduce_over_time(How.SUM, mean=True),
    "ReduceSum": reduce_over_time(How.SUM),
    "Tile": repeat,
}
