# SPDX-License-Identifier: Apache-2.0
"""The library modules of which the RTL of a design is made, with their parameters, as numbers."""

from __future__ import annotations

from collections.abc import Iterator

from hwrnn.backends.rtl import library_modules, top_name
from hwrnn.backends.rtl_memory import Memories
from hwrnn.backends.rtl_netlist import Bits, Instance, Module, Numbers, Parameter
from hwrnn.backends.rtl_top import Top
from hwrnn.design.design import Design
from hwrnn.design.resources.part import Part


def parts(design: Design) -> tuple[Part, ...]:
    """Every instance of a library module below the top module, by kernel."""
    top = Top(design, top_name(design), library_modules(), 0)
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
