# SPDX-License-Identifier: Apache-2.0
"""The two directions of a bidirectional layer as two sets of constants of one engine.

The bodies have to be alike op by op; then they get the same names and the same types, and
requantisers of one form, so that only constants differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hwrnn.design.engine import Cell, Gate
from hwrnn.errors import DesignError
from hwrnn.ir import (
    AnyOp,
    Body,
    Graph,
    IntType,
    Lut,
    Requant,
    Reverse,
    ScaleShift,
    Scan,
    State,
    Thresholds,
    Value,
)
from hwrnn.transforms.realise import channel_lines, thresholds

ALIKE = "only directions that are alike but for their constants can share an engine"
HINT = 'build it with directions="two"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A layer that runs forwards, and the one that runs on the reversed sequence."""

    forward: Scan
    backward: Scan


def pairs(graph: Graph) -> tuple[Pair, ...]:
    """The bidirectional layers. Raises DesignError when there is none."""
    made_by = {v.name: op for op in graph.ops for v in op.outputs()}
    forward = {s.xs[0]: s for s in graph.scans if not isinstance(made_by[s.xs[0]], Reverse)}
    found = []
    for scan in graph.scans:
        flip = made_by[scan.xs[0]]
        if isinstance(flip, Reverse) and flip.x in forward:
            found.append(Pair(forward=forward.pop(flip.x), backward=scan))
    if not found:
        raise DesignError(
            "option directions",
            f'is "shared"; {graph.name} has no bidirectional layer',
            'leave it at "two"',
        )
    return tuple(found)


def twins(pair: Pair) -> dict[str, str]:
    """For every value of the backward body, its counterpart in the forward one."""
    place = f"layer {pair.forward.out.name}"
    a, b = pair.forward.body, pair.backward.body
    names = dict(zip(ports(b), ports(a), strict=False))
    alike = len(a.ops) == len(b.ops) and len(ports(a)) == len(ports(b))
    for x, y in zip(a.ops, b.ops, strict=False):
        operands = tuple(names.get(n) for n in y.operands())
        alike = alike and type(x) is type(y) and operands == x.operands()
        names[y.out.name] = x.out.name
    alike = alike and all(
        names.get(t.next) == s.next for s, t in zip(a.states, b.states, strict=False)
    )
    alike = alike and [names.get(o.body_value) for o in pair.backward.outs] == [
        o.body_value for o in pair.forward.outs
    ]
    if not alike:
        raise DesignError(place, f"computes something else backwards; {ALIKE}", HINT)
    return names


def ports(body: Body) -> list[str]:
    """What a body reads from outside."""
    return [*(v.name for v in body.inputs), *(s.value.name for s in body.states)]


def unified(pair: Pair) -> tuple[Body, Body]:
    """Both bodies with the names of the forward one, common types, and requantisers of one form."""
    place = f"layer {pair.forward.out.name}"
    names = twins(pair)
    a, b = pair.forward.body, renamed(pair.backward.body, names)
    one, other = zip(*common_ops(place, a, b), strict=True)
    states = [common_states(s, t) for s, t in zip(a.states, b.states, strict=True)]
    return (
        replace(a, ops=one, states=tuple(s for s, _ in states)),
        replace(b, ops=other, states=tuple(t for _, t in states)),
    )


def renamed(body: Body, names: Mapping[str, str]) -> Body:
    """A body with other names for its values."""
    return Body(
        inputs=tuple(named(v, names) for v in body.inputs),
        states=tuple(
            replace(s, value=named(s.value, names), next=names[s.next]) for s in body.states
        ),
        ops=tuple(renamed_op(op, names) for op in body.ops),
    )


def named(v: Value, names: Mapping[str, str]) -> Value:
    """A value under its new name."""
    return replace(v, name=names[v.name])


def renamed_op(op: AnyOp, names: Mapping[str, str]) -> AnyOp:
    """An op under new names."""
    assert not isinstance(op, Scan)
    fields = {key: names[getattr(op, key)] for key in ("x", "a", "b") if hasattr(op, key)}
    return replace(op, out=named(op.out, names), **fields)


