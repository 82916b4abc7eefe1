# SPDX-License-Identifier: Apache-2.0
"""Small networks behind a serial line, for the tests of the shell and of the host library."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rtl.graphs import Build

import hwrnn
from hwrnn.backends.files import FileSet
from hwrnn.backends.shell import emit_shell
from hwrnn.board import load_board
from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options
from hwrnn.ir import AnyOp, Graph, Input, Output, OutputGrid, Quantiser
from hwrnn.ir.rounding import Rounding
from hwrnn.ir.types import Rationals, of_bits

SCALE = Fraction(float(np.float32(0.037)))
BOARD = load_board("icebreaker")


def with_grids(graph: Graph, quantiser: Quantiser, grid: OutputGrid) -> Graph:
    """The same integers behind other real numbers."""
    ops: list[AnyOp] = []
    for op in graph.ops:
        if isinstance(op, Input):
            ops.append(replace(op, quantiser=quantiser))
        elif isinstance(op, Output):
            ops.append(replace(op, grid=grid))
        else:
            ops.append(op)
    return replace(graph, ops=tuple(ops)).verify()


@cache
def steps_graph() -> Graph:
    """A vector for each step, 2 -> 4 -> 2; scales of their own for each feature and channel."""
    b, t = Build(1), of_bits(8, signed=True)
    graph = b.graph(b.dense(b.lstm(b.input(2, t), 4), 2))
    scale: Rationals = (SCALE, SCALE / 3)
    quantiser = Quantiser(scale=tuple(Fraction(float(np.float32(float(s)))) for s in scale), type=t)
    grid = OutputGrid(scale=(SCALE / 7, SCALE), offset=(Fraction(1, 3), Fraction(-5)))
    return with_grids(graph, replace(quantiser, rounding=Rounding.HALF_UP), grid)


@cache
def last_graph() -> Graph:
    """The last step of a sequence; 3 features of 4 bits, two lanes; slower than its line."""
    b, t = Build(2), of_bits(4, signed=False)
    graph = b.graph(b.select(b.lstm(b.input(3, t), 24)), "slow")
    return with_grids(graph, Quantiser(scale=(SCALE,), type=t), OutputGrid(scale=(SCALE,)))


def ran(graph: Graph, x: NDArray[Any], **options: object) -> NDArray[Any]:
    """What the C-model makes of it; the graph has one output."""
    y = hwrnn.run(graph, x, **options)  # type: ignore[arg-type]
    assert isinstance(y, np.ndarray)
    return y


@cache
def steps_design() -> Design:
    """Beats of two features, each of one byte; two results of two bytes, one a beat."""
    return build_design(steps_graph(), BOARD, {"pe": 1, "simd": 2}, None, None)


@cache
def last_design() -> Design:
    """Two features of half a byte in a beat; results of one byte. Of two streams one is used."""
    return build_design(last_graph(), BOARD, {"pe": 1, "simd": 2}, None, Options(streams=2))


@cache
def steps_board(divisor: int = 4) -> FileSet:
    """The project of `steps_design`."""
    return emit_shell(steps_design(), divisor)


@cache
def last_board() -> FileSet:
    """The project of `last_design`."""
    return emit_shell(last_design(), 4)
