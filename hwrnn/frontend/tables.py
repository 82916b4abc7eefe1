# SPDX-License-Identifier: Apache-2.0
"""Tables of sigmoid and tanh: every entry is the exact function, rounded once.

float64 decides an entry whose value is far from a turning point of the rounding; mpmath, with
rising precision, decides the rest. Both functions are irrational at every rational but 0
(Lindemann-Weierstrass), so that rising precision always ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import mpmath
import numpy as np

from hwrnn.ir import IntType, Rounding
from hwrnn.ir.rounding import round_exact

AT_ZERO = {"sigmoid": Fraction(1, 2), "tanh": Fraction(0)}
_SAFE = 1e-9  # far above the error of the float64 evaluation, relative to one output level


@dataclass(frozen=True, slots=True)
class Table:
    """What a table depends on: the function, the grid that goes in, the quantiser behind it."""

    function: str
    x: IntType
    scale: Fraction
    offset: Fraction
    out: IntType
    out_scale: Fraction
    rounding: Rounding
    out_zero: int = 0


@lru_cache(maxsize=256)
def entries(t: Table) -> tuple[int, ...]:
    """clamp(round(f(scale * q + offset) / out_scale + out_zero)) for every q of the input range."""
    q = np.arange(t.x.lo, t.x.hi + 1)
    real = q * float(t.scale) + float(t.offset)
    quotient = _float_function(t.function, real) / float(t.out_scale)
    v = quotient + t.out_zero
    lost = 2.0**-50 * (np.abs(q * float(t.scale)) + abs(float(t.offset)))  # of the argument
    lost *= np.minimum(1.0, 4 * np.exp(-np.abs(real))) / float(t.out_scale)  # and of the result
    doubled = v * 2
    size = np.maximum(1.0, np.abs(quotient) + abs(t.out_zero))
    unsure = np.abs(doubled - np.rint(doubled)) <= _SAFE * size + 2 * lost
    found = [
        0 if near else t.out.clamp(round_exact(Fraction(float(y)), t.rounding))
        for y, near in zip(v, unsure, strict=True)
    ]
    at = np.flatnonzero(unsure)
    for run in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1):
        if run.size:
            _settle(t, found, int(run[0]), int(run[-1]))
    return tuple(found)


def _settle(t: Table, found: list[int], first: int, last: int) -> None:
    """Fill first..last exactly: both functions rise, so that between equal entries all are equal.

    The saturated ends of a table with directed rounding are thousands of entries that float64
    cannot tell from the limit.
    """
    pending = [(first, last)]
    found[first], found[last] = _exact(t, t.x.lo + first), _exact(t, t.x.lo + last)
    while pending:
        low, high = pending.pop()
        if found[low] == found[high]:
            found[low : high + 1] = [found[low]] * (high + 1 - low)
        elif high - low > 1:
            middle = (low + high) // 2
            found[middle] = _exact(t, t.x.lo + middle)
            pending += [(low, middle), (middle, high)]


def _float_function(name: str, x: np.ndarray) -> np.ndarray:
    if name == "tanh":
        return np.asarray(np.tanh(x))
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _exact(t: Table, q: int) -> int:
    x = t.scale * q + t.offset
    if x == 0:
        at_zero = AT_ZERO[t.function] / t.out_scale + t.out_zero
        return t.out.clamp(round_exact(at_zero, t.rounding))
    value = lambda: _interval(t.function, x)  # noqa: E731 - called with rising precision
    return t.out.clamp(decide(value, t.out_scale, t.rounding, t.out_zero))


def decide(
    value: Callable[[], tuple[Fraction, Fraction]], scale: Fraction, mode: Rounding, zero: int = 0
) -> int:
    """Round value / scale + zero, raising the precision until both ends of the interval agree."""
    precision = 80
    while True:
        with mpmath.workprec(precision):
            low, high = value()
        first, second = (round_exact(end / scale + zero, mode) for end in (low, high))
        if first == second:
            return first
        precision *= 2


def _interval(name: str, x: Fraction) -> tuple[Fraction, Fraction]:
    """The function at x, enclosed by mpmath's interval arithmetic at the working precision."""
    iv = mpmath.iv
    iv.prec = mpmath.mp.prec
    at = iv.mpf(x.numerator) / x.denominator
    y = 1 / (1 + iv.exp(-at)) if name == "sigmoid" else 1 - 2 / (iv.exp(2 * at) + 1)
    return _fraction(y.a), _fraction(y.b)


def _fraction(v: mpmath.mpf) -> Fraction:
    sign, man, exp, _ = mpmath.mpf(v)._mpf_
    value = Fraction(int(man)) * Fraction(2) ** int(exp)
    return -value if sign else value
