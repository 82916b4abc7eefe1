# SPDX-License-Identifier: Apache-2.0
"""Constants in a shared form: exact at every integer or refused, and seldom refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwrnn.errors import DesignError
from hwrnn.ir import IntType, Rationals, Realisation, Requant, Rounding, ScaleShift, Ties, Value
from hwrnn.ir.requant import Room, Scaling
from hwrnn.ir.rounding import round_exact
from hwrnn.ir.types import of_bits
from hwrnn.transforms.realise import channel_lines
from hwrnn.transforms.roomy import LINEAR, in_form, roomy

POWERS = st.integers(-9, 2).map(lambda e: Fraction(2) ** e)
SMALL = st.fractions(min_value=Fraction(1, 300), max_value=9, max_denominator=300)
FLOATS = st.floats(float(np.float32(1e-3)), 8, width=32).map(Fraction)
QUOTIENTS = st.tuples(FLOATS, FLOATS, FLOATS).map(lambda t: t[0] * t[1] / t[2])
RATIOS = {"power of two": POWERS, "small": SMALL, "float32": FLOATS, "of scales": QUOTIENTS}
OFFSETS = st.one_of(
    st.integers(-999, 999).map(lambda k: Fraction(k, 16)),
    st.fractions(-40, 40, max_denominator=300),
    st.floats(-40, 40, width=32).map(Fraction),
)
RANGES = st.tuples(st.integers(-300, 300), st.integers(0, 120)).map(
    lambda t: IntType(t[0], t[0] + t[1])
)
OUTS = st.builds(of_bits, st.integers(2, 9), signed=st.booleans(), narrow=st.booleans())


def requant(
    ratio: Rationals, offset: Rationals, out: IntType, rounding: Rounding = Rounding.HALF_EVEN
) -> Requant:
    value = Value(name="y", type=out, size=max(len(ratio), len(offset)))
    return Requant(out=value, x="x", ratio=ratio, offset=offset, rounding=rounding)


def check_everywhere(op: Requant, x: IntType, made: Realisation) -> None:
    """Every integer of x in every channel."""
    for channel, line in enumerate(channel_lines(op)):
        for v in range(x.lo, x.hi + 1):
            exact = op.out.type.clamp(round_exact(line.slope * v + line.start, op.rounding))
            assert made.apply(v, channel, op.out.type) == exact


def check_room(made: Realisation, x: IntType) -> None:
    """All constants fit, and the sums stay within what the room says."""
    if not isinstance(made, ScaleShift):
        return
    assert made.room is not None
    reach = made.sum_type(x)
    for mul, add in zip(made.mul, made.add, strict=True):
        assert made.room.holds(mul, add)
        assert reach.covers(IntType(mul * x.lo + add, mul * x.hi + add))


@pytest.mark.parametrize("family", RATIOS)
@pytest.mark.parametrize("mode", [*LINEAR, Rounding.HALF_UP])
@given(data=st.data())
def test_a_form_and_another_model_in_it_are_exact_on_every_integer(
    mode: Rounding, family: str, data: st.DataObject
) -> None:
    def draw(name: str) -> Requant:
        ratio, offset = data.draw(RATIOS[name]), data.draw(OFFSETS)
        return requant((ratio,), (offset,), out, mode)

    out, x = data.draw(OUTS), data.draw(RANGES)
    first = draw(family)
    form = roomy(first, channel_lines(first), x)
    check_everywhere(first, x, form)
    check_room(form, x)
    other = draw(data.draw(st.sampled_from(sorted(RATIOS))))
    try:
        made = in_form(other, channel_lines(other), x, form)
    except DesignError:
        return
    check_everywhere(other, x, made)
    check_room(made, x)
    assert replace_constants(made) == replace_constants(form)


def replace_constants(how: Realisation) -> Realisation | int:
    """What two models have in common."""
    if isinstance(how, ScaleShift):
        return replace(how, mul=(), add=())
    return how.table.columns


def scales(rng: np.random.Generator, base: float, spread: float) -> tuple[Fraction, Fraction]:
    """Ratio and offset as float32 scales and an unquantised bias make them."""
    w, x, y, bias = (
        Fraction(float(np.float32(v)))
        for v in (
            base * 2 ** rng.uniform(-spread, spread),
            rng.uniform(0.7, 1),
            rng.uniform(0.7, 1),
            rng.normal() * 20,
        )
    )
    return w * x / y, bias / y


@pytest.mark.parametrize(("bits", "out_bits"), [(12, 4), (16, 8), (20, 8), (24, 12)])
def test_ratios_up_to_twice_as_large_or_small_have_constants(bits: int, out_bits: int) -> None:
    """500 channels each; docs/writable-weights.md has the count of a longer run."""
    rng = np.random.default_rng(bits)
    x, out = of_bits(bits, signed=True), of_bits(out_bits, signed=True)
    base = 8 * out.levels / x.levels
    ratio, offset = zip(*(scales(rng, base, 0.2) for _ in range(8)), strict=True)
    first = requant(ratio, offset, out)
    form = roomy(first, channel_lines(first), x)
    assert isinstance(form, ScaleShift)
    ratio, offset = zip(*(scales(rng, base, 1.0) for _ in range(500)), strict=True)
    other = requant(ratio, offset, out)
    made = in_form(other, channel_lines(other), x, form)
    for k in range(0, 500, 50):
        for v in rng.integers(x.lo, x.hi + 1, 200).tolist():
            exact = out.clamp(round_exact(ratio[k] * v + offset[k], Rounding.HALF_EVEN))
            assert made.apply(v, k, out) == exact


def test_powers_of_two_fit_a_design_that_multiplies() -> None:
    x, out = of_bits(9, signed=True), of_bits(6, signed=True)
    first = requant((Fraction(float(np.float32(0.11))),), (Fraction(0),), out)
    other = requant((Fraction(1, 8),), (Fraction(3, 16),), out)
    form = roomy(first, channel_lines(first), x)
    assert form.kind == "scale"
    check_everywhere(other, x, in_form(other, channel_lines(other), x, form))


def test_a_refusal_names_channel_and_ratio() -> None:
    x, out = of_bits(9, signed=True), of_bits(6, signed=True)
    first = requant((Fraction(1, 8), Fraction(1, 4)), (Fraction(0),), out)
    form = roomy(first, channel_lines(first), x)
    other = replace(first, ratio=(Fraction(1, 8), Fraction(1, 5)))
    with pytest.raises(DesignError) as refused:
        in_form(other, channel_lines(other), x, form)
    assert str(refused.value) == (
        "%y (Requant), channel 1: its ratio 0.2 is no power of two, and the design shifts\n"
        "  hint: train with power-of-two scales, as the model that was built, or build from this "
        "one"
    )
    other = replace(first, ratio=(Fraction(64), Fraction(1, 4)))
    with pytest.raises(DesignError) as refused:
        in_form(other, channel_lines(other), x, form)
    assert str(refused.value) == (
        "%y (Requant), channel 0: its ratio 64 and offset 0 need a multiplier of 14 and an addend "
        "of 8 bits; the design holds 9 and 16\n  hint: build the design from this model"
    )


def test_no_constants_are_refused_by_name() -> None:
    x, out = of_bits(16, signed=True), of_bits(9, signed=True)
    room = Room(kind=Scaling.SCALE, mul_bits=12, add_bits=20)
    form = ScaleShift(mul=(1,), add=(0,), shift=12, ties=Ties.EVEN, room=room)
    other = requant((Fraction(float(np.float32(0.0123))),), (Fraction(0),), out)
    with pytest.raises(DesignError) as refused:
        in_form(other, channel_lines(other), x, form)
    assert str(refused.value) == (
        "%y (Requant), channel 0: its ratio 0.0123 has no exact constants with a shift of 12\n"
        "  hint: build the design from this model"
    )
