# SPDX-License-Identifier: Apache-2.0
"""Each kind of node as integers, against the file itself in an ONNX engine that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import onnx
import pytest
from numpy.typing import ArrayLike
from small_onnx import FEATURES, Net

from hwrnn.cmodel.plain import run_plain
from hwrnn.frontend.integerise import integerise
from hwrnn.ir import Graph, MatVec, Output, Requant, Scan
from hwrnn.ir.exact import quantise
from hwrnn.sim.reference import Reference
from hwrnn.transforms.pipeline import run_pipeline
from hwrnn.transforms.realise import realise_requants

STEPS, BATCH = 5, 7
W23 = [[0.5, -1, 0.75], [0.25, 1.5, -0.5]]
W33 = [*W23, [-0.75, 0.25, 1]]


def dense(n: Net, x: str, rows: list[list[float]], scale: ArrayLike = 1 / 4) -> str:
    return n.node("MatMul", x, n.weights(np.transpose(rows), scale))


def head_with_a_float_bias(n: Net, x: str) -> str:
    return n.node("Add", dense(n, x, W23), n.const([0.3, -1.7]))


def bias_first_and_per_channel(n: Net, x: str) -> str:
    scales = [[1 / 4, 1 / 8]]
    y = n.node("Add", n.quant(n.const([0.3, -1.7]), 1 / 64, bits=16), dense(n, x, W23, scales))
    return n.quant(y, 1 / 4)


def relu(n: Net, x: str) -> str:
    return n.quant(n.node("Relu", dense(n, x, W33)), 1 / 2, bits=3, signed=0)


def signed_relu(n: Net, x: str) -> str:
    return n.quant(n.node("Relu", dense(n, x, W33)), 1 / 2, bits=3, narrow=1)


def sigmoid(n: Net, x: str) -> str:
    return n.quant(n.node("Sigmoid", n.quant(dense(n, x, W33), 1 / 8, bits=6)), 1 / 32, signed=0)


def tanh(n: Net, x: str) -> str:
    return n.quant(n.node("Tanh", x), 1 / 32, bits=6)


def scales_by_feature(n: Net, x: str) -> str:
    return n.quant(dense(n, x, W33), [1 / 2, 1 / 4, 1])


def sum_of_two_scales(n: Net, x: str) -> str:
    fine = n.quant(dense(n, x, W33), 1 / 16, bits=8)
    return n.quant(n.node("Add", fine, x), 1 / 4)


def difference(n: Net, x: str) -> str:
    return n.node("Sub", n.quant(dense(n, x, W33), 1 / 16, bits=8), x)


def one_minus(n: Net, x: str) -> str:
    return n.quant(n.node("Sub", n.quant(n.const(1), 1 / 8, bits=6), x), 1 / 4)


def minus_constant(n: Net, x: str) -> str:
    return n.quant(n.node("Sub", x, n.const([0.1, 0.2, -0.3])), 1 / 4)


def product(n: Net, x: str) -> str:
    return n.quant(n.node("Mul", n.quant(dense(n, x, W33), 1 / 4), x), 1 / 4)


def last_step(n: Net, x: str) -> str:
    return n.node("Gather", x, n.index(-1), axis=1)


def first_step_by_slice(n: Net, x: str) -> str:
    parts = (n.ints(0), n.ints(1), n.ints(1))
    return n.node("Squeeze", n.node("Slice", x, *parts), n.ints(1))


def last_step_by_slice(n: Net, x: str) -> str:
    parts = (n.ints(-1), n.ints(2**63 - 1), n.ints(1))
    return n.node("Squeeze", n.node("Slice", x, *parts), n.ints(1))


def reversed_steps(n: Net, x: str) -> str:
    return n.node("Slice", x, n.ints(-1), n.ints(-(2**63)), n.ints(1), n.ints(-1))


def all_of_it(n: Net, x: str) -> str:
    return n.node("Slice", x, n.ints(0), n.ints(2**63 - 1), n.ints(1), n.ints(1))


def two_branches(n: Net, x: str) -> str:
    return n.node("Concat", x, n.quant(dense(n, x, W23), 1 / 4), axis=2)


def flattened(n: Net, x: str) -> str:
    rng = np.random.default_rng(0)
    flat = n.node("Flatten", x)
    weights = n.weights(rng.normal(0, 0.6, (2, STEPS * FEATURES)))
    return n.node("Gemm", flat, weights, n.const([0.1, 0.2]), transB=1)


def reshaped(n: Net, x: str) -> str:
    flat = n.node("Reshape", x, n.ints(0, -1))
    return n.node("MatMul", flat, n.weights(np.eye(STEPS * FEATURES)[:, :4]))


def moved_axes(n: Net, x: str) -> str:
    return n.node("Transpose", x, perm=[1, 0, 2])


def recurrent(n: Net, x: str) -> str:
    """h' = quant(tanh(quant(W x + U h))), its whole sequence."""
    b = Net(prefix="b_")
    product = b.node("Add", dense(b, "x_t", W33), dense(b, "h", W33))
    new = b.quant(b.node("Tanh", b.quant(product, 1 / 16, bits=8)), 1 / 8)
    same = b.node("Identity", new)
    body = b.body(["h", "x_t"], [new, same])
    start = n.const(np.zeros((BATCH, 3)))
    time_first = n.node("Transpose", x, perm=[1, 0, 2])
    n.node("Scan", start, time_first, outputs=2, body=body, num_scan_inputs=1)
    return n.node("Transpose", n.nodes[-1].output[1], perm=[1, 0, 2])


