# SPDX-License-Identifier: Apache-2.0
"""Memories: registers, LUT memory or blocks, and what reads and writes them."""

from __future__ import annotations

from hwrnn.board import Family
from hwrnn.design.resources.blocks import in_luts, rom_banks, rom_in_block, rom_size
from hwrnn.design.resources.contents import (
    distinct_columns,
    pieces,
    vector_constants,
    wide_pieces,
)
from hwrnn.design.resources.features import Feature, Features, View, clog2, decode, index, mux
from hwrnn.design.resources.features_lutram import starts_in_luts

DEEPER = 64  # rows of AMD's LUT memory for states
MOST_BANKS = 8  # whose multiplexers are told apart
WIDEST = {Family.GOWIN: 8, Family.ECP5: 7}  # inputs of a function behind multiplexers


def lut_rows(v: View) -> int:
    """Words of a LUT memory cell."""
    return 32 if v.wide else 16


def table(
    v: View, words: tuple[int, ...], bits: int, width: int, *, alone: bool = True
) -> Features:
    """A ROM of LUTs, once; `alone`: with no logic behind it."""
    if not words:
        return {}
    if alone and v.family in WIDEST:
        return wide_pieces(words, bits, width, WIDEST[v.family])
    found = pieces(words, bits, width, v.family.lut_inputs)
    first = f"leaves{min(bits, v.family.lut_inputs)}"
    above = {k: a for k, a in found.items() if k != "leaves"}
    return {first: found["leaves"], **above}


def choosing(v: View) -> Features:
    """The multiplexers behind the banks of a ROM of memory blocks."""
    _, width, readers = rom_size(v.part)
    return {"bank mux": readers * width * mux(v, rom_banks(v.part, v.family))}


def bank_bits(v: View) -> Features:
    """The address bits that choose a bank, a cycle later."""
    _, _, readers = rom_size(v.part)
    return {"bank": readers * clog2(rom_banks(v.part, v.family))}


def rom(v: View) -> Features:
    """LUT of hwrnn_rom."""
    if rom_in_block(v.part, v.family):
        return choosing(v)
    depth = v("Depth")
    return table(v, v.part.words, clog2(depth), v("Width"))


def rom_ffs(v: View) -> Features:
    """FF of hwrnn_rom."""
    if rom_in_block(v.part, v.family):
        return bank_bits(v)
    return {"width": distinct_columns(v.part.words, v("Width"))}


def rom_ahead(v: View) -> Features:
    """LUT of hwrnn_rom_ahead."""
    return {"one": 1, "address": clog2(v("Depth")), **choosing(v)}


def rom_ahead_ffs(v: View) -> Features:
    """FF of hwrnn_rom_ahead."""
    return {"one": 1, "address": index(v("Depth")), "width": rom_size(v.part)[1], **bank_bits(v)}


def lut(v: View) -> Features:
    """LUT of hwrnn_lut."""
    if rom_in_block(v.part, v.family):
        return choosing(v)
    bits = v("XWidth") + (clog2(v("Cells")) if v("Cells") > 1 else 0)
    once = table(v, v.part.words, bits, v("YWidth"))
    return {k: a * v("Lanes") for k, a in once.items()}


def lut_ffs(v: View) -> Features:
    """FF of hwrnn_lut."""
    if rom_in_block(v.part, v.family):
        return bank_bits(v)
    if not v("Register", 1):
        return {}
    return {"bits": v("Lanes") * distinct_columns(v.part.words, v("YWidth"))}


