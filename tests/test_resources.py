# SPDX-License-Identifier: Apache-2.0
"""The resource model: rules for blocks, features, error bars; a sample against yosys."""

from __future__ import annotations

import csv
import sys
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from resource_designs import draw  # noqa: E402 - after the path
from resource_error import FAR, NEAR, Result, design_of, measure, shortfalls  # noqa: E402
from resource_zoo import counts  # noqa: E402

import hwrnn  # noqa: E402
from hwrnn.backends.rtl_parts import parts  # noqa: E402
from hwrnn.board import Family, load_board  # noqa: E402
from hwrnn.design.estimate import estimate_design  # noqa: E402
from hwrnn.design.memory import buffer_style  # noqa: E402
from hwrnn.design.resources.blocks import (  # noqa: E402
    ROMS,
    Stack,
    hard_multipliers,
    memory_blocks,
    product_blocks,
    rom_blocks,
    split,
    stack,
)
from hwrnn.design.resources.contents import (  # noqa: E402
    distinct_columns,
    pieces,
    wide_pieces,
)
from hwrnn.design.resources.features import View, none  # noqa: E402
from hwrnn.design.resources.features_written import written_blocks  # noqa: E402
from hwrnn.design.resources.model import (  # noqa: E402
    FOLDER,
    MODULES,
    RAMS,
    Count,
    coefficients,
    predicted,
)
from hwrnn.design.resources.part import Part  # noqa: E402

SEED = 2026  # not that of the whole check
SAMPLE = (5, 6, 8, 14, 22)  # small designs of each family, whose synthesis is quick
SMALL = 4  # products of a cycle
FEW = 8  # registers


@pytest.mark.parametrize(
    ("family", "a", "b", "signed", "blocks"),
    [
        (Family.XC7, 25, 18, True, 1),
        (Family.XC7, 26, 18, True, 2),
        (Family.XC7, 24, 17, False, 1),
        (Family.XC7, 4, 4, True, 0),  # a result of 8 bits
        (Family.XCUP, 27, 18, True, 1),
        (Family.ECP5, 18, 18, True, 1),
        (Family.ECP5, 19, 39, False, 3),  # pieces of 1 bit are left to LUTs
        (Family.ICE40, 16, 16, True, 1),
        (Family.ICE40, 5, 5, True, 0),  # a result of 10 bits
        (Family.GOWIN, 9, 9, True, 0.5),
        (Family.GOWIN, 3, 9, True, 0),
        (Family.GOWIN, 24, 16, True, 2),
        (Family.GOWIN, 27, 23, True, 4),
    ],
)
def test_products_take_the_blocks_that_yosys_makes_of_them(
    family: Family, a: int, b: int, signed: bool, blocks: float
) -> None:
    assert product_blocks(family, a, b, a + b, signed=signed) == blocks
    assert product_blocks(family, b, a, a + b, signed=signed) == blocks


def test_pieces_of_a_product_are_joined_by_adders_of_what_they_have_in_common() -> None:
    assert split(Family.ECP5, 16, 16, 32, signed=True).joins == ()
    made = split(Family.ECP5, 17, 27, 40, signed=True)
    assert (made.hard, made.joins) == (2, (22,))
    zero = split(Family.ECP5, 16, 19, 35, signed=True, positive=True)
    assert (zero.hard, zero.joins, zero.soft) == (1, (), ())  # the top bit is always 0
    signed = split(Family.ECP5, 16, 19, 35, signed=True)
    assert (signed.hard, len(signed.joins), len(signed.soft)) == (1, 1, 1)


def test_deep_memories_are_stacked_where_that_costs_less() -> None:
    assert stack(Family.XC7, 6305, 112) == Stack(blocks=20.5, banks=13)
    assert stack(Family.ICE40, 600, 5) == Stack(blocks=1, banks=3)
    assert stack(Family.ICE40, 1024, 12) == Stack(blocks=3, banks=1)
    assert rom_blocks(Family.ECP5, 1024, 8, 3) == 2  # two read ports share one
    assert rom_blocks(Family.ICE40, 1024, 8, 3) == 6


def test_buffers_are_made_of_what_the_family_has() -> None:
    ice, ecp5 = load_board("icebreaker"), load_board("ulx3s_85f")
    assert buffer_style(ice, 3, 9) == "registers"
    assert buffer_style(ice, 40, 9) == "block"
    assert buffer_style(ecp5, 40, 9) == "distributed"
    assert buffer_style(ecp5, 600, 9) == "block"
    amd = load_board("pynq_z2")
    assert buffer_style(amd, 600, 9, registered=False) == "distributed"


