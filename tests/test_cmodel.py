# SPDX-License-Identifier: Apache-2.0
"""The fast C-model equals the plain one on graphs that are hard for it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from op_contract import samples

from hwrnn.cmodel import fast
from hwrnn.cmodel.carriers import DOUBLE, LONG, SINGLE
from hwrnn.cmodel.fast import Compiled, compile_graph
from hwrnn.cmodel.plain import run_plain
from hwrnn.cmodel.plans import ScanPlan
from hwrnn.cmodel.products import Gemm
from hwrnn.errors import DataError
from hwrnn.ir import Graph
from hwrnn.ir.text import parse_graph
from hwrnn.transforms.realise import realise_requants

Ints = NDArray[np.int64]


def graph(text: str) -> Graph:
    """A graph in which `input` and `output` come without their fields."""
    lines = [with_fields(line) for line in text.splitlines()]
    return realise_requants(parse_graph("\n".join(["graph g {", *lines, "}"])).verify()).verify()


def with_fields(line: str) -> str:
    """Scale 1, batch first."""
    kind = re.search(r" = (input|output %\w+)$", line)
    if kind is None:
        return line
    field = "quantiser" if kind[1] == "input" else "grid"
    axes = "[B, T, F]" if " seq " in line else "[B, F]"
    return f"{line} {{{field} = {{scale = 1}}, axes = {axes}}}"


def assert_equal(g: Graph, data: dict[str, Ints] | None = None) -> Compiled:
    data = samples(g) if data is None else data
    model = Compiled(g)
    for _ in range(2):  # nothing is left over from the first run
        got, want = model.run(data), run_plain(g, data)
        assert list(got) == [o.out.name for o in g.outputs]
        for name, q in got.items():
            assert q.dtype == np.int64
            assert np.array_equal(q, want[name]), name
    return model


def products(model: Compiled) -> list[Gemm]:
    """The stacks of products, those of Scans included."""
    found: list[Gemm] = []
    for plan, _ in model.program.steps:
        inner = plan.program.steps if isinstance(plan, ScanPlan) else ((plan, ()),)
        found += [p for p, _ in inner if isinstance(p, Gemm)]
    return found


LSTM_LIKE = """
%x: -128..127 x 3 seq = input
%all: -128..127 x 2 seq, %cells: -128..127 x 2 seq = scan %x {
  input %xt: -128..127 x 3
  state %h: -128..127 x 2 = initial [3, -4] -> %h_new
  state %c: -128..127 x 2 = initial [0 * 2] -> %c_new
  %ax: -2000..2000 x 2 = matvec %xt {weights = [[1, -2, 3], [4, 5, -6]]}
  %ah: -2000..2000 x 2 = matvec %h {weights = [[7, -2], [1, 1]]}
  %a: -4000..4000 x 2 = add %ax, %ah
  %aq: -128..127 x 2 = requant %a {ratio = RATIO, offset = OFFSET}
  %f: 0..255 x 2 = lut %aq {table = [SIGMOID]}
  %bx: -2000..2000 x 2 = matvec %xt {weights = [[2, 2, -3], [4, -5, 6]]}
  %bh: -2000..2000 x 2 = matvec %h {weights = [[1, 2], [3, -4]]}
  %b: -4000..4000 x 2 = sub %bx, %bh
  %bq: -128..127 x 2 = requant %b {ratio = RATIO, offset = OFFSET}
  %g: -128..127 x 2 = lut %bq {table = [TANH]}
  %one: 200..255 x 2 = const {values = [255, 200]}
  %i: -55..255 x 2 = sub %one, %f
  %kept: -33000..33000 x 2 = mul %f, %c
  %keptq: -128..127 x 2 = requant %kept {ratio = 1/2^8, offset = 0}
  %added: -33000..33000 x 2 = mul %i, %g
  %addedq: -128..127 x 2 = requant %added {ratio = 0.00433, offset = 0}
  %sum: -256..254 x 2 = add %keptq, %addedq
  %c_new: -128..127 x 2 = requant %sum {ratio = 1, offset = 0}
  %t: -128..127 x 2 = lut %c_new {table = [TANH]}
  %out: -33000..33000 x 2 = mul %f, %t
  %h_new: -128..127 x 2 = requant %out {ratio = 1/2^8, offset = 0}
  yield %h_new, %c_new
}
%last: -128..127 x 2 = select %cells
%y: -128..127 x 2 seq = output %all
%z: -128..127 x 2 = output %last
"""


def table(function: str) -> str:
    real = np.arange(-128, 128) / 32
    values = np.tanh(real) * 127 if function == "tanh" else 255 / (1 + np.exp(-real))
    return ", ".join(str(int(v)) for v in np.rint(values))


@pytest.mark.parametrize("ratio", ["1/2^4", "0.07123", "3/2^5", "1/3"])
@pytest.mark.parametrize("offset", ["0", "[1/3, -5]", "[100.5, 33.03125]"])
def test_a_cell_with_every_kind_of_op(ratio: str, offset: str) -> None:
    text = LSTM_LIKE.replace("RATIO", ratio).replace("OFFSET", offset)
    text = text.replace("SIGMOID", table("sigmoid")).replace("TANH", table("tanh"))
    (gemm,) = products(assert_equal(graph(text)))
    assert [p.out.name for p in gemm.products] == ["a", "b"]


def test_a_product_takes_the_narrowest_exact_type() -> None:
    """512 * 2**15 is 2**24: one less is the most that float32 takes."""
    for weights, bits, dtype in (
        ([511, 0], 15, SINGLE),
        ([511, 1], 15, DOUBLE),
        ([2**37, -(2**37) + 1], 15, DOUBLE),
        ([2**37, -(2**37)], 15, LONG),
        ([2**46 - 1, -(2**46)], 14, LONG),
    ):
        reach = sum(map(abs, weights)) * 2**bits
        g = graph(f"""
