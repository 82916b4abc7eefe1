# SPDX-License-Identifier: Apache-2.0
"""From the body of a Scan (or a dense layer and what follows it) to gates and cell datapaths.

Whatever is a sum of products becomes a gate: one accumulator for each unit. The rest is
element-wise and becomes a pipeline, every op as early as its operands allow. A value computed in
the step that is itself multiplied by a matrix becomes a vector of the next level: the sums behind
the blocks of a level are handed to a datapath that computes the vectors of the next one; the last
datapath computes the states and the result, all from the sums.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwrnn.design.datapath import Datapath, PlacedOp, StateRead
from hwrnn.design.engine import Cell, EngineState, Gate, HandOver, Vector
from hwrnn.design.latency import Pipeline, items, mac_registers, registers
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
from hwrnn.ir.types import side_by_side

ELEMENTWISE = (Add, Sub, Mul, Requant, Lut)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """How the engine of a body is folded; what of it the datapaths depend on."""

    pe: int
    simd: int
    x_blocks: int
    pipeline: Pipeline = Pipeline.CLOCK


def compile_cell(name: str, body: Body, fold: Folded, results: Collection[str]) -> Cell:
    """Split a body into gates and datapaths. Raises DesignError naming what does not fit."""
    wanted = {*results, *(s.next for s in body.states)}
    body = replace(body, ops=tuple(needed_ops(body.ops, wanted)))
    parts = split(name, body, wanted)
    kept = kept_products(parts, wanted)
    vectors = ordered_vectors(kept.values(), body, parts)
    gates = tuple(gate(made, body.inputs[0], vectors) for made in kept.values())
    units = units_of(name, gates, body, parts.rest)
    read = wanted | {n for op in parts.rest for n in op.operands()}
    states = tuple(engine_state(s, vectors, read) for s in body.states)
    depth = sum_depth(fold, vectors, units, body.inputs[0].size)
    maker = PathMaker(fold=fold, units=units, depth=depth, gates=gates, body=body, rest=parts.rest)
    levels = 1 + max((v.level for v in vectors), default=0)
    hands = [
        maker.hand(tuple(v.value.name for v in vectors if v.level == k + 1))
        for k in range(levels - 1)
    ]
    hands.append(HandOver(datapath=maker.path(wanted)))
    return Cell(gates=gates, vectors=vectors, states=states, hands=tuple(hands))


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A sum of matrix products: for each operand, the matrix that multiplies it."""

    out: Value
    terms: dict[str, IntMatrix]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A body in two: sums of products, and element-wise ops. `levels`: how many vectors of the
    step itself stand in a row behind each value.
    """

    products: dict[str, Product]
    rest: list[AnyOp]
    levels: dict[str, int]


def split(name: str, body: Body, wanted: set[str]) -> Parts:
    """The sums of products, and the ops that are left; an Add of two of them is one itself.

    `wanted`: what the body is computed for.
    """
    outer = {body.inputs[0].name, *(s.value.name for s in body.states)}
    products = echo(body, wanted)
    rest: list[AnyOp] = []
    levels = dict.fromkeys(outer, 0)
    for op in body.ops:
        levels[op.out.name] = max((levels[n] for n in op.operands()), default=0)
        if isinstance(op, MatVec):
            levels[op.out.name] += op.x not in outer
            products[op.out.name] = Product(out=op.out, terms={op.x: op.weights})
        elif isinstance(op, Add) and op.a in products and op.b in products:
            products[op.out.name] = merged(op.out, products[op.a], products[op.b])
        elif isinstance(op, (*ELEMENTWISE, Const)):
            rest.append(op)
        else:
            raise DesignError(f"layer {name}", f"has a {type(op).__name__} in its step")
    return Parts(products=products, rest=rest, levels=levels)


def echo(body: Body, wanted: set[str]) -> dict[str, Product]:
    """The input read element by element: the product of the identity and x."""
    x = body.inputs[0]
    read = {n for op in body.ops if isinstance(op, ELEMENTWISE) for n in op.operands()}
    if x.name not in read | wanted:
        return {}
    identity = IntMatrix(np.eye(x.size, dtype=np.int64))
    return {x.name: Product(out=x, terms={x.name: identity})}


def merged(out: Value, a: Product, b: Product) -> Product:
    """The sum of two sums of products."""
    terms = dict(a.terms)
    for x, weights in b.terms.items():
        terms[x] = terms[x] + weights if x in terms else weights
    return Product(out=out, terms=terms)


def kept_products(parts: Parts, wanted: set[str]) -> dict[str, Product]:
    """The products that something reads: an element-wise op, a state, or another product."""
    read = wanted | {n for op in parts.rest for n in op.operands()}
    kept: dict[str, Product] = {}
    for name, made in reversed(parts.products.items()):
        if name in read:
            kept[name] = made
            read.update(made.terms.keys() - {name})
    return dict(reversed(kept.items()))


def ordered_vectors(products: Iterable[Product], body: Body, parts: Parts) -> tuple[Vector, ...]:
    """What is multiplied beside x: states first, then values of the step, level by level."""
    products = tuple(products)
    read = {x for made in products for x in made.terms} - {body.inputs[0].name}
    made = {op.out.name: op.out for op in parts.rest} | {p.out.name: p.out for p in products}
    found = [Vector(value=s.value, level=0) for s in body.states if s.value.name in read]
    inner = [Vector(value=v, level=parts.levels[n] + 1) for n, v in made.items() if n in read]
    return (*found, *sorted(inner, key=lambda v: v.level))


def gate(made: Product, x: Value, vectors: Sequence[Vector]) -> Gate:
    """One accumulator: the columns of x, then of each vector; 0 for what it does not read."""
    ports = [x, *(v.value for v in vectors)]
    columns = [made.terms.get(v.name, zeros(made.out.size, v.size)) for v in ports]
    low = high = 0
    for v, weights in zip(ports, columns, strict=True):
        reach = weights.range_of_product(IntType(min(v.type.lo, 0), max(v.type.hi, 0)))
        low, high = low + reach.lo, high + reach.hi
    value = Value(name=made.out.name, type=IntType(low, high), size=made.out.size)
    level = max((v.level for v in vectors if v.value.name in made.terms), default=0)
    return Gate(value=value, weights=side_by_side(columns), level=level)


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


def engine_state(s: State, vectors: Iterable[Vector], read: set[str]) -> EngineState:
    """A state, and by whom it is read: `read` holds what is read element by element."""
    return EngineState(
        value=s.value,
        initial=s.initial,
        next=s.next,
        recurrent=any(v.value.name == s.value.name for v in vectors),
        elementwise=s.value.name in read,
    )


def sum_depth(fold: Folded, vectors: tuple[Vector, ...], units: int, features: int) -> int:
    """Items since the last register where the sums leave the MAC array."""
    outer = sum(v.level == 0 for v in vectors)
    shared = outer > 0 and fold.simd >= features + outer * units
    several = len(vectors) > outer if shared else bool(vectors) or fold.x_blocks > 1
    return mac_registers(fold.simd, fold.pipeline, accumulates=several)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMaker:
    """Makes the datapaths of a body: for each, only the ops on which its results depend."""

    fold: Folded
    units: int
    depth: int
    gates: tuple[Gate, ...]
    body: Body
    rest: list[AnyOp]

    def hand(self, writes: tuple[str, ...]) -> HandOver:
        """The hand-over that computes vectors."""
        return HandOver(datapath=self.path(set(writes)), writes=writes)

    def path(self, results: set[str]) -> Datapath:
        """The datapath that computes `results`."""
        ops = needed_ops(self.rest, results)
        read = {n for op in ops for n in op.operands()} | results
        ports = tuple(g.value for g in self.gates if g.value.name in read)
        consts = tuple(op for op in ops if isinstance(op, Const))
        entering = {v.name: (0, self.depth) for v in ports}
        placed = place(
            [op for op in ops if not isinstance(op, Const)], entering, self.fold.pipeline
        )
        states = [s for s in self.body.states if s.value.name in read]
        stages = read_stages(states, placed, results)
        reads = tuple(StateRead(value=s.value, stage=stages[s.value.name]) for s in states)
        return Datapath(
            lanes=self.fold.pe,
            units=self.units,
            ports=ports,
            reads=reads,
            consts=consts,
            ops=tuple(placed),
        )


def needed_ops(ops: Sequence[AnyOp], results: set[str]) -> list[AnyOp]:
    """The ops on which results depend, in order."""
    needed = set(results)
    found = []
    for op in reversed(ops):
        if op.out.name in needed:
            needed.update(op.operands())
            found.append(op)
    return found[::-1]


def place(
    ops: Sequence[AnyOp], entering: dict[str, tuple[int, int]], pipeline: Pipeline
) -> list[PlacedOp]:
    """Every op at the first stage at which its operands are there.

    `entering`: the stage of each value that comes from outside, and the items since the last
    register there; constants and states come from registers.
    """
    there = dict(entering)
    placed = []
    for op in ops:
        known = [there[n] for n in op.operands() if n in there]
        stage = max((s for s, _ in known), default=0)
        depth = max((d for s, d in known if s == stage), default=0)
        after, depth = registers(items(op), depth, pipeline)
        placed.append(PlacedOp(op=op, stage=stage, registers=after, depth=depth))
        there[op.out.name] = (stage + sum(after), depth)
    return placed


def first_use(name: str, ops: Iterable[PlacedOp]) -> int:
    """The stage of the first op that reads a value."""
    return min((p.stage for p in ops if name in p.op.operands()), default=0)


def read_stages(
    states: Iterable[State], ops: Sequence[PlacedOp], results: set[str]
) -> dict[str, int]:
    """When each state is read: where it is first used, but not behind the stage at which its next
    value is written (which may be another state as it is read).
    """
    made = {p.op.out.name: p.stage + p.latency for p in ops}
    stages = {s.value.name: first_use(s.value.name, ops) for s in states}
    nexts = {s.value.name: s.next for s in states if s.next in results}
    for _ in nexts:  # a chain of states is at most so long
        for name, following in nexts.items():
            written = stages.get(following, made.get(following, 0))
            stages[name] = min(stages[name], written)
    return stages
