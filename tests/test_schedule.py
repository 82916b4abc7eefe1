# SPDX-License-Identifier: Apache-2.0
"""The law of the engine: its cycles in closed form, and what stands between two registers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from bodies import gru, leaky, random_cell
from graphs import GraphMaker

import hwrnn
from hwrnn.design.design import Datapath, Design, Engine, Map, ceil_div
from hwrnn.design.latency import Pipeline
from hwrnn.design.schedule import steady_cycles, step_issues
from hwrnn.design.timing import schedule
from hwrnn.ir import Add, AnyOp, Graph, Lut, Mul, Requant, ScaleShift, Sub, Thresholds

PIPELINES = ("clock", "latency")


def engine_of(graph: Graph, pe: int, simd: int, pipeline: str, streams: int = 1) -> Engine:
    folding = {"pe": pe, "simd": simd}
    return hwrnn.build(graph, folding=folding, pipeline=pipeline, streams=streams).engines[0]


def lstm(inputs: int, units: int) -> Graph:
    return GraphMaker(features=inputs).lstm(units).graph()


SHAPES = [
    tuple(int(n) for n in (inputs, units, rng.integers(1, units + 1), rng.integers(1, 40)))
    for rng in [np.random.default_rng(3)]
    for inputs, units in rng.integers(1, 30, (40, 2))
]


def legal(inputs: int, units: int, simd: int) -> int:
    return min(simd, inputs + units)


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize(("inputs", "units", "pe", "simd"), SHAPES)
def test_an_lstm_takes_the_cycles_of_the_formula(
    inputs: int, units: int, pe: int, simd: int, pipeline: str
) -> None:
    simd = legal(inputs, units, simd)
    engine = engine_of(lstm(inputs, units), pe, simd, pipeline)
    groups, wait = ceil_div(units, pe), engine.state_latency
    assert engine.shared == (simd >= inputs + units)
    if engine.shared:
        assert steady_cycles(engine) == groups - 1 + wait
    else:
        x = groups * ceil_div(inputs, simd)
        needed = ceil_div(min(simd, units), pe)
        hidden = max(0, wait + needed - 1 - groups - x)
        assert steady_cycles(engine) == x + groups * ceil_div(units, simd) + hidden


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize(("inputs", "units", "pe", "simd"), SHAPES[:20])
def test_a_gru_with_a_product_within_the_step_waits_twice(
    inputs: int, units: int, pe: int, simd: int, pipeline: str
) -> None:
    simd = legal(inputs, units, simd)
    engine = engine_of(gru(inputs, units, reset_after=False), pe, simd, pipeline)
    groups, within, wait = ceil_div(units, pe), engine.hand_latencies[0], engine.state_latency
    needed = ceil_div(min(simd, units), pe)
    blocks = groups * ceil_div(units, simd)
    more = blocks + max(0, within + needed - 1 - groups)
    if engine.shared:
        assert steady_cycles(engine) == groups - 1 + wait + more
    else:
        x = groups * ceil_div(inputs, simd)
        tail = max(0, wait + needed - 1 - groups - x)
        assert steady_cycles(engine) == x + blocks + more + tail


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize(("inputs", "units", "pe", "simd"), SHAPES[:10])
def test_states_that_no_matrix_reads_wait_group_by_group(
    inputs: int, units: int, pe: int, simd: int, pipeline: str
) -> None:
    engine = engine_of(leaky(inputs, units), pe, min(simd, inputs), pipeline)
    assert engine.by_group
    x = ceil_div(units, pe) * ceil_div(inputs, engine.simd)
    assert steady_cycles(engine) == max(x, engine.state_latency)


def general(engine: Engine) -> tuple[int, int]:
    """The form that all others are cases of: cycles of a step with all that it waits for within
    it, and the same with the wait for the step before.
    """
    r = engine.groups
    needed = ceil_div(min(engine.simd, engine.units), engine.pe)
    inner = sum(max(0, wait + needed - 1 - r) for wait in engine.hand_latencies[:-1])
    work = r * len(engine.blocks) + inner
    if engine.shared:
        return work, work + engine.state_latency - 1
    tail = engine.state_latency + needed - 1 - r - r * engine.x.beats
    return work, work + max(0, tail)


@pytest.mark.parametrize("seed", range(60))
def test_any_cell_takes_the_cycles_of_the_general_form(seed: int) -> None:
    engine = random_engine(seed)
    assert steady_cycles(engine) == general(engine)[1]


@pytest.mark.parametrize("seed", range(60))
def test_streams_hide_the_wait_for_the_step_before(seed: int) -> None:
    """A round of all streams: their work, or what one stream alone takes."""
    engine = random_engine(seed)
    work, alone = general(engine)
    for streams in (2, 3, 7):
        assert steady_cycles(replace(engine, streams=streams)) == max(streams * work, alone)


def random_engine(seed: int) -> Engine:
    rng = np.random.default_rng(1000 + seed)
    graph = random_cell(seed)
    free = hwrnn.build(graph).engines[0]
    columns = free.x.features + free.units * sum(v.level == 0 for v in free.vectors)
    pe, simd = rng.integers(1, free.units + 1), rng.integers(1, columns + 1)
    return engine_of(graph, int(pe), int(simd), PIPELINES[seed % 2])


def test_the_random_cells_reach_every_kind() -> None:
    engines = [random_engine(seed) for seed in range(60)]
    assert {len(e.hands) for e in engines} == {1, 2, 3}
    assert {e.shared for e in engines} == {True, False}
    assert max(sum(v.level == 0 for v in e.vectors) for e in engines) == 2
    waits = {(steady_cycles(e) > general(e)[0], busy(e) < general(e)[0]) for e in engines}
    assert waits >= {(False, False), (True, False), (True, True)}  # for the step before, within


def busy(engine: Engine) -> int:
    return engine.groups * len(engine.blocks)


def test_no_bubble_when_the_work_covers_the_wait() -> None:
    engine = engine_of(lstm(64, 128), 4, 16, "clock")
    before, end = step_issues(engine, 0, {})
    after, later = step_issues(engine, end, before)
    assert later - end == engine.groups * len(engine.blocks) == 384
    issues = [*before[0], *after[0]]
    assert all(a < b for a, b in pairwise(issues))


DESIGNS: dict[str, Callable[[], Design]] = {
    "paper": lambda: build(lstm(64, 128), 4, 16),
    "small": lambda: build(lstm(3, 5), 2, 3),
    "unrolled": lambda: build(lstm(6, 20), 20, 26),
    "latency": lambda: build(lstm(6, 20), 20, 26, pipeline="latency"),
    "four streams": lambda: build(lstm(6, 20), 20, 26, streams=4),
    "many streams": lambda: build(lstm(6, 20), 20, 26, streams=16),
    "streams of a folded layer": lambda: build(lstm(5, 7), 7, 5, streams=3),
    "reset before": lambda: build(gru(3, 5, reset_after=False), 2, 3),
    "reset before, streams": lambda: build(gru(3, 5, reset_after=False), 5, 8, streams=2),
    "reset after": lambda: build(gru(3, 5, reset_after=True), 5, 3, pipeline="latency"),
    "leaky": lambda: build(leaky(3, 5), 5, 3),
}


def build(graph: Graph, pe: int, simd: int, pipeline: str = "clock", streams: int = 1) -> Design:
    folding = {"pe": pe, "simd": simd}
    return hwrnn.build(graph, folding=folding, pipeline=pipeline, streams=streams)


@pytest.mark.parametrize("name", DESIGNS)
def test_the_estimate_says_the_same(name: str) -> None:
    design = DESIGNS[name]()
    assert hwrnn.estimate(design).cycles_per_step == steady_cycles(design.engines[0])


def test_a_stream_alone_waits_only_for_itself() -> None:
    """Fifteen idle streams cost nothing: a sequence has the steps of a design with one stream."""
    one, many = (build(lstm(6, 20), 20, 26, streams=n) for n in (1, 16))
    assert schedule(one, [9]).delivered == schedule(many, [9]).delivered


def test_a_stream_that_has_ended_leaves_its_turns_to_the_others() -> None:
    design = build(lstm(6, 20), 20, 26, streams=2)
    both, short = (schedule(design, lengths).cycles for lengths in ([9, 9], [9, 1]))
    assert short == schedule(build(lstm(6, 20), 20, 26), [9]).cycles
    assert short == both - 1


def op_items(op: AnyOp) -> int:
    """Items of an op, counted apart from hwrnn.design.latency."""
    match op:
        case Add() | Sub() | Mul() | Lut():
            return 1
        case Requant(realised=ScaleShift(kind=kind)):
            return 1 if kind == "shift" else 2
        case Requant(realised=Thresholds(table=table)):
            few = table.columns <= 15
            return 2 if few else 2 * len(f"{table.columns:b}")
        case _:
            raise AssertionError(op)


def walk(flags: Iterable[bool], depth: int, most: int) -> int:
    """Item after item; fails where more than `most` have no register between them."""
    for register in flags:
        depth += 1
        assert depth <= most
        assert register == (depth == most)  # none is missing, none is wasted
        depth = 0 if register else depth
    return depth


def walk_mac(engine: Engine, most: int) -> int:
    """From the operand register to the sums; the items behind the last register."""
    levels = len(f"{engine.simd - 1:b}") if engine.simd > 1 else 0
    flags = engine.mac_registers
    assert len(flags) == 1 + -(-levels // 2) + (len(engine.blocks) > 1)
    if len(engine.blocks) == 1:
        return walk(flags, 0, most)
    assert walk(flags[:-1], 0, most) + 1 <= most
    assert flags[-1]  # the accumulator is a register in any case
    return 0


def walk_path(path: Datapath, entering: int, most: int) -> None:
    """Every op: its operands are there, in time, and not through too many items."""
    there = {v.name: (0, entering) for v in path.ports}
    there |= {c.out.name: (0, 0) for c in path.consts}
    there |= {r.value.name: (r.stage, 0) for r in path.reads}
    for placed in path.ops:
        operands = [there[name] for name in placed.op.operands()]
        assert all(stage <= placed.stage for stage, _ in operands)
        late = [depth for stage, depth in operands if stage == placed.stage]
        depth = max(late, default=0)  # what came earlier is held in registers
        assert len(placed.registers) == op_items(placed.op)
        depth = walk(placed.registers, depth, most)
        assert placed.depth == depth
        there[placed.op.out.name] = (placed.stage + sum(placed.registers), depth)
    assert {name: stage for name, (stage, _) in there.items()} == path.ready()


def walk_design(design: Design, pipeline: Pipeline) -> None:
    most = {Pipeline.CLOCK: 1, Pipeline.LATENCY: 3}[pipeline]
    for kernel in design.kernels:
        if isinstance(kernel, Map):
            walk_path(kernel.datapath, 0, most)
        if isinstance(kernel, Engine):
            entering = walk_mac(kernel, most)
            for hand in kernel.hands:
                walk_path(hand.datapath, entering, most)


@pytest.mark.parametrize("pipeline", Pipeline)
@pytest.mark.parametrize("seed", range(30))
def test_between_two_registers_there_is_no_more_than_is_said(seed: int, pipeline: Pipeline) -> None:
    rng = np.random.default_rng(seed)
    graph = random_cell(seed)
    pe, simd = (int(rng.integers(1, n + 1)) for n in (units_of(graph), columns_of(graph)))
    for fold in ((pe, simd), (units_of(graph), columns_of(graph))):  # one block, too
        walk_design(build(graph, *fold, pipeline=pipeline.value), pipeline)


def units_of(graph: Graph) -> int:
    return hwrnn.build(graph).engines[0].units


def columns_of(graph: Graph) -> int:
    engine = hwrnn.build(graph).engines[0]
    return engine.x.features + engine.units * sum(v.level == 0 for v in engine.vectors)


@pytest.mark.parametrize("pipeline", Pipeline)
def test_registers_of_networks(pipeline: Pipeline) -> None:
    """Float scales give thresholds and multipliers; dense layers have tails."""
    layers = GraphMaker(features=3).lstm(5, "a", float_scales=True).lstm(4, "b")
    graph = layers.dense(7, "d", quantised=True).dense(2, "e").graph()
    kinds = {op.realised.__class__ for op in requants(graph)}
    assert kinds == {ScaleShift, Thresholds}
    for simd in (1, 2, 3, 4, 8):
        folding = {"a": {"simd": simd}, "b": {"simd": simd}}
        walk_design(hwrnn.build(graph, folding=folding, pipeline=pipeline.value), pipeline)


def requants(graph: Graph) -> list[Requant]:
    inner = [op for scan in graph.ops if hasattr(scan, "body") for op in scan.body.ops]
    return [op for op in (*graph.ops, *inner) if isinstance(op, Requant)]
