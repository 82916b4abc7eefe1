# SPDX-License-Identifier: Apache-2.0
"""hwrnn.run: the C-model with real numbers in and out, whole batches and mixed lengths."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from graphs import GraphMaker

import hwrnn
from hwrnn.cmodel.plain import run_plain
from hwrnn.ir import Graph, Output, OutputGrid
from hwrnn.ir.exact import nearest_float32

GRIDS = {
    "one scale": OutputGrid(scale=(Fraction(float(np.float32(0.0123))),)),
    "with offsets": OutputGrid(
        scale=(Fraction(1, 3),), offset=tuple(Fraction(k, 7) for k in (-3, 0, 9))
    ),
    "a scale a unit": OutputGrid(scale=(Fraction(1, 3), Fraction(1, 4), Fraction(2, 5))),
}


def network(grid: OutputGrid, *, last: bool) -> Graph:
    maker = GraphMaker(4).lstm(6)
    if last:
        maker.select()
    graph = maker.dense(3).graph()
    ops = tuple(replace(op, grid=grid) if isinstance(op, Output) else op for op in graph.ops)
    return replace(graph, ops=ops)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("grid", GRIDS)
def test_real_outputs_are_rounded_once(grid: str, last: bool) -> None:
    graph = network(GRIDS[grid], last=last)
    x = np.random.default_rng(1).integers(-128, 128, (5, 7, 4))
    exact = run_plain(graph, {"x": x.transpose(1, 0, 2)})["y"]
    q = exact if last else exact.transpose(1, 0, 2)
    assert np.array_equal(np.asarray(hwrnn.run(graph, x, integers=True)), q)
    real = hwrnn.run(graph, x)
    assert isinstance(real, np.ndarray)
    assert real.dtype == np.float32
    scale, offset = GRIDS[grid].scale, GRIDS[grid].offset
    for at in np.ndindex(q.shape):
        j = at[-1]
        want = scale[j % len(scale)] * int(q[at]) + offset[j % len(offset)]
        assert real[at] == nearest_float32(want)


def test_mixed_lengths_are_each_run_by_themselves() -> None:
    graph = network(GRIDS["with offsets"], last=False)
    x = np.random.default_rng(2).integers(-128, 128, (4, 6, 4))
    lengths = [6, 2, 5, 2]
    together = hwrnn.run(graph, x, integers=True, lengths=lengths)
    assert isinstance(together, np.ndarray)
    for b, n in enumerate(lengths):
        alone = hwrnn.run(graph, x[b : b + 1, :n], integers=True)
        assert np.array_equal(together[b, :n], np.asarray(alone)[0])
        assert not together[b, n:].any()
