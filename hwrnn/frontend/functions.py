# SPDX-License-Identifier: Apache-2.0
"""The functions that become tables, in float64, and exactly.

Sigmoid, tanh, the exponential part of ELU and softplus are irrational at every rational number
(but for 1/2 and 0 at 0), by Lindemann and Weierstrass; the others are rational at all of them.
Formulas: https://onnx.ai/onnx/operators. `alpha` and `beta` are the numbers of the function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import mpmath
import numpy as np
from numpy.typing import NDArray

from hwrnn.ir import Rationals

Floats = NDArray[np.float64]
Interval = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class FunctionForm:
    """A function in float64; exactly where it is rational (else None); and between two bounds."""

    floats: Callable[[Floats, list[float]], Floats]
    exact: Callable[[Fraction, Rationals], Fraction | None]
    bounds: Callable[[mpmath.ctx_iv.ivmpf, list[mpmath.ctx_iv.ivmpf]], mpmath.ctx_iv.ivmpf]
    slope: Callable[[list[float]], float] = lambda _: 1.0
    saturates: bool = False


def nowhere(_: object, __: object) -> mpmath.ctx_iv.ivmpf:
    """The bounds of a function that is rational everywhere: nobody asks for them."""
    raise AssertionError


def at_zero(value: Fraction) -> Callable[[Fraction, Rationals], Fraction | None]:
    """Rational at 0 alone."""
    return lambda x, _: value if x == 0 else None


def never(_: Fraction, __: Rationals) -> Fraction | None:
    """Rational nowhere."""
    return None


def sigmoid(x: Floats, _: list[float]) -> Floats:
    """1 / (1 + e^-x)."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-x)))


def hard_sigmoid(x: Fraction, n: Rationals) -> Fraction:
    """Alpha x + beta, between 0 and 1."""
    return min(max(n[0] * x + n[1], Fraction(0)), Fraction(1))


def leaky_relu(x: Fraction, n: Rationals) -> Fraction:
    """x, or alpha x below 0."""
    return x if x >= 0 else n[0] * x


def thresholded_relu(x: Fraction, n: Rationals) -> Fraction:
    """X above alpha, else 0."""
    return x if x > n[0] else Fraction(0)


def softsign(x: Fraction, _: Rationals) -> Fraction:
    """X / (1 + |x|)."""
    return x / (1 + abs(x))


def steepest(n: list[float]) -> float:
    """The largest slope of a function whose slope is 1 or alpha."""
    return max(1.0, abs(n[0]))


FORMS: dict[str, FunctionForm] = {
    "sigmoid": FunctionForm(
        floats=sigmoid,
        exact=at_zero(Fraction(1, 2)),
        bounds=lambda x, _: 1 / (1 + mpmath.iv.exp(-x)),
        saturates=True,
    ),
    "tanh": FunctionForm(
        floats=lambda x, _: np.asarray(np.tanh(x)),
        exact=at_zero(Fraction(0)),
        bounds=lambda x, _: 1 - 2 / (mpmath.iv.exp(2 * x) + 1),
        saturates=True,
    ),
    "elu": FunctionForm(
        floats=lambda x, n: np.where(x >= 0, x, n[0] * np.expm1(np.minimum(x, 0.0))),
        exact=lambda x, n: x if x >= 0 else (Fraction(0) if n[0] == 0 else None),
        bounds=lambda x, n: n[0] * (mpmath.iv.exp(x) - 1),
        slope=steepest,
    ),
    "softplus": FunctionForm(
        floats=lambda x, _: np.logaddexp(0.0, x),
        exact=never,
        bounds=lambda x, _: mpmath.iv.log(1 + mpmath.iv.exp(x)),
    ),
    "hardsigmoid": FunctionForm(
        floats=lambda x, n: np.clip(n[0] * x + n[1], 0.0, 1.0),
        exact=hard_sigmoid,
        bounds=nowhere,
        slope=steepest,
    ),
    "leakyrelu": FunctionForm(
        floats=lambda x, n: np.where(x >= 0, x, n[0] * x),
        exact=leaky_relu,
        bounds=nowhere,
        slope=steepest,
    ),
    "thresholdedrelu": FunctionForm(
        floats=lambda x, n: np.where(x > n[0], x, 0.0),
        exact=thresholded_relu,
        bounds=nowhere,
    ),
    "softsign": FunctionForm(
        floats=lambda x, _: x / (1 + np.abs(x)), exact=softsign, bounds=nowhere
    ),
}
RATIONAL = frozenset({"hardsigmoid", "leakyrelu", "thresholdedrelu", "softsign"})
