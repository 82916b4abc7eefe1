# SPDX-License-Identifier: Apache-2.0
"""The contract of every op of the integer graph."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from op_contract import Mutant, OpContract, Steps, half_even

from hwrnn.ir.parser import OP_NAMES


class TestInput(OpContract):
    inputs: ClassVar = {}
    op = "%y: -8..7 x 2 seq = input {quantiser = {scale = [1/8, 2/3]}, axes = [T, B, F]}"
    mutants = (
        Mutant(
            "-8..7",
            "7..8 x 0 seq, %z: 1..2",
            "line 2, column 38: input makes one value, not 2",
            "only a scan makes more",
        ),
        Mutant(
            "{scale = [1/8, 2/3]}",
            "{scale = 1, type = -8..6}",
            "%y (Input): type and quantiser differ",
        ),
        Mutant("[1/8, 2/3]", "[1, 2, 3]", "%y (Input): one scale, or one a feature"),
        Mutant("T, B", "T, T", "%y (Input): axes are B, T and F"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return operands[0]


class TestConst(OpContract):
    op = "%y: -1..9 x 3 = const {values = [-1, 0, 9]}"
    mutants = (
        Mutant("0, 9", "9", "%y (Const): as many values as elements"),
        Mutant("-1..9", "-1..8", "%y (Const): 9 is out of -1..8"),
    )

    def naive(self, *operands: Steps) -> Steps:
        del operands
        return [[-1, 0, 9]]


class TestMatVec(OpContract):
    op = "%y: -74..76 x 2 seq = matvec %x {weights = [[1, -2, 3], [-4, 5, 0]], declared = -7..7}"
    mutants = (
        Mutant(
            "-7..7",
            "-3..7",
            "%y (MatVec): its weights -4..5 are beyond what it declares, -3..7",
        ),
        Mutant("x 2", "x 3", "%y (MatVec): 2 rows"),
        Mutant("3], [-4, 5, 0]", "3, 0], [-4, 5, 0, 0]", "%y (MatVec): 4 columns, x 3"),
        Mutant(" seq", "", "%y (MatVec): %x and %y differ in rate"),
        Mutant(
            "-74..76",
            "-67..68",
            "%y (MatVec): accumulator -67..68 is too narrow: these weights need -68..67",
            "run narrow_accumulators, or widen it by hand",
        ),
        Mutant("%x {", "%nobody {", "%y: reads %nobody, which nothing before it makes"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [[a - 2 * b + 3 * c, -4 * a + 5 * b] for a, b, c in operands[0]]


class _Pair(OpContract):
    inputs: ClassVar = {"p": "-3..5 x 2 seq", "q": "-7..2 x 2 seq"}


class TestAdd(_Pair):
    op = "%y: -10..7 x 2 seq = add %p, %q"
    mutants = (
        Mutant("-10..7", "-10..6", "%y (Add): -10..6 does not hold -10..7"),
        Mutant("x 2", "x 3", "%y (Add): sizes 2 and 2"),
        Mutant(" seq", "", "%y (Add): %p and %y differ in rate"),
        Mutant("%p, %q", "%p", "line 4, column 22: add reads 2 values, not 1"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [[a + b for a, b in zip(p, q, strict=True)] for p, q in zip(*operands, strict=True)]


class TestSub(_Pair):
    op = "%y: -5..12 x 2 seq = sub %p, %q"
    mutants = (Mutant("-5..12", "-4..12", "%y (Sub): -4..12 does not hold -5..12"),)

    def naive(self, *operands: Steps) -> Steps:
        return [[a - b for a, b in zip(p, q, strict=True)] for p, q in zip(*operands, strict=True)]


class TestMul(_Pair):
    op = "%y: -35..21 x 2 seq = mul %p, %q"
    mutants = (
        Mutant("-35..21", "-34..21", "%y (Mul): -34..21 does not hold -35..21"),
        Mutant("-35..21", "-35..20", "%y (Mul): -35..20 does not hold -35..21"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [[a * b for a, b in zip(p, q, strict=True)] for p, q in zip(*operands, strict=True)]


class TestRequant(OpContract):
    op = "%y: -2..3 x 3 seq = requant %x {ratio = [1/2, 1/3, 1], offset = [0, 0.1, 1/2]}"
    mutants = (
        Mutant("[1/2, 1/3, 1]", "[1/2, 1/3]", "%y (Requant): one rational, or one a channel"),
        Mutant("1/3", "0", "%y (Requant): a ratio is positive"),
        Mutant("0.1", "0.1, 2", "%y (Requant): one rational, or one a channel"),
        Mutant("x 3", "x 2", "%y (Requant): x and y differ in size"),
        Mutant(" seq", "", "%y (Requant): %x and %y differ in rate"),
        Mutant(
            "1/2]",
            "1/2], realised = shift {mul = [1, 1], add = 0, shift = 1, ties = keep}",
            "%y (Requant): realised for 2 channels",
        ),
        Mutant(
            "1/2]",
            "1/2], realised = thresholds {table = [[1, 2, 3, 4]]}",
            "%y (Requant): 4 thresholds for -2..3",
        ),
    )

    def naive(self, *operands: Steps) -> Steps:
        ratio = (Fraction(1, 2), Fraction(1, 3), Fraction(1))
        offset = (Fraction(0), Fraction(1, 10), Fraction(1, 2))
        return [
            [
                min(3, max(-2, half_even(r * x + o)))
                for r, x, o in zip(ratio, v, offset, strict=True)
            ]
            for v in operands[0]
        ]


class TestLut(OpContract):
    inputs: ClassVar = {"x": "-2..1 x 3 seq"}
    op = "%y: -5..9 x 3 seq = lut %x {table = [9, 0, -5, 3]}"
    mutants = (
        Mutant("9, 0", "9", "%y (Lut): 3 entries for -2..1"),
        Mutant("-5..9", "-5..8", "%y (Lut): -5..8 does not hold -5..9"),
        Mutant("x 3", "x 4", "%y (Lut): x and y differ in size"),
        Mutant(" seq", "", "%y (Lut): %x and %y differ in rate"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [[{-2: 9, -1: 0, 0: -5, 1: 3}[x] for x in v] for v in operands[0]]


class TestConcat(OpContract):
    inputs: ClassVar = {"p": "-3..5 x 2 seq", "q": "-7..2 x 1 seq"}
    op = "%y: -7..5 x 5 seq = concat %p, %q, %p"
    mutants = (
        Mutant("x 5", "x 4", "%y (Concat): sizes do not add up"),
        Mutant("-7..5", "-6..5", "%y (Concat): -6..5 does not hold %q"),
        Mutant(" seq", "", "%y (Concat): %p and %y differ in rate"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [p + q + p for p, q in zip(*operands, strict=True)]


class TestSlice(OpContract):
    inputs: ClassVar = {"x": "-8..7 x 5 seq"}
    op = "%y: -8..7 x 2 seq = slice %x {start = 3}"
    mutants = (
        Mutant("start = 3", "start = 4", "%y (Slice): out of the 5 elements"),
        Mutant("start = 3", "start = -1", "%y (Slice): out of the 5 elements"),
        Mutant("-8..7", "-8..6", "%y (Slice): -8..6 does not hold -8..7"),
        Mutant(" seq", "", "%y (Slice): %x and %y differ in rate"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [v[3:5] for v in operands[0]]


class TestSelectLast(OpContract):
    op = "%y: -8..7 x 3 = select %x"
    mutants = (
        Mutant("x 3", "x 3 seq", "%y (Select): takes a sequence, gives one vector"),
        Mutant("x 3", "x 2", "%y (Select): size and type stay"),
        Mutant("-8..7", "-9..7", "%y (Select): size and type stay"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [operands[0][-1]]


class TestSelectFirst(OpContract):
    op = "%y: -8..7 x 3 = select %x {step = first}"
    mutants = (
        Mutant("first", "second", 'line 3, column 35: "second" is no Step', "known: first, last"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [operands[0][0]]


class TestFlatten(OpContract):
    op = "%y: -8..7 x 12 = flatten %x {steps = 4}"
    mutants = (
        Mutant("steps = 4", "steps = 3", "%y (Flatten): 3 steps of 3"),
        Mutant("x 12", "x 12 seq", "%y (Flatten): takes a sequence, gives one vector"),
        Mutant("-8..7", "-8..8", "%y (Flatten): the type stays"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return [[x for v in operands[0] for x in v]]


class TestReverse(OpContract):
    op = "%y: -8..7 x 3 seq = reverse %x"
    mutants = (
        Mutant(" seq", "", "%y (Reverse): takes and gives a sequence"),
        Mutant("-8..7", "-8..8", "%y (Reverse): size and type stay"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return operands[0][::-1]


class TestScan(OpContract):
    """A leaky sum, clamped, and how it was one step before."""

    inputs: ClassVar = {"p": "-3..5 x 2 seq", "q": "0..1 x 2 seq"}
    op = """%y: -9..9 x 2 seq, %before: -9..9 x 2 seq = scan %p, %q {
      input %pt: -3..5 x 2
      input %qt: 0..1 x 2
      state %h: -9..9 x 2 = initial [4, -1] -> %new
      state %old: -9..9 x 2 = initial [0 * 2] -> %h
      %sum: -12..14 x 2 = add %pt, %h
      %more: -12..15 x 2 = add %sum, %qt
      %new: -9..9 x 2 = requant %more {ratio = 3/4, offset = 0}
      yield %new, %old
    }"""
    mutants = (
        Mutant(
            "input %qt: 0..1 x 2",
            "input %qt: 0..1 x 2 input %rt: 0..1 x 2",
            "%y (Scan): as many operands as body inputs",
        ),
        Mutant("%qt: 0..1", "%qt: 0..0", "%y (Scan): %q and %qt"),
        Mutant("yield %new", "yield %nil", "%y (Scan): the body has no %nil"),
        Mutant("%y: -9..9", "%y: -9..8", "%y (Scan): %y differs"),
        Mutant(
            "%before: -9..9 x 2 seq", "%before: -9..9 x 2", "%y (Scan): %before is not a sequence"
        ),
        Mutant("[4, -1]", "[4]", "%h (State): the initial value does not fit %h: -9..9 x 2"),
        Mutant("[4, -1]", "[10, 0]", "%h (State): the initial value does not fit %h: -9..9 x 2"),
        Mutant("-> %new", "-> %nil", "%h (State): the body has no %nil"),
        Mutant(
            "-> %new",
            "-> %more",
            "%h (State): the next value %more: -12..15 x 2 does not fit %h: -9..9 x 2",
        ),
        Mutant("%sum: -12", "%h: -12", "%h: is made twice"),
        Mutant("%new: -9..9 x 2 =", "%new: -9..9 x 0 =", "%new (Requant): x and y differ in size"),
        Mutant(
            "yield %new, %old",
            "yield %new",
            "line 12, column 13: the scan yields 1 values and makes 2",
        ),
    )

    def naive(self, *operands: Steps) -> Steps:
        h, made = [4, -1], []
        for p, q in zip(*operands, strict=True):
            more = [a + b + c for a, b, c in zip(p, h, q, strict=True)]
            h = [min(9, max(-9, half_even(Fraction(3 * v, 4)))) for v in more]
            made.append(h)
        return made


class TestOutput(OpContract):
    op = """%y: -8..7 x 3 seq = output %x {grid = {scale = 1/8, offset = [1, 2, 3/7]},
      axes = [T, B, F]}"""
    mutants = (
        Mutant("x 3", "x 2", "%y (Output): x and the output differ"),
        Mutant("1/8", "[1, 2]", "%y (Output): one rational, or one an element"),
        Mutant("2, 3/7", "2", "%y (Output): one rational, or one an element"),
    )

    def naive(self, *operands: Steps) -> Steps:
        return operands[0]


def test_every_op_has_a_contract() -> None:
    covered = {
        c.op.split("= ", 1)[1].split()[0] for c in subclasses(OpContract) if hasattr(c, "op")
    }
    assert covered == set(OP_NAMES)


def subclasses(kind: type[OpContract]) -> list[type[OpContract]]:
    return [c for s in kind.__subclasses__() for c in (s, *subclasses(s))]
