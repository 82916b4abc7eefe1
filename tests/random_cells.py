# SPDX-License-Identifier: Apache-2.0
"""Bodies of cells with random constants and number formats, one function for each kind of cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rtl.graphs import Build

from hwrnn.ir import (
    Add,
    AnyOp,
    Body,
    Const,
    IntType,
    Mul,
    Requant,
    Rounding,
    State,
    Sub,
    Value,
)


@dataclass(frozen=True, kw_only=True)
class Style:
    """What is drawn once for a layer: its size, its number formats, and the seed of its shape.

    Two layers with one style differ in nothing but constants.
    """

    units: int
    weight: int
    act: IntType
    gate: IntType
    channels: bool
    rounding: Rounding
    seed: int


class Maker(Build):
    """The body of a layer, op by op; constants come from `Build.rng`, the shape from the style."""

    style: Style
    body: list[AnyOp]

    def begin(self, style: Style, x: Value, states: int) -> tuple[Value, list[Value]]:
        """A new body: its input and its states."""
        self.style, self.body = style, []
        port = Value(name=self.name("xt"), type=x.type, size=x.size)
        made = [Value(name=self.name("h"), type=style.act, size=style.units) for _ in range(states)]
        return port, made

    def finish(self, x: Value, port: Value, following: dict[Value, Value], result: Value) -> Value:
        """The layer: each state becomes the value beside it."""
        t = self.style.act
        states = tuple(
            State(
                value=h,
                initial=tuple(int(v) for v in self.rng.integers(t.lo, t.hi + 1, h.size)),
                next=after.name,
            )
            for h, after in following.items()
        )
        return self.scan(x, Body(inputs=(port,), states=states, ops=tuple(self.body)), result)

    def product(self, *xs: Value) -> Value:
        """The sum of a matrix product of each operand."""
        terms = [self.matvec(self.body, x, self.style.units, self.style.weight) for x in xs]
        total = terms[0]
        for term in terms[1:]:
            total = self.pair(Add, self.body, total, term)
        return total

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        return self.pair(Add, self.body, a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """a * b, unit by unit."""
        return self.pair(Mul, self.body, a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b."""
        t = IntType(a.type.lo - b.type.hi, a.type.hi - b.type.lo)
        out = Value(name=self.name("d"), type=t, size=a.size)
        self.body.append(Sub(out=out, a=a.name, b=b.name))
        return out

    def round(self, x: Value, to: IntType | None = None) -> Value:
        """Requantised, by default to the style's activations."""
        out = self.requant(self.body, x, to or self.style.act, channels=self.style.channels)
        op = self.body[-1]
        assert isinstance(op, Requant)
        self.body[-1] = replace(op, rounding=self.style.rounding)
        return out

    def gate(self, *xs: Value, to: IntType | None = None) -> Value:
        """A table of a requantised sum of products."""
        return self.table(self.product(*xs), to or self.style.gate)

    def table(self, x: Value, to: IntType) -> Value:
        """A table of a requantised value."""
        return self.lut(self.body, self.round(x), to)

    def const(self, t: IntType, *, same: bool = False) -> Value:
        """A vector of random constants, or the same one for all units."""
        n = self.style.units
        values = self.rng.integers(t.lo, t.hi + 1, n).tolist()
        values = [t.hi] * n if same else values
        out = Value(name=self.name("k"), type=t, size=n)
        self.body.append(Const(out=out, values=tuple(values)))
        return out


Cell = Callable[[Maker, Style, Value], Value]


def lstm(m: Maker, style: Style, x: Value, *, cifg: bool = False, peephole: bool = False) -> Value:
    """Four gates, or three and 1 - i; with a peephole c is weighed, unit by unit, into gates."""
    xt, (h, c) = m.begin(style, x, 2)

    def gate(cell: Value) -> Value:
        total = m.product(xt, h)
        if peephole:
            total = m.add(total, m.mul(m.const(style.act), cell))
        return m.table(total, style.gate)

    i = gate(c)
    f = m.sub(m.const(style.gate, same=True), i) if cifg else gate(c)
    g = m.gate(xt, h, to=style.act)
    kept, new = m.round(m.mul(f, c)), m.round(m.mul(i, g))
    c_next = m.round(m.add(kept, new))
    o = gate(c_next)
    h_next = m.round(m.mul(o, m.lut(m.body, c_next, style.act)))
    return m.finish(x, xt, {h: h_next, c: c_next}, h_next)


