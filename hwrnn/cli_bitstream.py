# SPDX-License-Identifier: Apache-2.0
"""The part of `hwrnn build` that runs the open tools to the bitstream."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwrnn.cli_print import print_table, told
from hwrnn.errors import DesignError

if TYPE_CHECKING:
    from pathlib import Path

    from hwrnn.board import Board
    from hwrnn.design.design import Design
    from hwrnn.synth import Bitstream

Wanted = Annotated[
    bool, typer.Option("--bitstream", help="Run yosys, nextpnr and the packer as well.")
]
Freq = Annotated[
    float | None, typer.Option(metavar="MHZ", help="Clock of the design; the board's if not.")
]
Seed = Annotated[int, typer.Option(help="Seed of place and route, with --bitstream.")]
Baud = Annotated[
    int | None, typer.Option(help="Speed of the serial line, with --bitstream; the board's if not.")
]


def with_clock(
    chosen: dict[str, Any], freq: float | None, baud: int | None, *, bitstream: bool
) -> dict[str, Any]:
    """The options of a design, its board at the clock that is wanted; with a bitstream at the
    nearest that the board's PLL makes.
    """
    from hwrnn.backends.board_top import at_clock
    from hwrnn.board import load_board

    if baud is not None and not bitstream:
        raise DesignError("--baud", "means nothing without --bitstream", "give that as well")
    if freq is not None and not 1 <= freq <= 2000:
        raise DesignError("--freq", f"is {freq:g}", "it is a clock, 1 to 2000 MHz")
    board: Board = load_board(chosen["board"])
    if bitstream:
        board = at_clock(board, freq)
    elif freq is not None:
        board = replace(board, clock_mhz=freq)
    return chosen | {"board": board}


def make_bitstream(design: Design, seed: int, baud: int | None) -> Bitstream:
    """The bitstream of a design; what is going on is shown on stderr."""
    from hwrnn.synth import bitstream

    with told() as tell:
        return bitstream(design, seed=seed, baud=baud, tell=tell)


def print_bitstream(made: Bitstream, folder: Path) -> None:
    """Clock, cells and how to load it."""
    facts = made.as_dict()
    clock = made.on_board.clock_mhz
    print_table(
        f"placed and routed by nextpnr, seed {made.seed}, shell included",
        [
            {
                "cell": name,
                "used": f"{used:,}",
                "on the device": f"{has:,}" if has else "",
                "share": f"{100 * used / has:.1f} %" if has else "",
            }
            for name, used in made.placed.used.items()
            for has in (made.placed.available[name],)  # 0: of constants there is no number
        ],
    )
    print(f"clock: {clock:.6g} MHz; the design could run at {made.placed.fmax_mhz:.2f} MHz")
    print(f"serial line: {made.on_board.baud:,} baud")
    print(f"bitstream: {folder}/bitstream/{made.name}, {facts['bytes']:,} bytes")
    print(f"load it: cd {folder} && {made.load}")
    print(f'use it: hwrnn.device.connect(PORT, project="{folder}").infer(x)')
