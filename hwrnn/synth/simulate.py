# SPDX-License-Identifier: Apache-2.0
"""Puts a design's netlist and the models of its cells together, for simulation.

The netlist is the one that is counted and placed. Models come from yosys itself; where it has only
a black box, from the folder `cells`, a file each. These model the modes that our designs use and
refuse every other one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hwrnn.backends.files import FileSet
from hwrnn.backends.shell import CORE
from hwrnn.board import Board, Family
from hwrnn.design.design import Design
from hwrnn.errors import ToolError
from hwrnn.sim.netlist import Mapped
from hwrnn.sim.tools import find_yosys
from hwrnn.synth.result import source_of
from hwrnn.synth.yosys import Netlist, Source, synthesise

SHARES = {  # yosys' folder of a family
    Family.XC7: "xilinx",
    Family.XCUP: "xilinx",
    Family.ECP5: "ecp5",
    Family.ICE40: "ice40",
    Family.GOWIN: "gowin",
}
YOSYS_CELLS = "cells_sim.v"
NETLIST = "netlist.v"
COMMON = "common"  # modules that several of our models are made of
# yosys' iCE40 models give input ports initial values. Verilator writes them to whatever drives the
# port, inputs of the top module among them: a reset would be cleared as soon as it is raised.
# yosys connects all ports; that it does is checked, as nothing else gives them a value.
OPTIONS = {
    Family.ICE40: (
        "+define+NO_ICE40_DEFAULT_ASSIGNMENTS",
        "-Wwarn-PINMISSING",
        "-Werror-PINMISSING",
    )
}


def map_design(design: Design) -> Mapped:
    """Synthesise a design for its board, ready for `simulate_netlist`. Raises ToolError."""
    return mapped(synthesise(source_of(design)))


def map_core(files: FileSet, board: Board) -> Mapped:
    """Synthesise what `emit_shell` wrote for a board, ready for `hwrnn.sim.uart.simulated`. Raises
    ToolError.
    """
    return mapped(synthesise(Source(files=files, top=CORE, family=board.family, part=board.part)))


def mapped(netlist: Netlist) -> Mapped:
    """A netlist with the models of its cells. Raises ToolError for a cell without a model."""
    text = (netlist.folder / NETLIST).read_text(encoding="utf-8")
    files = {f"rtl/{NETLIST}": text, **models(netlist)}
    return Mapped(files=FileSet(files), top=netlist.top)


def models(netlist: Netlist) -> dict[str, str]:
    """What Verilator reads beside the netlist: our models of its cells, then yosys' as a library,
    and the list of all. A cell that has one of ours is never yosys' one.
    """
    own = {p.stem: p for p in sorted((cells_folder() / netlist.family).glob("*.v"))}
    used = [own[name] for name in sorted(cell_types(netlist) & own.keys())]
    helpers = sorted((cells_folder() / COMMON).glob("*.v"))
    share = yosys_share() / SHARES[netlist.family]
    library = [share / YOSYS_CELLS, *sorted(share.glob("*.vh"))]
    texts = {p.name: p.read_text(encoding="utf-8") for p in (*used, *helpers, *library)}
    check_known(netlist, own.keys() | modules_in(texts[p.name] for p in library))
    listed = file_list([p.name for p in used], [p.name for p in helpers])
    texts["files.f"] = listed + "".join(f"{line}\n" for line in OPTIONS.get(netlist.family, ()))
    return {f"rtl/{name}": text for name, text in texts.items()}


def modules_in(texts: Iterable[str]) -> set[str]:
    """The names of the modules in Verilog files."""
    return {name for text in texts for name in re.findall(r"^module\s+(\w+)", text, re.MULTILINE)}


def check_known(netlist: Netlist, known: AbstractSet[str]) -> None:
    """Raise ToolError for a cell of which there is no model."""
    for name in sorted(cell_types(netlist) - known):
        raise ToolError(
            f"engine netlist, cell {name}",
            f"has no model for {netlist.family}",
            f"add one as {netlist.family}/{name}.v to the folder of cells, or use engine rtl",
        )


def file_list(used: list[str], helpers: list[str]) -> str:
    """What Verilator reads: of the files behind -v only the modules that are asked for."""
    libraries = [f"-v {name}" for name in (*helpers, YOSYS_CELLS)]
    return "\n".join([NETLIST, *used, "+incdir+.", *libraries]) + "\n"


def cell_types(netlist: Netlist) -> set[str]:
    """The types of the cells of all modules of a netlist."""
    return {kind for cells in netlist.cells.values() for kind in cells} - netlist.cells.keys()


@cache
def cells_folder() -> Path:
    """Our models: inside an installed package, or among the tests of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "cells"
    return installed if installed.is_dir() else package.parent / "tests" / "cells"


@cache
def yosys_share() -> Path:
    """The data files of the yosys that is used. Raises ToolError."""
    package = find_yosys().replace("-", "_")
    spec = find_spec(package)
    folders = [] if spec is None else [Path(f) for f in spec.submodule_search_locations or ()]
    for folder in folders:
        if (folder / "share").is_dir():
            return folder / "share"
    raise ToolError(package, "has no folder `share` with the models of cells", "install pyosys")
