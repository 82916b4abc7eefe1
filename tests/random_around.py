# SPDX-License-Identifier: Apache-2.0
"""Random chains of what stands around the recurrence, as the text of a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hwrnn.design.lower import layers
from hwrnn.ir import Graph, IntType
from hwrnn.ir.steps import step_counts
from hwrnn.ir.text import parse_graph
from hwrnn.transforms.realise import realise_requants


@dataclass
class Chain:
    """A graph that grows: `now` is its last value."""

    rng: Random
    lines: list[str] = field(default_factory=list)
    now: str = "x"
    type: IntType = field(default_factory=lambda: IntType(-8, 7))
    size: int = 1
    sequence: bool = True
    steps: int | None = None  # where they are fixed
    made: int = 0
    example: int = 1

    def put(self, kind: str, operands: str = "", *, fields: str = "") -> None:
        """One op that makes a value of the present type and size."""
        self.made += 1
        name = f"v{self.made}"
        seq = " seq" if self.sequence else ""
        value = f"%{name}: {self.type} x {self.size}{seq}"
        read = operands or f"%{self.now}"
        self.lines.append(
            f"{value} = {kind} {read} {{{fields}}}" if fields else f"{value} = {kind} {read}"
        )
        self.now = name

    def requant(self) -> None:
        """Back to a few bits."""
        levels = self.type.hi - self.type.lo + 1
        self.type = IntType(-8, 7) if self.rng.random() < 0.7 else IntType(0, 14)
        self.put("requant", fields=f"ratio = {self.rng.randint(1, 60)}/{3 * levels}, offset = 1/7")

    def window(self) -> tuple[int, str]:
        """Fields of a window, and its size; short enough for every sequence of `LEAST` steps."""
        size = self.rng.randint(1, LEAST)
        before, after = (self.rng.randint(0, size - 1) for _ in range(2))
        stride = self.rng.randint(1, 3)
        fill = self.rng.randint(self.type.lo, self.type.hi)
        if before or after:
            fill = self.rng.randint(self.type.lo - 2, self.type.hi + 2)
            self.type = self.type.hull(IntType(fill, fill))
        return size, (
            f"size = {size}, stride = {stride}, before = {before}, after = {after}, fill = {fill}"
        )

    def conv(self) -> None:
        """A convolution over time: windows and a product."""
        size, fields = self.window()
        self.size *= size
        self.put("window", fields=fields)
        self.dense()

    def dense(self) -> None:
        """A product and a requantiser."""
        rows = self.rng.randint(1, 7)
        weights = [[self.rng.randint(-3, 3) for _ in range(self.size)] for _ in range(rows)]
        most = 3 * self.size * max(-self.type.lo, self.type.hi)
        self.type, self.size = IntType(-most, most), rows
        self.put("matvec", fields=f"weights = {weights}")
        self.requant()

    def pool(self) -> None:
        """A pool of either kind."""
        size, fields = self.window()
        how = self.rng.choice(["sum", "max"])
        if how == "sum":
            self.type = IntType(size * self.type.lo, size * self.type.hi)
        self.put("pool", fields=f"{fields}, how = {how}")
        if how == "sum":
            self.requant()

    def join(self) -> None:
        """The value beside itself, requantised: two branches that meet."""
        first, t = self.now, self.type
        if self.rng.random() < 0.5:
            self.put("requant", fields="ratio = 1/2, offset = 0")
        else:
            size = self.size
            self.dense()
            if self.size != size:  # as wide as before
                weights = [[self.rng.randint(-2, 2) for _ in range(self.size)] for _ in range(size)]
                most = 2 * self.size * max(-self.type.lo, self.type.hi)
                self.type, self.size = IntType(-most, most), size
                self.put("matvec", fields=f"weights = {weights}")
                self.requant()
        kind = self.rng.choice(["add", "sub", "mul", "max"])
        ends = [
            f(a, b) for f in [OPS[kind]] for a in (t.lo, t.hi) for b in (self.type.lo, self.type.hi)
        ]
        second = self.now
        low = max(t.lo, self.type.lo) if kind == "max" else min(ends)
        self.type = IntType(low, max(ends))
        self.put(kind, f"%{first}, %{second}")
        self.requant()

    def reduce(self, steps: int) -> None:
        """All steps as one; a sum where their number is known."""
        how = self.rng.choice(["sum", "max"])
        self.sequence = False
        if how == "sum":
            self.type = IntType(steps * self.type.lo, steps * self.type.hi)
        self.put("reduce", fields=f"how = {how}" + (f", steps = {steps}" if how == "sum" else ""))
        self.requant()

    def repeat(self) -> None:
        """A sequence from a vector."""
        self.sequence = True
        self.put("repeat", fields=f"steps = {self.rng.randint(1, 5)}")

    def arg_max(self) -> None:
        """The index of the largest."""
        scales = [f"{self.rng.randint(1, 9)}/8" for _ in range(self.size)]
        offsets = [f"{self.rng.randint(-9, 9)}/16" for _ in range(self.size)]
        fields = f"scale = [{', '.join(scales)}], offset = [{', '.join(offsets)}]"
        self.type, self.size = IntType(0, max(self.size - 1, 0)), 1
        self.put("argmax", fields=fields)


LEAST = 3  # steps of the shortest sequence
OPS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "max": max,
}


def random_chain(seed: int) -> tuple[Graph, list[int]]:
    """A graph, and lengths of sequences that it takes."""
    rng = Random(seed)
    chain = Chain(rng, size=rng.randint(1, 5), example=rng.randint(LEAST, 9))
    head = input_line(chain)
    if chain.type.lo == 0:
        embed(chain)
    middle = [chain.conv, chain.pool, chain.join, chain.dense]
    # One op only may shorten the sequence, so that the shortest keeps a window.
    used = rng.sample(middle, rng.randint(1, 3))
    if chain.conv in used and chain.pool in used:
        used.remove(chain.pool)
    for make in used:
        make()
    lengths = [chain.example, *(rng.randint(LEAST, 9) for _ in range(4))]
    if rng.random() < 0.6:
        body = "\n".join([head, *chain.lines])
        lengths = end(chain, body, lengths)
    if rng.random() < 0.5:
        chain.arg_max()
    return finished(seed, head, chain), lengths


def input_line(chain: Chain) -> str:
    """The input: numbers, or one index into a table."""
    if chain.rng.random() < 0.3:
        chain.type, chain.size = IntType(0, chain.rng.randint(1, 12)), 1
    value = f"%x: {chain.type} x {chain.size} seq"
    fields = f"quantiser = {{scale = 1}}, axes = [B, T, F], example_steps = {chain.example}"
    return f"{value} = input {{{fields}}}"


def embed(chain: Chain) -> None:
    """A row for each index."""
    columns = chain.rng.randint(1, 6)
    rows = [[chain.rng.randint(-8, 7) for _ in range(columns)] for _ in range(chain.type.levels)]
    chain.type, chain.size = IntType(-8, 7), columns
    chain.put("embed", fields=f"table = {rows}")


def end(chain: Chain, body: str, lengths: list[int]) -> list[int]:
    """A vector for each sequence, perhaps repeated; a sum needs sequences of one length."""
    steps = steps_at_end(chain, body, lengths[0])
    chain.reduce(steps)
    fixed = any("how = sum, steps" in line for line in chain.lines)
    if chain.rng.random() < 0.5:
        chain.repeat()
        if chain.rng.random() < 0.5:
            chain.dense()
    return [lengths[0]] * 3 if fixed else lengths


def steps_at_end(chain: Chain, body: str, steps: int) -> int:
    """Steps of the last value so far."""
    graph = parse_graph(f"graph part {{\n{body}\n{output_line(chain)}\n}}")
    return step_counts(graph, steps)["y"]


def output_line(chain: Chain) -> str:
    """The last value goes out."""
    seq, axes = (" seq", "[B, T, F]") if chain.sequence else ("", "[B, F]")
    value = f"%y: {chain.type} x {chain.size}{seq}"
    return f"{value} = output %{chain.now} {{grid = {{scale = 1}}, axes = {axes}}}"


def finished(seed: int, head: str, chain: Chain) -> Graph:
    """The whole graph."""
    text = "\n".join([f"graph chain{seed} {{", head, *chain.lines, output_line(chain), "}"])
    return realise_requants(parse_graph(text).verify())


def random_folding(graph: Graph, seed: int) -> dict[str, dict[str, int]] | None:
    """Any folding of every layer."""
    rng = Random(seed)
    found = {
        s.name: {"pe": rng.randint(1, s.units), "simd": rng.randint(1, s.columns)}
        for s in layers(graph)
    }
    return found or None
