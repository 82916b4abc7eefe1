# SPDX-License-Identifier: Apache-2.0
"""What the HLS templates are filled with: one frozen view for each template, all text ready."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwrnn.backends.cpp_literals import cpp_array, cpp_int, cpp_type, machine_type
from hwrnn.backends.hls_cell import (
    AliasView,
    ArrayView,
    CellView,
    RuleView,
    StatementView,
    alias,
    by_lane,
    signed_bits,
    write_cell,
)
from hwrnn.design.design import (
    AxisIn,
    AxisOut,
    Concat,
    Datapath,
    Design,
    Dwc,
    Engine,
    EngineState,
    Fork,
    Interleave,
    Kernel,
    Map,
    Reverse,
    SelectStep,
    Separate,
    Stream,
    axis_width,
    ceil_div,
    kernel_outputs,
)
from hwrnn.errors import DesignError
from hwrnn.ir import IntType, Step

AP_INT_BITS = 1024  # the widest ap_int unless AP_INT_MAX_W says otherwise
EMIT = {None: "all", Step.FIRST: "first", Step.LAST: "last"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """A stream between two kernels."""

    name: str
    beat: str
    element: str
    lanes: int
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
    lanes: tuple[int, ...]
    features: int
    signed: str
    steps: tuple[tuple[str, int], ...] = ()


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
class StateView:
    """A state of an engine: `initial` is a literal, or the name of an array."""

    name: str
    type: str
    next: str
    recurrent: bool
    elementwise: bool
    initial: str
    from_array: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerView:
    """An engine or a map: its numbers, its constants and its cell."""

    banner: tuple[str, str]
    name: str
    comment: str
    kind: str
    emit: str
    x_beat: str
    out_beat: str
    units: int
    groups: int
    lanes: int
    numbers: tuple[tuple[str, str], ...]
    types: tuple[AliasView, ...]
    aliases: tuple[AliasView, ...]
    rules: tuple[RuleView, ...]
    arrays: tuple[ArrayView, ...]
    ports: tuple[tuple[str, str], ...]
    states: tuple[StateView, ...]
    statements: tuple[StatementView, ...]
    result: str
    recurrent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """A call of a kernel in the top function."""

    function: str
    arguments: tuple[str, ...]


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
    streams: tuple[StreamView, ...]
    source: ShellView
    sink: ShellView
    dwcs: tuple[DwcView, ...]
    concats: tuple[ConcatView, ...]
    layers: tuple[LayerView, ...]
    receiver: str
    calls: tuple[CallView, ...]
    includes: tuple[str, ...]
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
        depth=s.depth,
        comment=f"{s.features} elements of {s.type}",
    )


def streams_of(design: Design) -> tuple[StreamView, ...]:
    """Every stream, by the kernel that writes it."""
    return tuple(stream_view(s) for k in design.kernels for s in kernel_outputs(k))


def axis_bits(s: Stream) -> int:
    """Width of TDATA: the lanes of a beat, in whole bytes."""
    return 8 * ceil_div(s.lanes * axis_width(s.type), 8)


def has_wide_ports(design: Design) -> bool:
    """True when ap_int.h has to be told, before it is read, of a word wider than it expects."""
    return max(axis_bits(design.source.out), axis_bits(design.sink.x)) > AP_INT_BITS


def shell_view(k: AxisIn | AxisOut) -> ShellView:
    """The numbers of a port."""
    entering = isinstance(k, AxisIn)
    s = k.out if isinstance(k, AxisIn) else k.x
    steps: tuple[tuple[str, int | None], ...] = ()
    if isinstance(k, AxisIn):
        steps = (("fixed_steps", k.fixed_steps), ("max_steps", k.max_steps))
    return ShellView(
        name=f"{'in' if entering else 'out'}_{k.name}",
        comment="input port" if entering else "output port",
        beat=f"b_{s.name}",
        element_bits=axis_width(s.type),
        data_bits=axis_bits(s),
        lanes=s.beat_lanes,
        features=s.features,
        signed="true" if s.type.signed else "false",
        steps=tuple((name, n) for name, n in steps if n is not None),
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


def layer_view(k: Engine | Map, banner: tuple[str, str]) -> LayerView:
    """An engine or a map."""
    return engine_view(k, banner) if isinstance(k, Engine) else map_view(k, banner)


def map_view(k: Map, banner: tuple[str, str]) -> LayerView:
    """The numbers and the cell of a map."""
    check_regular(k)
    cell, path = write_cell(k.datapath, f"layer {k.name}"), k.datapath
    return _layer(
        k,
        banner,
        cell,
        comment=f"map: {path.units} units, {path.lanes} at once",
        numbers=(("beats", str(k.x.beats)),),
        ports=tuple((f"t_{v.name}", f"v_{v.name}") for v in path.ports),
    )


def check_regular(k: Map) -> None:
    """A map's channels are counted by beats: only the last beat may have unused lanes."""
    if any(n != k.x.lanes for n in k.x.beat_lanes[:-1]):
        raise DesignError(f"map {k.name}", "reads a stream with holes between its segments")


