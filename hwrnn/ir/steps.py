# SPDX-License-Identifier: Apache-2.0
"""How many steps each sequence of a graph has, given those of the input."""

from __future__ import annotations

from itertools import chain

from hwrnn.errors import DataError
from hwrnn.ir.graph import Graph
from hwrnn.ir.ops import AnyOp, Flatten, Input
from hwrnn.ir.sequence_ops import Pool, Reduce, Repeat, Window

SEARCHED = 1 << 16  # lengths that are tried for a graph that fixes its own


def step_counts(graph: Graph, steps: int) -> dict[str, int]:
    """The steps of every sequence, by name. Raises DataError for a length that the graph does not
    take, naming the op.
    """
    found, fault = count_steps(graph, steps)
    if fault:
        fixed = fixed_steps(graph)
        hint = f"pass sequences of {fixed} steps" if fixed else "pass longer sequences"
        raise DataError(f'input "{graph.inputs[0].out.name}"', f"has {steps} steps; {fault}", hint)
    return found


def count_steps(graph: Graph, steps: int) -> tuple[dict[str, int], str]:
    """The steps of every sequence up to the first op that refuses them, and what that says."""
    found: dict[str, int] = {}
    for op in graph.ops:
        fault = refusal(op, found)
        if fault:
            return found, fault
        count = steps if isinstance(op, Input) else made_steps(op, found)
        found |= {v.name: count for v in op.outputs() if v.sequence}
    return found, ""


def refusal(op: AnyOp, found: dict[str, int]) -> str:
    """What an op says to the steps of its operands; nothing if it takes them."""
    counts = {x: found[x] for x in op.operands() if x in found}
    first = next(iter(counts.values()), 0)
    match op:
        case Flatten() if first != op.steps:
            return f"the model flattens sequences of exactly {op.steps}{behind(op.x, first, found)}"
        case Reduce() if op.steps not in (None, first):
            return f"the model sums over exactly {op.steps}{behind(op.x, first, found)}"
        case Window() | Pool() if op.windows(first) == 0:
            return f"that is too short for a window of {op.size}{behind(op.x, first, found)}"
        case _ if len(set(counts.values())) > 1:
            names = ", ".join(f"%{x} {n}" for x, n in counts.items())
            return f"%{op.out.name} joins sequences of different lengths: {names}"
    return ""


def behind(name: str, steps: int, found: dict[str, int]) -> str:
    """The steps of a value, where they are not those of the input."""
    return f"; %{name} has {steps}" if steps != next(iter(found.values())) else ""


def made_steps(op: AnyOp, found: dict[str, int]) -> int:
    """The steps of what an op makes, if that is a sequence."""
    match op:
        case Repeat():
            return op.steps
        case Window() | Pool():
            return op.windows(found[op.x])
        case _:
            first = next(iter(found.values()), 1)  # of the input: for a constant
            return next((found[x] for x in op.operands() if x in found), first)


def fixed_steps(graph: Graph) -> int | None:
    """The only number of input steps that the graph takes; None if it takes several.

    Where a stride makes several lengths equal, that of the example, if it is one of them, else
    the shortest. Raises DataError for a graph that takes none.
    """
    if not any(isinstance(op, Flatten | Reduce) and op.steps for op in graph.ops):
        return None
    example = graph.inputs[0].example_steps or 1
    for n in chain([example], range(1, SEARCHED)):
        if not count_steps(graph, n)[1]:
            return n
    raise DataError(graph.name, "takes sequences of no length: its parts fix different ones")


def least_steps(graph: Graph) -> int:
    """The shortest sequence that the graph takes: what its windows need, or what it fixes."""
    fixed = fixed_steps(graph)
    if fixed is not None:
        return fixed
    return next(n for n in range(1, SEARCHED) if not count_steps(graph, n)[1])
