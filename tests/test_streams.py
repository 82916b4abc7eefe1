# SPDX-License-Identifier: Apache-2.0
"""Several sequences interleave step by step: TID through every kernel, the ports, the drivers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from rtl.bench import BOARD, check, draw, of_kernels, raw, reference, same
from rtl.graphs import Build

import hwrnn
from hwrnn.design.design import (
    AxisIn,
    AxisOut,
    Concat,
    Design,
    Dwc,
    Fork,
    Interleave,
    Kernel,
    SelectStep,
    Separate,
    Stream,
)
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options
from hwrnn.errors import ToolError
from hwrnn.ir import IntType, Step
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import Stalls
from hwrnn.sim.rtl_beats import Bytes, Ints, PortShape, by_stream, from_beats, to_beats
from hwrnn.sim.verilate import Driver

LENGTHS = (3, 1, 5, 2, 2, 4, 1)
S6 = of_bits(6, signed=True)
RANDOM = Stalls(input_idle=0.4, output_stall=0.4, seed=7)


def stream(name: str, features: int, lanes: int, streams: int, t: IntType = S6) -> Stream:
    return Stream(name=name, type=t, segments=(features,), lanes=lanes, streams=streams)


def kernels_between(x: Stream, y: Stream, *kernels: Kernel) -> Design:
    """A design of these kernels between the ports."""
    return of_kernels([AxisIn(name="x", out=x), *kernels, AxisOut(name="y", x=y)], x.type)


@pytest.mark.parametrize("streams", [2, 3, 16, 300])
@pytest.mark.parametrize(("features", "lanes"), [(5, 3), (1, 1)])
def test_beats_of_streams_round_trip(streams: int, features: int, lanes: int) -> None:
    port = PortShape(features=features, lanes=lanes, bits=8, signed=True, streams=streams)
    rng = np.random.default_rng(streams)
    sent: list[Ints] = [rng.integers(-9, 9, (n, features)) for n in LENGTHS]
    beats = to_beats(port, sent)
    assert beats.shape == (sum(LENGTHS) * port.beats, port.octets + port.id_octets + 1)
    same(from_beats(port, beats), sent)


def test_a_step_of_each_stream_in_turn() -> None:
    """What the rows of three sequences on two streams are: TDATA, TID, TLAST."""
    port = PortShape(features=1, lanes=1, bits=8, signed=True, streams=2)
    sent = [
        np.array(
            [
                [
                    n,
                ]
                for n in row
            ]
        )
        for row in ([1, 2, 3], [11], [21])
    ]
    rows = to_beats(port, sent).tolist()
    assert rows == [[1, 0, 0], [11, 1, 1], [2, 0, 0], [3, 0, 1], [21, 0, 1]]


def broken_rows(*changes: tuple[int, int, int]) -> Bytes:
    port = two_beats()
    rows = to_beats(port, [np.array([[1, 2]]), np.array([[3, 4]])])
    for row, column, value in changes:
        rows[row, column] = value
    return rows


def two_beats() -> PortShape:
    return PortShape(features=2, lanes=1, bits=8, signed=True, streams=3)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ([(0, 1, 3)], "TID 3 came out of 3 streams"),
        ([(0, 1, 1)], "TID changes inside a step of the output"),
        ([(1, 2, 0)], "the output ends inside a sequence"),
        ([(0, 2, 1)], "TLAST on beat 1, inside a step of 2"),
        ([(0, 1, 1), (1, 1, 1)], "stream 0 gave 0 of 2 sequences, not 1"),
    ],
)
def test_broken_output_is_refused(changes: list[tuple[int, int, int]], text: str) -> None:
    with pytest.raises(ToolError, match=text):
        from_beats(two_beats(), broken_rows(*changes))


@pytest.mark.needs_sim
@pytest.mark.parametrize("streams", [2, 3, 16])
def test_ports_and_width_converters(streams: int) -> None:
    """5 features in beats of 2, then 3, then 2: one vector at a time in each converter."""
    a, b, c = (stream(n, 5, lanes, streams) for n, lanes in (("a", 2), ("b", 3), ("c", 2)))
    design = kernels_between(a, c, Dwc(name="d", x=a, out=b), Dwc(name="e", x=b, out=c))
    sequences = draw(design, LENGTHS)
    check(design, sequences, sequences)
    check(design, sequences[:2], sequences[:2], [RANDOM])  # fewer sequences than streams


@pytest.mark.needs_sim
@pytest.mark.parametrize("step", list(Step))
def test_select_step(step: Step) -> None:
    x, y = stream("x", 5, 2, 3), stream("y", 5, 2, 3)
    design = kernels_between(x, y, SelectStep(name="s", x=x, out=y, step=step))
    sequences = draw(design, LENGTHS)
    keep = slice(0, 1) if step is Step.FIRST else slice(-1, None)
    check(design, sequences, [s[keep] for s in sequences])


@pytest.mark.needs_sim
def test_fork_and_concat() -> None:
    x, y = stream("x", 4, 2, 3), stream("y", 8, 2, 3, of_bits(9, signed=True))
    outs = tuple(
        Stream(name=n, type=S6, segments=(4,), lanes=2, depth=4, streams=3) for n in ("a", "b")
    )
    design = kernels_between(x, y, Fork(name="f", x=x, outs=outs), Concat(name="c", xs=outs, out=y))
    sequences = draw(design, LENGTHS)
    check(design, sequences, [np.hstack([s, s]) for s in sequences])


@pytest.mark.needs_sim
@pytest.mark.parametrize("count", [2, 3])
def test_interleave_and_separate(count: int) -> None:
    """Copies become streams, converted together, and outputs again: one after the other."""
    x, y = stream("x", 5, 2, 1), stream("y", 5 * count, 3, 1)
    copies = tuple(
        Stream(name=f"a{k}x", type=S6, segments=(5,), lanes=2, depth=3) for k in range(count)
    )
    many, wide = stream("m", 5, 2, count), stream("w", 5, 3, count)
    outs = tuple(stream(f"b{k}x", 5, 3, 1) for k in range(count))
    both = Stream(name="both", type=S6, segments=(5,) * count, lanes=3)
    design = kernels_between(
        x,
        y,
        Fork(name="f", x=x, outs=copies),
        Interleave(name="i", xs=copies, out=many),
        Dwc(name="d", x=many, out=wide),
        Separate(name="s", x=wide, outs=outs),
        Concat(name="c", xs=outs, out=both),
        Dwc(name="p", x=both, out=y),
    )
    sequences = draw(design, LENGTHS[:4])
    check(design, sequences, [np.hstack([s] * count) for s in sequences])


def network(layers: int, streams: int, *, last: bool, fold: tuple[int, int]) -> Design:
    b = Build(4)
    value = b.input(5, S6)
    for _ in range(layers):
        value = b.lstm(value, 4)
    value = b.select(value) if last else value
    graph = b.graph(b.dense(value, 3))
    folding = {"pe": fold[0], "simd": fold[1]}
    return build_design(graph, BOARD, folding, None, Options(streams=streams))


NETWORKS = [
    (1, 2, False, (2, 2)),
    (1, 3, False, (1, 9)),
    (1, 16, True, (2, 3)),
    (2, 3, False, (2, 4)),
    (2, 4, True, (3, 2)),
]


@pytest.mark.needs_sim
@pytest.mark.parametrize(("layers", "streams", "last", "fold"), NETWORKS)
def test_networks(layers: int, streams: int, last: bool, fold: tuple[int, int]) -> None:
    """Sequences of different lengths, more than streams and fewer, free and stalled."""
    design = network(layers, streams, last=last, fold=fold)
    lengths = (*LENGTHS, 2, 6) if streams < 8 else tuple(1 + k % 5 for k in range(37))
    sequences = draw(design, lengths)
    expected = reference(design.graph, sequences)
    check(design, sequences, expected)
    few = min(streams - 1, 2)
    check(design, sequences[:few], expected[:few], [Stalls(), RANDOM])


@pytest.mark.needs_sim
def test_simulate_and_estimate() -> None:
    """The public functions: a batch of different lengths, outputs in its order, exact cycles."""
    design = network(2, 3, last=False, fold=(2, 4))
    rng = np.random.default_rng(5)
    x = rng.integers(-32, 32, (7, 6, 5))
    lengths = [6, 1, 4, 2, 5, 3, 6]
    found = hwrnn.simulate(design, x, engine="rtl", lengths=lengths)
    expected = hwrnn.run(design.graph, x, integers=True, lengths=lengths)
    np.testing.assert_array_equal(found.outputs, expected)
    assert found.cycles == hwrnn.estimate(design).cycles(lengths)


@pytest.mark.needs_sim
@pytest.mark.parametrize("engine", ["csim", "hls_dpi"])
def test_the_cpp_engines(engine: str) -> None:
    """The same order of steps, and the outputs put back to their sequences."""
    design = network(2, 3, last=False, fold=(2, 4))
    x = np.random.default_rng(6).integers(-32, 32, (5, 4, 5))
    lengths = [4, 1, 3, 2, 4]
    found = hwrnn.simulate(design, x, engine=engine, lengths=lengths)
    expected = hwrnn.run(design.graph, x, integers=True, lengths=lengths)
    np.testing.assert_array_equal(found.outputs, expected)


@pytest.mark.needs_sim
def test_a_stream_that_is_cut_off_does_not_touch_the_others() -> None:
    """Stream 1's second step is cut off by stream 0: 1 ends there, with zeros; 0 and 2 go on."""
    design = network(1, 3, last=False, fold=(2, 2))
    x, y = PortShape.of(design.source.out), PortShape.of(design.sink.x)
    sequences = draw(design, (3, 2, 3))
    rows = to_beats(x, sequences)
    second = 4 * x.beats  # the second step of stream 1
    rows = np.delete(rows, slice(second + 1, second + x.beats), axis=0)
    cut = sequences[1].copy()
    cut[1, x.lanes :] = 0
    report = raw(design, rows, 3, RANDOM)
    assert report.error
    same(from_beats(y, report.beats), reference(design.graph, [sequences[0], cut, sequences[2]]))


