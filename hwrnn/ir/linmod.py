# SPDX-License-Identifier: Apache-2.0
"""Exact extremes of (a*x + c) mod m over a range of x, in a logarithmic number of steps.

They tell how close a line with rational slope comes to an integer, which is what the proof of a
requantiser's constants rests on.
"""

from __future__ import annotations


def min_mod(a: int, c: int, m: int, n: int) -> int:
    """The least (a*x + c) mod m over 0 <= x < n.

    Walks the record minima: `up` and `down` are the smallest changes of value, upwards and
    downwards, that the steps `up_dx` and `down_dx` of x can make (the two sides of Euclid's
    algorithm), so that each record is the next number of the sequence below the one before.
    """
    if n < 1 or m < 1:
        raise ValueError("an empty range has no minimum")
    value, left = c % m, n - 1
    up, up_dx = a % m, 1
    if up == 0:
        return value
    down, down_dx = m - up, 1
    while value:
        if down <= value:
            k = min(value // down, left // down_dx)
            value, left = value - k * down, left - k * down_dx
            if value >= down:
                return value
            continue
        if down > up:
            j = min((down - 1) // up, -(-(down - value) // up))
            down, down_dx = down - j * up, down_dx + j * up_dx
        elif up > down:
            j = (up - 1) // down
            up, up_dx = up - j * down, up_dx + j * down_dx
        else:
            return value
        if down_dx > left:
            return value
    return value


def max_mod(a: int, c: int, m: int, n: int) -> int:
    """The greatest (a*x + c) mod m over 0 <= x < n."""
    return m - 1 - min_mod(-a, m - 1 - c, m, n)


def first_zero(a: int, c: int, m: int) -> tuple[int, int] | None:
    """The least x >= 0 with (a*x + c) mod m == 0 and the period of all such x, or None."""
    g, inverse = _gcd_inverse(a % m, m)
    if c % g:
        return None
    period = m // g
    return (-c // g) * inverse % period, period


def _gcd_inverse(a: int, m: int) -> tuple[int, int]:
    """gcd(a, m) and the u with a*u == gcd (mod m)."""
    old, new, u, v = a, m, 1, 0
    while new:
        q = old // new
        old, new, u, v = new, old - q * new, v, u - q * v
    return old, u
