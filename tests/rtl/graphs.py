# SPDX-License-Identifier: Apache-2.0
"""Random integer graphs for tests of the hardware: cells, dense layers, and what joins them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from hwrnn.ir import (
    Add,
    AnyOp,
    Body,
    Concat,
    Flatten,
    Graph,
    Input,
    IntMatrix,
    IntType,
    Lut,
    MatVec,
    Mul,
    Output,
    OutputGrid,
    Quantiser,
    Requant,
    Reverse,
    Scan,
    ScanOutput,
    Select,
    State,
    Step,
    Sub,
    Value,
)
from hwrnn.ir.types import of_bits
from hwrnn.transforms.realise import realise_requants

ONE = (Fraction(1),)
AXES = ("B", "T", "F")


class Build:
    """Appends ops one by one; every value has a name of its own."""

    def __init__(self, seed: int, *, power_of_two: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.power_of_two = power_of_two
        self.ops: list[AnyOp] = []
        self.count = 0

    def name(self, hint: str) -> str:
        self.count += 1
        return f"{hint}{self.count}"

    def matrix(self, rows: int, columns: int, bits: int) -> IntMatrix:
        t = of_bits(bits, signed=True)
        return IntMatrix(self.rng.integers(t.lo, t.hi + 1, (rows, columns)))

    def matvec(self, ops: list[AnyOp], x: Value, rows: int, bits: int) -> Value:
        weights = self.matrix(rows, x.size, bits)
        reach = weights.range_of_product(x.type)
        out = Value(name=self.name("m"), type=reach, size=rows, sequence=x.sequence)
        ops.append(MatVec(out=out, x=x.name, weights=weights))
        return out

    def pair(self, kind: type[Add | Mul | Sub], ops: list[AnyOp], a: Value, b: Value) -> Value:
        trial = kind(out=a, a=a.name, b=b.name)
        out = Value(
            name=self.name("s"), type=trial.reach(a.type, b.type), size=a.size, sequence=a.sequence
        )
        ops.append(kind(out=out, a=a.name, b=b.name))
        return out

    def requant(
        self, ops: list[AnyOp], x: Value, to: IntType, *, channels: bool = False, gain: float = 2
    ) -> Value:
        n = x.size if channels else 1
        span = gain * to.levels / x.type.levels
        ratios, offsets = [], []
        for _ in range(n):
            exact = Fraction(float(np.float32(span * self.rng.uniform(0.5, 1.5))))
            if self.power_of_two:
                exact = Fraction(2) ** round(math.log2(exact))
            ratios.append(exact)
            offsets.append(Fraction(int(self.rng.integers(-64, 64)), 16))
        out = Value(name=self.name("q"), type=to, size=x.size, sequence=x.sequence)
        ops.append(Requant(out=out, x=x.name, ratio=tuple(ratios), offset=tuple(offsets)))
        return out

    def lut(self, ops: list[AnyOp], x: Value, to: IntType) -> Value:
        rise = np.sort(self.rng.integers(to.lo, to.hi + 1, x.type.levels))
        out = Value(name=self.name("t"), type=to, size=x.size, sequence=x.sequence)
        ops.append(Lut(out=out, x=x.name, table=tuple(int(v) for v in rise)))
        return out

    def input(self, features: int, t: IntType) -> Value:
        out = Value(name="x", type=t, size=features, sequence=True)
        quantiser = Quantiser(scale=ONE, type=t)
        self.ops.append(Input(out=out, quantiser=quantiser, axes=AXES))
        return out

    def lstm(
        self, x: Value, units: int, w: int = 4, a: int = 6, *, channels: bool = False
    ) -> Value:
        ops: list[AnyOp] = []
        act, gate = of_bits(a, signed=True), of_bits(a, signed=False)
        x_t = Value(name=self.name("xt"), type=x.type, size=x.size)
        h = Value(name=self.name("h"), type=act, size=units)
        c = Value(name=self.name("c"), type=act, size=units)
        gates = []
        for k in range(4):
            total = self.pair(
                Add, ops, self.matvec(ops, x_t, units, w), self.matvec(ops, h, units, w)
            )
            q = self.requant(ops, total, act, channels=channels)
            gates.append(self.lut(ops, q, act if k == 2 else gate))
        i, f, g, o = gates
        kept = self.requant(ops, self.pair(Mul, ops, f, c), act)
        new = self.requant(ops, self.pair(Mul, ops, i, g), act)
        c_next = self.requant(ops, self.pair(Add, ops, kept, new), act)
        h_next = self.requant(ops, self.pair(Mul, ops, o, self.lut(ops, c_next, act)), act)
        draw = self.rng.integers(act.lo, act.hi + 1, (2, units))
        states = (
            State(value=h, initial=tuple(int(v) for v in draw[0]), next=h_next.name),
            State(value=c, initial=tuple(int(v) for v in draw[1]), next=c_next.name),
        )
        return self.scan(x, Body(inputs=(x_t,), states=states, ops=tuple(ops)), h_next)

    def rnn(self, x: Value, units: int, w: int = 3, a: int = 4, *, diagonal: bool = False) -> Value:
        """h' = table(requant(W x + U h)), or with h added unit by unit (`diagonal`)."""
        ops: list[AnyOp] = []
        act = of_bits(a, signed=True)
        x_t = Value(name=self.name("xt"), type=x.type, size=x.size)
        h = Value(name=self.name("h"), type=act, size=units)
        made = self.matvec(ops, x_t, units, w)
        total = self.pair(Add, ops, made, h if diagonal else self.matvec(ops, h, units, w))
        h_next = self.lut(ops, self.requant(ops, total, act), act)
        zero = State(value=h, initial=(0,) * units, next=h_next.name)
        return self.scan(x, Body(inputs=(x_t,), states=(zero,), ops=tuple(ops)), h_next)

    def scan(self, x: Value, body: Body, result: Value) -> Value:
        name = self.name("layer")
        out = Value(name=name, type=result.type, size=result.size, sequence=True)
        self.ops.append(
            Scan(xs=(x.name,), body=body, outs=(ScanOutput(out=out, body_value=result.name),))
        )
        return out

    def dense(self, x: Value, rows: int, w: int = 4, to: IntType | None = None) -> Value:
        made = self.matvec(self.ops, x, rows, w)
        return made if to is None else self.requant(self.ops, made, to)

    def select(self, x: Value, step: Step = Step.LAST) -> Value:
        out = Value(name=self.name("pick"), type=x.type, size=x.size)
        self.ops.append(Select(out=out, x=x.name, step=step))
        return out

    def reverse(self, x: Value) -> Value:
        out = Value(name=self.name("back"), type=x.type, size=x.size, sequence=True)
        self.ops.append(Reverse(out=out, x=x.name))
        return out

    def concat(self, *xs: Value) -> Value:
        t = xs[0].type
        for x in xs[1:]:
            t = t.hull(x.type)
        size = sum(x.size for x in xs)
        out = Value(name=self.name("both"), type=t, size=size, sequence=xs[0].sequence)
        self.ops.append(Concat(out=out, xs=tuple(x.name for x in xs)))
        return out

    def flatten(self, x: Value, steps: int) -> Value:
        out = Value(name=self.name("flat"), type=x.type, size=x.size * steps)
        self.ops.append(Flatten(out=out, x=x.name, steps=steps))
        return out

    def bidirectional(self, x: Value, units: int) -> Value:
        back = self.reverse(self.lstm(self.reverse(x), units))
        return self.concat(self.lstm(x, units), back)

    def graph(self, result: Value, name: str = "net") -> Graph:
        out = Value(name="y", type=result.type, size=result.size, sequence=result.sequence)
        grid = OutputGrid(scale=ONE)
        axes = AXES if result.sequence else ("B", "F")
        self.ops.append(Output(out=out, x=result.name, grid=grid, axes=axes))
        return realise_requants(Graph(name=name, ops=tuple(self.ops))).verify()
