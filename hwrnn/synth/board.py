# SPDX-License-Identifier: Apache-2.0
"""Bitstreams for open boards: a design with shell, PLL and pins, through yosys, nextpnr and packer.

A design that does not fit, or misses its clock, is a failed check: there is no bitstream then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata

from hwrnn.backends.board_top import TOP, OnBoard, at_clock, emit_board, shell_of
from hwrnn.backends.files import FileSet
from hwrnn.backends.jinja import render
from hwrnn.backends.rtl import tool
from hwrnn.backends.rtl_parts import fitted
from hwrnn.board import Board, Family
from hwrnn.design.design import Design
from hwrnn.design.estimate import Estimate
from hwrnn.errors import ToolError
from hwrnn.sim.tools import DISTRIBUTIONS, Extra, find_package
from hwrnn.synth.cells import Cells
from hwrnn.synth.devices import chip
from hwrnn.synth.nextpnr import PADS, ROUTERS, Placed, Step, arguments, check_seed, place
from hwrnn.synth.pack import PACKERS, pack, pack_arguments
from hwrnn.synth.result import DoesNotFit, number, over_text, uses, versions
from hwrnn.synth.run import Tell
from hwrnn.synth.yosys import Netlist, Source, script, synthesise

NO_ROOM = re.compile(r"(?i)unable to place|no bels remaining|unable to find legal|failed to place")
SURELY = 1.25  # a design that is larger than the board by this factor is not even synthesised
DESIGN = "u_core.u_design."  # where the design lies in the top of a board
NATIVE = {
    Family.ECP5: "nextpnr-ecp5",
    Family.ICE40: "nextpnr-ice40",
    Family.GOWIN: "nextpnr-himbaechel",
}
FOLDERS = ("board", "bitstream")  # of sources and scripts, and of what was made


@dataclass(frozen=True, slots=True, kw_only=True)
class MakefileView:
    """What the template of the Makefile reads."""

    tool: str
    name: str
    suffix: str
    constraints: str
    placed: str
    nextpnr: str
    arguments: str
    packer: str
    pack: str
    load: str
    loader: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPart:
    """A piece of the critical path within one instance: ns of logic and registers, and of routing
    on the way there.
    """

    instance: str
    logic_ns: float
    routing_ns: float


@dataclass(frozen=True, kw_only=True)
class Bitstream:
    """A bitstream and how it came about; `data` is what the board loads."""

    on_board: OnBoard
    netlist: Netlist
    placed: Placed
    seed: int
    data: bytes

    @property
    def design(self) -> Design:
        """The design within; its board has the clock that it runs at."""
        return self.on_board.design

    @property
    def name(self) -> str:
        """The name of the file with the bitstream."""
        return f"{self.design.name}.{PACKERS[self.design.board.family].suffix}"

    @property
    def total(self) -> Cells:
        """The cells of all of it, shell included, as yosys counts them."""
        return self.netlist.total()

    @property
    def estimate(self) -> Estimate:
        """Cycles of the design, at the clock of the bitstream."""
        return fitted(self.design)

    @property
    def load(self) -> str:
        """The command that loads the bitstream, from the folder with all files."""
        return f"{shell_of(self.design.board).load} {FOLDERS[1]}/{self.name}"

    @property
    def files(self) -> FileSet:
        """`board/`: sources, constraints, a Makefile for native tools; `bitstream/`: what was made,
        with `report.json`; `device.json`: what a host needs to know.
        """
        made: dict[str, str | bytes] = {
            self.name: self.data,
            "report.json": json.dumps(self.as_dict(), indent=1) + "\n",
        }
        sources = self.on_board.files | native(self.on_board, self.seed)
        host = FileSet({"device.json": self.on_board.files["device.json"]})
        return sources.under(FOLDERS[0]) | FileSet(made).under(FOLDERS[1]) | host

    def as_dict(self) -> dict[str, object]:
        """What was made, by which tools, ready for JSON."""
        board, e = self.design.board, self.estimate
        packer = PACKERS[board.family]
        tools = versions(board, placed=True) | {packer.tool: package_version(packer.package)}
        return {
            "model": self.design.name,
            "model_hash": self.design.model_hash[:16],
            "board": board.name,
            "part": board.part,
            "bitstream": self.name,
            "bytes": len(self.data),
            "clock_mhz": round(self.on_board.clock_mhz, 6),
            "fmax_mhz": round(self.placed.fmax_mhz, 2),
            "baud": self.on_board.baud,
            "seed": self.seed,
            "steps": e.steps,
            "latency_cycles": e.latency_cycles,
            "latency_us": round(e.latency_cycles / self.on_board.clock_mhz, 3),
            "used": dict(self.placed.used),
            "available": {k: self.placed.available[k] for k in self.placed.used},
            "critical_path": [
                {"instance": p.instance, "logic_ns": p.logic_ns, "routing_ns": p.routing_ns}
                for p in path_parts(self.placed.path)
            ],
            "tools": tools,
            "commands": commands(self.on_board, self.seed),
            "load": self.load,
        }


def bitstream(
    design: Design,
    *,
    freq_mhz: float | None = None,
    seed: int = 1,
    baud: int | None = None,
    tell: Tell | None = None,
) -> Bitstream:
    """The bitstream of a design for its board, behind a UART.

    freq_mhz: the clock (default: that of `design.board`); the PLL's nearest is taken. seed: of
    place and route. baud: of the serial line (default: the board's). tell: is told what is going
    on. Raises BoardError for a board without open tools, DesignError for a clock or a baud rate
    that cannot be made, DoesNotFit (exit code 1) if the design is too large or too slow, ToolError.
    """
    check_seed(seed)
    shell_of(design.board)
    check_tools(design.board)
    board = at_clock(design.board, freq_mhz)
    on_board = emit_board(replace(design, board=board), baud=baud)
    check_estimate(on_board.design)
    source = source_of(on_board)
    netlist = synthesise(source, tell)
    check_room(on_board.design, netlist)
    if tell is not None:
        tell("nextpnr: places and routes")
    placed = placed_on(on_board, source, seed)
    check_clock(on_board, placed)
    if tell is not None:
        tell(f"{PACKERS[board.family].tool}: packs")
    data = pack(board, placed)
    return Bitstream(on_board=on_board, netlist=netlist, placed=placed, seed=seed, data=data)


def check_tools(board: Board) -> None:
    """Raise BoardError or ToolError before anything runs."""
    chip(board)
    find_package(ROUTERS[board.family].package, Extra.SYNTH)
    find_package(PACKERS[board.family].package, Extra.SYNTH)


def source_of(on_board: OnBoard) -> Source:
    """What yosys reads."""
    board = on_board.design.board
    return Source(files=on_board.files, top=TOP, family=board.family, part=board.part)


def check_estimate(design: Design) -> None:
    """Raise DoesNotFit, before any tool runs, for a design that is far too large by its estimate,
    all errors of the estimate put aside.
    """
    e = fitted(design)
    errors = {"LUT": e.count.error("luts"), "FF": e.count.error("ffs")}
    over = [
        f"{number(round(used))} {name}, the board has {has:,}"
        for name, (used, has) in e.use().items()
        if used / SURELY - SURELY * errors.get(name, 0) > has
    ]
    if over:
        raise no_room(design, f"is estimated to take {'; '.join(over)}")


def check_room(design: Design, netlist: Netlist) -> None:
    """Raise DoesNotFit if the board lacks something."""
    found = uses(netlist.total(), fitted(design), design.board)
    over = [over_text(use) for use in found if use.over]
    if over:
        raise no_room(design, "with its shell it " + "; ".join(over))


def no_room(design: Design, fact: str) -> DoesNotFit:
    """The error of a design that is too large."""
    hint = "fold more (a smaller pe or simd), use fewer bits or units, or take a larger board"
    return DoesNotFit(f"{design.name} on {design.board.name}", fact, hint)


def placed_on(on_board: OnBoard, source: Source, seed: int) -> Placed:
    """Place and route with the board's pins. Raises DoesNotFit, ToolError."""
    text = on_board.files.data(on_board.constraints).decode()
    board = on_board.design.board
    try:
        return place(board, source, freq_mhz=on_board.clock_mhz, seed=seed, constraints=text)
    except ToolError as error:
        if NO_ROOM.search(error.fact):
            raise no_room(on_board.design, f"does not fit: {error.fact}") from error
        raise


def check_clock(on_board: OnBoard, placed: Placed) -> None:
    """Raise DoesNotFit if the clock is missed."""
    if placed.fmax_mhz >= on_board.clock_mhz:
        return
    parts = path_parts(placed.path)
    way = " -> ".join(f"{p.instance} {p.logic_ns:.1f}+{p.routing_ns:.1f} ns" for p in parts)
    raise DoesNotFit(
        f"{on_board.design.name} on {on_board.design.board.name}",
        f"reaches {placed.fmax_mhz:.2f} MHz, not {on_board.clock_mhz:.6g} MHz; the critical path, "
        f"logic + routing: {way}",
        f"ask for --freq {int(placed.fmax_mhz)}, or try another --seed",
    )


def path_parts(path: tuple[Step, ...]) -> tuple[PathPart, ...]:
    """The critical path, steps in one instance put together."""
    found: list[PathPart] = []
    for step in path:
        at = step.cell.rpartition(".")[0].removeprefix(DESIGN)
        routing = step.delay_ns if step.kind == "routing" else 0.0
        part = PathPart(instance=at, logic_ns=step.delay_ns - routing, routing_ns=routing)
        if found and found[-1].instance == at:
            last = found.pop()
            part = PathPart(
                instance=at,
                logic_ns=last.logic_ns + part.logic_ns,
                routing_ns=last.routing_ns + part.routing_ns,
            )
        found.append(part)
    return tuple(
        replace(p, logic_ns=round(p.logic_ns, 3), routing_ns=round(p.routing_ns, 3)) for p in found
    )


def package_version(package: str) -> str:
    """A package, as pip calls it, with its version."""
    name = DISTRIBUTIONS.get(package, package)
    return f"{name} {metadata.version(name)}"


def native(on_board: OnBoard, seed: int) -> FileSet:
    """A script for yosys and a Makefile, so that a bitstream can be made without hwrnn."""
    board = on_board.design.board
    router, packer = ROUTERS[board.family], PACKERS[board.family]
    shown = commands(on_board, seed)
    name = on_board.design.name
    view = MakefileView(
        tool=tool(),
        name=name,
        suffix=packer.suffix,
        constraints=on_board.constraints,
        placed=router.placed,
        nextpnr=NATIVE[board.family],
        arguments=shown["nextpnr"].partition(" ")[2],
        packer=packer.tool,
        pack=shown["pack"].replace(f"{name}.{packer.suffix}", "$@"),
        load=shell_of(board).load,
        loader=shell_of(board).load.partition(" ")[0],
    )
    return FileSet(
        {"synth.ys": yosys_script(on_board), "Makefile": render("board/Makefile.j2", view)}
    )


def yosys_script(on_board: OnBoard) -> str:
    """What yosys is told, in one piece."""
    text = script(source_of(on_board))
    if on_board.design.board.family is not Family.GOWIN:
        return text
    pads = "\n".join(line for line in PADS.split("\n") if not line.startswith("read_json"))
    return text + pads


def commands(on_board: OnBoard, seed: int) -> Mapping[str, str]:
    """The command lines of the native tools; unlike ours they fail if the clock is missed."""
    board = on_board.design.board
    router, packer = ROUTERS[board.family], PACKERS[board.family]
    options = [*chip(board).options, "--freq", f"{on_board.clock_mhz:.6g}", "--seed", str(seed)]
    given = [a for a in arguments(router, options, "") if a != "--timing-allow-fail"]
    packing = pack_arguments(board, router.placed, f"{on_board.design.name}.{packer.suffix}")
    return {
        "yosys": "yosys -m slang -s synth.ys",
        "nextpnr": " ".join([NATIVE[board.family], *given]),
        "pack": " ".join([packer.tool, *packing]),
    }