def vector_mem(v: View) -> Features:
    """LUT of hwrnn_vector_mem."""
    units, w, pe, simd = v("Units"), v("Width"), v("Pe"), v("Simd")
    streams, cells = v("Streams"), v("Cells")
    groups, blocks = -(-units // pe), -(-units // simd)
    initial = v("Initial", 0)
    zero = float(initial == 0)
    registers = not in_luts(v.family, streams, pe * w)
    found: Features = {
        "groups": groups * decode(v, clog2(groups) + 1),
        "mux": simd * w * mux(v, blocks),
        "first zero": zero * simd * w,
        "first": (1 - zero) * simd * w * float(blocks == 1),
        "constants": vector_constants(initial, units * w, simd * w, v.family.lut_inputs),
        "two": simd * w * float(blocks == 2),
        "blocks": float(blocks > 1) * simd * w,
    }
    if v.family is not Family.ICE40 and blocks > 1:  # by how many levels choose a block
        del found["mux"]
        found |= {f"elements{min(clog2(blocks), 6)}": units * w, "set": (1 - zero) * units * w}
    if streams > 1:
        rows = lut_rows(v)
        found |= {
            "streams": units * w * mux(v, streams) if registers else 0,
            "enables": groups * streams if registers else 0,
            "banks": units * w * mux(v, -(-streams // rows)) if not registers else 0,
            "kept first": units * w * (1 - zero),
            "cells": units * w * mux(v, cells),
        }
    return found


def vector_mem_ffs(v: View) -> Features:
    """FF of hwrnn_vector_mem."""
    stored, streams = v("Units") * v("Width"), v("Streams")
    registers = not in_luts(v.family, streams, v("Pe") * v("Width"))
    return {"kept": stored * streams if registers else 0}


def state_mem(v: View) -> Features:
    """LUT of hwrnn_state_mem."""
    w, groups, streams, cells = v("Width"), v("Groups"), v("Streams"), v("Cells")
    depth = groups * streams
    initial = v("Initial", 0)
    found: Features = {"address": clog2(depth) * float(streams > 1 and groups > 1)}
    if v.family is not Family.ICE40:
        return found | wide_state(v, depth, cells * groups)
    words = tuple((initial >> (k * w)) & ((1 << w) - 1) for k in range(cells * groups))
    made = pieces(words, index(cells * groups), w, v.family.lut_inputs) if initial else {}
    found |= {
        "width": w,
        "zero": w * float(initial == 0),
        **{f"initial {k}": a for k, a in made.items()},
    }
    if not in_luts(v.family, depth, w):
        return found | {"words": depth * decode(v, clog2(depth) + 1), "mux": w * mux(v, depth)}
    banks = -(-depth // lut_rows(v))
    return found | {"banks": w * mux(v, banks), "enables": float(banks > 1) * banks}


def wide_state(v: View, depth: int, starts: int) -> Features:
    """The same where multiplexers put LUTs together: a bit is one function of banks, of the address
    bits that initial values depend on, and of the first step.
    """
    rows = DEEPER if v.wide else lut_rows(v)
    w, banks, bits = v("Width"), -(-depth // rows), clog2(starts)
    whole = float(starts & (starts - 1) == 0)
    found: Features = {"odd": 1 - whole, "enables": float(banks > 1) * banks}
    if v("Initial", 0):
        name = "whole" if whole else "start"
        found |= {f"{name}{min(bits, 6 if v.wide else 8)}": w * luts_of(v, bits + 2)}
        deeper = -(-banks // -(-starts // rows))
        return found | {"streams": w * mux(v, deeper)}
    inputs = banks + clog2(banks) + 1
    name = f"banks{banks}" if banks <= MOST_BANKS else "banks"
    widest = WIDEST.get(v.family, inputs)
    each = luts_of(v, min(inputs, widest)) if banks <= MOST_BANKS else mux(v, banks)
    return found | {name: w * each}


def luts_of(v: View, inputs: int) -> float:
    """LUTs of one function, which multiplexers put together."""
    return 2.0 ** max(inputs - v.family.lut_inputs, 0)


def state_mem_ffs(v: View) -> Features:
    """FF of hwrnn_state_mem."""
    w, depth = v("Width"), v("Groups") * v("Streams")
    stored = not in_luts(v.family, depth, w)
    return {"data": w, "stored": w * depth if stored else 0}


def select_step(v: View) -> Features:
    """LUT of hwrnn_select_step."""
    w, beats, first = v("Width"), v("Beats"), v("First", 0)
    if first:
        s = v("Streams")
        return {"one": 1, "beat": clog2(beats), "streams": float(s > 1) * s}
    ice = v.part.style not in ("distributed", "block")
    banks = -(-beats // lut_rows(v))
    return {
        "last": 1,
        "beats": clog2(beats),
        "mux": w * (mux(v, beats) if ice else mux(v, banks)),
        "words": float(ice) * beats,
    }


def select_step_ffs(v: View) -> Features:
    """FF of hwrnn_select_step."""
    w, beats = v("Width"), v("Beats")
    stored = v.part.style not in ("distributed", "block")
    if v("First", 0):
        return {"bits": index(beats) + v("Streams")}
    return {"bits": index(beats) + 1, "copy": clog2(beats), "stored": w * beats if stored else 0}


def sequence(v: View, depth: int, width: int) -> Features:
    """What stores whole sequences and is read a cycle later."""
    found: Features = {"one": 1, "address": clog2(depth)}
    if v.part.style == "block":
        return found | {"copy": width, "compare": clog2(depth)}
    if v.part.style == "distributed":
        banks = -(-depth // lut_rows(v))
        return found | {"banks": width * mux(v, banks), "enables": float(banks > 1) * banks}
    return found | {"words": depth, "mux": width * mux(v, depth)}


def reverse(v: View) -> Features:
    """LUT of hwrnn_reverse."""
    depth = v("Beats") * v("MaxSteps")
    return sequence(v, 2 * depth, v("Width")) | {
        "beat": clog2(v("Beats")),
        "credit": v("OutDepth").bit_length(),
    }


def reverse_ffs(v: View) -> Features:
    """FF of hwrnn_reverse."""
    depth = v("Beats") * v("MaxSteps")
    starts = 0 if starts_in_luts(v) else 2 * index(depth)
    counts = 3 * index(depth) + starts + clog2(v("Beats")) + 8 + v("OutDepth").bit_length()
    return {"bits": counts, **copied(v, 2 * depth, v("Width"))}


def copied(v: View, depth: int, width: int) -> Features:
    """The word that is read; FF that give a memory block the word that is written meanwhile, where
    the block has no register that does; or all of the memory.
    """
    if v.part.style == "block":
        return {} if v.wide else {"word": width, "copy": width + clog2(depth) + 2}
    return {"word": width, "stored": 0 if v.part.style == "distributed" else depth * width}


def frame_fifo(v: View) -> Features:
    """LUT of hwrnn_frame_fifo."""
    return sequence(v, v("Depth"), v("Width") + 1) | {"credit": v("OutDepth").bit_length()}


def frame_fifo_ffs(v: View) -> Features:
    """FF of hwrnn_frame_fifo."""
    depth = v("Depth")
    counts = 3 * clog2(depth) + 3 * depth.bit_length() + v("OutDepth").bit_length() + 1
    return {"bits": counts, **copied(v, depth, v("Width") + 1)}


MEMORIES: dict[str, tuple[Feature, Feature]] = {
    "hwrnn_rom": (rom, rom_ffs),
    "hwrnn_rom_ahead": (rom_ahead, rom_ahead_ffs),
    "hwrnn_lut": (lut, lut_ffs),
    "hwrnn_vector_mem": (vector_mem, vector_mem_ffs),
    "hwrnn_state_mem": (state_mem, state_mem_ffs),
    "hwrnn_select_step": (select_step, select_step_ffs),
    "hwrnn_reverse": (reverse, reverse_ffs),
    "hwrnn_frame_fifo": (frame_fifo, frame_fifo_ffs),
}
