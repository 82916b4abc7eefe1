# SPDX-License-Identifier: Apache-2.0
"""Random engines by seed: a body of any kind, a folding, and what else a user may choose.

`random_case(seed)` is always the same; the cell follows from the seed modulo the number of cells,
so that every cell has its share. `check` runs a case: RTL and C simulation == C-model, and every
cycle where the schedule says, without stalls and with three kinds of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

import numpy as np
from random_cells import CELLS, Maker, Style
from rtl.bench import STALLS, draw, same, scheduled

import hwrnn
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import Design
from hwrnn.design.lower import layers
from hwrnn.design.pieces import whole_vectors
from hwrnn.errors import DesignError, HwrnnError
from hwrnn.ir import Graph, Rounding, Value
from hwrnn.ir.types import of_bits
from hwrnn.sim.csim import simulate_csim
from hwrnn.sim.rtl import Stalls, simulate_rtl
from hwrnn.sim.rtl_beats import Ints

MAX_UNITS, MAX_INPUTS, MAX_STREAMS = 24, 12, 20
MAX_STEPS = 7
MAX_ROWS = 110  # time steps of all sequences of a case
LIVELY = 4  # different numbers that a case gives at least
DIRECTIONS = ("one", "one", "one", "one", "two", "shared")
PLAIN_SEQUENCES = 2  # so many run through the plain C-model as well
BOARDS = ("pynq_z2", "zcu104", "ulx3s_85f")
MULTIPLIERS = ("auto", "auto", "packed", "lut", "dsp")
ROUNDINGS = (Rounding.HALF_EVEN,) * 4 + (Rounding.HALF_UP, Rounding.FLOOR)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A graph with all that is chosen for its hardware, and the lengths of its sequences."""

    seed: int
    cells: tuple[str, ...]
    graph: Graph
    board: str
    folding: dict[str, dict[str, int]]
    pipeline: str
    streams: int
    directions: str
    multipliers: str
    lengths: tuple[int, ...]

    @cached_property
    def design(self) -> Design:
        """The hardware."""
        turned = self.directions != "one"
        return hwrnn.build(
            self.graph,
            self.board,
            folding=self.folding,
            pipeline=self.pipeline,
            streams=self.streams,
            directions="shared" if self.directions == "shared" else "two",
            multipliers=self.multipliers,
            max_steps=MAX_STEPS if turned else None,
        )

    @property
    def shared_block(self) -> bool:
        """True when an engine multiplies x and its states together."""
        return any(e.shared for e in self.design.engines)

    def __str__(self) -> str:
        return (
            f"{' + '.join(self.cells)}, {self.pipeline}, streams {self.streams}, "
            f"{self.directions} direction(s), folding {self.folding}"
        )


class Drawer:
    """Random choices, the same for the same seed."""

    def __init__(self, seed: int, attempt: int = 0) -> None:
        self.seed = seed
        self.rng = np.random.default_rng([seed, attempt])
        self.maker = Maker(self.below(0, 2**31), power_of_two=self.chance(0.4))

    def below(self, low: int, high: int) -> int:
        """A whole number, low <= n < high."""
        return int(self.rng.integers(low, high))

    def chance(self, p: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < p)

    def style(self) -> Style:
        """Sizes and formats of a layer; small ones more often."""
        units = self.below(1, MAX_UNITS + 1) if self.chance(0.5) else self.below(1, 9)
        bits = self.below(2, 9)
        return Style(
            units=units,
            weight=self.below(1, 9),
            act=of_bits(bits, signed=self.chance(0.8)),
            gate=of_bits(bits if self.chance(0.6) else self.below(2, 9), signed=self.chance(0.2)),
            channels=self.chance(0.4),
            rounding=ROUNDINGS[self.below(0, len(ROUNDINGS))],
            seed=self.below(0, 2**31),
        )

    def network(self, cells: Sequence[str], directions: str) -> Graph:
        """The layers one after the other, and perhaps a dense one."""
        m, bits = self.maker, self.below(1, 9)
        at = m.input(self.below(1, MAX_INPUTS + 1), of_bits(bits, signed=self.chance(0.6)))
        for k, name in enumerate(cells):
            style, cell = self.style(), CELLS[name]
            if directions != "one" and k == 0:
                back = m.reverse(cell(m, style, m.reverse(at)))
                at = m.concat(cell(m, style, at), back)
            else:
                at = cell(m, style, at)
        return m.graph(self.head(at))

    def head(self, at: Value) -> Value:
        """All steps or the last one; as they are, or behind a dense layer."""
        if self.chance(0.4):
            at = self.maker.select(at)
        if self.chance(0.4):
            to = of_bits(self.below(2, 9), signed=True) if self.chance(0.5) else None
            at = self.maker.dense(at, self.below(1, 9), self.below(1, 9), to)
        return at

    def folding(
        self, graph: Graph, *, unrolled: bool, directions: str
    ) -> dict[str, dict[str, int]]:
        """A fold for each layer: any, dividing, one shared block, or all at once."""
        found: dict[str, dict[str, int]] = {}
        for layer in layers(whole_vectors(graph)):
            pe, simd = self.below(1, layer.units + 1), self.below(1, layer.columns + 1)
            kind = self.below(0, 4)
            if kind == 0 or unrolled:
                simd = layer.columns
            if kind == 1:
                pe, simd = divisor(layer.units, pe), divisor(layer.columns, simd)
            found[layer.name] = {"pe": layer.units if unrolled else pe, "simd": simd}
        if directions == "shared":
            scans = [s.out.name for s in graph.scans[:2]]
            found[scans[1]] = found[scans[0]]
        return found

    def lengths(self, streams: int) -> tuple[int, ...]:
        """A few sequences, fewer than streams or more."""
        count = self.below(1, 2 * streams + 5)
        found = [self.below(1, MAX_STEPS + 1) for _ in range(count)]
        while sum(found) > MAX_ROWS:
            found.pop()
        return tuple(found)


