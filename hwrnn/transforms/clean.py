# SPDX-License-Identifier: Apache-2.0
"""Tidying: what is computed twice, changes nothing, or is never read goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from hwrnn.ir import AnyOp, Graph, Input, IntType, Output, Requant, Reverse, Scan


def renamed(op: AnyOp, names: Mapping[str, str]) -> AnyOp:
    """The op reading other names; `names` maps old to new, for operands only."""
    changes: dict[str, object] = {}
    for f in fields(op):
        if f.name in ("x", "a", "b"):
            changes[f.name] = names.get(getattr(op, f.name), getattr(op, f.name))
        elif f.name == "xs":
            changes[f.name] = tuple(names.get(x, x) for x in getattr(op, f.name))
    if isinstance(op, Scan):
        states = (
            s if s.start is None else replace(s, start=names.get(s.start, s.start))
            for s in op.body.states
        )
        changes["body"] = replace(op.body, states=tuple(states))
    return replace(op, **changes) if changes else op  # type: ignore[arg-type]


def share_equal_ops(g: Graph) -> Graph:
    """Two ops that compute the same from the same are one (both directions quantise alike)."""
    names: dict[str, str] = {}
    seen: dict[object, str] = {}
    kept: list[AnyOp] = []
    for old in g.ops:
        op = renamed(old, names)
        if isinstance(op, Input | Output | Scan):
            kept.append(op)
            continue
        key = (type(op), replace(op, out=replace(op.out, name="same")))
        if key in seen:
            names[op.out.name] = seen[key]
        else:
            seen[key] = op.out.name
            kept.append(op)
    return replace(g, ops=tuple(kept))


def drop_identities(g: Graph) -> Graph:
    """A Requant that gives back its operand, and a Reverse of a Reverse, go."""
    names: dict[str, str] = {}
    reversed_of: dict[str, str] = {}
    kept: list[AnyOp] = []
    scope = g.scope()
    for old in g.ops:
        op = renamed(old, names)
        if isinstance(op, Requant) and is_identity(op, scope[op.x].type):
            names[op.out.name] = op.x
            continue
        if isinstance(op, Reverse):
            if op.x in reversed_of:
                names[op.out.name] = reversed_of[op.x]
                continue
            reversed_of[op.out.name] = op.x
        kept.append(op)
    return replace(g, ops=tuple(kept))


def is_identity(op: Requant, x: IntType) -> bool:
    """True when no integer is changed, nor the range, on which the readers of y rely."""
    return set(op.ratio) == {1} and set(op.offset) == {0} and op.out.type == x


def drop_dead(g: Graph) -> Graph:
    """Ops that no Output depends on go; so do outputs of a Scan that nobody reads."""
    live: set[str] = set()
    kept: list[AnyOp] = []
    for op in reversed(g.ops):
        if not isinstance(op, Input | Output) and not any(v.name in live for v in op.outputs()):
            continue
        live.update(op.operands())
        kept.append(only_live(op, live) if isinstance(op, Scan) else op)
    return replace(g, ops=tuple(reversed(kept)))


def only_live(op: Scan, live: set[str]) -> Scan:
    """The Scan with those outputs that somebody reads."""
    return replace(op, outs=tuple(o for o in op.outs if o.out.name in live))
