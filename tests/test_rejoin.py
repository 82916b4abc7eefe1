# SPDX-License-Identifier: Apache-2.0
"""Branches of different delay that meet again: no design deadlocks, whatever its folding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from rtl.bench import BOARD, check, draw, lower, reference
from rtl.graphs import Build

from hwrnn.design.design import Design, Fork, Kernel, SelectStep
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options
from hwrnn.design.timing import schedule
from hwrnn.errors import DesignError
from hwrnn.ir import Graph, Step, Value
from hwrnn.ir.types import of_bits

S6 = of_bits(6, signed=True)
STEPS = 5
Shape = Callable[[Build, Value], Value]


def halves(b: Build, x: Value, first: Step = Step.LAST, second: Step = Step.FIRST) -> Value:
    return b.concat(b.select(b.lstm(x, 6), first), b.select(x, second))


def flat(b: Build, x: Value) -> Value:
    return b.flatten(x, STEPS)


def reduced(b: Build, x: Value) -> Value:
    return b.dense(flat(b, b.lstm(x, 6)), 4, to=S6)


SHAPES: dict[str, Shape] = {
    "skip": lambda b, x: b.concat(b.lstm(x, 6), x),
    "skip first": lambda b, x: b.concat(x, b.lstm(x, 6)),
    "skip over two": lambda b, x: b.concat(b.lstm(b.lstm(x, 6), 5), x),
    "skip in skip": lambda b, x: b.concat(b.lstm(SHAPES["skip"](b, x), 5), x),
    "two engines": lambda b, x: b.concat(b.lstm(x, 6), b.lstm(b.lstm(x, 6), 5)),
    "last and first": halves,
    "first and last": lambda b, x: halves(b, x, Step.FIRST, Step.LAST),
    "two steps of one": lambda b, x: b.dense(b.concat(b.select(x, Step.FIRST), b.select(x)), 3),
    "beside both directions": lambda b, x: b.concat(b.bidirectional(x, 5), x),
    "behind a layer": lambda b, x: b.concat(b.bidirectional(b.lstm(x, 6), 5), x),
    "whole sequence": lambda b, x: b.concat(reduced(b, x), flat(b, x)),
    "whole sequence first": lambda b, x: b.concat(flat(b, x), b.select(b.lstm(x, 6))),
}
REVERSED = ("beside both directions", "behind a layer")


def made(name: str, fold: tuple[int, int], features: int = 40) -> tuple[Graph, Design]:
    b = Build(3)
    graph = b.graph(SHAPES[name](b, b.input(features, S6)))
    return graph, lower(graph, *fold, STEPS if name in REVERSED else None)


def lengths(design: Design) -> list[int]:
    return [STEPS] * 3 if design.source.fixed_steps else [3, 5, 1, 4]


@pytest.mark.parametrize("fold", [(1, 1), (2, 2), (3, 16)])
@pytest.mark.parametrize("name", SHAPES)
def test_nothing_deadlocks(name: str, fold: tuple[int, int]) -> None:
    """Vectors of 40 elements: far more than the converters in between hold."""
    _, design = made(name, fold)
    assert schedule(design, lengths(design)).cycles > 0


def shallow(kernel: Kernel) -> Kernel:
    """The kernel with two entries behind it, if it is one whose depth is derived from joins."""
    match kernel:
        case Fork():
            return replace(kernel, outs=tuple(replace(s, depth=2) for s in kernel.outs))
        case SelectStep():
            return replace(kernel, out=replace(kernel.out, depth=2))
        case _:
            return kernel


@pytest.mark.parametrize("name", ["skip", "last and first", "whole sequence"])
def test_two_entries_deadlock(name: str) -> None:
    """The room is needed: with registers for FIFOs the same designs stand still."""
    _, design = made(name, (2, 2))
    kernels = [shallow(k) for k in design.kernels]
    with pytest.raises(RuntimeError, match="deadlocks"):
        schedule(replace(design, kernels=tuple(kernels)), lengths(design))


@pytest.mark.needs_sim
@pytest.mark.parametrize("name", ["skip", "last and first", "behind a layer"])
def test_in_simulation(name: str) -> None:
    graph, design = made(name, (2, 2), features=9)
    sequences = draw(design, lengths(design))
    check(design, sequences, reference(graph, sequences))


def test_first_beside_last_is_refused_with_streams() -> None:
    b = Build(3)
    graph = b.graph(halves(b, b.input(4, S6)))
    with pytest.raises(DesignError, match="joins first steps with last steps"):
        build_design(graph, BOARD, None, None, Options(streams=2))
