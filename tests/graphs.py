# SPDX-License-Identifier: Apache-2.0
"""Graphs made without torch: an LSTM on random integers, and a chain of layers around it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import exp, tanh

import numpy as np

from hwrnn.ir import (
    Add,
    AnyOp,
    Body,
    Concat,
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
    Value,
)
from hwrnn.transforms.pipeline import run_pipeline

SIGNED, UNSIGNED = IntType(-128, 127), IntType(0, 255)


@dataclass
class GraphMaker:
    """Adds layers one after the other; `graph()` gives the verified, realised graph."""

    features: int
    seed: int = 0
    x_type: IntType = SIGNED
    ops: list[AnyOp] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.at = Value(name="x", type=self.x_type, size=self.features, sequence=True)
        quantiser = Quantiser(scale=(Fraction(1, 64),), type=self.x_type)
        self.ops.append(
            Input(out=self.at, quantiser=quantiser, axes=("B", "T", "F"), example_steps=8)
        )

    def weights(self, rows: int, columns: int, top: int = 7) -> IntMatrix:
        """A random matrix."""
        return IntMatrix(self.rng.integers(-top, top + 1, (rows, columns)))

    def lstm(self, units: int, name: str = "lstm", *, float_scales: bool = False) -> GraphMaker:
        """An LSTM layer, with power-of-two or awkward ratios."""
        x = Value(name=f"{name}_x", type=self.at.type, size=self.at.size)
        h = Value(name=f"{name}_h", type=SIGNED, size=units)
        c = Value(name=f"{name}_c", type=SIGNED, size=units)
        fudge = Fraction(127, 113) if float_scales else Fraction(1)
        ops: list[AnyOp] = []

        def add(op_type: type, wish: str, t: IntType, **fields: object) -> Value:
            v = Value(name=f"{name}_{wish}", type=t, size=units)
            ops.append(op_type(out=v, **fields))
            return v

        def requant(wish: str, source: Value, ratio: Fraction, offset: bool = False) -> Value:
            shift = Fraction(int(self.rng.integers(-40, 40)), 8) if offset else Fraction(0)
            fields = {"x": source.name, "ratio": (ratio * fudge,), "offset": (shift,)}
            return add(Requant, wish, SIGNED, **fields)

        def gate(wish: str, function: str) -> Value:
            w_x, w_h = self.weights(units, x.size), self.weights(units, units)
            reach = (w_x.range_of_product(x.type), w_h.range_of_product(h.type))
            a = add(MatVec, f"{wish}_x", reach[0], x=x.name, weights=w_x)
            b = add(MatVec, f"{wish}_h", reach[1], x=h.name, weights=w_h)
            total = IntType(reach[0].lo + reach[1].lo, reach[0].hi + reach[1].hi)
            acc = add(Add, f"{wish}_acc", total, a=a.name, b=b.name)
            q = requant(f"{wish}_q", acc, Fraction(1, 32), offset=True)
            out = UNSIGNED if function == "sigmoid" else SIGNED
            return add(Lut, wish, out, x=q.name, table=table(function, out))

        def product(wish: str, a: Value, b: Value, shift: int) -> Value:
            ends = [p * q for p in (a.type.lo, a.type.hi) for q in (b.type.lo, b.type.hi)]
            raw = add(Mul, f"{wish}_raw", IntType(min(ends), max(ends)), a=a.name, b=b.name)
            return requant(wish, raw, Fraction(1, 2**shift))

        i, f, o = gate("i", "sigmoid"), gate("f", "sigmoid"), gate("o", "sigmoid")
        g = gate("g", "tanh")
        kept, added = product("kept", f, c, 8), product("added", i, g, 8)
        raw = add(Add, "c_raw", IntType(-256, 254), a=kept.name, b=added.name)
        c_next = requant("c_next", raw, Fraction(1))
        c_tanh = add(Lut, "c_tanh", SIGNED, x=c_next.name, table=table("tanh", SIGNED))
        h_next = product("h_next", o, c_tanh, 8)
        zeros = (0,) * units
        states = (
            State(value=h, initial=zeros, next=h_next.name),
            State(value=c, initial=zeros, next=c_next.name),
        )
        out = Value(name=name, type=SIGNED, size=units, sequence=True)
        body = Body(inputs=(x,), states=states, ops=tuple(ops))
        outs = (ScanOutput(out=out, body_value=h_next.name),)
        self.ops.append(Scan(xs=(self.at.name,), body=body, outs=outs))
        self.at = out
        return self

    def bidirectional(self, units: int, name: str = "lstm") -> GraphMaker:
        """Two LSTM layers, one of which runs on the reversed sequence, and both side by side."""
        x = self.at
        forward = self.lstm(units, f"{name}_fw").at
        back = replace(x, name=f"{name}_x_back")
        self.ops.append(Reverse(out=back, x=x.name))
        self.at = back
        backward = self.lstm(units, f"{name}_bw").at
        turned = replace(backward, name=f"{name}_turned")
        self.ops.append(Reverse(out=turned, x=backward.name))
        both = Value(name=name, type=SIGNED, size=2 * units, sequence=True)
        self.ops.append(Concat(out=both, xs=(forward.name, turned.name)))
        self.at = both
        return self

    def select(self, step: Step = Step.LAST) -> GraphMaker:
        """One step of the sequence."""
        out = Value(name=f"{self.at.name}_{step.value}", type=self.at.type, size=self.at.size)
        self.ops.append(Select(out=out, x=self.at.name, step=step))
        self.at = out
        return self

    def dense(self, rows: int, name: str = "fc", *, quantised: bool = False) -> GraphMaker:
        """A dense layer, with a requantiser behind it if asked."""
        w = self.weights(rows, self.at.size)
        sequence = self.at.sequence
        t = w.range_of_product(self.at.type)
        out = Value(name=name, type=t, size=rows, sequence=sequence)
        self.ops.append(MatVec(out=out, x=self.at.name, weights=w))
        self.at = out
        if quantised:
            q = Value(name=f"{name}_q", type=SIGNED, size=rows, sequence=sequence)
            offset = tuple(Fraction(int(v), 8) for v in self.rng.integers(-9, 9, rows))
            self.ops.append(Requant(out=q, x=name, ratio=(Fraction(1, 16),), offset=offset))
            self.at = q
        return self

    def graph(self, name: str = "net") -> Graph:
        """The whole graph, lowered for the engines."""
        out = Value(name="y", type=self.at.type, size=self.at.size, sequence=self.at.sequence)
        axes = ("B", "T", "F") if out.sequence else ("B", "F")
        grid = OutputGrid(scale=(Fraction(1, 128),))
        ops = (*self.ops, Output(out=out, x=self.at.name, grid=grid, axes=axes))
        return run_pipeline(Graph(name=name, ops=ops))


def table(function: str, out: IntType) -> tuple[int, ...]:
    """A table for tests: rounded floats will do."""
    if function == "sigmoid":
        return tuple(out.clamp(round(256 / (1 + exp(-q / 32)))) for q in range(-128, 128))
    return tuple(out.clamp(round(128 * tanh(q / 32))) for q in range(-128, 128))