def swept() -> list[dict[str, str]]:
    """The rows of the table."""
    with (FOLDER / "sweep.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) > 100
    return rows


def part_of(row: dict[str, str]) -> Part:
    """The part of a row, without what is in its memory."""
    given = dict(pair.split("=") for pair in row["parameters"].split())
    style = given.pop("Style", "auto")
    numbers = {k: int(v) for k, v in given.items()}
    return Part(kernel="", module=row["module"], given=numbers, style=style)


def test_multipliers_and_memory_blocks_of_every_row_of_the_sweep_are_computed() -> None:
    for row in swept():
        part, family = part_of(row), Family(row["family"])
        assert hard_multipliers(part, family) == float(row["dsps"]), row
        blocks = memory_blocks(part, family) + written_blocks(part, family)
        assert blocks == float(row["block_rams"]), row


def test_luts_that_hold_memory_are_computed_for_every_row() -> None:
    for row in swept():
        part, family = part_of(row), Family(row["family"])
        if part.module == "hwrnn_select_step" and part.given["Beats"] == 1:
            continue  # a single word, which AMD's holds in cells of another shape
        held = sum(RAMS.get(part.module, none)(View(part, family)).values())
        assert held == float(row["lut_rams"]), row


def test_registers_of_rows_are_near_where_they_follow_from_parameters() -> None:
    for row in swept():
        part, family = part_of(row), Family(row["family"])
        if part.module in ROMS:
            continue
        value, _ = predicted("ffs", part, family)
        made = float(row["ffs"])
        assert abs(value - made) <= max(NEAR / 100 * made, FEW), (value, row)


def test_pieces_are_the_distinct_functions_of_a_table() -> None:
    rng = np.random.default_rng(3)
    words = [int(w) for w in rng.integers(0, 2, 64)]
    kinds = set()
    for start in range(0, 64, 16):
        chunk = tuple(w ^ words[start] for w in words[start : start + 16])
        kinds.add(chunk)
    assert pieces(words, 6, 1, 4)["leaves"] == len(kinds)
    assert pieces([5] * 16, 4, 3, 4)["leaves"] == 0
    assert pieces(list(range(16)), 4, 4, 4)["leaves"] == 0  # bits of the address


def test_a_wide_function_takes_luts_by_the_address_bits_that_it_depends_on() -> None:
    rng = np.random.default_rng(5)
    half = [int(w) for w in rng.permutation(32)]
    assert wide_pieces(half, 5, 5, 8) == {"wide": 10}  # two LUTs of four inputs for each bit
    assert wide_pieces(half + half, 6, 5, 8) == {"wide": 10}  # the top address bit does nothing
    assert wide_pieces(list(range(32)), 5, 5, 8) == {"wide": 0}
    assert wide_pieces([0, 1, 1, 0] * 4, 4, 1, 8) == {"wide": 1}


def test_equal_and_constant_columns_have_one_register_or_none() -> None:
    assert distinct_columns([0b0110, 0b0000, 0b0110], 4) == 1
    assert distinct_columns([0b1001, 0b0011, 0b1101], 4) == 3


def test_bits_of_a_rom_that_never_change_take_no_block() -> None:
    """As a gate whose weights are all zero has them, after training with few bits."""
    pytest.importorskip("pyosys")
    rng = np.random.default_rng(7)
    low, high = rng.integers(0, 1 << 30, (2, 168))
    words = tuple(
        int(a) | 0x1234 << 30 | int(b & 0x7FFF) << 45 for a, b in zip(low, high, strict=True)
    )
    part = Part(kernel="", module="hwrnn_rom_ahead", given={"Width": 60, "Depth": 168}, words=words)
    (made,) = counts([part], Family.ICE40)
    assert memory_blocks(part, Family.ICE40) == made.block_rams == 3
    value, _ = predicted("ffs", part, Family.ICE40)
    assert abs(value - made.ffs) <= 1


def test_every_library_module_of_random_designs_has_a_model() -> None:
    known = set(MODULES)
    for index in range(10):
        assert {p.module for p in parts(draw(SEED, index, SMALL).design)} <= known


def test_every_family_has_models_with_errors() -> None:
    families = coefficients()["families"]
    assert set(families) == {f.value for f in Family}
    for family, kind in product(families.values(), ("luts", "ffs")):
        assert family[kind]
        assert all(0 <= m["error"] < 1 for m in family[kind].values())


def test_errors_of_one_module_add_up_and_those_of_others_on_their_own() -> None:
    one = Count(luts=100, errors={"luts": {"a": 3.0}})
    other = Count(luts=50, errors={"luts": {"b": 4.0}})
    assert (one + one).error("luts") == pytest.approx(2 * one.error("luts"))
    assert (one + other).error("luts") == pytest.approx(5 / 3 * one.error("luts"))


def test_an_estimate_says_how_sure_it_is() -> None:
    design = draw(SEED, 2, SMALL).design
    found = hwrnn.estimate(design)
    assert found.luts > 0
    assert 0 < found.error_percent("luts") < 100
    facts = found.as_dict()
    assert facts["luts"] == found.luts
    assert facts["energy_uj_per_sequence"] is None
    assert found.rom_luts <= found.luts
    rough = estimate_design(design)
    assert rough.error_percent("luts") == 0


def test_energy_has_a_source_or_is_not_told() -> None:
    design = draw(SEED, 3, SMALL).design
    assert design.board.family is Family.ICE40
    spent = hwrnn.estimate(design).energy
    assert spent is not None
    assert spent.source.startswith("https://")
    assert spent.microjoules > 0


@cache
def measured(index: int) -> Result:
    """A small design, estimated and synthesised."""
    pytest.importorskip("pyosys")
    return measure(design_of(SEED, index, SMALL))


@pytest.mark.parametrize("index", SAMPLE)
def test_a_sample_of_designs_against_yosys(index: int) -> None:
    found = measured(index)
    assert not [line for line in shortfalls([found]) if "LUT within" not in line], found
    assert abs(found.lut_percent) <= FAR
    assert NEAR < FAR


def test_the_sample_has_each_family_and_most_of_it_is_near() -> None:
    found = [measured(index) for index in SAMPLE]
    assert {r.family for r in found} == {f.value for f in Family}
    assert sum(abs(r.lut_percent) <= NEAR for r in found) >= len(found) - 1
