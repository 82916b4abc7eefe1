# SPDX-License-Identifier: Apache-2.0
"""Quantisers, and the functions that wait for one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from onnx import NodeProto

from hwrnn.frontend.constants import (
    FloatConst,
    QuantConst,
    bipolar_constant,
    quantise_constant,
    rationals,
)
from hwrnn.frontend.symbols import (
    Function,
    RawInput,
    RawState,
    Real,
    Symbol,
    combined,
    merged,
)
from hwrnn.frontend.tables import Table, entries
from hwrnn.frontend.walker import Walker, attributes, int_attribute, shown
from hwrnn.ir import Add, Const, Input, IntType, Lut, Quantiser, Requant, Value
from hwrnn.ir.rounding import FROM_QONNX
from hwrnn.ir.types import of_bits

MAX_TABLE_BITS = 16


def quantiser_of(w: Walker, node: NodeProto) -> Quantiser:
    """The parameters of a Quant node."""
    scale, zero, bits = (w.floats(node, k) for k in (1, 2, 3))
    if np.any(zero != np.rint(zero)):
        w.fault_at(node, "has a zero point that is no whole number", "export the model again")
    known = attributes(node)
    mode = known.get("rounding_mode", b"ROUND")
    name = mode.decode() if isinstance(mode, bytes) else str(mode)
    if name.upper() not in FROM_QONNX:
        w.fault_at(
            node,
            f'has the unknown rounding mode "{shown(name)}"',
            f"known: {', '.join(FROM_QONNX)}",
        )
    t = of_bits(
        int(bits.reshape(-1)[0]),
        signed=bool(int_attribute(node, "signed", 1)),
        narrow=bool(int_attribute(node, "narrow", 0)),
    )
    return Quantiser(
        scale=rationals(scale),
        type=t,
        rounding=FROM_QONNX[name.upper()],
        zero_point=tuple(map(int, rationals(zero))),
    )


def quant(w: Walker, node: NodeProto) -> None:
    """Quant: of a constant, of the input, of an activation, or of a function of one."""
    apply_quantiser(w, node, w.symbol(node, 0), quantiser_of(w, node))


def apply_quantiser(w: Walker, node: NodeProto, x: Symbol, q: Quantiser) -> None:
    """What a quantiser makes of a tensor becomes the node's output."""
    if isinstance(x, FloatConst):
        scale, zero = w.floats(node, 1), w.floats(node, 2)
        made = quantise_constant(x.array, scale, zero, q.type, q.rounding)
        w.symbols[node.output[0]] = made
    elif isinstance(x, RawInput):
        quant_input(w, node, x, q)
    elif isinstance(x, RawState):
        quant_state(w, node, x)
    elif isinstance(x, Real) and x.function not in (None, Function.RELU):
        quant_table(w, node, x, q)
    elif isinstance(x, Real):
        quant_activation(w, node, x, q)
    elif isinstance(x, QuantConst):
        w.fault_at(
            node, "quantises a constant that is quantised already", "quantise a constant once"
        )


def bipolar(w: Walker, node: NodeProto) -> None:
    """BipolarQuant: of a constant; binary weights are -1 and 1, and 0 counts as 1."""
    x = w.symbol(node, 0)
    if not isinstance(x, FloatConst):
        w.fault_at(
            node,
            "makes a binary activation; only weights can be binary",
            "use an activation quantiser of 2 bits or more",
        )
    w.symbols[node.output[0]] = bipolar_constant(x.array, w.floats(node, 1))


def quant_input(w: Walker, node: NodeProto, x: RawInput, q: Quantiser) -> None:
    """The first Quant belongs to the host: it makes the Input op."""
    known = w.quantisers.setdefault(x.name, q)
    if known != q:
        w.fault_at(
            node,
            f'quantises the input "{shown(x.name)}" in another way than a node before it',
            "put one QuantIdentity in front of everything that reads the input",
        )
    name = f"__input_{x.name}"
    found = w.symbols.get(name)
    if not isinstance(found, Real):
        v = Value(name=w.namer.fresh(x.name), type=q.type, size=x.size, sequence="T" in x.axes)
        found = Real(v, x.own, q.scale, q.offset)
        w.symbols[name] = found
        w.ops.append(Input(out=v, quantiser=q, axes=x.own, example_steps=w.example_steps))
    w.symbols[node.output[0]] = replace(found, axes=x.axes)


