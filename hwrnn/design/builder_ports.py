# SPDX-License-Identifier: Apache-2.0
"""The kernels at the ports of a design: shells, what they hold, parts of stacked states."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from hwrnn.design.builder_around import AroundBuilder
from hwrnn.design.design import AxisIn, AxisOut, Crop, Dwc, Stream
from hwrnn.errors import DesignError
from hwrnn.ir import Graph, Input, Output, Slice
from hwrnn.ir.steps import fixed_steps, step_counts

IN, OUT = "s_axis", "m_axis"


def port_names(names: list[str], prefix: str) -> dict[str, str]:
    """What the signals of each port start with: the prefix, with the name if there are several.

    A simulator's C++ has no two underscores in a row, VHDL does not tell h from H.
    """
    if len(names) == 1:
        return {names[0]: prefix}
    taken: set[str] = set()
    found = {}
    for name in names:
        safe = re.sub("_+", "_", name).strip("_")
        free = (f"{safe}{n}" for n in ("", *map(str, range(2, len(names) + 2))))
        chosen = next(wish for wish in free if wish.lower() not in taken)
        taken.add(chosen.lower())
        found[name] = f"{prefix}_{chosen}"
    return found


@dataclass
class PortBuilder(AroundBuilder):
    """Makes the input and output shells. `held_steps`: of a sequence of so many steps every
    output port holds what belongs to it, if there are several (0: one).
    """

    held_steps: int = 0

    def at_port(self, op: Input | Output | Slice) -> None:
        """The kernels of a port, or of a part of what came in."""
        match op:
            case Input():
                self.read_port(op)
            case Output():
                self.write_port(op)
            case Slice():
                self.crop(op)

    def read_port(self, op: Input) -> None:
        """An input shell: of the sequences, or of a vector for each of them."""
        first = op is self.graph.inputs[0]
        lanes = self.wanted(op.out)
        out = Stream(
            name=self.name(op.out.name),
            type=op.out.type,
            segments=(op.out.size,),
            lanes=lanes,
            depth=3 if self.max_steps else 2,  # a buffer writes the cycle after its read
            streams=self.options.streams,
        )
        if not first:
            out = replace(out, depth=max(2, out.beats), streams=1)
        self.kernels.append(
            AxisIn(
                name=op.out.name,
                out=out,
                port=ports_of(self.graph)[op.out.name],
                fixed_steps=fixed_steps(self.graph) if first else 1,
                max_steps=self.max_steps if first else None,
            )
        )
        self.give(op.out, out)

    def write_port(self, op: Output) -> None:
        """An output shell; of several, each behind a buffer that holds all of a sequence."""
        x = self.contiguous(self.read(op.x, op))
        if self.held_steps:
            x = self.holding(x, step_counts(self.graph, self.held_steps).get(op.x, 1))
        port = ports_of(self.graph)[op.out.name]
        self.kernels.append(AxisOut(name=op.out.name, x=x, port=port))

    def holding(self, x: Stream, vectors: int) -> Stream:
        """A stream with room for so many vectors."""
        depth = max(2, vectors * x.beats)
        if x.depth >= depth:
            return x
        out = replace(x, name=self.name(f"{x.name}_held"), depth=depth)
        self.kernels.append(Dwc(name=self.kernel_name(f"{x.name}_hold"), x=x, out=out))
        return out

    def crop(self, op: Slice) -> None:
        """A part of a vector: its beats, once it starts and ends with a beat."""
        if op.out.sequence:
            raise DesignError(
                f"%{op.out.name}",
                "takes some elements of each step of a sequence, which has no hardware yet",
                "let the layer that reads them read the whole vector, with zeros as weights",
            )
        x = self.read(op.x, op)
        lanes = self.wanted(op.out)
        behind = x.features - op.start - op.out.size
        cuts = tuple(n for n in (op.start, op.out.size, behind) if n)
        cut = replace(x, segments=cuts, lanes=lanes, depth=2)
        if cut.beat_lanes == x.beat_lanes and lanes == x.lanes:
            cut = replace(x, segments=cuts)
        else:
            cut = replace(cut, name=self.name(f"{op.out.name}_beats"))
            self.kernels.append(Dwc(name=self.kernel_name(f"{op.out.name}_dwc"), x=x, out=cut))
        out = replace(cut, name=self.name(op.out.name), segments=(op.out.size,), depth=2)
        first = replace(cut, segments=(op.start,)).beats if op.start else 0
        name = self.kernel_name(f"{op.out.name}_part")
        self.kernels.append(Crop(name=name, x=cut, out=out, first=first))
        self.give(op.out, out)


def ports_of(graph: Graph) -> dict[str, str]:
    """What the signals of each input and output of a graph start with."""
    inputs = port_names([op.out.name for op in graph.inputs], IN)
    return inputs | port_names([op.out.name for op in graph.outputs], OUT)
