# SPDX-License-Identifier: Apache-2.0
"""What pictures say about kernels and streams."""

from __future__ import annotations

from dataclasses import dataclass

from hwrnn.design.design import (
    ArgMax,
    AxisIn,
    AxisOut,
    Combine,
    Concat,
    Crop,
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
    Crop: "part of a vector",
    Slide: "windows",
    Combine: "combine",
    Repeat: "repeat",
    Embed: "table",
    Zip: "pairs",
    ArgMax: "argmax",
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
        case Crop():
            return (f"{kernel.out.features} of {kernel.x.features} elements",)
        case Slide():
            return (f"{kernel.size} steps, every {kernel.stride}",)
        case Reverse():
            return (f"two banks of {kernel.max_steps} steps",)
        case Map():
            ops = len(kernel.datapath.ops)
            return (f"{kernel.datapath.lanes} lanes", count(ops, "op"))
        case _:
            return ()


def parts(kernel: Engine) -> tuple[Part, ...]:
    """What is inside an engine: MAC array, cell datapaths, state memory."""
    found = [mac_part(kernel)]
    for k, hand in enumerate(kernel.hands):
        path = hand.datapath
        if path.ops:
            depth = max(path.ready().values())
            ops = f"{count(len(path.ops), 'op')} on {count(path.lanes, 'unit')} at once"
            title = f"cell datapath {k + 1}" if len(kernel.hands) > 1 else "cell datapath"
            lines = (ops, f"{count(depth, 'cycle')} deep")
            found.append(Part(title=title, lines=lines, kind="cell"))
    if kernel.states:
        values = tuple(
            f"{brief(s.value.name.rsplit('_', 1)[-1])}: {kernel.units} x {s.value.type.bits} bit"
            for s in kernel.states
        )
        each = (f"for each of {kernel.streams} streams",) if kernel.streams > 1 else ()
        found.append(Part(title="state", lines=(*values, *each), kind="state"))
    return tuple(found)


def mac_part(kernel: Engine) -> Part:
    """The multipliers and their work."""
    gates = len(kernel.gates)
    macs = gates * kernel.pe * kernel.simd
    return Part(
        title="gate MAC array" if kernel.states else "MAC array",
        lines=(
            f"{count(gates, 'gate')} x pe {kernel.pe} x simd {kernel.simd} = {macs} MAC",
            f"{block_counts(kernel)} x {count(kernel.groups, 'group')}",
            f"weights {kernel.weight_type.bits} bit, sums {kernel.accumulator_type.bits} bit",
        ),
        kind="mac",
    )


def block_counts(kernel: Engine) -> str:
    """The blocks of a step: those with x, those of states, those of vectors of the step itself."""
    levels = [b.vector.level if b.vector else -1 for b in kernel.blocks if not b.takes_x]
    inner = sum(level > 0 for level in levels)
    found = [kernel.x_blocks, len(levels) - inner, inner]
    shared = "shared block" if kernel.shared else "column block"
    terms = [str(n) for n in found if n]
    return f"{' + '.join(terms)} {shared}" + ("s" if terms != ["1"] else "")


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
