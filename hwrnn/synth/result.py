# SPDX-License-Identifier: Apache-2.0
"""A synthesised design: what each part takes of its board, and what clock it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import emit_rtl, top_name
from hwrnn.backends.rtl_parts import fitted
from hwrnn.board import Board
from hwrnn.design.design import Design
from hwrnn.design.estimate import Estimate
from hwrnn.errors import BoardError, DesignError, HwrnnError
from hwrnn.sim.tools import DISTRIBUTIONS, Extra, find_package, find_yosys
from hwrnn.synth.cells import Cells
from hwrnn.synth.devices import chip
from hwrnn.synth.nextpnr import ROUTERS, Placed, check_seed, place
from hwrnn.synth.run import Tell
from hwrnn.synth.units import Unit, instance, owner, units
from hwrnn.synth.yosys import Netlist, Source, script, synthesise

REMEDY = "fold more (a smaller pe or simd), choose other multipliers, or take a larger board"
WRAPPED = "u_top."  # a design within a wrapper for its pins


class DoesNotFit(HwrnnError):
    """A synthesised design that is too large for its board, or too slow: a check failed."""

    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One resource: what yosys counts, what was estimated, what the board has."""

    name: str
    used: float
    estimated: float
    available: int

    @property
    def over(self) -> float:
        """By how much it does not fit; 0 if it does."""
        return max(0, self.used - self.available)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """A piece of the critical path within one module: the design's unit, the instance, the library
    module, and the ns in its logic (with registers) and on its way there.
    """

    unit: str
    instance: str
    module: str
    logic_ns: float
    routing_ns: float


