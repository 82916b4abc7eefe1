# SPDX-License-Identifier: Apache-2.0
"""Cells that no layer of Brevitas has, written as text: the engine takes any element-wise body."""

from __future__ import annotations

import numpy as np
import pytest

import hwrnn
from hwrnn.cmodel.plain import run_plain
from hwrnn.ir import Graph
from hwrnn.ir.text import parse_graph
from hwrnn.transforms.pipeline import run_pipeline

pytestmark = pytest.mark.needs_sim

INPUTS, UNITS = 3, 5
RNG = np.random.default_rng(7)


def matrix(rows: int, columns: int) -> str:
    return str(RNG.integers(-7, 8, (rows, columns)).tolist())


def ramp(low: int, high: int) -> str:
    """A table over -128..127 that rises from low to high, bent in the middle."""
    x = np.linspace(-2.5, 2.5, 256)
    y = np.clip(np.rint((np.tanh(x) + 1) / 2 * (high - low) + low), low, high)
    return str(y.astype(int).tolist())


def gate(name: str) -> str:
    w_x, w_h = matrix(UNITS, INPUTS), matrix(UNITS, UNITS)
    return f"""
    %{name}_x: -4000..4000 x {UNITS} = matvec %xt {{weights = {w_x}}}
    %{name}_h: -6000..6000 x {UNITS} = matvec %h {{weights = {w_h}}}"""


def requant(name: str, source: str, ratio: str, low: int = -128, high: int = 127) -> str:
    return f"""
    %{name}: {low}..{high} x {UNITS} = requant %{source} {{ratio = {ratio}, offset = 3/8}}"""


def graph_of(body: str, result: str, states: str) -> Graph:
    text = f"""graph cell {{
  %x: -128..127 x {INPUTS} seq = input {{quantiser = {{scale = 2^-7}}, axes = [B, T, F]}}
  %y: -128..127 x {UNITS} seq = scan %x {{
    input %xt: -128..127 x {INPUTS}
{states}{body}
    yield %{result}
  }}
  %out: -128..127 x {UNITS} seq = output %y {{grid = {{scale = 2^-7}}, axes = [B, T, F]}}
}}
"""
    return run_pipeline(parse_graph(text))


H = f"    state %h: -128..127 x {UNITS} = initial [0 * {UNITS}] -> %h_next"


def plain_rnn() -> Graph:
    body = f"""{gate("a")}
    %acc: -10000..10000 x {UNITS} = add %a_x, %a_h{requant("acc_q", "acc", "3/100")}
    %h_next: -128..127 x {UNITS} = lut %acc_q {{table = {ramp(-128, 127)}}}"""
    return graph_of(body, "h_next", H)


def gru_reset_after() -> Graph:
    """n = tanh(W x + r * (U h)); h' = n + z * (h - n): one gate reads x only, one h only."""
    sums = "".join(
        f"""{gate(g)}
    %{g}_acc: -10000..10000 x {UNITS} = add %{g}_x, %{g}_h{requant(f"{g}_q", f"{g}_acc", "2^-5")}
    %{g}: 0..255 x {UNITS} = lut %{g}_q {{table = {ramp(0, 255)}}}"""
        for g in ("z", "r")
    )
    body = f"""{sums}{gate("n")}{requant("n_hq", "n_h", "2^-5")}{requant("n_xq", "n_x", "2^-4")}
    %gated: -32640..32385 x {UNITS} = mul %r, %n_hq{requant("gated_q", "gated", "2^-8")}
    %n_acc: -256..254 x {UNITS} = add %n_xq, %gated_q{requant("n_q", "n_acc", "1")}
    %n: -128..127 x {UNITS} = lut %n_q {{table = {ramp(-128, 127)}}}
    %diff: -255..255 x {UNITS} = sub %h, %n
    %kept: -65025..65025 x {UNITS} = mul %z, %diff{requant("kept_q", "kept", "2^-8", -256, 255)}
    %mixed: -384..382 x {UNITS} = add %n, %kept_q{requant("h_next", "mixed", "1")}"""
    return graph_of(body, "h_next", H)


def leaky_integrator() -> Graph:
    """A state that is never multiplied by a matrix."""
    w = matrix(UNITS, INPUTS)
    body = f"""
    %a: -4000..4000 x {UNITS} = matvec %xt {{weights = {w}}}{requant("a_q", "a", "1/50")}
    %sum: -256..254 x {UNITS} = add %h, %a_q{requant("h_next", "sum", "7/8")}"""
    return graph_of(body, "h_next", H)


@pytest.mark.parametrize("fold", [(1, 1), (2, 3), (5, 3)])
@pytest.mark.parametrize("cell", [plain_rnn, gru_reset_after, leaky_integrator])
def test_any_body_on_every_engine(cell: object, fold: tuple[int, int]) -> None:
    assert callable(cell)
    graph: Graph = cell()
    x = np.random.default_rng(1).integers(-128, 128, (6, 9, INPUTS))
    want = run_plain(graph, {"x": x.transpose(1, 0, 2)})["out"].transpose(1, 0, 2)
    assert len(np.unique(want)) > 20  # the numbers are lively
    design = hwrnn.build(graph, folding={"pe": fold[0], "simd": fold[1]})
    assert np.array_equal(hwrnn.run(graph, x, integers=True), want)  # type: ignore[arg-type]
    assert np.array_equal(hwrnn.simulate(design, x, engine="csim").outputs, want)
    rtl = hwrnn.simulate(design, x, engine="rtl")
    assert np.array_equal(rtl.outputs, want)
    assert rtl.cycles == hwrnn.estimate(design).cycles([9] * 6)
