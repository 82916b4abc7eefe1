# SPDX-License-Identifier: Apache-2.0
"""The plan of every op: which number types hold its values, and which way of computing is exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hwrnn.cmodel.around import AroundPlan
from hwrnn.cmodel.carriers import Dtype, byte, carrier
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
from hwrnn.cmodel.requantisers import Job, choose, float_rule
from hwrnn.cmodel.rules import Rule
from hwrnn.ir import (
    Add,
    AnyOp,
    ArgMax,
    Concat,
    Const,
    Embed,
    Flatten,
    Input,
    IntType,
    Lut,
    MatVec,
    Max,
    Mul,
    Output,
    Pool,
    Reduce,
    Repeat,
    Requant,
    Reverse,
    Scan,
    Select,
    Slice,
    Sub,
    Value,
    Window,
)

PLANS: dict[type, Callable[..., Plan]] = {
    ArgMax: AroundPlan,
    Concat: ConcatPlan,
    Const: ConstPlan,
    Embed: AroundPlan,
    Flatten: FlattenPlan,
    Pool: AroundPlan,
    Reduce: AroundPlan,
    Repeat: AroundPlan,
    Window: AroundPlan,
}


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
            case Scan():
                return self.scan(op)
            case Input() | Select() | Slice() | Reverse() | Output():
                return self.view(op)
            case Requant():
                return self.requant(op)
            case Lut():
                return self.table(op)
            case Add() | Sub() | Mul() | Max():
                t = op.out.type.hull(self.types[op.a]).hull(self.types[op.b])
                return PairPlan(op=op, dtype=self.note(op, carrier(t)))
        kind = PLANS.get(type(op))
        if kind is None:
            raise NotImplementedError(f"the C-model has no rule for {type(op).__name__}")
        return kind(op=op, dtype=self.note(op, carrier(op.out.type)))

    def view(self, op: Input | Select | Slice | Reverse | Output) -> Plan:
        """What only looks at its operand."""
        if isinstance(op, Input):
            self.dtypes[op.out.name] = carrier(op.out.type)
            return ViewPlan(op=op, x=op.out.name)
        self.dtypes[op.out.name] = self.dtypes[op.x]
        return ViewPlan(op=op, x=op.x)

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
