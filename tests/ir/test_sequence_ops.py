# SPDX-License-Identifier: Apache-2.0
"""The contract of the ops that stand around the recurrence."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

import pytest
from op_contract import Mutant, OpContract, Steps

from hwrnn.errors import DataError
from hwrnn.ir import Graph
from hwrnn.ir.steps import fixed_steps, step_counts
from hwrnn.ir.text import parse_graph


class TestMax(OpContract):
    inputs: ClassVar = {"p": "-3..5 x 2 seq", "q": "-7..2 x 2 seq"}
    op = "%y: -3..5 x 2 seq = max %p, %q"
    mutants = (Mutant("-3..5", "-2..5", "%y (Max): -2..5 does not hold -3..5"),)

    def naive(self, *operands: Steps) -> Steps:
        pairs = zip(*operands, strict=True)
        return [[max(a, b) for a, b in zip(p, q, strict=True)] for p, q in pairs]


def padded(x: Steps, before: int, after: int, fill: int) -> Steps:
    return [[fill] * len(x[0])] * before + x + [[fill] * len(x[0])] * after


class TestWindow(OpContract):
    op = "%y: -8..9 x 9 seq = window %x {size = 3, stride = 2, before = 2, after = 1, fill = 9}"
    mutants = (
        Mutant("x 9", "x 6", "%y (Window): 3 steps of 3"),
        Mutant("-8..9", "-8..8", "%y (Window): -8..8 does not hold -8..9"),
        Mutant("before = 2", "before = 3", "%y (Window): pads 3 and 1 steps, for windows of 3"),
        Mutant("stride = 2", "stride = 0", "%y (Window): size and stride are at least 1"),
        Mutant(" seq", "", "%y (Window): takes and gives a sequence"),
    )

    def naive(self, *operands: Steps) -> Steps:
        x = padded(operands[0], 2, 1, 9)
        return [[v for step in x[t : t + 3] for v in step] for t in range(0, len(x) - 2, 2)]


class TestPool(OpContract):
    op = "%y: -16..14 x 3 seq = pool %x {size = 2, before = 1, after = 1, how = sum}"
    mutants = (
        Mutant("-16..14", "-16..13", "%y (Pool): -16..13 does not hold -16..14"),
        Mutant("x 3", "x 2", "%y (Pool): x and y differ in size"),
        Mutant("size = 2", "size = 0", "%y (Pool): size and stride are at least 1"),
    )

    def naive(self, *operands: Steps) -> Steps:
        x = padded(operands[0], 1, 1, 0)
        return [[a + b for a, b in zip(p, q, strict=True)] for p, q in pairwise(x)]


class TestMaxPool(OpContract):
    op = """%y: -9..7 x 3 seq = pool %x
      {size = 3, stride = 2, before = 1, after = 2, fill = -9, how = max}"""
    mutants = (Mutant("-9..7", "-8..7", "%y (Pool): -8..7 does not hold -9..7"),)

    def naive(self, *operands: Steps) -> Steps:
        x = padded(operands[0], 1, 2, -9)
        return [[max(column) for column in zip(*x[t : t + 3], strict=True)] for t in (0, 2, 4)]


class TestReduce(OpContract):
    op = "%y: -32..28 x 3 = reduce %x {how = sum, steps = 4}"
    mutants = (
        Mutant("-32..28", "-31..28", "%y (Reduce): -31..28 does not hold -32..28"),
        Mutant(", steps = 4", "", "%y (Reduce): a sum has its steps"),
        Mutant("x 3", "x 3 seq", "%y (Reduce): takes a sequence, gives one vector"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [[sum(column) for column in zip(*operands[0], strict=True)]]


class TestReduceMax(OpContract):
    op = "%y: -8..7 x 3 = reduce %x {how = max}"
    mutants = (Mutant("-8..7", "-8..6", "%y (Reduce): -8..6 does not hold -8..7"),)

    def naive(self, *operands: Steps) -> Steps:
        return [[max(column) for column in zip(*operands[0], strict=True)]]


class TestRepeat(OpContract):
    inputs: ClassVar = {"x": "-8..7 x 3"}
    op = "%y: -8..7 x 3 seq = repeat %x {steps = 5}"
    mutants = (
        Mutant("steps = 5", "steps = 0", "%y (Repeat): 0 steps"),
        Mutant(" seq", "", "%y (Repeat): takes one vector, gives a sequence"),
        Mutant("-8..7", "-8..8", "%y (Repeat): size and type stay"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return operands[0] * 5


class TestEmbed(OpContract):
    inputs: ClassVar = {"x": "0..2 x 1 seq"}
    op = "%y: -4..6 x 2 seq = embed %x {table = [[1, -4], [0, 6], [5, 5]]}"
    mutants = (
        Mutant("], [5, 5]", "]", "%y (Embed): 0..2 is beyond its 2 rows"),
        Mutant("x 2", "x 3", "%y (Embed): 2 columns"),
        Mutant("-4..6", "-4..5", "%y (Embed): -4..5 does not hold -4..6"),
        Mutant(" seq", "", "%y (Embed): %x and %y differ in rate"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [[[1, -4], [0, 6], [5, 5]][step[0]] for step in operands[0]]


class TestArgMax(OpContract):
    op = "%y: 0..2 x 1 seq = argmax %x {scale = [1/3, 1/3, 0.25], offset = [0, 0, 1/2^40]}"
    mutants = (
        Mutant("0..2", "0..1", "%y (ArgMax): 0..1 does not hold 0..2"),
        Mutant("x 1", "x 3", "%y (ArgMax): gives one number"),
        Mutant("0.25", "0", "%y (ArgMax): a scale is positive"),
        Mutant("0.25]", "0.25, 1]", "%y (ArgMax): one rational, or one an element"),
    )

    def naive(self, *operands: Steps) -> Steps:
        third, tiny = Fraction(1, 3), Fraction(1, 2**40)
        real = [[third * a, third * b, c / Fraction(4) + tiny] for a, b, c in operands[0]]
        return [[row.index(max(row))] for row in real]


def strided(steps: int) -> Graph:
    """Windows of 3 steps, every second one, behind them a flatten of `steps`."""
    return parse_graph(
        f"""graph strided {{
      %x: 0..1 x 1 seq = input {{quantiser = {{scale = 1}}, axes = [B, T, F], example_steps = 8}}
      %w: 0..1 x 3 seq = window %x {{size = 3, stride = 2}}
      %f: 0..1 x {3 * steps} = flatten %w {{steps = {steps}}}
      %y: 0..1 x {3 * steps} = output %f {{grid = {{scale = 1}}, axes = [B, F]}}
    }}"""
    ).verify()


def test_steps_are_counted_through_windows() -> None:
    assert step_counts(strided(3), 7) == {"x": 7, "w": 3}
    assert step_counts(strided(3), 8) == {"x": 8, "w": 3}
    assert fixed_steps(strided(3)) == 8  # that of the example
    assert fixed_steps(strided(2)) == 5  # the shortest


@pytest.mark.parametrize(
    ("steps", "fact"),
    [
        (2, "that is too short for a window of 3"),
        (9, "the model flattens sequences of exactly 3; %w has 4"),
    ],
)
def test_a_length_that_does_not_fit_is_refused(steps: int, fact: str) -> None:
    with pytest.raises(DataError) as caught:
        step_counts(strided(3), steps)
    message = f'input "x": has {steps} steps; {fact}\n  hint: pass sequences of 8 steps'
    assert str(caught.value) == message
