# SPDX-License-Identifier: Apache-2.0
"""Boards: the nine that ship, their spelling, and the whole text of every refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwrnn.board import Board, DspKind, Family, Toolchain, boards, load_board
from hwrnn.errors import BoardError

NAMES = (
    "alveo_u250",
    "arty_a7_100",
    "icebreaker",
    "kv260",
    "pynq_z2",
    "tang_nano_20k",
    "ultra96_v2",
    "ulx3s_85f",
    "zcu104",
)
LIST = ", ".join(NAMES)
GOOD = """\
name = "mine"
title = "My board"
vendor = "AMD"
part = "xc7a35tcsg324-1"
family = "xc7"
toolchain = "vivado"
clock_mhz = 100
luts = 20800
ffs = 41600
dsps = 90
dsp_kind = "DSP48E1"
block_rams = 50
block_ram_bits = 36864
urams = 0
uram_bits = 0
"""
KEYS = (
    "name, title, vendor, part, family, toolchain, clock_mhz, luts, ffs, dsps, dsp_kind, "
    "block_rams, block_ram_bits, urams, uram_bits"
)
KNOWN = f"{KEYS}, shell"


def refusal(path: Path, text: str) -> str:
    """The message for a board file with this text, without the folder."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BoardError) as caught:
        load_board(path)
    return str(caught.value).replace(caught.value.place, "mine.toml")


def test_the_nine_boards() -> None:
    assert tuple(b.name for b in boards()) == NAMES


def test_pynq_z2_in_full() -> None:
    assert load_board("pynq_z2") == Board(
        name="pynq_z2",
        title="TUL PYNQ-Z2",
        vendor="AMD",
        part="xc7z020clg400-1",
        family=Family.XC7,
        toolchain=Toolchain.VIVADO,
        clock_mhz=100.0,
        luts=53_200,
        ffs=106_400,
        dsps=220,
        dsp_kind=DspKind.DSP48E1,
        block_rams=140,
        block_ram_bits=36_864,
        urams=0,
        uram_bits=0,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_board_file_is_named_after_its_board(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert (board.toolchain is Toolchain.VIVADO) == (board.vendor == "AMD")
    assert board.family.lut_inputs == (6 if board.vendor == "AMD" else 4)
    assert board.period_ns * board.clock_mhz == pytest.approx(1000)
    assert min(board.dsp_kind.widths) >= 16


@pytest.mark.parametrize("spelling", ["PYNQ-Z2", "pynq-z2", "PynqZ2", "pynq_z2", "PYNQ Z2"])
def test_case_and_dashes_do_not_matter(spelling: str) -> None:
    assert load_board(spelling).name == "pynq_z2"


def test_json_form_holds_the_entries_of_the_file() -> None:
    entries = load_board("kv260").as_dict()
    assert ", ".join(entries) == KEYS
    assert entries["family"] == "xcup"
    assert type(entries["family"]) is str


@pytest.mark.parametrize("as_type", [str, Path])
def test_a_users_own_file(tmp_path: Path, as_type: type[str | Path]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_board(as_type(path)).part == "xc7a35tcsg324-1"


@pytest.mark.parametrize(
    ("asked", "guess"),
    [
        ("zcu102", "did you mean zcu104? "),
        ("pynq-z1", "did you mean pynq_z2? "),
        ("vcu118", ""),
        ("", ""),
    ],
)
def test_unknown_board(asked: str, guess: str) -> None:
    with pytest.raises(BoardError) as caught:
        load_board(asked)
    assert str(caught.value) == (
        f'board: there is no board "{asked}"\n'
        f"  hint: {guess}known boards: {LIST}; or give the path of a .toml file"
    )
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BoardError) as caught:
        load_board(tmp_path / "no.toml")
    assert str(caught.value) == (
        f"{caught.value.place}: cannot be read: No such file or directory\n"
        "  hint: see `hwrnn boards` for those by name"
    )


MANGLED = [
    (
        "luts = 20800\n",
        "",
        f"missing entry luts\n  hint: known entries: {KNOWN}",
    ),
    (
        "luts = 20800\nffs = 41600\n",
        "",
        f"missing entries luts, ffs\n  hint: known entries: {KNOWN}",
    ),
    (
        "luts = 20800",
        "luts = 20800\nlutz = 1\nbram = 2",
        f"unknown entries lutz, bram\n  hint: known entries: {KNOWN}",
    ),
    (
        "xc7a35tcsg324-1",
        "$(rm -rf x)",
        "part is '$(rm -rf x)'; it must be a non-empty text of A-Z a-z 0-9 / -",
    ),
    (
        '"mine"',
        '"../mine"',
        "name is '../mine'; it must be a non-empty text of letters a-z, digits and _",
    ),
    (
        '"My board"',
        '"My\\nboard"',
        "title is 'My\\nboard'; it must be a non-empty text of one line of ASCII",
    ),
    ('"xc7"', '"xc8"', "family is 'xc8'; it must be one of xc7, xcup, ecp5, ice40, gowin"),
    ('"vivado"', '"ise"', "toolchain is 'ise'; it must be one of vivado, open"),
    (
        '"DSP48E1"',
        "7",
        "dsp_kind is 7; it must be one of DSP48E1, DSP48E2, MULT18X18D, SB_MAC16, MULT18X18",
    ),
    (
        "clock_mhz = 100",
        "clock_mhz = nan",
        "clock_mhz is nan; it must be a number of MHz from 1 to 2000",
    ),
    (
        "clock_mhz = 100",
        "clock_mhz = 0",
        "clock_mhz is 0; it must be a number of MHz from 1 to 2000",
    ),
    ("luts = 20800", "luts = -1", "luts is -1; it must be a whole number from 1 to 1000000000"),
    ("dsps = 90", "dsps = 90.5", "dsps is 90.5; it must be a whole number from 0 to 1000000000"),
    ("dsps = 90", "dsps = true", "dsps is True; it must be a whole number from 0 to 1000000000"),
    (
        "block_ram_bits = 36864",
        "block_ram_bits = 0",
        "block_ram_bits is 0; it must be above 0, since block_rams is 50",
    ),
    (
        'name = "mine"',
        "name = ",
        "is not a TOML file: Invalid value (at line 1, column 8)\n"
        "  hint: copy one of the files in boards/",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), MANGLED, ids=[m[1][:20] for m in MANGLED])
def test_refused_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    text = refusal(tmp_path / "mine.toml", GOOD.replace(old, new))
    assert text == f"mine.toml: {message}"


def test_a_file_of_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BoardError, match="is not a TOML file"):
        load_board(path)
