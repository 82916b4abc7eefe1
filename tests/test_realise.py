# SPDX-License-Identifier: Apache-2.0
"""Realised requantisers against the exact meaning, at every integer of their range."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwrnn.cmodel.plain import requantise
from hwrnn.errors import VerifyError
from hwrnn.ir import IntType, Rationals, Realisation, Requant, Rounding, Ties, Value
from hwrnn.ir.rounding import round_exact, step_to
from hwrnn.ir.types import of_bits
from hwrnn.transforms.realise import realise

F32_ONE_TENTH = Fraction(float(np.float32(0.1)))


def requant(
    ratio: Rationals, offset: Rationals, out: IntType, rounding: Rounding = Rounding.HALF_EVEN
) -> Requant:
    size = max(len(ratio), len(offset))
    value = Value(name="y", type=out, size=size)
    return Requant(out=value, x="x", ratio=ratio, offset=offset, rounding=rounding)


def exact(op: Requant, x: int, channel: int) -> int:
    ratio, offset = (v[channel % len(v)] for v in (op.ratio, op.offset))
    return op.out.type.clamp(round_exact(ratio * x + offset, op.rounding))


def check_everywhere(op: Requant, x: IntType) -> Realisation:
    """Every integer of x in every channel, one at a time and as an array."""
    made = realise(op, x)
    every = np.arange(x.lo, x.hi + 1)
    grid = np.repeat(every[:, None], op.out.size, axis=1)
    want = [[exact(op, int(v), c) for c in range(op.out.size)] for v in every]
    assert requantise(made, grid, op.out.type).tolist() == want
    for v in every[:: max(1, len(every) // 50)]:
        for c in range(op.out.size):
            assert made.apply(int(v), c, op.out.type) == want[int(v) - x.lo][c]
    return made


POWERS = st.integers(-12, 3).map(lambda e: Fraction(2) ** e)
SMALL = st.fractions(min_value=Fraction(1, 300), max_value=9, max_denominator=300)
FLOATS = st.floats(float(np.float32(1e-3)), 8, width=32).map(Fraction)
QUOTIENTS = st.tuples(FLOATS, FLOATS, FLOATS).map(lambda t: t[0] * t[1] / t[2])
RATIOS = {"power of two": POWERS, "small": SMALL, "float32": FLOATS, "of scales": QUOTIENTS}
OFFSETS = {
    "power of two": st.integers(-999, 999).map(lambda k: Fraction(k, 16)),
    "small": st.fractions(-40, 40, max_denominator=300),
    "float32": st.floats(-40, 40, width=32).map(Fraction),
    "of scales": QUOTIENTS,
}
RANGES = st.tuples(st.integers(-400, 400), st.integers(0, 600)).map(
    lambda t: IntType(t[0], t[0] + t[1])
)
OUTS = st.one_of(
    st.builds(of_bits, st.integers(2, 9), signed=st.booleans(), narrow=st.booleans()),
    st.tuples(st.integers(-50, 50), st.integers(0, 40)).map(lambda t: IntType(t[0], sum(t))),
)


@pytest.mark.parametrize("family", RATIOS)
@pytest.mark.parametrize("mode", Rounding)
@given(data=st.data())
def test_every_mode_on_every_integer(mode: Rounding, family: str, data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 3))
    ratio = data.draw(st.lists(RATIOS[family], min_size=channels, max_size=channels))
    offset = data.draw(st.lists(OFFSETS[family], min_size=channels, max_size=channels))
    one_for_all = data.draw(st.booleans())
    op = requant(tuple(ratio[:1] if one_for_all else ratio), tuple(offset), data.draw(OUTS), mode)
    check_everywhere(op, data.draw(RANGES))


@given(
    ratio=QUOTIENTS.map(lambda r: r / 2**16),
    offset=QUOTIENTS,
    bits=st.integers(4, 9),
    mode=st.sampled_from(Rounding),
)
def test_both_sides_of_every_step_of_a_wide_range(
    ratio: Fraction, offset: Fraction, bits: int, mode: Rounding
) -> None:
    """A monotone function is known by the two integers around each of its steps."""
    x, out = IntType(-(2**25), 2**25 - 1), of_bits(bits, signed=True)
    op = requant((ratio,), (offset,), out, mode)
    made = realise(op, x)
    ends = {x.lo, x.hi}
    for k in range(out.lo, out.hi + 2):
        at = int((step_to(k, mode)[0] - offset) / ratio)
        ends |= {x.clamp(at + d) for d in (-1, 0, 1)}
    for v in ends:
        assert made.apply(v, 0, out) == exact(op, v, 0)


def test_powers_of_two_need_a_shift_only() -> None:
    op = requant((Fraction(1, 8), Fraction(1, 2)), (Fraction(3, 16),), IntType(-8, 7))
    made = check_everywhere(op, IntType(-100, 90))
    assert made.kind == "shift"


def test_whole_numbers_need_no_rounding_at_all() -> None:
    op = requant((Fraction(4),), (Fraction(-3),), IntType(-128, 127), Rounding.UP)
    made = check_everywhere(op, IntType(-40, 40))
    assert made.kind == "thresholds"  # UP is not tried by multiply and shift
    op = requant((Fraction(4),), (Fraction(-3),), IntType(-128, 127), Rounding.CEIL)
    assert "shift=0" in repr(check_everywhere(op, IntType(-40, 40)))


def test_float_scales_become_a_multiplier() -> None:
    op = requant((F32_ONE_TENTH,), (Fraction(1, 3),), IntType(-128, 127))
    made = check_everywhere(op, IntType(-2000, 2000))
    assert made.kind == "scale"


def test_few_levels_become_thresholds() -> None:
    op = requant((F32_ONE_TENTH,), (Fraction(1, 3),), IntType(-2, 1))
    assert check_everywhere(op, IntType(-100, 100)).kind == "thresholds"


def test_ties_of_powers_of_two_go_to_the_even_side() -> None:
    op = requant((Fraction(1, 2),), (Fraction(0),), IntType(-8, 7))
    made = check_everywhere(op, IntType(-9, 9))
    assert "ties=<Ties.EVEN" in repr(made)
    assert [made.apply(v, 0, op.out.type) for v in (-3, -1, 1, 3, 5)] == [-2, 0, 0, 2, 2]


def test_ties_in_both_directions_need_thresholds() -> None:
    """1/6 is no power of two, 3/6 rounds down and 9/6 up: no multiply and shift does that."""
    op = requant((Fraction(1, 6),), (Fraction(0),), IntType(-8, 7))
    assert check_everywhere(op, IntType(-60, 60)).kind == "thresholds"


def test_ties_in_one_direction_do_not() -> None:
    """The only tie of x/6 + 1/2 for x in 0..5 is the one at 0, which goes down."""
    op = requant((Fraction(1, 6),), (Fraction(1, 2),), IntType(-8, 7))
    assert check_everywhere(op, IntType(0, 5)).kind == "scale"


def test_ties_behind_the_clamp_do_not_count() -> None:
    op = requant((Fraction(1, 6),), (Fraction(0),), IntType(-8, 7), Rounding.HALF_UP)
    assert check_everywhere(op, IntType(-60, 60)).kind == "thresholds"
    op = requant((Fraction(1, 6),), (Fraction(0),), IntType(0, 7), Rounding.HALF_UP)
    assert check_everywhere(op, IntType(-2, 60)).kind == "scale"


def test_thresholds_are_refused_when_they_would_be_too_many() -> None:
    ratio = tuple(Fraction(1, 6 * (2 * k + 1)) for k in range(65))
    op = requant(ratio, (Fraction(0),), of_bits(16, signed=True))
    with pytest.raises(VerifyError) as caught:
        realise(op, IntType(-(2**30), 2**30))
    assert str(caught.value) == (
        "%y (Requant): no exact multiply-and-shift exists for rounding half_even, and thresholds "
        "would need 4259840 entries\n"
        "  hint: use power-of-two scales, fewer bits, or rounding to nearest"
    )


def test_bias_whose_scale_is_not_the_product_of_scales() -> None:
    """Int32Bias: its scale is float32(s_w * s_x); the integer bias is on another grid than the
    accumulator, and adding the two is wrong where the exact sum is near a tie."""
    s_x, s_w, s_y = (np.float32(v) for v in (0.1, 0.013, 0.9))
    s_b = np.float32(s_w * s_x)
    product = Fraction(float(s_w)) * Fraction(float(s_x))
    assert product != Fraction(float(s_b)), "no trap with these scales"

    bias, y = 40_000_000, Fraction(float(s_y))
    x = IntType(-40_010_000, -39_990_000)
    op = requant((product / y,), (bias * Fraction(float(s_b)) / y,), of_bits(8, signed=True))
    made = realise(op, x)
    wrong = 0
    for acc in range(x.lo, x.hi + 1, 7):
        real = acc * product + bias * Fraction(float(s_b))
        assert made.apply(acc, 0, op.out.type) == op.out.type.clamp(round(real / y))
        wrong += op.out.type.clamp(round((acc + bias) * product / y)) != exact(op, acc, 0)
    assert wrong > 0


def test_constants_fit_the_sum_type() -> None:
    op = requant((F32_ONE_TENTH, Fraction(1, 3)), (Fraction(1, 3), Fraction(-7)), IntType(-99, 99))
    x = IntType(-500, 700)
    made = check_everywhere(op, x)
    assert made.kind == "scale"
    assert not hasattr(made, "table")
    sums = [
        m * v + a
        for m, a in zip(
            np.resize(made.mul, 2).tolist(), np.resize(made.add, 2).tolist(), strict=True
        )
        for v in (x.lo, x.hi)
    ]
    assert (min(sums), max(sums)) == (made.sum_type(x).lo, made.sum_type(x).hi)
    assert made.ties is Ties.KEEP
