# SPDX-License-Identifier: Apache-2.0
"""Which kernel of a design a module of the netlist belongs to.

An instance of the top module is called after its kernel (`u_<kernel>`, `u_<kernel>_<part>`) or
after the stream whose FIFO it is (`u_s_<stream>`), which counts for the kernel that writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwrnn.design.design import Design, kernel_outputs
from hwrnn.synth.cells import Cells
from hwrnn.synth.yosys import Netlist

TOP = "(top)"  # what stands in the top module itself, and what belongs to no kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A kernel of the design, with the streams that it writes: its cells, those of each library
    module within, and those of each instance by its path in the top module.
    """

    name: str
    kind: str
    cells: Cells
    modules: Mapping[str, Cells]
    instances: Mapping[str, Cells]


def units(design: Design, netlist: Netlist) -> tuple[Unit, ...]:
    """The design's units in the order of its kernels, then what belongs to none. Their cells add
    up to those of the netlist.
    """
    kinds = {k.name: type(k).__name__ for k in design.kernels} | {TOP: "wiring"}
    parts: dict[str, dict[str, Cells]] = {name: {} for name in kinds}
    for module, number in netlist.instances().items():
        path = instance(module, netlist.top)
        parts[owner(design, path)][path or module] = netlist.own(module) * number
    library = {instance(m, netlist.top) or m: m.split("$", 1)[0] for m in netlist.instances()}
    return tuple(unit(name, kinds[name], parts[name], library) for name in kinds)


def unit(name: str, kind: str, instances: Mapping[str, Cells], library: Mapping[str, str]) -> Unit:
    """A unit of instances; `library`: the module of each path."""
    modules: dict[str, Cells] = {}
    for path, cells in instances.items():
        module = library[path]
        modules[module] = modules.get(module, Cells()) + cells
    total = sum(instances.values(), Cells())
    return Unit(name=name, kind=kind, cells=total, modules=modules, instances=instances)


def instance(module: str, top: str) -> str:
    """The path of an instance in the top module: hwrnn_mul$hwrnn_net.u_a.u_b is u_a.u_b."""
    return module.partition("$")[2].removeprefix(top).removeprefix(".")


def owner(design: Design, path: str) -> str:
    """The unit of an instance, given by its path (or that of a cell in it)."""
    first = path.split(".", 1)[0]
    streams = {f"u_s_{s.name}": k.name for k in design.kernels for s in kernel_outputs(k)}
    if first in streams:
        return streams[first]
    names = (k.name for k in design.kernels)
    fit = [n for n in names if first == f"u_{n}" or first.startswith(f"u_{n}_")]
    return max(fit, key=len, default=TOP)
