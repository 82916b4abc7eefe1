# SPDX-License-Identifier: Apache-2.0
"""Packed products: every case of the scheme, in Python for any ranges and in the RTL."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwrnn.backends.rtl import LIBRARY
from hwrnn.board import Board, boards, load_board
from hwrnn.design.design import ceil_div
from hwrnn.design.multipliers import (
    Kind,
    Multiplier,
    choose,
    packing,
    packings,
    products,
    scaled,
    signed_bits,
)
from hwrnn.errors import DesignError
from hwrnn.ir import IntType
from hwrnn.ir.types import of_bits
from hwrnn.sim.verilate import Tools, call, runtime_library

XCUP, XC7, ECP5, ICE40 = map(load_board, ("zcu104", "pynq_z2", "ulx3s_85f", "icebreaker"))


def signed(bits: int, *, narrow: bool = False) -> IntType:
    return of_bits(bits, signed=True, narrow=narrow)


def unsigned(bits: int) -> IntType:
    return of_bits(bits, signed=False)


def unpacked(m: Multiplier, result: int, lowest: list[int]) -> list[int]:
    """What stands in each lane of a result, and the borrow returned."""
    found, borrow = [], 0
    for k in range(m.per):
        lane = result >> (k * m.spacing)
        if k < m.per - 1:
            bits = m.spacing + int(m.overlap)
            lane ^= lowest[k + 1] << m.spacing if m.overlap else 0
            lane = (lane + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
        assert signed_bits(IntType(lane, lane)) <= m.product_bits
        found.append(lane + borrow)
        borrow = int(lane < 0)
    return found


def check_packing(m: Multiplier, weights: list[int], operand: int) -> None:
    word = sum(w << (k * m.spacing) for k, w in enumerate(weights))
    assert signed_bits(IntType(word, word)) <= m.packed_bits
    lowest = [w & operand & 1 for w in weights]
    assert unpacked(m, word * operand, lowest) == [w * operand for w in weights]


def near_ends(t: IntType) -> list[int]:
    """The ends of a range, zero, and what is beside them."""
    beside = {e + d for e in (t.lo, 0, t.hi) for d in (-1, 0, 1)}
    return sorted(v for v in beside if t.covers(IntType(v, v)))


RANGES = st.builds(
    lambda a, b: IntType(min(a, b, 0), max(a, b, 0)), st.integers(-150, 150), st.integers(-150, 150)
)


@given(RANGES, RANGES, st.sampled_from(boards()), st.integers(0, 1000))
def test_every_packing_of_any_ranges_is_exact(
    weight: IntType, operand: IntType, board: Board, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    for m in packings(board, weight, operand):
        ends = list(product(near_ends(weight)[:: max(1, m.per - 1)], repeat=min(m.per, 4)))[:300]
        for x in near_ends(operand):
            for few in ends:
                check_packing(m, [few[k % len(few)] for k in range(m.per)], x)
            drawn = rng.integers(weight.lo, weight.hi + 1, (5, m.per))
            for row in drawn.tolist():
                check_packing(m, row, x)


@pytest.mark.parametrize(
    ("weight", "operand"),
    [(IntType(-3, 2), IntType(-2, 3)), (signed(3), unsigned(2)), (IntType(0, 3), IntType(0, 3))],
)
@pytest.mark.parametrize("board", [XCUP, ICE40])
def test_packings_of_small_ranges_exhaustively(
    weight: IntType, operand: IntType, board: Board
) -> None:
    for m in packings(board, weight, operand):
        if m.per > 4:
            continue
        values = range(weight.lo, weight.hi + 1)
        for weights in product(values, repeat=m.per):
            for x in range(operand.lo, operand.hi + 1):
                check_packing(m, list(weights), x)


PER = [
    (XCUP, signed(8), signed(8), 2),
    (XCUP, signed(8), unsigned(8), 2),
    (XC7, signed(8), unsigned(8), 2),
    (XCUP, signed(4), signed(4), 4),
    (XCUP, signed(4), unsigned(4), 4),
    (XC7, signed(4, narrow=True), unsigned(4), 4),
    (XC7, signed(4), signed(4), 3),
    (XCUP, signed(4), signed(8), 3),
    (XC7, signed(4), unsigned(8), 2),
    (ECP5, signed(4), unsigned(4), 2),
    (ECP5, signed(4, narrow=True), signed(4), 3),
    (ECP5, signed(4), signed(8), 2),
    (ICE40, signed(4), signed(8), 2),
]


@pytest.mark.parametrize(("board", "weight", "operand", "per"), PER)
def test_how_many_products_fit(board: Board, weight: IntType, operand: IntType, per: int) -> None:
    found = choose(board, weight, operand, "packed")
    assert (found.kind, found.per) == (Kind.PACKED, per)
    assert found.packed_bits <= board.dsp_kind.widths[0]


def test_xc7_takes_two_full_products_sixteen_bits_apart() -> None:
    found = choose(XC7, signed(8), signed(8))
    assert (found.spacing, found.overlap, found.packed_bits) == (16, False, 25)


def test_auto_takes_luts_for_narrow_factors_and_one_multiplier_for_wide_ones() -> None:
    assert choose(XCUP, signed(2), signed(8)).kind is Kind.LUT
    assert choose(XCUP, signed(8), unsigned(3)).kind is Kind.LUT
    assert choose(XCUP, signed(12), signed(12)) == Multiplier(
        kind=Kind.DSP, weight=signed(12), operand=signed(12)
    )
    assert choose(XCUP, signed(24), signed(24)).blocks == 2


def test_auto_takes_luts_for_small_products_where_multipliers_are_far_apart() -> None:
    assert choose(ECP5, signed(4), unsigned(4)).kind is Kind.LUT
    assert choose(ECP5, signed(4), signed(8)).kind is Kind.PACKED
    assert choose(XCUP, signed(4), unsigned(4)).kind is Kind.PACKED


def test_auto_takes_luts_when_the_board_has_no_multipliers() -> None:
    assert choose(replace(ECP5, dsps=0), signed(4), signed(4)).kind is Kind.LUT


@pytest.mark.parametrize("option", ["dsp", "packed"])
def test_refuses_hard_multipliers_where_there_are_none(option: str) -> None:
    with pytest.raises(DesignError) as caught:
        choose(replace(ICE40, dsps=0), signed(4), signed(4), option)
    assert str(caught.value) == (
        'multipliers: icebreaker has no hard multipliers\n  hint: use "lut" or "auto"'
    )


def test_refuses_a_packing_that_does_not_fit() -> None:
    with pytest.raises(DesignError) as caught:
        choose(XCUP, signed(12), signed(12), "packed")
    assert str(caught.value) == (
        "multipliers: two products of 12-bit weights (-2048..2047) and 12-bit activations "
        "(-2048..2047) do not fit one DSP48E2 of 27 x 18 bits\n"
        '  hint: use "dsp" (one multiplier for each) or "auto"; with weights of at most 8 bits '
        '"packed" is possible'
    )


def test_refuses_an_unknown_kind() -> None:
    with pytest.raises(DesignError) as caught:
        choose(XCUP, signed(8), signed(8), "best")
    assert str(caught.value) == (
        'multipliers: there is no "best"\n  hint: known: auto, dsp, packed, lut'
    )


@pytest.mark.parametrize("rows", range(1, 10))
@pytest.mark.parametrize("columns", [1, 3, 4, 16])
def test_never_more_multipliers_than_the_packing_promises(rows: int, columns: int) -> None:
    for weight, operand in ((signed(8), signed(8)), (signed(4), unsigned(4))):
        found = choose(XCUP, weight, operand)
        bar = ceil_div(rows * columns, found.per)
        alone = found.per == 4 and rows % 4 == 1  # then it does with fewer
        assert found.hard(rows, columns) == (rows // 4 * columns if alone else bar)
        made = rows // found.per * found.per * columns
        assert made + found.soft(rows, columns) <= rows * columns


WIDE = 2  # so many of them have 24 bits of factors, the others at most 20
FACTORS = [
    (XCUP, signed(8), signed(8)),
    (XC7, signed(8, narrow=True), unsigned(8)),
    (XCUP, signed(4), unsigned(8)),
    (XCUP, signed(4), unsigned(4)),
    (XCUP, signed(4), signed(4)),
    (XC7, signed(4, narrow=True), signed(4)),
    (ICE40, signed(4), signed(8)),
    (ECP5, signed(6), signed(6)),
    (ECP5, signed(4, narrow=True), unsigned(4)),
    (XCUP, signed(2), unsigned(2)),
    (XCUP, IntType(0, 15), IntType(-2, 10)),
    (XCUP, IntType(-5, 6), IntType(0, 12)),
]
SOFT = [(signed(8), signed(8)), (signed(2), unsigned(8)), (unsigned(6), unsigned(3))]
SOFT_BOARDS = (XCUP, ICE40)  # two ways to add up


def multipliers() -> list[Multiplier]:
    packed = [choose(b, w, x, "packed") for b, w, x in FACTORS]
    return [*packed, *(choose(b, w, x, "lut") for w, x in SOFT for b in SOFT_BOARDS)]


@dataclass(frozen=True)
class Array:
    """A MAC array to be checked."""

    multiplier: Multiplier
    gates: int
    pe: int
    simd: int
    groups: int = 1
    blocks: int = 1
    registers: int = 2**32 - 1

    def parameters(self) -> dict[str, int | bool]:
        m = self.multiplier
        stages = ceil_div((self.simd - 1).bit_length(), 2)
        registers = (self.registers & (2 ** (stages + 1) - 1)).bit_count()
        reach = products(m.weight, m.operand)
        terms = self.simd * self.blocks * 40
        acc = signed_bits(IntType(min(reach.lo, 0) * terms, reach.hi * terms))
        return {
            "Gates": self.gates,
            "Pe": self.pe,
            "Simd": self.simd,
            "Groups": self.groups,
            "Blocks": self.blocks,
            "Registers": self.registers,
            "Latency": registers + int(self.blocks > 1),
            "AccWidth": acc,
            **m.parameters(),
        }


def arrays() -> Iterator[Array]:
    w8a8, w4a4 = choose(XCUP, signed(8), signed(8)), choose(XCUP, signed(4), unsigned(4))
    yield Array(w8a8, 4, 2, 5, groups=3, blocks=4)
    yield Array(w8a8, 3, 1, 4, groups=1, blocks=9)
    yield Array(w8a8, 1, 1, 3, groups=2, blocks=2)
    yield Array(w8a8, 3, 1, 16)
    yield Array(w8a8, 2, 1, 1, registers=0)
    yield Array(w8a8, 1, 3, 1)
    yield Array(w4a4, 4, 1, 8, groups=2, blocks=3, registers=0b101)
    yield Array(w4a4, 3, 1, 7, registers=0b010)
    yield Array(w4a4, 5, 1, 2, groups=2, blocks=2)
    yield Array(w4a4, 1, 5, 17, groups=1, blocks=2, registers=0)
    yield Array(choose(XCUP, signed(2), unsigned(4)), 3, 1, 5, groups=5, blocks=2)
    yield Array(choose(XCUP, signed(12), signed(12)), 2, 1, 3, groups=1, blocks=2, registers=0b10)
    yield Array(choose(XCUP, IntType(0, 9), IntType(0, 9)), 2, 1, 6, groups=1, blocks=2)
    yield from counted()


def counted() -> Iterator[Array]:
    """Sums of ANDs: every sign, registers everywhere and nowhere, one and several levels."""
    w2, u2, w1, w4 = signed(2), unsigned(2), signed(1), signed(4)
    yield Array(choose(XCUP, w2, w2), 4, 1, 16, groups=2, blocks=12)
    yield Array(choose(XCUP, w2, u2), 1, 3, 5, registers=0)
    yield Array(choose(XCUP, u2, w2), 1, 1, 40, groups=3, blocks=2, registers=0b1010)
    yield Array(choose(XC7, u2, unsigned(3)), 2, 1, 7, registers=0b101)
    yield Array(choose(XC7, w1, w2), 2, 2, 3, blocks=2)
    yield Array(choose(XCUP, unsigned(1), unsigned(1)), 2, 1, 1)
    yield Array(choose(XCUP, w4, w4, "lut"), 2, 1, 9, groups=2, blocks=3)
    yield Array(choose(XCUP, signed(3), IntType(-1, 1)), 1, 2, 65, registers=0b11)


def instance(module: str, name: str, values: dict[str, int | bool], ports: str) -> str:
    shown = ", ".join(f".{k}({int(v)})" for k, v in values.items())
    return f"  {module} #({shown}) {name} ({ports});\n"


def limits(m: Multiplier) -> dict[str, int | bool]:
    return {
        "OperandLo": m.operand.lo,
        "OperandHi": m.operand.hi,
        "WeightLo": m.weight.lo,
        "WeightHi": m.weight.hi,
    }


def top() -> str:
    """Every multiplier and every array in one module: one compilation for all."""
    a, b = multipliers(), list(arrays())
    text = "module top (input clk_i, input rst_i,\n"
    text += "  input logic [23:0] wide_i, input logic [19:0] count_i,\n"
    text += f"  output logic [{len(a) - 1}:0] legal_o, output logic [{len(a) - 1}:0] wrong_o,\n"
    text += f"  output logic [{len(b) - 1}:0] failed_o,\n"
    text += f"  output logic [{32 * len(b) - 1}:0] checked_o);\n"
    for k, m in enumerate(a):
        count = "wide_i" if k < WIDE else "{4'b0, count_i}"
        ports = f"{count}, legal_o[{k}], wrong_o[{k}]"
        text += instance("mul_check", f"u_mul{k}", m.parameters() | limits(m), ports)
    for k, array in enumerate(b):
        ports = f"clk_i, rst_i, checked_o[{32 * k}+:32], failed_o[{k}]"
        values = array.parameters() | limits(array.multiplier)
        text += instance("mac_check", f"u_mac{k}", values, ports)
    return text + "endmodule\n"


def results(folder: Path) -> list[tuple[int, int]]:
    """What the compiled check prints."""
    here = Path(__file__).parent / "rtl"
    (folder / "top.sv").write_text(top())
    tools = Tools.find()
    flags = ["--cc", "-O3", "--prefix", "Vtop", "--top-module", "top", "--no-timing", "-Wno-fatal"]
    command = [str(tools.verilator.binary), *flags, "-Wno-lint", "-Wno-style", f"-I{LIBRARY}"]
    call([*command, f"-I{here}", "top.sv"], folder, "Verilator", env=tools.verilator.environment())
    sources = [*(folder / "obj_dir").glob("*.cpp"), here / "multipliers.cpp"]
    (folder / "all.cpp").write_text("".join(f'#include "{p}"\n' for p in sources))
    counts = [f"-DWide={WIDE}", f"-DMultipliers={len(multipliers())}"]
    counts += [f"-DArrays={len(list(arrays()))}"]
    flags = [*tools.compile_flags(trace=False, optimise="-O2"), *counts, "-Iobj_dir"]
    library = str(runtime_library(tools) / "libverilated.a")
    call([str(tools.gxx), *flags, "all.cpp", library, "-pthread", "-o", "check"], folder, "g++")
    run = subprocess.run([folder / "check"], capture_output=True, text=True, check=True)
    lines = run.stdout.strip().split("\n")
    return [(int(line.split()[0]), int(line.split()[1])) for line in lines]


@pytest.mark.needs_sim
def test_multipliers_and_arrays_in_the_rtl(tmp_path: Path) -> None:
    found = results(tmp_path)
    made = multipliers()
    for k, (m, (legal, wrong)) in enumerate(zip(made, found, strict=False)):
        rest = (24 if k < WIDE else 20) - m.operand.bits - m.per * m.weight.bits
        assert rest >= 0
        assert (legal, wrong) == (m.operand.levels * m.weight.levels**m.per * 2**rest, 0), m
    for array, (checked, failed) in zip(arrays(), found[len(made) :], strict=True):
        assert checked > 1000
        assert not failed, array


def test_packed_words_reach_both_ends() -> None:
    m = choose(XCUP, signed(8), signed(8))
    assert scaled(m.weight, m.per, m.spacing).lo == -128 * (2**16 + 1)
    assert packing(XCUP, signed(13), signed(13)) is None