def common_states(a: State, b: State) -> tuple[State, State]:
    """Both states with a range that covers either."""
    value = replace(a.value, type=a.value.type.hull(b.value.type))
    return replace(a, value=value), replace(b, value=value)


def common_ops(place: str, a: Body, b: Body) -> Iterator[tuple[AnyOp, AnyOp]]:
    """The ops of both bodies, two by two, with common types and forms."""
    before = a.scope(), b.scope()
    types: dict[str, IntType] = {}
    for name, v in before[0].items():
        types[name] = v.type.hull(before[1][name].type)
    for x, y in zip(a.ops, b.ops, strict=True):
        yield common_op(place, x, y, types, (before[0], before[1]))


Scopes = tuple[Mapping[str, Value], Mapping[str, Value]]


def common_op(
    place: str, x: AnyOp, y: AnyOp, types: Mapping[str, IntType], before: Scopes
) -> tuple[AnyOp, AnyOp]:
    """Two ops with one type for their results, and for requantisers one form of constants."""
    assert not isinstance(x, Scan)
    assert not isinstance(y, Scan)
    out = replace(x.out, type=types[x.out.name])
    if isinstance(x, Requant) and isinstance(y, Requant):
        if x.out != y.out:
            raise DesignError(
                place,
                f"quantises %{x.out.name} to {x.out.type} forwards and to "
                f"{y.out.type} backwards; {ALIKE}",
                HINT,
            )
        return common_requants(x, y, before)
    if isinstance(x, Lut) and before[0][x.x].type != before[1][x.x].type:
        raise DesignError(place, f"has tables of two sizes for %{x.out.name}; {ALIKE}", HINT)
    return replace(x, out=out), replace(y, out=out)


def common_requants(x: Requant, y: Requant, before: Scopes) -> tuple[Requant, Requant]:
    """Multiply, add and shift with one shift where both have that form; else thresholds."""
    a, b = x.realised, y.realised
    if (
        isinstance(a, ScaleShift)
        and isinstance(b, ScaleShift)
        and (a.ties, a.kind) == (b.ties, b.kind)
    ):
        shift = max(a.shift, b.shift)
        return replace(x, realised=shifted(a, shift)), replace(y, realised=shifted(b, shift))
    made = tuple(
        op.realised
        if isinstance(op.realised, Thresholds)
        else thresholds(op, channel_lines(op), scope[op.x].type)
        for op, scope in ((x, before[0]), (y, before[1]))
    )
    return replace(x, realised=made[0]), replace(y, realised=made[1])


def shifted(how: ScaleShift, shift: int) -> ScaleShift:
    """The same requantiser with a larger shift."""
    more = shift - how.shift
    return replace(
        how,
        mul=tuple(m << more for m in how.mul),
        add=tuple(v << more for v in how.add),
        shift=shift,
    )


def alike(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Cells whose sums have one range."""
    found = tuple(cells)
    reach = [gates_hull(gates) for gates in zip(*(c.gates for c in found), strict=True)]
    return tuple(with_reach(cell, reach) for cell in found)


def gates_hull(gates: Iterable[Gate]) -> IntType:
    """The range that covers the sums of all gates."""
    first, *rest = (g.value.type for g in gates)
    for t in rest:
        first = first.hull(t)
    return first


def with_reach(cell: Cell, reach: Iterable[IntType]) -> Cell:
    """A cell with these ranges of its sums, at the gates and where the datapaths take them."""
    gates = tuple(
        replace(g, value=replace(g.value, type=t)) for g, t in zip(cell.gates, reach, strict=True)
    )
    values = {g.value.name: g.value for g in gates}
    hands = tuple(
        replace(
            hand,
            datapath=replace(
                hand.datapath, ports=tuple(values[p.name] for p in hand.datapath.ports)
            ),
        )
        for hand in cell.hands
    )
    return replace(cell, gates=gates, hands=hands)
