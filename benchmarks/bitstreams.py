# SPDX-License-Identifier: Apache-2.0
"""Bitstreams of the digits on the three open boards: python benchmarks/bitstreams.py [--seeds N].

Trains the network of the demo (LSTM 8 -> 32 -> 10) for the ULX3S and the Tang Nano 20K, and the
small one of examples/icebreaker_digits.py for the iCEBreaker. Minutes are those of the first run,
with an empty cache (HWRNN_CACHE names another one).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hwrnn
from hwrnn.backends.board_top import at_clock
from hwrnn.board import load_board
from hwrnn.cli_print import print_table
from hwrnn.demo import training
from hwrnn.demo.digits import accuracy, load_digits
from hwrnn.ir import Graph
from hwrnn.synth import Bitstream, bitstream

sys.path.append(str(Path(__file__).parent.parent / "examples"))
import icebreaker_digits as small


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A board, the clock that is wanted, and how the design is built for it."""

    board: str
    mhz: float
    model: str
    options: dict[str, object]


CASES = (
    Case(
        board="ulx3s_85f",
        mhz=80,
        model="demo",
        options={"folding": {"pe": 1, "simd": 8}, "multipliers": "dsp"},
    ),
    Case(
        board="tang_nano_20k",
        mhz=54,
        model="demo",
        options={"folding": {"pe": 1, "simd": 8}},
    ),
    Case(board="icebreaker", mhz=12, model="small", options={"folding": small.FOLDING}),
)


def main(seeds: int, only: str | None) -> None:
    """Build, place and pack; print a row for each board and seed."""
    digits = load_digits()
    chosen = [case for case in CASES if only in (None, case.board)]
    graphs = {name: graph(name) for name in {case.model for case in chosen}}
    right = {n: accuracy(hwrnn.run(g, digits.test_x), digits.test_y) for n, g in graphs.items()}
    rows = [
        row
        for case in chosen
        for row in made(case, graphs[case.model], right[case.model], range(1, seeds + 1))
    ]
    print_table("digits on open boards, shell included", rows)


def graph(name: str) -> Graph:
    """A trained network as integers."""
    digits = load_digits()
    if name == "small":
        network = small.train(digits)
    else:
        start = training.train_float(digits, lambda _: None, seed=0)
        network = training.train_quantised(start, digits, lambda _: None, seed=0)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "digits.onnx")
        hwrnn.export(network, digits.test_x[:1], path)
        return hwrnn.load(path)


def made(case: Case, model: Graph, right: float, seeds: range) -> Iterator[dict[str, object]]:
    """A row for each seed."""
    board = at_clock(load_board(case.board), case.mhz)
    design = hwrnn.build(model, board, **case.options)
    for seed in seeds:
        start = time.perf_counter()
        found = bitstream(design, seed=seed)
        yield row(found, right, (time.perf_counter() - start) / 60)


def row(found: Bitstream, right: float, minutes: float) -> dict[str, object]:
    """What a bitstream takes and reaches."""
    total, e = found.total, found.estimate
    clock = found.on_board.clock_mhz
    return {
        "board": found.design.board.name,
        "seed": found.seed,
        "clock MHz": f"{clock:.1f}",
        "reached MHz": f"{found.placed.fmax_mhz:.1f}",
        "LUT": f"{total.luts + total.lut_rams:,}",
        "FF": f"{total.ffs:,}",
        "DSP": f"{total.dsps}",
        "block RAM": f"{total.block_rams:g}",
        "bytes": f"{len(found.data):,}",
        "cycles a digit": f"{e.latency_cycles:,}",
        "ms a digit": f"{e.latency_cycles / clock / 1000:.3f}",
        "accuracy": f"{100 * right:.2f} %",
        "minutes": f"{minutes:.1f}",
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--board", choices=[case.board for case in CASES])
    given = parser.parse_args()
    main(given.seeds, given.board)
