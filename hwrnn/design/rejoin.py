# SPDX-License-Identifier: Apache-2.0
"""Branches of different delay that meet again: how many vectors the faster one has to hold.

A Fork gives a beat to all branches at once, and a Concat takes a vector of each branch in turn.
While it waits for the slower branch, the faster one must take what the Fork still owes the slower
one, or nothing moves any more. What the slower branch needs for a vector is that vector; behind a
Reverse or a Flatten it is the whole sequence. More than that only keeps the branches busy.
"""

from __future__ import annotations

from hwrnn.ir import (
    Add,
    AnyOp,
    Concat,
    Flatten,
    Graph,
    MatVec,
    Max,
    Mul,
    Pool,
    Reduce,
    Repeat,
    Reverse,
    Scan,
    Select,
    Step,
    Sub,
    Window,
)

ENGINES = (Scan, MatVec)
JOINS = (Concat, Add, Sub, Mul, Max)
WINDOWS = (Window, Pool)
ENDERS = (Select, Reduce, Reverse)  # they take a whole sequence, whatever stands behind


def vectors_to_hold(graph: Graph, user: AnyOp, others: list[AnyOp], longest: int | None) -> int:
    """How many vectors of a value the copy for `user` holds, for the sake of the other users.

    `longest`: steps of the longest sequence. 0 where no other branch meets this one, and where
    this one holds enough by itself.
    """
    found = [0]
    for join in (op for op in graph.ops if isinstance(op, JOINS)):
        own = between(graph, user, join)
        for other in others:
            beside = between(graph, other, join)
            if own is not None and beside is not None:
                found.append(needed(own, beside, longest or 0))
    return max(found)


def needed(own: list[AnyOp], beside: list[AnyOp], longest: int) -> int:
    """Vectors to be held by a branch of the ops `own` for one of the ops `beside`."""
    if any(isinstance(op, Reverse) for op in beside):
        return 0 if any(isinstance(op, Select | Reverse) for op in own) else longest
    repeated = [op.steps for op in beside if isinstance(op, Repeat)]
    if repeated and not any(isinstance(op, Repeat) for op in own):
        return max(repeated)  # as long as the sequence for whose end that one waits
    ahead = sum(op.size + op.stride for op in beside if isinstance(op, WINDOWS))
    if any(isinstance(op, ENDERS) for op in own):
        return 0
    if any(isinstance(op, ENGINES) for op in own):
        return ahead
    steps = max((op.steps for op in own if isinstance(op, Flatten)), default=0)
    return steps or 1 + ahead + sum(isinstance(op, ENGINES) for op in beside)


def between(graph: Graph, start: AnyOp, join: AnyOp) -> list[AnyOp] | None:
    """The ops on all ways from `start` (with it) to `join` (without it); None if there is none."""
    behind = {start.out.name}
    for op in graph.ops:
        if behind.intersection(op.operands()):
            behind.add(op.out.name)
    if join.out.name not in behind:
        return None
    ahead = set(join.operands())
    for op in reversed(graph.ops):
        if op.out.name in ahead:
            ahead.update(op.operands())
    return [op for op in graph.ops if op.out.name in behind & ahead]


def mixes_first_and_last(graph: Graph) -> Concat | None:
    """A Concat of first and of last steps: with several streams they come in different orders."""
    kept: dict[str, frozenset[Step]] = {}
    for op in graph.ops:
        if isinstance(op, Select):
            kept[op.out.name] = frozenset({op.step})
            continue
        before = [kept[x] for x in op.operands() if x in kept]
        kept[op.out.name] = frozenset[Step]().union(*before)
        if isinstance(op, Concat) and len(kept[op.out.name]) > 1:
            return op
    return None
