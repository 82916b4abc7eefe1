# SPDX-License-Identifier: Apache-2.0
"""What a search may choose: for each layer its useful foldings, what each takes and how fast it is.

Of all pe with the same number of groups only the smallest is useful, of all simd with the same
numbers of blocks only the smallest. A design is lowered once for each simd; another pe of the same
engine changes the number of lanes, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from hwrnn.board import Board
from hwrnn.design.area import Area, kernel_area, memory_area
from hwrnn.design.design import Cell, Dwc, Engine, Gate, Stream, ceil_div
from hwrnn.design.folding import Fold
from hwrnn.design.lower import Site
from hwrnn.design.memory import store_weights, weight_memory
from hwrnn.design.products import make_products
from hwrnn.design.schedule import steady_cycles
from hwrnn.ir import IntMatrix

RESOURCES = ("LUT", "FF", "DSP", "block RAM", "UltraRAM")

Use = tuple[float, ...]  # share of the board, for each of RESOURCES
Folds = Mapping[str, Fold]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One folding of one layer. Cycles of a step: `work` issues, then `wait` for the state.

    `x_blocks` and `h_blocks` take `groups` cycles each; `turn`: a step of each stream, all running;
    `out_latency` is the engine's.
    """

    fold: Fold
    use: Use
    groups: int
    x_blocks: int
    h_blocks: int
    wait: int
    turn: int
    out_latency: int

    @property
    def work(self) -> int:
        """Cycles in which products are issued."""
        return self.groups * (self.x_blocks + self.h_blocks)

    @property
    def step(self) -> int:
        """Steady-state cycles of a step."""
        return self.work + self.wait

    @property
    def cost(self) -> tuple[float, float]:
        """What it takes of the board."""
        return cost(self.use)

    def beats(self, other: Choice) -> bool:
        """True when nothing speaks for the other one."""
        return all(a <= b for a, b in zip(self.measures, other.measures, strict=True))

    @property
    def measures(self) -> tuple[float, ...]:
        """What speaks for a choice if it is small."""
        return (*self.use, self.step, self.turn, self.work, self.work + self.out_latency)


def cost(use: Use, ceiling: float = 1.0) -> tuple[float, float]:
    """What is to be small: the sum of the shares, once no share is above `ceiling`."""
    return max(ceiling, *use), sum(use)


def shares(made: Area, board: Board) -> Use:
    """An area as shares of a board; infinite where the board has none of what is used."""
    used = (made.luts, made.ffs, made.dsps, made.block_rams, made.urams)
    has = (board.luts, board.ffs, board.dsps, board.block_rams, board.urams)
    return tuple(u / h if h else float("inf") if u else 0.0 for u, h in zip(used, has, strict=True))


def added(uses: Iterable[Use]) -> Use:
    """The sum, resource by resource."""
    return tuple(sum(parts) for parts in zip(*uses, strict=True))


def useful_pe(units: int) -> list[int]:
    """For each number of groups the smallest pe."""
    return sorted({ceil_div(units, ceil_div(units, pe)) for pe in range(1, units + 1)})


def useful_simd(engine: Engine, most: int) -> list[int]:
    """For each pair of numbers of blocks, of x and of h, the smallest simd; then the shared block.

    `most`: columns of x and of all states together, which share a block.
    """
    h = engine.units if engine.vectors else 0
    found: dict[tuple[int, int], int] = {}
    for simd in range(1, max(h, *engine.x.segments) + 1):
        x = sum(ceil_div(s, simd) for s in engine.x.segments)
        found.setdefault((x, ceil_div(h, simd)), simd)
    simds = {simd for simd in found.values() if simd <= most}
    return sorted(simds | {most} if any(v.level == 0 for v in engine.vectors) else simds)


def all_choices(site: Site) -> dict[str, list[Choice]]:
    """Every useful folding of every layer, by the layer's name."""
    start = {shape.name: shape.default() for shape in site.layers()}
    first = {engine.name: engine for engine in site.design(site.folds(start)).engines}
    simds = {s.name: useful_simd(first[s.name], s.columns) for s in site.layers()}
    found: dict[str, list[Choice]] = {name: [] for name in simds}
    for k in range(max(map(len, simds.values()), default=0)):
        folds = {n: Fold(pe=1, simd=s[min(k, len(s) - 1)]) for n, s in simds.items()}
        for engine in site.design(site.folds(folds)).engines:
            if k < len(simds[engine.name]):
                found[engine.name] += choices_of(slim(engine), site)
    return found


