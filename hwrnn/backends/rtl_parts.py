# SPDX-License-Identifier: Apache-2.0
"""The library modules of which the RTL of a design is made, with their parameters, as numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from hwrnn.backends.rtl import library_modules, top_name
from hwrnn.backends.rtl_memory import Memories
from hwrnn.backends.rtl_netlist import Bits, Instance, Module, Numbers, Parameter
from hwrnn.backends.rtl_top import Top
from hwrnn.design.area import Area, area
from hwrnn.design.design import Design
from hwrnn.design.estimate import Estimate, estimate_design
from hwrnn.design.resources.model import count, total
from hwrnn.design.resources.part import Part

UNNAMED = "0" * 64  # the hash of a design that is only looked at


def parts(design: Design) -> tuple[Part, ...]:
    """Every instance of a library module below the top module, by kernel."""
    named = design if design.model_hash else replace(design, model_hash=UNNAMED)
    top = Top(named, top_name(named), library_modules(), 0)
    last = top.build()
    modules = {m.name: m for m in top.kernels}
    found: list[Part] = []
    for i in last.instances:
        if i.module in modules:
            found += inside(modules[i.module], i.name, top.memories)
        else:
            found.append(part(i, i.name, top.memories))
    return tuple(found)


def inside(module: Module, kernel: str, memories: Memories) -> Iterator[Part]:
    """The instances of a generated module."""
    return (part(i, kernel, memories) for i in module.instances)


def part(i: Instance, kernel: str, memories: Memories) -> Part:
    """An instance as numbers."""
    file = i.given.get("File", "")
    lines = memories.files[str(file)].split() if file else []
    return Part(
        kernel=kernel,
        module=i.module,
        given={k: number(v) for k, v in i.given.items() if not isinstance(v, str)},
        words=tuple(int(line, 16) for line in lines),
        style=str(i.given.get("Style", "auto")),
        weights=i.name == "u_weights",
    )


def number(value: Parameter) -> int:
    """A parameter as a number."""
    match value:
        case Bits():
            return value.value
        case Numbers():
            return sum(v << (32 * k) for k, v in enumerate(value.values))
        case _:
            return int(value)


def taken(design: Design) -> Area:
    """What a whole design takes of its board, blocks rounded up."""
    rough = sum(area(design).values(), Area())
    found = total(count(p, design.board.family) for p in parts(design))
    return replace(
        rough,
        luts=math.ceil(found.luts),
        ffs=math.ceil(found.ffs),
        dsps=math.ceil(found.dsps),
        block_rams=math.ceil(found.block_rams),
    )


def fitted(design: Design, steps: int | None = None) -> Estimate:
    """Cycles and resources of a design, by the modules that it is made of."""
    return estimate_design(design, steps, parts(design))
