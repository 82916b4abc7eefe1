# SPDX-License-Identifier: Apache-2.0
"""How often a clamp is at work: counted at the input and at every requantiser."""

from __future__ import annotations

import numpy as np
from graphs import GraphMaker

import hwrnn
from hwrnn.cmodel.saturation import input_saturation, saturation
from hwrnn.ir import Graph, Requant, walk


def test_shares_are_those_of_the_values_beyond_the_range() -> None:
    graph = GraphMaker(2).lstm(3).dense(2, quantised=True).graph()
    real = np.zeros((1, 4, 2), dtype=np.float32)
    real[0, 0, 0] = 9.0  # the input's range ends at 127 / 64
    assert input_saturation(graph, real)[0].share == 1 / 8
    assert input_saturation(graph, (real * 0).astype(int)) == ()
    fc = np.array([[[5000, -3000], [0, 1]]])  # divided by 16, clamped to -128..127
    run = {op.x: np.zeros((1, 1, 3), dtype=np.int64) for op in requants(graph)}
    found = {s.quantiser: s for s in saturation(graph, [run | {"fc": fc}])}
    assert found["fc_q"].share == 2 / 4
    assert found["fc_q"].values == 4


def test_verify_reports_every_quantiser() -> None:
    graph = GraphMaker(2).lstm(3).graph()
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    report = hwrnn.verify(graph, x, engines=("cmodel",))
    names = [s.quantiser for s in report.saturation]
    assert names[0] == "x"
    assert {op.out.name for op in requants(graph)} == set(names[1:])


def requants(graph: Graph) -> list[Requant]:
    return [op for op in walk(graph.ops) if isinstance(op, Requant)]
