# SPDX-License-Identifier: Apache-2.0
"""A fixed part of the engine sweep (`make sweep` runs all of it), and every past failure.

A failure names its seed: `random_engines.check(random_engines.random_case(seed))` is the test.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_cells import CELLS
from random_engines import MAX_STREAMS, Case, Drawer, check, random_case
from rtl import bench
from rtl.bench import draw

import hwrnn
from hwrnn.ir.types import of_bits

SAMPLE = (0, 12, 25, 38, 40, 41, 43)


def drawn() -> list[Case]:
    return [random_case(seed) for seed in SAMPLE]


def test_the_sample_has_what_the_sweep_has() -> None:
    cases = drawn()
    assert {cell for c in cases for cell in c.cells} == set(CELLS)
    assert {c.pipeline for c in cases} == {"clock", "latency"}
    assert {c.directions for c in cases} == {"one", "two", "shared"}
    assert {c.shared_block for c in cases} == {False, True}
    assert any(len(c.lengths) < c.streams for c in cases)
    assert max(c.streams for c in cases) == MAX_STREAMS


def test_a_seed_is_always_the_same_case() -> None:
    one, other = random_case(SAMPLE[0]), random_case(SAMPLE[0])
    assert (one.graph, one.folding, one.lengths) == (other.graph, other.folding, other.lengths)


@pytest.mark.needs_sim
@pytest.mark.parametrize("seed", SAMPLE)
def test_hardware_equals_the_model_in_the_cycles_of_the_schedule(seed: int) -> None:
    check(random_case(seed))


def test_what_nothing_depends_on_takes_no_multiplier() -> None:
    """A failure of the sweep: sums that only such ops read were gates without a datapath."""
    d = Drawer(0)
    m, style = d.maker, d.style()
    at = m.input(3, of_bits(4, signed=True))
    xt, (h,) = m.begin(style, at, 1)
    m.round(m.mul(m.gate(xt), m.product(h)))
    h_next = m.gate(xt, h, to=style.act)
    graph = m.graph(m.finish(at, xt, {h: h_next}, h_next))
    (engine,) = hwrnn.build(graph).engines
    assert len(engine.gates) == 1
    assert [p.op.out.name for p in engine.datapath.ops][-1] == h_next.name


@pytest.mark.needs_sim
def test_a_state_is_read_before_its_next_value_is_written() -> None:
    """Past failures: h takes g as it was, long before a later op reads h; a body of no products."""
    d = Drawer(3)
    m, style = d.maker, replace(d.style(), units=5)
    at = m.input(5, of_bits(6, signed=True))
    xt, (h,) = m.begin(style, at, 1)
    h_next = m.round(m.add(h, xt))
    at = m.finish(at, xt, {h: h_next}, h_next)
    xt, (h, g) = m.begin(style, at, 2)
    g_next = m.round(m.add(m.gate(xt, g, h, to=style.act), h))
    graph = m.graph(m.finish(at, xt, {h: g, g: g_next}, g_next))
    design = hwrnn.build(graph, folding={"pe": 2, "simd": 3})
    sequences = draw(design, (4, 1, 3))
    x = [hwrnn.run(graph, s[None], integers=True) for s in sequences]
    bench.check(design, sequences, [np.asarray(y)[0] for y in x])
