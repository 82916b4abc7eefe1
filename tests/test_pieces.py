# SPDX-License-Identifier: Apache-2.0
"""Bodies with one product for all gates, or a product of x and h side by side."""

from __future__ import annotations

import numpy as np
import pytest

import hwrnn
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.pieces import whole_vectors
from hwrnn.errors import DesignError
from hwrnn.ir import Concat, Graph, Slice
from hwrnn.ir.text import parse_graph
from hwrnn.transforms.pipeline import run_pipeline

INPUTS, UNITS = 3, 4
RNG = np.random.default_rng(11)
SIZES = {"x": INPUTS, "h": UNITS}


def matrix(rows: int, columns: int) -> str:
    return str(RNG.integers(-7, 8, (rows, columns)).tolist())


def graph_of(body: str) -> Graph:
    text = f"""graph cell {{
  %x: -128..127 x {INPUTS} seq = input {{quantiser = {{scale = 2^-7}}, axes = [B, T, F]}}
  %y: -128..127 x {UNITS} seq = scan %x {{
    input %xt: -128..127 x {INPUTS}
    state %h: -128..127 x {UNITS} = initial [0 * {UNITS}] -> %h_next
{body}
    yield %h_next
  }}
  %out: -128..127 x {UNITS} seq = output %y {{grid = {{scale = 2^-7}}, axes = [B, T, F]}}
}}
"""
    return run_pipeline(parse_graph(text))


def gated(pre: str) -> str:
    """Two gates in one vector of 2 * UNITS sums, quantised together, then taken apart."""
    ratios = ", ".join(["1/60"] * UNITS + ["3/100"] * UNITS)
    return f"""{pre}
    %q: -128..127 x {2 * UNITS} = requant %acc {{ratio = [{ratios}], offset = 3/8}}
    %z: -128..127 x {UNITS} = slice %q {{start = 0}}
    %n: -128..127 x {UNITS} = slice %q {{start = {UNITS}}}
    %zn: -16256..16384 x {UNITS} = mul %z, %n
    %zq: -64..64 x {UNITS} = requant %zn {{ratio = 2^-8, offset = 0}}
    %sum: -192..191 x {UNITS} = add %zq, %h
    %h_next: -128..127 x {UNITS} = requant %sum {{ratio = 1/2, offset = 0}}"""


SIDE_BY_SIDE = f"""    %xh: -128..127 x {INPUTS + UNITS} = concat %xt, %h
    %acc: -7000..7000 x {2 * UNITS} = matvec %xh {{weights = {matrix(8, 7)}}}"""
TWO_PRODUCTS = f"""    %a: -3000..3000 x {2 * UNITS} = matvec %xt {{weights = {matrix(8, 3)}}}
    %b: -4000..4000 x {2 * UNITS} = matvec %h {{weights = {matrix(8, 4)}}}
    %acc: -7000..7000 x {2 * UNITS} = add %a, %b"""
PART_OF_X = f"""    %xs: -128..127 x 2 = slice %xt {{start = 1}}
    %a: -3000..3000 x {2 * UNITS} = matvec %xs {{weights = {matrix(8, 2)}}}
    %b: -4000..4000 x {2 * UNITS} = matvec %h {{weights = {matrix(8, 4)}}}
    %acc: -7000..7000 x {2 * UNITS} = add %a, %b"""

each_body = pytest.mark.parametrize("pre", [SIDE_BY_SIDE, TWO_PRODUCTS, PART_OF_X])


@each_body
def test_nothing_but_the_form_changes(pre: str) -> None:
    graph = graph_of(gated(pre))
    plain = whole_vectors(graph)
    assert not any(isinstance(op, Slice | Concat) for op in plain.scans[0].body.ops)
    x = np.random.default_rng(0).integers(-128, 128, (9, 5, INPUTS))
    assert np.array_equal(run_plain(graph, {"x": x})["y"], run_plain(plain, {"x": x})["y"])


@each_body
@pytest.mark.needs_sim
@pytest.mark.parametrize("fold", [{"pe": 2, "simd": 3}, {"pe": 4, "simd": 7}])
def test_engines_take_them(pre: str, fold: dict[str, int]) -> None:
    graph = graph_of(gated(pre))
    design = hwrnn.build(graph, folding=fold)
    assert len(design.engines[0].gates) == 2
    x = np.random.default_rng(1).integers(-128, 128, (3, 4, INPUTS))
    expected = np.asarray(hwrnn.run(graph, x, integers=True))
    assert np.array_equal(hwrnn.simulate(design, x, engine="csim").outputs, expected)


def test_a_slice_of_a_state_is_refused() -> None:
    body = f"""    %a: -3000..3000 x {UNITS} = matvec %xt {{weights = {matrix(4, 3)}}}
    %part: -128..127 x 2 = slice %h {{start = 1}}
    %twice: -128..127 x {UNITS} = concat %part, %part
    %sum: -3200..3200 x {UNITS} = add %a, %twice
    %h_next: -128..127 x {UNITS} = requant %sum {{ratio = 1/60, offset = 0}}"""
    with pytest.raises(DesignError) as fault:
        hwrnn.build(graph_of(body))
    assert str(fault.value) == (
        "layer y: reads %twice element by element, which puts part, part side by side\n"
        "  hint: all gates and states have one size"
    )
