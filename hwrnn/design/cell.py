# SPDX-License-Identifier: Apache-2.0
"""From the body of a Scan (or a dense layer and what follows it) to gates and a cell datapath.

Whatever is a sum of products becomes a gate: one accumulator for each unit. The rest is
element-wise and becomes a pipeline, every op as early as its operands allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hwrnn.design.design import Datapath, EngineState, Gate, PlacedOp, StateRead
from hwrnn.design.latency import latency
from hwrnn.errors import DesignError
from hwrnn.ir import (
    Add,
    AnyOp,
    Body,
    Const,
    IntMatrix,
    IntType,
    Lut,
    MatVec,
    Mul,
    Requant,
    State,
    Sub,
    Value,
)

ELEMENTWISE = (Add, Sub, Mul, Requant, Lut)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The parts of an engine that come from a body."""

    gates: tuple[Gate, ...]
    states: tuple[EngineState, ...]
    datapath: Datapath


def compile_cell(name: str, body: Body, pe: int, result: str) -> Cell:
    """Split a body into gates and datapath. Raises DesignError naming what does not fit."""
    x = body.inputs[0]
    products, rest = split(name, body)
    read = Counter(n for op in rest for n in op.operands())
    read.update([result, *(s.next for s in body.states)])
    h = recurrent_state(name, products.values(), body.states)
    gates = tuple(gate(made, x, h) for made in products.values() if read[made.out.name])
    units = units_of(name, gates, body, rest)
    states = tuple(engine_state(s, products.values(), read) for s in body.states)
    ports = tuple(g.value for g in gates)
    consts = tuple(op for op in rest if isinstance(op, Const))
    placed = place([op for op in rest if not isinstance(op, Const)], ports, consts)
    reads = tuple(
        StateRead(value=s.value, stage=first_use(s.value.name, placed))
        for s in states
        if s.elementwise
    )
    path = Datapath(
        lanes=pe, units=units, ports=ports, reads=reads, consts=consts, ops=tuple(placed)
    )
    return Cell(gates=gates, states=states, datapath=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A sum of matrix products: for each operand, the matrix that multiplies it."""

    out: Value
    terms: dict[str, IntMatrix]


def split(name: str, body: Body) -> tuple[dict[str, Product], list[AnyOp]]:
    """The sums of products, and the ops that are left; an Add of two of them is one itself."""
    ports = {body.inputs[0].name, *(s.value.name for s in body.states)}
    products: dict[str, Product] = {}
    rest: list[AnyOp] = []
    for op in body.ops:
        if isinstance(op, MatVec):
            if op.x not in ports:
                raise DesignError(
                    f"layer {name}",
                    f"multiplies %{op.x}, which is computed in the same step",
                    "only the input and the states can be multiplied by a matrix for now",
                )
            products[op.out.name] = Product(out=op.out, terms={op.x: op.weights})
        elif isinstance(op, Add) and op.a in products and op.b in products:
            products[op.out.name] = merged(op.out, products[op.a], products[op.b])
        elif isinstance(op, (*ELEMENTWISE, Const)):
            rest.append(op)
        else:
            raise DesignError(f"layer {name}", f"has a {type(op).__name__} in its step")
    return products, rest


def merged(out: Value, a: Product, b: Product) -> Product:
    """The sum of two sums of products."""
    terms = dict(a.terms)
    for x, weights in b.terms.items():
        terms[x] = IntMatrix(terms[x].array + weights.array) if x in terms else weights
    return Product(out=out, terms=terms)


def recurrent_state(
    name: str, products: Iterable[Product], states: Iterable[State]
) -> Value | None:
    """The one state that is multiplied by matrices."""
    read = {x for made in products for x in made.terms}
    found = [s.value for s in states if s.value.name in read]
    if len(found) > 1:
        raise DesignError(f"layer {name}", "multiplies two states by matrices")
    return found[0] if found else None


def gate(made: Product, x: Value, h: Value | None) -> Gate:
    """One accumulator: its columns are those of x, then those of h; 0 for what it does not read."""
    ports = [x] if h is None else [x, h]
    columns = [made.terms.get(v.name, zeros(made.out.size, v.size)) for v in ports]
    low = high = 0
    for v, weights in zip(ports, columns, strict=True):
        reach = weights.range_of_product(IntType(min(v.type.lo, 0), max(v.type.hi, 0)))
        low, high = low + reach.lo, high + reach.hi
    value = Value(name=made.out.name, type=IntType(low, high), size=made.out.size)
    return Gate(value=value, weights=IntMatrix(np.hstack([c.array for c in columns])))


def zeros(rows: int, columns: int) -> IntMatrix:
    """A matrix of zeros."""
    return IntMatrix(np.zeros((rows, columns), dtype=np.int64))


def units_of(name: str, gates: tuple[Gate, ...], body: Body, rest: list[AnyOp]) -> int:
    """The number of units, the same everywhere."""
    sizes = {g.value.size for g in gates} | {s.value.size for s in body.states}
    sizes |= {op.out.size for op in rest}
    if len(sizes) != 1:
        raise DesignError(
            f"layer {name}",
            f"works on vectors of {', '.join(map(str, sorted(sizes)))} elements in one step",
            "projections are not supported; all gates and states have one size",
        )
    return sizes.pop()


def engine_state(s: State, products: Iterable[Product], read: Counter[str]) -> EngineState:
    """A state, and by whom it is read."""
    recurrent = any(s.value.name in p.terms for p in products)
    return EngineState(
        value=s.value,
        initial=s.initial,
        next=s.next,
        recurrent=recurrent,
        elementwise=read[s.value.name] > 0,
    )


def place(ops: list[AnyOp], ports: tuple[Value, ...], consts: tuple[Const, ...]) -> list[PlacedOp]:
    """Every op at the first stage at which its operands are there."""
    ready = {v.name: 0 for v in ports} | {c.out.name: 0 for c in consts}
    placed = []
    for op in ops:
        stage = max((ready.get(n, 0) for n in op.operands()), default=0)
        placed.append(PlacedOp(op=op, stage=stage, latency=latency(op)))
        ready[op.out.name] = stage + latency(op)
    return placed


def first_use(name: str, ops: Iterable[PlacedOp]) -> int:
    """The stage of the first op that reads a value."""
    return min((p.stage for p in ops if name in p.op.operands()), default=0)
