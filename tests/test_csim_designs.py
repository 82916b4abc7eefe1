# SPDX-License-Identifier: Apache-2.0
"""The emitted HLS C++, compiled by g++, equals the graph evaluated op by op in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import hls_designs as h
import numpy as np
import pytest

from hwrnn.backends.hls_golden import expected, lengths_of, random_inputs
from hwrnn.design.design import AxisIn, AxisOut, Design, Dwc, Stream
from hwrnn.errors import DataError
from hwrnn.ir import (
    Concat,
    Const,
    Flatten,
    Graph,
    IntMatrix,
    IntType,
    Lut,
    MatVec,
    Requant,
    Reverse,
    Rounding,
    Select,
    Step,
    Thresholds,
    Value,
)
from hwrnn.ir.types import of_bits
from hwrnn.sim.csim import simulate_csim

pytestmark = pytest.mark.needs_sim
RNG = np.random.default_rng
S4 = of_bits(4, signed=True)


def check(design: Design, seed: int = 0) -> None:
    xs = random_inputs(design, (*lengths_of(design), *lengths_of(design)), seed)
    got = simulate_csim(design, xs)
    for x, y in zip(xs, got, strict=True):
        np.testing.assert_array_equal(y, expected(design, x))


@pytest.mark.parametrize(("pe", "simd"), [(1, 1), (3, 4), (5, 2), (7, 7)])
def test_an_lstm_at_any_folding(pe: int, simd: int) -> None:
    check(h.design(h.lstm_graph(5, 7), pe, simd))


def test_an_lstm_with_constants_of_its_own_for_each_channel() -> None:
    check(h.design(h.lstm_graph(4, 5, channels=True), pe=2, simd=3))


def test_an_lstm_of_few_bits_has_ports_below_a_byte() -> None:
    rng = RNG(3)
    x = h.source(3, S4)
    layer = h.lstm("cell", x.out, 5, rng, bits=2, act=4, ratio=Fraction(1, 7))
    design = h.design(h.graph(x, layer, h.sink(layer.out)), pe=3, simd=3)
    check(design)


def test_16_bit_tables_and_sums_beyond_32_bits() -> None:
    x = h.source(3, of_bits(16, signed=True))
    layer = h.lstm("cell", x.out, 4, RNG(5), bits=16, act=16, ratio=Fraction(1, 2**18))
    check(h.design(h.graph(x, layer, h.sink(layer.out)), pe=2, simd=2))


def dense(x: Value, units: int, seed: int = 0, bits: int = 8) -> MatVec:
    return h.matvec("dense", x, h.weights(RNG(seed), units, x.size, bits))


@pytest.mark.parametrize("step", [Step.FIRST, Step.LAST])
def test_a_dense_head_on_one_step(step: Step) -> None:
    x = h.source(4)
    layer = h.lstm("cell", x.out, 7, RNG(1))
    pick = Select(out=replace(layer.out, name="picked", sequence=False), x="cell", step=step)
    head = dense(pick.out, 5)
    check(h.design(h.graph(x, layer, pick, head, h.sink(head.out)), pe=3, simd=4))


def test_a_dense_head_on_every_step_behind_a_width_converter() -> None:
    x = h.source(4)
    layer = h.lstm("cell", x.out, 7, RNG(1))
    head = dense(layer.out, 3)
    quantised = h.requant("small", head.out, S4, Fraction(1, 900), RNG(2))
    check(h.design(h.graph(x, layer, head, quantised, h.sink(quantised.out)), pe=2, simd=5))


def test_two_directions_and_a_step_of_their_concatenation() -> None:
    x = h.source(3)
    forward = h.lstm("fw", x.out, 5, RNG(1))
    turned = Reverse(out=replace(x.out, name="x_back"), x="x")
    backward = h.lstm("bw", turned.out, 5, RNG(2))
    back = Reverse(out=replace(backward.out, name="bw_back"), x="bw")
    both = Concat(out=h.value("both", h.S8, 10, sequence=True), xs=("fw", "bw_back"))
    head = dense(both.out, 4)
    g = h.graph(x, forward, turned, backward, back, both, head, h.sink(head.out))
    check(h.design(g, pe=2, simd=3, max_steps=8))


def test_a_whole_sequence_flattened() -> None:
    x = h.source(3)
    layer = h.lstm("cell", x.out, 5, RNG(1))
    flat = Flatten(out=h.value("flat", h.S8, 20), x="cell", steps=4)
    head = dense(flat.out, 3)
    design = h.design(h.graph(x, layer, flat, head, h.sink(head.out)), pe=2, simd=3)
    check(design)
    with pytest.raises(DataError, match="has 5 steps; this network takes 4"):
        simulate_csim(design, [np.zeros((5, 3), dtype=np.int64)])


def test_an_input_whose_range_has_no_zero() -> None:
    x = h.source(5, IntType(3, 6))
    head = dense(x.out, 4)
    check(h.design(h.graph(x, head, h.sink(head.out)), pe=3, simd=2))


def requantised(out: IntType, change: Callable[[Requant], Requant]) -> Graph:
    x = h.source(7, IntType(-300, 299))
    op = change(h.requant("q", x.out, out, Fraction(1, 37)))
    return h.graph(x, op, h.sink(op.out))


def channel_thresholds(op: Requant) -> Requant:
    rows = np.sort(RNG(4).integers(-300, 300, (7, op.out.type.levels - 1)), axis=1)
    return replace(op, realised=Thresholds(table=IntMatrix(rows)))


REQUANTS = {
    "scale": (h.S8, lambda op: op),
    "half": (S4, lambda op: replace(op, ratio=(Fraction(1, 64),))),
    "offset": (S4, lambda op: replace(op, offset=(Fraction(5, 3),))),
    "shift of each channel": (
        h.S8,
        lambda op: replace(op, ratio=tuple(Fraction(1, 2**k) for k in range(7))),
    ),
    "scale of each channel": (
        h.S8,
        lambda op: replace(op, ratio=tuple(Fraction(k, 77) for k in range(1, 8))),
    ),
    "wider": (of_bits(24, signed=True), lambda op: replace(op, ratio=(Fraction(4096, 1),))),
    "constants beyond 64 bits": (
        h.S8,
        lambda op: replace(op, ratio=(Fraction(3, 2**40),), offset=(Fraction(2**50 + 7, 2**73),)),
    ),
    "constants beyond 64 bits, of each channel": (
        h.S8,
        lambda op: replace(
            op,
            offset=tuple(Fraction((-1) ** k * 9 ** (k + 30), 2**96) for k in range(7)),
            ratio=(Fraction(1, 16),),
        ),
    ),
    "unsigned": (of_bits(3, signed=False), lambda op: op),
    "one level": (IntType(2, 2), lambda op: op),
    "floor": (h.S8, lambda op: replace(op, rounding=Rounding.FLOOR)),
    "few thresholds": (of_bits(2, signed=True), channel_thresholds),
    "many thresholds": (of_bits(6, signed=True), channel_thresholds),
}


@pytest.mark.parametrize("case", REQUANTS)
def test_requantisers(case: str) -> None:
    check(h.design(requantised(*REQUANTS[case]), pe=1, simd=1))


def test_states_that_start_elsewhere_and_an_h_that_is_read_twice() -> None:
    """h * z as in a GRU, a constant for each unit, and initial values that differ."""
    x = h.source(3)
    layer = h.lstm("cell", x.out, 5, RNG(1))
    body = layer.body
    first, second = body.states
    first = replace(first, initial=(1, -2, 3, -4, 5), next="h_kept")
    second = replace(second, initial=(7,) * 5)
    gain = Const(out=h.value("gain", IntType(-3, 5), 5), values=(-3, 5, 0, 1, 2))
    made = next(op.out for op in body.ops if op.out.name == "h_new")
    kept = h.mul("old", first.value, gain.out)
    total = h.add("both", kept.out, made)
    last = h.requant("h_kept", total.out, h.S8, Fraction(1, 4))
    ops = (gain, *body.ops, kept, total, last)
    out = replace(layer.outs[0], body_value="h_kept")
    cell = replace(layer, body=replace(body, ops=ops, states=(first, second)), outs=(out,))
    check(h.design(h.graph(x, cell, h.sink(cell.out)), pe=2, simd=2))


def test_a_table_on_the_input_without_an_engine() -> None:
    x = h.source(5, IntType(-2, 1))
    op = Lut(out=h.value("t", IntType(-9, 9), 5, sequence=True), x="x", table=(9, -9, 0, 4))
    check(h.design(h.graph(x, op, h.sink(op.out)), pe=1, simd=1))


def chained(design: Design, shapes: list[tuple[int, tuple[int, ...]]]) -> Design:
    """The design's ports, joined by width converters to each of the shapes in turn."""
    source, sink = design.source, design.sink
    stream = replace(source.out, name="s0")
    kernels: list[AxisIn | Dwc | AxisOut] = [replace(source, out=stream)]
    for k, (lanes, segments) in enumerate(shapes):
        after = Stream(name=f"s{k + 1}", type=stream.type, segments=segments, lanes=lanes)
        kernels.append(Dwc(name=f"dwc{k}", x=stream, out=after))
        stream = after
    return replace(design, kernels=(*kernels, replace(sink, x=stream)))


