# SPDX-License-Identifier: Apache-2.0
"""The kernels around the recurrence in HLS C++: numbers, tables and calls."""

from __future__ import annotations

from dataclasses import dataclass

from hwrnn.backends.cpp_literals import cpp_array, machine_type
from hwrnn.design.around import ArgMax, Around, Combine, Embed, Repeat, Slide, Zip
from hwrnn.design.design import Design
from hwrnn.ir import How

HEADERS: dict[type, str] = {
    ArgMax: "arg_max",
    Combine: "combine",
    Embed: "embed",
    Repeat: "repeat",
    Slide: "slide",
    Zip: "zip",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideView:
    """The numbers of windows over time."""

    name: str
    comment: str
    numbers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedView:
    """A table and how its rows are read."""

    name: str
    comment: str
    element: str
    beats: int
    columns: int
    rows: int
    table: str


def slide_views(design: Design) -> tuple[SlideView, ...]:
    """All windows of a design."""
    return tuple(slide_view(k) for k in design.kernels if isinstance(k, Slide))


def slide_view(k: Slide) -> SlideView:
    """Steps of a window and around the sequence."""
    numbers = {
        "beats": k.x.beats,
        "size": k.size,
        "stride": k.stride,
        "before": k.before,
        "after": k.after,
        "fill": k.fill,
    }
    return SlideView(
        name=f"n_{k.name}",
        comment=f"{k.size} steps of {k.x.features} elements, the next {k.stride} later",
        numbers=tuple(numbers.items()),
    )


def embed_views(design: Design) -> tuple[EmbedView, ...]:
    """All tables of a design that are read by row."""
    return tuple(embed_view(k) for k in design.kernels if isinstance(k, Embed))


def embed_view(k: Embed) -> EmbedView:
    """A table row by row."""
    t = k.table.type
    return EmbedView(
        name=f"n_{k.name}",
        comment=f"{k.table.rows} rows of {k.table.columns} elements, {t}",
        element=machine_type(t),
        beats=k.out.beats,
        columns=k.table.columns,
        rows=k.table.rows,
        table=cpp_array(k.table.array, t),
    )


def around_function(k: Around) -> str:
    """The library kernel with its template parameters."""
    match k:
        case Slide():
            return f"hwrnn::slide<n_{k.name}>"
        case Combine():
            most = "true" if k.how is How.MAX else "false"
            return f"hwrnn::combine<{k.out.beats}, {k.count or 0}, {most}>"
        case Repeat():
            return f"hwrnn::repeat<{k.x.beats}, {k.steps}>"
        case Embed():
            return f"hwrnn::embed<n_{k.name}>"
        case Zip():
            return f"hwrnn::zip<hwrnn::Joint::{k.joint.value}>"
        case ArgMax():
            return f"hwrnn::arg_max<{k.x.beats}>"