MODELS: tuple[Callable[[Net, str], str], ...] = (
    head_with_a_float_bias,
    bias_first_and_per_channel,
    relu,
    signed_relu,
    sigmoid,
    tanh,
    scales_by_feature,
    sum_of_two_scales,
    difference,
    one_minus,
    minus_constant,
    product,
    last_step,
    first_step_by_slice,
    last_step_by_slice,
    reversed_steps,
    all_of_it,
    two_branches,
    flattened,
    reshaped,
    moved_axes,
    recurrent,
)


def build(make: Callable[[Net, str], str]) -> onnx.ModelProto:
    n = Net()
    return n.model(make(n, n.quant("x")))


def reals(output: Output, q: np.ndarray) -> np.ndarray:
    """The exact real values, in float64; with small powers of two nothing is lost."""
    scale, offset = (
        np.array([float(v) for v in f]) for f in (output.grid.scale, output.grid.offset)
    )
    found: np.ndarray = q * scale + offset
    return found


def run_graph(g: Graph, x: np.ndarray) -> np.ndarray:
    port, output = g.inputs[0], g.outputs[0]
    q = quantise(x, np.array(0.125), port.out.type, port.quantiser.rounding)
    canonical = q.transpose([port.axes.index(a) for a in ("T", "B", "F")])
    y = reals(output, run_plain(g, {port.out.name: canonical})[output.out.name])
    if not output.out.sequence:
        return y
    return y.transpose([("T", "B", "F").index(a) for a in output.axes])


@pytest.mark.parametrize("make", MODELS, ids=lambda m: m.__name__)
def test_integers_are_what_the_file_says(make: Callable[[Net, str], str]) -> None:
    model = build(make)
    x = np.random.default_rng(1).normal(0, 0.8, (BATCH, STEPS, FEATURES))
    want = next(iter(Reference(model).run(x).values()))
    g = integerise(model, "m")
    for prepared in (realise_requants(g.verify()), run_pipeline(g)):
        got = run_graph(prepared, x)
        assert got.shape == want.shape
        assert np.abs(got - want).max() < 1e-6  # a float32 bias of the file in float64
        steps = [float(s) for s in g.outputs[0].grid.scale]
        assert np.abs(got - want).max() < min(steps) / 100


def test_accumulators_are_as_wide_as_the_weights_need() -> None:
    g = integerise(build(head_with_a_float_bias), "m")
    op = next(op for op in g.ops if isinstance(op, MatVec))
    assert op.weights.array.tolist() == [[2, -4, 3], [1, 6, -2]]
    assert str(op.out.type) == "-70..67"


def test_bias_of_a_head_is_an_exact_offset() -> None:
    output = integerise(build(head_with_a_float_bias), "m").outputs[0]
    assert output.grid.scale == (Fraction(1, 32),)
    assert output.grid.offset == tuple(Fraction(float(np.float32(v))) for v in (0.3, -1.7))


def test_bias_off_the_accumulators_grid_is_not_rounded_again() -> None:
    """Int32Bias: its scale is float32(s_w * s_x), which is not s_w * s_x."""
    s_x, s_w, s_y = (np.float32(v) for v in (0.1, 0.013, 0.9))
    s_b = np.float32(s_w * s_x)
    assert Fraction(float(s_b)) != Fraction(float(s_w)) * Fraction(float(s_x))
    n = Net()
    x = n.quant("x", s_x)
    bias = n.quant(n.const(np.array([100, -7, 3], np.float32) * s_b), s_b, bits=32)
    y = n.node("Gemm", n.node("Gather", x, n.index(-1), axis=1), n.weights(np.eye(3), s_w), bias)
    g = integerise(n.model(n.quant(y, s_y)), "m").verify()
    op = next(op for op in g.ops if isinstance(op, Requant))
    assert op.ratio == (Fraction(float(s_w)) * Fraction(float(s_x)) / Fraction(float(s_y)),)
    exact = tuple(k * Fraction(float(s_b)) / Fraction(float(s_y)) for k in (100, -7, 3))
    assert op.offset == exact


def test_a_state_is_on_the_grid_of_its_next_value() -> None:
    g = integerise(build(recurrent), "m").verify()
    scan = next(op for op in g.ops if isinstance(op, Scan))
    (state,) = scan.body.states
    assert (str(state.value.type), state.initial) == ("-8..7", (0, 0, 0))


def test_an_input_that_two_nodes_quantise_alike_is_one_input() -> None:
    n = Net()
    y = n.node("Add", n.quant("x"), n.quant("x"))
    g = run_pipeline(integerise(n.model(y), "m"))
    assert len(g.inputs) == 1


NAMES = ['y"; rm -rf /', "two\nlines", "../../up", "$(boom)", "[exit]", "int", "", "é" * 10_000]


@pytest.mark.parametrize("name", NAMES, ids=lambda s: repr(s[:12]))
def test_names_of_the_file_become_identifiers(name: str) -> None:
    n = Net()
    port = name + "x"
    model = n.model(n.node("Identity", n.quant(port)), x=port)
    model.graph.node[-1].output[0] = model.graph.output[0].name = name + "y"
    g = integerise(model, name).verify()
    for found in (g.name, *g.scope()):
        assert found.isascii()
        assert found.replace("_", "").isalnum()
        assert len(found) <= 64
