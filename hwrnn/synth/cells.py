# SPDX-License-Identifier: Apache-2.0
"""Which cell of a netlist counts as what, for each family.

LUTs that hold memory (distributed RAM, shift registers) count as `lut_rams`, not as `luts`. A carry
cell that takes the place of LUTs counts as those, too. Buffers, constants and the multiplexers
behind LUTs (MUXF7, PFUMX, ...) cost nothing of their own; nor does an inverter, which goes into a
LUT or a register's input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass

from hwrnn.board import Family


@dataclass(frozen=True, slots=True)
class Cells:
    """Resources, in the units of the board file: half a RAMB36 is 0.5 of a block RAM, a MULT9X9 is
    0.5 of a DSP, since two lie in the place of a MULT18X18.
    """

    luts: int = 0
    ffs: int = 0
    dsps: float = 0
    block_rams: float = 0
    carries: int = 0
    lut_rams: int = 0
    urams: int = 0

    def __add__(self, other: Cells) -> Cells:
        return Cells(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, count: int) -> Cells:
        return Cells(*(a * count for a in astuple(self)))


LUT, FF, DSP, BLOCK = Cells(luts=1), Cells(ffs=1), Cells(dsps=1), Cells(block_rams=1)
XILINX = {
    r"LUT[1-6]": LUT,
    r"FD[RSCP]E(_1)?": FF,
    r"DSP48E[12]": DSP,
    r"RAMB36E[12]": BLOCK,
    r"RAMB18E[12]": Cells(block_rams=0.5),
    r"URAM288": Cells(urams=1),
    r"CARRY[48]": Cells(carries=1),
    r"SRL(16E|C32E|C16E)": Cells(lut_rams=1),
    r"RAM(32|64)X1S.*": Cells(lut_rams=1),
    r"RAM(32|64)X1D.*": Cells(lut_rams=2),
    r"RAM128X1S.*": Cells(lut_rams=2),
    r"RAM(128X1D|256X1S).*": Cells(lut_rams=4),
    r"RAM(32M|64M)": Cells(lut_rams=4),
    r"RAM(32M16|64M8|256X1D|512X1S)": Cells(lut_rams=8),
}
KINDS: Mapping[Family, Mapping[str, Cells]] = {
    Family.XC7: XILINX,
    Family.XCUP: XILINX,
    Family.ECP5: {
        r"LUT4": LUT,
        r"TRELLIS_FF": FF,
        r"MULT18X18D": DSP,
        r"DP16KD|PDPW16KD": BLOCK,
        r"CCU2C": Cells(luts=2, carries=1),
        r"TRELLIS_DPR16X4": Cells(lut_rams=4),
    },
    Family.ICE40: {
        r"SB_LUT4": LUT,
        r"SB_DFF.*": FF,
        r"SB_MAC16": DSP,
        r"SB_RAM40_4K.*": BLOCK,
        r"SB_CARRY": Cells(carries=1),
    },
    Family.GOWIN: {
        r"LUT[1-4]": LUT,
        r"DFF.*": FF,
        r"MULT18X18": DSP,
        r"MULT9X9": Cells(dsps=0.5),
        r"MULT36X36": Cells(dsps=4),
        r"SP|SPX9|DPB|DPX9B|SDPB|SDPX9B|pROM|pROMX9": BLOCK,
        r"ALU": Cells(luts=1, carries=1),
        r"RAM16SDP[124]": Cells(lut_rams=4),
    },
}


def count(family: Family, cells: Mapping[str, int]) -> Cells:
    """The resources of cells, given by type; a type that is not in the table costs nothing."""
    total = Cells()
    for kind, number in cells.items():
        for pattern, one in KINDS[family].items():
            if re.fullmatch(pattern, kind):
                total += one * number
    return total