def test_width_converters_keep_every_element() -> None:
    x = h.source(11)
    design = h.design(h.graph(x, h.sink(x.out)), pe=1, simd=1)
    shapes = [
        (3, (11,)),
        (5, (11,)),
        (2, (4, 7)),
        (7, (1, 9, 1)),
        (1, (11,)),
        (4, (3, 8)),
        (16, (11,)),
        (6, (11,)),
    ]
    check(chained(design, shapes))


def test_wide_ports() -> None:
    x = h.source(150)
    head = dense(x.out, 2)
    check(h.design(h.graph(x, head, h.sink(head.out)), pe=2, simd=150))


@pytest.mark.parametrize(
    ("x", "fact"),
    [
        (np.zeros((3, 4), dtype=np.int64), r"has shape \(3, 4\); the input is \(steps, 5\)"),
        (np.zeros((0, 5), dtype=np.int64), r"has shape \(0, 5\); the input is \(steps, 5\)"),
        (np.full((1, 5), 128), r"holds 128\.\.128; the input is -128\.\.127"),
    ],
)
def test_a_sequence_that_does_not_fit_is_refused(x: np.ndarray, fact: str) -> None:
    with pytest.raises(DataError, match=f"sequence 0: {fact}"):
        simulate_csim(h.design(h.lstm_graph(5, 7)), [x])
