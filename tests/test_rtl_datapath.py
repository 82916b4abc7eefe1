# SPDX-License-Identifier: Apache-2.0
"""Every element-wise module over all of its inputs, against the plain meaning of its op."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from rtl.bench import check, of_kernels

from hwrnn.cmodel.plain import evaluate
from hwrnn.design.cell import place
from hwrnn.design.design import AxisIn, AxisOut, Datapath, Design, Map, Stream
from hwrnn.design.latency import Pipeline, items, threshold_items
from hwrnn.ir import (
    Add,
    AnyOp,
    Const,
    IntMatrix,
    IntType,
    Lut,
    Mul,
    Realisation,
    Requant,
    ScaleShift,
    Sub,
    Thresholds,
    Ties,
    Value,
)
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import Stalls
from hwrnn.sim.rtl_beats import Ints

pytestmark = pytest.mark.needs_sim

UNITS, LANES = 5, 2
BUSY = (Stalls(), Stalls(input_idle=0.2, output_stall=0.5, seed=7))


def mapped(
    x: IntType,
    ops: Sequence[AnyOp],
    consts: tuple[Const, ...] = (),
    pipeline: Pipeline = Pipeline.CLOCK,
) -> Design:
    """A Map of 5 elements in beats of 2: the last group has a lane to spare."""
    port = Value(name="x", type=x, size=UNITS)
    out = ops[-1].out
    path = Datapath(
        lanes=LANES,
        units=UNITS,
        ports=(port,),
        consts=consts,
        ops=tuple(place(ops, {port.name: (0, 0)}, pipeline)),
    )
    source = Stream(name="in", type=x, segments=(UNITS,), lanes=LANES)
    sink = Stream(name="out", type=out.type, segments=(UNITS,), lanes=LANES, depth=4)
    return of_kernels(
        [
            AxisIn(name="i", out=source),
            Map(name="m", x=source, out=sink, datapath=path, result=out.name),
            AxisOut(name="o", x=sink),
        ],
        x,
    )


def everything(x: IntType) -> list[Ints]:
    """Steps that bring every number of a range to every channel, in sequences of odd lengths."""
    column = np.arange(x.lo, x.hi + 1)
    steps = np.stack([np.roll(column, 3 * k) for k in range(UNITS)], axis=1)
    return np.array_split(steps, 3)


def verify(
    x: IntType,
    ops: Sequence[AnyOp],
    consts: tuple[Const, ...] = (),
    pipeline: Pipeline = Pipeline.CLOCK,
) -> None:
    sequences = everything(x)
    expected = []
    for s in sequences:
        values = {"x": s} | {c.out.name: np.tile(c.values, (len(s), 1)) for c in consts}
        types = {"x": x} | {c.out.name: c.out.type for c in consts}
        for op in ops:
            values[op.out.name] = evaluate(op, values, types)
            types[op.out.name] = op.out.type
        expected.append(values[ops[-1].out.name])
    check(mapped(x, ops, consts, pipeline), sequences, expected, BUSY)


def requant(y: IntType, how: Realisation, name: str = "y", x: str = "x") -> Requant:
    """The ratio plays no part once it is realised."""
    one = (Fraction(1),)
    out = Value(name=name, type=y, size=UNITS)
    return Requant(out=out, x=x, ratio=one, offset=one, realised=how)


S9, U9 = of_bits(9, signed=True), of_bits(9, signed=False)
SCALES = {
    "shift": ScaleShift(mul=(8,), add=(64,), shift=7, ties=Ties.EVEN),
    "shift_keep": ScaleShift(mul=(1,), add=(-3,), shift=4, ties=Ties.KEEP),
    "no_shift": ScaleShift(mul=(1,), add=(5,), shift=0, ties=Ties.EVEN),
    "shift_channels": ScaleShift(
        mul=(1, 2, 4, 8, 1), add=(8, -9, 100, 8, 0), shift=4, ties=Ties.EVEN
    ),
    "scale": ScaleShift(mul=(181,), add=(1 << 11,), shift=12, ties=Ties.KEEP),
    "scale_even": ScaleShift(mul=(48,), add=(128,), shift=8, ties=Ties.EVEN),
    "scale_channels": ScaleShift(
        mul=(181, 3, 77, 1000, 512), add=(7, -5000, 0, 123, 2048), shift=12, ties=Ties.EVEN
    ),
    "scale_wide": ScaleShift(
        mul=((1 << 61) + 12345,), add=((1 << 70) + 1,), shift=66, ties=Ties.KEEP
    ),
    "mul_channels_one_add": ScaleShift(mul=(3, 5, 7, 9, 11), add=(6,), shift=3, ties=Ties.EVEN),
}


@pytest.mark.parametrize("name", sorted(SCALES))
def test_scale(name: str) -> None:
    """Signed, with a range around 0; then unsigned, with a range beside it."""
    verify(S9, [requant(of_bits(5, signed=True), SCALES[name])])
    if name.endswith("channels") or name == "shift":
        verify(U9, [requant(IntType(2, 50), SCALES[name])])


@pytest.mark.parametrize(
    ("levels", "x"),
    [(2, S9), (3, IntType(3, 90)), (16, S9), (17, U9), (20, IntType(3, 90)), (64, S9)],
)
@pytest.mark.parametrize("channels", [1, UNITS])
def test_thresholds(levels: int, channels: int, x: IntType) -> None:
    rng = np.random.default_rng(levels)
    rows = np.sort(rng.integers(x.lo - 3, x.hi + 4, (channels, levels - 1)), axis=1)
    y = IntType(-(levels // 3), levels - levels // 3 - 1)
    op = requant(y, Thresholds(table=IntMatrix(rows)))
    assert len(items(op)) == (2 if levels <= 16 else 2 * (levels - 1).bit_length())
    verify(x, [op])


def test_latency_of_thresholds() -> None:
    assert [len(threshold_items(n)) for n in (1, 15, 16, 31, 32, 255)] == [2, 2, 10, 10, 12, 16]


@pytest.mark.parametrize("x", [of_bits(6, signed=True), of_bits(6, signed=False), IntType(-3, 40)])
def test_lut(x: IntType) -> None:
    table = tuple((37 * k + 5) % 200 - 77 for k in range(x.levels))
    out = Value(name="y", type=IntType(min(table), max(table)), size=UNITS)
    verify(x, [Lut(out=out, x="x", table=table)])


@pytest.mark.parametrize("kind", [Add, Sub, Mul])
@pytest.mark.parametrize("values", [(7,) * UNITS, (-3, 9, 0, -16, 15)])
@pytest.mark.parametrize("x", [of_bits(6, signed=True), IntType(2, 50)])
def test_pairs_with_constants(
    kind: type[Add | Sub | Mul], values: tuple[int, ...], x: IntType
) -> None:
    """A constant on either side, at two stages, so that it is read from two ROMs."""
    t = IntType(min(values), max(values))
    c = Const(out=Value(name="c", type=t, size=UNITS), values=values)
    first = pair(kind, "p", ("x", x), ("c", t))
    second = pair(kind, "q", ("c", t), ("p", first.out.type))
    verify(x, [first, second, pair(Sub, "r", ("q", second.out.type), ("x", x))], (c,))


def pair(
    kind: type[Add | Sub | Mul], name: str, a: tuple[str, IntType], b: tuple[str, IntType]
) -> Add | Sub | Mul:
    guess = Value(name=name, type=a[1], size=UNITS)
    reach = kind(out=guess, a=a[0], b=b[0]).reach(a[1], b[1])
    return kind(out=Value(name=name, type=reach, size=UNITS), a=a[0], b=b[0])


@pytest.mark.parametrize("adders", [0, 1, 2])
def test_a_register_after_every_third_item(adders: int) -> None:
    """Every module with its registers at every place, and constants of its channels there."""
    rng = np.random.default_rng(adders)
    c = Const(out=Value(name="c", type=IntType(-3, 9), size=UNITS), values=(-3, 9, 0, -1, 5))
    ops: list[AnyOp] = []
    for k in range(adders):
        x = (ops[-1].out.name, ops[-1].out.type) if ops else ("x", S9)
        ops.append(pair(Add, f"a{k}", x, ("c", c.out.type)))
    source, reach = (ops[-1].out.name, ops[-1].out.type) if ops else ("x", S9)
    s7, s6, s4 = (of_bits(n, signed=True) for n in (7, 6, 4))
    many = np.sort(rng.integers(s7.lo, s7.hi + 2, (UNITS, s6.levels - 1)), axis=1)
    table = tuple(int(v) for v in rng.integers(reach.lo, reach.hi + 1, s6.levels))
    few = np.sort(rng.integers(s6.lo, s6.hi + 2, (UNITS, s4.levels - 1)), axis=1)
    ops += [
        requant(s7, SCALES["scale_channels"], "scaled", source),
        requant(s6, Thresholds(table=IntMatrix(many)), "searched", "scaled"),
        Lut(out=Value(name="read", type=reach, size=UNITS), x="searched", table=table),
        requant(s6, SCALES["shift_channels"], "shifted", "read"),
        requant(s4, Thresholds(table=IntMatrix(few)), "compared", "shifted"),
        pair(Mul, "product", ("compared", s4), ("c", c.out.type)),
        pair(Sub, "difference", ("c", c.out.type), ("compared", s4)),
    ]
    ops.append(pair(Add, "y", *((op.out.name, op.out.type) for op in ops[-2:])))
    verify(S9, ops, (c,), Pipeline.LATENCY)


def test_no_register_at_all() -> None:
    x = of_bits(6, signed=True)
    c = Const(out=Value(name="c", type=IntType(-3, 9), size=UNITS), values=(-3, 9, 0, -1, 5))
    design = mapped(x, [pair(Mul, "y", ("x", x), ("c", c.out.type))], (c,), Pipeline.LATENCY)
    assert [k.out_latency for k in design.kernels if isinstance(k, Map)] == [0]
    verify(x, [pair(Mul, "y", ("x", x), ("c", c.out.type))], (c,), Pipeline.LATENCY)


def test_an_op_that_is_not_realised_is_refused() -> None:
    x = of_bits(4, signed=True)
    out = Value(name="y", type=x, size=UNITS)
    op = Requant(out=out, x="x", ratio=(Fraction(1),), offset=(Fraction(0),))
    with pytest.raises(ValueError, match="%y is not realised yet"):
        len(items(op))
