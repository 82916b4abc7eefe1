# SPDX-License-Identifier: Apache-2.0
"""Random small networks with a folding: cells, directions, and what stands behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rtl.graphs import Build

from hwrnn.ir import Graph, Step, Value
from hwrnn.ir.types import of_bits

MAX_STEPS = 8
LAYERS = ("lstm", "rnn", "diagonal", "bidirectional", "rnn_lstm", "bidirectional_rnn")
ENDS = ("all", "pick", "pick_dense", "dense", "flatten")


@dataclass(frozen=True, kw_only=True)
class Network:
    """A graph, how it is folded, and lengths of sequences that it takes."""

    graph: Graph
    pe: int
    simd: int
    lengths: tuple[int, ...]
    max_steps: int | None


class Draw:
    """Random choices, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = Build(seed, power_of_two=self.flag())

    def below(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def flag(self) -> bool:
        return bool(self.rng.integers(2))

    def layers(self, kind: str, x: Value) -> Value:
        units, w, a = self.below(1, 10), self.below(2, 7), self.below(2, 8)
        match kind:
            case "lstm":
                return self.b.lstm(x, units, w, a, channels=self.flag())
            case "rnn" | "diagonal":
                return self.b.rnn(x, units, w, a, diagonal=kind == "diagonal")
            case "bidirectional":
                return self.b.bidirectional(x, units)
            case "rnn_lstm":
                return self.b.lstm(self.b.rnn(x, self.below(1, 8)), units, w, a)
            case _:
                return self.b.rnn(self.b.bidirectional(x, self.below(1, 5)), units, w, a)

    def end(self, kind: str, y: Value, steps: int) -> Value:
        match kind:
            case "all":
                return y
            case "pick":
                return self.b.select(y, Step.LAST if self.flag() else Step.FIRST)
            case "pick_dense":
                return self.b.dense(self.b.select(y), self.below(1, 7))
            case "dense":
                to = of_bits(self.below(2, 7), signed=True)
                return self.b.dense(y, self.below(1, 7), to=to)
            case _:
                return self.b.dense(self.b.flatten(y, steps), self.below(1, 7))


def random_network(seed: int) -> Network:
    """Every choice comes from the seed."""
    d = Draw(seed)
    bits = d.below(1, 9)
    x = d.b.input(d.below(1, 9), of_bits(bits, signed=bits > 1 and d.flag()))
    layer, end = LAYERS[d.below(0, len(LAYERS))], ENDS[d.below(0, len(ENDS))]
    steps = d.below(1, 5)
    graph = d.b.graph(d.end(end, d.layers(layer, x), steps))
    widest = max(s.body.ops[-1].out.size for s in graph.scans)
    lengths = tuple(d.below(1, MAX_STEPS) for _ in range(6))
    return Network(
        graph=graph,
        pe=d.below(1, widest + 1),
        simd=d.below(1, max(x.size, widest) + 1),
        lengths=(steps,) * 5 if end == "flatten" else lengths,
        max_steps=MAX_STEPS if "bidirectional" in layer else None,
    )
