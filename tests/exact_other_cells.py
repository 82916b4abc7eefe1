# SPDX-License-Identifier: Apache-2.0
"""QuantRNNCell and QuantGRUCell, step by step, in exact arithmetic; shares no line with hwrnn.

Inputs of a QuantRNNCell: x, h, W_x, W_h, b, then (scale, zero point, bit width) of `output` and
`gate_acc`.  Of a QuantGRUCell: x, h, W_x of reset, update and new, W_h of them, their biases, the
bias inside of the reset, then nine quantisers.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import onnx
from exact_cell import CELLS, Curve, Dyadic, Exact, cell_quantisers, rounded, sequence_of

__all__ = ["Exact"]

RNN_QUANTISERS = ("output", "gate_acc")
GRU_QUANTISERS = (
    "output",
    "hidden_state",
    "reset_acc",
    "update_acc",
    "new_acc",
    "new_hidden_acc",
    "reset_sigmoid",
    "update_sigmoid",
    "new_tanh",
)


def steps_of(x: Dyadic, given: dict[str, Any]) -> list[tuple[int, Dyadic]]:
    """The steps of a batch of one, in the order in which they are taken."""
    plain = x.map(lambda a: a[0] if given["batch_first"] else a[:, 0])
    found = [(k, plain.map(partial(row, index=k))) for k in range(len(plain.num))]
    return found[::-1] if given["reverse_input"] else found


def row(array: Any, index: int) -> Any:  # noqa: ANN401 - Python integers in an array
    """One row of an array, which keeps its two axes."""
    return array[index : index + 1]


def rnn(exact: Exact, node: onnx.NodeProto, inputs: list[Any], given: dict[str, Any]) -> list[Any]:
    """h' = output(f(gate_acc(W_x x + W_h h + b))), f being tanh or relu."""
    q = cell_quantisers(exact, node, given, RNN_QUANTISERS, 5)
    x, h, w_x, w_h, b = inputs[:5]
    h, w_x, w_h = h.map(lambda a: a[:1]), w_x.map(np.transpose), w_h.map(np.transpose)
    outputs: dict[int, Dyadic] = {}
    for step, x_t in steps_of(x, given):
        acc = exact.quantise(x_t @ w_x + h @ w_h + b, q["gate_acc"])
        if given["nonlinearity"] == "relu":
            h = exact.quantise(acc.map(lambda a: np.where(a > 0, a, 0)), q["output"])
        else:
            assert given["nonlinearity"] == "tanh"
            h = exact.quantise(Curve("tanh", acc), q["output"])
        outputs[step] = h
    return [sequence_of(outputs, given), h]


def gru(exact: Exact, node: onnx.NodeProto, inputs: list[Any], given: dict[str, Any]) -> list[Any]:
    """h' = output(hidden_state(z * h) + hidden_state((1 - z) * n))."""
    q = cell_quantisers(exact, node, given, GRU_QUANTISERS, 12)
    x, h = inputs[0], inputs[1].map(lambda a: a[:1])
    xr, xz, xn, hr, hz, hn = (w.map(np.transpose) for w in inputs[2:8])
    br, bz, bn, bh = inputs[8:12]
    one = nearest_one(q["update_sigmoid"].scale)
    outputs: dict[int, Dyadic] = {}
    for step, x_t in steps_of(x, given):
        acc = exact.quantise(x_t @ xr + h @ hr + br, q["reset_acc"])
        r = exact.quantise(Curve("sigmoid", acc), q["reset_sigmoid"])
        acc = exact.quantise(x_t @ xz + h @ hz + bz, q["update_acc"])
        z = exact.quantise(Curve("sigmoid", acc), q["update_sigmoid"])
        if given["reset_after"]:
            mine = exact.quantise(x_t @ xn + bn, q["new_acc"])
            other = exact.quantise(h @ hn + bh, q["new_hidden_acc"])
            total = mine + exact.quantise(r * other, q["new_acc"])
        else:
            total = x_t @ xn + exact.quantise(r * h, q["output"]) @ hn + bn
        acc = exact.quantise(total, q["new_acc"])
        n = exact.quantise(Curve("tanh", acc), q["new_tanh"])
        kept = exact.quantise(z * h, q["hidden_state"])
        added = exact.quantise((one - z) * n, q["hidden_state"])
        h = exact.quantise(kept + added, q["output"])
        outputs[step] = h
    return [sequence_of(outputs, given), h]


def nearest_one(scale: Dyadic) -> Dyadic:
    """The multiple of a scale that is nearest to 1."""
    size = Fraction(int(scale.num.ravel()[0])) * Fraction(2) ** scale.exp
    inverse = 1 / size
    count, _ = rounded(inverse.numerator, inverse.denominator, "ROUND")
    return scale.map(lambda a: a * count)


CELLS.update({"QuantRNNCell": rnn, "QuantGRUCell": gru})
