# SPDX-License-Identifier: Apache-2.0
"""Random recurrent cells of many kinds, as bodies of plain ops."""

from __future__ import annotations

from collections.abc import Callable

from rtl.graphs import Build

from hwrnn.ir import Add, AnyOp, Body, Const, Graph, IntType, Mul, State, Sub, Value
from hwrnn.ir.types import of_bits

ACT, GATE = of_bits(5, signed=True), of_bits(5, signed=False)
Ops = list[AnyOp]


class Cell(Build):
    """A layer of one cell; `channels`: requantisers with constants of their own for each unit."""

    def __init__(self, seed: int, inputs: int, units: int, *, power_of_two: bool = False) -> None:
        super().__init__(seed, power_of_two=power_of_two)
        self.units = units
        self.channels = bool(seed % 2)
        self.x = self.input(inputs, of_bits(6, signed=True))
        self.x_t = Value(name="xt", type=self.x.type, size=inputs)
        self.body: Ops = []

    def state(self, name: str, t: IntType = ACT) -> Value:
        return Value(name=name, type=t, size=self.units)

    def product(self, x: Value) -> Value:
        return self.matvec(self.body, x, self.units, 4)

    def total(self, *xs: Value) -> Value:
        """The sum of the products of all these with a matrix each."""
        made = self.product(xs[0])
        for x in xs[1:]:
            made = self.add(made, self.product(x))
        return made

    def add(self, a: Value, b: Value) -> Value:
        return self.pair(Add, self.body, a, b)

    def sub(self, a: Value, b: Value) -> Value:
        return self.pair(Sub, self.body, a, b)

    def mul(self, a: Value, b: Value) -> Value:
        return self.pair(Mul, self.body, a, b)

    def quant(self, x: Value, to: IntType = ACT) -> Value:
        return self.requant(self.body, x, to, channels=self.channels)

    def table(self, x: Value, to: IntType = ACT) -> Value:
        return self.lut(self.body, self.quant(x), to)

    def const(self, *, same: bool) -> Value:
        values = self.rng.integers(-9, 10, 1 if same else self.units).tolist()
        values = tuple(values * self.units if same else values)
        t = IntType(min(values), max(values))
        out = Value(name=self.name("k"), type=t, size=self.units)
        self.body.append(Const(out=out, values=values))
        return out

    def layer(self, result: Value, *states: tuple[Value, Value]) -> Graph:
        drawn = tuple(
            State(
                value=old,
                initial=tuple(
                    int(v) for v in self.rng.integers(old.type.lo, old.type.hi + 1, self.units)
                ),
                next=new.name,
            )
            for old, new in states
        )
        body = Body(inputs=(self.x_t,), states=drawn, ops=tuple(self.body))
        return super().graph(self.scan(self.x, body, result))


def plain(b: Cell) -> Graph:
    h = b.state("h")
    new = b.table(b.total(b.x_t, h))
    return b.layer(new, (h, new))


def four_gates(b: Cell) -> Graph:
    h, c = b.state("h"), b.state("c")
    i, f, o = (b.table(b.total(b.x_t, h), GATE) for _ in range(3))
    g = b.table(b.total(b.x_t, h))
    c_new = b.quant(b.add(b.quant(b.mul(f, c)), b.quant(b.mul(i, g))))
    new = b.quant(b.mul(o, b.table(c_new)))
    return b.layer(new, (h, new), (c, c_new))


def coupled(b: Cell) -> Graph:
    """CIFG: i = k - f."""
    h, c = b.state("h"), b.state("c")
    f, o = (b.table(b.total(b.x_t, h), GATE) for _ in range(2))
    g = b.table(b.total(b.x_t, h))
    i = b.sub(b.const(same=True), f)
    c_new = b.quant(b.add(b.mul(f, c), b.mul(i, g)))
    new = b.quant(b.mul(o, b.table(c_new)))
    return b.layer(new, (h, new), (c, c_new))


