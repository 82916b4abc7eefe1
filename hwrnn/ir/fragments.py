# SPDX-License-Identifier: Apache-2.0
"""Sequences that come in fragments: which graphs can take them, and what each gives."""

from __future__ import annotations

from dataclasses import replace

from hwrnn.ir.graph import Graph
from hwrnn.ir.ops import AnyOp, Flatten, Input, Reverse, Scan, Select, Slice, Step
from hwrnn.ir.sequence_ops import Pool, Reduce, Repeat, Window

HELD: dict[type, str] = {
    Reverse: "reverses sequences",
    Flatten: "flattens sequences",
    Window: "slides windows over sequences",
    Pool: "pools sequences",
    Reduce: "sums over sequences",
    Repeat: "repeats vectors",
}


def needs_whole(graph: Graph) -> str | None:
    """What a graph does that needs whole sequences; None if fragments will do."""
    for op in graph.ops:
        if type(op) in HELD:
            return HELD[type(op)]
        if isinstance(op, Select) and op.step is Step.FIRST:
            return "takes the first steps of sequences"
        if isinstance(op, Scan) and any(s.start is not None for s in op.body.states):
            return "computes initial states"
    return None


def every_step(graph: Graph) -> Graph:
    """The graph as it would be if nothing took last steps: what it gives behind every step.

    The last step of a fragment is then what the graph gives for the fragment.
    """
    return replace(graph, ops=tuple(stepwise(op) for op in graph.ops))


def stepwise(op: AnyOp) -> AnyOp:
    """An op on sequences, also where it worked on their last steps."""
    if isinstance(op, Scan | Input):
        return op
    out = replace(op.out, sequence=True)
    if isinstance(op, Select):
        return Slice(out=out, x=op.x, start=0)
    return replace(op, out=out)
