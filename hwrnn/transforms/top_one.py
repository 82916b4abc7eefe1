# SPDX-License-Identifier: Apache-2.0
"""The index of the largest output in place of the outputs themselves."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hwrnn.errors import DesignError
from hwrnn.ir import AnyOp, ArgMax, Graph, IntType, Output, OutputGrid, Value


def top_one(g: Graph) -> Graph:
    """The graph with an ArgMax in front of its only output: compares the exact reals, and takes
    the first of equal ones. Raises DesignError for a graph of which that cannot be said.
    """
    last = g.outputs[0]
    if len(g.outputs) != 1 or "F" not in last.axes or "S" in last.axes:
        raise DesignError(
            "option argmax",
            f"{g.name} has no single output with features",
            "return the scores of the classes alone",
        )
    taken = set(g.scope())
    name = next(n for k in range(len(taken) + 1) if (n := f"{last.out.name}_top{k}") not in taken)
    best = Value(name=name, type=IntType(0, last.out.size - 1), size=1, sequence=last.out.sequence)
    found = ArgMax(out=best, x=last.x, scale=last.grid.scale, offset=last.grid.offset)
    end = Output(
        out=replace(best, name=last.out.name),
        x=name,
        grid=OutputGrid(scale=(Fraction(1),)),
        axes=tuple(a for a in last.axes if a != "F"),
    )
    ops: list[AnyOp] = [op for op in g.ops if op is not last]
    return replace(g, ops=(*ops, found, end)).verify()
