# SPDX-License-Identifier: Apache-2.0
"""What emit_shell writes and refuses, and what the shell costs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from uart_boards import (
    BOARD,
    last_board,
    last_design,
    steps_board,
    steps_design,
    steps_graph,
)

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import emit_rtl, library_text, used_library
from hwrnn.backends.rtl_netlist import Module
from hwrnn.backends.shell import CORE, MEMORY, baud_divisor, emit_shell
from hwrnn.board import Family
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options
from hwrnn.errors import DesignError


@pytest.mark.needs_sim
@pytest.mark.parametrize("files", [steps_board(), last_board()], ids=["steps", "two_streams"])
def test_the_core_is_silent_in_the_linters(
    files: FileSet, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from test_rtl_lint import slang, verilator

    folder = files.write(tmp_path / "out") / "rtl"
    assert verilator(folder, ["--top-module", CORE, "-f", "files.f"]) == ""
    assert slang(folder, f"--top {CORE} -f files.f", capfd) == ""


def test_it_adds_to_the_project_and_changes_nothing_else() -> None:
    plain, found = emit_rtl(steps_design()), steps_board()
    changed = [path for path in plain if plain[path] != found[path]]
    assert changed == ["rtl/files.f"]
    assert str(found["rtl/files.f"]).startswith(str(plain["rtl/files.f"]))
    added = {path for path in found if path not in plain}
    assert {"device.json", f"rtl/{MEMORY}", f"rtl/{CORE}.sv"} < added
    listed = {f"rtl/{line}" for line in str(found["rtl/files.f"]).split("\n")}
    assert {path for path in added if path.endswith(".sv")} < listed


def test_the_same_design_gives_the_same_bytes() -> None:
    assert emit_shell(steps_design(), 4) == emit_shell(steps_design(), 4)


def test_the_ports_are_those_that_a_board_connects() -> None:
    text = str(steps_board()[f"rtl/{CORE}.sv"])
    head = text[text.index("(") : text.index(");")]
    assert re.findall(r"(input|output).* (\w+),?\n", head) == [
        ("input", "clk_i"),
        ("input", "rst_i"),
        ("input", "uart_rx_i"),
        ("output", "uart_tx_o"),
        ("output", "error_o"),
        ("output", "busy_o"),
    ]


def test_of_several_streams_the_first_is_used() -> None:
    text = str(last_board()[f"rtl/{CORE}.sv"])
    assert re.search(r"\.s_axis_tid +\(1'd0\)", text)
    assert last_design().streams == 2


@pytest.mark.parametrize(
    ("clock", "baud", "divisor"),
    [(12e6, 115_200, 104), (50e6, 1_000_000, 50), (4 * 115_200, 115_200, 4), (27e6, 115_200, 234)],
)
def test_the_divisor_of_a_baud_rate(clock: float, baud: int, divisor: int) -> None:
    assert baud_divisor(clock, baud) == divisor


@pytest.mark.parametrize(
    ("clock", "baud", "message"),
    [
        (
            12e6,
            4_000_000,
            "baud rate 4000000: is too fast for a clock of 12 MHz: a bit needs 4 cycles\n"
            "  hint: ask for at most 3000000 baud",
        ),
        (12e6, 5, "baud rate 5: is too slow\n  hint: ask for 1,200 or more"),
        (
            12e6,
            921_600 * 2,
            "baud rate 1843200: cannot be made from 12 MHz: the nearest is 1714286\n"
            "  hint: ask for 1714286 baud, or for a slower one",
        ),
    ],
)
def test_a_baud_rate_that_cannot_be_made_is_refused(clock: float, baud: int, message: str) -> None:
    with pytest.raises(DesignError) as caught:
        baud_divisor(clock, baud)
    assert str(caught.value) == message


def test_writable_weights_are_refused() -> None:
    design = build_design(steps_graph(), BOARD, {"pe": 1, "simd": 1}, None, Options(writable=True))
    with pytest.raises(DesignError, match="the UART shell: does not write weights yet"):
        emit_shell(design)


def test_a_model_with_the_name_of_the_core_is_refused() -> None:
    with pytest.raises(DesignError, match="makes a module hwrnn_board_core"):
        emit_shell(replace(steps_design(), name="board_core"))


def test_a_description_beyond_its_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwrnn.backends.shell.MOST_PAGES", 4)
    with pytest.raises(DesignError, match="describes itself in .* bytes, 128 are the most"):
        emit_shell(steps_design())


@pytest.mark.needs_synth
def test_the_shell_is_small() -> None:
    from hwrnn.synth.yosys import Source, synthesise

    top = Module(name="top", title="")
    top.add("hwrnn_uart_shell", "u_shell", {}, {})
    files = {f"rtl/{m}.sv": library_text(m) for m in used_library([top])}
    files["rtl/hwrnn_uart_shell.sv"] = files["rtl/hwrnn_uart_shell.sv"].replace(
        'RomFile = ""', f'RomFile = "{MEMORY}"'
    )
    files[f"rtl/{MEMORY}"] = str(steps_board()[f"rtl/{MEMORY}"])
    pages = files[f"rtl/{MEMORY}"].count("\n") // 32
    source = Source(
        files=FileSet(files),
        top="hwrnn_uart_shell",
        family=Family.ICE40,
        parameters={"XBytes": 2, "YBytes": 2, "RomPages": pages},
    )
    cells = synthesise(source).total()
    assert cells.luts <= 520
    assert cells.block_rams == 3
