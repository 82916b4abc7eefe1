# SPDX-License-Identifier: Apache-2.0
"""Each transform, before and after, in the text form; and that none changes what comes out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwrnn.cmodel.plain import Ints, run_plain
from hwrnn.errors import VerifyError
from hwrnn.ir import Graph
from hwrnn.ir.text import parse_graph, print_graph
from hwrnn.transforms.clean import drop_dead, drop_identities, share_equal_ops
from hwrnn.transforms.pipeline import LOWER, Transform, run_pipeline
from hwrnn.transforms.realise import realise_requants
from hwrnn.transforms.select_early import select_early

X = "%x: -8..7 x 2 seq = input {quantiser = {scale = 1}, axes = [B, T, F]}"
SEQ, LAST = "axes = [B, T, F]", "axes = [B, F]"
SCAN = """%h: -8..7 x 2 seq = scan %x {
    input %xt: -8..7 x 2
    state %s: -8..7 x 2 = initial [0, 0] -> %new
    %sum: -16..14 x 2 = add %xt, %s
    %new: -8..7 x 2 = requant %sum {ratio = 1/2, offset = 0}
    yield %new
  }"""


def graph(*ops: str) -> Graph:
    body = "\n".join(op.replace("SEQ", SEQ).replace("LAST", LAST) for op in ops)
    return parse_graph(f"graph g {{\n{body}\n}}").verify()


def check(transform: Transform, before: Graph, *after: str) -> None:
    assert print_graph(transform(before).verify()) == print_graph(graph(*after))


def test_share_equal_ops() -> None:
    before = graph(
        X,
        "%p: -2..1 x 2 seq = requant %x {ratio = 1/4, offset = 0}",
        "%q: -2..1 x 2 seq = requant %x {ratio = 1/4, offset = 0}",
        "%other: -2..1 x 2 seq = requant %x {ratio = 1/4, offset = 1}",
        "%pp: -1..0 x 2 seq = requant %p {ratio = 1/2, offset = 0}",
        "%qq: -1..0 x 2 seq = requant %q {ratio = 1/2, offset = 0}",
        "%sum: -2..0 x 2 seq = add %qq, %pp",
        "%sum2: -4..1 x 2 seq = add %sum, %other",
        "%y: -4..1 x 2 seq = output %sum2 {grid = {scale = 1}, SEQ}",
    )
    check(
        share_equal_ops,
        before,
        X,
        "%p: -2..1 x 2 seq = requant %x {ratio = 1/4, offset = 0}",
        "%other: -2..1 x 2 seq = requant %x {ratio = 1/4, offset = 1}",
        "%pp: -1..0 x 2 seq = requant %p {ratio = 1/2, offset = 0}",
        "%sum: -2..0 x 2 seq = add %pp, %pp",
        "%sum2: -4..1 x 2 seq = add %sum, %other",
        "%y: -4..1 x 2 seq = output %sum2 {grid = {scale = 1}, SEQ}",
    )


def test_drop_identities() -> None:
    before = graph(
        X,
        "%same: -8..7 x 2 seq = requant %x {ratio = [1, 1], offset = 0}",
        "%back: -8..7 x 2 seq = reverse %same",
        "%forth: -8..7 x 2 seq = reverse %back",
        "%k: 0..1 x 2 seq = lut %forth {table = [0 * 15, 1]}",
        "%y: 0..1 x 2 seq = output %k {grid = {scale = 1}, SEQ}",
    )
    check(
        drop_identities,
        before,
        X,
        "%back: -8..7 x 2 seq = reverse %x",
        "%k: 0..1 x 2 seq = lut %x {table = [0 * 15, 1]}",
        "%y: 0..1 x 2 seq = output %k {grid = {scale = 1}, SEQ}",
    )


KEPT = {
    "another range, on which the table relies": "%r: -9..7 x 2 seq = requant %x "
    "{ratio = 1, offset = 0}\n%k: 0..1 x 2 seq = lut %r {table = [0 * 16, 1]}",
    "a clamp": "%k: -7..7 x 2 seq = requant %x {ratio = 1, offset = 0}",
    "an offset": "%k: -8..7 x 2 seq = requant %x {ratio = 1, offset = [0, 1/4]}",
    "a ratio": "%k: -8..7 x 2 seq = requant %x {ratio = [1, 2], offset = 0}",
    "one reversal": "%k: -8..7 x 2 seq = reverse %x",
}


@pytest.mark.parametrize("reason", KEPT)
def test_what_is_no_identity_stays(reason: str) -> None:
    made = KEPT[reason].rsplit("%k: ", 1)[1].split(" x ")[0]
    g = graph(X, KEPT[reason], f"%y: {made} x 2 seq = output %k {{grid = {{scale = 1}}, SEQ}}")
    assert drop_identities(g).verify() == g


def test_drop_dead() -> None:
    two = SCAN.replace("%h: -8..7 x 2 seq", "%h: -8..7 x 2 seq, %s_all: -8..7 x 2 seq")
    before = graph(
        X,
        two.replace("yield %new", "yield %new, %s"),
        SCAN.replace("%h", "%unread"),
        "%r: -8..7 x 2 seq = reverse %s_all",
        "%y: -8..7 x 2 seq = output %h {grid = {scale = 1}, SEQ}",
    )
    check(drop_dead, before, X, SCAN, "%y: -8..7 x 2 seq = output %h {grid = {scale = 1}, SEQ}")


def test_select_early_moves_above_what_works_step_by_step() -> None:
    before = graph(
        X,
        SCAN,
        "%acc: -22..23 x 1 seq = matvec %h {weights = [[1, -2]]}",
        "%r: -8..7 x 1 seq = requant %acc {ratio = 1/3, offset = 0}",
        "%xr: -8..7 x 2 seq = reverse %h",
        "%both: -8..7 x 3 seq = concat %r, %xr",
        "%end: -8..7 x 3 = select %both",
        "%y: -8..7 x 3 = output %end {grid = {scale = 1}, LAST}",
    )
    check(
        lambda g: drop_dead(select_early(g)),
        before,
        X,
        SCAN,
        "%h_last: -8..7 x 2 = select %h",
        "%acc_last: -22..23 x 1 = matvec %h_last {weights = [[1, -2]]}",
        "%r_last: -8..7 x 1 = requant %acc_last {ratio = 1/3, offset = 0}",
        "%h_first: -8..7 x 2 = select %h {step = first}",
        "%end: -8..7 x 3 = concat %r_last, %h_first",
        "%y: -8..7 x 3 = output %end {grid = {scale = 1}, LAST}",
    )


def test_select_early_takes_each_step_once() -> None:
    before = graph(
        X,
        "%a: -8..7 x 2 = select %x",
        "%back: -8..7 x 2 seq = reverse %x",
        "%b: -8..7 x 2 = select %back {step = first}",
        "%sum: -16..14 x 2 = add %a, %b",
        "%y: -16..14 x 2 = output %sum {grid = {scale = 1}, LAST}",
    )
    check(
        lambda g: drop_dead(select_early(g)),
        before,
        X,
        "%a: -8..7 x 2 = select %x",
        "%sum: -16..14 x 2 = add %a, %a",
        "%y: -16..14 x 2 = output %sum {grid = {scale = 1}, LAST}",
    )


def test_select_early_takes_no_name_that_is_taken() -> None:
    before = graph(
        X,
        "%x_last: -16..14 x 2 seq = add %x, %x",
        "%d: -32..28 x 2 seq = add %x_last, %x_last",
        "%e: -40..35 x 2 seq = add %d, %x",
        "%end: -40..35 x 2 = select %e",
        "%y: -40..35 x 2 = output %end {grid = {scale = 1}, LAST}",
    )
    after = select_early(before).verify()
    assert [op.out.name for op in drop_dead(after).ops] == [
        "x",
        "x_lastx2",
        "x_last_last",
        "d_last",
        "end",
        "y",
    ]


def test_a_transform_that_breaks_the_graph_is_named() -> None:
    def break_it(g: Graph) -> Graph:
        return Graph(name=g.name, ops=g.ops[1:])

    g = graph(X, "%y: -8..7 x 2 seq = output %x {grid = {scale = 1}, SEQ}")
    with pytest.raises(VerifyError) as caught:
        run_pipeline(g, (share_equal_ops, break_it))
    assert str(caught.value) == "%y: reads %x, which nothing before it makes"
    assert caught.value.__notes__ == ["in the transform break_it"]


STEP_BY_STEP = ("requant", "lut", "matvec", "add", "sub", "mul", "concat", "slice", "reverse")


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """A scan among random ops on sequences, then selections, then random ops on vectors."""
    lines = [X, SCAN]
    seqs = [("x", -8, 7, 2), ("h", -8, 7, 2)]
    for k in range(draw(st.integers(1, 6))):
        seqs.append(draw_op(draw, lines, seqs, f"s{k}", " seq"))
    flat = []
    for k in range(draw(st.integers(1, 3))):
        name, lo, hi, size = draw(st.sampled_from(seqs))
        step = draw(st.sampled_from(["first", "last"]))
        lines.append(f"%v{k}: {lo}..{hi} x {size} = select %{name} {{step = {step}}}")
        flat.append((f"v{k}", lo, hi, size))
    for k in range(draw(st.integers(0, 3))):
        flat.append(draw_op(draw, lines, flat, f"w{k}", ""))
    for k, (name, lo, hi, size) in enumerate((flat[-1], draw(st.sampled_from(seqs)))):
        per, axes = (" seq", SEQ) if k else ("", LAST)
        lines.append(
            f"%y{k}: {lo}..{hi} x {size}{per} = output %{name} {{grid = {{scale = 1}}, {axes}}}"
        )
    return graph(*lines)


Port = tuple[str, int, int, int]


def draw_op(draw: st.DrawFn, lines: list[str], known: list[Port], name: str, per: str) -> Port:
    """Add one random op that keeps small ranges; returns what it makes."""
    a, lo, hi, size = draw(st.sampled_from(known))
    kind = draw(st.sampled_from(STEP_BY_STEP if per else STEP_BY_STEP[:-1]))
    made: Port = (name, lo, hi, size)
    text = f"{kind} %{a}"
    if kind == "requant":
        offset = draw(st.sampled_from(["0", "1/2", "-3/7"]))
        ratio = draw(st.sampled_from(["1", "1/2", "3/8", "1/3"]))
        text += f" {{ratio = {ratio}, offset = {offset}}}"
        made = draw(st.sampled_from([(name, -4, 3, size), (name, lo, hi, size)]))
    elif kind == "lut":
        table = draw(st.lists(st.integers(-5, 5), min_size=hi - lo + 1, max_size=hi - lo + 1))
        text += f" {{table = {table}}}"
        made = (name, -5, 5, size)
    elif kind == "matvec":
        reach = size * max(abs(lo), abs(hi))
        text += f" {{weights = [{[1, -1, 0, 1, *[-1] * size][:size]}]}}"
        made = (name, -reach, reach, 1)
    elif kind in ("add", "sub", "mul"):
        text += f", %{a}"
        reach = max(abs(lo), abs(hi)) ** 2 if kind == "mul" else 2 * max(abs(lo), abs(hi))
        made = (name, -reach, reach, size)
    elif kind == "concat":
        text += f", %{a}"
        made = (name, lo, hi, 2 * size)
    elif kind == "slice":
        text += f" {{start = {size - 1}}}"
        made = (name, lo, hi, 1)
    if (kind == "lut" and hi - lo > 200) or abs(made[1]) > 10**6 or made[3] > 32:
        return a, lo, hi, size
    lines.append(f"%{name}: {made[1]}..{made[2]} x {made[3]}{per} = {text}")
    return made


def results(g: Graph, x: Ints) -> dict[str, list[int]]:
    values = run_plain(g, {"x": x})
    return {op.out.name: values[op.out.name].tolist() for op in g.outputs}


@given(g=networks(), steps=st.integers(1, 5))
def test_the_pipeline_keeps_the_meaning(g: Graph, steps: int) -> None:
    x = np.random.default_rng(steps).integers(-8, 8, (steps, 3, 2))
    want = results(realise_requants(g), x)
    assert results(run_pipeline(g), x) == want
    for transform in LOWER[:-1]:
        assert results(realise_requants(transform(g).verify()), x) == want
