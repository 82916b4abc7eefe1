# SPDX-License-Identifier: Apache-2.0
"""The element-wise part of a body as a pipeline: which op at which stage, registers where."""

from __future__ import annotations

from dataclasses import dataclass

from hwrnn.design.stream import ceil_div
from hwrnn.ir import AnyOp, Const, IntType, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOp:
    """An element-wise op in a pipeline: reads its operands at `stage`, its result is there at
    `stage + latency`. Operands that are ready earlier are delayed.

    `registers`: for each item of the op (see `hwrnn.design.latency.items`), whether a register
    follows it. `depth`: items since the last register, at the result.
    """

    op: AnyOp
    stage: int
    registers: tuple[bool, ...]
    depth: int

    @property
    def latency(self) -> int:
        """Registers between the operands and the result."""
        return sum(self.registers)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRead:
    """A state's value of the step before, unit by unit, at `stage` of the datapath."""

    value: Value
    stage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapath:
    """The element-wise part of a body on `lanes` units at once, a group a cycle, never stalling.

    `ports` are the values that enter at stage 0 (accumulators, or the beat of a Map). State
    reads appear at the stage at which they are first used. Channel constants are those of unit
    group * lanes + lane.
    """

    lanes: int
    units: int
    ports: tuple[Value, ...]
    reads: tuple[StateRead, ...] = ()
    consts: tuple[Const, ...] = ()
    ops: tuple[PlacedOp, ...] = ()

    @property
    def groups(self) -> int:
        """Groups of `lanes` units."""
        return ceil_div(self.units, self.lanes)

    def ready(self) -> dict[str, int]:
        """The stage at which each value is there, by name; constants are there from stage 0."""
        known = {v.name: 0 for v in self.ports}
        known |= {r.value.name: r.stage for r in self.reads}
        known |= {c.out.name: 0 for c in self.consts}
        known |= {p.op.out.name: p.stage + p.latency for p in self.ops}
        return known

    def types(self) -> dict[str, IntType]:
        """The type of each value, by name."""
        known = {v.name: v.type for v in self.ports}
        known |= {r.value.name: r.value.type for r in self.reads}
        known |= {c.out.name: c.out.type for c in self.consts}
        return known | {p.op.out.name: p.op.out.type for p in self.ops}
