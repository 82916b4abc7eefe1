# SPDX-License-Identifier: Apache-2.0
"""What nextpnr and the packers call the device of a board, for each family."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hwrnn.board import Board, Family
from hwrnn.errors import BoardError


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """The options of nextpnr that name a device, and what its packer calls it. `anywhere`: the
    constraints of a wrapped design that may have any pins, if nextpnr does not choose them.
    """

    options: tuple[str, ...]
    packer: str = ""
    anywhere: str | None = None


def chip(board: Board, speed: int | None = None) -> Chip:
    """The device of a board. `speed`: another speed grade, of an ECP5 only.

    Raises BoardError for a part that the open tools do not know.
    """
    find = KNOWN.get(board.family)
    found = find(board.part, speed) if find else None
    if found is None:
        raise BoardError(
            board.name,
            f"has a {board.part}, which the open place and route tools do not know",
            "use ulx3s_85f, icebreaker or tang_nano_20k",
        )
    if speed is not None and board.family is not Family.ECP5:
        raise BoardError(board.name, f"has no speed grade {speed}: only an ECP5 has a choice of it")
    return found


def ecp5(part: str, speed: int | None) -> Chip | None:
    """LFE5U-85F-6BG381C is --85k --package CABGA381 --speed 6."""
    match = re.fullmatch(r"LFE5(U|UM|UM5G)-(\d+)F-([678])BG(\d+)[CI]", part)
    if match is None:
        return None
    kind, size, grade, pins = match.groups()
    series = {"U": "", "UM": "um-", "UM5G": "um5g-"}[kind]
    grade = str(speed or grade)
    return Chip(options=(f"--{series}{size}k", "--package", f"CABGA{pins}", "--speed", grade))


def ice40(part: str, _: int | None) -> Chip | None:
    """iCE40UP5K-SG48 is --up5k --package sg48. The other series have no multipliers."""
    match = re.fullmatch(r"iCE40UP([35])K-([A-Z]+\d+)", part)
    if match is None:
        return None
    return Chip(options=(f"--up{match[1]}k", "--package", match[2].lower()))


def gowin(part: str, _: int | None) -> Chip | None:
    """GW2AR-LV18QN88C8/I7: its name as it is, with the family, which does not follow from it."""
    match = re.fullmatch(r"GW2AR?-LV18[A-Z]+\d+(C)\d/I\d", part)
    if match is None:
        return None
    family = "GW2A-18C"
    options = ("--device", part, "--vopt", f"family={family}")
    return Chip(options=options, packer=family, anywhere=ANYWHERE)


ANYWHERE = """\
IO_LOC "clk_i" IOL7A;
IO_LOC "data_i" IOB4A;
IO_LOC "data_o" IOB4B;
"""
KNOWN: Mapping[Family, Callable[[str, int | None], Chip | None]] = {
    Family.ECP5: ecp5,
    Family.ICE40: ice40,
    Family.GOWIN: gowin,
}