class Sender:
    """Rows of beats, step by step, on the streams of a shell of 5 features in beats of 2."""

    def __init__(self, streams: int = 3) -> None:
        x = stream("x", 5, 2, streams)
        y = stream("y", 5, 3, streams)
        self.design = kernels_between(x, y, Dwc(name="d", x=x, out=y))
        self.port, self.out = PortShape.of(x), PortShape.of(y)
        self.rng = np.random.default_rng(1)
        self.rows: list[Bytes] = []
        self.expected: list[list[Ints]] = [[] for _ in range(streams)]
        self.open: list[list[Ints]] = [[] for _ in range(streams)]

    def step(self, stream: int, *, last: bool = False, beats: int = 3, tlast: bool = False) -> None:
        """A step, of which only so many beats are sent; `tlast`: on the last of these."""
        value = self.rng.integers(-32, 32, (1, 5))
        rows = to_beats(replace(self.port, streams=1), [value])
        rows = np.insert(rows, -1, stream, axis=1)[:beats]
        rows[-1, -1] = last or tlast
        value[0, beats * 2 :] = 0
        self.rows.append(rows)
        self.open[stream].append(value)
        if last or beats < 3:
            self.expected[stream].append(np.concatenate(self.open[stream]))
            self.open[stream] = []

    def stray(self, tid: int) -> None:
        """A beat that belongs to no stream."""
        self.rows.append(np.array([[1, 2, tid, 1]], dtype=np.uint8))

    def same(self, driver: Driver, stalls: Stalls, *, error: bool) -> None:
        """All that is expected comes out, stream by stream, and the error bit is right."""
        count = sum(map(len, self.expected))
        report = raw(self.design, np.concatenate(self.rows), count, stalls, driver)
        assert not report.deadlock
        assert not report.left_over
        assert report.error == error
        for got, expected in zip(by_stream(self.out, report.beats), self.expected, strict=True):
            same(got, expected)