def coupled(m: Maker, style: Style, x: Value) -> Value:
    """An LSTM whose forget gate is one minus its input gate."""
    return lstm(m, style, x, cifg=True)


def peephole(m: Maker, style: Style, x: Value) -> Value:
    """An LSTM whose gates read c, the last one its new value."""
    return lstm(m, style, x, peephole=True)


def gru(m: Maker, style: Style, x: Value, *, after: bool = True) -> Value:
    """linear_before_reset = 1 (`after`), or 0: a product of what the step itself computes."""
    xt, (h,) = m.begin(style, x, 1)
    z, r = m.gate(xt, h), m.gate(xt, h)
    if after:
        gated = m.round(m.mul(r, m.round(m.product(h))))
        n = m.table(m.add(m.round(m.product(xt)), gated), style.act)
    else:
        n = m.gate(xt, m.round(m.mul(r, h)), to=style.act)
    kept = m.round(m.mul(z, m.sub(h, n)))
    h_next = m.round(m.add(n, kept))
    return m.finish(x, xt, {h: h_next}, h_next)


def gru_before(m: Maker, style: Style, x: Value) -> Value:
    """linear_before_reset = 0."""
    return gru(m, style, x, after=False)


def plain(m: Maker, style: Style, x: Value) -> Value:
    """h' = table(W x + U h)."""
    xt, (h,) = m.begin(style, x, 1)
    h_next = m.gate(xt, h, to=style.act)
    return m.finish(x, xt, {h: h_next}, h_next)


def diagonal(m: Maker, style: Style, x: Value) -> Value:
    """h' = table(W x + k * h), unit by unit: no matrix multiplies a state."""
    xt, (h,) = m.begin(style, x, 1)
    kept = m.mul(m.const(style.gate), h)
    h_next = m.table(m.add(m.product(xt), kept), style.act)
    return m.finish(x, xt, {h: h_next}, h_next)


def unnamed(m: Maker, style: Style, x: Value) -> Value:
    """Two states, up to three levels of products, element-wise ops of every kind between."""
    shape = np.random.default_rng(style.seed)
    xt, states = m.begin(style, x, 2)
    outer = [xt, *states]
    pool = [m.gate(xt, *some(shape, states), to=style.act), *states]
    pool += [m.gate(*some(shape, outer)) for _ in range(int(shape.integers(1, 4)))]
    pool += [xt] * (xt.size == style.units)
    for _ in range(int(shape.integers(0, 3))):
        inner = some(shape, pool)[0] if shape.integers(4) else m.product(*some(shape, outer))
        pool.append(m.gate(inner, *some(shape, outer)[: int(shape.integers(2))]))
    pool.append(m.const(style.act))
    for _ in range(int(shape.integers(2, 7))):
        a, b = (pool[int(k)] for k in shape.integers(0, len(pool), 2))
        made = (m.add, m.sub, m.mul)[int(shape.integers(3))](a, b)
        if shape.integers(3) == 0:
            made = m.add(made, pool[int(shape.integers(len(pool)))])
        pool.append(m.round(made, style.gate if shape.integers(2) else style.act))
    following = [m.round(m.add(pool[-1], pool[0])), m.round(m.sub(pool[-2], pool[0]))]
    result = following[0] if shape.integers(2) else m.round(m.add(pool[-1], pool[-2]))
    return m.finish(x, xt, dict(zip(states, following, strict=True)), result)


def some(rng: np.random.Generator, values: Sequence[Value]) -> list[Value]:
    """Some of them in any order, at least one."""
    order = [values[int(k)] for k in rng.permutation(len(values))]
    return order[: int(rng.integers(1, len(order) + 1))]


CELLS: dict[str, Cell] = {
    "lstm": lstm,
    "cifg": coupled,
    "peephole lstm": peephole,
    "gru, linear_before_reset 1": gru,
    "gru, linear_before_reset 0": gru_before,
    "plain rnn": plain,
    "diagonal": diagonal,
    "unnamed": unnamed,
}
