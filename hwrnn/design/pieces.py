# SPDX-License-Identifier: Apache-2.0
"""A body without Slice and Concat: every element-wise op works on what an engine calls units.

One product for all gates, sliced afterwards, becomes a product for each gate; a product of x and h
side by side becomes the sum of two. Values stay what they were, element by element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from hwrnn.errors import DesignError
from hwrnn.ir import (
    Add,
    AnyOp,
    Body,
    Concat,
    Const,
    Graph,
    IntMatrix,
    IntType,
    Lut,
    MatVec,
    Mul,
    Realisation,
    Requant,
    ScaleShift,
    Scan,
    Slice,
    Sub,
    Value,
)


def whole_vectors(graph: Graph) -> Graph:
    """The graph with bodies that have no Slice and no Concat."""

    def plain(op: AnyOp) -> AnyOp:
        if not isinstance(op, Scan):
            return op
        names = [o.body_value for o in op.outs]
        body, names = without_slices(f"layer {op.out.name}", op.body, names)
        outs = (replace(o, body_value=n) for o, n in zip(op.outs, names, strict=True))
        return replace(op, body=body, outs=tuple(outs))

    return replace(graph, ops=tuple(plain(op) for op in graph.ops)).verify()


def without_slices(place: str, body: Body, results: Sequence[str]) -> tuple[Body, list[str]]:
    """The body without Slice and Concat, and the new names of `results`.

    Raises DesignError for a piece that is no vector of its own: of a state, or of values that
    stand side by side and come from different ops.
    """
    if not any(isinstance(op, Slice | Concat) for op in body.ops):
        return body, list(results)
    rest = Rest(place=place, body=body)
    names = [rest.whole(name) for name in results]
    nexts = [rest.whole(s.next) for s in body.states]
    states = tuple(replace(s, next=n) for s, n in zip(body.states, nexts, strict=True))
    return replace(body, ops=tuple(rest.made.values()), states=states), names


T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Rest:
    """The ops that are made, each when it is first asked for."""

    place: str
    body: Body
    made: dict[str, AnyOp] = field(default_factory=dict)
    scope: dict[str, Value] = field(init=False)
    makers: dict[str, AnyOp] = field(init=False)

    def __post_init__(self) -> None:
        self.scope = self.body.scope()
        self.makers = {op.out.name: op for op in self.body.ops}

    def whole(self, name: str) -> str:
        """A value as a whole."""
        return self.piece(name, 0, self.scope[name].size)

    def piece(self, name: str, start: int, size: int) -> str:
        """The name of elements start .. start + size of a value."""
        op = self.makers.get(name)
        whole = (start, size) == (0, self.scope[name].size)
        match op:
            case None:
                return name if whole else self.picked(name, start, size)
            case Slice():
                return self.piece(op.x, op.start + start, size)
            case Concat():
                return self.part(op, start, size)
        out = op.out if whole else replace(op.out, name=f"{name}_from{start}", size=size)
        if out.name not in self.made:
            self.made[out.name] = self.rebuilt(op, out, start)
        return out.name

    def picked(self, name: str, start: int, size: int) -> str:
        """Some elements of the input: a product with rows of the identity."""
        v = self.scope[name]
        if name != self.body.inputs[0].name:
            raise self.refused(f"takes a slice of the state %{name}", "use a state for each part")
        rows = np.eye(v.size, dtype=np.int64)[start : start + size]
        out = Value(name=f"{name}_from{start}", type=v.type.hull(IntType(0, 0)), size=size)
        self.made[out.name] = MatVec(out=out, x=name, weights=IntMatrix(rows))
        return out.name

    def part(self, op: Concat, start: int, size: int) -> str:
        """A piece of one of the vectors that stand side by side."""
        first = 0
        for x in op.xs:
            end = first + self.scope[x].size
            if first <= start and start + size <= end:
                return self.piece(x, start - first, size)
            first = end
        raise self.refused(
            f"reads %{op.out.name} element by element, which puts {', '.join(op.xs)} side by side",
            "all gates and states have one size",
        )

    def refused(self, fact: str, hint: str) -> DesignError:
        """The error that names the layer."""
        return DesignError(self.place, fact, hint)

    def rebuilt(self, op: AnyOp, out: Value, start: int) -> AnyOp:
        """An op for a piece of its result."""
        end = start + out.size
        match op:
            case MatVec():
                rows = IntMatrix(op.weights.array[start:end])
                return self.product(replace(op, out=out, weights=rows))
            case Add() | Sub() | Mul():
                a, b = (self.piece(n, start, out.size) for n in (op.a, op.b))
                return replace(op, out=out, a=a, b=b)
            case Lut():
                return replace(op, out=out, x=self.piece(op.x, start, out.size))
            case Const():
                return replace(op, out=out, values=op.values[start:end])
            case Requant():
                return replace(
                    op,
                    out=out,
                    x=self.piece(op.x, start, out.size),
                    ratio=some(op.ratio, start, end),
                    offset=some(op.offset, start, end),
                    realised=None if op.realised is None else realised(op.realised, start, end),
                )
            case _:
                raise self.refused(f"has a {type(op).__name__} in its step", "leave it out")

    def product(self, op: MatVec) -> AnyOp:
        """A product of a vector that is whole: side by side means a sum, a slice means zeros."""
        source = self.makers.get(op.x)
        if isinstance(source, Slice):
            inner = self.scope[source.x]
            wide = np.zeros((op.weights.rows, inner.size), dtype=np.int64)
            wide[:, source.start : source.start + source.out.size] = op.weights.array
            declared = op.declared and op.declared.hull(IntType(0, 0))
            padded = replace(op, x=source.x, weights=IntMatrix(wide), declared=declared)
            return self.product(padded)
        if isinstance(source, Concat):
            return self.summed(op, source)
        return replace(op, x=self.whole(op.x))

    def summed(self, op: MatVec, source: Concat) -> AnyOp:
        """The sum of the products of vectors that stand side by side."""
        terms: list[AnyOp] = []
        first = 0
        for k, x in enumerate(source.xs):
            end = first + self.scope[x].size
            columns = IntMatrix(op.weights.array[:, first:end])
            reach = columns.range_of_product(self.scope[x].type)
            out = replace(op.out, name=f"{op.out.name}_of{k}", type=reach)
            terms.append(self.product(replace(op, out=out, x=x, weights=columns)))
            first = end
        total = terms[0]
        for k, term in enumerate(terms[1:], 1):
            self.made[total.out.name] = total
            self.made[term.out.name] = term
            a, b = total.out.type, term.out.type
            reach = IntType(a.lo + b.lo, a.hi + b.hi)
            last = k == len(terms) - 1
            name = op.out.name if last else f"{op.out.name}_to{k}"
            out = replace(op.out, name=name, type=reach.hull(op.out.type) if last else reach)
            total = Add(out=out, a=total.out.name, b=term.out.name)
        return total


def some(values: tuple[T, ...], start: int, end: int) -> tuple[T, ...]:
    """The constants of some channels; one constant for all stays."""
    return values if len(values) == 1 else values[start:end]


def realised(how: Realisation, start: int, end: int) -> Realisation:
    """A requantiser for some of its channels."""
    if isinstance(how, ScaleShift):
        return replace(how, mul=some(how.mul, start, end), add=some(how.add, start, end))
    table = how.table if how.table.rows == 1 else IntMatrix(how.table.array[start:end])
    return replace(how, table=table)
