# SPDX-License-Identifier: Apache-2.0
"""Where a requantiser steps from level to level, and proofs that a float formula steps there too.

A formula made of IEEE operations that are each monotone (a product with a positive constant, a
sum, a rounding) is monotone. It equals the requantiser on a whole range if it does at the two
integers on either side of each step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwrnn.cmodel.carriers import Array, Ints
from hwrnn.ir import IntType, Realisation, ScaleShift, Thresholds, Ties

MAX_STEPS = 1 << 19  # of all channels together: proofs beyond take longer than they save
MAX_WIDE_STEPS = 1 << 16  # the same where Python integers have to compute them


def steps_of(r: Realisation, x: IntType, out: IntType) -> Ints | None:
    """The least x that reaches each level above the lowest: (channels, levels - 1).

    x.lo where every x does, x.hi + 1 where none does; None where there are too many.
    """
    if isinstance(r, Thresholds):
        table = r.table.array
        return np.clip(table, x.lo, x.hi + 1) if table.size <= MAX_STEPS else None
    size = (out.levels - 1) * r.channels
    wide = max(map(abs, r.add)) + (magnitude_of(out) << r.shift) >= 2**62
    if size > (MAX_WIDE_STEPS if wide else MAX_STEPS):
        return None
    return scale_steps(r, x, out, object if wide or max(r.mul) >= 2**62 else np.int64)


def magnitude_of(out: IntType) -> int:
    """The greatest absolute value of a level, with room for one."""
    return max(abs(out.lo), abs(out.hi)) + 1


def scale_steps(r: ScaleShift, x: IntType, out: IntType, kind: type) -> Ints:
    """The least x with mul * x >= (k << shift) - add; a tie does not reach an odd k if ties go
    to even.
    """
    levels: Array = np.array(range(out.lo + 1, out.hi + 1), dtype=kind)
    mul: Array = np.array(r.mul, dtype=kind)[:, None]
    add: Array = np.array(r.add, dtype=kind)[:, None]
    targets = (levels << r.shift) - add
    if r.ties is Ties.EVEN and r.shift:
        targets = targets + (levels & 1)
    least: Array = -(-targets // mul)
    return np.asarray(np.clip(least, x.lo, x.hi + 1), np.int64)


def proved(formula: Callable[[Ints], Array], steps: Ints, x: IntType, out: IntType) -> bool:
    """True when clamp(formula(v)) is the requantiser for every v of x.

    `formula` takes and gives (channels, n) and is monotone.
    """
    levels = np.arange(out.lo + 1, out.hi + 1)
    reached = (formula(np.minimum(steps, x.hi)) >= levels) | (steps > x.hi)
    if not reached.all():
        return False
    missed = (formula(np.maximum(steps - 1, x.lo)) < levels) | (steps <= x.lo)
    return bool(missed.all())
