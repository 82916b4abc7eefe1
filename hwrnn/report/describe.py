# SPDX-License-Identifier: Apache-2.0
"""What pictures say about kernels and streams."""

from __future__ import annotations

from dataclasses import dataclass

from hwrnn.design.design import (
    AxisIn,
    AxisOut,
    Concat,
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
    axis_width,
)

LONGEST_NAME = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A headed list of facts; `kind` decides its colour."""

    title: str
    lines: tuple[str, ...]
    kind: str


def kind(kernel: Kernel) -> str:
    """How a kernel is drawn: a port, an engine, or what is between them."""
    match kernel:
        case AxisIn() | AxisOut():
            return "port"
        case Engine():
            return "engine"
        case _:
            return "glue"


TITLES: dict[type[Kernel], str] = {
    AxisIn: "AXI4-Stream in",
    AxisOut: "AXI4-Stream out",
    Dwc: "width converter",
    Fork: "fork",
    Concat: "concat",
    Interleave: "interleave",
    Separate: "separate",
    Reverse: "reverse",
    Map: "element-wise",
}


def title(kernel: Kernel) -> str:
    """What a kernel is."""
    if isinstance(kernel, SelectStep):
        return f"{kernel.step.value} step"
    return brief(kernel.name) if isinstance(kernel, Engine) else TITLES[type(kernel)]


def lines(kernel: Kernel) -> tuple[str, ...]:
    """A few facts about a kernel that is no engine."""
    match kernel:
        case AxisIn():
            bound = (f"up to {kernel.max_steps} steps",) if kernel.max_steps else ()
            return (brief(kernel.name), port(kernel.out), *bound)
        case AxisOut():
            return (brief(kernel.name), port(kernel.x))
        case Dwc():
            return (f"{kernel.x.lanes} to {kernel.out.lanes} lanes",)
        case Fork():
            return (f"to {len(kernel.outs)}",)
        case Concat():
            return (" + ".join(str(x.features) for x in kernel.xs),)
        case Reverse():
            return (f"two banks of {kernel.max_steps} steps",)
        case Map():
            ops = len(kernel.datapath.ops)
            return (f"{kernel.datapath.lanes} lanes", count(ops, "op"))
        case _:
            return ()


def parts(kernel: Engine) -> tuple[Part, ...]:
    """What is inside an engine: MAC array, cell datapath, state memory."""
    gates = len(kernel.gates)
    macs = gates * kernel.pe * kernel.simd
    blocks = f"{kernel.x_blocks} + {kernel.h_blocks}" if kernel.h_blocks else f"{kernel.x_blocks}"
    array = Part(
        title="gate MAC array" if kernel.h_blocks else "MAC array",
        lines=(
            f"{count(gates, 'gate')} x pe {kernel.pe} x simd {kernel.simd} = {macs} MAC",
            f"{blocks} column blocks x {count(kernel.groups, 'group')}",
            f"weights {kernel.weight_type.bits} bit, sums {kernel.accumulator_type.bits} bit",
        ),
        kind="mac",
    )
    found = [array]
    depth = max(kernel.datapath.ready().values(), default=0)
    if kernel.datapath.ops:
        ops = count(len(kernel.datapath.ops), "op")
        facts = (f"{ops} on {count(kernel.datapath.lanes, 'unit')} at once", f"{depth} cycles deep")
        found.append(Part(title="cell datapath", lines=facts, kind="cell"))
    if kernel.states:
        values = tuple(
            f"{brief(s.value.name.rsplit('_', 1)[-1])}: {kernel.units} x {s.value.type.bits} bit"
            for s in kernel.states
        )
        found.append(Part(title="state", lines=values, kind="state"))
    return tuple(found)


def engine_line(kernel: Engine) -> str:
    """What an engine is, in a line."""
    what = "recurrent layer" if kernel.states else "dense layer"
    emits = f", gives the {kernel.emit.value} step" if kernel.emit else ""
    return f"{what}, {kernel.units} units{emits}"


def stream_lines(stream: Stream) -> tuple[str, ...]:
    """The label of a stream."""
    return (
        f"{stream.lanes} x {stream.type.bits} bit",
        count(stream.beats, "beat"),
        f"depth {stream.depth}",
    )


def port(stream: Stream) -> str:
    """The width of an AXI4-Stream port."""
    wide = stream.lanes * axis_width(stream.type)
    return f"{stream.features} of {stream.type.bits} bit, {wide} wide"


def count(n: int, what: str) -> str:
    """`1 gate`, `2 gates`."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def brief(name: str) -> str:
    """A name that fits a box."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
