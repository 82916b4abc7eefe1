# SPDX-License-Identifier: Apache-2.0
"""The RTL back end: a Design as a SystemVerilog project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from hwrnn import __version__
from hwrnn.backends.files import FileSet
from hwrnn.backends.fusesoc import core_files
from hwrnn.backends.identity import version_word
from hwrnn.backends.jinja import PACKAGE, render
from hwrnn.backends.rtl_netlist import Module
from hwrnn.backends.rtl_streams import port_bits
from hwrnn.backends.rtl_top import Top, free_name
from hwrnn.board import Toolchain
from hwrnn.design.design import AxisIn, AxisOut, Design, Stream, axis_width

LIBRARY = PACKAGE / "lib" / "rtl"
CHECKS = "hwrnn_stream_checks"  # assertions, in simulation only
CHECKED = ("hwrnn_fifo", "hwrnn_stream_reg")  # what they are bound to


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleView:
    """What the template of a generated module reads."""

    tool: str
    model: str
    module: Module


@dataclass(frozen=True, slots=True, kw_only=True)
class PortView:
    """A stream port, as the README describes it: what its signals start with, its name in the
    table of beats, and what it carries, if there are several.
    """

    port: str
    shown: str
    meaning: str
    features: int
    lanes: int
    beats: int
    bits: int
    signed: bool
    lo: int
    hi: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectView:
    """What the templates of the project's other files read."""

    tool: str
    model: str
    model_hash: str
    version: str
    top: str
    board: str
    part: str
    vivado: bool
    clock_mhz: str
    period_ns: str
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]
    tids: str
    held_steps: int
    max_steps: int | None
    fixed_steps: int | None
    streams: int
    id_bits: int
    sources: tuple[str, ...]
    memories: tuple[str, ...]
    writable: bool
    keep: bool


def top_name(design: Design) -> str:
    """The name of the top module."""
    return free_name(f"hwrnn_{design.name}", library_modules())


def emit_rtl(design: Design) -> FileSet:
    """The SystemVerilog project of a design: sources, memory contents, file list, README."""
    top = Top(design, top_name(design), library_modules(), version_word())
    last = top.build()
    modules = [*top.kernels, last]
    sources = {f"{m}.sv": library_text(m) for m in used_library(modules)}
    sources |= {f"{m.name}.sv": module_text(design, m) for m in modules}
    memories = top.memories.files
    view = project_view(design, last.name, tuple(sources), tuple(memories))
    files = {f"rtl/{name}": text for name, text in {**sources, **memories}.items()}
    files["rtl/files.f"] = render("rtl/files.f.j2", view)
    files["README.md"] = render("rtl/README.md.j2", view)
    if top.memories.config is not None:
        files["weights.json"] = top.memories.config.text(top.layout)
    if view.vivado:
        files["vivado.tcl"] = render("rtl/vivado.tcl.j2", view)
    made_from = (view.tool, view.model, view.model_hash)
    names = (view.sources, view.memories)
    files |= core_files(made_from, view.top, view.version, design.board, names)
    return FileSet(files)


def module_text(design: Design, module: Module) -> str:
    """A generated module as text."""
    view = ModuleView(tool=tool(), model=model(design), module=module)
    return render("rtl/module.sv.j2", view)


def tool() -> str:
    """Who wrote a file."""
    return f"hwrnn {__version__}"


def model(design: Design) -> str:
    """What a file was made from."""
    return f"model {design.graph.name}, hash {design.model_hash[:16]}"


@cache
def library_modules() -> frozenset[str]:
    """The names of all library modules."""
    return frozenset(p.stem for p in LIBRARY.glob("*.sv"))


@cache
def depends(module: str) -> tuple[str, ...]:
    """The library modules that a library module instantiates."""
    text = library_text(module)
    found = set(re.findall(r"^\s*(hwrnn_\w+) (?:#|u_\w+ )\($", text, flags=re.MULTILINE))
    return tuple(sorted(found & library_modules() - {module}))


def used_library(modules: list[Module]) -> list[str]:
    """The library modules below `modules`, sorted."""
    open_ = {i.module for m in modules for i in m.instances} & library_modules()
    used: set[str] = set()
    while open_:
        used |= open_
        open_ = {d for m in open_ for d in depends(m)} - used
    return sorted(used)


def project_view(
    design: Design, top: str, sources: tuple[str, ...], memories: tuple[str, ...]
) -> ProjectView:
    """What the README and the scripts say."""
    board = design.board
    return ProjectView(
        tool=tool(),
        model=design.graph.name,
        model_hash=design.model_hash[:16],
        version=__version__,
        top=top,
        board=board.title,
        part=board.part,
        vivado=board.toolchain is Toolchain.VIVADO,
        clock_mhz=f"{board.clock_mhz:g}",
        period_ns=f"{board.period_ns:.3f}",
        inputs=port_views(design.sources, "in"),
        outputs=port_views(design.sinks, "out"),
        tids=", ".join(f"`{port}_tid`" for port in with_tid(design)),
        held_steps=design.held_steps,
        max_steps=design.source.max_steps,
        fixed_steps=design.source.fixed_steps,
        streams=design.streams,
        id_bits=design.source.out.id_bits,
        sources=sources,
        memories=memories,
        writable=design.writable,
        keep=design.keep,
    )


def with_tid(design: Design) -> list[str]:
    """The ports that say to which of several streams a beat belongs."""
    return [design.source.port, *(k.port for k in design.sinks)]


def port_views(ports: Sequence[AxisIn | AxisOut], side: str) -> tuple[PortView, ...]:
    """All inputs, or all outputs."""
    alone = len(ports) == 1
    return tuple(
        port_view(
            k.out if isinstance(k, AxisIn) else k.x,
            port=k.port,
            shown=side if alone else f"`{k.port}`",
            meaning="" if alone else f": {k.name}",
        )
        for k in ports
    )


def port_view(s: Stream, *, port: str, shown: str, meaning: str) -> PortView:
    """A port's numbers."""
    return PortView(
        port=port,
        shown=shown,
        meaning=meaning,
        features=s.features,
        lanes=s.lanes,
        beats=s.beats,
        bits=axis_width(s.type),
        signed=s.type.signed,
        lo=s.type.lo,
        hi=s.type.hi,
        width=port_bits(s),
    )


@cache
def library_text(module: str) -> str:
    """The source of a library module."""
    return (LIBRARY / f"{module}.sv").read_text(encoding="utf-8")
