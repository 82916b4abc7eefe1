# SPDX-License-Identifier: Apache-2.0
"""Networks in RTL equal the C-model bit for bit, and the schedule cycle for cycle."""

from __future__ import annotations

import pytest
from rtl.bench import check_graph
from rtl.graphs import Build
from rtl.networks import random_network

from hwrnn.design.latency import Pipeline
from hwrnn.design.options import Options
from hwrnn.ir import Step
from hwrnn.ir.types import of_bits

pytestmark = pytest.mark.needs_sim

S8, U4, S2 = of_bits(8, signed=True), of_bits(4, signed=False), of_bits(2, signed=True)


@pytest.mark.parametrize(("pe", "simd"), [(1, 1), (2, 3), (3, 4), (5, 5)])
def test_lstm_foldings(pe: int, simd: int) -> None:
    b = Build(1)
    check_graph(b.graph(b.lstm(b.input(3, S8), 5, channels=True)), pe=pe, simd=simd)


@pytest.mark.parametrize("units", [1, 2, 7])
def test_rnn_sizes(units: int) -> None:
    b = Build(units)
    check_graph(b.graph(b.rnn(b.input(4, U4), units)), pe=max(units // 2, 1), simd=min(units, 4))


@pytest.mark.parametrize(("pe", "simd"), [(1, 2), (4, 5), (6, 5)])
def test_state_that_no_matrix_multiplies(pe: int, simd: int) -> None:
    b = Build(3)
    check_graph(b.graph(b.rnn(b.input(5, S8), 6, diagonal=True)), pe=pe, simd=simd)


def test_two_layers_and_a_dense_one() -> None:
    b = Build(5)
    x = b.lstm(b.input(4, U4), 7)
    check_graph(b.graph(b.dense(b.lstm(x, 9, channels=True), 5)), pe=2, simd=5)


def test_power_of_two_scales() -> None:
    b = Build(6, power_of_two=True)
    x = b.lstm(b.input(4, U4), 7, channels=True)
    check_graph(b.graph(b.dense(x, 5, to=S2)), pe=3, simd=4)


@pytest.mark.parametrize("step", list(Step))
def test_one_step_of_a_layer(step: Step) -> None:
    b = Build(7)
    x = b.select(b.lstm(b.input(6, S8), 5), step)
    check_graph(b.graph(b.dense(x, 7, to=of_bits(6, signed=False))), pe=5, simd=3)


def test_one_step_and_all_steps() -> None:
    """Two readers of one layer, so that the step is picked behind it."""
    b = Build(8)
    x = b.lstm(b.input(6, S8), 5)
    y = b.rnn(x, 3)
    check_graph(b.graph(b.concat(b.select(x), b.select(y))), pe=2, simd=3)


def test_flatten() -> None:
    b = Build(9)
    x = b.flatten(b.lstm(b.input(6, S8), 5), 4)
    check_graph(b.graph(b.dense(x, 7)), (4, 4, 4), pe=3, simd=4)


@pytest.mark.parametrize("last", [False, True])
def test_bidirectional(last: bool) -> None:
    b = Build(10)
    x = b.bidirectional(b.input(3, S8), 5)
    result = b.select(x) if last else b.dense(x, 4)
    check_graph(b.graph(result), pe=2, simd=3, max_steps=8)


@pytest.mark.parametrize("step", list(Step))
def test_layers_on_several_streams(step: Step) -> None:
    """First and last steps are those of each stream's own sequences, in every kernel."""
    b = Build(12)
    x = b.lstm(b.input(4, S8), 5, channels=True)
    y = b.concat(b.select(b.rnn(x, 3), step), b.select(x, step))
    options = Options(streams=3, pipeline=Pipeline.LATENCY)
    check_graph(b.graph(b.dense(y, 6, to=S2)), (5, 1, 2, 7, 3, 1, 4), pe=2, simd=3, options=options)


@pytest.mark.parametrize("seed", range(10))
def test_random_networks(seed: int) -> None:
    network = random_network(1000 + seed)
    check_graph(
        network.graph,
        network.lengths,
        pe=network.pe,
        simd=network.simd,
        max_steps=network.max_steps,
    )
