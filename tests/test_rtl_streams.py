# SPDX-License-Identifier: Apache-2.0
"""Stream kernels in simulation: idles x back-pressure x parameters, nothing lost, nothing left."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from rtl.bench import check, draw, of_kernels

from hwrnn.design.design import (
    AxisIn,
    AxisOut,
    Concat,
    Design,
    Dwc,
    Fork,
    Kernel,
    Reverse,
    SelectStep,
    Stream,
)
from hwrnn.ir import IntType, Step
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import simulate_rtl
from hwrnn.sim.rtl_beats import Ints, PortShape, from_beats, to_beats

pytestmark = pytest.mark.needs_sim

LENGTHS = (3, 1, 5, 2, 2, 4)


def chain(t: IntType, *parts: tuple[tuple[int, ...], int, int]) -> Design:
    """Width converters in a row; a part is (segments, lanes, depth of its stream)."""
    streams = [
        Stream(name=f"s{k}x", type=t, segments=s, lanes=n, depth=d)
        for k, (s, n, d) in enumerate(parts)
    ]
    converters: list[Kernel] = [
        Dwc(name=f"dwc{k}x", x=x, out=out) for k, (x, out) in enumerate(pairwise(streams))
    ]
    source, sink = AxisIn(name="x", out=streams[0]), AxisOut(name="y", x=streams[-1])
    return of_kernels([source, *converters, sink], t)


DWC = [
    (of_bits(8, signed=True), ((6,), 3, 2), ((6,), 2, 2)),
    (of_bits(1, signed=False), ((7,), 3, 2), ((7,), 5, 4)),
    (of_bits(4, signed=True), ((5,), 1, 3), ((5,), 5, 2)),
    (of_bits(12, signed=True), ((9,), 9, 2), ((9,), 2, 2)),
    (of_bits(3, signed=False), ((8,), 4, 2), ((3, 5), 2, 2), ((8,), 3, 2)),
    (of_bits(33, signed=True), ((2,), 1, 2), ((2,), 2, 2)),
    (of_bits(2, signed=True), ((4,), 4, 2), ((4,), 4, 5)),
    (IntType(3, 200), ((10,), 7, 2), ((4, 4, 2), 4, 2), ((10,), 10, 2)),
]


@pytest.mark.parametrize("case", DWC, ids=lambda c: "-".join(f"{p[0]}x{p[1]}" for p in c[1:]))
def test_width_converter(case: tuple[IntType, tuple[tuple[int, ...], int, int]]) -> None:
    design = chain(*case)
    sequences = draw(design, LENGTHS)
    check(design, sequences, sequences)


@pytest.mark.parametrize("depth", [2, 3, 7])
def test_fork_and_concat(depth: int) -> None:
    """Two copies of a vector, one after the other: the second waits in its FIFO."""
    t = of_bits(5, signed=True)
    x = Stream(name="x", type=t, segments=(5,), lanes=2)
    outs = tuple(
        Stream(name=n, type=t, segments=(5,), lanes=2, depth=max(depth, 3)) for n in ("a", "b")
    )
    y = Stream(name="y", type=t, segments=(5, 5), lanes=2, depth=depth)
    z = Stream(name="z", type=t, segments=(10,), lanes=3)
    design = of_kernels(
        [
            AxisIn(name="x", out=x),
            Fork(name="f", x=x, outs=outs),
            Concat(name="c", xs=outs, out=y),
            Dwc(name="d", x=y, out=z),
            AxisOut(name="o", x=z),
        ],
        t,
    )
    sequences = draw(design, LENGTHS)
    check(design, sequences, [np.hstack([s, s]) for s in sequences])


def test_concat_widens() -> None:
    """Inputs narrower than the output are extended by their sign."""
    t, wide = of_bits(4, signed=True), of_bits(7, signed=True)
    x = Stream(name="x", type=t, segments=(3,), lanes=3)
    outs = tuple(Stream(name=n, type=t, segments=(3,), lanes=3, depth=4) for n in ("a", "b"))
    y = Stream(name="y", type=wide, segments=(6,), lanes=3)
    design = of_kernels(
        [
            AxisIn(name="x", out=x),
            Fork(name="f", x=x, outs=outs),
            Concat(name="c", xs=outs, out=y),
            AxisOut(name="o", x=y),
        ],
        t,
    )
    sequences = draw(design, LENGTHS)
    check(design, sequences, [np.hstack([s, s]) for s in sequences])


@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize(("features", "lanes"), [(4, 4), (5, 2)])
def test_select_step(step: Step, features: int, lanes: int) -> None:
    t = of_bits(6, signed=True)
    x = Stream(name="x", type=t, segments=(features,), lanes=lanes)
    y = Stream(name="y", type=t, segments=(features,), lanes=lanes)
    design = of_kernels(
        [
            AxisIn(name="x", out=x),
            SelectStep(name="s", x=x, out=y, step=step),
            AxisOut(name="o", x=y),
        ],
        t,
    )
    sequences = draw(design, LENGTHS)
    keep = slice(0, 1) if step is Step.FIRST else slice(-1, None)
    check(design, sequences, [s[keep] for s in sequences])


@pytest.mark.parametrize(("features", "lanes", "depth"), [(3, 3, 3), (5, 2, 2), (1, 1, 6)])
def test_reverse(features: int, lanes: int, depth: int) -> None:
    t = of_bits(6, signed=True)
    x = Stream(name="x", type=t, segments=(features,), lanes=lanes)
    y = Stream(name="y", type=t, segments=(features,), lanes=lanes, depth=depth)
    design = of_kernels(
        [
            AxisIn(name="x", out=x),
            Reverse(name="r", x=x, out=y, max_steps=5),
            AxisOut(name="o", x=y),
        ],
        t,
    )
    sequences = draw(design, LENGTHS)
    check(design, sequences, [s[::-1] for s in sequences])


@pytest.mark.parametrize("depth", [2, 3])
def test_whole_sequences_in_the_input_shell(depth: int) -> None:
    t = of_bits(6, signed=True)
    x = Stream(name="x", type=t, segments=(5,), lanes=2, depth=depth)
    design = of_kernels([AxisIn(name="x", out=x, max_steps=5), AxisOut(name="o", x=x)], t)
    sequences = draw(design, LENGTHS)
    check(design, sequences, sequences)


def test_no_sequences_no_beats() -> None:
    design = chain(*DWC[0])  # type: ignore[arg-type]
    run = simulate_rtl(design, [])
    assert (run.outputs, run.cycles, run.error) == ([], None, False)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16, 24, 40])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("features", "lanes"), [(5, 3), (4, 4), (1, 1)])
def test_beats_round_trip(bits: int, signed: bool, features: int, lanes: int) -> None:
    port = PortShape(features=features, lanes=lanes, bits=bits, signed=signed)
    t = of_bits(bits, signed=signed)
    rng = np.random.default_rng(bits)
    sent: list[Ints] = [rng.integers(t.lo, t.hi + 1, (n, features)) for n in (3, 1, 4)]
    beats = to_beats(port, sent)
    assert beats.shape == (8 * port.beats, port.octets + 1)
    for a, b in zip(from_beats(port, beats), sent, strict=True):
        np.testing.assert_array_equal(a, b)
