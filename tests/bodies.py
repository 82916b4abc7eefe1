# SPDX-License-Identifier: Apache-2.0
"""Bodies of cells made op by op, without torch: a GRU in both forms, a leaky layer, random ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from graphs import SIGNED, UNSIGNED, table

from hwrnn.ir import (
    Add,
    AnyOp,
    Body,
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
    Scan,
    ScanOutput,
    State,
    Sub,
    Value,
)
from hwrnn.transforms.pipeline import run_pipeline


class BodyMaker:
    """Adds ops to a body of `units` units with states h0, h1, ..; `graph()` puts it in a layer."""

    def __init__(self, inputs: int, units: int, *, states: int = 1, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.units = units
        self.ops: list[AnyOp] = []
        self.x = Value(name="xt", type=SIGNED, size=inputs)
        self.states = [Value(name=f"h{k}", type=SIGNED, size=units) for k in range(states)]

    def add_op(self, op_type: type, t: IntType, **fields: object) -> Value:
        """An op with a new value."""
        out = Value(name=f"v{len(self.ops)}", type=t, size=self.units)
        self.ops.append(op_type(out=out, **fields))
        return out

    def product(self, *sources: Value) -> Value:
        """The sum of a matrix product of each source."""
        found: Value | None = None
        for x in sources:
            w = IntMatrix(self.rng.integers(-7, 8, (self.units, x.size)))
            made = self.add_op(MatVec, w.range_of_product(x.type), x=x.name, weights=w)
            found = made if found is None else self.sum(found, made)
        assert found is not None
        return found

    def sum(self, a: Value, b: Value) -> Value:
        """a + b."""
        t = IntType(a.type.lo + b.type.lo, a.type.hi + b.type.hi)
        return self.add_op(Add, t, a=a.name, b=b.name)

    def difference(self, a: Value, b: Value) -> Value:
        """a - b."""
        t = IntType(a.type.lo - b.type.hi, a.type.hi - b.type.lo)
        return self.add_op(Sub, t, a=a.name, b=b.name)

    def times(self, a: Value, b: Value) -> Value:
        """a * b, unit by unit."""
        ends = [p * q for p in (a.type.lo, a.type.hi) for q in (b.type.lo, b.type.hi)]
        return self.add_op(Mul, IntType(min(ends), max(ends)), a=a.name, b=b.name)

    def requant(self, x: Value, ratio: Fraction) -> Value:
        """Rounded to eight bits."""
        return self.add_op(Requant, SIGNED, x=x.name, ratio=(ratio,), offset=(Fraction(0),))

    def lut(self, x: Value, function: str) -> Value:
        """A table."""
        out = UNSIGNED if function == "sigmoid" else SIGNED
        return self.add_op(Lut, out, x=x.name, table=table(function, out))

    def gate(self, function: str, *sources: Value) -> Value:
        """Table of a requantised sum of products."""
        return self.lut(self.requant(self.product(*sources), Fraction(1, 32)), function)

    def graph(self, result: Value, *following: Value) -> Graph:
        """A layer with this body: state k becomes following[k]."""
        states = tuple(
            State(value=s, initial=(0,) * self.units, next=f.name)
            for s, f in zip(self.states, following, strict=True)
        )
        seq = Value(name="x", type=SIGNED, size=self.x.size, sequence=True)
        out = Value(name="layer", type=result.type, size=self.units, sequence=True)
        body = Body(inputs=(self.x,), states=states, ops=tuple(self.ops))
        axes = ("B", "T", "F")
        quantiser = Quantiser(scale=(Fraction(1, 64),), type=SIGNED)
        outs = (ScanOutput(out=out, body_value=result.name),)
        y = Value(name="y", type=out.type, size=self.units, sequence=True)
        grid = OutputGrid(scale=(Fraction(1, 128),))
        ops = (
            Input(out=seq, quantiser=quantiser, axes=axes, example_steps=8),
            Scan(xs=("x",), body=body, outs=outs),
            Output(out=y, x="layer", grid=grid, axes=axes),
        )
        return run_pipeline(Graph(name="net", ops=ops))


def gru(inputs: int, units: int, *, reset_after: bool, seed: int = 0) -> Graph:
    """linear_before_reset = 1 (reset_after) or 0, where r * h is multiplied within the step."""
    m = BodyMaker(inputs, units, seed=seed)
    h = m.states[0]
    z, r = m.gate("sigmoid", m.x, h), m.gate("sigmoid", m.x, h)
    if reset_after:
        part = m.requant(m.product(h), Fraction(1, 32))
        gated = m.requant(m.times(r, part), Fraction(1, 256))
        n = m.requant(m.sum(m.requant(m.product(m.x), Fraction(1, 16)), gated), Fraction(1))
    else:
        gated = m.requant(m.times(r, h), Fraction(1, 256))
        n = m.requant(m.product(m.x, gated), Fraction(1, 32))
    n = m.lut(n, "tanh")
    kept = m.requant(m.times(z, m.difference(h, n)), Fraction(1, 256))
    following = m.requant(m.sum(n, kept), Fraction(1))
    return m.graph(following, following)


def leaky(inputs: int, units: int, seed: int = 0) -> Graph:
    """A state that no matrix multiplies."""
    m = BodyMaker(inputs, units, seed=seed)
    a = m.requant(m.product(m.x), Fraction(1, 50))
    following = m.requant(m.sum(m.states[0], a), Fraction(7, 8))
    return m.graph(following, following)


def random_cell(seed: int) -> Graph:
    """Up to two states and three levels of products, element-wise ops of every kind between."""
    rng = np.random.default_rng(seed)
    states = int(rng.integers(1, 3))
    inputs, units = (int(n) for n in rng.integers(1, 9, 2))
    m = BodyMaker(inputs, units, states=states, seed=seed)
    pool = [m.gate("tanh", m.x, *m.states), *m.states]
    gates = int(rng.integers(1, 4))
    pool += [m.gate("sigmoid", *pick(rng, [m.x, *m.states])) for _ in range(gates)]
    inner = pool[0]
    for _ in range(int(rng.integers(0, 3))):
        signed = [v for v in pool if v.type == SIGNED]
        inner = m.gate("tanh", inner if rng.integers(2) else pick(rng, signed)[0])
        pool.append(inner)
    for _ in range(int(rng.integers(1, 6))):
        a, b = (pool[int(k)] for k in rng.integers(0, len(pool), 2))
        ways = (m.sum, m.difference, m.times)
        made = ways[int(rng.integers(3))](a, b)
        ratio = Fraction(1, 256) if rng.integers(2) else Fraction(3, 700)
        pool.append(m.requant(made, ratio))
    pool.append(m.requant(m.sum(pool[-1], inner), Fraction(1, 2)))
    signed = [v for v in pool[states + 1 :] if v.type == SIGNED]
    following = [signed[-1 - k % len(signed)] for k in range(states)]
    return m.graph(pool[-1], *following)


def pick(rng: np.random.Generator, values: list[Value]) -> list[Value]:
    """Some of them, at least one."""
    order = [values[int(k)] for k in rng.permutation(len(values))]
    return order[: int(rng.integers(1, len(order) + 1))]
