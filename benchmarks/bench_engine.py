# SPDX-License-Identifier: Apache-2.0
"""The engine against its bars: cycles counted in Verilator, and clocks after place and route.

Cycles per step are those of the simulated handshakes: a sequence of 100 steps less one of 99.
LSTMs are Brevitas modules of published shapes (tests/shapes.py), other cells are random bodies
(tests/random_cells.py). Every output is compared with `hwrnn.run`.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

import shapes  # noqa: E402 - after the path
from random_cells import CELLS, Maker, Style  # noqa: E402
from shapes import Shape, spec  # noqa: E402

import hwrnn  # noqa: E402
from hwrnn.backends.rtl import emit_rtl, top_name  # noqa: E402
from hwrnn.design.design import Design, Engine  # noqa: E402
from hwrnn.ir import Graph, Rounding  # noqa: E402
from hwrnn.ir.types import of_bits  # noqa: E402
from hwrnn.sim.rtl import simulate_rtl  # noqa: E402
from hwrnn.synth import Source, place  # noqa: E402

STEPS = 100
SEEDS = (1, 2, 3)  # of nextpnr
SPEED_GRADE = 8
ECP5_BOARD = "ulx3s_85f"
Fold = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A figure of a design, and the bar that it has to reach; cycles from above, others from
    below. `measured` gives all that was measured.
    """

    design: str
    figure: str
    bar: float
    measured: Callable[[], list[float]]
    least: bool = False

    def row(self) -> dict[str, object]:
        """A line of the table."""
        found = self.measured()
        reached = min(found) >= self.bar if self.least else max(found) <= self.bar
        return {
            "design": self.design,
            "figure": self.figure,
            "bar": f"{'at least' if self.least else 'at most'} {self.bar:g}",
            "measured": ", ".join(f"{v:g}" for v in found),
            "reached": "yes" if reached else "no",
        }


def rows() -> Iterator[dict[str, object]]:
    """One row for each bar."""
    return (bar.row() for bar in (*folded(), *unrolled(), *formulas(), *clocks()))


def lstm(name: str, inputs: int, hidden: int, bits: int = 8, *, both: bool = False) -> Shape:
    """A layer with power-of-two scales, every step read."""
    return Shape(
        name=name,
        source="",
        spec=spec(
            inputs,
            hidden,
            "sequence",
            (),
            weights=bits,
            bits=bits,
            steps=STEPS,
            bidirectional=both,
            pot=True,
        ),
        steps=STEPS,
        board="alveo_u250",
        folding={},
    )


def first_layer(shape: Shape) -> Shape:
    """A published shape without what stands behind its first layer."""
    return replace(shape, spec=replace(shape.spec, select="sequence", dense=()))


LAYER = lstm("LSTM 64 -> 128, 8 bit", 64, 128)
QUICKDRAW = first_layer(shapes.QUICKDRAW)
FINN_L = first_layer(shapes.FINN_L)
TOP_TAGGER = lstm("top tagger", 6, 20)
SMALL = lstm("LSTM 4 -> 8, W4A4", 4, 8, bits=4)


@cache
def graph_of(shape: Shape) -> Graph:
    """The exported Brevitas module, read back."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        path = Path(folder) / f"{shape.name.split()[0]}.onnx"
        hwrnn.export(shape.build(), shape.inputs(1), path)
        return hwrnn.load(path)


@cache
def cell_graph(name: str, inputs: int, units: int) -> Graph:
    """A layer of any cell of tests/random_cells.py, 8 bit."""
    act = of_bits(8, signed=True)
    style = Style(
        units=units,
        weight=8,
        act=act,
        gate=of_bits(8, signed=False),
        channels=False,
        rounding=Rounding.HALF_EVEN,
        seed=0,
    )
    maker = Maker(1, power_of_two=True)
    return maker.graph(CELLS[name](maker, style, maker.input(inputs, act)))


def build(graph: Graph, pe: int, simd: int, **options: object) -> Design:
    """A design on a large board."""
    folding = {"pe": pe, "simd": simd}
    return hwrnn.build(graph, "alveo_u250", folding=folding, **options)  # type: ignore[arg-type]


def cycles(design: Design, sequences: int, steps: int) -> int:
    """Cycles of the RTL for sequences of so many steps; the outputs are those of the C-model."""
    t, features = design.source.out.type, design.source.out.features
    rng = np.random.default_rng(0)
    x = rng.integers(t.lo, t.hi + 1, (sequences, steps, features))
    run = simulate_rtl(design, list(x))
    expected = hwrnn.run(design.graph, in_axes(design.graph, x), integers=True)
    assert isinstance(expected, np.ndarray)
    got = in_axes(design.graph, np.stack(run.outputs))
    if not np.array_equal(got, expected) or run.cycles is None:
        raise AssertionError(f"{design.name}: the outputs differ from those of the C-model")
    return run.cycles


def in_axes(graph: Graph, x: np.ndarray) -> np.ndarray:
    """Sequences of steps in the order of the graph's axes."""
    return x if graph.inputs[0].axes[0] == "B" else x.swapaxes(0, 1)


def per_step(design: Design) -> list[float]:
    """Cycles for one more step of each stream, by the number of streams."""
    n = design.streams
    return [(cycles(design, n, STEPS) - cycles(design, n, STEPS - 1)) / n]


