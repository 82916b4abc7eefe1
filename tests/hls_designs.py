# SPDX-License-Identifier: Apache-2.0
"""Small graphs, written by hand, from which the tests of the HLS back end make designs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hwrnn.board import load_board
from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.ir import (
    Add,
    AnyOp,
    Body,
    Graph,
    Input,
    IntMatrix,
    IntType,
    Lut,
    MatVec,
    Mul,
    Output,
    OutputGrid,
    Quantiser,
    Requant,
    Scan,
    ScanOutput,
    State,
    Value,
)
from hwrnn.ir.types import Rationals, of_bits
from hwrnn.transforms.realise import realise_requants

ONE = (Fraction(1),)
S8 = of_bits(8, signed=True)
BOARD = load_board("pynq_z2")


def value(name: str, t: IntType, size: int, sequence: bool = False) -> Value:
    return Value(name=name, type=t, size=size, sequence=sequence)


def weights(rng: np.random.Generator, rows: int, columns: int, bits: int) -> IntMatrix:
    top = 2 ** (bits - 1) - 1
    return IntMatrix(rng.integers(-top, top, (rows, columns), endpoint=True))


def matvec(name: str, x: Value, w: IntMatrix) -> MatVec:
    reach = w.range_of_product(IntType(min(x.type.lo, 0), max(x.type.hi, 0)))
    return MatVec(out=value(name, reach, w.rows, x.sequence), x=x.name, weights=w)


def add(name: str, a: Value, b: Value) -> Add:
    reach = IntType(a.type.lo + b.type.lo, a.type.hi + b.type.hi)
    return Add(out=value(name, reach, a.size, a.sequence), a=a.name, b=b.name)


def mul(name: str, a: Value, b: Value) -> Mul:
    ends = [x * y for x in (a.type.lo, a.type.hi) for y in (b.type.lo, b.type.hi)]
    out = value(name, IntType(min(ends), max(ends)), a.size, a.sequence)
    return Mul(out=out, a=a.name, b=b.name)


def requant(
    name: str, x: Value, t: IntType, ratio: Fraction, channels: np.random.Generator | None = None
) -> Requant:
    """`channels`: a ratio and an offset of its own for each channel."""
    ratios: Rationals = (ratio,)
    offsets: Rationals = (Fraction(0),)
    if channels is not None:
        ratios = tuple(ratio * Fraction(int(n), 8) for n in channels.integers(5, 12, x.size))
        offsets = tuple(Fraction(int(n), 7) for n in channels.integers(-9, 9, x.size))
    return Requant(out=value(name, t, x.size, x.sequence), x=x.name, ratio=ratios, offset=offsets)


def table(name: str, x: Value, t: IntType, gain: float = 0.03) -> Lut:
    """A tanh, coarsely."""
    xs = np.arange(x.type.lo, x.type.hi + 1)
    ys = (
        np.rint(np.tanh(xs * gain) * t.hi).astype(int)
        if t.lo < 0
        else np.rint((np.tanh(xs * gain) + 1) / 2 * t.hi).astype(int)
    )
    return Lut(out=value(name, t, x.size, x.sequence), x=x.name, table=tuple(ys.tolist()))


def lstm(
    name: str,
    x: Value,
    hidden: int,
    rng: np.random.Generator,
    *,
    bits: int = 8,
    act: int = 8,
    ratio: Fraction = Fraction(3, 1024),
    channels: bool = False,
) -> Scan:
    """An LSTM as the front end makes it: gates, requantised, tables, cell, h."""
    t, u = of_bits(act, signed=True), of_bits(act, signed=False)
    xt, h, c = (
        value(f"{name}_xt", x.type, x.size),
        value(f"{name}_h", t, hidden),
        value(f"{name}_c", t, hidden),
    )
    ops: list[AnyOp] = []

    def put(op: AnyOp) -> Value:
        ops.append(op)
        return op.out

    acts = {}
    for gate in "ifgo":
        wx = put(matvec(f"{gate}_x", xt, weights(rng, hidden, x.size, bits)))
        wh = put(matvec(f"{gate}_h", h, weights(rng, hidden, hidden, bits)))
        acc = put(add(f"{gate}_acc", wx, wh))
        q = put(requant(f"{gate}_q", acc, t, ratio, rng if channels else None))
        acts[gate] = put(table(f"{gate}_act", q, t if gate == "g" else u))
    scale = Fraction(1, 2**act)
    fc = put(requant("fc_q", put(mul("fc", acts["f"], c)), t, scale))
    ig = put(requant("ig_q", put(mul("ig", acts["i"], acts["g"])), t, scale * Fraction(4, 5)))
    c_new = put(requant("c_new", put(add("c_sum", fc, ig)), t, Fraction(1)))
    tanh = put(table("c_tanh", c_new, t))
    put(requant("h_new", put(mul("oc", acts["o"], tanh)), t, scale))
    states = (
        State(value=h, initial=(0,) * hidden, next="h_new"),
        State(value=c, initial=(0,) * hidden, next="c_new"),
    )
    body = Body(inputs=(xt,), states=states, ops=tuple(ops))
    out = ScanOutput(out=value(name, t, hidden, sequence=True), body_value="h_new")
    return Scan(xs=(x.name,), body=body, outs=(out,))


def source(size: int, t: IntType = S8) -> Input:
    return Input(
        out=value("x", t, size, sequence=True),
        quantiser=Quantiser(scale=ONE, type=t),
        axes=("B", "T", "F"),
        example_steps=8,
    )


def sink(x: Value) -> Output:
    axes = ("B", "T", "F") if x.sequence else ("B", "F")
    return Output(
        out=value("y", x.type, x.size, x.sequence), x=x.name, grid=OutputGrid(scale=ONE), axes=axes
    )


def graph(*ops: AnyOp) -> Graph:
    """Realised and verified."""
    return realise_requants(Graph(name="tiny", ops=ops)).verify()


def design(
    g: Graph, pe: int = 1, simd: int = 2, max_steps: int | None = None, board: str = "pynq_z2"
) -> Design:
    return build_design(g, load_board(board), {"pe": pe, "simd": simd}, max_steps)


def lstm_graph(
    inputs: int, hidden: int, *, seed: int = 0, channels: bool = False, bits: int = 8
) -> Graph:
    rng = np.random.default_rng(seed)
    x = source(inputs)
    layer = lstm("cell", x.out, hidden, rng, channels=channels, bits=bits)
    return graph(x, layer, sink(layer.out))
