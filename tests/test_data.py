# SPDX-License-Identifier: Apache-2.0
"""Arrays at the door: every bad one is refused in words, every good one quantised exactly."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import GraphMaker

from hwrnn.cmodel.data import arrange, take_batch
from hwrnn.errors import DataError
from hwrnn.ir import Flatten, Graph, Output, OutputGrid, Value
from hwrnn.transforms.pipeline import run_pipeline

GOOD = np.zeros((2, 5, 3), dtype=np.float32)  # batch, steps, features


def lstm() -> Graph:
    return GraphMaker(3).lstm(4).graph()


def with_nan() -> np.ndarray:
    x = GOOD.copy()
    x[1, 4, 2] = np.nan
    return x


BAD = [
    (
        GOOD[0],
        'input "x": has 2 dimensions\n  hint: pass an array of shape (batch, steps, 3)',
    ),
    (
        np.zeros((2, 5, 4)),
        'input "x": has the shape (2, 5, 4)\n  hint: pass an array of shape (batch, steps, 3)',
    ),
    (
        np.zeros((2, 0, 3)),
        'input "x": is empty: its shape is (2, 0, 3)\n  hint: pass at least one step',
    ),
    (
        with_nan(),
        'input "x": holds nan at step 4, sequence 1, feature 2\n'
        "  hint: remove values that are not finite (float32)",
    ),
    (
        GOOD.astype(complex),
        'input "x": has the type complex128\n  hint: pass float32, or quantised integers',
    ),
    (
        np.full((2, 5, 3), "a"),
        'input "x": has the type <U1\n  hint: pass float32, or quantised integers',
    ),
    (
        np.full((2, 5, 3), 128),
        'input "x": holds the integer 128; the quantised input has the range -128..127\n'
        "  hint: an integer array is taken as already quantised; pass floats to quantise them",
    ),
]


@pytest.mark.parametrize(("x", "message"), BAD)
def test_bad_arrays_are_refused_in_words(x: np.ndarray, message: str) -> None:
    with pytest.raises(DataError) as fault:
        take_batch(lstm(), x)
    assert str(fault.value) == message


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([5], "lengths: has 1 entries for 2 sequences"),
        ([5, 0], "lengths: 0 is not between 1 and the 5 steps of the array"),
        ([6, 1], "lengths: 6 is not between 1 and the 5 steps of the array"),
    ],
)
def test_bad_lengths_are_refused_in_words(lengths: list[int], message: str) -> None:
    with pytest.raises(DataError) as fault:
        take_batch(lstm(), GOOD, lengths)
    assert f"{fault.value.place}: {fault.value.fact}" == message
    assert fault.value.hint


def test_a_flatten_fixes_the_steps() -> None:
    maker = GraphMaker(3).lstm(4)
    flat = Value(name="flat", type=maker.at.type, size=4 * 6)
    maker.ops.append(Flatten(out=flat, x=maker.at.name, steps=6))
    maker.at = flat
    with pytest.raises(DataError) as fault:
        take_batch(maker.dense(2).graph(), GOOD)
    assert str(fault.value) == (
        'input "x": has 5 steps; the model flattens sequences of exactly 6\n'
        "  hint: pass sequences of 6 steps"
    )


def test_floats_are_quantised_and_integers_kept() -> None:
    real = np.zeros((1, 2, 3), dtype=np.float32)
    real[0, :, 0] = [0.5 / 64, 1.5 / 64]  # ties: to even
    real[0, :, 1] = [-5, 5]  # beyond the range: clamped
    batch = take_batch(lstm(), real)
    assert batch.q[:, 0, 0].tolist() == [0, 2]
    assert batch.q[:, 0, 1].tolist() == [-128, 127]
    again = take_batch(lstm(), batch.q.transpose(1, 0, 2).astype(np.int8))
    assert np.array_equal(again.q, batch.q)
    assert batch.lengths == (2,)


def test_sequences_of_their_own_length_are_filled_up_with_zeros() -> None:
    v = Value(name="y", type=lstm().outputs[0].out.type, size=1, sequence=True)
    out = Output(out=v, x="x", grid=OutputGrid(scale=(1,)), axes=("B", "T", "F"))  # type: ignore[arg-type]
    parts = [np.array([[1], [2], [3]]), np.array([[4]])]
    assert arrange(out, parts)[:, :, 0].tolist() == [[1, 2, 3], [4, 0, 0]]


def test_the_pipeline_leaves_a_finished_graph_alone() -> None:
    graph = lstm()
    assert run_pipeline(graph) == graph