def independent() -> Sender:
    """Stream 1 never comes, 2 begins late, 0 ends early and begins again."""
    s = Sender()
    for stream, last in ((0, 0), (0, 1), (2, 0), (2, 0), (0, 1), (2, 0), (0, 0), (2, 1), (0, 1)):
        s.step(stream, last=bool(last))
    return s


def broken() -> Sender:
    """A step cut off after 1, 2 beats by another stream; beats of no stream; a short TLAST."""
    s = Sender()
    s.step(0)
    s.step(1)
    s.step(0, beats=1)
    s.step(2, beats=2)
    s.step(1, last=True)
    s.stray(3)
    s.step(0)
    s.step(2, beats=1, tlast=True)
    s.stray(3)
    s.step(0, last=True)
    s.step(1, beats=2)
    s.step(2, last=True)
    return s


def stray_in_mid_step() -> Sender:
    """The beat of no stream is dropped; the step goes on."""
    s = Sender()
    s.step(1)
    first, second = s.rows[0][:1], s.rows[0][1:]
    s.rows = [first]
    s.stray(3)
    s.rows.append(second)
    s.step(1, last=True)
    return s


@pytest.mark.needs_sim
@pytest.mark.parametrize("driver", [Driver.HARNESS, Driver.COCOTB])
@pytest.mark.parametrize("stalls", [Stalls(), RANDOM], ids=["free", "stalled"])
@pytest.mark.parametrize(
    ("sender", "error"), [(independent, False), (broken, True), (stray_in_mid_step, True)]
)
def test_protocol(
    sender: Callable[[], Sender], error: bool, stalls: Stalls, driver: Driver
) -> None:
    sender().same(driver, stalls, error=error)
