# SPDX-License-Identifier: Apache-2.0
"""What clock an engine of 128 multipliers reaches on an ECP5: `python benchmarks/bench_timing.py`.

An LSTM of 64 inputs and 128 units, 8 bits, power-of-two scales, pe 2, simd 16: 4 gates x 2 x 16
multipliers and six in the datapath, of the 156 of an ECP5-85 (speed grade 8). Four fixed seeds, all
shown; the bar is for the best. The same netlist, options and seed give the same clock, so a run
that was made before comes from the cache.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator

from bench_engine import ECP5_BOARD, LAYER, SPEED_GRADE, graph_of

import hwrnn
from hwrnn.backends.rtl import emit_rtl, top_name
from hwrnn.design.design import Design
from hwrnn.synth import Source, place
from hwrnn.synth.nextpnr import Placed, Step

SEEDS = (1, 2, 3, 4)
BAR_MHZ = 80
FOLDING = {"pe": 2, "simd": 16}
Row = dict[str, object]


def main() -> None:
    """Print the tables; exit with 1 if the bar is missed."""
    from bench import show

    design = build()
    source = Source(files=emit_rtl(design), top=top_name(design), family=design.board.family)
    placed = {s: place(design.board, source, seed=s, speed=SPEED_GRADE) for s in SEEDS}
    show(f"{design.name} on {ECP5_BOARD}, speed grade {SPEED_GRADE}", list(rows(placed)))
    best = max(placed.values(), key=lambda p: p.fmax_mhz)
    show("Critical path of the best", list(path_rows(best.path)))
    show("The same by unit", list(unit_rows(best.path)))
    if best.fmax_mhz < BAR_MHZ:
        sys.exit(1)


def build() -> Design:
    """The engine with a multiplier for each product: two of 8 bits do not fit 18 x 18."""
    return hwrnn.build(graph_of(LAYER), ECP5_BOARD, folding=FOLDING, multipliers="dsp")


def rows(placed: dict[int, Placed]) -> Iterator[Row]:
    """A line for each seed: the clock, and what the design takes by nextpnr's names."""
    for seed, found in placed.items():
        yield {"seed": seed, "MHz": f"{found.fmax_mhz:.1f}", **found.used}


def path_rows(path: tuple[Step, ...]) -> Iterator[Row]:
    """A line for each step of a path."""
    at = 0.0
    for step in path:
        at += step.delay_ns
        yield {
            "kind": step.kind,
            "ns": f"{step.delay_ns:.2f}",
            "until": f"{at:.2f}",
            "cell": step.cell,
            "net": step.net,
        }


def unit_rows(path: tuple[Step, ...]) -> Iterator[Row]:
    """The delay of a path by the instances that its cells stand in."""
    spent: dict[tuple[str, str], float] = defaultdict(float)
    for step in path:
        spent[unit_of(step.cell), step.kind] += step.delay_ns
    for (unit, kind), delay in spent.items():
        yield {"unit": unit, "kind": kind, "ns": f"{delay:.2f}"}


def unit_of(cell: str) -> str:
    """The instance that a cell stands in: the part of its name that is instances."""
    return ".".join(part for part in cell.split(".") if part.startswith("u_")) or cell


if __name__ == "__main__":
    main()
