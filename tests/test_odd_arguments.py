# SPDX-License-Identifier: Apache-2.0
"""Odd arguments of the public functions: refused in words, or taken as what they plainly mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import GraphMaker

import hwrnn
from hwrnn.design.design import Design
from hwrnn.errors import DataError, DesignError, HwrnnError, OutputError
from hwrnn.ir import Graph

X = np.zeros((2, 3, 3), dtype=np.float32)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return GraphMaker(3).lstm(4).graph()


@pytest.fixture(scope="module")
def design(graph: Graph) -> Design:
    return hwrnn.build(graph)


def refused(kind: type[HwrnnError], call: Callable[[], Any]) -> str:
    """What it says."""
    with pytest.raises(kind) as fault:
        call()
    assert fault.value.place
    assert fault.value.fact
    assert fault.value.hint
    return str(fault.value)


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "2", 10**12])
def test_the_longest_sequence_is_a_number_with_a_limit(value: object, graph: Graph) -> None:
    assert refused(DesignError, lambda: hwrnn.build(graph, max_steps=value)) == (  # type: ignore[arg-type]
        f"option max_steps: is {value!r}\n  hint: a whole number from 1 to 16,777,216"
    )


@pytest.mark.parametrize("value", [0, -3, 2.5, True, "a", 10**12])
def test_the_steps_of_an_estimate_are_a_number_with_a_limit(value: object, design: Design) -> None:
    assert refused(DesignError, lambda: hwrnn.estimate(design, steps=value)) == (  # type: ignore[arg-type]
        f"option steps: is {value!r}\n  hint: a whole number from 1 to 100,000"
    )


def test_integers_of_numpy_are_numbers(graph: Graph) -> None:
    two: Any = np.int64(2)
    made = hwrnn.build(graph, folding={"pe": two, "simd": two}, streams=two, max_steps=two)
    assert made.folds[0][1].pe == 2
    assert made == hwrnn.build(graph, folding={"pe": 2, "simd": 2}, streams=2, max_steps=2)
    assert hwrnn.estimate(made, steps=two) == hwrnn.estimate(made, steps=2)


@pytest.mark.parametrize("lengths", [5, [1.5, 2], ["a", "b"]])
def test_lengths_are_numbers(lengths: object, graph: Graph) -> None:
    assert refused(DataError, lambda: hwrnn.run(graph, X, lengths=lengths)) == (  # type: ignore[arg-type]
        f"lengths: is {lengths!r}\n  hint: pass a whole number for each sequence"
    )


def test_flags_are_several(graph: Graph) -> None:
    assert refused(DataError, lambda: hwrnn.run(graph, X, first=True)) == (  # type: ignore[arg-type]
        "first: is True\n  hint: pass a flag for each fragment"
    )


def test_rows_of_different_lengths_are_no_array(graph: Graph) -> None:
    rows: Any = [[[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]]
    assert refused(DataError, lambda: hwrnn.run(graph, rows)) == (
        'input "x": is no array: its rows differ\n'
        "  hint: pad sequences of different lengths, and pass their lengths"
    )


def test_numbers_beyond_float32_are_refused_without_a_warning(graph: Graph) -> None:
    huge = np.full((1, 1, 3), 1e300)
    assert "holds inf at step 0" in refused(DataError, lambda: hwrnn.run(graph, huge))


def test_one_engine_by_its_name(graph: Graph) -> None:
    report = hwrnn.verify(graph, X, engines="cmodel")
    assert [e.engine for e in report.engines] == ["cmodel"]


def test_no_engine_proves_nothing(graph: Graph) -> None:
    assert refused(DesignError, lambda: hwrnn.verify(graph, X, engines=())) == (
        "option engines: is empty: nothing would be compared\n"
        "  hint: the engines are reference, cmodel, csim, rtl, hls_dpi, netlist"
    )


def test_a_waveform_has_a_place(design: Design, tmp_path: Path) -> None:
    assert refused(OutputError, lambda: hwrnn.simulate(design, X, trace=tmp_path)) == (
        f"{tmp_path}: is a folder\n  hint: name a file in it"
    )
    nowhere = tmp_path / "none" / "a.vcd"
    assert refused(OutputError, lambda: hwrnn.simulate(design, X, trace=nowhere)) == (
        f"{nowhere}: its folder does not exist\n  hint: create it first"
    )
