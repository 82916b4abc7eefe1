# SPDX-License-Identifier: Apache-2.0
"""The netlist of a whole board core, cell by cell, behind a pseudo-terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rtl.graphs import Build
from uart_boards import SCALE, ran, with_grids

import hwrnn.device
from hwrnn.backends.shell import emit_shell
from hwrnn.board import Family, load_board
from hwrnn.design.lower import build_design
from hwrnn.errors import ToolError
from hwrnn.ir import Graph, OutputGrid, Quantiser
from hwrnn.ir.types import of_bits
from hwrnn.sim.uart import Line, simulated
from hwrnn.sim.verilate import Driver, Source, Variant, compile_rtl
from hwrnn.synth.simulate import map_core, mapped, models
from hwrnn.synth.yosys import Netlist

S8 = of_bits(8, signed=True)


def tiny() -> Graph:
    """An LSTM 2 -> 4, a vector for each step."""
    b = Build(3)
    graph = b.graph(b.lstm(b.input(2, S8), 4), "tiny")
    return with_grids(graph, Quantiser(scale=(SCALE,), type=S8), OutputGrid(scale=(SCALE,)))


@pytest.mark.needs_sim
@pytest.mark.needs_synth
@pytest.mark.needs_device
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_85f"])
def test_the_netlist_of_a_core_is_the_c_model(name: str) -> None:
    board, graph = load_board(name), tiny()
    design = build_design(graph, board, {"pe": 1, "simd": 1}, None, None)
    core = map_core(emit_shell(design, 4), board)
    x = np.random.default_rng(0).integers(S8.lo, S8.hi + 1, (20, 4, 2))
    for seed in (0, 1):  # of what no cell defines at power-on
        with (
            simulated(core, Line(seed=seed)) as port,
            hwrnn.device.connect(port.port, model=design) as device,
        ):
            q = device.infer(x, integers=True)
            np.testing.assert_array_equal(q, ran(graph, x, integers=True))
            status, health = device.status(), device.health
            assert not status.error
            assert status.damaged == health.damaged_answers == health.damaged_requests == 0
        assert port.received > x.shape[0] * x.shape[1] * 4


@pytest.mark.needs_synth
def test_no_model_of_an_ice40_drives_what_drives_it(tmp_path: Path) -> None:
    """A reset would be cleared by the initial value of a port that it is connected to."""
    (tmp_path / "stat.json").write_text('{"modules": {"top": {"num_cells_by_type": {}}}}')
    listed = models(Netlist(family=Family.ICE40, top="top", folder=tmp_path))["rtl/files.f"]
    assert "+define+NO_ICE40_DEFAULT_ASSIGNMENTS" in listed.split()


@pytest.mark.needs_sim
@pytest.mark.needs_synth
def test_a_cell_of_an_ice40_with_an_open_port_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stat.json").write_text(
        '{"modules": {"top": {"num_cells_by_type": {"SB_LUT4": 1}}}}'
    )
    cell = "SB_LUT4 lut (.I0(a_i), .I1(a_i), .I3(a_i), .O(b_o));"
    (tmp_path / "netlist.v").write_text(f"module top (input a_i, output b_o); {cell} endmodule")
    core = mapped(Netlist(family=Family.ICE40, top="top", folder=tmp_path))
    with pytest.raises(ToolError, match="missing pin: 'I2'"):
        compile_rtl(
            Source(files=core.files, top=core.top), Variant(driver=Driver.UART, netlist=True)
        )