def quant_state(w: Walker, node: NodeProto, x: RawState) -> None:
    """The Quant of an initial state belongs to the host, too: its Input op is there already."""
    if len(x.states) > 1:
        w.fault_at(node, "quantises several initial states at once", "take each with an index")
    w.symbols[node.output[0]] = x.states[0]


def quant_activation(w: Walker, node: NodeProto, x: Real, q: Quantiser) -> None:
    """Ratio * x + offset, rounded once; a ReLU in front cuts the range at the zero point."""
    t = q.type
    if x.function is Function.RELU:
        t = IntType(t.clamp(min(q.zero_point)), t.hi)
    inverse = tuple(1 / s for s in q.scale)
    size = x.value.size
    if len(inverse) not in (1, size):
        w.fault_at(
            node,
            f"has {len(inverse)} scales for {size} features",
            "use one scale, or one for each feature",
        )
    out = w.value(node, t, size, x.value.sequence)
    offset = combined(x.offset, inverse, size, times=True)
    zero = tuple(map(Fraction, q.zero_point))
    op = Requant(
        out=out,
        x=x.value.name,
        ratio=combined(x.scale, inverse, size, times=True),
        offset=combined(offset, zero, size, times=False),
        rounding=q.rounding,
    )
    w.emit(node, Real(out, x.axes, q.scale, q.offset), op)


def quant_table(w: Walker, node: NodeProto, x: Real, q: Quantiser) -> None:
    """A sigmoid or tanh and its quantiser become one table."""
    function, x = x.function, aligned(w, x)
    assert function is not None
    if x.value.type.bits > MAX_TABLE_BITS:
        w.fault_at(
            node,
            f"needs a table with {x.value.type.bits} input bits; {MAX_TABLE_BITS} are the most",
            f"quantise the value in front of the {function.value}",
        )
    if len(merged(x.scale)) + len(merged(x.offset)) + len(q.scale) > 3:
        w.fault_at(
            node,
            "has a scale or a bias for each channel around a table",
            f"use one scale; quantise the value in front of the {function.value}",
        )
    table = Table(
        function.value,
        x.value.type,
        x.scale[0],
        x.offset[0],
        q.type,
        q.scale[0],
        q.rounding,
        q.zero_point[0],
        x.numbers,
    )
    out = w.value(node, q.type, x.value.size, x.value.sequence)
    op = Lut(out=out, x=x.value.name, table=entries(table))
    w.emit(node, Real(out, x.axes, q.scale, q.offset), op)


def aligned(w: Walker, x: Real) -> Real:
    """An activation whose channels have one offset, if theirs differ by whole steps of one scale.

    A bias in front of a table is such an offset.
    """
    if len(merged(x.offset)) == 1 or len(merged(x.scale)) > 1:
        return x
    first, v = x.offset[0], x.value
    steps = tuple((o - first) / x.scale[0] for o in x.offset)
    if any(n.denominator != 1 for n in steps):
        return x
    q = tuple(map(int, steps))
    t = IntType(min(q), max(q))
    const = Value(name=w.namer.fresh(f"{v.name}_bias"), type=t, size=v.size, sequence=v.sequence)
    sums = IntType(v.type.lo + t.lo, v.type.hi + t.hi)
    out = replace(v, name=w.namer.fresh(f"{v.name}_biased"), type=sums)
    w.ops += [Const(out=const, values=q), Add(out=out, a=v.name, b=const.name)]
    return replace(x, value=out, scale=merged(x.scale), offset=(first,))


def function_node(w: Walker, node: NodeProto) -> None:
    """Relu, Sigmoid, Tanh and their kin: they wait for the Quant behind them."""
    x = w.real(node, 0)
    known = attributes(node)
    numbers = []
    for name, default in DEFAULTS.get(node.op_type, {}).items():
        found = known.get(name, default)
        assert isinstance(found, float)
        numbers.append(Fraction(found))
    function = Function(node.op_type.lower())
    w.symbols[node.output[0]] = replace(x, function=function, numbers=tuple(numbers))


DEFAULTS: dict[str, dict[str, float]] = {
    "Elu": {"alpha": 1.0},
    "HardSigmoid": {"alpha": float(np.float32(0.2)), "beta": 0.5},
    "LeakyRelu": {"alpha": float(np.float32(0.01))},
    "ThresholdedRelu": {"alpha": 1.0},
}
"""The numbers of functions, and what they are if the file does not say (onnx.ai/onnx/operators)."""
