# SPDX-License-Identifier: Apache-2.0
"""The fast C-model equals the plain one on networks from the whole option space."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pytest

from hwrnn.cmodel.data import take_batch
from hwrnn.cmodel.fast import compile_graph
from hwrnn.cmodel.plain import run_plain
from hwrnn.flow import export, load

SEED, BATCH = 1, 33
SPECS = [  # a flattened sequence cannot be an output
    spec for spec in networks.sample(46, SEED) if spec.dense or spec.select != "flatten"
]


@pytest.mark.needs_train
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.seed))
def test_random_networks(spec: networks.NetworkSpec, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    export(networks.build(spec), networks.inputs(spec, spec.steps, 2, 0), path)
    g = load(path)
    steps = spec.steps if spec.select == "flatten" else spec.steps + 3
    x = {g.inputs[0].out.name: take_batch(g, networks.inputs(spec, steps, BATCH, 7)).q}
    got, want = compile_graph(g).run(x), run_plain(g, x)
    for name, q in got.items():
        assert np.array_equal(q, want[name])
