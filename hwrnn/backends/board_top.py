# SPDX-License-Identifier: Apache-2.0
"""A design on an open board: the shell around it, clock, reset, pins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from hwrnn.backends.files import FileSet
from hwrnn.backends.jinja import PACKAGE, render
from hwrnn.backends.pll import Pll, exact, pll, shown
from hwrnn.backends.rtl import model, tool
from hwrnn.backends.shell import baud_divisor, emit_shell
from hwrnn.board import Board, Family, Shell, Toolchain
from hwrnn.design.design import Design
from hwrnn.errors import BoardError, DesignError

TOP = "hwrnn_board_top"
RESET = "hwrnn_board_reset"
BOARD_LIBRARY = PACKAGE / "lib" / "board"  # the reset; vendors' PLLs as black boxes, for slang
PLLS = {Family.ECP5: "EHXPLLL", Family.ICE40: "SB_PLL40_PAD", Family.GOWIN: "rPLL"}
CONSTRAINTS = {Family.ECP5: "lpf", Family.ICE40: "pcf", Family.GOWIN: "cst"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A port of the top module at a pin of the package; `pull`: UP, DOWN or NONE."""

    port: str
    site: str
    pull: str
    out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """What the templates of a board read."""

    tool: str
    model: str
    title: str
    part: str
    device: str
    oscillator_mhz: str
    clock_mhz: str
    clock_source: str
    pll: Mapping[str, int]
    pll_note: str
    baud: int
    reset_low: bool
    lights_low: bool
    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBoard:
    """A design on its board: `files` are rtl/ with the top module `hwrnn_board_top`, and
    `constraints`, the name of the file that says which port is which pin.
    """

    design: Design
    files: FileSet
    constraints: str
    clock_mhz: float
    baud: int


def shell_of(board: Board) -> Shell:
    """What a bitstream needs of a board. Raises BoardError for one that has none of it."""
    if board.toolchain is not Toolchain.OPEN:
        raise BoardError(
            board.name,
            f"has a {board.part}, for which there is no open tool that makes bitstreams",
            "run the vendor's script vivado.tcl of the RTL project",
        )
    if board.shell is None:
        raise BoardError(
            board.name, "has no entry shell: the pins are not known", "add [shell] to its file"
        )
    return board.shell


def clock_of(board: Board, wanted_mhz: float | None = None) -> tuple[float, Pll | None]:
    """The clock of a design on a board, nearest to what is wanted (default: that of the board),
    and the PLL that makes it, if it is not the oscillator's.
    """
    shell = shell_of(board)
    wanted = board.clock_mhz if wanted_mhz is None else wanted_mhz
    found = pll(board, shell.oscillator_mhz, wanted)
    return float(found.output) if found else shell.oscillator_mhz, found


def at_clock(board: Board, wanted_mhz: float | None) -> Board:
    """The board with the clock that can be made nearest to what is wanted."""
    return replace(board, clock_mhz=clock_of(board, wanted_mhz)[0])


def emit_board(design: Design, *, baud: int | None = None) -> OnBoard:
    """The files of a design on its board, which runs at the clock of `design.board`.

    baud: speed of the serial line (default: the board's). Raises BoardError, DesignError.
    """
    board = design.board
    shell = shell_of(board)
    clock, made = clock_of(board)
    if abs(clock - board.clock_mhz) > 1e-6 * clock:
        raise DesignError(
            f"clock of {board.clock_mhz:g} MHz",
            f"cannot be made on {board.name}; {clock:.6g} MHz can",
            "build the design for that clock",
        )
    speed = shell.baud if baud is None else baud
    view = board_view(design, shell, clock, made, speed)
    project = emit_shell(design, baud_divisor(clock * 1e6, speed), baud=speed)
    suffix = CONSTRAINTS[board.family]
    names = [RESET, *([PLLS[board.family]] if made else [])]
    more = {f"rtl/{name}.sv": board_module(name) for name in names}
    more[f"rtl/{TOP}.sv"] = render("board/top.sv.j2", view)
    files = dict(project.items()) | more
    listed = "".join(f"{path.removeprefix('rtl/')}\n" for path in more)
    files["rtl/files.f"] = f"{files['rtl/files.f']!s}{listed}"
    files[f"board.{suffix}"] = render(f"board/board.{suffix}.j2", view)
    return OnBoard(
        design=design,
        files=FileSet(files),
        constraints=f"board.{suffix}",
        clock_mhz=clock,
        baud=speed,
    )


def board_module(name: str) -> str:
    """The source of a module that only boards need."""
    return (BOARD_LIBRARY / f"{name}.sv").read_text(encoding="utf-8")


def board_view(
    design: Design, shell: Shell, clock: float, made: Pll | None, baud: int
) -> BoardView:
    """What the templates read."""
    board = design.board
    source = str(board.family) if made else "oscillator"
    return BoardView(
        tool=tool(),
        model=model(design),
        title=board.title,
        part=board.part,
        device=device(board),
        oscillator_mhz=shown(exact(shell.oscillator_mhz)),
        clock_mhz=shown(Fraction(clock)),
        clock_source=f"{source}.sv.j2",
        pll=made.dividers if made else {},
        pll_note=made.note if made else "",
        baud=baud,
        reset_low=shell.reset_low,
        lights_low=shell.lights_low,
        pins=pins(shell),
    )


def device(board: Board) -> str:
    """What the PLL of a Gowin is told of its device: GW2AR-18C of GW2AR-LV18QN88C8/I7."""
    series, _, rest = board.part.partition("-LV")
    return f"{series}-{rest[:2]}C" if board.family is Family.GOWIN else board.part


def pins(shell: Shell) -> tuple[Pin, ...]:
    """Each port at its pin. A button rests at the level that its pull makes, a line is high."""
    rest = "UP" if shell.reset_low else "DOWN"
    return (
        Pin(port="clk_i", site=shell.clock, pull="NONE", out=False),
        Pin(port="reset_i", site=shell.reset, pull=rest, out=False),
        Pin(port="uart_rx_i", site=shell.uart_rx, pull="UP", out=False),
        Pin(port="uart_tx_o", site=shell.uart_tx, pull="UP", out=True),
        Pin(port="error_o", site=shell.error_light, pull="NONE", out=True),
        Pin(port="busy_o", site=shell.busy_light, pull="NONE", out=True),
    )
