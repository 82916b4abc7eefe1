# SPDX-License-Identifier: Apache-2.0
"""The command `hwrnn synth`: what a design takes after yosys, and its clock after nextpnr."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwrnn.cli_print import print_json, print_table, told

if TYPE_CHECKING:
    from hwrnn.synth.cells import Cells
    from hwrnn.synth.nextpnr import Placed
    from hwrnn.synth.result import SynthResult
    from hwrnn.synth.units import Unit

Row = dict[str, object]


def synth(
    model: Annotated[
        Path, typer.Argument(help="QONNX file, or a float ONNX file (--calibration).")
    ],
    chosen: dict[str, Any],
    recipe: dict[str, Any],
    place: Annotated[
        bool | None,
        typer.Option("--place/--no-place", help="Place and route (default: where nextpnr can)."),
    ] = None,
    freq: Annotated[
        float | None, typer.Option(metavar="MHZ", help="Clock that is wanted; the board's if not.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of place and route.")] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for netlist, logs and reports.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Synthesise for a board with yosys, and place and route with nextpnr.

    Exit code 1 if the design does not fit the board, or misses its clock.
    """
    import hwrnn
    from hwrnn.backends.files import refuse_foreign
    from hwrnn.synth.result import can_place, synth_design

    if output is not None:
        refuse_foreign(output)  # now, not after the tools have run
    with told() as tell:
        tell("reading the model")
        graph = hwrnn.load(model, **recipe)
        tell("building")
        design = hwrnn.build(graph, **chosen)
        wanted = can_place(design.board) if place is None else place
        made = synth_design(design, place_it=wanted, freq_mhz=freq, seed=seed, tell=tell)
        if output is not None:
            made.write(output)
    if as_json:
        print_json(made.as_dict())
    else:
        print_result(made, wanted=wanted)
    if not made.ok:
        raise typer.Exit(1)


def print_result(made: SynthResult, *, wanted: bool) -> None:
    """Tables of cells, of the board and of the clock, then what is wrong."""
    board = made.design.board
    title = f"{made.design.name} on {board.title}, {board.part}: cells, counted by yosys"
    print_table(title, unit_rows(made))
    print_table("of the board", use_rows(made))
    if made.placed is not None:
        print_placed(made, made.placed)
    for line in made.netlist.warnings:
        print(f"yosys: {line}")
    if not wanted:
        print("not placed: the counts are those of synthesis, and no clock is known")
    for line in made.complaints:
        print(line)


def unit_rows(made: SynthResult) -> Iterator[Row]:
    """A row for each unit, below it one for each library module, then the total."""
    urams = bool(made.design.board.urams)
    for unit in made.units:
        if unit.cells == type(unit.cells)():
            continue
        yield {"unit": unit.name, "module": f"({unit.kind})"} | cell_row(unit.cells, urams=urams)
        yield from module_rows(unit, urams=urams)
    yield {"unit": "total", "module": ""} | cell_row(made.total, urams=urams)


def module_rows(unit: Unit, *, urams: bool) -> Iterator[Row]:
    """The library modules of a unit that take anything, the largest first."""
    largest = sorted(unit.modules.items(), key=lambda item: -(item[1].luts + item[1].lut_rams))
    for name, cells in largest:
        row = cell_row(cells, urams=urams)
        if len(unit.modules) > 1 and any(row.values()):
            yield {"unit": "", "module": name} | row


def cell_row(cells: Cells, *, urams: bool) -> Row:
    """Counts as text; nothing for none."""
    from hwrnn.synth.result import number

    found = {
        "LUT": cells.luts,
        "LUT RAM": cells.lut_rams,
        "FF": cells.ffs,
        "carry": cells.carries,
        "DSP": cells.dsps,
        "block RAM": cells.block_rams,
    }
    if urams:
        found["UltraRAM"] = cells.urams
    return {name: number(value) if value else "" for name, value in found.items()}


def use_rows(made: SynthResult) -> Iterator[Row]:
    """What a design takes of its board, beside the estimate."""
    from hwrnn.synth.result import number

    for use in made.use:
        yield {
            "": use.name,
            "yosys": number(use.used),
            "estimate": number(use.estimated),
            "on the board": number(use.available),
            "share": share(use.used, use.available),
        }


def share(used: float, available: int) -> str:
    """A percentage; nothing of what there is no number of, as nextpnr reports some cells."""
    return f"{100 * used / available:.1f} %" if available else ""


def print_placed(made: SynthResult, placed: Placed) -> None:
    """Clock, cells and critical path after place and route."""
    print_table(
        f"placed and routed by nextpnr, seed {made.seed}",
        [
            {
                "cell": name,
                "used": f"{used:,}",
                "on the device": f"{placed.available[name]:,}",
                "share": share(used, placed.available[name]),
            }
            for name, used in placed.used.items()
        ],
    )
    print_table(
        f"critical path, {sum(s.logic_ns + s.routing_ns for s in made.path):.2f} ns",
        [
            {
                "unit": step.unit,
                "instance": step.instance,
                "module": step.module,
                "logic ns": f"{step.logic_ns:.2f}",
                "routing ns": f"{step.routing_ns:.2f}",
            }
            for step in made.path
        ],
    )
    if placed.wrapped:
        print("more ports than pins: placed, and counted here, with shift registers at the ports")
    print(f"clock: {placed.fmax_mhz:.1f} MHz, {made.freq_mhz:g} MHz wanted")