%x: {-(2**bits)}..{2**bits - 1} x 2 seq = input
%a: {-reach}..{reach} x 1 seq = matvec %x {{weights = [{weights}]}}
%y: {-reach}..{reach} x 1 seq = output %a
""")
        (gemm,) = products(assert_equal(g))
        assert gemm.matrix.dtype == dtype


@pytest.mark.parametrize(("mul", "folded"), [(15, True), (17, False)])
def test_constants_go_into_a_product_only_where_they_fit(mul: int, folded: bool) -> None:
    """The weights reach 2**20; with 15 times that float32 is exact, with 17 times it is not."""
    g = graph(f"""
%x: -128..127 x 2 seq = input
%a: -1048576..1048576 x 2 seq = matvec %x {{weights = [[4096, -4096], [1, 2]]}}
%b: -128..127 x 2 seq = requant %a {{ratio = {mul}/2^10, offset = [1/2^10, 0]}}
%y: -128..127 x 2 seq = output %b
""")
    (gemm,) = products(assert_equal(g))
    assert gemm.matrix.dtype == SINGLE
    assert (gemm.products[0].scale is not None) == folded


def test_values_read_from_outside_are_not_swallowed_by_a_sum() -> None:
    assert_equal(
        graph("""
%x: -8..7 x 2 seq = input
%all: -24..24 x 2 seq, %sums: -90..90 x 2 seq = scan %x {
  input %xt: -8..7 x 2
  state %h: -90..90 x 2 = initial [1, 2] -> %s
  %a: -24..24 x 2 = matvec %xt {weights = [[1, 2], [2, -1]]}
  %b: -24..24 x 2 = matvec %xt {weights = [[1, -2], [0, -1]]}
  %s: -90..90 x 2 = add %a, %b
  %t: -90..90 x 2 = add %b, %b
  yield %a, %t
}
%y: -24..24 x 2 seq = output %all
%z: -90..90 x 2 seq = output %sums
""")
    )


def test_states_may_swap_and_delay_each_other() -> None:
    assert_equal(
        graph("""
%x: -8..7 x 1 seq = input
%p: -8..7 x 1 seq, %q: -8..7 x 1 seq, %r: -8..7 x 2 seq = scan %x {
  input %xt: -8..7 x 1
  state %a: -8..7 x 1 = initial [1] -> %b
  state %b: -8..7 x 1 = initial [2] -> %a
  state %c: -8..7 x 1 = initial [3] -> %xt
  state %d: -8..7 x 1 = initial [4] -> %c
  state %w: -8..7 x 2 = initial [5, 6] -> %v
  state %e: -8..7 x 1 = initial [0] -> %first
  %first: -8..7 x 1 = slice %w {start = 0}
  %v: -8..7 x 2 = concat %e, %d
  yield %a, %d, %v
}
%y: -8..7 x 1 seq = output %p
%z: -8..7 x 1 seq = output %q
%u: -8..7 x 2 seq = output %r
""")
    )


def test_ops_outside_of_a_scan_on_sequences_and_vectors() -> None:
    assert_equal(
        graph("""
%x: -128..127 x 3 seq = input
%v: -40000..70000 x 2 = input
%back: -128..127 x 3 seq = reverse %x
%part: -128..127 x 2 seq = slice %back {start = 1}
%wide: -128..127 x 5 seq = concat %x, %part
%a: -100000..100000 x 2 seq = matvec %wide {weights = [[1, 20, 3, 4, 5], [-60, 7, 8, 9, 0]]}
%aq: -8..7 x 2 seq = requant %a {ratio = 0.0007, offset = [1/2, -1/2]}
%flat: -128..127 x 12 = flatten %back {steps = 4}
%b: -99999..99999 x 2 = matvec %flat {weights = [[3 * 12], [-1, 2, 3, 4, 5, 6, 7, 8, 9, -9 * 3]]}
%s: -200000..200000 x 2 = sub %v, %b
%m: -40000000000..40000000000 x 2 = mul %s, %s
%first: -8..7 x 2 = select %aq {step = first}
%n: -320000000000..320000000000 x 2 = mul %m, %first
%k: -5..5 x 2 = const {values = [-5, 5]}
%o: -320000000005..320000000005 x 2 = add %n, %k
%y: -8..7 x 2 seq = output %aq
%z: -320000000005..320000000005 x 2 = output %o
%u: -128..127 x 3 seq = output %x
%w: -5..5 x 2 = output %k
""")
    )


@pytest.mark.parametrize("low", [-(2**15), 0, -1000])
def test_tables_of_sixteen_bits_and_of_odd_ranges(low: int) -> None:
    high = low + 2**16 - 1
    g = graph(f"""
