# SPDX-License-Identifier: Apache-2.0
"""Move the selection of a step up to the recurrence, so that nothing is computed in vain."""

from __future__ import annotations

from dataclasses import replace

from hwrnn.ir import (
    Add,
    AnyOp,
    Concat,
    Const,
    Graph,
    Lut,
    MatVec,
    Mul,
    Op,
    Requant,
    Reverse,
    Select,
    Slice,
    Step,
    Sub,
    Value,
)
from hwrnn.transforms.clean import renamed

_PER_STEP = (Add, Concat, Const, Lut, MatVec, Mul, Requant, Slice, Sub)


def select_early(g: Graph) -> Graph:
    """Select(f(x)) = f(Select(x)) for every f that works step by step.

    The last step of a reversed sequence is the first of the sequence.
    """
    mover = _Mover(g)
    for op in g.ops:
        if isinstance(op, Select):
            mover.selected(op.x, op.step, wish=op.out)
        else:
            mover.ops.append(op)
    names = {s.out.name: mover.done[s.x, s.step] for s in g.ops if isinstance(s, Select)}
    return replace(g, ops=tuple(renamed(op, names) for op in mover.ops))


class _Mover:
    """The new ops, and which step of which sequence they already give."""

    def __init__(self, g: Graph) -> None:
        self.made_by: dict[str, AnyOp] = {v.name: op for op in g.ops for v in op.outputs()}
        self.taken = set(self.made_by)
        self.ops: list[AnyOp] = []
        self.done: dict[tuple[str, Step], str] = {}

    def selected(self, x: str, step: Step, wish: Value | None = None) -> str:
        """The name of `step` of sequence x, after adding the ops that compute it."""
        if (x, step) not in self.done:
            self.done[x, step] = self.add(x, step, wish)
        return self.done[x, step]

    def add(self, x: str, step: Step, wish: Value | None) -> str:
        """Add what computes `step` of x; returns its name."""
        op = self.made_by[x]
        if isinstance(op, Reverse):
            other = Step.FIRST if step is Step.LAST else Step.LAST
            return self.selected(op.x, other, wish)
        value = next(v for v in op.outputs() if v.name == x)
        name = wish.name if wish else self.fresh(f"{x[:52]}_{step.value}")
        out = replace(value, name=name, sequence=False)
        if isinstance(op, _PER_STEP):
            moved = renamed(op, {n: self.selected(n, step) for n in op.operands()})
            assert isinstance(moved, Op)
            self.ops.append(replace(moved, out=out))
        else:
            self.ops.append(Select(out=out, x=x, step=step))
        return name

    def fresh(self, wish: str) -> str:
        """A name that no other value has."""
        name, n = wish, 2
        while name in self.taken:
            name, n = f"{wish}x{n}", n + 1
        self.taken.add(name)
        return name
