# SPDX-License-Identifier: Apache-2.0
"""Networks of published shapes, random weights: each builds, and csim and rtl equal the C-model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

import hwrnn
from hwrnn.cmodel.plain import run_plain
from hwrnn.cmodel.saturation import saturation
from hwrnn.design.design import Design
from hwrnn.ir import Graph

pytestmark = [pytest.mark.needs_train, pytest.mark.needs_sim]
pytest.importorskip("torch")

import shapes  # noqa: E402 - only with torch

each_shape = pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda s: s.name)


@dataclass(frozen=True, eq=False)
class Built:
    """A shape's graph and design, and integer sequences, the second one shorter if it may be."""

    graph: Graph
    design: Design
    x: np.ndarray
    lengths: list[int]

    def expected(self) -> np.ndarray:
        found = hwrnn.run(self.graph, self.x, lengths=self.lengths, integers=True)
        assert isinstance(found, np.ndarray)
        return found


Maker = Callable[[shapes.Shape], Built]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    @cache
    def make(shape: shapes.Shape) -> Built:
        path = tmp_path_factory.mktemp("shape") / f"{shape.name}.onnx"
        hwrnn.export(shape.build(), shape.inputs(1), path)
        graph = hwrnn.load(path)
        design = hwrnn.build(graph, shape.board, folding=shape.folding, max_steps=shape.steps)
        shorter = shape.steps if shape.spec.select == "flatten" else shape.steps // 3
        return Built(graph, design, shape.inputs(2, seed=9), [shape.steps, shorter])

    return make


@each_shape
def test_values_are_lively_and_both_models_agree(built: Maker, shape: shapes.Shape) -> None:
    b = built(shape)
    q = np.asarray(hwrnn.run(b.graph, b.x, integers=True))
    port = b.graph.inputs[0]
    values = run_plain(b.graph, {port.out.name: quantised(b)})
    assert np.array_equal(plain_output(b, values), q)
    for share in saturation(b.graph, [values]):
        relu = share.quantiser.startswith("head")  # its clamp is what a ReLU is for
        assert share.share < (0.7 if relu else 0.1), share
    for name, value in values.items():
        if name.endswith(("_acc_q", "_c_next", "_h_next")):
            assert len(np.unique(value)) >= 12, name


def quantised(b: Built) -> np.ndarray:
    from hwrnn.cmodel.data import take_batch

    return take_batch(b.graph, b.x).q


def plain_output(b: Built, values: dict[str, np.ndarray]) -> np.ndarray:
    found = values[b.graph.outputs[0].out.name]
    return found.swapaxes(0, 1) if found.ndim == 3 else found


@each_shape
def test_csim(built: Maker, shape: shapes.Shape) -> None:
    b = built(shape)
    got = hwrnn.simulate(b.design, b.x, engine="csim", lengths=b.lengths)
    assert np.array_equal(got.outputs, b.expected())


@each_shape
def test_rtl_in_the_estimated_cycles(built: Maker, shape: shapes.Shape) -> None:
    b = built(shape)
    got = hwrnn.simulate(b.design, b.x, engine="rtl", lengths=b.lengths)
    assert np.array_equal(got.outputs, b.expected())
    assert got.cycles == hwrnn.estimate(b.design).cycles(b.lengths)
