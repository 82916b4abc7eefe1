# SPDX-License-Identifier: Apache-2.0
"""Memories that the configuration bus writes: blocks, LUTs or registers, and what is around them.

memory_libmap of yosys makes them of what costs least. The bus writes 32 bits at once, so each slice
of 32 bits has memory blocks of its own; where blocks do not read what is written meanwhile, yosys
puts registers beside them that do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hwrnn.board import Family
from hwrnn.design.resources.blocks import AROUND, BLOCKS, MUX_COST, fewest
from hwrnn.design.resources.features import Feature, Features, View, clog2, decode, mux
from hwrnn.design.resources.features_lutram import cells
from hwrnn.design.resources.features_memory import lut_rows
from hwrnn.design.resources.part import Part

SLICE = 32  # bits of a word of the bus
LUT_COST = 2  # of a LUT of AMD's that holds memory; of others', 1


@dataclass(frozen=True)
class Written:
    """A memory of `depth` words of `width` bits with `lanes` read ports, in a part."""

    v: View
    lanes: int
    width: int
    depth: int
    registered: bool

    @property
    def slices(self) -> tuple[int, ...]:
        """The bits that are read of each slice."""
        whole, rest = divmod(self.width, SLICE)
        return (SLICE,) * whole + ((rest,) if rest else ())

    @property
    def blocks(self) -> float:
        """Memory blocks, if it is made of those."""
        each = sum(fewest(self.v.family, self.depth, bits) for bits in self.slices)
        return self.lanes * each

    @property
    def luts(self) -> float:
        """LUTs that hold memory, if it is made of those."""
        return self.lanes * sum(cells(self.v, self.depth, bits) for bits in self.slices)

    @cached_property
    def made_of(self) -> str:
        """`block`, `luts` or `registers`."""
        if self.depth == 1:
            return "registers"
        if self.v.part.style == "block":
            return "block"
        family = self.v.family
        cost = {"registers": float(self.depth * self.width)}
        if family is not Family.ICE40:
            rows = self.lanes * self.width * (-(-self.depth // lut_rows(self.v)) - 1)
            each = LUT_COST if self.v.wide else 1
            cost["luts"] = each * self.luts + MUX_COST * rows
        if self.registered:
            block = BLOCKS[family][0]
            cost["block"] = self.blocks / block.size * block.cost + AROUND
        return min(cost, key=lambda kind: cost[kind])


def written(v: View) -> Written | None:
    """The memory of a part, if the bus writes one."""
    lanes = v("Lanes")
    match v.part.module:
        case "hwrnn_ram":
            return Written(v, lanes, v("Width"), v("Depth"), bool(v("Register", 1)))
        case "hwrnn_lut_ram":
            depth = v("Cells") << v("XWidth")
            return Written(v, lanes, v("YWidth"), depth, bool(v("Register", 1)))
        case "hwrnn_threshold_level_ram":
            depth = v("Groups") << v("Level", 0)
            return Written(v, lanes, v("ThresholdWidth"), depth, bool(v("RegisterMid", 1)))
    return None


def written_blocks(part: Part, family: Family) -> float:
    """Memory blocks of a part whose memory the bus writes."""
    memory = written(View(part, family))
    return memory.blocks if memory and memory.made_of == "block" else 0


def logic(v: View) -> Features:
    """LUT of such a memory."""
    m = written(v)
    assert m is not None
    found: Features = {"one": 1, "slices": len(m.slices)}
    bits = m.lanes * m.width
    if m.made_of == "block":
        beside = 0 if v.wide else bits
        return found | {"meanwhile": beside, "compare": m.lanes * clog2(m.depth)}
    if m.made_of == "registers":
        words = m.depth * decode(v, clog2(m.depth) + 1)
        return found | {"words": words * len(m.slices), "choose": bits * mux(v, m.depth)}
    banks = -(-m.depth // lut_rows(v))
    enables = float(banks > 1) * banks * len(m.slices)
    return found | {"banks": bits * mux(v, banks), "enables": enables}


def registers(v: View) -> Features:
    """FF of such a memory."""
    m = written(v)
    assert m is not None
    if m.made_of == "block":
        beside = 2 * min(m.width, SLICE) + clog2(m.depth) + len(m.slices) * (1 + m.lanes)
        return {"meanwhile": 0 if v.wide else beside}
    stored = m.depth * m.width if m.made_of == "registers" else 0
    return {"data": m.lanes * m.width * float(m.registered), "stored": stored}


def memory(v: View) -> Features:
    """LUTs of such a memory that hold it."""
    m = written(v)
    assert m is not None
    return {"cells": m.luts if m.made_of == "luts" else 0}


def level(v: View) -> Features:
    """LUT of hwrnn_threshold_level_ram."""
    lanes = v("Lanes")
    beside: Features = {
        "compared": lanes * v("XWidth"),
        "lanes": lanes,
        "offset": lanes * v("YWidth") * float(v("Lo", 0) != 0),
    }
    return beside | logic(v)


def level_ffs(v: View) -> Features:
    """FF of hwrnn_threshold_level_ram."""
    lanes, mid, out = v("Lanes"), v("RegisterMid", 1), v("RegisterOut", 1)
    beside: Features = {
        "beside": lanes * (max(v("Level", 0), 1) + v("XWidth")) * mid,
        "out": lanes * (v("XWidth") + v("YWidth")) * out,
    }
    return beside | registers(v)


WRITTEN: dict[str, tuple[Feature, Feature]] = {
    "hwrnn_ram": (logic, registers),
    "hwrnn_lut_ram": (logic, registers),
    "hwrnn_threshold_level_ram": (level, level_ffs),
}
WRITTEN_RAMS: dict[str, Feature] = dict.fromkeys(WRITTEN, memory)