def choices_of(engine: Engine, site: Site) -> Iterator[Choice]:
    """A lowered engine with every useful pe, with memory and multipliers as if it were alone."""
    wish, writable = {engine.name: site.options.weights}, site.options.writable
    for pe in useful_pe(engine.units):
        stored = store_weights((with_pe(engine, pe),), site.board, wish, writable=writable)
        (kernel,) = make_products(stored, site.board, site.options.multipliers)
        assert isinstance(kernel, Engine)
        yield choice_of(kernel, site.board)


def choice_of(engine: Engine, board: Board) -> Choice:
    """The choice that an engine is."""
    return Choice(
        fold=Fold(pe=engine.pe, simd=engine.simd),
        use=shares(engine_part(engine, board), board),
        groups=engine.groups,
        x_blocks=engine.x_blocks,
        h_blocks=engine.h_blocks,
        wait=steady_wait(replace(engine, streams=1)),
        turn=engine.streams * len(engine.blocks) * engine.groups + steady_wait(engine),
        out_latency=engine.out_latency,
    )


def engine_part(engine: Engine, board: Board) -> Area:
    """An engine, its weights, and the streams beside it."""
    entry = replace(engine.x, depth=2)
    beside = kernel_area(Dwc(name="", x=entry, out=entry), board)
    return kernel_area(engine, board) + memory_area(weight_memory(engine), board) + beside


def steady_wait(engine: Engine) -> int:
    """Cycles of a step of all streams, in steady state, in which no product is issued.

    The formulas of `hwrnn.design.schedule` where they are all there is to it, else a simulation.
    """
    work, late = engine.streams * engine.groups * len(engine.blocks), engine.state_latency
    if not engine.states:
        return 0
    if engine.streams > 1 or len(engine.vectors) > 1 or len(engine.hands) > 1:
        return steady_cycles(engine) - work
    if engine.by_group:
        return max(0, late - work)
    if engine.shared:
        return late - 1
    first = ceil_div(min(engine.simd, engine.units), engine.pe)
    return max(0, late + first - 1 - engine.groups - engine.groups * engine.x_blocks)


def with_pe(engine: Engine, pe: int) -> Engine:
    """The same engine with another number of lanes."""
    made = replace(engine, pe=pe, cells=tuple(cell_with_pe(c, pe) for c in engine.cells))
    depth = engine.out.depth - engine.groups + made.groups
    return replace(made, out=replace(engine.out, lanes=pe, depth=depth))


def cell_with_pe(cell: Cell, pe: int) -> Cell:
    """The same cell with another number of lanes."""
    hands = (replace(hand, datapath=replace(hand.datapath, lanes=pe)) for hand in cell.hands)
    return replace(cell, hands=tuple(hands))


def slim(engine: Engine) -> Engine:
    """The engine with one small matrix of the same range for each gate: area asks for no more."""
    cells = tuple(replace(c, gates=tuple(map(slim_gate, c.gates))) for c in engine.cells)
    return replace(engine, cells=cells)


def slim_gate(gate: Gate) -> Gate:
    """A gate with the smallest and the largest of its weights."""
    ends = np.array([[gate.weights.type.lo, gate.weights.type.hi]], dtype=np.int64)
    return replace(gate, weights=IntMatrix(ends))


def worth(choices: Iterable[Choice]) -> list[Choice]:
    """Those that no other one beats in every respect, the cheapest first."""
    kept: list[Choice] = []
    for choice in sorted(choices, key=lambda c: (c.cost, c.step, c.work + c.out_latency)):
        if not any(k.beats(choice) for k in kept):
            kept.append(choice)
    return kept


def stream_lanes(x: Stream, lanes: int) -> int:
    """Beats of one vector of a stream if its beats had so many lanes."""
    return sum(ceil_div(s, lanes) for s in x.segments)
