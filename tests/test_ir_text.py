# SPDX-License-Identifier: Apache-2.0
"""The text form: what it looks like, that it parses back, and what a wrong text is told."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwrnn.errors import VerifyError
from hwrnn.ir import (
    Const,
    Graph,
    Input,
    IntMatrix,
    IntType,
    Lut,
    MatVec,
    Output,
    OutputGrid,
    Quantiser,
    Requant,
    Rounding,
    ScaleShift,
    Thresholds,
    Ties,
    Value,
    text,
)
from hwrnn.ir.parser import parse_graph
from hwrnn.ir.text import model_hash, print_graph

TOP = "\n".join(line[4:] for line in str(text.__doc__).split("\n\n")[1].splitlines()) + "\n"


def test_the_example_of_the_documentation_is_a_graph() -> None:
    g = parse_graph(TOP).verify()
    assert print_graph(g) == TOP.replace("2^-3", "1/8")


def test_white_space_comments_and_defaults_do_not_matter() -> None:
    terse = """
    graph top{// a comment
    %x:-8..7 x 2 seq=input{axes=[B,T,F,],quantiser={rounding=half_even,scale=[0x1p-3],},}
    %h_all : -8 .. 7 x 1 seq = scan %x { input %x_t: -8..7 x 2
      state %h: -8..7 x 1 = initial 0 -> %h_new   // one entry needs no brackets
      %acc: -40..35 x 1 = matvec %x_t {weights = [3, 2]}
      %sum: -48..42 x 1 = add %acc, %h
      %h_new: -8..7 x 1 = requant %sum {ratio = 0.125, offset = [0], rounding = half_even}
      yield %h_new }
    %y: -8..7 x 1 seq = output %h_all {grid = {scale=1/2^3,offset=0e0}, axes=["B",T,"F"]} }
    """
    assert parse_graph(terse.replace("[3, 2]", "[[3, 2]]")) == parse_graph(TOP)


def test_a_graph_prints_without_its_long_constants() -> None:
    g = realised_graph()
    assert str(g) == (
        "graph long {\n"
        "  %x: -20..19 x 40 seq = input {quantiser = {scale = <40 entries, 1..40>, "
        "rounding = floor}, axes = [B, T, F]}\n"
        "  %w: -20..0 x 2 seq = matvec %x {weights = <2 x 40, 0..1>}\n"
        "  %t: 0..9 x 40 seq = lut %x {table = <40 entries, 0..9>}\n"
        "  %k: 5..5 x 40 seq = const {values = [5 * 40]}\n"
        "}\n"
    )
    with pytest.raises(VerifyError) as caught:
        parse_graph(str(g))
    assert str(caught.value) == (
        'line 2, column 54: expected a number, found "<"\n'
        "  hint: values in <> were left out for a reader; print with elide=False"
    )
    assert parse_graph(print_graph(g)) == g


def realised_graph() -> Graph:
    x = Value(name="x", type=IntType(-20, 19), size=40, sequence=True)
    quantiser = Quantiser(
        scale=tuple(Fraction(k) for k in range(1, 41)), type=x.type, rounding=Rounding.FLOOR
    )
    return Graph(
        name="long",
        ops=(
            Input(out=x, quantiser=quantiser, axes=("B", "T", "F")),
            MatVec(
                out=Value(name="w", type=IntType(-20, 0), size=2, sequence=True),
                x="x",
                weights=IntMatrix(np.eye(2, 40, dtype=np.int64)),
            ),
            Lut(
                out=replace(x, name="t", type=IntType(0, 9)),
                x="x",
                table=tuple(k % 10 for k in range(40)),
            ),
            Const(out=replace(x, name="k", type=IntType(5, 5)), values=(5,) * 40),
        ),
    )


def test_hash_of_a_model_is_that_of_its_text() -> None:
    g = parse_graph(TOP)
    assert model_hash(g) == model_hash(parse_graph(print_graph(g)))
    assert re.fullmatch(r"[0-9a-f]{64}", model_hash(g))
    other = parse_graph(TOP.replace("[[3, 2]]", "[[3, 1]]"))
    assert model_hash(other) != model_hash(g)
    assert model_hash(replace(g, lowered=b"onnx")) == model_hash(g)


NUMBERS = {
    "3": Fraction(3),
    "-3/4": Fraction(-3, 4),
    "2^-5": Fraction(1, 32),
    "-2^3": Fraction(-8),
    "13421773/2^27": Fraction(13421773, 2**27),
    "0.1": Fraction(1, 10),
    "1e-3": Fraction(1, 1000),
    "0x1.8p-3": Fraction(3, 16),
    "-0x1p+2": Fraction(-4),
    float(np.float32(0.1)).hex(): Fraction(float(np.float32(0.1))),
    "0x1.00000000000000000000001p0": 1 + Fraction(1, 2**92),
}


@pytest.mark.parametrize("written", NUMBERS)
def test_numbers_are_exact_however_written(written: str) -> None:
    g = parse_graph(TOP.replace("ratio = 2^-3", f"ratio = {written}"))
    op = next(op for op in g.scans[0].body.ops if isinstance(op, Requant))
    assert op.ratio == (NUMBERS[written],)


INTS = st.integers(-(2**40), 2**40)
RATIONALS = st.lists(
    st.one_of(
        st.fractions(),
        st.floats(allow_nan=False, allow_infinity=False, width=32).map(Fraction),
    ),
    min_size=1,
    max_size=20,
).map(tuple)
LISTS = st.lists(st.one_of(INTS, st.sampled_from([0, 0, 0, 7])), min_size=1, max_size=30).map(tuple)
TYPES = st.tuples(INTS, INTS).map(lambda t: IntType(min(t), max(t)))
NAMES = st.one_of(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), st.text(max_size=12))


@st.composite
def values(draw: st.DrawFn) -> Value:
    size = draw(st.integers(-1, 2**20))
    return Value(name=draw(NAMES), type=draw(TYPES), size=size, sequence=draw(st.booleans()))


@st.composite
def matrices(draw: st.DrawFn) -> IntMatrix:
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(0, 9))
    row = st.lists(INTS, min_size=columns, max_size=columns)
    return IntMatrix(np.array(draw(st.lists(row, min_size=rows, max_size=rows)), dtype=np.int64))


@st.composite
def quantisers(draw: st.DrawFn) -> Quantiser:
    rounding = draw(st.sampled_from(Rounding))
    return Quantiser(scale=draw(RATIONALS), type=draw(TYPES), rounding=rounding)


REALISATIONS = st.one_of(
    st.none(),
    matrices().map(lambda m: Thresholds(table=m)),
    st.builds(
        ScaleShift, mul=LISTS, add=LISTS, shift=st.integers(0, 99), ties=st.sampled_from(Ties)
    ),
)
AXES = st.lists(st.sampled_from(["B", "T", "F", "1", "", "x y", '"']), min_size=1).map(tuple)
OPS = st.one_of(
    st.builds(
        Input,
        out=values(),
        quantiser=quantisers(),
        axes=AXES,
        example_steps=st.none() | st.integers(1, 99),
    ),
    st.builds(Const, out=values(), values=LISTS),
    st.builds(MatVec, out=values(), x=NAMES, weights=matrices()),
    st.builds(Lut, out=values(), x=NAMES, table=LISTS),
    st.builds(
        Requant,
        out=values(),
        x=NAMES,
        ratio=RATIONALS,
        offset=RATIONALS,
        rounding=st.sampled_from(Rounding),
        realised=REALISATIONS,
    ),
    st.builds(
        Output,
        out=values(),
        x=NAMES,
        grid=st.builds(OutputGrid, scale=RATIONALS, offset=RATIONALS),
        axes=AXES,
    ),
)


@given(NAMES, st.lists(OPS, max_size=4).map(tuple))
def test_any_ops_parse_back(name: str, ops: tuple[Input]) -> None:
    """Valid or not: a test may write down a graph that breaks a rule."""
    g = Graph(name=name, ops=ops)
    assert parse_graph(print_graph(g)) == g


FAULTS = {
    "": 'line 1, column 1: expected "graph", found the end\n'
    "  hint: a text starts with: graph name {",
    "graph top {": 'line 1, column 12: expected "}", found the end\n'
    "  hint: after the ops; one op is: %name: lo..hi x size = kind %operand {fields}",
    "graph a {} graph b {}": 'line 1, column 12: expected the end, found "graph"\n'
    "  hint: a text holds one graph",
    "graph a {\n  $\n}": "line 2, column 3: '$' starts nothing",
    "graph a {\n  %x: 1..0": "line 2, column 7: 1..0 is an empty range",
    "graph a {\n  %x -1..0": 'line 2, column 6: expected ":", found "-1"\n'
    "  hint: a value is: %name: lo..hi x size, and seq for a sequence",
    "graph a {%y: 0..1 x 2 = matvc %x": 'line 1, column 25: "matvc" is no op\n'
    '  hint: did you mean "matvec"? known: input, const, matvec, add, sub, mul, max, requant, lut, '
    "concat, slice, select, flatten, reverse, output, window, pool, reduce, repeat, embed, argmax, "
    "scan",
    "graph a {%y: 0..1 x 2 = matvec %x}": 'line 1, column 32: MatVec needs a field "weights"\n'
    "  hint: its fields: weights, declared",
    "graph a {%y: 0..1 x 2 = matvec %x {weight = 3}}": "line 1, column 36: MatVec has no field "
    '"weight"\n  hint: did you mean "weights"? known: weights, declared',
    "graph a {%y: 0..1 x 2 = matvec %x {weights = [[1, 2], [3]]}}": "line 1, column 46: the rows "
    "of a matrix have [1, 2] entries\n  hint: a matrix is [[1, 2], [3, 4]]",
    "graph a {%y: 0..1 x 2 = matvec %x {weights = [[9e3]]}}": "line 1, column 48: expected a "
    'whole number, found "9e3"',
    f"graph a {{%y: 0..1 x 2 = matvec %x {{weights = [[{2**63}]]}}}}": "line 1, column 46: "
    "9223372036854775808 is no 64-bit number",
    "graph a {%y: 0..1 x 2 = const {values = [0 * 9999999999]}}": "line 1, column 46: an entry "
    "cannot be repeated 9999999999 times\n  hint: from 1 to 16777216 times",
    "graph a {%y: 0..1 x 2 = select %x {step = first, step = last}}": "line 1, column 50: "
    '"step" is given twice',
    "graph a {%y: 0..1 x 2 = requant %x {ratio = 1/0}}": "line 1, column 47: division by zero",
    "graph a {%y: 0..1 x 2 = requant %x {ratio = 2^99999}}": "line 1, column 47: 2^99999 is no "
    "number to compute with",
    "graph a {%y: 0..1 x 2 = requant %x {ratio = 1, offset = 0, realised = magic}}": "line 1, "
    'column 71: "magic" is no realisation\n  hint: known: shift, scale, thresholds',
    "graph a {%y: 0..1 x 2 = add %x}": "line 1, column 25: add reads 2 values, not 1",
    "graph a {%y: 0..1 x 2 = scan %x": 'line 1, column 32: expected "{", found the end\n'
    "  hint: the body of a scan stands in braces",
    "graph a {%y: 0..1 x 2 = scan %x { state %h: 0..1 x 1 = 0": "line 1, column 56: expected "
    '"initial", found "0"\n  hint: a state is: state %h: lo..hi x size = initial [0] -> %next',
    "graph a {%y: 0..1 x 2 = scan %x {}}": 'line 1, column 34: expected "yield", found "}"\n'
    "  hint: a body is: inputs, states, ops, and last yield %name, ...",
}


@pytest.mark.parametrize("wrong", FAULTS, ids=lambda s: s[-30:])
def test_a_wrong_text_is_told_where_and_what(wrong: str) -> None:
    with pytest.raises(VerifyError) as caught:
        parse_graph(wrong)
    assert str(caught.value) == FAULTS[wrong]