@dataclass(frozen=True, kw_only=True)
class SynthResult:
    """A design after yosys and, if asked for, after nextpnr (`placed`, aiming at `freq_mhz`)."""

    design: Design
    source: Source
    netlist: Netlist
    estimate: Estimate
    freq_mhz: float
    seed: int
    placed: Placed | None = None

    @property
    def total(self) -> Cells:
        """All cells."""
        return self.netlist.total()

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """The cells of each kernel."""
        return units(self.design, self.netlist)

    @property
    def use(self) -> tuple[Use, ...]:
        """What it takes of the board. LUTs are those of logic and those that hold memory."""
        return uses(self.total, self.estimate, self.design.board)

    @property
    def fits(self) -> bool:
        """True if the board has enough of everything."""
        return not any(use.over for use in self.use)

    @property
    def meets_clock(self) -> bool | None:
        """Whether it is as fast as asked; None if it was not placed."""
        return None if self.placed is None else self.placed.fmax_mhz >= self.freq_mhz

    @property
    def ok(self) -> bool:
        """It fits, and its clock is reached as far as this is known."""
        return self.fits and self.meets_clock is not False

    @cached_property
    def path(self) -> tuple[PathStep, ...]:
        """The critical path, cells of one module put together."""
        modules = {instance(m, self.netlist.top): m for m in self.netlist.instances()}
        return () if self.placed is None else path_of(self.design, self.placed, modules)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is wrong with it: resources that the board lacks, a clock that is missed."""
        wrong = [over_text(use) for use in self.use if use.over]
        if self.placed is not None and not self.meets_clock:
            wrong.append(f"reaches {self.placed.fmax_mhz:.1f} MHz, not {self.freq_mhz:g} MHz")
        return tuple(wrong)

    def check(self) -> None:
        """Raise DoesNotFit if the design does not fit its board or misses its clock."""
        if self.complaints:
            raise DoesNotFit(self.design.name, "; ".join(self.complaints), REMEDY)

    def write(self, folder: str | Path) -> Path:
        """Write the netlist, logs and reports of the tools into `folder`, in place of those that an
        earlier call wrote.  Raises OutputError, also for a folder with files of others.
        """
        found = [("", self.netlist.folder)]
        if self.placed is not None:
            found.append(("nextpnr_", self.placed.folder))
        files = {
            f"{prefix}{file.name}": file.read_bytes()
            for prefix, source in found
            for file in sorted(source.iterdir())
        }
        return FileSet(files).write(folder)

    def as_dict(self) -> dict[str, object]:
        """All of it, ready for JSON."""
        board = self.design.board
        return {
            "model": self.design.name,
            "board": board.name,
            "part": board.part,
            "total": asdict(self.total),
            "board_use": [asdict(use) | {"over": use.over} for use in self.use],
            "fits": self.fits,
            "units": [unit_dict(unit) for unit in self.units],
            "place": None if self.placed is None else self.place_dict(self.placed),
            "warnings": list(self.netlist.warnings),
            "tools": versions(board, placed=self.placed is not None),
            "commands": {"yosys": script(self.source).split("\n")[:-1]},
            "folder": str(self.netlist.folder),
        }

    def place_dict(self, placed: Placed) -> dict[str, object]:
        """Place and route, ready for JSON."""
        return {
            "fmax_mhz": round(placed.fmax_mhz, 2),
            "target_mhz": self.freq_mhz,
            "meets_clock": self.meets_clock,
            "seed": self.seed,
            "wrapped": placed.wrapped,
            "used": dict(placed.used),
            "available": {k: placed.available[k] for k in placed.used},
            "critical_path": [asdict(step) for step in self.path],
            "folder": str(placed.folder),
        }


def synth_design(
    design: Design,
    *,
    place_it: bool = False,
    freq_mhz: float | None = None,
    seed: int = 1,
    tell: Tell | None = None,
) -> SynthResult:
    """Synthesise the RTL of a design for its board and, with `place_it`, place and route it.

    freq_mhz: the clock that is wanted (default: the board's). A design that does not fit is not
    placed. Raises BoardError if there is no open place and route for the board, ToolError.
    """
    board = design.board
    if freq_mhz is not None and not 1 <= freq_mhz <= 2000:
        raise DesignError("option freq", f"is {freq_mhz:g}", "it is a clock, 1 to 2000 MHz")
    check_seed(seed)
    if place_it:
        check_router(board)
    source = source_of(design)
    made = SynthResult(
        design=design,
        source=source,
        netlist=synthesise(source, tell),
        estimate=fitted(design),
        freq_mhz=freq_mhz or board.clock_mhz,
        seed=seed,
    )
    if not place_it or not made.fits:
        return made
    if tell is not None:
        tell("nextpnr: places and routes")
    placed = place(board, source, freq_mhz=freq_mhz, seed=seed)
    return replace(made, placed=placed)


def check_router(board: Board) -> None:
    """Raise BoardError or ToolError, before anything runs, if nextpnr cannot place for a board."""
    if board.family not in ROUTERS:
        raise BoardError(
            board.name,
            f"has a {board.part}, for which no open place and route exists: synthesis only counts",
            "run vivado.tcl of the emitted project, or leave out --place",
        )
    chip(board)
    find_package(ROUTERS[board.family].package, Extra.SYNTH)


def can_place(board: Board) -> bool:
    """True if nextpnr knows the board's device, whether it is installed or not."""
    if board.family not in ROUTERS:
        return False
    try:
        chip(board)
    except BoardError:
        return False
    return True


def source_of(design: Design) -> Source:
    """What yosys reads of a design: its emitted RTL."""
    return Source(
        files=emit_rtl(design),
        top=top_name(design),
        family=design.board.family,
        part=design.board.part,
    )


def uses(total: Cells, estimate: Estimate, board: Board) -> tuple[Use, ...]:
    """What a design takes of its board, resource by resource."""
    found = [
        ("LUT", total.luts + total.lut_rams, estimate.luts, board.luts),
        ("FF", total.ffs, estimate.ffs, board.ffs),
        ("DSP", total.dsps, estimate.dsps, board.dsps),
        ("block RAM", total.block_rams, estimate.brams, board.block_rams),
    ]
    if board.urams:
        found.append(("UltraRAM", total.urams, estimate.urams, board.urams))
    return tuple(
        Use(name=name, used=used, estimated=estimated, available=available)
        for name, used, estimated, available in found
    )


def over_text(use: Use) -> str:
    """By how much a resource does not fit."""
    more = f"{number(use.over)} more than the {use.available:,} of the board"
    return f"takes {number(use.used)} {use.name}, {more}"


def number(value: float) -> str:
    """A count, which may have a half."""
    return f"{value:,.1f}" if value % 1 else f"{int(value):,}"


def unit_dict(unit: Unit) -> dict[str, object]:
    """A unit, ready for JSON."""
    return {
        "unit": unit.name,
        "kind": unit.kind,
        "cells": asdict(unit.cells),
        "modules": {name: asdict(cells) for name, cells in unit.modules.items()},
        "instances": {name: asdict(cells) for name, cells in unit.instances.items()},
    }


def path_of(design: Design, placed: Placed, modules: Mapping[str, str]) -> tuple[PathStep, ...]:
    """The critical path by modules; `modules`: the module of each instance path."""
    found: list[PathStep] = []
    for step in placed.path:
        cell = step.cell.removeprefix(WRAPPED) if placed.wrapped else step.cell
        inside = cell.startswith("u_") and not (placed.wrapped and cell == step.cell)
        at = innermost(cell, modules) if inside else ""
        routing = step.delay_ns if step.kind == "routing" else 0.0
        made = PathStep(
            unit=owner(design, at),
            instance=at,
            module=modules[at].split("$", 1)[0],
            logic_ns=round(step.delay_ns - routing, 3),
            routing_ns=routing,
        )
        if found and found[-1].instance == at:
            made = joined(found.pop(), made)
        found.append(made)
    return tuple(found)


def innermost(cell: str, modules: Mapping[str, str]) -> str:
    """The longest path of an instance in which a cell lies; "" is the top itself."""
    while cell and cell not in modules:
        cell = cell.rpartition(".")[0]
    return cell


def joined(a: PathStep, b: PathStep) -> PathStep:
    """Two steps in one instance as one."""
    return replace(
        a,
        logic_ns=round(a.logic_ns + b.logic_ns, 3),
        routing_ns=round(a.routing_ns + b.routing_ns, 3),
    )


def versions(board: Board, *, placed: bool) -> dict[str, str]:
    """The packages that ran."""
    yosys = find_yosys()
    found = {"yosys": f"{yosys} {metadata.version(yosys)}"}
    if placed:
        package = ROUTERS[board.family].package
        found["nextpnr"] = f"{DISTRIBUTIONS[package]} {metadata.version(DISTRIBUTIONS[package])}"
    return found
