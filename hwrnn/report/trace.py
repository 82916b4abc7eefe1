# SPDX-License-Identifier: Apache-2.0
"""A run of the schedule that keeps every issue of the engines, and why the MAC array waited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from hwrnn.design.channel import Waiting
from hwrnn.design.design import Block, Design, Engine
from hwrnn.design.schedule import group_start
from hwrnn.design.timing import Run

Before = Mapping[int, Sequence[int]]


class Cause(Enum):
    """What an engine waits for before it issues."""

    INPUT = "a beat of its input"
    OWN = "its own states or vectors"
    ROOM = "room behind it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Cycles start .. end - 1 without an issue."""

    start: int
    end: int
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A block of a step: the cycle in which each group was issued, and the waits before them."""

    block: Block
    issues: tuple[int, ...]
    waits: tuple[Wait, ...]


@dataclass
class Log:
    """All blocks of an engine, in order."""

    blocks: list[Issued] = field(default_factory=list)

    @property
    def end(self) -> int | None:
        """The cycle behind the last issue so far."""
        return self.blocks[-1].issues[-1] + 1 if self.blocks else None


class TracedRun(Run):
    """A run with unstalled ports; `logs` holds the issues of each engine."""

    def __init__(self, design: Design, lengths: Sequence[int]) -> None:
        super().__init__(design, lengths, None, None)
        self.logs = {engine.name: Log() for engine in design.engines}
        self.run()

    def block(
        self, kernel: Engine, block: Block, t: int, past: dict[int, Sequence[int]], *, emits: bool
    ) -> Waiting[Sequence[int]]:
        """The issues of a block, noted."""
        x, log = self.channels[kernel.x.name], self.logs[kernel.name]
        late = block.takes_x and x.arrival(len(x.read)) == t
        issued = yield from super().block(kernel, block, t, past, emits=emits)
        waits = [] if log.end is None else [(log.end, t, Cause.INPUT if late else Cause.OWN)]
        waits += inner_waits(kernel, block, t, past, issued)
        found = tuple(Wait(start=a, end=b, cause=cause) for a, b, cause in waits if a < b)
        log.blocks.append(Issued(block=block, issues=tuple(issued), waits=found))
        return issued


def inner_waits(
    engine: Engine, block: Block, t: int, past: Before, issued: Sequence[int]
) -> Iterator[tuple[int, int, Cause]]:
    """From group to group: first for its own states, then for room."""
    for group, issue in enumerate(issued):
        free = group_start(engine, block, group, t, past)
        yield t, free, Cause.OWN
        yield free, issue, Cause.ROOM
        t = issue + 1
