# SPDX-License-Identifier: Apache-2.0
"""Synthesises many instances of library modules at once, each counted by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import depends, library_text
from hwrnn.board import Family
from hwrnn.design.resources.part import Part
from hwrnn.synth.cells import Cells
from hwrnn.synth.yosys import Netlist, Source, run_script

TOP = "zoo"
CHUNK = 120  # instances of a run
WIDEST = 1 << 16  # bits of what drives the inputs


def counts(parts: Sequence[Part], family: Family) -> list[Cells]:
    """What each of the parts takes, submodules included."""
    found: list[Cells] = []
    for start in range(0, len(parts), CHUNK):
        found += chunk_counts(parts[start : start + CHUNK], family)
    return found


def chunk_counts(parts: Sequence[Part], family: Family) -> list[Cells]:
    """The same with one run of yosys; from the cache, if that is known."""
    source = Source(files=files(parts), top=TOP, family=family)
    script = (
        f"{source.read()}\nsetattr -set keep 1 {TOP}/*\n"
        f"{source.command()} -top {TOP}\ntee -q -o stat.json stat -json\n"
    )
    netlist = Netlist(family=family, top=TOP, folder=run_script(source, script))
    names = {}
    for name in netlist.cells:
        match = re.fullmatch(rf"\w+\${TOP}\.u(\d+)", name)
        if match:
            names[int(match[1])] = name
    return [netlist.total(names[k]) for k in range(len(parts))]


def files(parts: Sequence[Part]) -> FileSet:
    """The library modules that are needed, and a top with all instances."""
    used = {m for p in parts for m in closure(p.module)}
    found = {f"rtl/{m}.sv": library_text(m) for m in sorted(used)}
    lines = []
    for k, part in enumerate(parts):
        if part.words:
            found[f"rtl/m{k}.mem"] = contents(part)
        lines.append(instance(k, part))
    body = "\n".join(lines)
    found[f"rtl/{TOP}.sv"] = (
        f"module {TOP} (input logic clk_i, input logic rst_i, input logic [{WIDEST - 1}:0] in);\n"
        f"{body}\nendmodule\n"
    )
    return FileSet(found)


@cache
def closure(module: str) -> tuple[str, ...]:
    """A library module and all below it."""
    used: set[str] = set()
    waiting = {module}
    while waiting:
        used |= waiting
        waiting = {d for m in waiting for d in depends(m)} - used
    return tuple(sorted(used))


def contents(part: Part) -> str:
    """A memory file."""
    digits = max(-(-max(part.words).bit_length() // 4), 1)
    return "".join(f"{w:0{digits}x}\n" for w in part.words)


def instance(k: int, part: Part) -> str:
    """An instance; its outputs go nowhere."""
    given: dict[str, str] = {name: literal(v) for name, v in part.given.items()}
    if part.words:
        given["File"] = f'"m{k}.mem"'
    if part.style != "auto":
        given["Style"] = f'"{part.style}"'
    parameters = ", ".join(f".{n}({v})" for n, v in given.items())
    parameters = f"#({parameters}) " if parameters else ""
    ports = ", ".join(f".{n}({wire})" for n, wire in connections(part.module).items())
    return f"  {part.module} {parameters}u{k} ({ports});"


def literal(value: int) -> str:
    """A number as SystemVerilog: any size."""
    if -(1 << 31) <= value < 1 << 31:
        return str(value)
    return f"{value.bit_length()}'h{value:x}"


def connections(module: str) -> Mapping[str, str]:
    """Inputs are bits of one port, outputs are open."""
    text = re.sub(r"//.*", "", library_text(module))
    start = text.index(") (") + 3 if "#(" in text else text.index("(") + 1
    ports = text[start : text.index(");", start)]
    found = {}
    for line in ports.split("\n"):
        match = re.search(r"\b(input|output)\b.*?(\w+)\s*,?\s*$", line)
        if match:
            name = match[2]
            kept = name if name in ("clk_i", "rst_i") else "in"
            found[name] = kept if match[1] == "input" else ""
    return found
