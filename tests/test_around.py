# SPDX-License-Identifier: Apache-2.0
"""What stands around the recurrence in hardware: equal to the C-model, and on time."""

from __future__ import annotations

import pytest
from random_around import random_chain, random_folding
from rtl.bench import BOARD, check, draw, reference, same

import hwrnn
from hwrnn.cmodel.fast import compile_graph
from hwrnn.design.design import Kernel, Reverse
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options
from hwrnn.design.timing import schedule
from hwrnn.errors import DesignError
from hwrnn.ir.text import parse_graph
from hwrnn.sim.csim import simulate_csim

SEEDS = range(60)
BUILT = (3, 28, 37)  # among them every kernel


@pytest.mark.parametrize("seed", SEEDS)
def test_both_c_models_and_the_schedule_take_any_chain(seed: int) -> None:
    graph, lengths = random_chain(seed)
    design = build_design(graph, BOARD, random_folding(graph, seed))
    sequences = draw(design, lengths)
    expected = reference(graph, sequences)
    model = compile_graph(graph)
    for x, y in zip(sequences, expected, strict=True):
        found = model.run({"x": x[:, None, :]})["y"]
        same([found[:, 0] if graph.outputs[0].out.sequence else found], [y])
    beats = sum(len(y) for y in expected) * design.sink.x.beats
    assert len(schedule(design, lengths).delivered) == beats  # and no deadlock


def test_the_chains_that_are_built_have_every_kernel() -> None:
    met: set[type[Kernel]] = set()
    for seed in BUILT:
        graph, _ = random_chain(seed)
        met |= {type(k) for k in build_design(graph, BOARD, random_folding(graph, seed)).kernels}
    assert {k.__name__ for k in met} >= {"Slide", "Combine", "Embed", "Zip", "ArgMax", "Repeat"}


@pytest.mark.needs_sim
@pytest.mark.parametrize("seed", BUILT)
def test_csim_equals_the_c_model(seed: int) -> None:
    graph, lengths = random_chain(seed)
    design = build_design(graph, BOARD, random_folding(graph, seed))
    sequences = draw(design, lengths)
    same(simulate_csim(design, sequences), reference(graph, sequences))


@pytest.mark.needs_sim
@pytest.mark.parametrize("seed", BUILT)
def test_rtl_equals_the_c_model_cycle_by_cycle_under_stalls(seed: int) -> None:
    graph, lengths = random_chain(seed)
    design = build_design(graph, BOARD, random_folding(graph, seed))
    sequences = draw(design, lengths)
    check(design, sequences, reference(graph, sequences))


LONGER = """graph longer {
  %x: -8..7 x 2 seq = input {quantiser = {scale = 1}, axes = [B, T, F], example_steps = 2}
  %m: -8..7 x 2 = reduce %x {how = max}
  %r: -8..7 x 2 seq = repeat %m {steps = 7}
  %w: -8..7 x 4 seq = window %r {size = 2, stride = 1, before = 1, after = 1, fill = 3}
  %b: -8..7 x 4 seq = reverse %w
  %c: -8..7 x 8 seq = concat %w, %b
  %y: -8..7 x 8 seq = output %c {grid = {scale = 1}, axes = [B, T, F]}
}"""


@pytest.mark.needs_sim
def test_what_is_reversed_may_be_longer_than_the_longest_input() -> None:
    graph = parse_graph(LONGER).verify()
    design = build_design(graph, BOARD, max_steps=3)
    assert [k.max_steps for k in design.kernels if isinstance(k, Reverse)] == [8]
    sequences = draw(design, [3, 1, 2])
    check(design, sequences, reference(graph, sequences))


@pytest.mark.parametrize("seed", range(12))
def test_any_chain_is_emitted_and_estimated(seed: int) -> None:
    design = hwrnn.build(random_chain(seed)[0], board="pynq_z2")
    assert "hls_project/golden_out.txt" in hwrnn.emit(design, "both")
    assert hwrnn.estimate(design).latency_cycles > 0


@pytest.mark.parametrize("seed", [5, 7, 8])
def test_verify_draws_sequences_that_are_long_enough_for_their_windows(seed: int) -> None:
    graph, _ = random_chain(seed)
    assert hwrnn.verify(graph, engines=("cmodel",)).ok


def test_sequences_that_are_held_are_not_interleaved() -> None:
    graph, _ = random_chain(37)
    with pytest.raises(DesignError) as caught:
        build_design(graph, BOARD, random_folding(graph, 37), options=Options(streams=2))
    assert str(caught.value) == (
        "option streams: is 2; chain37 slides windows over sequences, which it holds one by one\n"
        "  hint: use streams=1; or place several cores side by side"
    )
