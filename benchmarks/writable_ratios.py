# SPDX-License-Identifier: Apache-2.0
"""How many requantisers of retrained models find exact constants in a design's form.

    python benchmarks/writable_ratios.py

Ratios are those of float32 scales, s_w * s_x / s_y, offsets those of unquantised biases. A first
model of 16 channels makes the form; then channels with ratios from about half to twice as large
ask for constants in it.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np

from hwrnn.errors import DesignError
from hwrnn.ir import IntType, Requant, ScaleShift, Value
from hwrnn.ir.types import of_bits
from hwrnn.transforms.realise import Line, channel_lines
from hwrnn.transforms.roomy import in_form, roomy

MODELS, CHANNELS = 25, 400


def main() -> None:
    """A line for each width."""
    rng = np.random.default_rng(1)
    print("in out | channels, without constants, too large | shift, multiplier bits at most")
    for out_bits in (4, 8, 12, 16):
        for bits in (12, 16, 20, 24):
            found, widest = measured(
                rng, of_bits(bits, signed=True), of_bits(out_bits, signed=True)
            )
            counts = f"{found['all']}, {found['none']}, {found['large']}"
            print(f"{bits:2} {out_bits:3} | {counts} | {widest[0]}, {widest[1]}")


def measured(
    rng: np.random.Generator, x: IntType, out: IntType
) -> tuple[Counter[str], tuple[int, int]]:
    """Counts, and the largest shift and multiplier of the forms."""
    found: Counter[str] = Counter()
    shift = bits = 0
    for _ in range(MODELS):
        base = out.levels / x.levels * 2 ** rng.uniform(1, 5)
        first = drawn(rng, out, base, 0.1, 16)
        form = roomy(first, channel_lines(first), x)
        assert isinstance(form, ScaleShift)
        assert form.room is not None
        shift, bits = max(shift, form.shift), max(bits, form.room.mul_bits)
        for line in channel_lines(drawn(rng, out, base, 1.0, CHANNELS)):
            found["all"] += 1
            found[outcome(out, line, x, form)] += 1
    return found, (shift, bits)


def drawn(rng: np.random.Generator, out: IntType, base: float, spread: float, n: int) -> Requant:
    """A requantiser of n channels."""
    s_x, s_y = single(rng.uniform(0.5, 1)), single(rng.uniform(0.5, 1))
    ratio, offset = [], []
    for _ in range(n):
        ratio.append(single(base * 2 ** rng.uniform(-spread, spread)) * s_x / s_y)
        offset.append(single(rng.normal() * 20) / s_y)
    value = Value(name="y", type=out, size=n)
    return Requant(out=value, x="x", ratio=tuple(ratio), offset=tuple(offset))


def single(v: float) -> Fraction:
    """A float32 number."""
    return Fraction(float(np.float32(v)))


def outcome(out: IntType, line: Line, x: IntType, form: ScaleShift) -> str:
    """fits, none (no exact constants) or large (they do not fit)."""
    value = Value(name="y", type=out, size=1)
    op = Requant(out=value, x="x", ratio=(line.slope,), offset=(line.start,))
    try:
        in_form(op, [line], x, form)
    except DesignError as refused:
        return "none" if "no exact constants" in refused.fact else "large"
    return "fits"


if __name__ == "__main__":
    main()
