# SPDX-License-Identifier: Apache-2.0
"""How each op becomes calls on arrays: a plan says how, `bind` says on which arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from hwrnn.cmodel.carriers import (
    LONG,
    Array,
    Call,
    Dtype,
    Room,
    byte,
    carrier,
)
from hwrnn.cmodel.rules import Rule, copy
from hwrnn.ir import (
    Add,
    Concat,
    Const,
    Flatten,
    Input,
    IntType,
    Lut,
    Max,
    Mul,
    Output,
    Requant,
    Reverse,
    Scan,
    Select,
    Slice,
    Step,
    Sub,
)

PAIRS = {Add: np.add, Max: np.maximum, Mul: np.multiply, Sub: np.subtract}


class Plan(Protocol):
    """An op, ready to be bound to arrays."""

    def bind(self, room: Room) -> list[Call]:
        """Make the arrays of the results; the calls that fill them."""
        ...


@dataclass(frozen=True, slots=True)
class Program:
    """Plans in order, each with the values that nothing reads after it."""

    steps: tuple[tuple[Plan, tuple[str, ...]], ...]

    def bind(self, room: Room) -> list[Call]:
        """The calls of all plans."""
        calls: list[Call] = []
        for plan, done in self.steps:
            calls += plan.bind(room)
            for name in done:
                room.release(name)
        return calls


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """Add, Sub, Mul or Max, in a type that holds both operands and the result."""

    op: Add | Sub | Mul | Max
    dtype: Dtype

    def bind(self, room: Room) -> list[Call]:
        a, b = room.values[self.op.a], room.values[self.op.b]
        out = room.make(self.op.out, self.dtype)
        ufunc = PAIRS[type(self.op)]
        if a.dtype == b.dtype == self.dtype:
            return [partial(ufunc, a, b, out=out)]
        return [partial(ufunc, a, b, out=out, dtype=self.dtype, casting="unsafe")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequantPlan:
    """A Requant by the rule that was chosen for it."""

    op: Requant
    dtype: Dtype
    rule: Rule

    def bind(self, room: Room) -> list[Call]:
        return self.rule.bind(room.values[self.op.x], room.make(self.op.out, self.dtype), room)


@dataclass(frozen=True, slots=True, kw_only=True)
class BytePlan:
    """A table with bytes on both sides, by bytearray.translate."""

    op: Lut
    x: IntType
    entry: Dtype
    dtype: Dtype

    def bind(self, room: Room) -> list[Call]:
        x, out = room.values[self.op.x], room.make(self.op.out, self.dtype)
        memory, calls = room.bytes_of(self.op.x), []
        if memory is None:
            memory, view = room.bytes_for(x)
            calls = [copy(view, x)]
        entries = np.array(self.op.table, LONG)
        table = np.zeros(256, np.uint8)
        table[np.arange(self.x.lo, self.x.hi + 1) & 255] = entries & 255
        return [*calls, partial(translate, memory, table.tobytes(), self.entry, out.reshape(-1))]


def translate(memory: bytearray, table: bytes, entry: Dtype, out: Array) -> None:
    """Fill `out` with table[memory]."""
    np.copyto(out, np.frombuffer(memory.translate(table), entry), "unsafe")


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """A table of any size, by indices."""

    op: Lut
    low: int
    dtype: Dtype

    def bind(self, room: Room) -> list[Call]:
        x, out = room.values[self.op.x], room.make(self.op.out, self.dtype)
        index, low = room.scratch(x, LONG), np.array(self.low, LONG)
        table = np.array(self.op.table, self.dtype)
        return [
            copy(index, x),
            partial(np.subtract, index, low, index),
            partial(np.take, table, index, None, out, "clip"),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcatPlan:
    """A Concat."""

    op: Concat
    dtype: Dtype

    def bind(self, room: Room) -> list[Call]:
        out, at = room.make(self.op.out, self.dtype), 0
        calls: list[Call] = []
        for name in self.op.xs:
            x = room.values[name]
            calls.append(copy(out[..., at : at + x.shape[-2], :], x))
            at += x.shape[-2]
        return calls


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstPlan:
    """A Const: filled when it is bound."""

    op: Const
    dtype: Dtype

    def bind(self, room: Room) -> list[Call]:
        values = np.array(self.op.values, LONG)[:, None]
        room.stay(self.op.out, self.dtype)[...] = values
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenPlan:
    """A Flatten: a copy, because not every sequence lies in one piece."""

    op: Flatten
    dtype: Dtype

    def bind(self, room: Room) -> list[Call]:
        x, out = room.values[self.op.x], room.make(self.op.out, self.dtype)
        return [copy(out.reshape(x.shape), x)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPlan:
    """An op that only looks at its operand in another way."""

    op: Input | Select | Slice | Reverse | Output
    x: str

    def bind(self, room: Room) -> list[Call]:
        room.values[self.op.out.name] = viewed(self.op, room.values[self.x])
        return []


def viewed(op: Input | Select | Slice | Reverse | Output, x: Array) -> Array:
    """The view; a sequence is (steps, elements, batch)."""
    match op:
        case Select():
            return np.asarray(x[-1] if op.step is Step.LAST else x[0])
        case Slice():
            return x[..., op.start : op.start + op.out.size, :]
        case Reverse():
            return x[::-1]
        case _:
            return x


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPlan:
    """A Scan: the plans of its body, in a room of their own, run once a step."""

    op: Scan
    program: Program
    dtypes: Mapping[str, Dtype]
    adopted: frozenset[str]

    def bind(self, room: Room) -> list[Call]:
        inner, body = Room(room.batch, {}), self.op.body
        for v in [*body.inputs, *(s.value for s in body.states)]:
            if v.name not in self.adopted:
                inner.stay(v, self.dtypes[v.name])
        calls = self.program.bind(inner)
        start = []
        for s in body.states:
            constant = np.array(s.initial, LONG)[:, None]
            first = constant if s.start is None else room.values[s.start]
            start.append(partial(np.copyto, inner.values[s.value.name], first, "unsafe"))
        loads = [
            (inner.values[v.name], room.values[x])
            for v, x in zip(body.inputs, self.op.xs, strict=True)
        ]
        stores = [
            (room.make(o.out, stored(o.out.type)), inner.values[o.body_value]) for o in self.op.outs
        ]
        walk = Walk(tuple(start), tuple(loads), tuple(calls), tuple(stores), self.update(inner))
        return [partial(walk.run, room.steps[self.op.xs[0]])]

    def update(self, inner: Room) -> tuple[Call, ...]:
        """Every state takes its next value; one that is itself a state is put aside first."""
        states = [inner.values[s.value.name] for s in self.op.body.states]
        aside: list[Call] = []
        moves: list[Call] = []
        for state, s in zip(states, self.op.body.states, strict=True):
            after = inner.values[s.next]
            if any(np.may_share_memory(after, other) for other in states):
                kept = after.copy()
                aside.append(copy(kept, after))
                after = kept
            moves.append(copy(state, after))
        return (*aside, *moves)


def stored(t: IntType) -> Dtype:
    """How a sequence is kept: as small as it can be."""
    return byte(t) or carrier(t)


@dataclass(frozen=True, slots=True)
class Walk:
    """A bound Scan."""

    start: tuple[Call, ...]
    loads: tuple[tuple[Array, Array], ...]
    calls: tuple[Call, ...]
    stores: tuple[tuple[Array, Array], ...]
    update: tuple[Call, ...]

    def run(self, steps: int) -> None:
        """All steps."""
        for call in self.start:
            call()
        for t in range(steps):
            for port, x in self.loads:
                np.copyto(port, x[t], "unsafe")
            for call in self.calls:
                call()
            for out, value in self.stores:
                np.copyto(out[t], value, "unsafe")
            for call in self.update:
                call()
