# SPDX-License-Identifier: Apache-2.0
"""A wrong engine is caught, and its first wrong internal value is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from graphs import GraphMaker

import hwrnn
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import Design
from hwrnn.errors import Mismatch
from hwrnn.ir import AnyOp, Graph, Lut, MatVec
from hwrnn.sim import verify
from hwrnn.sim.locate import probes

Ints = np.ndarray


def network() -> Graph:
    return GraphMaker(3).lstm(4).select().dense(3, quantised=True).dense(2, "head").graph()


def broken(graph: Graph, value: str) -> Graph:
    """The graph with one op computing something else."""

    def bend(op: AnyOp, _: object) -> AnyOp:
        if op.out.name != value:
            return op
        if isinstance(op, Lut):
            return replace(op, table=tuple(reversed(op.table)))
        assert isinstance(op, MatVec)
        return replace(op, weights=type(op.weights)(op.weights.array[::-1]))

    return graph.rewrite(Lut, bend).rewrite(MatVec, bend)


def wrong_engine(value: str) -> Callable[..., tuple[list[Ints], None]]:
    """Stands in for run_engine."""

    def run(
        design: Design, sequences: list[Ints], *_: object, **__: object
    ) -> tuple[list[Ints], None]:
        graph = broken(design.graph, value)
        made = [run_plain(graph, {"x": q[:, None]}) for q in sequences]
        name = graph.outputs[0].out.name
        return [verify.sequence_part(m[name]) for m in made], None

    return run


@pytest.mark.parametrize(
    ("value", "layer"),
    [("lstm_f", "lstm"), ("lstm_c_tanh", "lstm"), ("fc", "fc"), ("head", "head")],
)
def test_the_first_wrong_value_is_named(
    value: str, layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "run_engine", wrong_engine(value))
    report = hwrnn.verify(network(), engines=("cmodel", "rtl"))
    right, wrong = report.engines
    assert right.differing == 0
    assert right.internal is None
    assert wrong.differing > 0
    assert wrong.internal is not None
    assert (wrong.internal.layer, wrong.internal.value) == (layer, value)
    assert not report.ok
    with pytest.raises(Mismatch) as fault:
        report.check()
    assert f"first inside: layer {layer}, %{value}, " in str(fault.value)


@pytest.mark.needs_sim
def test_every_probe_runs_on_hardware() -> None:
    graph = network()
    x = np.random.default_rng(0).integers(-128, 128, (1, 5, 3))
    want = run_plain(graph, {"x": x.transpose(1, 0, 2)})
    for probe in probes(graph):
        got = hwrnn.simulate(hwrnn.build(probe.graph), x, engine="csim").outputs
        exact = want[probe.value]
        exact = exact.transpose(1, 0, 2) if exact.ndim == 3 else exact
        assert np.array_equal(got, exact), probe.value
