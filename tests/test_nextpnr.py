# SPDX-License-Identifier: Apache-2.0
"""Place and route with nextpnr, for each family of open tools."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import LIBRARY
from hwrnn.board import Board, Family, load_board
from hwrnn.design.multipliers import choose
from hwrnn.errors import BoardError, DesignError, ToolError
from hwrnn.ir.types import of_bits
from hwrnn.sim import tools
from hwrnn.synth import Placed, Source, place
from hwrnn.synth.devices import chip
from hwrnn.synth.nextpnr import check_seed
from hwrnn.synth.pins import port_widths

ECP5, ICE40, GOWIN = (load_board(b) for b in ("ulx3s_85f", "icebreaker", "tang_nano_20k"))
SMALL_ECP5 = replace(ECP5, part="LFE5U-25F-6BG381C")  # a smaller device is placed sooner
S4 = of_bits(4, signed=True)
COUNTER = """\
module counter (input logic clk_i, output logic top_o);
  logic [7:0] count_q = 8'd0;
  always_ff @(posedge clk_i) count_q <= count_q + 8'd1;
  assign top_o = count_q[7];
endmodule
"""


def array(board: Board) -> Source:
    """A MAC array with more ports than packages have pins."""
    m = choose(board, S4, S4, "packed")
    values = {"Gates": 4, "Pe": 2, "Simd": 2, "AccWidth": 10} | m.parameters()
    files = FileSet({f"rtl/{p.name}": p.read_text() for p in sorted(LIBRARY.glob("*.sv"))})
    return Source(files=files, top="hwrnn_mac_array", family=board.family, parameters=values)


def counter(family: Family) -> Source:
    return Source(files=FileSet({"rtl/counter.sv": COUNTER}), top="counter", family=family)


@pytest.mark.needs_synth
def test_place_and_route_of_an_array_with_more_ports_than_pins() -> None:
    source = array(SMALL_ECP5)
    assert port_widths(source)["acc_o"] == ("output", 80)
    placed = place(SMALL_ECP5, source, speed=8)
    assert placed.wrapped
    assert placed.used["MULT18X18D"] == choose(ECP5, S4, S4, "packed").hard(8, 2) == 8
    assert 30 < placed.fmax_mhz < 600
    period = sum(s.delay_ns for s in placed.path)
    assert period == pytest.approx(1000 / placed.fmax_mhz, rel=0.01)
    assert [placed.path[0].kind, placed.path[-1].kind] == ["clk-to-q", "setup"]


CONSTRAINTS = {
    "ulx3s_85f": 'LOCATE COMP "clk_i" SITE "G2";\nLOCATE COMP "top_o" SITE "B2";\n',
    "icebreaker": "set_io clk_i 35\nset_io top_o 11\n",
    "tang_nano_20k": 'IO_LOC "clk_i" 4;\nIO_LOC "top_o" 15;\n',
}
FF = {"ulx3s_85f": "TRELLIS_FF", "icebreaker": "ICESTORM_LC", "tang_nano_20k": "DFF"}


@pytest.mark.needs_synth
@pytest.mark.parametrize("board", [SMALL_ECP5, ICE40, GOWIN], ids=lambda b: str(b.name))
def test_a_counter_with_pins_on_each_family(board: Board) -> None:
    given = CONSTRAINTS[board.name]
    placed = place(board, counter(board.family), constraints=given)
    assert not placed.wrapped
    assert 8 <= placed.used[FF[board.name]] <= 12
    assert placed.used[FF[board.name]] < placed.available[FF[board.name]]
    assert placed.fmax_mhz > 40
    assert (placed.folder / "log.txt").is_file()
    assert place(board, counter(board.family), constraints=given) == placed  # from the cache


@pytest.mark.needs_synth
@pytest.mark.parametrize("board", [ICE40, GOWIN], ids=lambda b: str(b.name))
def test_the_wrapper_is_placed_on_the_other_families(board: Board) -> None:
    placed: Placed = place(board, replace(array(board), parameters=_small(board)))
    assert placed.wrapped
    assert placed.path


def _small(board: Board) -> dict[str, int | bool]:
    m = choose(board, S4, S4, "packed")
    return {"Gates": 1, "Pe": 1, "Simd": 2, "AccWidth": 10} | m.parameters()


@pytest.mark.needs_synth
def test_a_pin_that_does_not_exist_is_an_error_of_nextpnr() -> None:
    with pytest.raises(ToolError) as caught:
        place(ICE40, counter(Family.ICE40), constraints="set_io clk_i 350\nset_io top_o 11\n")
    assert "350" in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.needs_synth
@pytest.mark.parametrize(
    "board",
    [replace(ECP5, part="LFE5U-85F-6BG999C"), replace(ICE40, part="iCE40UP5K-XX99")],
    ids=lambda b: str(b.name),
)
def test_a_package_that_does_not_exist_is_an_error_of_the_board(board: Board) -> None:
    with pytest.raises(BoardError) as caught:
        place(board, counter(board.family))
    assert str(caught.value) == (
        f"{board.name}: has a {board.part}, a package that nextpnr does not know\n"
        "  hint: check the part in the board's file"
    )


@pytest.mark.parametrize("seed", [-1, 1 << 31])
def test_a_seed_is_a_number_that_nextpnr_takes(seed: int) -> None:
    check_seed(0)
    check_seed((1 << 31) - 1)
    with pytest.raises(DesignError) as caught:
        check_seed(seed)
    assert str(caught.value) == (
        f"option seed: is {seed}\n  hint: a whole number from 0 to 2,147,483,647"
    )


def test_devices_of_parts() -> None:
    assert chip(ECP5).options == ("--85k", "--package", "CABGA381", "--speed", "6")
    other = replace(ECP5, part="LFE5UM5G-45F-8BG554I")
    assert chip(other, 7).options == ("--um5g-45k", "--package", "CABGA554", "--speed", "7")
    assert chip(ICE40).options == ("--up5k", "--package", "sg48")
    part = ("--device", "GW2AR-LV18QN88C8/I7")
    assert chip(GOWIN).options == (*part, "--vopt", "family=GW2A-18C")
    assert chip(GOWIN).packer == "GW2A-18C"


def test_a_board_without_open_place_and_route() -> None:
    board = load_board("zcu104")
    with pytest.raises(BoardError) as caught:
        chip(board)
    assert str(caught.value) == (
        f"zcu104: has a {board.part}, which the open place and route tools do not know\n"
        "  hint: use ulx3s_85f, icebreaker or tang_nano_20k"
    )
    with pytest.raises(BoardError, match="has no speed grade 7: only an ECP5 has a choice of it"):
        chip(ICE40, 7)


def test_a_machine_without_nextpnr_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda _: None)
    with pytest.raises(ToolError, match="hwrnn\\[synth\\]"):
        place(ICE40, counter(Family.ICE40), constraints="")
