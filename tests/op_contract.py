# SPDX-License-Identifier: Apache-2.0
"""What every op has to keep; a new op gets it all for a subclass of a few lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from hwrnn.cmodel.fast import compile_graph
from hwrnn.cmodel.plain import run_plain
from hwrnn.errors import VerifyError
from hwrnn.ir import Graph
from hwrnn.ir.text import parse_graph, print_graph
from hwrnn.transforms.realise import realise_requants

Vector = list[int]
Steps = list[Vector]
Ints = NDArray[np.int64]
Engine = Callable[[Graph, Mapping[str, Ints]], Mapping[str, Ints]]

# Each engine is held to the naive Python of each op; csim and rtl join here.
ENGINES: dict[str, Engine] = {
    "plain": run_plain,
    "fast": lambda g, x: compile_graph(g).run(x),
}

STEPS, BATCH = 4, 16


@dataclass(frozen=True)
class Mutant:
    """A change of the text, and the whole message which the changed graph gets."""

    old: str
    new: str
    message: str
    hint: str = ""


class OpContract:
    """Subclasses give the op as text, its meaning in plain Python, and mutants.

    `op` makes %y from the values of `inputs`. `naive` takes, for one sequence, the steps of each
    input (a vector has one step) and returns the steps of %y.
    """

    inputs: ClassVar[dict[str, str]] = {"x": "-8..7 x 3 seq"}
    op: ClassVar[str]
    mutants: ClassVar[tuple[Mutant, ...]]

    def naive(self, *operands: Steps) -> Steps:
        raise NotImplementedError

    def graph(self, op: str | None = None) -> Graph:
        return parse_graph(graph_text(self.inputs, op or self.op))

    @pytest.mark.parametrize("engine", ENGINES)
    def test_engine_equals_naive_python(self, engine: str) -> None:
        g = realise_requants(self.graph().verify())
        data = samples(g)
        got = ENGINES[engine](g, data)["out"]
        for at in range(BATCH):
            operands = [steps_of(x, at, g.scope()[name].sequence) for name, x in data.items()]
            assert steps_of(got, at, g.scope()["y"].sequence) == self.naive(*operands)

    def test_text_round_trips(self) -> None:
        for g in (self.graph(), realise_requants(self.graph())):
            assert parse_graph(print_graph(g)) == g

    def test_verify_refuses(self, mutant: Mutant) -> None:
        assert mutant.old in self.op
        with pytest.raises(VerifyError) as caught:
            self.graph(self.op.replace(mutant.old, mutant.new)).verify()
        hint = f"\n  hint: {mutant.hint}" if mutant.hint else ""
        assert str(caught.value) == mutant.message + hint


def graph_text(inputs: Mapping[str, str], op: str) -> str:
    """A graph around one op that makes %y."""
    found = re.search(r"%y: ([^=,]*?) *[=,]", op)
    assert found, "the op makes no %y"
    lines = [
        f"%{name}: {value} = input {{quantiser = {{scale = 1}}, axes = {axes_of(value)}}}"
        for name, value in inputs.items()
    ]
    made = found.group(1)
    last = f"%out: {made} = output %y {{grid = {{scale = 1}}, axes = {axes_of(made)}}}"
    return "\n".join(["graph one_op {", *lines, op, last, "}"])


def axes_of(value: str) -> str:
    return "[B, T, F]" if value.endswith("seq") else "[B, F]"


def samples(g: Graph, steps: int = STEPS, batch: int = BATCH, seed: int = 0) -> dict[str, Ints]:
    """Random integers for every input; the first two sequences hold the ends of the range."""
    rng = np.random.default_rng(seed)
    data = {}
    for op in g.inputs:
        t = op.out.type
        shape = (steps, batch, op.out.size) if op.out.sequence else (batch, op.out.size)
        x = rng.integers(t.lo, t.hi, shape, endpoint=True)
        x[..., 0, :], x[..., 1, :] = t.lo, t.hi
        data[op.out.name] = x
    return data


def steps_of(x: Ints, at: int, sequence: bool) -> Steps:
    """One sequence of a batch as plain Python."""
    steps: Steps = (x[:, at] if sequence else x[at : at + 1]).tolist()
    return steps


def half_even(v: Fraction) -> int:
    """Python's own rounding of a rational."""
    return round(v)
