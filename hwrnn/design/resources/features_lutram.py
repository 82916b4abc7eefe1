# SPDX-License-Identifier: Apache-2.0
"""LUTs that hold memory: distributed RAM and shift registers."""

from __future__ import annotations

from hwrnn.board import Family
from hwrnn.design.resources.blocks import in_luts
from hwrnn.design.resources.features import Feature, Features, View, index

SHIFT = 32  # stages of a shift register of one LUT
SINGLE = {  # (rows, columns, LUTs) of the cells with one port
    Family.XC7: ((32, 8, 4), (64, 1, 1)),
    Family.XCUP: ((32, 16, 8), (64, 1, 1)),
}
STARTS = 16  # bits; so few are registers
SHORTEST = 3  # stages; shorter lines are registers


def cells(v: View, depth: int, width: int) -> float:
    """LUTs of a memory with one port that writes and one that reads."""
    match v.family:
        case Family.ICE40:
            return 0
        case Family.ECP5 | Family.GOWIN:
            return 4 * -(-depth // 16) * -(-width // 4)
        case Family.XC7:
            shapes = ((32, 6, 4), (64, 3, 4))
        case Family.XCUP:
            shapes = ((32, 14, 8), (64, 7, 8))
    return min(luts * -(-depth // d) * -(-width // w) for d, w, luts in shapes if fits(d, depth))


def fits(rows: int, depth: int) -> bool:
    """The shallow shape only for what it holds in one row of cells."""
    return rows == 64 or depth <= rows


def shifts(v: View, depth: int, width: int) -> float:
    """LUTs of shift registers, which only AMD's have."""
    return width * -(-depth // SHIFT) if v.wide and depth >= SHORTEST else 0


def delay(v: View) -> Features:
    """Of hwrnn_delay."""
    return {"shift": 0 if v("HasReset", 0) else shifts(v, v("Depth"), v("Width"))}


def buffer(v: View, depth: int, width: int) -> Features:
    """A buffer that is made of LUT memory."""
    return {"cells": cells(v, depth, width) if v.part.style == "distributed" else 0}


def fifo(v: View) -> Features:
    """Of hwrnn_fifo."""
    return buffer(v, v("Depth"), v("Width"))


def frame_fifo(v: View) -> Features:
    """Of hwrnn_frame_fifo."""
    return buffer(v, v("Depth"), v("Width") + 1)


def reverse(v: View) -> Features:
    """Of hwrnn_reverse."""
    depth = v("Beats") * v("MaxSteps")
    starts = cells(v, 2, index(depth)) if starts_in_luts(v) else 0
    return buffer(v, 2 * depth, v("Width")) | {"starts": starts}


def starts_in_luts(v: View) -> bool:
    """True if the first addresses of hwrnn_reverse's two banks are a memory of LUTs."""
    return v.family is Family.GOWIN and 2 * index(v("Beats") * v("MaxSteps")) > STARTS


def select_step(v: View) -> Features:
    """Of hwrnn_select_step."""
    return {} if v("First", 0) else buffer(v, v("Beats"), v("Width"))


def unforced(v: View, depth: int, width: int, *, single: bool = False) -> float:
    """LUTs of a memory that yosys may also make of registers."""
    if not in_luts(v.family, depth, width, single=single):
        return 0
    amd = v.family in SINGLE
    return single_cells(v.family, depth, width) if single and amd else cells(v, depth, width)


def single_cells(family: Family, depth: int, width: int) -> float:
    """LUTs of a memory of AMD's that reads where it writes."""
    rows, columns, luts = next((s for s in SINGLE[family] if s[0] >= depth), SINGLE[family][-1])
    return float(luts * -(-depth // rows) * -(-width // columns))


def state_mem(v: View) -> Features:
    """Of hwrnn_state_mem."""
    return {"cells": unforced(v, v("Groups") * v("Streams"), v("Width"))}


def vector_mem(v: View) -> Features:
    """Of hwrnn_vector_mem."""
    streams, units, pe = v("Streams"), v("Units"), v("Pe")
    if streams == 1:
        return {}
    whole, rest = divmod(units, pe)
    last = unforced(v, streams, rest * v("Width")) if rest else 0
    return {"cells": whole * unforced(v, streams, pe * v("Width")) + last}


def mac_array(v: View) -> Features:
    """Of hwrnn_mac_array."""
    sums, groups = v("Gates") * v("Pe"), v("Groups")
    if v("Blocks") == 1:
        return {}
    stages = ((v("Simd") - 1).bit_length() + 1) // 2
    depth = (v("Registers", 0xFFFFFFFF) & ((1 << (stages + 1)) - 1)).bit_count()
    kept = unforced(v, groups, sums * v("AccWidth"), single=True)
    bits = max((groups - 1).bit_length(), 1) + 1
    return {"cells": kept, "shift": shifts(v, depth, bits)}


LUT_RAMS: dict[str, Feature] = {
    "hwrnn_delay": delay,
    "hwrnn_fifo": fifo,
    "hwrnn_frame_fifo": frame_fifo,
    "hwrnn_reverse": reverse,
    "hwrnn_select_step": select_step,
    "hwrnn_state_mem": state_mem,
    "hwrnn_vector_mem": vector_mem,
    "hwrnn_mac_array": mac_array,
}
