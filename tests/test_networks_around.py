# SPDX-License-Identifier: Apache-2.0
"""Networks with convolutions, pools, means, tables, repeated states and residuals: exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import hwrnn
from hwrnn.errors import DataError, DesignError

pytestmark = pytest.mark.needs_train

Networks = dict[str, tuple[Path, NDArray[Any], NDArray[Any]]]

NAMES = (
    "padded pool",
    "embedding, time first",
    "sum behind an embedding",
    "convolution",
    "grouped convolution",
    "mean",
    "maximum",
    "embedding",
    "autoencoder",
    "residual",
    "branches",
)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    from around_modules import modules

    folder = tmp_path_factory.mktemp("around")
    found = {}
    for name, (module, example) in modules().items():
        path = folder / f"{name.replace(' ', '_')}.onnx"
        hwrnn.export(module, example, path)
        y = module(example)
        found[name] = (path, example.numpy(), getattr(y, "value", y).detach().numpy())
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_c_model_equals_the_module(name: str, networks: Networks) -> None:
    path, x, y = networks[name]
    graph = hwrnn.load(path)
    np.testing.assert_array_equal(hwrnn.run(graph, x), y)
    assert hwrnn.verify(graph, x, engines=("reference", "cmodel")).ok


@pytest.mark.needs_sim
@pytest.mark.parametrize("name", ["grouped convolution", "embedding", "autoencoder"])
def test_csim_equals_the_c_model(name: str, networks: Networks) -> None:
    path, x, _ = networks[name]
    graph = hwrnn.load(path)
    design = hwrnn.build(graph, "pynq_z2", folding={"pe": 1, "simd": 1})
    found = hwrnn.simulate(design, x, engine="csim")
    np.testing.assert_array_equal(found.outputs, hwrnn.run(graph, x, integers=True))


@pytest.mark.needs_sim
def test_rtl_gives_the_largest_on_time(networks: Networks) -> None:
    path, x, y = networks["convolution"]
    design = hwrnn.build(hwrnn.load(path), "pynq_z2", folding={"pe": 1, "simd": 1}, argmax=True)
    found = hwrnn.simulate(design, x, engine="rtl")
    np.testing.assert_array_equal(found.outputs, y.argmax(-1))
    assert found.cycles == hwrnn.estimate(design).cycles(len(x))


def test_a_network_without_one_output_has_no_largest(networks: Networks) -> None:
    graph = hwrnn.load(networks["branches"][0])
    with pytest.raises(DesignError) as caught:
        hwrnn.build(graph, "pynq_z2", argmax=True)
    assert str(caught.value) == (
        "option argmax: branches has no single output with features\n"
        "  hint: return the scores of the classes alone"
    )


def test_an_index_beyond_the_table_is_refused(networks: Networks) -> None:
    graph = hwrnn.load(networks["embedding"][0])
    with pytest.raises(DataError) as caught:
        hwrnn.run(graph, np.full((1, 3), 11))
    assert str(caught.value).startswith(
        'input "x": holds the integer 11; the quantised input has the range 0..10'
    )


def test_a_sequence_that_is_too_short_for_its_windows_is_refused(
    networks: Networks,
) -> None:
    graph = hwrnn.load(networks["grouped convolution"][0])
    with pytest.raises(DataError) as caught:
        hwrnn.run(graph, np.zeros((1, 2, 4), np.float32))
    assert str(caught.value) == (
        'input "x": has 2 steps; that is too short for a window of 3\n  hint: pass longer sequences'
    )
