# SPDX-License-Identifier: Apache-2.0
"""Bitstreams for open boards: one that is made, and every reason for which there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from rtl.graphs import Build

import hwrnn
from hwrnn.backends.board_top import emit_board
from hwrnn.board import Board, load_board
from hwrnn.cli import main
from hwrnn.design.design import Design
from hwrnn.errors import BoardError, ToolError
from hwrnn.ir.types import of_bits
from hwrnn.sim import tools
from hwrnn.synth import Bitstream, bitstream
from hwrnn.synth.board import check_clock, commands, native, path_parts, placed_on, source_of
from hwrnn.synth.nextpnr import Step
from hwrnn.synth.pack import pack_arguments
from hwrnn.synth.result import DoesNotFit

ULX3S, ICEBREAKER, TANG = (load_board(b) for b in ("ulx3s_85f", "icebreaker", "tang_nano_20k"))


def tiny(board: Board) -> Design:
    """An RNN of two units."""
    b = Build(1, power_of_two=True)
    t = of_bits(4, signed=True)
    return hwrnn.build(b.graph(b.select(b.rnn(b.input(2, t), 2)), "tiny"), board)


@pytest.fixture(scope="module")
def made() -> Bitstream:
    return bitstream(tiny(ICEBREAKER), seed=2)


@pytest.mark.needs_synth
def test_a_bitstream_is_made_twice_the_same(made: Bitstream) -> None:
    assert made.data[:4] == b"\xff\x00\x00\xff"  # the header of iCE40 configurations
    assert made.placed.fmax_mhz > made.on_board.clock_mhz == 12
    again = bitstream(tiny(ICEBREAKER), seed=2)
    assert again.files == made.files


@pytest.mark.needs_synth
def test_the_contents_of_memories_are_in_the_bitstream(made: Bitstream) -> None:
    """Block RAMs have power-on contents: the description of the device is in one of them."""
    assert made.placed.used["ICESTORM_RAM"] >= 3
    assert "ICESTORM_SPRAM" not in made.placed.used
    text = (made.placed.folder / "placed.asc").read_text(encoding="utf-8")
    blocks = [block.split("\n", 1)[1] for block in text.split(".ram_data")[1:]]
    assert any("1" in block.split("\n.", 1)[0] for block in blocks)


@pytest.mark.needs_synth
def test_report_and_files(made: Bitstream, tmp_path: Path) -> None:
    folder = made.files.write(tmp_path / "out")
    report = json.loads((folder / "bitstream" / "report.json").read_text(encoding="utf-8"))
    assert (folder / "bitstream" / "tiny.bin").read_bytes() == made.data
    assert report["load"] == "iceprog bitstream/tiny.bin"
    assert report["fmax_mhz"] == round(made.placed.fmax_mhz, 2)
    assert report["latency_cycles"] == hwrnn.estimate(made.design).latency_cycles
    assert report["latency_us"] == round(report["latency_cycles"] / 12, 3)
    assert set(report["tools"]) == {"yosys", "nextpnr", "icepack"}
    assert report["used"].keys() == report["available"].keys()
    assert report["critical_path"]
    names = {p.relative_to(folder / "board").as_posix() for p in (folder / "board").rglob("*.*")}
    assert {"board.pcf", "synth.ys", "rtl/hwrnn_board_top.sv"} <= names
    assert json.loads((folder / "device.json").read_text(encoding="utf-8"))["model"] == "tiny"
    makefile = (folder / "board" / "Makefile").read_text(encoding="utf-8")
    assert "\tnextpnr-ice40 --json netlist.json" in makefile
    assert "--freq 12 --seed 2" in makefile
    assert "--timing-allow-fail" not in makefile


@pytest.mark.needs_synth
def test_a_clock_that_is_missed_is_a_failed_check(made: Bitstream) -> None:
    check_clock(made.on_board, made.placed)
    with pytest.raises(DoesNotFit) as caught:
        check_clock(made.on_board, replace(made.placed, fmax_mhz=11.98))
    assert caught.value.exit_code == 1
    assert caught.value.place == "tiny on icebreaker"
    text = "reaches 11.98 MHz, not 12 MHz; the critical path, logic + routing: "
    assert caught.value.fact.startswith(text)
    assert f"{path_parts(made.placed.path)[0].instance} " in caught.value.fact
    assert caught.value.hint == "ask for --freq 11, or try another --seed"


@pytest.mark.needs_synth
def test_a_design_that_is_too_large_is_a_failed_check() -> None:
    small = replace(ICEBREAKER, luts=hwrnn.estimate(tiny(ICEBREAKER)).luts)  # the shell's are more
    with pytest.raises(DoesNotFit) as caught:
        bitstream(tiny(small))
    assert f"more than the {small.luts:,} of the board" in caught.value.fact
    on_board = emit_board(tiny(ICEBREAKER))
    source = source_of(on_board)
    less = replace(ICEBREAKER, part="iCE40UP3K-UWG30")
    moved = replace(on_board, design=replace(on_board.design, board=less))
    with pytest.raises(ToolError):  # other pins
        placed_on(moved, source, 1)


def test_a_design_that_is_far_too_large_is_refused_before_any_tool_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("yosys ran")

    monkeypatch.setattr("hwrnn.synth.board.synthesise", never)
    small = {
        "LUT, the board has 100": replace(ICEBREAKER, luts=100),
        "FF, the board has 30": replace(ICEBREAKER, ffs=30),
    }
    for fact, board in small.items():
        with pytest.raises(DoesNotFit) as caught:
            bitstream(tiny(board))
        assert fact in caught.value.fact
    with pytest.raises(AssertionError, match="yosys ran"):
        bitstream(tiny(replace(ICEBREAKER, luts=hwrnn.estimate(tiny(ICEBREAKER)).luts - 1)))


def test_boards_without_open_tools_are_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BoardError, match="there is no open tool that makes bitstreams"):
        bitstream(tiny(load_board("zcu104")))
    argv = ["build", "m.onnx", "-b", "zcu104", "-o", str(tmp_path / "x"), "--bitstream"]
    assert main(argv) == 2
    assert "vivado.tcl" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_machine_without_the_packer_says_so_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda n: None if n == "apycula" else find_spec(n))
    with pytest.raises(ToolError, match="apycula"):
        bitstream(tiny(TANG))


def test_command_lines() -> None:
    shown = commands(emit_board(tiny(TANG)), 3)
    assert shown == {
        "yosys": "yosys -m slang -s synth.ys",
        "nextpnr": "nextpnr-himbaechel --json netlist.json --report report.json "
        "--write placed.json --vopt cst=board.cst --device GW2AR-LV18QN88C8/I7 "
        "--vopt family=GW2A-18C --freq 27 --seed 3",
        "pack": "gowin_pack -d GW2A-18C -o tiny.fs placed.json",
    }
    assert pack_arguments(ULX3S, "a", "b") == ["--compress", "a", "b"]
    script = native(emit_board(tiny(TANG)), 3)["synth.ys"]
    assert isinstance(script, str)
    assert script.index("iopadmap") < script.rindex("write_json netlist.json")
    assert "read_json" not in script


def test_the_critical_path_is_told_by_instance() -> None:
    steps = (
        Step(cell="u_core.u_design.u_a.u_b.q_FF", net="", delay_ns=0.5, kind="clk-to-q"),
        Step(cell="u_core.u_design.u_a.u_b.x_LUT", net="n", delay_ns=1.0, kind="routing"),
        Step(cell="u_core.u_design.u_a.u_b.x_LUT", net="", delay_ns=0.25, kind="logic"),
        Step(cell="u_core.u_shell.y_FF", net="m", delay_ns=2.0, kind="routing"),
        Step(cell="u_core.u_shell.y_FF", net="", delay_ns=0.0, kind="setup"),
    )
    found = [(p.instance, p.logic_ns, p.routing_ns) for p in path_parts(steps)]
    assert found == [("u_a.u_b", 0.75, 1.0), ("u_core.u_shell", 0.0, 2.0)]


@pytest.mark.parametrize("freq", ["0", "nan", "1e9"])
def test_a_clock_that_is_none(freq: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "m.onnx", "-b", "kv260", "-o", "x", "--freq", freq]) == 2
    assert "it is a clock, 1 to 2000 MHz" in capsys.readouterr().err
