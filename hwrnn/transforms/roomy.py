# SPDX-License-Identifier: Apache-2.0
"""Requantiser constants in a form that other models of the same shape share.

Hardware whose constants are written at run time fixes the form: which kind of requantiser, the
shift, how many bits a multiplier and an addend have. With SPARE bits of room, and a shift large
enough for the range, exact constants exist for nearly every ratio (docs/writable-weights.md has
the counts); each is proved, as in `hwrnn.transforms.realise`, before it is used.

A form that rounds half to even clears the lowest bit when all bits that were shifted out are 0.
Constants of a ratio that is no power of two must never meet that case: they are found for one
bit less of shift, then doubled, and 1 added, so that the lowest bit is always set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

from hwrnn.errors import DesignError
from hwrnn.ir import (
    IntType,
    Realisation,
    Requant,
    Room,
    Rounding,
    ScaleShift,
    Scaling,
    Thresholds,
    Ties,
)
from hwrnn.transforms.realise import (
    BASE,
    FEW_LEVELS,
    MAX_MUL_BITS,
    MAX_THRESHOLDS,
    Line,
    constants,
    thresholds,
    window,
)

LINEAR = (Rounding.HALF_EVEN, Rounding.FLOOR, Rounding.CEIL)  # the others: thresholds
SPARE = 2  # bits: ratios up to four times as large or as small as those of the first model
SPARE_SHIFTS = 3  # the same for powers of two, which cost less
TYPICAL = 4  # ratios up to so many times (levels out) / (levels in) fit as well
MARGIN = 6  # bits of shift beyond the square of the range: see `scale_form`

Constants = tuple[int, int]


def roomy(op: Requant, lines: Sequence[Line], x: IntType) -> Realisation:
    """The form of a requantiser that other models will share, with this model's constants."""
    if op.out.type.levels > FEW_LEVELS and op.rounding in LINEAR:
        if all(power_of_two(line.slope) for line in lines):
            return shift_form(op, lines)
        found = scale_form(op, lines, x)
        if found is not None:
            return found
    entries = len(lines) * op.out.type.levels
    if entries > MAX_THRESHOLDS:
        raise DesignError(
            f"%{op.out.name} (Requant)",
            f"needs {entries} writable thresholds; {MAX_THRESHOLDS} are the most",
            "use power-of-two scales, fewer bits, or rounding half to even",
        )
    return thresholds(op, lines, x)


def power_of_two(v: Fraction) -> bool:
    """True for ..., 1/4, 1/2, 1, 2, 4, ..."""
    big = v.numerator * v.denominator
    return big & (big - 1) == 0 and 1 in (v.numerator, v.denominator)


def ties_of(op: Requant) -> Ties:
    """How ties are settled: a matter of the rounding mode only."""
    return Ties.EVEN if op.rounding is Rounding.HALF_EVEN else Ties.KEEP


def shift_form(op: Requant, lines: Sequence[Line]) -> ScaleShift:
    """Room for ratios SPARE_SHIFTS powers of two smaller and larger, and any offset."""
    finest = max(line.slope.denominator.bit_length() - 1 for line in lines)
    shift = max(finest, 1) + 1 + SPARE_SHIFTS
    found = [on_grid(op, line, shift) for line in lines]
    made = [pair for pair in found if pair is not None]
    assert len(made) == len(found)
    largest = max(mul for mul, _ in made) << SPARE_SHIFTS
    factors = Room(kind=Scaling.SHIFT, mul_bits=largest.bit_length(), add_bits=1)
    return with_room(op, made, shift, factors)


def scale_form(op: Requant, lines: Sequence[Line], x: IntType) -> ScaleShift | None:
    """Shift 2 log2(n) + MARGIN, n being four times the integers that are not clamped.

    A ratio on the grid of the shift is off by at most half a step, so that at the ends of n
    integers the value is off by n / 2**(shift + 1); the gap around a rounding is about 1 / n wide.
    """
    n = min(x.levels, max(extent(op, line, x) for line in lines) << SPARE)
    shift = 2 * n.bit_length() + MARGIN
    largest = max(line.slope for line in lines)
    while largest * 2**shift < 2**MAX_MUL_BITS:
        found = [line_constants(op, line, x, shift) for line in lines]
        made = [pair for pair in found if pair is not None]
        if len(made) == len(found):
            needed = max(mul for mul, _ in made) << SPARE
            typical = (TYPICAL * op.out.type.levels << shift) // x.levels
            bits = max(needed, typical).bit_length()
            factors = Room(kind=Scaling.SCALE, mul_bits=bits, add_bits=1)
            return with_room(op, made, shift, factors)
        shift += 1
    return None


