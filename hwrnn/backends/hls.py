# SPDX-License-Identifier: Apache-2.0
"""Design -> HLS C++ project: kernels, constants, top, testbench, vendor scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from hwrnn.backends.files import FileSet
from hwrnn.backends.hls_around import HEADERS as AROUND
from hwrnn.backends.hls_around import embed_views, slide_views
from hwrnn.backends.hls_golden import (
    Golden,
    by_name,
    fragment_flags,
    golden_text,
    golden_vectors,
)
from hwrnn.backends.hls_image import ImageMap
from hwrnn.backends.hls_views import (
    Caller,
    ImagePortView,
    ProjectView,
    ShellView,
    concat_view,
    dwc_view,
    has_wide_ports,
    layer_view,
    shell_view,
    streams_of,
    widest_port,
)
from hwrnn.backends.identity import banner, model_word, top_name, version_word
from hwrnn.backends.image import Image
from hwrnn.backends.jinja import PACKAGE, render
from hwrnn.backends.rtl_config import address_bits
from hwrnn.design.design import (
    AxisIn,
    AxisOut,
    Concat,
    Crop,
    Design,
    Dwc,
    Engine,
    Fork,
    Interleave,
    Kernel,
    Map,
    Reverse,
    SelectStep,
    Separate,
    Stream,
)

LIBRARY = PACKAGE / "lib" / "hls"
PROJECT_FILES = ("README.md", "design.hpp", "top.hpp", "top.cpp", "tb.cpp")
SCRIPTS = ("hls_config.cfg", "run_hls.tcl")
HEADERS: dict[type, str] = {
    Concat: "concat",
    Crop: "crop",
    Dwc: "dwc",
    Fork: "fork",
    Interleave: "interleave",
    Reverse: "reverse",
    SelectStep: "select_step",
    Separate: "separate",
    **AROUND,
}


def emit_hls(design: Design, golden: Golden | None = None) -> FileSet:
    """The HLS project of a design, library included.

    `golden` holds input sequences and the outputs that the testbench expects, each an array of
    (steps, features) integers; by default seeded random inputs and what the C-model makes of them.
    Raises DesignError for what the HLS back end cannot do.
    """
    image = ImageMap.of(design)
    view = project_view(design, image)
    files: dict[str, str | bytes] = {
        name: render(f"hls/{name}.j2", view) for name in (*PROJECT_FILES, *SCRIPTS)
    }
    for layer in view.layers:
        files[f"layer_{layer.name}.hpp"] = render("hls/layer.hpp.j2", layer)
        files[f"constants_{layer.name}.hpp"] = render("hls/constants.hpp.j2", layer)
    for header in sorted(LIBRARY.glob("*.hpp")):
        files[f"hwrnn/{header.name}"] = header.read_text(encoding="utf-8")
    return FileSet(files) | golden_files(design, golden) | image_files(design, image)


def golden_files(design: Design, golden: Golden | None) -> FileSet:
    """What the testbench plays at every input, and expects at every output."""
    given = golden or golden_vectors(design)
    names = [k.name for k in design.sources], [k.name for k in design.sinks]
    inputs, outputs = (by_name(some, known) for some, known in zip(given, names, strict=True))
    count = len(inputs[design.source.name])
    flags = {design.source.name: flags_of(design, golden, count)}
    shown = {
        f"golden_in{k.port[6:]}.txt": golden_text(inputs[k.name], flags.get(k.name))
        for k in design.sources
    }
    made = {f"golden_out{k.port[6:]}.txt": golden_text(outputs[k.name]) for k in design.sinks}
    return FileSet(shown | made)


def flags_of(design: Design, golden: Golden | None, count: int) -> list[bool] | None:
    """Which of the golden sequences start anew, in a design that keeps states: all that a caller
    gives.
    """
    if not design.keep:
        return None
    return fragment_flags(count) if golden is None else [True] * count


def image_files(design: Design, image: ImageMap | None) -> FileSet:
    """The map of the memories that an image writes, and the image of the design's own model."""
    if image is None:
        return FileSet({})
    own = Image(
        graph=design.graph,
        design=f"{design.name}, {design.board.name}",
        layout=image.layout,
        regions=tuple(image.config.regions),
    )
    return FileSet(
        {"golden_image.txt": own.text(), "weights.json": image.config.text(image.layout)}
    )


