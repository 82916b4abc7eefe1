# SPDX-License-Identifier: Apache-2.0
"""Open boards: PLL settings, constraints, the top module, and every refusal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from conftest import Golden
from hypothesis import given, settings
from hypothesis import strategies as st
from rtl.graphs import Build

import hwrnn
from hwrnn.backends.board_top import TOP, at_clock, clock_of, emit_board, shell_of
from hwrnn.backends.pll import ECP5, GOWIN, GOWIN_DIVIDERS, ICE40, Pll, allowed, exact, pll
from hwrnn.board import Board, load_board
from hwrnn.design.design import Design
from hwrnn.errors import BoardError, DesignError
from hwrnn.ir.types import of_bits
from hwrnn.sim.tools import find_verilator
from hwrnn.synth import Source

NAMES = ("ulx3s_85f", "icebreaker", "tang_nano_20k")
ULX3S, ICEBREAKER, TANG = (load_board(name) for name in NAMES)
CLOCKS = {"ulx3s_85f": 80.0, "icebreaker": 24.0, "tang_nano_20k": 54.0}
SLANG = "-Wextra -Wconversion -Wno-sign-conversion -Wno-useless-cast -Wno-case-redundant-default"
LISTED = ("-f", "files.f")
WAIVERS = Path(__file__).parent.parent / "lint" / "waivers.vlt"


def tiny(board: Board) -> Design:
    """An RNN of two units."""
    b = Build(1, power_of_two=True)
    t = of_bits(4, signed=True)
    return hwrnn.build(b.graph(b.select(b.rnn(b.input(2, t), 2)), "tiny"), board)


def ecp5_outputs(source: Fraction) -> Iterator[Fraction]:
    """Every clock of an EHXPLLL with feedback through CLKOP, by its definition."""
    for divide in range(1, 129):
        pfd = source / divide
        if pfd not in ECP5.pfd:
            continue
        totals = {a * b for a, b in product(range(1, 129), repeat=2) if pfd * a in ECP5.output}
        vcos = [pfd * n for n in totals if pfd * n in ECP5.vco]
        yield from (v / d for v in vcos for d in range(1, 129) if v / d in ECP5.output)


def ice40_outputs(source: Fraction) -> Iterator[Fraction]:
    for r, f, q in product(range(16), range(128), range(1, 7)):
        pfd = source / (r + 1)
        vco = pfd * (f + 1)
        if pfd in ICE40.pfd and vco in ICE40.vco and vco / 2**q in ICE40.output:
            yield vco / 2**q


def gowin_outputs(source: Fraction) -> Iterator[Fraction]:
    for i, f, o in product(range(1, 65), range(1, 65), GOWIN_DIVIDERS):
        out = source * f / i
        if source / i in GOWIN.pfd and out in GOWIN.output and out * o in GOWIN.vco:
            yield out


BRUTE = {"ulx3s_85f": ecp5_outputs, "icebreaker": ice40_outputs, "tang_nano_20k": gowin_outputs}


@cache
def every(name: str) -> list[Fraction]:
    """All clocks that the PLL of a board makes."""
    source = exact(shell_of(load_board(name)).oscillator_mhz)
    return sorted(set(BRUTE[name](source)))


@settings(max_examples=60)
@given(st.sampled_from(NAMES), st.integers(160, 3000))
def test_no_setting_comes_nearer_than_the_one_that_is_found(name: str, tenths: int) -> None:
    board, wanted = load_board(name), tenths / 10
    source = exact(shell_of(board).oscillator_mhz)
    nearest = min(abs(f - exact(wanted)) for f in every(name))
    try:
        found = pll(board, float(source), wanted)
    except DesignError:
        assert nearest > exact(wanted) / 50
        return
    if found is None:
        assert exact(wanted) == source
        return
    assert abs(found.output - exact(wanted)) == nearest
    limits = {"ulx3s_85f": ECP5, "icebreaker": ICE40, "tang_nano_20k": GOWIN}[name]
    assert allowed(limits, source, found)
    assert output(found, source) == found.output


def output(s: Pll, source: Fraction) -> Fraction:
    """What the dividers make, by the formulas of the vendors."""
    match dict(s.dividers):
        case {"CLKI_DIV": i, "CLKFB_DIV": f, "CLKOP_DIV": p, "CLKOS_DIV": o}:
            return Fraction(source / i * f * p / o)
        case {"DIVR": r, "DIVF": f, "DIVQ": q}:
            return Fraction(source / (r + 1) * (f + 1) / 2**q)
        case {"IDIV_SEL": i, "FBDIV_SEL": f}:
            return Fraction(source / (i + 1) * (f + 1))
    raise AssertionError(s)


def test_the_settings_of_the_boards_in_the_documentation() -> None:
    found = clock_of(ULX3S, 80)[1]
    assert found is not None
    assert found.dividers == {
        "CLKI_DIV": 1,
        "CLKFB_DIV": 1,
        "CLKOP_DIV": 16,
        "CLKOP_CPHASE": 15,
        "CLKOS_DIV": 5,
        "CLKOS_CPHASE": 4,
    }
    found = clock_of(ICEBREAKER, 24)[1]  # icepll -i 12 -o 24
    assert found is not None
    assert found.dividers == {"DIVR": 0, "DIVF": 63, "DIVQ": 5, "FILTER_RANGE": 1}
    found = clock_of(TANG, 54)[1]
    assert found is not None
    assert found.dividers == {"IDIV_SEL": 0, "FBDIV_SEL": 1, "ODIV_SEL": 16}
    assert [clock_of(b) for b in (ULX3S, ICEBREAKER, TANG)] == [(25, None), (12, None), (27, None)]
    assert at_clock(TANG, 50).clock_mhz == pytest.approx(351 / 7)


def test_a_clock_that_cannot_be_made() -> None:
    with pytest.raises(DesignError) as caught:
        clock_of(ICEBREAKER, 13)
    assert str(caught.value) == (
        "clock of 13 MHz: cannot be made from the 12 MHz of icebreaker\n"
        "  hint: its PLL makes 16 to 275 MHz; the nearest is 16.125 MHz"
    )
    with pytest.raises(DesignError, match="cannot be made on tang_nano_20k; 50.1429 MHz can"):
        emit_board(tiny(replace(TANG, clock_mhz=50)))


@pytest.mark.parametrize("name", NAMES)
def test_constraints_and_top(name: str, golden: Golden) -> None:
    made = emit_board(tiny(at_clock(load_board(name), CLOCKS[name])))
    for path, suffix in ((made.constraints, None), (f"rtl/{TOP}.sv", ".sv")):
        text = made.files.data(path).decode().replace(f"hwrnn {hwrnn.__version__}", "hwrnn")
        golden(text, suffix or Path(path).suffix)
    listed = Source(files=made.files, top=TOP, family=made.design.board.family).sources()
    assert {f"rtl/{line}" for line in listed} == {p for p in made.files if p.endswith(".sv")}


def test_without_pll_the_clock_is_the_oscillator() -> None:
    text = emit_board(tiny(ICEBREAKER)).files.data(f"rtl/{TOP}.sv").decode()
    assert "assign clk    = clk_i;" in text
    assert "SB_PLL40_PAD" not in text


def test_a_baud_rate_of_ones_own() -> None:
    made = emit_board(tiny(ICEBREAKER), baud=115_200)
    assert ".BaudDivisor(104)" in made.files.data("rtl/hwrnn_board_core.sv").decode().replace(
        " ", ""
    )
    with pytest.raises(DesignError, match="is too fast for a clock of 12 MHz"):
        emit_board(tiny(ICEBREAKER), baud=4_000_000)


@pytest.mark.needs_sim
@pytest.mark.parametrize("name", NAMES)
def test_linters_are_silent(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = emit_board(tiny(at_clock(load_board(name), CLOCKS[name])))
    folder = made.files.write(tmp_path / "out") / "rtl"
    found = find_verilator()
    run = subprocess.run(
        [str(found.binary), "--lint-only", "-Wall", str(WAIVERS), "--top-module", TOP, *LISTED],
        cwd=folder,
        env=found.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in run.stderr.split("\n") if line.startswith("%")] == []
    assert slang(folder, capfd) == ""


def slang(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    from pyslang.driver import Driver

    before = Path.cwd()
    os.chdir(folder)
    try:
        driver = Driver()
        driver.addStandardArgs()
        assert driver.parseCommandLine(f"slang {SLANG} --top {TOP} -f files.f")
        assert driver.processOptions()
        assert driver.parseAllSources()
        driver.reportCompilation(driver.createCompilation(), True)
        driver.reportDiagnostics(True)
    finally:
        os.chdir(before)
    captured = capfd.readouterr()
    return (captured.out + captured.err).strip()


def test_boards_that_have_no_open_tools_or_no_pins() -> None:
    with pytest.raises(BoardError) as caught:
        shell_of(load_board("pynq_z2"))
    assert str(caught.value) == (
        "pynq_z2: has a xc7z020clg400-1, for which there is no open tool that makes bitstreams\n"
        "  hint: run the vendor's script vivado.tcl of the RTL project"
    )
    with pytest.raises(BoardError) as caught:
        shell_of(replace(ULX3S, shell=None))
    assert str(caught.value) == (
        "ulx3s_85f: has no entry shell: the pins are not known\n  hint: add [shell] to its file"
    )


def shell_refusal(path: Path, old: str, new: str) -> str:
    text = (Path(__file__).parent.parent / "boards" / "icebreaker.toml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(BoardError) as caught:
        load_board(path)
    return str(caught.value).replace(str(path), "mine.toml")


KEYS = (
    "oscillator_mhz, clock, reset, reset_low, uart_rx, uart_tx, baud, error_light, busy_light, "
    "lights_low, load"
)
BROKEN = [
    ("baud = 1_000_000\n", "", f"missing entry baud\n  hint: known entries: {KEYS}"),
    (
        'load = "iceprog"',
        'load = "iceprog"\nuart = 1',
        f"unknown entry uart\n  hint: known entries: {KEYS}",
    ),
    (
        'load = "iceprog"',
        'load = "iceprog; rm -rf x"',
        "load is 'iceprog; rm -rf x'; it must be a non-empty text of A-Z a-z 0-9 _ . -",
    ),
    ('clock = "35"', "clock = 35", "clock is 35; it must be a non-empty text of A-Z 0-9"),
    ("reset_low = true", "reset_low = 1", "reset_low is 1; it must be true or false"),
    (
        "oscillator_mhz = 12",
        "oscillator_mhz = 0",
        "oscillator_mhz is 0; it must be a number of MHz from 1 to 2000",
    ),
    (
        "baud = 1_000_000",
        "baud = 9",
        "baud is 9; it must be a whole number from 1200 to 1000000000",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), BROKEN, ids=[b[1][:16] for b in BROKEN])
def test_refused_shell(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert shell_refusal(tmp_path / "mine.toml", old, new) == f"mine.toml: shell: {message}"


def test_json_of_a_board_with_a_shell() -> None:
    entries = ICEBREAKER.as_dict()["shell"]
    assert isinstance(entries, dict)
    assert ", ".join(entries) == KEYS
