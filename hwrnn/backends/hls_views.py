# SPDX-License-Identifier: Apache-2.0
"""What the HLS templates are filled with: one frozen view for each template, all text ready."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hwrnn.backends.cpp_literals import cpp_type
from hwrnn.backends.hls_around import EmbedView, SlideView, around_function
from hwrnn.backends.hls_engine import cell_writer, engine_view
from hwrnn.backends.hls_image import ImageMap, LayerImage
from hwrnn.backends.hls_layer import LayerView
from hwrnn.design.design import (
    ArgMax,
    AxisIn,
    AxisOut,
    Combine,
    Concat,
    Crop,
    Design,
    Dwc,
    Embed,
    Engine,
    Fork,
    Interleave,
    Kernel,
    Map,
    Repeat,
    Reverse,
    SelectStep,
    Separate,
    Slide,
    Stream,
    Zip,
    axis_width,
    ceil_div,
    kernel_inputs,
    kernel_outputs,
)
from hwrnn.errors import DesignError
from hwrnn.ir import Step

AP_INT_BITS = 1024  # the widest ap_int unless AP_INT_MAX_W says otherwise
PICK = {Step.FIRST: "first", Step.LAST: "last"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """A stream between two kernels."""

    name: str
    beat: str
    element: str
    lanes: int
    streams: int
    depth: int
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellView:
    """An AXI4-Stream port."""

    name: str
    comment: str
    beat: str
    element_bits: int
    data_bits: int
    id_bits: int
    lanes: tuple[int, ...]
    features: int
    signed: str
    port: str
    graph_name: str
    type: str
    receiver: str = ""
    function: str = ""
    steps: tuple[tuple[str, int], ...] = ()
    user_bits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DwcView:
    """The numbers of a width converter."""

    name: str
    comment: str
    x_beat: str
    out_beat: str
    x_lanes: tuple[int, ...]
    out_lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcatView:
    """The numbers of a concatenation."""

    name: str
    comment: str
    beats: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """A call of a kernel in the top function."""

    function: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePortView:
    """Where images enter: the layout of their memories, the first word address behind them, and
    bits of a byte address.
    """

    layout: str
    end: int
    address_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectView:
    """Everything that concerns the whole design."""

    banner: tuple[str, str]
    name: str
    top: str
    version: str
    model_hash: str
    has_wide_ports: bool
    ap_int_bits: int
    sequences_at_once: int
    streams: tuple[StreamView, ...]
    source: ShellView
    sink: ShellView
    sources: tuple[ShellView, ...]
    sinks: tuple[ShellView, ...]
    dwcs: tuple[DwcView, ...]
    concats: tuple[ConcatView, ...]
    slides: tuple[SlideView, ...]
    embeds: tuple[EmbedView, ...]
    layers: tuple[LayerView, ...]
    calls: tuple[CallView, ...]
    includes: tuple[str, ...]
    keep: bool
    firsts: tuple[str, ...]
    started: tuple[str, ...]
    first_depth: int
    image: ImagePortView | None
    part: str
    period: str
    board: str


def stream_view(s: Stream) -> StreamView:
    """The names and types of a stream."""
    return StreamView(
        name=f"s_{s.name}",
        beat=f"b_{s.name}",
        element=cpp_type(s.type),
        lanes=s.lanes,
        streams=s.streams,
        depth=s.depth,
        comment=f"{s.features} elements of {s.type}"
        + (f", {s.streams} streams" if s.streams > 1 else ""),
    )


def streams_of(design: Design) -> tuple[StreamView, ...]:
    """Every stream, by the kernel that writes it."""
    return tuple(stream_view(s) for k in design.kernels for s in kernel_outputs(k))


def axis_bits(s: Stream) -> int:
    """Width of TDATA: the lanes of a beat, in whole bytes."""
    return 8 * ceil_div(s.lanes * axis_width(s.type), 8)


def has_wide_ports(design: Design) -> bool:
    """True when ap_int.h has to be told, before it is read, of a word wider than it expects."""
    return widest_port(design) > AP_INT_BITS


def widest_port(design: Design) -> int:
    """Bits of the widest TDATA."""
    streams = [*(k.out for k in design.sources), *(k.x for k in design.sinks)]
    return max(map(axis_bits, streams))


def shell_view(k: AxisIn | AxisOut, design: Design) -> ShellView:
    """The numbers of a port; that of a design which keeps states says what starts anew."""
    entering = isinstance(k, AxisIn)
    s = k.out if isinstance(k, AxisIn) else k.x
    first = k in {design.source, design.sink}
    several = len(design.sources if entering else design.sinks) > 1
    name = f"{'in' if entering else 'out'}_{k.name}"
    steps: tuple[tuple[str, int | None], ...] = ()
    if isinstance(k, AxisIn):
        steps = (("fixed_steps", k.fixed_steps), ("max_steps", k.max_steps))
    return ShellView(
        name=name,
        comment=("input port" if entering else "output port") + (f" {k.port}" if several else ""),
        port=k.port,
        graph_name=k.name,
        type=name if several else "source" if entering else "sink",
        receiver=receiver(k, design) if isinstance(k, AxisIn) else "",
        function="receive" if first else f"receive_at_{k.name}",
        beat=f"b_{s.name}",
        element_bits=axis_width(s.type),
        data_bits=axis_bits(s),
        id_bits=0 if entering and not first else s.id_bits,
        lanes=s.beat_lanes,
        features=s.features,
        signed="true" if s.type.signed else "false",
        steps=tuple((name, n) for name, n in steps if n is not None),
        user_bits=1 if entering and design.keep else 0,
    )


def dwc_view(k: Dwc) -> DwcView:
    """The numbers of a width converter, each pattern of beats as short as it repeats."""
    return DwcView(
        name=f"n_{k.name}",
        comment=f"{k.x.lanes} lanes to {k.out.lanes}",
        x_beat=f"b_{k.x.name}",
        out_beat=f"b_{k.out.name}",
        x_lanes=period(k.x.beat_lanes),
        out_lanes=period(k.out.beat_lanes),
    )


def period(beats: tuple[int, ...]) -> tuple[int, ...]:
    """The shortest start of `beats` whose repetition is `beats`."""
    n = len(beats)
    sizes = (s for s in range(1, n) if n % s == 0 and beats[:s] * (n // s) == beats)
    return beats[: next(sizes, n)]


def concat_view(k: Concat) -> ConcatView:
    """The numbers of a concatenation."""
    return ConcatView(
        name=f"n_{k.name}", comment=f"{len(k.xs)} streams", beats=tuple(x.beats for x in k.xs)
    )


def layer_view(
    k: Engine | Map, banner: tuple[str, str], image: ImageMap | None, *, keep: bool
) -> LayerView:
    """An engine or a map."""
    own = image.layers[k.name] if image else None
    if isinstance(k, Engine):
        return engine_view(k, banner, own, keep=keep)
    return map_view(k, banner, own)


def map_view(k: Map, banner: tuple[str, str], image: LayerImage | None = None) -> LayerView:
    """The numbers and the cell of a map."""
    check_regular(k)
    path, writer = k.datapath, cell_writer(k.name, image)
    statements = writer.path(path)
    cell = writer.view()
    return LayerView(
        banner=banner,
        name=k.name,
        comment=f"map: {path.units} units, {path.lanes} at once",
        kind="map",
        x_beat=f"b_{k.x.name}",
        out_beat=f"b_{k.out.name}",
        numbers=(
            ("units", path.units),
            ("groups", path.groups),
            ("lanes", path.lanes),
            ("beats", k.x.beats),
        ),
        aliases=cell.aliases,
        rules=cell.rules,
        arrays=cell.arrays,
        port=f"v_{path.ports[0].name}",
        statements=statements,
        result=f"v_{k.result}",
        writable=image is not None,
        regions=tuple(image.regions) if image else (),
        writes=tuple(image.calls) if image else (),
    )


def check_regular(k: Map) -> None:
    """A map's channels are counted by beats: only the last beat may have unused lanes."""
    if any(n != k.x.lanes for n in k.x.beat_lanes[:-1]):
        raise DesignError(f"map {k.name}", "reads a stream with holes between its segments")


