# SPDX-License-Identifier: Apache-2.0
"""A port that stands still for 10,000 cycles and then goes on: nothing is lost, nothing deadlocks.

Every handshake is where the schedule says, given when the ports moved: so that what piles up
behind a stalled port is what the depths of the FIFOs allow, no more and no less.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rtl.bench import BOARD, check, draw, lower, reference
from rtl.graphs import Build

from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options
from hwrnn.ir import Graph
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import Stalls

pytestmark = pytest.mark.needs_sim

LONG = 10_000
LENGTHS = (3, 5, 4)
S8 = of_bits(8, signed=True)


def two_layers() -> tuple[Graph, Design]:
    b = Build(1)
    graph = b.graph(b.dense(b.lstm(b.lstm(b.input(5, S8), 6), 4), 3))
    return graph, lower(graph, 2, 2)


def bidirectional() -> tuple[Graph, Design]:
    b = Build(2)
    graph = b.graph(b.dense(b.bidirectional(b.input(5, S8), 4), 3))
    return graph, lower(graph, 2, 2, max_steps=max(LENGTHS))


def streams() -> tuple[Graph, Design]:
    b = Build(3)
    graph = b.graph(b.dense(b.lstm(b.input(5, S8), 4), 3))
    chosen = Options(streams=3)
    return graph, build_design(graph, BOARD, {"pe": 2, "simd": 2}, None, chosen)


@pytest.mark.parametrize("make", [two_layers, bidirectional, streams])
def test_long_stalls(make: Callable[[], tuple[Graph, Design]]) -> None:
    """The source idles in mid-sequence, the sink stalls there, both, and both from the start."""
    graph, design = make()
    sequences = draw(design, LENGTHS)
    half_in = sum(LENGTHS) * design.source.out.beats // 2
    half_out = sum(LENGTHS) * design.sink.x.beats // 2
    stalls = [
        Stalls(input_pause=(half_in, LONG)),
        Stalls(output_pause=(half_out, LONG)),
        Stalls(input_pause=(half_in, LONG), output_pause=(half_out // 2, LONG)),
        Stalls(input_pause=(1, LONG), output_pause=(0, 2 * LONG)),
    ]
    check(design, sequences, reference(graph, sequences), stalls)