def per_column(design: Design) -> list[float]:
    """Cycles for a step of one more sequence, once all buffers are at work."""
    return [(cycles(design, 4, STEPS) - cycles(design, 3, STEPS)) / STEPS]


def busy(design: Design) -> list[float]:
    """Percent of all multipliers that multiply by a weight of the model, cycle by cycle."""
    engine = only_engine(design)
    needed = sum(gate.weights.array.size for gate in engine.gates)
    there = len(engine.gates) * engine.pe * engine.simd
    return [100 * needed / (there * per_step(design)[0])]


def only_engine(design: Design) -> Engine:
    """The engine of a design that has one."""
    (engine,) = design.engines
    return engine


def clock(design: Design) -> list[float]:
    """MHz after place and route, by seed."""
    source = Source(files=emit_rtl(design), top=top_name(design), family=design.board.family)
    placed = (place(design.board, source, seed=s, speed=SPEED_GRADE) for s in SEEDS)
    return [round(p.fmax_mhz, 1) for p in placed]


def folded() -> Iterator[Bar]:
    """Engines that multiply in every cycle."""
    layer = build(graph_of(LAYER), 4, 16)
    name = f"{LAYER.name}, pe 4, simd 16"
    yield Bar(design=name, figure=CYCLES, bar=384, measured=lambda: per_step(layer))
    yield Bar(
        design=name,
        figure="% of multipliers busy",
        bar=100,
        measured=lambda: busy(layer),
        least=True,
    )
    quickdraw = build(graph_of(QUICKDRAW), 4, 16)
    yield Bar(
        design="QuickDraw, first layer 3 -> 128, pe 4, simd 16",
        figure=CYCLES,
        bar=288,
        measured=lambda: per_step(quickdraw),
    )
    for text, pe, simd, directions in (
        ("two engines of pe 10, simd 16", 10, 16, "two"),
        ("one engine of pe 10, simd 32", 10, 32, "shared"),
    ):
        both = build(graph_of(FINN_L), pe, simd, directions=directions, max_steps=STEPS)
        yield Bar(
            design=f"FINN-L 32 -> 128 + 128, {text}",
            figure="cycles per column, both directions",
            bar=130,
            measured=lambda both=both: per_column(both),
        )


CYCLES = "cycles per step"


def unrolled() -> Iterator[Bar]:
    """The smallest latency of a step; with as many streams, a step in every cycle."""
    graph = graph_of(TOP_TAGGER)
    for pipeline, bar in (("latency", 10), ("clock", 16)):
        one = build(graph, 20, 26, pipeline=pipeline)
        name = f'top tagger 6 -> 20, W8A8, unrolled, "{pipeline}"'
        yield Bar(design=name, figure=CYCLES, bar=bar, measured=lambda one=one: per_step(one))
        streams = only_engine(one).state_latency
        many = build(graph, 20, 26, pipeline=pipeline, streams=streams)
        yield Bar(
            design=f"{name}, {streams} streams",
            figure=CYCLES,
            bar=1,
            measured=lambda many=many: per_step(many),
        )


def formulas() -> Iterator[Bar]:
    """Other cells on the engine; the bars are worked out by the formulas of docs/engine.md."""
    for name in (
        "plain rnn",
        "cifg",
        "gru, linear_before_reset 1",
        "gru, linear_before_reset 0",
    ):
        for pe, simd in ((4, 16), (64, 96)):
            design = build(cell_graph(name, 32, 64), pe, simd)
            yield Bar(
                design=f"{name}, 32 -> 64, pe {pe}, simd {simd}",
                figure=CYCLES,
                bar=formula(only_engine(design)),
                measured=lambda design=design: per_step(design),
            )


def formula(engine: Engine) -> int:
    """Cycles per step, by the formulas in hwrnn.design.schedule."""
    h, i = engine.units, engine.x.features
    groups, latency = up(h, engine.pe), engine.state_latency
    h_cycles = groups * up(h, engine.simd)
    inner = len(engine.hands) > 1
    wait = max(0, engine.hand_latencies[0] + up(min(engine.simd, h), engine.pe) - 1 - groups)
    if engine.simd >= i + h and not inner:
        return groups - 1 + latency
    x_cycles = groups * up(i, engine.simd)
    tail = max(0, latency + up(min(engine.simd, h), engine.pe) - 1 - groups - x_cycles)
    return x_cycles + h_cycles + inner * (h_cycles + wait) + tail


def up(a: int, b: int) -> int:
    """The quotient a / b, rounded up."""
    return -(-a // b)


def clocks() -> Iterator[Bar]:
    """What clock a small unrolled cell reaches on an ECP5."""
    for pipeline, bar in (("latency", 40), ("clock", 80)):
        design = hwrnn.build(
            graph_of(SMALL),
            ECP5_BOARD,
            folding={"pe": 8, "simd": 12},
            pipeline=pipeline,
        )
        yield Bar(
            design=f'{SMALL.name}, unrolled, "{pipeline}", ECP5 grade {SPEED_GRADE}',
            figure=f"MHz, seeds {', '.join(map(str, SEEDS))}",
            bar=bar,
            measured=lambda design=design: clock(design),
            least=True,
        )
