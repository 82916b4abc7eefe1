# SPDX-License-Identifier: Apache-2.0
"""Design -> HLS C++ project: kernels, constants, top, testbench, vendor scripts."""

from __future__ import annotations

from collections.abc import Sequence

from hwrnn.backends.files import FileSet
from hwrnn.backends.hls_around import HEADERS as AROUND
from hwrnn.backends.hls_around import embed_views, slide_views
from hwrnn.backends.hls_golden import Golden, fragment_flags, golden_text, golden_vectors
from hwrnn.backends.hls_image import ImageMap
from hwrnn.backends.hls_views import (
    ImagePortView,
    ProjectView,
    call_view,
    concat_view,
    dwc_view,
    has_wide_ports,
    layer_view,
    receiver,
    shell_view,
    streams_of,
)
from hwrnn.backends.identity import banner, model_word, top_name, version_word
from hwrnn.backends.image import Image
from hwrnn.backends.jinja import PACKAGE, render
from hwrnn.design.design import (
    AxisIn,
    AxisOut,
    Concat,
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
)

LIBRARY = PACKAGE / "lib" / "hls"
PROJECT_FILES = ("README.md", "design.hpp", "top.hpp", "top.cpp", "tb.cpp")
SCRIPTS = ("hls_config.cfg", "run_hls.tcl")
HEADERS: dict[type, str] = {
    Concat: "concat",
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
    inputs, outputs = golden or golden_vectors(design)
    files["golden_in.txt"] = golden_text(inputs, flags_of(design, golden, len(inputs)))
    files["golden_out.txt"] = golden_text(outputs)
    return FileSet(files) | image_files(design, image)


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
    """A header with which simulations reach the ports of a design, whatever it has."""
    view = project_view(design, ImageMap.of(design))
    return FileSet({"sim_ports.hpp": render("hls/sim_ports.hpp.j2", view)})


def project_view(design: Design, image: ImageMap | None) -> ProjectView:
    """What all templates but those of the layers are filled with."""
    lines = banner(design)
    source, sink = shell_view(design.source, keep=design.keep), shell_view(design.sink)
    layers = tuple(
        layer_view(k, lines, image, keep=design.keep)
        for k in design.kernels
        if isinstance(k, Engine | Map)
    )
    firsts = tuple(k.name for k in layers if k.keeps)
    by_name = {k.name: k for k in layers}
    into = receiver(design.source, keep=design.keep)
    return ProjectView(
        banner=lines,
        name=design.name,
        top=top_name(design),
        version=f"0x{version_word():08x}",
        model_hash=f"0x{model_word(design):016x}ULL",
        has_wide_ports=has_wide_ports(design),
        ap_int_bits=max(source.data_bits, sink.data_bits),
        sequences_at_once=design.streams,
        streams=streams_of(design),
        source=source,
        sink=sink,
        dwcs=tuple(dwc_view(k) for k in design.kernels if isinstance(k, Dwc)),
        concats=tuple(concat_view(k) for k in design.kernels if isinstance(k, Concat)),
        slides=slide_views(design),
        embeds=embed_views(design),
        layers=layers,
        receiver=into,
        calls=tuple(call_view(k, by_name, firsts) for k in design.kernels),
        includes=tuple(
            sorted({into, "axis_out", *headers(design.kernels), *(["image_in"] if image else [])})
        ),
        keep=design.keep,
        firsts=firsts,
        first_depth=len(design.kernels),
        image=image_port(image) if image else None,
        part=design.board.part,
        period=f"{design.board.period_ns:.3f}",
        board=design.board.title,
    )


def image_port(image: ImageMap) -> ImagePortView:
    """The port through which images come."""
    return ImagePortView(layout=f"0x{image.layout:08x}", end=image.config.end)


def headers(kernels: Sequence[Kernel]) -> set[str]:
    """The library headers of the kernels that the top calls directly."""
    return {HEADERS[type(k)] for k in kernels if not isinstance(k, AxisIn | AxisOut | Engine | Map)}
