# SPDX-License-Identifier: Apache-2.0
"""Cells of every kind in the recurrent engine: both pipelines, several streams, shared engines.

Each run equals the C-model bit for bit, and the schedule cycle for cycle, under stalls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from rtl.bench import BOARD, STALLS, check, check_graph, draw, lower, reference, same, scheduled
from rtl.cells import CELLS, cell_graph
from rtl.graphs import Build

from hwrnn.design.estimate import cycles_per_step
from hwrnn.design.latency import Pipeline
from hwrnn.design.lower import build_design, layers
from hwrnn.design.options import Directions, Options
from hwrnn.ir import AnyOp, Graph, Requant, Value
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import simulate_rtl
from hwrnn.transforms.realise import channel_lines, thresholds

pytestmark = pytest.mark.needs_sim

UNITS = 5
ONE = Options()
QUICK = Options(pipeline=Pipeline.LATENCY)
THREE = Options(streams=3)
QUICK_FOUR = Options(pipeline=Pipeline.LATENCY, streams=4)
# pe, columns that simd leaves out (0: all of x and of the states in one block), options
FOLDS = {
    "small": (2, None, ONE),
    "all": (UNITS, 0, QUICK_FOUR),
    "nearly": (3, 1, QUICK),
    "single": (1, None, THREE),
    "groups": (4, 0, THREE),
}
WITH = dict(
    zip(
        CELLS,
        [("small", "all"), ("groups", "nearly"), ("single", "all")] * len(CELLS),
        strict=False,
    )
)
CASES = [(kind, fold) for kind in CELLS for fold in WITH[kind]]
CASES += [("reset_before", f) for f in ("nearly", "groups")] + [("level_by_group", "small")]


@pytest.mark.parametrize(("kind", "fold"), CASES)
def test_cell(kind: str, fold: str) -> None:
    graph = cell_graph(kind, 3, units=UNITS)
    pe, left_out, options = FOLDS[fold]
    simd = 3 - (fold == "single") if left_out is None else layers(graph)[0].columns - left_out
    lengths = (5, 1, 2, 7, 3, 1, 1, 4)
    stalls = (STALLS[0], STALLS[1], STALLS[2])
    design = check_graph(graph, lengths, pe=pe, simd=simd, options=options, stalls=stalls)
    outputs = np.concatenate(reference(graph, draw(design, lengths)))
    assert len(np.unique(outputs)) > 8  # the numbers are lively


def test_constants_of_one_number_and_of_powers_of_two() -> None:
    """The cases above draw constants for every channel; these are literals, and shifts."""
    graph = cell_graph("peepholes", 4, power_of_two=True)
    check_graph(graph, pe=3, simd=8, options=QUICK, stalls=STALLS[:2])


def test_a_step_every_cycle() -> None:
    """With as many streams as a step takes, a fully unrolled cell never waits."""
    graph = cell_graph("coupled", 5, inputs=2, units=2)
    slow = lower(graph, 2, 4, options=QUICK)
    streams = slow.engines[0].state_latency
    design = lower(graph, 2, 4, options=replace(QUICK, streams=streams))
    sequences = draw(design, (9,) * streams)
    run = simulate_rtl(design, sequences)
    same(run.outputs, reference(graph, sequences))
    scheduled(design, sequences, run)
    assert cycles_per_step(slow) == streams > 2
    assert {b - a for a, b in pairwise(run.out_times)} == {1}


@pytest.mark.parametrize("kind", ["plain", "coupled", "reset_after", "reset_before"])
def test_steady_state_of_larger_cells(kind: str) -> None:
    graph = cell_graph(kind, 2, inputs=32, units=64)
    design = lower(graph, 4, 16, options=QUICK)
    sequences = draw(design, (12,))
    run = simulate_rtl(design, sequences)
    same(run.outputs, reference(graph, sequences))
    scheduled(design, sequences, run)
    ends = run.out_times[15::16]
    assert ends[-1] - ends[-2] == cycles_per_step(design)


def both_directions(bits: int, *, channels: bool) -> Graph:
    b = Build(4)
    x = b.input(3, of_bits(8, signed=True))
    back = b.reverse(b.lstm(b.reverse(x), UNITS, 4, bits, channels=channels))
    return b.graph(b.concat(b.lstm(x, UNITS, 4, bits, channels=channels), back))


def by_thresholds(graph: Graph) -> Graph:
    """Every requantiser by thresholds: searched if there are many."""

    def searched(op: AnyOp, scope: Mapping[str, Value]) -> AnyOp:
        assert isinstance(op, Requant)
        return replace(op, realised=thresholds(op, channel_lines(op), scope[op.x].type))

    return graph.rewrite(Requant, searched).verify()


@pytest.mark.parametrize(
    ("bits", "channels", "searched", "fold"),
    [
        (5, True, False, (2, 3)),
        (5, False, False, (UNITS, 8)),
        (5, True, True, (2, 3)),
        (5, False, True, (UNITS, 8)),
        (3, True, True, (4, 5)),
    ],
)
def test_directions_that_share_an_engine(
    bits: int, channels: bool, searched: bool, fold: tuple[int, int]
) -> None:
    """Weights, tables, initial values and constants of every form, of two cells."""
    graph = both_directions(bits, channels=channels)
    graph = by_thresholds(graph) if searched else graph
    pipeline = Pipeline.CLOCK if channels else Pipeline.LATENCY
    options = Options(directions=Directions.SHARED, pipeline=pipeline)
    design = build_design(graph, BOARD, {"pe": fold[0], "simd": fold[1]}, 8, options)
    assert [len(e.cells) for e in design.engines] == [2]
    sequences = draw(design, (5, 1, 2, 7))
    check(design, sequences, reference(graph, sequences), STALLS[:3])