def engine_view(k: Engine, banner: tuple[str, str]) -> LayerView:
    """The numbers, the weights and the cell of an engine."""
    cell, path = write_cell(k.datapath, f"layer {k.name}"), k.datapath
    states = tuple(state_view(s) for s in k.states)
    started = (initial_array(k, s) for s in k.states)
    what = "recurrent engine" if k.states else "dense layer"
    arrays = [weights_array(k), *(a for a in started if a is not None), *cell.arrays]
    return _layer(
        k,
        banner,
        cell,
        comment=f"{what}: {k.units} units, pe {k.pe}, simd {k.simd}",
        numbers=tuple((name, str(n)) for name, n in engine_numbers(k)),
        ports=tuple((f"t_{v.name}", f"v_{v.name}") for v in path.ports),
        types=engine_types(k),
        arrays=tuple(arrays),
        states=states,
        recurrent=f"v_{k.recurrent.value.name}" if k.recurrent else "",
        extra_aliases=tuple(
            alias(s.value.name, s.value.type) for s in k.states if not s.elementwise
        ),
    )


def _layer(
    k: Engine | Map,
    banner: tuple[str, str],
    cell: CellView,
    *,
    comment: str,
    numbers: tuple[tuple[str, str], ...],
    ports: tuple[tuple[str, str], ...],
    types: tuple[AliasView, ...] = (),
    arrays: tuple[ArrayView, ...] | None = None,
    states: tuple[StateView, ...] = (),
    recurrent: str = "",
    extra_aliases: tuple[AliasView, ...] = (),
) -> LayerView:
    path: Datapath = k.datapath
    emit = EMIT[k.emit] if isinstance(k, Engine) else ""
    return LayerView(
        banner=banner,
        name=k.name,
        comment=comment if emit in ("", "all") else f"{comment}, {emit} step only",
        kind="engine" if isinstance(k, Engine) else "map",
        emit=emit,
        x_beat=f"b_{k.x.name}",
        out_beat=f"b_{k.out.name}",
        units=path.units,
        groups=path.groups,
        lanes=path.lanes,
        numbers=numbers,
        types=types,
        aliases=(*cell.aliases, *extra_aliases),
        rules=cell.rules,
        arrays=cell.arrays if arrays is None else arrays,
        ports=ports,
        states=states,
        statements=cell.statements,
        result=f"v_{k.result}",
        recurrent=recurrent,
    )


def engine_numbers(k: Engine) -> tuple[tuple[str, int], ...]:
    """The sizes of an engine."""
    return (
        ("pe", k.pe),
        ("simd", k.simd),
        ("gates", len(k.gates)),
        ("x_blocks", k.x_blocks),
        ("h_blocks", k.h_blocks),
        ("blocks", k.x_blocks + k.h_blocks),
    )


