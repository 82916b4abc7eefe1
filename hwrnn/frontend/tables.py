# SPDX-License-Identifier: Apache-2.0
"""Tables of functions: every entry is the exact function, rounded once.

float64 decides an entry whose value is far from a turning point of the rounding; mpmath, with
rising precision, decides the rest; `functions` says where a function is rational, and exact
without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import mpmath
import numpy as np

from hwrnn.frontend.functions import FORMS, RATIONAL
from hwrnn.ir import IntType, Rationals, Rounding
from hwrnn.ir.exact import round_sure
from hwrnn.ir.rounding import round_exact

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
    numbers: Rationals = ()


@lru_cache(maxsize=256)
def entries(t: Table) -> tuple[int, ...]:
    """clamp(round(f(scale * q + offset) / out_scale + out_zero)) for every q of the input range."""
    q = np.arange(t.x.lo, t.x.hi + 1)
    real = np.asarray(q * float(t.scale) + float(t.offset), np.float64)
    form, numbers = FORMS[t.function], [float(n) for n in t.numbers]
    quotient = form.floats(real, numbers) / float(t.out_scale)
    v = quotient + t.out_zero
    lost = 2.0**-50 * (np.abs(q * float(t.scale)) + abs(float(t.offset)))  # of the argument
    steep = np.minimum(1.0, 4 * np.exp(-np.abs(real))) if form.saturates else form.slope(numbers)
    lost *= steep / float(t.out_scale)  # and of the result
    doubled = v * 2
    size = np.maximum(1.0, np.abs(quotient) + abs(t.out_zero))
    unsure = np.abs(doubled - np.rint(doubled)) <= _SAFE * size + 2 * lost
    sure = round_sure(np.clip(v, t.out.lo - 2.0, t.out.hi + 2.0), t.rounding)
    found: list[int] = np.clip(sure, t.out.lo, t.out.hi).astype(np.int64).tolist()
    at = np.flatnonzero(unsure | _jump(t, real))
    if t.function in RATIONAL:
        for k in at:
            found[k] = _exact(t, t.x.lo + int(k))
        return tuple(found)
    for run in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1):
        if run.size:
            _settle(t, found, int(run[0]), int(run[-1]))
    return tuple(found)


def _settle(t: Table, found: list[int], first: int, last: int) -> None:
    """Fill first..last exactly: the function rises, or falls: all between equal entries are equal.

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


def _jump(t: Table, real: np.ndarray) -> np.ndarray:
    """Where float64 may be on the wrong side of a step of the function itself."""
    if t.function != "thresholdedrelu":
        return np.zeros(real.shape, dtype=bool)
    return np.asarray(np.abs(real - float(t.numbers[0])) <= _SAFE * np.maximum(1.0, np.abs(real)))


def _exact(t: Table, q: int) -> int:
    x = t.scale * q + t.offset
    rational = FORMS[t.function].exact(x, t.numbers)
    if rational is not None:
        return t.out.clamp(round_exact(rational / t.out_scale + t.out_zero, t.rounding))
    value = lambda: _interval(t.function, x, t.numbers)  # noqa: E731 - with rising precision
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


def _interval(name: str, x: Fraction, numbers: Rationals) -> tuple[Fraction, Fraction]:
    """The function at x, enclosed by mpmath's interval arithmetic at the working precision."""
    iv = mpmath.iv
    iv.prec = mpmath.mp.prec
    at, *more = (iv.mpf(v.numerator) / v.denominator for v in (x, *numbers))
    y = FORMS[name].bounds(at, more)
    return _fraction(y.a), _fraction(y.b)


def _fraction(v: mpmath.mpf) -> Fraction:
    sign, man, exp, _ = mpmath.mpf(v)._mpf_
    value = Fraction(int(man)) * Fraction(2) ** int(exp)
    return -value if sign else value
