# SPDX-License-Identifier: Apache-2.0
"""What works on whole steps: windows, pooling, repetition, look-up of rows; and the registers."""

from __future__ import annotations

from dataclasses import replace

from hwrnn.design.resources.blocks import in_blocks, in_luts, window
from hwrnn.design.resources.features import Feature, Features, View, clog2, credit, mux
from hwrnn.design.resources.features_lutram import unforced
from hwrnn.design.resources.features_memory import lut_rows
from hwrnn.design.resources.part import Part

STATUS = 32 + 1 + 1 + 2 + 32 + 1 + 64  # FF of the slave: read, answers, data written, image


def held(v: View, depth: int, width: int, *, single: bool = True) -> Features:
    """The logic of a memory that is read in the cycle of its address."""
    if in_blocks(v, v.family):
        return {"block": 1, "word": width}
    if in_luts(v.family, depth, width, single=single):
        return {"banks": width * mux(v, -(-depth // lut_rows(v)))}
    return {"mux": width * mux(v, depth), "enables": float(depth > 1) * depth}


def held_ffs(v: View, depth: int, width: int, *, single: bool = True) -> Features:
    """Its registers, if it is made of them."""
    if in_blocks(v, v.family):
        return {"block": 1, "word": width}
    return {"stored": 0 if in_luts(v.family, depth, width, single=single) else depth * width}


def pair(v: View) -> Features:
    """LUT of hwrnn_zip: two handshakes."""
    del v
    return {"one": 4}


def larger(v: View) -> Features:
    """LUT of hwrnn_max: a comparator and a multiplexer."""
    lanes = v("Lanes")
    return {
        "compare": lanes * max(v("AWidth"), v("BWidth")),
        "choose": lanes * v("YWidth"),
        "lanes": lanes,
    }


def larger_ffs(v: View) -> Features:
    """FF of hwrnn_max."""
    return {"bits": v("Lanes") * v("YWidth") * v("Register", 1)}


def arg_max(v: View) -> Features:
    """LUT of hwrnn_arg_max."""
    return {"one": 5, "compare": v("Width"), "index": 3 * v("IndexWidth")}


def arg_max_ffs(v: View) -> Features:
    """FF of hwrnn_arg_max."""
    return {"best": v("Width"), "index": 2 * v("IndexWidth")}


def combine(v: View) -> Features:
    """LUT of hwrnn_combine."""
    bits, beats = v("Lanes") * v("YWidth"), v("Beats")
    most = float(bool(v("Max", 0)))
    return {
        "one": 6,
        "join": bits,
        "compare": most * v("Lanes") * v("XWidth"),
        "count": 2 * (clog2(beats) + clog2(max(v("Vectors", 0), 1))),
        **held(v, beats, bits),
    }


def combine_ffs(v: View) -> Features:
    """FF of hwrnn_combine."""
    vectors, beats = v("Vectors", 0), v("Beats")
    counts = clog2(beats) + clog2(max(vectors, 1)) + int(vectors > 0)
    return {"count": counts, "one": 2, **held_ffs(v, beats, v("Lanes") * v("YWidth"))}


def slide(v: View) -> Features:
    """LUT of hwrnn_slide."""
    depth, steps = window(v)
    return {
        "one": 10,
        "address": 6 * clog2(depth),
        "steps": 8 * steps,
        "beat": 2 * clog2(v("Beats")),
        "fill": v("Width"),
        **held(v, depth, v("Width"), single=False),
    }


def slide_ffs(v: View) -> Features:
    """FF of hwrnn_slide."""
    depth, steps = window(v)
    counts = 3 * clog2(depth) + 3 * steps + clog2(v("Beats"))
    return {"count": counts, "one": 1, **held_ffs(v, depth, v("Width"), single=False)}


def repeat(v: View) -> Features:
    """LUT of hwrnn_repeat."""
    counts = 2 * (clog2(v("Beats")) + clog2(v("Steps")))
    return {"one": 5, "count": counts, **held(v, v("Beats"), v("Width"))}


def repeat_ffs(v: View) -> Features:
    """FF of hwrnn_repeat."""
    counts = clog2(v("Beats")) + clog2(v("Steps"))
    return {"count": counts, "one": 1, **held_ffs(v, v("Beats"), v("Width"))}


def embed(v: View) -> Features:
    """LUT of hwrnn_embed: a product with a constant, a beat, a credit."""
    beats = v("Beats")
    whole = beats & (beats - 1) == 0
    return {
        "one": 4,
        "beat": 2 * clog2(beats),
        "credit": 3 * credit(v("OutDepth")),
        "product": 0 if whole else clog2(v("Rows") * beats) * max(beats.bit_count() - 1, 1),
    }


def embed_ffs(v: View) -> Features:
    """FF of hwrnn_embed."""
    return {"beat": clog2(v("Beats")), "one": 2, "credit": credit(v("OutDepth"))}


def fragment_gate(v: View) -> Features:
    """LUT of hwrnn_fragment_gate."""
    return {"one": 6, "count": 3 * credit(v("MostFragments"))}


def fragment_gate_ffs(v: View) -> Features:
    """FF of hwrnn_fragment_gate."""
    return {"one": 1, "count": credit(v("MostFragments"))}


def config_slave(v: View) -> Features:
    """LUT of hwrnn_config_slave."""
    return {"one": 130, "address": 3 * v("AddressWidth")}


def config_slave_ffs(v: View) -> Features:
    """FF of hwrnn_config_slave."""
    return {"one": STATUS, "address": v("AddressWidth") - 2}


def crop(v: View) -> Features:
    """LUT of hwrnn_crop."""
    return {"one": 4, "beat": 3 * clog2(v("Beats"))}


def crop_ffs(v: View) -> Features:
    """FF of hwrnn_crop."""
    return {"beat": clog2(v("Beats"))}


def joint_pops(v: View) -> Features:
    """LUT of hwrnn_joint_pops: a counter for each output."""
    return {"outputs": 2 * v("Outputs"), "count": 2 * v("Outputs") * credit(v("Most"))}


def joint_pops_ffs(v: View) -> Features:
    """FF of hwrnn_joint_pops."""
    return {"count": v("Outputs") * credit(v("Most"))}


def start_fill(v: View) -> Features:
    """LUT of hwrnn_start_fill: a group, a bank, two counts of banks."""
    banks = v("Banks")
    return {"one": 4, "group": 2 * clog2(v("Groups")), "banks": 5 * credit(banks) + clog2(banks)}


def start_fill_ffs(v: View) -> Features:
    """FF of hwrnn_start_fill."""
    return {"count": clog2(v("Groups")) + clog2(v("Banks")) + 2 * credit(v("Banks"))}


def start_gate(v: View) -> Features:
    """LUT of hwrnn_start_gate."""
    return {"one": 2, "group": clog2(v("Groups")) / 2, "bank": clog2(v("Banks"))}


def start_gate_ffs(v: View) -> Features:
    """FF of hwrnn_start_gate."""
    return {"bank": clog2(v("Banks"))}


def start_vector(v: View) -> Features:
    """LUT of hwrnn_start_vector, besides its memory."""
    return {"choose": v("Simd") * v("Width")}


def start_words(v: View) -> Features:
    """LUT of hwrnn_start_words, besides its memory."""
    return {"choose": v("Width")}


def start_words_ffs(v: View) -> Features:
    """FF of hwrnn_start_words, besides its memory."""
    del v
    return {"one": 1}


def below(part: Part) -> tuple[Part, ...]:
    """The parts that are counted by themselves in a part: memories of initial states."""
    inner = {"hwrnn_start_vector": "hwrnn_vector_mem", "hwrnn_start_words": "hwrnn_state_mem"}
    if part.module not in inner:
        return ()
    given = {**part.given, "Streams": part.given.get("Banks", 2), "Initial": 0}
    return (replace(part, module=inner[part.module], given=given),)


def of_beats(v: View) -> Features:
    """LUT memory of hwrnn_repeat."""
    return {"cells": unforced(v, v("Beats"), v("Width"), single=True)}


def of_vectors(v: View) -> Features:
    """LUT memory of hwrnn_combine."""
    return {"cells": unforced(v, v("Beats"), v("Lanes") * v("YWidth"), single=True)}


def of_window(v: View) -> Features:
    """LUT memory of hwrnn_slide."""
    return {"cells": unforced(v, window(v)[0], v("Width"))}


def nothing(v: View) -> Features:
    """No FF."""
    del v
    return {}


STEPS: dict[str, tuple[Feature, Feature]] = {
    "hwrnn_zip": (pair, nothing),
    "hwrnn_max": (larger, larger_ffs),
    "hwrnn_arg_max": (arg_max, arg_max_ffs),
    "hwrnn_combine": (combine, combine_ffs),
    "hwrnn_slide": (slide, slide_ffs),
    "hwrnn_repeat": (repeat, repeat_ffs),
    "hwrnn_embed": (embed, embed_ffs),
    "hwrnn_fragment_gate": (fragment_gate, fragment_gate_ffs),
    "hwrnn_config_slave": (config_slave, config_slave_ffs),
    "hwrnn_crop": (crop, crop_ffs),
    "hwrnn_joint_pops": (joint_pops, joint_pops_ffs),
    "hwrnn_start_fill": (start_fill, start_fill_ffs),
    "hwrnn_start_gate": (start_gate, start_gate_ffs),
    "hwrnn_start_vector": (start_vector, nothing),
    "hwrnn_start_words": (start_words, start_words_ffs),
}
STEP_RAMS: dict[str, Feature] = {
    "hwrnn_repeat": of_beats,
    "hwrnn_combine": of_vectors,
    "hwrnn_slide": of_window,
}
