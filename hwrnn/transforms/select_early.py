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
    """Select(f(x)) = f(Select(x)) for every f that works step by step; the last step of a
    reversed sequence is the first of the sequence."""
    made_by = {v.name: op for op in g.ops for v in op.outputs()}
    ops: list[AnyOp] = []
    done: dict[tuple[str, Step], str] = {}
    for op in g.ops:
        if isinstance(op, Select):
            selected(op.x, op.step, made_by, ops, done, wish=op.out)
        else:
            ops.append(op)
    names = {
        op.out.name: done[op.x, op.step] for op in g.ops if isinstance(op, Select)
    }
    return replace(g, ops=tuple(renamed(op, names) for op in ops))


def selected(
    x: str,
    step: Step,
    made_by: dict[str, AnyOp],
    ops: list[AnyOp],
    done: dict[tuple[str, Step], str],
    wish: Value | None = None,
) -> str:
    """The name of `step` of sequence x, after adding what computes it to `ops`."""
    if (x, step) in done:
        return done[x, step]
    op = made_by[x]
    name = wish.name if wish else f"{x[:52]}_{step.value}"
    if isinstance(op, Reverse):
        other = Step.FIRST if step is Step.LAST else Step.LAST
        done[x, step] = selected(op.x, other, made_by, ops, done, wish)
        return done[x, step]
    value = next(v for v in op.outputs() if v.name == x)
    out = replace(value, name=name, sequence=False)
    if isinstance(op, _PER_STEP):
        inner = {n: selected(n, step, made_by, ops, done) for n in op.operands()}
        ops.append(replace(renamed(op, inner), out=out))  # type: ignore[type-var]
    else:
        ops.append(Select(out=out, x=x, step=step))
    done[x, step] = name
    return name
