# SPDX-License-Identifier: Apache-2.0
"""A graph as hardware with writable weights needs it: room for every model of its shape.

Ranges follow from what the quantisers declare, no longer from the weights; requantisers get a
form that other models share (`hwrnn.transforms.roomy`). The graph computes what it did before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NoReturn, TypeVar

from hwrnn.errors import DesignError
from hwrnn.ir import (
    Add,
    AnyOp,
    Concat,
    Const,
    Flatten,
    Graph,
    Input,
    IntMatrix,
    IntType,
    Lut,
    MatVec,
    Mul,
    Op,
    Output,
    Realisation,
    Requant,
    Reverse,
    Scan,
    Select,
    Slice,
    State,
    Sub,
    Value,
)
from hwrnn.ir.types import of_bits
from hwrnn.transforms.clean import renamed
from hwrnn.transforms.realise import Line, channel_lines
from hwrnn.transforms.roomy import in_form, roomy

SUMS = (MatVec, Add, Sub, Concat, Slice, Select, Flatten, Reverse)  # keep a bias beside them
ONE = Fraction(1)
MAX_BITS = 62  # of an integer, as everywhere
SHAPE = "only weights, biases, scales, tables and constants may differ; build a design of its own"


def widen(g: Graph, like: Graph | None = None) -> Graph:
    """The graph with declared ranges and requantisers with room.

    `like`: the widened graph of which a design was built; then g gets exactly its ranges and
    forms. Raises DesignError naming the op that has another shape there, whose numbers do not fit,
    or that has no exact constants.
    """
    widener = Widener(place=f"model {g.name}, ")
    if like is not None:
        g = with_identities(g, like)
    return replace(g, ops=widener.all(g.ops, like.ops if like else None)).verify()


def with_identities(g: Graph, like: Graph) -> Graph:
    """The graph with the requantisers that only `like` has, where nothing is left to round.

    A requantiser between two equal grids is dropped when a model is loaded; training may move one
    of the grids.
    """
    mine = {op.out.name for op in g.ops}
    scope = like.scope()
    put: dict[str, str] = {}
    ops: list[AnyOp] = []
    left = list(g.ops)
    for old in like.ops:
        if (
            isinstance(old, Requant)
            and old.out.name not in mine
            and old.out == replace(scope[old.x], name=old.out.name)
        ):
            ops.append(replace(old, ratio=(ONE,), offset=(ONE - 1,), realised=None))
            put[old.out.name] = put.get(old.x, old.x)
        elif left:
            ops.append(rewired(left.pop(0), old, put))
    return replace(g, ops=tuple(ops + left))


def rewired(op: AnyOp, like: AnyOp, put: Mapping[str, str]) -> AnyOp:
    """The op behind those identities behind which its counterpart stands."""
    if len(op.operands()) != len(like.operands()):
        return op
    pairs = zip(op.operands(), like.operands(), strict=True)
    return renamed(op, {mine: theirs for mine, theirs in pairs if put.get(theirs) == mine})


def counts(ops: Sequence[AnyOp], like: Sequence[AnyOp]) -> str:
    """Which ops only one of two models has."""
    new, old = ({v.name for o in side for v in o.outputs()} for side in (ops, like))
    parts = [
        f"{what} {', '.join(f'%{n}' for n in sorted(names)[:4])}"
        for what, names in (("has also", new - old), ("lacks", old - new))
        if names
    ]
    return " and ".join(parts) or f"has {len(ops)} ops; the design has {len(like)}"


@dataclass
class Widener:
    """Walks ops in order. `types` holds the new range of each value; `biased` the values that are
    sums of products, beside which a bias may stand; `place` is where it is.
    """

    place: str = ""
    types: dict[str, IntType] = field(default_factory=dict)
    biased: set[str] = field(default_factory=set)

    def all(self, ops: Sequence[AnyOp], like: Sequence[AnyOp] | None) -> tuple[AnyOp, ...]:
        """The ops, each like its counterpart."""
        others: Sequence[AnyOp | None] = [None] * len(ops) if like is None else like
        if len(ops) != len(others):
            raise DesignError(self.place.removesuffix(", "), counts(ops, like or ()), SHAPE)
        return tuple(self.one(op, other) for op, other in zip(ops, others, strict=True))

    def one(self, op: AnyOp, like: AnyOp | None) -> AnyOp:
        """One op, its results known from now on."""
        if like is not None:
            self.same_shape(op, like)
        made = self.scan(op, like) if isinstance(op, Scan) else self.plain(op, like)
        for v in made.outputs():
            self.types[v.name] = v.type
            if v.type.bits > MAX_BITS:
                self.fail(op, f"needs {v.type.bits} bits with writable weights; 62 are the most")
        if like is not None:
            for new, old in zip(made.outputs(), like.outputs(), strict=True):
                if new != old:
                    self.fail(op, f"is {shape(new)} in this model, and {shape(old)} in the design")
        if isinstance(op, MatVec) or (
            isinstance(op, SUMS) and any(n in self.biased for n in op.operands())
        ):
            self.biased.add(op.out.name)
        return made

    def same_shape(self, op: AnyOp, like: AnyOp) -> None:
        """Kind, names, and every field that no training changes."""
        if type(op) is not type(like) or op.out.name != like.out.name:
            self.fail(op, f"is %{like.out.name} ({type(like).__name__}) in the design", SHAPE)
        if op.operands() != like.operands():
            read, was = (", ".join(f"%{n}" for n in o.operands()) for o in (op, like))
            self.fail(op, f"reads {read}; in the design it reads {was}", SHAPE)
        for name in FIXED.get(type(op), ()):
            new, old = getattr(op, name), getattr(like, name)
            if new != old:
                self.fail(op, f"has another {name} than in the design", SHAPE)

    def plain(self, op: AnyOp, like: AnyOp | None) -> AnyOp:
        """Any op but a Scan."""
        match op:
            case Input():
                return op
            case MatVec():
                assert like is None or isinstance(like, MatVec)
                return self.matvec(op, like)
            case Const():
                return self.const(op, like)
            case Requant():
                return self.requant(op, like)
            case Lut():
                return self.lut(op)
            case Add() | Sub() | Mul():
                return retyped(op, op.reach(self.types[op.a], self.types[op.b]))
            case Concat():
                first, *rest = (self.types[x] for x in op.xs)
                for t in rest:
                    first = first.hull(t)
                return retyped(op, first)
            case Slice() | Select() | Flatten() | Reverse() | Output():
                return retyped(op, self.types[op.x])
            case _:
                return self.fail(op, "has no form with writable weights")

    def matvec(self, op: MatVec, like: MatVec | None) -> MatVec:
        """Weights that may be anything their quantiser declares."""
        actual = op.weights.actual
        reach = like.weights.type if like else op.declared or whole(actual)
        if not reach.covers(actual):
            self.fail(op, f"has weights {actual}; those of the design are {reach}")
        weights = IntMatrix(op.weights.array, reach)
        made = replace(op, weights=weights, declared=reach)
        return retyped(made, weights.range_of_product(self.types[op.x]))

    def const(self, op: Const, like: AnyOp | None) -> Const:
        """A vector that may be anything its quantiser declares."""
        actual = IntType(min(op.values), max(op.values))
        reach = like.out.type if like else op.declared or whole(actual)
        if not reach.covers(actual):
            self.fail(op, f"has values {actual}; those of the design are {reach}")
        return retyped(replace(op, declared=reach), reach)

    def lut(self, op: Lut) -> Lut:
        """A table, which is as long as its input's range: that one must not depend on weights."""
        if len(op.table) != self.types[op.x].levels:
            self.fail(
                op,
                "is a table of a value that no quantiser bounds; it grows with the weights",
                f"put a quantiser behind %{op.x}",
            )
        return op

    def requant(self, op: Requant, like: AnyOp | None) -> Requant:
        """A requantiser in the form of the design, or in one with room."""
        x, lines = self.types[op.x], channel_lines(op)
        if op.x in self.biased and len(lines) == 1:
            lines = lines * op.out.size
        if like is None:
            how = roomy(op, lines, x)
        else:
            assert isinstance(like, Requant)
            assert like.realised is not None
            lines = self.as_many(op, lines, like.realised)
            try:
                how = in_form(op, lines, x, like.realised)
            except DesignError as fault:
                raise DesignError(f"{self.place}{fault.place}", fault.fact, fault.hint) from None
        return replace(op, realised=how)

    def as_many(self, op: Requant, lines: list[Line], form: Realisation) -> list[Line]:
        """One line for each channel that the design has constants for."""
        have = form.channels
        if len(lines) == 1:
            return lines * have
        if len(set(lines)) == 1:
            return lines[:have]
        if len(lines) != have:
            self.fail(op, f"has {len(lines)} scales; the design has one for all channels")
        return lines

    def scan(self, op: Scan, like: AnyOp | None) -> Scan:
        """A Scan: its ports have the types of what it reads, its outputs those of its body."""
        assert like is None or isinstance(like, Scan)
        inner = Widener(place=f"{self.place}layer {op.out.name}, ", types=self.types)
        body = op.body
        ports = tuple(
            replace(v, type=self.types[x]) for v, x in zip(body.inputs, op.xs, strict=True)
        )
        for v in (*ports, *(s.value for s in body.states)):
            inner.types[v.name] = v.type
        if like is not None:
            inner.same_states(body.states, like.body.states)
        ops = inner.all(body.ops, like.body.ops if like else None)
        outs = tuple(replace(o, out=replace(o.out, type=self.types[o.body_value])) for o in op.outs)
        return replace(op, body=replace(body, inputs=ports, ops=ops), outs=outs)

    def same_states(self, states: Sequence[State], like: Sequence[State]) -> None:
        """States are part of the hardware, with what they start from."""
        place = self.place.removesuffix(", ")
        if [s.value.name for s in states] != [s.value.name for s in like]:
            raise DesignError(place, "has other states than in the design", SHAPE)
        for new, old in zip(states, like, strict=True):
            name = f"{place}, state %{new.value.name}"
            if new.value != old.value or new.next != old.next:
                fact = f"is {shape(new.value)}, and {shape(old.value)} in the design"
                raise DesignError(name, fact, SHAPE)
            if new.initial != old.initial:
                raise DesignError(
                    name,
                    "starts from another value than in the design, where it is not writable",
                    "build a design of its own",
                )

    def fail(self, op: AnyOp, fact: str, hint: str = SHAPE) -> NoReturn:
        """Refuse, naming the op."""
        raise DesignError(f"{self.place}%{op.out.name} ({type(op).__name__})", fact, hint)


