# SPDX-License-Identifier: Apache-2.0
"""The netlist of the demo's model against the C-model, on the first digits of the test split.

python benchmarks/netlist_digits.py [sequences [board ...]]: trains, exports, synthesises,
simulates; prints a JSON line for each board, and ends with 1 if one of them differs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

import hwrnn
from hwrnn.demo.digits import load_digits
from hwrnn.demo.run import SEED, TARGETS, trained

T = TypeVar("T")
SEQUENCES = 100
FOLDING = {"pe": 1, "simd": 8}  # of boards that the demo does not know


def main(sequences: int, boards: list[str]) -> int:
    """The exit code."""
    digits = load_digits()
    graph = trained(digits, stages, SEED)[0].graph
    x = digits.test_x[:sequences]
    exact = hwrnn.run(graph, x, integers=True)
    known = {t.board: t.folding for t in TARGETS}
    ok = True
    for board in boards or known:
        design = hwrnn.build(graph, board, folding=known.get(board, FOLDING))
        synthesis, made = timed(lambda d=design: hwrnn.synthesise(d))
        first, _ = timed(lambda d=design: hwrnn.simulate(d, x[:1], engine="netlist"))
        again, found = timed(lambda d=design: hwrnn.simulate(d, x, engine="netlist"))
        cycles = hwrnn.simulate(design, x, engine="rtl").cycles
        differing = int((found.outputs != exact).sum())
        ok &= differing == 0 and found.cycles == cycles
        row = {
            "board": board,
            "sequences": len(x),
            "values": int(np.size(exact)),
            "differing": differing,
            "cycles": found.cycles,
            "cycles of rtl": cycles,
            "cells": str(made.total),
            "synthesis s": synthesis,
            "build s": first,
            "run s": again,
        }
        print(json.dumps(row), flush=True)
    return 0 if ok else 1


@contextmanager
def stages(name: str, _total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Says what the training is at."""
    print(name, file=sys.stderr, flush=True)
    yield lambda _: None


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """How long it takes, in s; its result."""
    start = time.perf_counter()
    result = work()
    return round(time.perf_counter() - start, 2), result


if __name__ == "__main__":
    count, *names = sys.argv[1:] or [str(SEQUENCES)]
    sys.exit(main(int(count), names))
