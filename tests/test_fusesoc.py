# SPDX-License-Identifier: Apache-2.0
"""The core file of an RTL project, in the real FuseSoC: parsed, set up, and linted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rtl.graphs import Build

from hwrnn.backends.fusesoc import core_name
from hwrnn.backends.rtl import emit_rtl, top_name
from hwrnn.board import Board, boards, load_board
from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.ir.types import of_bits
from hwrnn.sim.tools import find_verilator

parser = pytest.importorskip("fusesoc.capi2.coreparser")


def design(board: Board) -> Design:
    """A small cell with tables and weights in memory files."""
    build = Build(1)
    graph = build.graph(build.rnn(build.input(3, of_bits(4, signed=True)), 4))
    return build_design(graph, board, {"pe": 2, "simd": 2}, None)


def run(folder: Path, target: str, *options: str) -> subprocess.CompletedProcess[str]:
    """FuseSoC on the core below `folder`, with our Verilator before all others."""
    verilator = find_verilator()
    env = verilator.environment()
    env["PATH"] = os.pathsep.join((str(verilator.binary.parent), env.get("PATH", os.defpath)))
    (core,) = (p.stem for p in folder.glob("*.core"))
    program = "import sys; from fusesoc.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "--cores-root", str(folder), "run"]
    command += ["--target", target, *options, f"::{core}"]
    work = folder.parent / f"{folder.name}_work"
    work.mkdir(exist_ok=True)
    return subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("board", boards(), ids=lambda b: b.name)
def test_every_board_has_a_core_that_parses(board: Board, tmp_path: Path) -> None:
    made = design(board)
    emit_rtl(made).write(tmp_path)
    path = tmp_path / f"{top_name(made)}.core"
    core = parser.Core2Parser().read(str(path))
    assert core["name"] == f"::{top_name(made)}:0.1.0"
    assert set(core["targets"]) == {"default", "lint", "synth"}
    listed = [f for s in core["filesets"].values() for f in s["files"]]
    names = {f if isinstance(f, str) else next(iter(f)) for f in listed}
    emitted = {str(p.relative_to(tmp_path)) for p in (tmp_path / "rtl").iterdir()}
    assert names == emitted - {"rtl/files.f"}


@pytest.mark.needs_sim
def test_lints_in_fusesoc(tmp_path: Path) -> None:
    emit_rtl(design(load_board("zcu104"))).write(tmp_path / "core")
    found = run(tmp_path / "core", "lint")
    assert found.returncode == 0, found.stderr
    assert list((tmp_path / "core_work").rglob("*_weights.mem"))


@pytest.mark.needs_sim
def test_lint_finds_a_fault(tmp_path: Path) -> None:
    emit_rtl(design(load_board("zcu104"))).write(tmp_path / "core")
    broken = tmp_path / "core" / "rtl" / "hwrnn_mac_array.sv"
    broken.write_text(broken.read_text().replace("endmodule", "assign nowhere = 1;\nendmodule"))
    assert run(tmp_path / "core", "lint").returncode


@pytest.mark.needs_sim
@pytest.mark.parametrize("board", ["zcu104", "ulx3s_85f", "icebreaker", "tang_nano_20k"])
def test_synthesis_is_set_up(board: str, tmp_path: Path) -> None:
    emit_rtl(design(load_board(board))).write(tmp_path / "core")
    found = run(tmp_path / "core", "synth", "--setup")
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("top", "version", "name"),
    [
        ("hwrnn_a", "1.2.3", "::hwrnn_a:1.2.3"),
        ("hwrnn_a", "0.2.0.dev7+g12", "::hwrnn_a:0.2.0"),
        ("hwrnn_a-b.c", "4", "::hwrnn_a_b_c:4"),
    ],
)
def test_the_name_is_one_that_fusesoc_takes(top: str, version: str, name: str) -> None:
    assert core_name(top, version) == name
