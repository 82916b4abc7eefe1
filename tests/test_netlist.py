# SPDX-License-Identifier: Apache-2.0
"""The netlist of a design, cell by cell, equals the C-model on every family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rtl.bench import STALLS, draw, reference, same, scheduled
from rtl.graphs import Build

import hwrnn
from hwrnn.board import Family
from hwrnn.design.design import Design
from hwrnn.errors import ToolError
from hwrnn.ir import Graph
from hwrnn.ir.types import of_bits
from hwrnn.sim import tools
from hwrnn.sim.netlist import simulate_netlist
from hwrnn.sim.rtl_run import Stalls
from hwrnn.synth.simulate import cell_types, cells_folder, map_design, models
from hwrnn.synth.yosys import Netlist

S4 = of_bits(4, signed=True)
FOLDING = {"pe": 2, "simd": 2}  # two lanes: registers of several products
ONE = {"pe": 1, "simd": 1}
BOARDS = {
    "pynq_z2": "DSP48E1",
    "zcu104": "DSP48E2",
    "ulx3s_85f": "MULT18X18D",
    "icebreaker": "SB_MAC16",
    "tang_nano_20k": "MULT9X9",
}


def lstm() -> Graph:
    b = Build(1)
    return b.graph(b.lstm(b.input(3, S4), 4, w=4, a=4))


@pytest.mark.needs_sim
@pytest.mark.needs_synth
@pytest.mark.parametrize("board", BOARDS)
def test_netlist_is_the_c_model_to_the_bit_and_the_estimate_to_the_cycle(board: str) -> None:
    graph = lstm()
    design = hwrnn.build(graph, board, folding=FOLDING)
    x = np.random.default_rng(0).integers(S4.lo, S4.hi + 1, (6, 9, 3))
    found = hwrnn.simulate(design, x, engine="netlist")
    np.testing.assert_array_equal(found.outputs, hwrnn.run(graph, x, integers=True))
    assert found.cycles == hwrnn.estimate(design, steps=9).cycles(sequences=6)
    netlist = map_design(design).files.data("rtl/netlist.v").decode()
    assert f"  {BOARDS[board]} " in netlist  # a hard multiplier is part of what was simulated


def rnn(seed: int = 1) -> Graph:
    b = Build(seed)
    return b.graph(b.rnn(b.input(2, S4), 2))


@pytest.fixture(scope="module")
def pieces() -> Design:
    """Weights are written, and states go on from packet to packet."""
    return hwrnn.build(
        rnn(), "ulx3s_85f", folding=ONE, state="keep", writable_weights=True, weights="bram"
    )


@pytest.mark.needs_sim
@pytest.mark.needs_synth
@pytest.mark.parametrize("stalls", STALLS[:3], ids=("none", "both", "output"))
def test_a_netlist_of_several_streams_is_on_time_under_stalls(stalls: Stalls) -> None:
    design = hwrnn.build(rnn(), "ulx3s_85f", folding=ONE, streams=3)
    sequences = draw(design, [4, 1, 6, 2, 5])
    run = simulate_netlist(design, sequences, map_design(design), stalls=stalls)
    same(run.outputs, reference(design.graph, sequences))
    scheduled(design, sequences, run)
    assert not run.error


@pytest.mark.needs_sim
@pytest.mark.needs_synth
def test_a_netlist_keeps_its_states_and_takes_other_weights(pieces: Design) -> None:
    x = np.random.default_rng(0).integers(S4.lo, S4.hi + 1, (6, 5, 2))
    first = [True, False, False, True, False, True]
    found = hwrnn.simulate(pieces, x, engine="netlist", first=first)
    exact = hwrnn.run(pieces.graph, x, integers=True, first=first)
    np.testing.assert_array_equal(found.outputs, exact)
    assert np.any(exact != hwrnn.run(pieces.graph, x, integers=True))
    other = rnn(2)
    image = hwrnn.weights(pieces, other)
    found = hwrnn.simulate(pieces, x, engine="netlist", first=first, image=image)
    written = hwrnn.run(other, x, integers=True, first=first)
    np.testing.assert_array_equal(found.outputs, written)
    assert np.any(written != exact)


@pytest.mark.needs_sim
@pytest.mark.needs_synth
def test_fragments_in_a_netlist_are_on_time_under_stalls(pieces: Design) -> None:
    sequences = draw(pieces, [3, 1, 4, 2])
    first = [True, False, True, False]
    stalls = Stalls(input_idle=0.5, output_stall=0.3, seed=1)
    run = simulate_netlist(pieces, sequences, map_design(pieces), stalls=stalls, first=first)
    x = np.zeros((4, 4, 2), dtype=np.int64)
    for k, s in enumerate(sequences):
        x[k, : len(s)] = s
    lengths = [len(s) for s in sequences]
    exact = hwrnn.run(pieces.graph, x, integers=True, lengths=lengths, first=first)
    assert isinstance(exact, np.ndarray)
    same(run.outputs, [exact[k, :n] for k, n in enumerate(lengths)])


@pytest.mark.needs_sim
@pytest.mark.needs_synth
def test_verify_names_the_family_and_the_tool() -> None:
    graph = lstm()
    report = hwrnn.verify(graph, engines=("cmodel", "netlist"), board="icebreaker", folding=FOLDING)
    assert report.check().ok
    rows = report.rows()
    assert [row["engine"] for row in rows] == ["cmodel", "netlist"]
    assert str(rows[1]["tool"]).startswith("ice40 cells of ")
    assert rows[0]["tool"] == ""


def test_a_machine_without_yosys_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda _: None)
    design = hwrnn.build(lstm(), "icebreaker", folding=FOLDING)
    with pytest.raises(ToolError) as caught:
        hwrnn.simulate(design, np.zeros((1, 2, 3), dtype=int), engine="netlist")
    assert caught.value.exit_code == 3
    assert "hwrnn[synth]" in str(caught.value)


@pytest.mark.needs_synth
def test_our_model_of_a_cell_goes_before_yosys_own(tmp_path: Path) -> None:
    (tmp_path / "stat.json").write_text(
        '{"modules": {"\\\\top": {"num_cells_by_type": {"leaf$1": 2, "DP16KD": 1, "LUT4": 1}},'
        ' "leaf$1": {"num_cells_by_type": {"MULT18X18D": 1}}}}'
    )
    netlist = Netlist(family=Family.ECP5, top="top", folder=tmp_path)
    assert cell_types(netlist) == {"DP16KD", "LUT4", "MULT18X18D"}
    listed = models(netlist)["rtl/files.f"].split()
    assert listed[:3] == ["netlist.v", "DP16KD.v", "MULT18X18D.v"]
    assert listed[-1] == "cells_sim.v"
    (tmp_path / "stat.json").write_text('{"modules": {"top": {"num_cells_by_type": {"NOVEL": 1}}}}')
    with pytest.raises(ToolError, match="cell NOVEL: has no model for ecp5"):
        models(Netlist(family=Family.ECP5, top="top", folder=tmp_path))
    assert (cells_folder() / "ecp5" / "DP16KD.v").is_file()
