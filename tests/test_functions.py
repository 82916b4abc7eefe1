# SPDX-License-Identifier: Apache-2.0
"""Tables of the functions that only ONNX files bring: every entry against high precision."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import mpmath
import pytest

from hwrnn.frontend.tables import Table, entries
from hwrnn.ir import IntType, Rounding
from hwrnn.ir.rounding import round_exact

F = Fraction
PLAIN: dict[str, tuple[tuple[Fraction, ...], Callable[[mpmath.mpf, list[mpmath.mpf]], mpmath.mpf]]]
PLAIN = {
    "hardsigmoid": ((F(1, 5), F(1, 2)), lambda x, n: max(0, min(1, n[0] * x + n[1]))),
    "leakyrelu": ((F(-1, 7),), lambda x, n: x if x >= 0 else n[0] * x),
    "thresholdedrelu": ((F(3, 4),), lambda x, n: x if x > n[0] else mpmath.mpf(0)),
    "elu": ((F(5, 4),), lambda x, n: x if x >= 0 else n[0] * mpmath.expm1(x)),
    "softsign": ((), lambda x, _: x / (1 + abs(x))),
    "softplus": ((), lambda x, _: mpmath.log(1 + mpmath.exp(x))),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(("scale", "out_scale"), [(F(1, 32), F(1, 64)), (F(0.0371), F(0.0173))])
@pytest.mark.parametrize("rounding", [Rounding.HALF_EVEN, Rounding.FLOOR])
def test_every_entry(name: str, scale: Fraction, out_scale: Fraction, rounding: Rounding) -> None:
    numbers, function = PLAIN[name]
    x, out = IntType(-120, 127), IntType(-90, 100)
    found = entries(Table(name, x, scale, F(1, 9), out, out_scale, rounding, 0, numbers))
    assert len(found) == x.levels
    with mpmath.workprec(400):
        given = [mpmath.mpf(n.numerator) / n.denominator for n in numbers]
        for q, entry in zip(range(x.lo, x.hi + 1), found, strict=True):
            at = scale * q + F(1, 9)
            real = function(mpmath.mpf(at.numerator) / at.denominator, given)
            quotient = real * out_scale.denominator / out_scale.numerator
            doubled = quotient * 2
            if abs(doubled - mpmath.nint(doubled)) > mpmath.mpf(2) ** -300:  # no tie
                exact = Fraction(int(mpmath.nint(quotient * 2**200)), 2**200)
                assert entry == out.clamp(round_exact(exact, rounding)), q


def test_a_tie_is_settled_exactly() -> None:
    table = Table(
        "leakyrelu",
        IntType(-4, 4),
        F(1),
        F(0),
        IntType(-8, 8),
        F(1),
        Rounding.HALF_EVEN,
        0,
        (F(1, 2),),
    )
    assert entries(table) == (-2, -2, -1, 0, 0, 1, 2, 3, 4)


def test_a_step_belongs_to_its_upper_side() -> None:
    table = Table(
        "thresholdedrelu",
        IntType(0, 4),
        F(1, 2),
        F(0),
        IntType(0, 9),
        F(1, 4),
        Rounding.HALF_EVEN,
        0,
        (F(1),),
    )
    assert entries(table) == (0, 0, 0, 6, 8)
