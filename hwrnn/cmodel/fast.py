# SPDX-License-Identifier: Apache-2.0
"""The Python C-model: the integer graph as a list of array operations, exact and fast.

A graph is compiled once: each op gets a way of computing it that is proved exact for the ranges
of its operands. For a batch the ops are bound to arrays, and what remains is a list of calls
without arguments, which is run once for each step of a Scan, and once for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from threading import Lock

import numpy as np

from hwrnn.cmodel.carriers import Dtype, Ints, Room, byte, carrier
from hwrnn.cmodel.plans import (
    BytePlan,
    ConcatPlan,
    ConstPlan,
    FlattenPlan,
    PairPlan,
    Plan,
    Program,
    RequantPlan,
    ScanPlan,
    TablePlan,
    ViewPlan,
    stored,
)
from hwrnn.cmodel.products import Gemm, Product, find_products, stacks
from hwrnn.cmodel.requantisers import Job, Rule, choose, float_rule
from hwrnn.errors import DataError
from hwrnn.ir import (
    Add,
    AnyOp,
    Concat,
    Const,
    Flatten,
    Graph,
    Input,
    IntType,
    Lut,
    MatVec,
    Mul,
    Output,
    Requant,
    Reverse,
    Scan,
    Select,
    Slice,
    Sub,
    Value,
)

CHUNK = 1 << 17  # elements of the largest array of a step: more would leave the cache
SEQUENCE = 1 << 24  # elements of the largest sequence
GRAPHS, SHAPES = 4, 3  # how many are remembered


def compile_graph(g: Graph) -> Compiled:
    """The graph, ready to run; the last few graphs are remembered.

    The graph's Requants have their realisations (`run_pipeline` has seen it).
    """
    return _compiled(_Same(g))


class _Same:
    """A graph that equals itself only: to look through all of its weights would take too long."""

    __slots__ = ("graph",)

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.graph is other.graph

    def __hash__(self) -> int:
        return id(self.graph)


@lru_cache(maxsize=GRAPHS)
def _compiled(same: _Same) -> Compiled:
    return Compiled(same.graph)


class Compiled:
    """A compiled graph. One run at a time: a second thread waits, since the arrays are shared."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        made = Compiler(graph.ops, [], set()).compile()
        self.program, self.dtypes, self.rows = made.program(), made.dtypes, made.rows
        self.width = max((v.size for v in graph.scope().values() if v.sequence), default=1)
        self.bound: dict[tuple[int, int], Bound] = {}
        self.lock = Lock()

    def run(self, inputs: Mapping[str, Ints]) -> dict[str, Ints]:
        """The integers of every Output, by name.

        inputs: for each Input op integers of its range, (steps, batch, features), or
        (batch, features) for a vector. Gives int64 arrays of the same two kinds. Raises
        DataError for a shape or an integer that does not fit.
        """
        steps, batch = check(self.graph, inputs)
        results = {
            o.out.name: np.empty(
                (steps, batch, o.out.size) if o.out.sequence else (batch, o.out.size), np.int64
            )
            for o in self.graph.outputs
        }
        with self.lock:
            for part in self.parts(steps, batch):
                bound = self.bind(steps, part.stop - part.start)
                bound.run(
                    {name: x[..., part, :] for name, x in inputs.items()},
                    {name: y[..., part, :] for name, y in results.items()},
                )
        return results

    def parts(self, steps: int, batch: int) -> list[slice]:
        """The batch in pieces of nearly equal size whose arrays stay in the cache."""
        most = max(1, min(CHUNK // self.rows, SEQUENCE // (steps * self.width)))
        pieces = -(-batch // most)
        edges = [batch * k // pieces for k in range(pieces + 1)] if pieces else []
        return [slice(a, b) for a, b in pairwise(edges)]

    def bind(self, steps: int, batch: int) -> Bound:
        """Arrays for this shape; the last few shapes are remembered."""
        found = self.bound.pop((steps, batch), None) or Bound(self, steps, batch)
        self.bound[steps, batch] = found
        while len(self.bound) > SHAPES:
            del self.bound[next(iter(self.bound))]
        return found


class Bound:
    """A graph bound to the arrays of one shape."""

    def __init__(self, model: Compiled, steps: int, batch: int) -> None:
        self.room = Room(batch, steps)
        for op in model.graph.inputs:
            self.room.make(op.out, model.dtypes[op.out.name])
        self.calls = model.program.bind(self.room)

    def run(self, inputs: Mapping[str, Ints], results: Mapping[str, Ints]) -> None:
        """Fill `results`, (.., batch, features), from `inputs`."""
        values = self.room.values
        for name, x in inputs.items():
            np.copyto(values[name], np.swapaxes(x, -1, -2), "unsafe")
        for call in self.calls:
            call()
        for name, y in results.items():
            np.copyto(y, np.swapaxes(values[name], -1, -2), "unsafe")


def check(graph: Graph, inputs: Mapping[str, Ints]) -> tuple[int, int]:
    """The steps (1 if there is no sequence) and the batch of the inputs."""
    steps: set[int] = set()
    batch: set[int] = set()
    for op in graph.inputs:
        v = op.out
        place = f'input "{v.name}"'
        if v.name not in inputs:
            raise DataError(place, "is missing")
        x = inputs[v.name]
        if x.ndim != 2 + v.sequence or x.shape[-1] != v.size or x.dtype.kind not in "iu":
            raise DataError(place, f"is {x.dtype} of shape {x.shape}, which does not fit {v}")
        if x.size and not v.type.covers(IntType(int(x.min()), int(x.max()))):
            raise DataError(place, f"holds {int(x.min())}..{int(x.max())}; its range is {v.type}")
        batch.add(x.shape[-2])
        steps |= {x.shape[0]} if v.sequence else set()
    steps |= {op.steps for op in graph.ops if isinstance(op, Flatten)}
    if len(batch) != 1 or len(steps) > 1 or 0 in steps:
        fact = f"its inputs have {sorted(batch)} sequences of {sorted(steps)} steps"
        raise DataError(graph.name, fact)
    return (steps or {1}).pop(), batch.pop()


class Compiler:
    """Plans for the ops of a graph, or of a body, in order; `dtypes` are those of the arrays.

    `kept` are the values that are read from outside.
    """

    def __init__(self, ops: Sequence[AnyOp], ports: Sequence[Value], kept: set[str]) -> None:
        self.ops = ops
        self.values = {v.name: v for v in [*ports, *(v for op in ops for v in op.outputs())]}
        self.types = {name: v.type for name, v in self.values.items()}
        self.dtypes = {v.name: carrier(v.type) for v in ports}
        self.for_tables = tables_only(ops) - kept
        self.products, self.absorbed = find_products(ops, self.types, kept)
        self.rules: dict[str, Rule] = {}
        self.rows = max((v.size for v in self.values.values()), default=1)
        self.kept = kept
        self.plans: list[tuple[Plan, tuple[str, ...]]] = []  # with what each reads
        self.adopted = self.adoptable({v.name for v in ports} - kept)

    def compile(self) -> Compiler:
        """Plan every op; a stack of products takes the place of the first of them."""
        self.products = {name: self.settled(p) for name, p in self.products.items()}
        heads = {g.products[0].out.name: g for g in stacks(self.products.values(), self.values)}
        for op in self.ops:
            name = op.out.name
            if name in heads:
                self.stack(heads[name])
            elif name not in self.products and name not in self.absorbed:
                self.plans.append((self.plan(op), op.operands()))
        return self

    def program(self) -> Program:
        """The plans, each with the values whose last reader it is."""
        last: dict[str, int] = {}
        for k, (_, names) in enumerate(self.plans):
            last |= dict.fromkeys(names, k)
        for plan, _ in reversed(self.plans):
            if isinstance(plan, ViewPlan):  # to read a view is to read what it shows
                end = last.get(plan.op.out.name, len(self.plans))
                last[plan.x] = max(last.get(plan.x, 0), end)
        for name in self.kept:
            last[name] = len(self.plans)
        done: list[list[str]] = [[] for _ in range(len(self.plans) + 1)]
        for name, k in last.items():
            done[k].append(name)
        return Program(
            tuple((plan, tuple(d)) for (plan, _), d in zip(self.plans, done, strict=False))
        )

    def adoptable(self, ports: set[str]) -> frozenset[str]:
        """The ports that only one stack of products reads."""
        readers: dict[str, set[object]] = {name: set() for name in ports}
        parts = {x for p in self.products.values() for x in p.sources}
        for p in self.products.values():
            for name in ports & set(p.sources):
                readers[name].add((p.sources, p.dtype))
        for op in self.ops:
            if not isinstance(op, MatVec):
                for name in ports & set(op.operands()):
                    readers[name].add(op.out.name)
        return frozenset(n for n, found in readers.items() if len(found) == 1 and n in parts)

    def settled(self, p: Product) -> Product:
        """The product with its shift if the requantiser behind it can do with that."""
        if p.shift is None or p.reader is None:
            return p
        job = Job(
            op=p.reader,
            x=p.out.type,
            x_dtype=p.dtype,
            out_dtype=self.storage(p.reader),
            shift=p.shift,
            own=True,
        )
        rule = float_rule(job)
        if rule is None or (rule.add is not None and len(rule.add) > 1):
            return replace(p, shift=None)
        self.rules[p.reader.out.name] = rule
        return p

    def storage(self, op: Requant) -> Dtype:
        """What only tables read is stored in bytes, if it fits."""
        small = byte(op.out.type) if op.out.name in self.for_tables else None
        return small or carrier(op.out.type)

    def stack(self, gemm: Gemm) -> None:
        """The plan of several products."""
        names = frozenset(gemm.products[0].sources) & self.adopted
        self.plans.append((replace(gemm, adopted=names), gemm.products[0].sources))
        self.rows = max(self.rows, len(gemm.matrix))
        self.dtypes |= {p.out.name: p.dtype for p in gemm.products}

    def plan(self, op: AnyOp) -> Plan:
        """The plan of one op that is no product."""
        match op:
            case Input():
                self.dtypes[op.out.name] = carrier(op.out.type)
                return ViewPlan(op=op, x=op.out.name)
            case Scan():
                return self.scan(op)
            case Select() | Slice() | Reverse() | Output():
                self.dtypes[op.out.name] = self.dtypes[op.x]
                return ViewPlan(op=op, x=op.x)
            case Requant():
                return self.requant(op)
            case Lut():
                return self.table(op)
            case Add() | Sub() | Mul():
                t = op.out.type.hull(self.types[op.a]).hull(self.types[op.b])
                return PairPlan(op=op, dtype=self.note(op, carrier(t)))
            case Concat():
                return ConcatPlan(op=op, dtype=self.note(op, carrier(op.out.type)))
            case Const():
                return ConstPlan(op=op, dtype=self.note(op, carrier(op.out.type)))
            case Flatten():
                return FlattenPlan(op=op, dtype=self.note(op, carrier(op.out.type)))
        raise NotImplementedError(f"the C-model has no rule for {type(op).__name__}")

    def note(self, op: AnyOp, dtype: Dtype) -> Dtype:
        """Note the type of an op's array."""
        self.dtypes[op.out.name] = dtype
        return dtype

    def requant(self, op: Requant) -> Plan:
        """By the first rule that is exact."""
        dtype = self.note(op, self.storage(op))
        if op.out.name in self.rules:
            return RequantPlan(op=op, dtype=dtype, rule=self.rules[op.out.name])
        made_by = self.products.get(op.x)
        job = Job(
            op=op,
            x=self.types[op.x],
            x_dtype=self.dtypes[op.x],
            out_dtype=dtype,
            folded=made_by is not None and made_by.scale is not None,
            own=made_by is not None and made_by.reader is not None,
        )
        return RequantPlan(op=op, dtype=dtype, rule=choose(job))

    def table(self, op: Lut) -> Plan:
        """By bytes if the range of the operand and all entries are, else by indices."""
        x, dtype = self.types[op.x], self.note(op, carrier(op.out.type))
        entry = byte(IntType(min(op.table), max(op.table)))
        if entry is None or byte(x) is None:
            return TablePlan(op=op, low=x.lo, dtype=dtype)
        return BytePlan(op=op, x=x, entry=entry, dtype=dtype)

    def scan(self, op: Scan) -> Plan:
        """The body's plans."""
        body = op.body
        kept = {s.next for s in body.states} | {o.body_value for o in op.outs}
        ports = [*body.inputs, *(s.value for s in body.states)]
        inner = Compiler(body.ops, ports, kept).compile()
        self.rows = max(self.rows, inner.rows)
        self.dtypes |= {o.out.name: stored(o.out.type) for o in op.outs}
        return ScanPlan(op=op, program=inner.program(), dtypes=inner.dtypes, adopted=inner.adopted)


def tables_only(ops: Sequence[AnyOp]) -> set[str]:
    """The values that Luts read, and no other op does."""
    tables = {name for op in ops if isinstance(op, Lut) for name in op.operands()}
    return tables - {n for op in ops if not isinstance(op, Lut) for n in op.operands()}