def simulated(design: Design) -> FileSet:
    """The HLS project of a design without golden vectors, and what a simulation needs beside it."""
    return emit_hls(design, golden=([], [])) | ports(design)


def ports(design: Design) -> FileSet:
    """A header with which simulations reach the ports of a design, whatever it has, and a shell in
    SystemVerilog that has the ports of its RTL.
    """
    view = project_view(design, ImageMap.of(design))
    names = ("sim_ports.hpp", "sim_shell.sv")
    return FileSet({name: render(f"hls/{name}.j2", view) for name in names})


def project_view(design: Design, image: ImageMap | None) -> ProjectView:
    """What all templates but those of the layers are filled with."""
    design, lines = in_calls(design), banner(design)
    sources = tuple(shell_view(k, design) for k in design.sources)
    sinks = tuple(shell_view(k, design) for k in design.sinks)
    layers = tuple(
        layer_view(k, lines, image, keep=design.keep)
        for k in design.kernels
        if isinstance(k, Engine | Map)
    )
    firsts = tuple(k.name for k in layers if k.keeps)
    started = tuple(k.name for k in design.sources[1:] if design.streams > 1)
    caller = Caller(
        design,
        {k.name: k for k in layers},
        {k.port: k for k in (*sources, *sinks)},
        firsts,
        started,
    )
    return ProjectView(
        banner=lines,
        name=design.name,
        top=top_name(design),
        version=f"0x{version_word():08x}",
        model_hash=f"0x{model_word(design):016x}ULL",
        has_wide_ports=has_wide_ports(design),
        ap_int_bits=widest_port(design),
        sequences_at_once=design.streams,
        streams=streams_of(design),
        source=sources[0],
        sink=sinks[0],
        sources=sources,
        sinks=sinks,
        dwcs=tuple(dwc_view(k) for k in design.kernels if isinstance(k, Dwc)),
        concats=tuple(concat_view(k) for k in design.kernels if isinstance(k, Concat)),
        slides=slide_views(design),
        embeds=embed_views(design),
        layers=layers,
        calls=tuple(caller.calls()),
        includes=includes(design, sources),
        keep=design.keep,
        firsts=firsts,
        started=started,
        first_depth=len(design.kernels),
        image=image_port(image) if image else None,
        part=design.board.part,
        period=f"{design.board.period_ns:.3f}",
        board=design.board.title,
    )


def in_calls(design: Design) -> Design:
    """The design as calls of kernels: with several streams a call holds many sequences, and all
    that is read or written in it has an end that says so, also vectors that have no TID.
    """
    if design.streams == 1:
        return design
    kernels = tuple(on_streams(k, design.streams) for k in design.kernels)
    return replace(design, kernels=kernels)


def on_streams(kernel: Kernel, streams: int) -> Kernel:
    """A kernel whose streams are all of so many."""
    changed: dict[str, object] = {"streams": streams} if isinstance(kernel, Engine) else {}
    for f in fields(kernel):
        value = getattr(kernel, f.name)
        if isinstance(value, Stream):
            changed[f.name] = replace(value, streams=streams)
        elif f.name in {"xs", "outs"}:
            changed[f.name] = tuple(replace(x, streams=streams) for x in value)
        elif f.name == "starts":
            changed[f.name] = tuple(replace(v, x=replace(v.x, streams=streams)) for v in value)
        elif f.name == "more":
            changed[f.name] = tuple(replace(v, out=replace(v.out, streams=streams)) for v in value)
    return replace(kernel, **changed)  # type: ignore[arg-type]


def includes(design: Design, sources: Sequence[ShellView]) -> tuple[str, ...]:
    """The library headers that the top reads."""
    found = {"axis_out", *(k.receiver for k in sources), *headers(design.kernels)}
    return tuple(sorted(found | ({"image_in"} if design.writable else set())))


def image_port(image: ImageMap) -> ImagePortView:
    """The port through which images come."""
    return ImagePortView(
        layout=f"0x{image.layout:08x}",
        end=image.config.end,
        address_bits=address_bits(image.config),
    )


def headers(kernels: Sequence[Kernel]) -> set[str]:
    """The library headers of the kernels that the top calls directly."""
    return {HEADERS[type(k)] for k in kernels if not isinstance(k, AxisIn | AxisOut | Engine | Map)}
