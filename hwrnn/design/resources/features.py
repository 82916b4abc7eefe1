# SPDX-License-Identifier: Apache-2.0
"""Of what the logic of each library module is made: adders, multiplexers, comparators, registers.

A feature is a count that follows from the parameters of an instance; a model is a sum of features,
each times a coefficient of the family (`model.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hwrnn.board import Family
from hwrnn.design.resources.blocks import Widths
from hwrnn.design.resources.contents import functions

Features = dict[str, float]


@dataclass(frozen=True, slots=True)
class View(Widths):
    """A part, as a model of a family looks at it."""

    family: Family

    @property
    def wide(self) -> bool:
        """True for LUTs with six inputs."""
        return self.family.lut_inputs == 6

    @property
    def adds(self) -> bool:
        """True where yosys lets hard multipliers take in adders and registers around them."""
        return self.family is Family.XC7


def clog2(n: int) -> int:
    """Bits of an index below n; 0 for one."""
    return (n - 1).bit_length()


def index(n: int) -> int:
    """Bits of an index below n, at least 1."""
    return max(clog2(n), 1)


def mux(v: View, n: int) -> float:
    """LUTs of a multiplexer of n bits."""
    return (n - 1) / 3 if v.wide else (n - 1) / 1.5 if n > 2 else n - 1


def decode(v: View, bits: int) -> float:
    """LUTs that tell one number of `bits` bits."""
    return max((bits - 1) / (v.family.lut_inputs - 1), 0.4)


def adder(v: View, bits: int) -> int:
    """LUTs of an adder: those of ECP5's carry cells come in pairs."""
    return bits + bits % 2 if v.family is Family.ECP5 else bits


def values(packed: int, count: int) -> list[int]:
    """Numbers of 32 bits, side by side."""
    return [(packed >> (32 * k)) & 0xFFFFFFFF for k in range(count)]


def stream_reg(v: View) -> Features:
    """LUT of hwrnn_stream_reg."""
    return {"one": 1, "bits": v("Width")}


def credit(depth: int) -> int:
    """Bits of a counter up to depth."""
    return depth.bit_length()


