# SPDX-License-Identifier: Apache-2.0
"""What the HLS C++ does on its way: loops counted, sums compared with those of the RTL."""

from __future__ import annotations

import hls_designs as h
import pytest
from random_engines import random_case
from traces import SAMPLE, SEEDS, check_counts, check_traces, compare

from hwrnn.backends.hls_golden import random_inputs
from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options
from hwrnn.design.schedule import Issues, step_issues
from hwrnn.sim.csim_trace import Accumulation, CsimTrace, trace_csim

pytestmark = pytest.mark.needs_sim
LENGTHS = (3, 1, 2)


def traced(design: Design) -> CsimTrace:
    return trace_csim(design, random_inputs(design, LENGTHS))


def test_an_engine_issues_every_group_of_every_block_once() -> None:
    design = h.design(h.lstm_graph(3, 5), pe=2, simd=2)
    found = traced(design)
    engine = design.engines[0]
    assert (len(engine.blocks), engine.groups) == (5, 3)
    counts = {name: n for name, n in found.counts.items() if name != "cell/WAIT"}
    assert counts == {"cell/ISSUE": 6 * 15, "in_x/BEAT": 6 * 2, "out_y/BEAT": 6 * 3}
    at = [(a.step, a.block, a.group) for a in found.sums["cell"]]
    assert at == [(s, b, g) for s in range(6) for b in range(5) for g in range(3)]


@pytest.mark.parametrize(("pe", "simd"), [(4, 7), (3, 2)])
def test_an_engine_waits_as_long_as_in_the_rtl(pe: int, simd: int) -> None:
    """One block for all of a step, and many: the turns of a sequence are the schedule's cycles."""
    design = h.design(h.lstm_graph(3, 4), pe=pe, simd=simd)
    engine, steps = design.engines[0], 6
    found = trace_csim(design, random_inputs(design, [steps]))
    before: Issues = {}
    cycles = 0
    for _ in range(steps):
        before, cycles = step_issues(engine, cycles, before)
    assert found.counts["cell/ISSUE"] + found.counts["cell/WAIT"] == cycles


def test_waiting_is_not_issuing() -> None:
    """A group a step, which waits for the step before of its own stream."""
    graph, options = h.lstm_graph(3, 4), Options(streams=3)
    design = build_design(graph, h.BOARD, {"pe": 4, "simd": 7}, options=options)
    found = traced(design)
    assert found.counts["cell/ISSUE"] == sum(LENGTHS)
    check_counts(design, found.counts, LENGTHS)


def test_a_difference_is_named() -> None:
    one = Accumulation(step=2, block=1, group=0, sums=(7, 8))
    other = Accumulation(step=2, block=1, group=0, sums=(7, 9))
    compare("cell", [one], [one])
    with pytest.raises(AssertionError, match=r"cell: csim .*sums=\(7, 8\).*, rtl .*sums=\(7, 9\)"):
        compare("cell", [one, one], [one, other])
    with pytest.raises(AssertionError, match="cell: 1 groups in csim, 2 in rtl"):
        compare("cell", [one], [one, one])


@pytest.mark.parametrize("seed", SAMPLE)
def test_both_back_ends_accumulate_the_same(seed: int) -> None:
    """A quarter of the sweep; `make sweep` runs all."""
    assert seed in SEEDS
    check_traces(random_case(seed))