%x: {low}..{high} x 2 seq = input
%a: {low}..{high} x 2 seq = lut %x {{table = [{", ".join(map(str, range(high, low - 1, -1)))}]}}
%b: -100..155 x 2 seq = requant %a {{ratio = 1/2^9, offset = 0}}
%c: -128..127 x 2 seq = lut %b {{table = [{", ".join(map(str, range(-128, 128)))}]}}
%y: {low}..{high} x 2 seq = output %a
%z: -128..127 x 2 seq = output %c
""")
    assert_equal(g)


def test_integers_of_62_bits_stay_exact() -> None:
    big = 2**61
    g = graph(f"""
%x: {-big}..{big - 1} x 2 seq = input
%a: {-big}..{big - 1} x 2 seq = requant %x {{ratio = 1, offset = 3}}
%b: {-big}..{big - 1} x 2 seq = requant %x {{ratio = 1/3, offset = [0.1, 7]}}
%c: -128..127 x 2 seq = requant %x {{ratio = 0x1.23p-54, offset = [1/3, 7]}}
%d: {-big - 128}..{big + 128} x 2 seq = add %a, %c
%y: {-big}..{big - 1} x 2 seq = output %b
%z: {-big - 128}..{big + 128} x 2 seq = output %d
""")
    assert_equal(g)


ECHO = """
%x: -128..127 x 3 seq = input
%all: -128..127 x 3 seq = scan %x {
  input %xt: -128..127 x 3
  state %h: -128..127 x 3 = initial [1, 2, 3] -> %n
  %s: -256..254 x 3 = add %xt, %h
  %n: -128..127 x 3 = requant %s {ratio = 1/2, offset = 0}
  yield %n
}
%y: -128..127 x 3 seq = output %all
"""


@pytest.mark.parametrize(("chunk", "sequence"), [(3, 10**9), (17, 10**9), (10**9, 30)])
def test_a_batch_in_pieces(chunk: int, sequence: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "CHUNK", chunk)
    monkeypatch.setattr(fast, "SEQUENCE", sequence)
    assert_equal(graph(ECHO))


def test_any_number_of_steps_and_sequences_in_any_order() -> None:
    g = graph(ECHO)
    model = compile_graph(g)
    assert compile_graph(g) is model
    for steps, batch in ((1, 1), (5, 2), (2, 5), (1, 1), (9, 1), (3, 3), (5, 2)):
        data = samples(g, steps, max(batch, 2))
        data = {name: x[:, :batch] for name, x in data.items()}
        assert np.array_equal(model.run(data)["y"], run_plain(g, data)["y"])
    assert model.run({"x": np.zeros((4, 0, 3), np.int64)})["y"].shape == (4, 0, 3)


def test_threads_share_a_model() -> None:
    g = graph(ECHO)
    data = [samples(g, 40, 8, seed) for seed in range(4)]
    want = [run_plain(g, d)["y"] for d in data]

    def right(k: int) -> bool:
        runs = [compile_graph(g).run(data[k])["y"] for _ in range(10)]
        return all(np.array_equal(y, want[k]) for y in runs)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(right, range(4)))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (None, 'input "x": is missing'),
        (np.zeros((2, 3)), 'input "x": is float64 of shape (2, 3), which does not fit %x: '),
        (np.zeros((2, 5, 4), int), 'input "x": is int64 of shape (2, 5, 4), which does not fit'),
        (np.full((2, 5, 3), 128), 'input "x": holds 128..128; its range is -128..127'),
        (np.zeros((0, 5, 3), int), "g: its inputs have [5] sequences of [0] steps"),
    ],
)
def test_input_that_does_not_fit(x: Ints | None, message: str) -> None:
    model = compile_graph(graph(ECHO))
    with pytest.raises(DataError) as caught:
        model.run({} if x is None else {"x": x})
    assert str(caught.value).startswith(message)


def test_results_in_another_type() -> None:
    g = graph(ECHO)
    data = samples(g)
    got = compile_graph(g).run_as(np.dtype(np.float32), data)["y"]
    assert got.dtype == np.float32
    assert np.array_equal(got, run_plain(g, data)["y"])
    with pytest.raises(AssertionError, match=r"uint8 does not hold %y: -128\.\.127 x 3 seq"):
        compile_graph(g).run_as(np.dtype(np.uint8), data)