FIXED: Mapping[type[AnyOp], tuple[str, ...]] = {
    Input: ("axes",),
    Requant: ("rounding",),
    Slice: ("start",),
    Select: ("step",),
    Flatten: ("steps",),
    Output: ("axes",),
}


T = TypeVar("T", bound=Op)


def retyped(op: T, t: IntType) -> T:
    """The op with another range of its result."""
    return replace(op, out=replace(op.out, type=t))


def shape(v: Value) -> str:
    """Range and size, as a message says it."""
    return f"{v.type} x {v.size}"


def whole(t: IntType) -> IntType:
    """All integers of as many bits: what a matrix without a quantiser may become."""
    return of_bits(t.bits, signed=t.signed)


def in_pairs(g: Graph, twins: Mapping[str, str]) -> Graph:
    """A widened graph in which requantisers that share hardware have one form.

    `twins`: for values of one body, their counterparts in another.
    """
    found: dict[str, tuple[Requant, IntType]] = {}

    def seen(op: AnyOp, scope: Mapping[str, Value]) -> AnyOp:
        assert isinstance(op, Requant)
        found[op.out.name] = (op, scope[op.x].type)
        return op

    g.rewrite(Requant, seen)
    made: dict[str, Requant] = {}
    for one, other in twins.items():
        if one in found and other in found and one != other:
            made |= common_form(found[other], found[one])
    return g.rewrite(Requant, lambda op, _: made.get(op.out.name, op)).verify()


def common_form(one: tuple[Requant, IntType], other: tuple[Requant, IntType]) -> dict[str, Requant]:
    """Two requantisers in the form that roomy finds for the lines of both."""
    (a, x), (b, y) = one, other
    assert a.realised is not None
    assert b.realised is not None
    channels = max(a.realised.channels, b.realised.channels)
    lines = [spread_lines(op, channels) for op in (a, b)]
    reach = x.hull(y)
    form = roomy(a, [*lines[0], *lines[1]], reach)
    return {
        op.out.name: replace(op, realised=in_form(op, own, reach, form))
        for op, own in zip((a, b), lines, strict=True)
    }


def spread_lines(op: Requant, channels: int) -> list[Line]:
    """One line for each of so many channels."""
    lines = channel_lines(op)
    return lines * channels if len(lines) == 1 else lines