def extent(op: Requant, line: Line, x: IntType) -> int:
    """How many integers of x are not clamped."""
    out, start = op.out.type, line.start + BASE[op.rounding]
    first = max(x.lo, min(x.hi, ceil((out.lo - start) / line.slope) - 1))
    last = min(x.hi, max(x.lo, floor((out.hi + 1 - start) / line.slope) + 1))
    return max(last - first, 0) + 1


def with_room(op: Requant, made: Sequence[Constants], shift: int, factors: Room) -> ScaleShift:
    """The form around these constants: offsets four times as large fit as well, and all up to four
    times the output's range.
    """
    muls, adds = zip(*made, strict=True)
    widest = max(*adds, -min(adds) - 1).bit_length() + 1
    room = replace(factors, add_bits=max(widest, shift + op.out.type.bits + 1) + SPARE)
    return ScaleShift(mul=muls, add=adds, shift=shift, ties=ties_of(op), room=room)


def in_form(op: Requant, lines: Sequence[Line], x: IntType, form: Realisation) -> Realisation:
    """Constants of another model in a known form. Raises DesignError where there are none."""
    if isinstance(form, Thresholds):
        return thresholds(op, lines, x)
    assert form.room is not None
    made = [held(op, k, line, x, form) for k, line in enumerate(lines)]
    muls, adds = zip(*made, strict=True)
    return ScaleShift(mul=muls, add=adds, shift=form.shift, ties=form.ties, room=form.room)


def held(op: Requant, channel: int, line: Line, x: IntType, form: ScaleShift) -> Constants:
    """The constants of one channel, or the refusal that names it."""
    assert form.room is not None
    place = f"%{op.out.name} (Requant), channel {channel}"
    ratio = f"its ratio {float(line.slope):.6g}"
    if form.room.kind is Scaling.SHIFT and not power_of_two(line.slope):
        raise DesignError(
            place,
            f"{ratio} is no power of two, and the design shifts",
            "train with power-of-two scales, as the model that was built, or build from this one",
        )
    if form.room.kind is Scaling.SHIFT:
        pair = on_grid(op, line, form.shift)
    else:
        pair = line_constants(op, line, x, form.shift)
    if pair is None:
        raise DesignError(
            place,
            f"{ratio} has no exact constants with a shift of {form.shift}",
            "build the design from this model",
        )
    if not form.room.holds(*pair):
        mul, add = pair
        raise DesignError(
            place,
            f"{ratio} and offset {float(line.start):.6g} need a multiplier of {mul.bit_length()} "
            f"and an addend of {(add if add >= 0 else ~add).bit_length() + 1} bits; the design "
            f"holds {form.room.mul_bits} and {form.room.add_bits}",
            "build the design from this model",
        )
    return pair


def line_constants(op: Requant, line: Line, x: IntType, shift: int) -> Constants | None:
    """(mul, add) with this shift, proved exact on all of x, or None."""
    return line_grid(op, line, shift) or near(op, line, x, shift)


def line_grid(op: Requant, line: Line, shift: int) -> Constants | None:
    """`on_grid`, unless the multiplier is beyond all reason."""
    found = on_grid(op, line, shift)
    return found if found and found[0].bit_length() <= MAX_MUL_BITS else None


def on_grid(op: Requant, line: Line, shift: int) -> Constants | None:
    """Constants that hold the ratio itself; None unless it is a whole number over 2**shift.

    slope * x is a multiple of g, at most 1/2. Of the offset only the multiple of g below it
    counts, and whether anything is left: then no value is a tie, and g / 2 keeps it off.
    """
    if line.slope.denominator & (line.slope.denominator - 1):
        return None
    grid = Fraction(1, max(line.slope.denominator, 2))
    steps, rest = divmod(line.start, grid)
    start = steps * grid + BASE[op.rounding]
    if rest:
        start += grid / 2
    elif op.rounding is Rounding.CEIL:
        start -= grid / 2
    mul, add = line.slope * 2**shift, start * 2**shift
    if mul.denominator > 1 or add.denominator > 1:
        return None
    return int(mul), int(add)


def near(op: Requant, line: Line, x: IntType, shift: int) -> Constants | None:
    """Constants of a ratio nearby, where the proof accepts them."""
    w = window(op, line, x)
    if w is None:
        return None
    if ties_of(op) is Ties.KEEP:
        return constants(w, shift)
    found = constants(w, shift - 1) if shift else None
    return (2 * found[0], 2 * found[1] + 1) if found else None