def divisor(n: int, near: int) -> int:
    """The largest divisor of n up to `near`."""
    return next(d for d in range(near, 0, -1) if n % d == 0)


def random_case(seed: int) -> Case:
    """Every choice comes from the seed; what gives too few numbers to see a fault is drawn anew."""
    drawn = (draw_case(Drawer(seed, attempt)) for attempt in count())
    return next(case for case in drawn if lively(case))


def lively(case: Case) -> bool:
    """The outputs differ, and so do those of the sequences."""
    found = model(case, inputs(case))
    return len(np.unique(np.concatenate(found))) >= LIVELY


def draw_case(d: Drawer) -> Case:
    """A case of the drawer's seed."""
    names = list(CELLS)
    first = names[d.seed % len(names)]
    cells = (first, names[d.below(0, len(names))]) if d.chance(0.3) else (first,)
    directions = DIRECTIONS[d.below(0, len(DIRECTIONS))]
    graph = d.network(cells, directions)
    unrolled = d.chance(0.2)
    streams = 1
    if directions == "one" and (unrolled or d.chance(0.5)):
        streams = d.below(2, MAX_STREAMS + 1)
    case = Case(
        seed=d.seed,
        cells=cells,
        graph=graph,
        board=BOARDS[d.below(0, len(BOARDS))],
        folding=d.folding(graph, unrolled=unrolled, directions=directions),
        pipeline=("clock", "latency")[d.below(0, 2)],
        streams=streams,
        directions=directions,
        multipliers=MULTIPLIERS[d.below(0, len(MULTIPLIERS))],
        lengths=d.lengths(streams),
    )
    case = possible(case)
    return covering(case) if unrolled and streams > 1 else case


def possible(case: Case) -> Case:
    """The case, with multipliers that its board has for factors of these widths."""
    try:
        case.design  # noqa: B018 - it is built here
    except DesignError:
        return replace(case, multipliers="auto")
    return case


def covering(case: Case) -> Case:
    """As many streams as hide the latency of every step, if twenty are enough."""
    latency = max(e.state_latency for e in case.design.engines if e.states)
    streams = min(latency, MAX_STREAMS)
    lengths = (case.lengths * streams)[: streams + 3]
    return replace(case, streams=streams, lengths=lengths)


def inputs(case: Case) -> list[Ints]:
    """Random sequences, extremes included."""
    return draw(case.design, case.lengths, case.seed)


def model(case: Case, sequences: Sequence[Ints]) -> list[Ints]:
    """What `hwrnn.run` says of each sequence, (steps, features); the plain C-model says the same
    of the first ones.
    """
    steps = max(map(len, sequences))
    x = np.stack([np.resize(s, (steps, s.shape[1])) for s in sequences])
    y = hwrnn.run(case.graph, x, integers=True, lengths=case.lengths)
    assert isinstance(y, np.ndarray)
    found = [
        row[:n] if row.ndim == 2 else row[None] for row, n in zip(y, case.lengths, strict=True)
    ]
    out = case.graph.outputs[0].out.name
    for q, expected in list(zip(sequences, found, strict=True))[:PLAIN_SEQUENCES]:
        made = run_plain(case.graph, {case.graph.inputs[0].out.name: q[:, None]})[out]
        same([made[:, 0] if made.ndim == 3 else made], [expected])
    return found


def check(case: Case) -> dict[str, object]:
    """RTL and C simulation == C-model, all handshakes where the schedule says."""
    design, sequences = case.design, inputs(case)
    expected = model(case, sequences)
    estimated = hwrnn.estimate(design).cycles(list(case.lengths))
    with naming(case, "csim"):
        same(simulate_csim(design, sequences), expected)
    for stalls in STALLS:
        with naming(case, f"rtl, {stalls}"):
            run = simulate_rtl(design, sequences, stalls=stalls)
            same(run.outputs, expected)
            agree("error bit", run.error, expected=False)
            scheduled(design, sequences, run)
            if stalls == Stalls():
                agree("cycles", run.cycles, estimated)
    return {"values": sum(y.size for y in expected), "cycles": estimated}


def agree(what: str, got: object, expected: object) -> None:
    """Fail with both."""
    if got != expected:
        raise AssertionError(f"{what}: {got}, not {expected}")


@contextmanager
def naming(case: Case, what: str) -> Iterator[None]:
    """A failure inside names the case."""
    try:
        yield
    except (AssertionError, HwrnnError) as fault:
        text = f"{what}, seed {case.seed}, {case}: {type(fault).__name__} {fault}"
        raise AssertionError(text) from fault


def facts(case: Case) -> dict[str, object]:
    """By what the sweep counts."""
    return {
        "cells": list(case.cells),
        "pipeline": case.pipeline,
        "streams": case.streams,
        "directions": case.directions,
        "multipliers": case.multipliers,
        "shared_block": case.shared_block,
    }
