# SPDX-License-Identifier: Apache-2.0
"""How busy the multipliers of each engine are: issues against cycles, in steady state."""

from __future__ import annotations

from dataclasses import dataclass

from hwrnn.design.design import Design, Engine
from hwrnn.design.estimate import WARM_SEQUENCES, WARM_STEPS, steady
from hwrnn.design.timing import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """An engine issues in `issues` of `cycles` cycles; `span`: what these cycles are."""

    engine: str
    issues: int
    cycles: float
    span: str

    @property
    def share(self) -> float:
        """Of the cycles, those with an issue: 0 to 1."""
        return self.issues / self.cycles

    @property
    def percent(self) -> str:
        """The share, for people."""
        return f"{100 * self.share:.1f} %"

    def __str__(self) -> str:
        return (
            f"{self.engine}: the multipliers work in {self.issues:,} of {self.cycles:,} cycles "
            f"of {self.span} ({self.percent})"
        )


def usage(design: Design, steps: int) -> tuple[Usage, ...]:
    """The use of each engine, inputs and outputs never waiting, all streams running.

    An engine that takes each step: between two steps of a long sequence. One that takes a vector
    a sequence: between two sequences of `steps` steps.
    """
    long = design.source.fixed_steps or design.max_steps or 2 * WARM_STEPS
    within = starts(design, [long] * design.streams)
    between = starts(design, [steps] * WARM_SEQUENCES * design.streams)
    found = []
    for engine in design.engines:
        each_step = len(within[engine.name]) > engine.streams
        times = within[engine.name] if each_step else between[engine.name]
        cycles = steady(times[:: engine.streams])
        if cycles:
            span = what(engine, each_step=each_step, steps=steps)
            issues = engine.streams * len(engine.blocks) * engine.groups
            found.append(Usage(engine=engine.name, issues=issues, cycles=cycles, span=span))
    return tuple(found)


def starts(design: Design, lengths: list[int]) -> dict[str, list[int]]:
    """When each engine began its steps."""
    return Run(design, lengths, None, None).run().engine_steps


def what(engine: Engine, *, each_step: bool, steps: int) -> str:
    """The time over which is counted."""
    of_streams = f" of each of {engine.streams} streams" if engine.streams > 1 else ""
    if len(engine.cells) > 1:
        of_streams = " of both directions"
    whole = f"a sequence of {steps} steps" if steps > 1 else "a sequence of one step"
    return ("a step" if each_step else whole) + of_streams