def receiver(k: AxisIn, design: Design) -> str:
    """The library kernel of an input port; a fixed length needs no buffer."""
    if design.keep:
        return "axis_in_fragments"
    if k.out.streams > 1:
        return "axis_in_streams" if k is design.source else "axis_in_vectors"
    return f"axis_in{'_fixed' if k.fixed_steps else '_buffered' if k.max_steps else ''}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Prints the calls of the kernels of a design; streams by name."""

    design: Design
    layers: Mapping[str, LayerView]
    shells: Mapping[str, ShellView]
    firsts: Sequence[str]
    started: Sequence[str]

    def calls(self) -> Iterator[CallView]:
        """Every call, in the order of the data."""
        for k in self.design.kernels:
            if isinstance(k, Engine) and k.starts:
                view = self.layers[k.name]
                xs = [f"s_{start.x.name}" for start in k.starts]
                yield _call(f"hwrnn::gather<k_{k.name}::Layer>", f"starts_{k.name}", *xs)
                yield self.engine(view, f"s_{k.x.name}")
            elif isinstance(k, Engine | Map):
                yield self.engine(self.layers[k.name], f"s_{k.x.name}")
            else:
                yield self.call(k)
            if isinstance(k, Engine) and k.more:
                outs = [f"s_{r.out.name}" for r in k.results]
                yield _call(f"hwrnn::split<k_{k.name}::Layer>", f"results_{k.name}", *outs)
        if len(self.design.sources) > 1:
            yield _call("report", "error", *(f"error_{k.name}" for k in self.design.sources))

    def engine(self, k: LayerView, x: str) -> CallView:
        """The call of a layer: where something outlives the call, of a function that holds it."""
        out = f"results_{k.name}" if k.results else f"s_{k.out_beat[2:]}"
        more = [f"starts_{k.name}"] if k.starts else []
        more += [f"first_{k.name}"] if k.keeps else []
        more += [f"writes_{k.name}"] if k.writable else []
        inside = f"k_{k.name}::" if not (k.keeps or k.writable) else ""
        return _call(f"{inside}run_{k.name}", x, out, *more)

    def call(self, k: Kernel) -> CallView:
        """The call of a kernel that is no layer."""
        xs = [f"s_{x.name}" for x in kernel_inputs(k)]
        outs = [f"s_{out.name}" for out in kernel_outputs(k)]
        match k:
            case AxisIn():
                return _call(self.shells[k.port].function, k.port, *outs, *self.told(k))
            case AxisOut():
                kind = self.shells[k.port].type
                return _call(f"hwrnn::axis_out<{kind}>", *xs, k.port)
            case Concat() | Interleave():  # so many inputs come last
                return _call(library_kernel(k), *outs, *xs)
            case Slide() | Combine() | Repeat() | Embed() | Zip() | ArgMax():
                return _call(around_function(k), *xs, *outs)
            case Engine() | Map():
                raise TypeError(k.name)
            case _:
                return _call(library_kernel(k), *xs, *outs)

    def told(self, k: AxisIn) -> list[str]:
        """Where a port says that something is wrong, and what it is told or tells of sequences."""
        several = len(self.design.sources) > 1
        error = [f"error_{k.name}" if several else "error"]
        if k is not self.design.source:
            return error + ([f"started_{k.name}"] if k.name in self.started else [])
        firsts = [f"first_{n}" for n in self.firsts]
        return error + firsts + [f"started_{n}" for n in self.started]


def library_kernel(
    k: Dwc | Fork | Concat | Crop | Interleave | Separate | Reverse | SelectStep,
) -> str:
    """A kernel of the library with its template parameters."""
    match k:
        case Dwc():
            return f"hwrnn::dwc<n_{k.name}>"
        case Fork():
            return "hwrnn::fork"
        case Concat():
            return f"hwrnn::concat<n_{k.name}>"
        case Crop():
            return f"hwrnn::crop<b_{k.x.name}, {k.x.beats}, {k.first}, {k.out.beats}>"
        case Interleave():
            return f"hwrnn::interleave<{k.out.beats}>"
        case Separate():
            return "hwrnn::separate"
        case Reverse():
            return f"hwrnn::reverse<b_{k.x.name}, {k.x.beats}, {k.max_steps}>"
        case SelectStep():
            pick = f"hwrnn::Emit::{PICK[k.step]}"
            return f"hwrnn::select_step<b_{k.x.name}, {k.x.beats}, {pick}>"


def _call(function: str, *arguments: str) -> CallView:
    return CallView(function=function, arguments=arguments)
