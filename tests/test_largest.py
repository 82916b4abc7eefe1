# SPDX-License-Identifier: Apache-2.0
"""The largest of reals by integers: small constants, the same order, and hardware as wide as it
takes.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest
from rtl.bench import BOARD, check, draw, reference, same

import hwrnn
from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.errors import DesignError
from hwrnn.ir import Graph, Requant
from hwrnn.ir.sequence_ops import ArgMax
from hwrnn.ir.text import parse_graph
from hwrnn.sim.csim import simulate_csim
from hwrnn.transforms.order_outputs import narrow, order_outputs
from hwrnn.transforms.realise import realise_requants


def mantissa(rng: Random, spread: int = 2) -> Fraction:
    """A float32, as an exact number."""
    return Fraction(rng.randrange(1 << 23, 1 << 24), 1 << rng.randrange(24, 24 + spread))


def scores(seed: int, *, one_scale: bool, bits: int = 24, spread: int = 2) -> Graph:
    """The largest of five scores whose scales and offsets are float32."""
    rng = Random(seed)
    s_x = mantissa(rng)
    scales = [s_x * (Fraction(1) if one_scale else mantissa(rng, spread)) for _ in range(5)]
    reach = 1 << bits - 6
    near = [float(s) * reach * rng.uniform(-0.1, 0.1) for s in scales]
    offsets = [Fraction(float(np.float32(v))) for v in near]
    weights = [[rng.randrange(-reach // 64, reach // 64) for _ in range(3)] for _ in range(5)]
    shown = "scale = [{}], offset = [{}]".format(
        *(", ".join(str(v) for v in values) for values in (scales, offsets))
    )
    return parse_graph(
        f"graph scores {{\n"
        f"%x: -8..7 x 3 seq = input {{quantiser = {{scale = 1}}, axes = [B, T, F]}}\n"
        f"%d: -{reach}..{reach} x 5 seq = matvec %x {{weights = {weights}}}\n"
        f"%m: 0..4 x 1 seq = argmax %d {{{shown}}}\n"
        f"%y: 0..4 x 1 seq = output %m {{grid = {{scale = 1}}, axes = [B, T, F]}}\n}}"
    ).verify()


def ordered(graph: Graph) -> Graph:
    """Ready for hardware."""
    return realise_requants(order_outputs(graph).verify())


@pytest.mark.parametrize("seed", range(40))
def test_small_constants_keep_the_order_of_all_pairs(seed: int) -> None:
    rng = Random(seed)
    count, largest = rng.randint(1, 5), rng.choice([2, 9, 60])
    mul = tuple(rng.randint(1, largest) for _ in range(count)) if seed % 2 else (largest,) * count
    add = tuple(rng.randint(-5 * largest, 5 * largest) for _ in range(count))
    made, plus = narrow(mul, add)
    assert max(made) <= max(mul) * count
    for j, k in product(range(count), repeat=2):
        for x, z in product(range(-9, 10), repeat=2):
            a, b = mul[j] * x + add[j], mul[k] * z + add[k]
            c, d = made[j] * x + plus[j], made[k] * z + plus[k]
            assert (a < b, a == b) == (c < d, c == d)


def test_one_scale_costs_a_few_bits_only() -> None:
    graph = scores(1, one_scale=True)
    argmax = graph.ops[2]
    assert isinstance(argmax, ArgMax)
    assert max(argmax.weights(5)[0]).bit_length() >= 24
    wide = next(op for op in ordered(graph).ops if isinstance(op, Requant))
    assert set(wide.ratio) == {Fraction(5)}
    assert wide.out.type.bits <= graph.ops[1].out.type.bits + 4


@pytest.fixture(scope="module")
def wide() -> Design:
    """What is compared leaves 32 bits: a float32 scale for each score."""
    graph = ordered(scores(2, one_scale=False))
    made = next(op for op in graph.ops if isinstance(op, Requant))
    assert 40 < made.out.type.bits < 64
    return build_design(graph, BOARD, {"d": {"pe": 2, "simd": 2}})


@pytest.mark.needs_sim
def test_rtl_compares_numbers_of_more_than_32_bits(wide: Design) -> None:
    sequences = draw(wide, [9, 1, 5])
    expected = reference(wide.graph, sequences)
    assert len(set(np.concatenate(expected).ravel().tolist())) > 2
    check(wide, sequences, expected)


@pytest.mark.needs_sim
def test_csim_compares_numbers_of_more_than_32_bits(wide: Design) -> None:
    sequences = draw(wide, [9, 1, 5])
    same(simulate_csim(wide, sequences), reference(wide.graph, sequences))


def test_what_has_more_than_64_bits_is_refused_by_hls_alone() -> None:
    graph = ordered(scores(3, one_scale=False, spread=60))
    design = build_design(graph, BOARD, {"d": {"pe": 2, "simd": 2}})
    assert "hwrnn_add" in str(hwrnn.emit(design, "rtl")["rtl/files.f"])
    with pytest.raises(DesignError) as caught:
        hwrnn.emit(design, "hls")
    assert caught.value.place == "%m_real0"
    assert "bits; what an ArgMax compares in HLS C++ has up to 64" in caught.value.fact