def peepholes(b: Cell) -> Graph:
    h, c = b.state("h"), b.state("c")
    f = b.table(b.add(b.total(b.x_t, h), b.mul(b.const(same=False), c)), GATE)
    g = b.table(b.total(b.x_t, h))
    c_new = b.quant(b.add(b.mul(f, c), g))
    o = b.table(b.add(b.total(b.x_t, h), b.mul(c_new, b.const(same=False))), GATE)
    new = b.quant(b.mul(o, b.table(c_new)))
    return b.layer(new, (h, new), (c, c_new))


def reset_after(b: Cell) -> Graph:
    h = b.state("h")
    z, r = (b.table(b.total(b.x_t, h), GATE) for _ in range(2))
    gated = b.quant(b.mul(r, b.quant(b.product(h))))
    n = b.table(b.add(b.quant(b.product(b.x_t)), gated))
    new = b.quant(b.add(n, b.quant(b.mul(z, b.sub(h, n)))))
    return b.layer(new, (h, new))


def reset_before(b: Cell) -> Graph:
    """A GRU with linear_before_reset = 0: (r * h) is multiplied within the step."""
    h = b.state("h")
    z, r = (b.table(b.total(b.x_t, h), GATE) for _ in range(2))
    n = b.table(b.total(b.x_t, b.quant(b.mul(r, h))))
    new = b.quant(b.add(n, b.quant(b.mul(z, b.sub(h, n)))))
    return b.layer(new, (h, new))


def two_states(b: Cell) -> Graph:
    """Each of two vectors is multiplied for the other; a third is only passed on."""
    h, c, old = b.state("h"), b.state("c", GATE), b.state("o")
    new = b.table(b.add(b.total(b.x_t, h, c), old))
    c_new = b.table(b.total(c, h), GATE)
    return b.layer(b.quant(b.add(new, c_new)), (h, new), (c, c_new), (old, h))


def highway(b: Cell) -> Graph:
    """x is read element by element."""
    h = b.state("h")
    t = b.table(b.total(b.x_t, h), GATE)
    g = b.table(b.total(b.x_t, h))
    mixed = b.add(b.mul(t, b.sub(g, b.x_t)), b.x_t)
    new = b.quant(mixed)
    return b.layer(new, (h, new))


def diagonal(b: Cell) -> Graph:
    h = b.state("h")
    new = b.table(b.add(b.product(b.x_t), b.mul(b.const(same=False), h)))
    return b.layer(new, (h, new))


def two_levels(b: Cell) -> Graph:
    h = b.state("h")
    first = b.quant(b.total(b.x_t, h))
    second = b.table(b.total(first, h))
    new = b.quant(b.add(b.product(second), first))
    return b.layer(new, (h, new))


def sum_as_vector(b: Cell) -> Graph:
    """The sums themselves are multiplied again, beside a second vector of that level."""
    h = b.state("h")
    total = b.total(b.x_t, h)
    new = b.table(b.total(total, b.quant(total), b.x_t))
    return b.layer(new, (h, new))


def level_by_group(b: Cell) -> Graph:
    """A vector of the step, though the state is read unit by unit only."""
    h = b.state("h")
    gated = b.quant(b.add(b.product(b.x_t), h))
    new = b.quant(b.add(b.product(gated), h))
    return b.layer(new, (h, new))


CELLS: dict[str, Callable[[Cell], Graph]] = {
    made.__name__: made
    for made in (
        plain,
        four_gates,
        coupled,
        peepholes,
        reset_after,
        reset_before,
        two_states,
        highway,
        diagonal,
        two_levels,
        sum_as_vector,
        level_by_group,
    )
}


def cell_graph(
    kind: str, seed: int, *, inputs: int = 3, units: int = 5, power_of_two: bool = False
) -> Graph:
    """A layer of one cell; x has as many elements as units where it is read one by one."""
    inputs = units if kind == "highway" else inputs
    return CELLS[kind](Cell(seed, inputs, units, power_of_two=power_of_two))