def fifo(v: View) -> Features:
    """LUT of hwrnn_fifo."""
    d, w = v("Depth"), v("Width")
    p, c = clog2(d), credit(d)
    rows = 32 if v.wide else 16
    banks = -(-d // rows)
    found: Features = {"one": 1, "pointer": p, "count": c, "odd": float(d & (d - 1) != 0) * p}
    if v.part.style == "block":
        found |= {"word": w, "compare": p}
    elif v.part.style != "distributed":
        found |= {"words": d, "mux": w * mux(v, d)}
    else:
        found |= {"mux": w * mux(v, banks), "width": w}
    return found


def fifo_ffs(v: View) -> Features:
    """FF of hwrnn_fifo."""
    d, w = v("Depth"), v("Width")
    block = float(v.part.style == "block")
    stored = 0 if v.part.style in ("block", "distributed") else d * w
    return {"bits": 2 * clog2(d) + credit(d), "copy": clog2(d), "word": block * w, "stored": stored}


def axis_in(v: View) -> Features:
    """LUT of hwrnn_axis_in."""
    lanes, w = v("Lanes"), v("Width")
    fixed = v("FixedBeats", 0)
    period = fixed or v("Beats")
    most = v("MaxBeats", 0)
    streams = v("Streams")
    return {
        "one": 1,
        "data": lanes * w,
        "count": clog2(period),
        "total": most.bit_length() + 1 if most else 0,
        "long": float(most > 0 or fixed > 0),
        "id": clog2(streams),
        "streams": float(streams > 1),
    }


def axis_in_ffs(v: View) -> Features:
    """FF of hwrnn_axis_in."""
    fixed = v("FixedBeats", 0)
    period = fixed or v("Beats")
    most = v("MaxBeats", 0)
    return {
        "one": 3,
        "swallow": float(bool(fixed or most)),
        "count": index(period),
        "total": most.bit_length() + 1 if most else 0,
        "id": clog2(v("Streams")),
    }


def beat_counter(v: View, lanes: int, count: int, packed: int, tag: str) -> Features:
    """Lanes of each beat of segments."""
    segments = values(packed, count)
    longest = max(segments)
    left = longest.bit_length()
    several = float(count > 1)
    runs = longest > lanes or count > 1
    return {
        f"{tag}on": float(runs),
        f"{tag}left": left * runs,
        f"{tag}lanes": float(runs) * lanes.bit_length(),
        f"{tag}index": clog2(count),
        f"{tag}segments": several * left * functions(segments, index(count), left, v.wide),
    }


def axis_out(v: View) -> Features:
    """LUT of hwrnn_axis_out."""
    lanes, count = v("Lanes"), v("SegmentCount")
    return {
        "one": 1,
        "mask": lanes * v("PortWidth", 8),
        "compare": (lanes - 1) * lanes.bit_length(),
        **beat_counter(v, lanes, count, v("Segments", 1), "b"),
    }


def axis_out_ffs(v: View) -> Features:
    """FF of hwrnn_axis_out."""
    return counter_ffs(v("Lanes"), v("SegmentCount"), v("Segments", 1), "")


def counter_ffs(lanes: int, count: int, packed: int, tag: str) -> Features:
    """FF of the counter of the lanes of a beat."""
    segments = values(packed, count)
    longest = max(segments)
    runs = longest > lanes or count > 1
    return {f"{tag}left": longest.bit_length() * runs, f"{tag}index": clog2(count)}


def dwc(v: View) -> Features:
    """LUT of hwrnn_dwc."""
    x, y, w = v("XLanes"), v("YLanes"), v("Width")
    room = x + y
    return {
        "one": 1,
        "bits": room * w,
        "out": y * w,
        "in": x * w,
        "down": room * w * clog2(y + 1),
        "up": room * w * clog2(room + 1),
        "put": min(x, room) * w * clog2(room + 1),
        "held": clog2(room + 1),
        **({f"three{x}": w} if room == 3 else {}),  # each bit is one wide function
        **beat_counter(v, x, v("XSegmentCount"), v("XSegments", 1), "x"),
        **beat_counter(v, y, v("YSegmentCount"), v("YSegments", 1), "y"),
    }


def dwc_ffs(v: View) -> Features:
    """FF of hwrnn_dwc."""
    x, y, w = v("XLanes"), v("YLanes"), v("Width")
    return {
        "one": 1,
        "bits": (x + y) * w,
        "held": (x + y).bit_length(),
        **counter_ffs(x, v("XSegmentCount"), v("XSegments", 1), "x"),
        **counter_ffs(y, v("YSegmentCount"), v("YSegments", 1), "y"),
    }


def dwc_streams(v: View) -> Features:
    """LUT of hwrnn_dwc_streams."""
    return dwc(v) | {"beat": clog2(v("XBeats")), "streams": 1}


def dwc_streams_ffs(v: View) -> Features:
    """FF of hwrnn_dwc_streams."""
    return dwc_ffs(v) | {"beat": clog2(v("XBeats")), "id": v("IdWidth"), "last": 1}


def concat(v: View) -> Features:
    """LUT of hwrnn_concat."""
    n, w = v("Inputs"), v("Width")
    beats = values(v("Beats"), n)
    bits = max(beats).bit_length()
    return {
        "one": 1,
        "inputs": n,
        "mux": w * mux(v, n),
        "beat": bits,
        "index": clog2(n),
        "two": w * float(n == 2),
    }


def concat_ffs(v: View) -> Features:
    """FF of hwrnn_concat."""
    n = v("Inputs")
    beats = values(v("Beats"), n)
    return {"bits": clog2(n) + max(beats).bit_length()}


def interleave(v: View) -> Features:
    """LUT of hwrnn_interleave."""
    n, w = v("Inputs"), v("Width")
    return {"one": 1, "mux": (w + 1) * mux(v, n), "beat": clog2(v("Beats")), "inputs": n}


def interleave_ffs(v: View) -> Features:
    """FF of hwrnn_interleave."""
    return {"bits": clog2(v("Inputs")) + index(v("Beats"))}


def delay(v: View) -> Features:
    """LUT of hwrnn_delay."""
    return {"chain": float(v("Depth") > 2) * v("Width")}


def delay_ffs(v: View) -> Features:
    """FF of hwrnn_delay."""
    d, w, reset = v("Depth"), v("Width"), v("HasReset", 0)
    short = d * w
    amd = v.wide and not reset and d >= 3
    return {"all": 0 if amd else short, "srl": w if amd else 0}


def operand(v: View) -> Features:
    """LUT of hwrnn_operand."""
    s, w = v("Sources"), v("Width")
    return {"mux": w * mux(v, s) if s > 2 else 0, "two": w * float(s == 2)}


def operand_ffs(v: View) -> Features:
    """FF of hwrnn_operand."""
    return {"width": v("Width")}


def engine_ctrl(v: View) -> Features:
    """LUT of hwrnn_engine_ctrl."""
    groups, sources = v("Groups"), v("Sources")
    xb, vb, streams, cells = v("XBlocks"), v("VectorBlocks"), v("Streams"), v("Cells")
    hands = v("HandAfter").bit_count()
    blocks = xb + (sources - 1) * vb
    most = max(v("MaxPending"), groups)
    pend = most.bit_length()
    state = v("HasState", 0)
    by_block = state and not v("ByGroup", 0)
    units, pe, simd = v("Units"), v("Pe"), v("Simd")
    allowed = [groups - ((min((b + 1) * simd, units) - 1) // pe + 1) for b in range(vb)]
    found = {
        "one": 1,
        "group": clog2(groups),
        "index": clog2(max(xb, vb)),
        "source": clog2(sources),
        "level": clog2(hands),
        "hands": hands - 1,
        "address": clog2(blocks * groups),
        "state": state,
        "pending": state * streams * pend,
        "count": state * float(streams > 1) * mux(v, streams) * pend,
        "inner": (hands - 1) * pend,
        "streams": float(streams > 1) * streams,
        "cells": float(cells > 1) * (clog2(cells * blocks * groups) + clog2(cells * groups)),
        "limit": functions(allowed, index(vb), pend, v.wide) * float(bool(by_block or hands > 1)),
        "compare": by_block * pend if sources > 1 or v("Shared", 0) else 0,
        "by group": float(bool(v("ByGroup", 0))) * pend,
        "credit": credit(v("OutDepth")),
        "emit": 1 - v("EmitAll", 1),
    }
    return {k: float(a) for k, a in found.items()}


def engine_ctrl_ffs(v: View) -> Features:
    """FF of hwrnn_engine_ctrl."""
    groups, sources = v("Groups"), v("Sources")
    xb, vb, streams = v("XBlocks"), v("VectorBlocks"), v("Streams")
    hands = v("HandAfter").bit_count()
    blocks = xb + (sources - 1) * vb
    pend = max(v("MaxPending"), groups).bit_length()
    state = v("HasState", 0)
    counters = (groups, max(xb, vb), sources, hands, blocks * groups)
    pending = state * streams * pend + (hands - 1) * pend
    flags = streams + clog2(streams) + 1 + v("Keep", 0)
    return {"bits": sum(map(index, counters)) + credit(v("OutDepth")) + pending + flags}


def map_ctrl(v: View) -> Features:
    """LUT of hwrnn_map_ctrl."""
    return {"one": 1, "index": clog2(v("Beats")), "credit": credit(v("OutDepth"))}


def map_ctrl_ffs(v: View) -> Features:
    """FF of hwrnn_map_ctrl."""
    return {"bits": index(v("Beats")) + credit(v("OutDepth"))}


def fork(v: View) -> Features:
    """LUT of hwrnn_fork."""
    return {"one": 1, "outputs": v("Outputs")}


def separate(v: View) -> Features:
    """LUT of hwrnn_separate."""
    return {"one": 1, "outputs": v("Outputs")}


def none(v: View) -> Features:  # noqa: ARG001 - as the others
    """A module without logic."""
    return {}


Feature = Callable[[View], Features]
STREAMS: dict[str, tuple[Feature, Feature]] = {
    "hwrnn_stream_reg": (stream_reg, stream_reg),
    "hwrnn_fifo": (fifo, fifo_ffs),
    "hwrnn_axis_in": (axis_in, axis_in_ffs),
    "hwrnn_axis_out": (axis_out, axis_out_ffs),
    "hwrnn_dwc": (dwc, dwc_ffs),
    "hwrnn_dwc_streams": (dwc_streams, dwc_streams_ffs),
    "hwrnn_concat": (concat, concat_ffs),
    "hwrnn_interleave": (interleave, interleave_ffs),
    "hwrnn_delay": (delay, delay_ffs),
    "hwrnn_operand": (operand, operand_ffs),
    "hwrnn_engine_ctrl": (engine_ctrl, engine_ctrl_ffs),
    "hwrnn_map_ctrl": (map_ctrl, map_ctrl_ffs),
    "hwrnn_fork": (fork, none),
    "hwrnn_separate": (separate, none),
    "hwrnn_resize": (none, none),
}
