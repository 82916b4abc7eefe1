# SPDX-License-Identifier: Apache-2.0
"""Random designs by seed for the resource model: all cells, foldings and families.

2 to 16 bits, 8 to 256 hidden units; weights are random here, trained in resource_trained.py.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tests")]

import numpy as np  # noqa: E402 - after the path
from random_cells import CELLS, Maker, Style  # noqa: E402 - after the path

import hwrnn  # noqa: E402 - after the path
from hwrnn.board import Family  # noqa: E402 - after the path
from hwrnn.design.design import Design  # noqa: E402 - after the path
from hwrnn.design.lower import layers  # noqa: E402 - after the path
from hwrnn.design.pieces import whole_vectors  # noqa: E402 - after the path
from hwrnn.errors import DesignError  # noqa: E402 - after the path
from hwrnn.ir import Graph, Rounding  # noqa: E402 - after the path
from hwrnn.ir.types import of_bits  # noqa: E402 - after the path

BOARDS = {
    Family.XC7: "pynq_z2",
    Family.XCUP: "zcu104",
    Family.ECP5: "ulx3s_85f",
    Family.ICE40: "icebreaker",
    Family.GOWIN: "tang_nano_20k",
}
FAMILIES = tuple(BOARDS)
PRODUCTS = 48  # of a cycle, at most: what yosys does in a minute or two
TABLE_BITS = 10  # of an activation; a table of more takes yosys minutes


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A graph with its board, folding and options."""

    name: str
    graph: Graph
    board: str
    folding: dict[str, dict[str, int]]
    options: dict[str, object]

    @cached_property
    def design(self) -> Design:
        """The hardware."""
        return hwrnn.build(self.graph, self.board, folding=self.folding, **self.options)  # type: ignore[arg-type]


def draw(seed: int, index: int, products: int = PRODUCTS) -> Drawn:
    """Design `index` of a seed: its cell and its family follow from the index."""
    for attempt in range(100):
        rng = np.random.default_rng([seed, index, attempt])
        try:
            found = attempt_of(rng, index, products)
            found.design  # noqa: B018 - it is built here
        except DesignError:
            continue
        return found
    raise RuntimeError(f"no design for seed {seed}, {index}")


def attempt_of(rng: np.random.Generator, index: int, products: int) -> Drawn:
    """One attempt: all that is drawn."""
    names = list(CELLS)
    cell = names[index % len(names)]
    family = FAMILIES[index // len(names) % len(FAMILIES)] if index >= 0 else FAMILIES[0]
    family = FAMILIES[index % len(FAMILIES)]
    small = family is Family.ICE40
    units = size(rng, 8, 48 if small else 256)
    act = int(rng.integers(2, TABLE_BITS + 1))
    style = Style(
        units=units,
        weight=int(rng.integers(2, 9 if rng.random() < 0.8 else 17)),
        act=of_bits(act, signed=rng.random() < 0.85),
        gate=of_bits(act if rng.random() < 0.6 else int(rng.integers(2, 17)), signed=False),
        channels=rng.random() < 0.3,
        rounding=(Rounding.HALF_EVEN, Rounding.HALF_UP, Rounding.FLOOR)[
            int(rng.choice(3, p=(0.8, 0.1, 0.1)))
        ],
        seed=int(rng.integers(0, 2**31)),
    )
    maker = Maker(int(rng.integers(0, 2**31)), power_of_two=rng.random() < 0.4)
    at = maker.input(size(rng, 1, 64), of_bits(int(rng.integers(2, 13)), signed=rng.random() < 0.6))
    turned = rng.random() < 0.1 and units <= 64
    if turned:
        back = maker.reverse(CELLS[cell](maker, style, maker.reverse(at)))
        at = maker.concat(CELLS[cell](maker, style, at), back)
    else:
        at = CELLS[cell](maker, style, at)
    if rng.random() < 0.5:
        at = maker.select(at)
    if rng.random() < 0.5:
        at = maker.dense(at, int(rng.integers(1, 17)), int(rng.integers(2, 9)), None)
    graph = maker.graph(at)
    options: dict[str, object] = {"pipeline": ("clock", "latency")[int(rng.random() < 0.2)]}
    if turned:
        options["max_steps"] = int(rng.integers(4, 65))
        options["directions"] = ("two", "shared")[int(rng.random() < 0.5)]
    elif rng.random() < 0.1:
        options["streams"] = int(rng.integers(2, 9))
    fold = folding(rng, graph, products // (2 if small else 1))
    return Drawn(
        name=f"{cell} H{units} W{style.weight} A{act}",
        graph=graph,
        board=BOARDS[family],
        folding=fold,
        options=options,
    )


def size(rng: np.random.Generator, low: int, high: int) -> int:
    """A size, on a logarithmic scale."""
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))


def folding(rng: np.random.Generator, graph: Graph, products: int) -> dict[str, dict[str, int]]:
    """A fold for each layer: no more than `products` products in a cycle."""
    found: dict[str, dict[str, int]] = {}
    for layer in layers(whole_vectors(graph)):
        most = max(products // 4, 1)
        simd = min(size(rng, 1, most), layer.columns)
        pe = min(size(rng, 1, max(most // simd, 1)), layer.units)
        found[layer.name] = {"pe": pe, "simd": simd}
    if len(graph.scans) == 2:
        first, second = (s.out.name for s in graph.scans)
        found[second] = found[first]
    return found
