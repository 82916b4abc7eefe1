# SPDX-License-Identifier: Apache-2.0
"""Give each Requant hardware constants, proved equal to its exact meaning.

With v = ratio * x + offset + 1/2 (rounding to nearest) the exact result is floor(v), but for
ties. Constants (m, b) with shift s compute floor(v') with v' = (m * x + b) / 2**s. The two agree
on a range of x when v' - v stays above minus the least distance of v down to an integer, and
below the least distance up to one. Both distances are exact minima of a linear function modulo
the common denominator (`hwrnn.ir.linmod`), so that the proof holds for every x of the range, and
costs a logarithm of it. Outside of the range both sides are clamped, and monotone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, lcm

import numpy as np

from hwrnn.errors import VerifyError
from hwrnn.ir import (
    Graph,
    IntMatrix,
    IntType,
    Realisation,
    Requant,
    Rounding,
    ScaleShift,
    Thresholds,
    Ties,
)
from hwrnn.ir.linmod import first_zero, max_mod, min_mod
from hwrnn.ir.rounding import step_to

MAX_MUL_BITS = 62  # beyond this a multiplier is not sane: thresholds
MAX_SHIFT_BITS = 96  # widest shift of a dyadic requantiser
FEW_LEVELS = 4  # up to 2 bits out: thresholds are smaller than a multiplier
MAX_THRESHOLDS = 1 << 22  # entries of one table, all channels together

BASE = {  # what is added before the floor; the modes not listed depend on the sign
    Rounding.HALF_EVEN: Fraction(1, 2),
    Rounding.HALF_UP: Fraction(1, 2),
    Rounding.HALF_DOWN: Fraction(1, 2),
    Rounding.FLOOR: Fraction(0),
    Rounding.CEIL: Fraction(1),
}


def realise_requants(g: Graph) -> Graph:
    """Set `realised` of every Requant that has none: shift, scale or thresholds, proved exact."""
    return g.rewrite(Requant, lambda op, scope: _realised(op, scope[op.x].type))  # type: ignore[union-attr,arg-type]


def _realised(op: Requant, x: IntType) -> Requant:
    return op if op.realised else replace(op, realised=realise(op, x))


def realise(op: Requant, x: IntType) -> Realisation:
    """The cheapest realisation that is exact for every integer of `x`."""
    lines = channel_lines(op)
    found: Realisation | None = None
    if op.rounding in BASE:
        exact = dyadic(op, lines, x)
        cheap = exact is not None and exact.kind == "shift"
        found = exact if cheap else scaled(op, lines, x) or exact
    few = op.out.type.levels <= FEW_LEVELS
    if found is None or (few and found.kind == "scale"):
        if found is None and len(lines) * op.out.type.levels > MAX_THRESHOLDS:
            raise VerifyError(
                f"%{op.out.name} (Requant)",
                f"no exact multiply-and-shift exists for rounding {op.rounding.value}, and "
                f"thresholds would need {len(lines) * op.out.type.levels} entries",
                "use power-of-two scales, fewer bits, or rounding to nearest",
            )
        return thresholds(op, lines, x)
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """v = slope * x + start, the exact value before the rounding, of one channel."""

    slope: Fraction
    start: Fraction


def channel_lines(op: Requant) -> list[Line]:
    """One line for each channel that has constants of its own."""
    n = max(len(op.ratio), len(op.offset))
    ratio = op.ratio * n if len(op.ratio) == 1 else op.ratio
    offset = op.offset * n if len(op.offset) == 1 else op.offset
    return [Line(r, o) for r, o in zip(ratio, offset, strict=True)]


def thresholds(op: Requant, lines: Iterable[Line], x: IntType) -> Thresholds:
    """The least x that reaches each level, straight from the definition; exact for every mode.

    A level that is never reached has x.hi + 1, one that is always reached has x.lo.
    """
    rows = []
    for line in lines:
        row = []
        for k in range(op.out.type.lo + 1, op.out.type.hi + 1):
            position, included = step_to(k, op.rounding)
            at = (position - line.start) / line.slope
            least = ceil(at) if included or at.denominator > 1 else int(at) + 1
            row.append(min(max(least, x.lo), x.hi + 1))
        rows.append(row)
    return Thresholds(table=IntMatrix(np.array(rows, dtype=np.int64)))


def dyadic(op: Requant, lines: list[Line], x: IntType) -> ScaleShift | None:
    """Exact constants, when every ratio and offset is an integer over a power of two."""
    if all(line.slope.denominator == line.start.denominator == 1 for line in lines):
        whole = [(int(line.slope), int(line.start)) for line in lines]  # nothing to round
        mul, add = shared([m for m, _ in whole]), shared([a for _, a in whole])
        return ScaleShift(mul=mul, add=add, shift=0, ties=Ties.KEEP)
    base = BASE[op.rounding]
    starts = [line.start + base for line in lines]
    parts = [line.slope for line in lines] + starts
    shift = max(1, max(p.denominator for p in parts).bit_length() - 1)
    if any(p.denominator & (p.denominator - 1) for p in parts) or shift > MAX_SHIFT_BITS:
        return None
    muls = [int(line.slope * 2**shift) for line in lines]
    adds = [int(start * 2**shift) for start in starts]
    ties = Ties.KEEP
    if op.rounding is Rounding.HALF_EVEN:
        ties = Ties.EVEN
    elif op.rounding is Rounding.CEIL:
        adds = [a - 1 for a in adds]
    elif op.rounding is not Rounding.FLOOR and any(
        tie_kinds(line, base, op, x) - {True} for line in lines
    ):
        return None
    if max(muls).bit_length() > MAX_MUL_BITS and any(m & (m - 1) for m in muls):
        return None
    return ScaleShift(mul=shared(muls), add=shared(adds), shift=shift, ties=ties)


def shared(values: list[int]) -> tuple[int, ...]:
    """One entry when all are equal."""
    return (values[0],) if len(set(values)) == 1 else tuple(values)


@dataclass(frozen=True, slots=True)
class Window:
    """Where a channel is not clamped, and how far the constants may be off there.

    Constants are exact when low <= v' - v < high at both ends of the window (v' - v is linear).
    """

    first: int
    last: int
    slope: Fraction
    start: Fraction
    low: Fraction
    high: Fraction


def scaled(op: Requant, lines: list[Line], x: IntType) -> ScaleShift | None:
    """Constants that are near enough to be exact on the whole of x, or None."""
    windows = [window(op, line, x) for line in lines]
    if any(w is None for w in windows):
        return None
    known = [w for w in windows if w is not None]
    largest = max(w.slope for w in known)
    shift = max(0, -floor(largest).bit_length())
    while (largest * 2**shift) < 2**MAX_MUL_BITS:
        pairs = [constants(w, shift) for w in known]
        if all(pairs):
            good = [p for p in pairs if p]
            mul, add = [m for m, _ in good], [b for _, b in good]
            return ScaleShift(mul=shared(mul), add=shared(add), shift=shift, ties=Ties.KEEP)
        shift += 1
    return None


def constants(w: Window, shift: int) -> tuple[int, int] | None:
    """(mul, add) for this shift that the proof accepts, or None."""
    unit = 2**shift
    mul = round(w.slope * unit)
    if mul < 1:
        return None
    drift = [(Fraction(mul, unit) - w.slope) * x for x in (w.first, w.last)]
    low = (w.start + w.low - min(drift)) * unit
    high = (w.start + w.high - max(drift)) * unit
    add = ceil(low)
    if add >= high:
        return None
    middle = round((low + high) / 2)
    return mul, middle if low <= middle < high else add


def window(op: Requant, line: Line, x: IntType) -> Window | None:
    """The window of one channel, or None when ties go both ways in it."""
    out, base = op.out.type, BASE[op.rounding]
    slope, start = line.slope, line.start + base
    first = max(x.lo, min(x.hi, ceil((out.lo - start) / slope) - 1))
    last = min(x.hi, max(x.lo, floor((out.hi + 1 - start) / slope) + 1))
    last = max(first, last)
    kinds = tie_kinds(line, base, op, IntType(first, last))
    if kinds == {True, False}:
        return None
    q = lcm(slope.denominator, start.denominator)
    p, r = int(slope * q), int(start * q)
    if kinds == {False}:
        r -= 1  # floor((p*x + r - 1) / q): a tie falls, nothing else changes
    n = last - first + 1
    down = min_mod(p, r + p * first, q, n)
    up = q - max_mod(p, r + p * first, q, n)
    return Window(first, last, slope, Fraction(r, q), Fraction(-down, q), Fraction(up, q))


def tie_kinds(line: Line, base: Fraction, op: Requant, x: IntType) -> set[bool]:
    """Whether the ties among the integers of x are rounded up (True), down (False), or both."""
    start = line.start + base
    q = lcm(line.slope.denominator, start.denominator)
    p, r = int(line.slope * q), int(start * q)
    found = first_zero(p, r + p * x.lo, q)
    if found is None:
        return set()
    offset, period = found
    if x.lo + offset > x.hi:
        return set()
    count = (x.hi - x.lo - offset) // period
    at = [x.lo + offset + period * j for j in {0, min(1, count), count}]
    return {step_to((p * t + r) // q, op.rounding)[1] for t in at}