def engine_types(k: Engine) -> tuple[AliasView, ...]:
    """The types of the MAC array."""
    sums = partial_sums(k)
    return (
        AliasView(name="weight_t", type=machine_type(k.weight_type), comment=str(k.weight_type)),
        AliasView(name="operand_t", type=cpp_type(k.operand_type), comment=str(k.operand_type)),
        AliasView(name="acc_t", type=cpp_type(k.accumulator_type), comment=str(k.accumulator_type)),
        AliasView(
            name="sum_t", type=f"hwrnn::wide_t<{signed_bits(sums)}>", comment="any partial sum"
        ),
    )


def partial_sums(k: Engine) -> IntType:
    """A range that no sum of some of an accumulator's products leaves."""
    far = max(-k.operand_type.lo, k.operand_type.hi, 1)
    rows = (int(np.abs(g.weights.array).sum(axis=1).max(initial=0)) for g in k.gates)
    bound = far * max(rows)
    return k.accumulator_type.hull(IntType(-bound, bound))


def weights_array(k: Engine) -> ArrayView:
    """The weights in memory order."""
    words = k.weight_words()
    return ArrayView(
        comment="weights[block][group][gate][pe][simd]; gates: "
        + ", ".join(g.value.name for g in k.gates),
        type=machine_type(k.weight_type),
        name="weights",
        dims=words.shape,
        body=cpp_array(words, k.weight_type),
    )


def state_view(s: EngineState) -> StateView:
    """A state: what it starts as, and what it becomes."""
    same = len(set(s.initial)) == 1
    return StateView(
        name=f"v_{s.value.name}",
        type=f"t_{s.value.name}",
        next=f"v_{s.next}",
        recurrent=s.recurrent,
        elementwise=s.elementwise,
        initial=cpp_int(s.initial[0], s.value.type) if same else f"init_{s.value.name}",
        from_array=not same,
    )


def initial_array(k: Engine, s: EngineState) -> ArrayView | None:
    """The initial value of a state, unless it is one number for all units."""
    if len(set(s.initial)) == 1:
        return None
    values = np.array(s.initial, dtype=np.int64)
    shaped = values if s.recurrent else by_lane(values, k.datapath)
    t = s.value.type.hull(IntType(0, 0))
    return ArrayView(
        comment=f"initial {s.value.name}",
        type=machine_type(t),
        name=f"init_{s.value.name}",
        dims=shaped.shape,
        body=cpp_array(shaped, t),
    )


def receiver(k: AxisIn) -> str:
    """The library kernel of the input port; a fixed length needs no buffer."""
    return f"axis_in{'_fixed' if k.fixed_steps else '_buffered' if k.max_steps else ''}"


def call_view(k: Kernel) -> CallView:
    """The call of one kernel; streams by name."""
    match k:
        case AxisIn():
            return _call("receive", "s_axis", f"s_{k.out.name}", "error")
        case AxisOut():
            return _call("hwrnn::axis_out<sink>", f"s_{k.x.name}", "m_axis")
        case Dwc():
            return _call(f"hwrnn::dwc<n_{k.name}>", f"s_{k.x.name}", f"s_{k.out.name}")
        case Fork():
            return _call("hwrnn::fork", f"s_{k.x.name}", *(f"s_{o.name}" for o in k.outs))
        case Concat():
            return _call(
                f"hwrnn::concat<n_{k.name}>", f"s_{k.out.name}", *(f"s_{x.name}" for x in k.xs)
            )
        case Reverse():
            numbers = f"b_{k.x.name}, {k.x.beats}, {k.max_steps}"
            return _call(f"hwrnn::reverse<{numbers}>", f"s_{k.x.name}", f"s_{k.out.name}")
        case SelectStep():
            numbers = f"b_{k.x.name}, {k.x.beats}, hwrnn::Emit::{EMIT[k.step]}"
            return _call(f"hwrnn::select_step<{numbers}>", f"s_{k.x.name}", f"s_{k.out.name}")
        case Interleave() | Separate():
            raise DesignError(f"layer {k.name}", "shares an engine, which the HLS code cannot yet")
        case Engine() | Map():
            return _call(f"k_{k.name}::run_{k.name}", f"s_{k.x.name}", f"s_{k.out.name}")


def _call(function: str, *arguments: str) -> CallView:
    return CallView(function=function, arguments=arguments)
