# SPDX-License-Identifier: Apache-2.0
"""The core file (CAPI2) of an RTL project, with which FuseSoC and Edalize take it into a build.

Memory files are copied to where the tools run, because $readmemh finds them there. Pins are the
business of the design that the core goes into: for boards of the open tools the target `synth` ends
with a netlist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwrnn.backends.jinja import render
from hwrnn.board import Board, Family, Toolchain

FLOWS: Mapping[Family, str] = {
    Family.ECP5: "trellis",
    Family.ICE40: "icestorm",
    Family.GOWIN: "apicula",
}
YOSYS = "yosys.tcl"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreView:
    """What the core file says."""

    tool: str
    model: str
    model_hash: str
    name: str
    top: str
    sources: tuple[str, ...]
    memories: tuple[str, ...]
    flow: str
    part: str
    device: bool
    script: str


def core_files(
    view: tuple[str, str, str],
    top: str,
    version: str,
    board: Board,
    names: tuple[Sequence[str], Sequence[str]],
) -> dict[str, str]:
    """The core file, and the yosys script that its target `synth` names, by path.

    `view`: the tool, the model and its hash; `names`: the sources and the memory files of rtl/.
    """
    vivado = board.toolchain is Toolchain.VIVADO
    tool, model, model_hash = view
    made = CoreView(
        tool=tool,
        model=model,
        model_hash=model_hash,
        name=core_name(top, version),
        top=top,
        sources=tuple(names[0]),
        memories=tuple(names[1]),
        flow="vivado" if vivado else FLOWS[board.family],
        part=board.part,
        device=board.family is Family.GOWIN,
        script="" if vivado else YOSYS,
    )
    files = {f"{top}.core": render("rtl/fusesoc.core.j2", made)}
    if made.script:
        files[f"rtl/{YOSYS}"] = render("rtl/yosys.tcl.j2", made)
    return files


def core_name(top: str, version: str) -> str:
    """Vendor, library, name and version; of the version what is numbers, as FuseSoC orders them."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", top)
    match = re.match(r"\d+(\.\d+){0,2}", version)
    return f"::{name}:{match[0] if match else '0'}"
