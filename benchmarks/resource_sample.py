# SPDX-License-Identifier: Apache-2.0
"""Which instances of library modules the calibration synthesises: those of random designs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from resource_designs import BOARDS, FAMILIES, draw

import hwrnn
from hwrnn.backends.rtl_parts import parts
from hwrnn.board import Board, Family, load_board
from hwrnn.design.memory import buffer_style
from hwrnn.design.resources.blocks import BUFFERS, buffer_size, hard_multipliers
from hwrnn.design.resources.part import Part

SEED = 41
DESIGNS = 400
LANES = 2  # lanes are alike: as many are synthesised
SMALL = 10  # bits of both factors of a product that is made of LUTs
MOST_WORDS = 1 << 15  # bits of a memory of LUTs
WANTED = {
    "hwrnn_mac_array": 36,
    "hwrnn_requant_scale": 36,
    "hwrnn_rom": 16,
    "hwrnn_lut": 16,
    "hwrnn_vector_mem": 26,
    "hwrnn_engine_ctrl": 18,
    "hwrnn_state_mem": 18,
    "hwrnn_threshold_level": 14,
    "hwrnn_mul": 20,
    "hwrnn_fifo": 10,
    "hwrnn_dwc": 12,
    "hwrnn_axis_out": 10,
    "hwrnn_delay": 8,
    "hwrnn_stream_reg": 3,
    "hwrnn_fork": 2,
    "hwrnn_separate": 2,
    "hwrnn_interleave": 4,
    "hwrnn_add": 8,
    "hwrnn_sub": 8,
    "hwrnn_requant_thresholds": 12,
}
OTHERS = 7  # of each other module
MORE = {  # where synthesis is less regular
    Family.GOWIN: {
        "hwrnn_mac_array": 52,
        "hwrnn_requant_scale": 70,
        "hwrnn_vector_mem": 80,
        "hwrnn_state_mem": 50,
        "hwrnn_dwc": 31,
        "hwrnn_engine_ctrl": 44,
    },
    Family.ECP5: {"hwrnn_mac_array": 42, "hwrnn_vector_mem": 50, "hwrnn_engine_ctrl": 24},
    Family.XC7: {"hwrnn_state_mem": 34, "hwrnn_vector_mem": 36},
    Family.ICE40: {"hwrnn_mul": 24, "hwrnn_rom": 24, "hwrnn_engine_ctrl": 24},
}
UNCOUNTED = ("hwrnn_resize",)  # wires
GROUPS = {
    "mac": ("hwrnn_mac_array",),
    "arithmetic": (
        "hwrnn_add",
        "hwrnn_sub",
        "hwrnn_mul",
        "hwrnn_requant_scale",
        "hwrnn_requant_thresholds",
        "hwrnn_threshold_level",
        "hwrnn_threshold_level_ram",
    ),
    "memory": (
        "hwrnn_rom",
        "hwrnn_lut",
        "hwrnn_ram",
        "hwrnn_lut_ram",
        "hwrnn_vector_mem",
        "hwrnn_state_mem",
    ),
}


def candidates(family: Family) -> dict[str, list[Part]]:
    """Distinct parts of each module, in a seeded order."""
    found: dict[str, dict[str, Part]] = {}
    for part in (*drawn(family), *rare(family)):
        for kept in variants(small(part)):
            if kept.module not in UNCOUNTED and cheap(kept):
                found.setdefault(part.module, {}).setdefault(key(kept), kept)
    groups: dict[str, list[Part]] = {}
    for module, distinct in sorted(found.items()):
        every = [p for _, p in sorted(distinct.items())]
        order = np.random.default_rng([SEED, *module.encode()]).permutation(len(every))
        groups[module] = [every[k] for k in order]
    return groups


def wanted(module: str, family: Family) -> int:
    """How many parts of a module are synthesised for a family."""
    return MORE.get(family, {}).get(module, WANTED.get(module, OTHERS))


def kind(part: Part) -> tuple[int, ...]:
    """What decides how a module is built; each kind has its share of the parts."""
    flags = tuple(
        bool(part.given.get(name, 0)) for name in ("ByGroup", "Counted", "Lut", "Initial")
    )
    several = tuple(part.given.get(name, 1) > 1 for name in ("Lanes", "Streams", "Simd", "Blocks"))
    small = part.given.get("AWidth", 0) + part.given.get("BWidth", 0) < SMALL
    far = part.given.get("ByShift", 0) * part.given.get("MulWidth", 0)
    return (*flags, *several, small, far)


def chosen(new: Sequence[Part], known: Sequence[Part], count: int) -> list[Part]:
    """So many of the new parts: first those of a kind of which there are fewest."""
    have, left, found = Counter(map(kind, known)), list(new), list[Part]()
    while left and len(found) < count:
        part = min(left, key=lambda p: have[kind(p)])
        left.remove(part)
        have[kind(part)] += 1
        found.append(part)
    return found


def group(module: str) -> str:
    """With which other modules a module is synthesised."""
    return next((name for name, members in GROUPS.items() if module in members), "streams")


def key(part: Part) -> str:
    """Equal for equal parts."""
    return f"{sorted(part.given.items())} {part.style} {hash(part.words)}"


def small(part: Part) -> Part:
    """Fewer lanes, if it has many."""
    given = dict(part.given)
    if given.get("Lanes", 0) > LANES and part.module not in ("hwrnn_axis_in", "hwrnn_axis_out"):
        given["Lanes"] = LANES
    return replace(part, kernel="", given=given)


def variants(part: Part) -> tuple[Part, ...]:
    """A memory with initial values also without them, as most have it."""
    if not part.given.get("Initial"):
        return (part,)
    return part, replace(part, given={**part.given, "Initial": 0})


def cheap(part: Part) -> bool:
    """False for what takes yosys minutes."""
    bits = len(part.words) * max(part.words, default=0).bit_length()
    return bits <= MOST_WORDS


def drawn(family: Family) -> Iterator[Part]:
    """The parts of random designs, some of them with writable weights."""
    for index in range(DESIGNS):
        if FAMILIES[index % len(FAMILIES)] is family:
            yield from parts(draw(SEED, index).design)
            if index % 4 == 0:
                yield from writable(index)


def writable(index: int) -> tuple[Part, ...]:
    """The same design with weights that can be written."""
    found = draw(SEED, index)
    options = {**found.options, "writable_weights": True}
    try:
        design = hwrnn.build(found.graph, found.board, folding=found.folding, **options)  # type: ignore[arg-type]
    except hwrnn.errors.HwrnnError:
        return ()
    return parts(design)


def style_of(part: Part, board: Board) -> str:
    """What the compiler makes such a buffer of."""
    if part.module not in BUFFERS:
        return "auto"
    registered = part.module in ("hwrnn_reverse", "hwrnn_frame_fifo")
    return buffer_style(board, *buffer_size(part), registered=registered)


def shifted(x: int, bits: int, ties: int) -> Part:
    """A requantiser that shifts by a number of so many bits, as channels with scales have it."""
    total = x + (1 << bits) // 2 + 2
    given = {"Lanes": 1, "XWidth": x, "XSigned": 1, "MulWidth": bits, "AddWidth": total - 8}
    given |= {"SumWidth": total, "Shift": total - 9, "TiesEven": ties, "ByShift": 1, "YWidth": 8}
    given |= {"Lo": -128, "Hi": 127, "RegisterMid": 0, "RegisterOut": 1}
    return Part(kernel="", module="hwrnn_requant_scale", given=given)


def rare(family: Family) -> Iterator[Part]:
    """Modules that few designs have, over a grid of their parameters."""
    board = load_board(BOARDS[family])

    def grid(module: str, **lists: tuple[int, ...]) -> Iterator[Part]:
        for values in product(*lists.values()):
            part = Part(kernel="", module=module, given=dict(zip(lists, values, strict=True)))
            yield replace(part, style=style_of(part, board))

    yield from grid(
        "hwrnn_select_step", Width=(3, 8, 24), Beats=(1, 3, 16, 60), First=(0, 1), Streams=(1, 4)
    )
    yield from grid("hwrnn_map_ctrl", Beats=(1, 3, 10, 40), OutDepth=(2, 4, 9, 20))
    yield from grid(
        "hwrnn_reverse", Width=(4, 16, 40), Beats=(1, 4, 9), MaxSteps=(5, 28, 100), OutDepth=(4,)
    )
    yield from grid("hwrnn_frame_fifo", Width=(4, 16, 40), Depth=(6, 40, 200, 900), OutDepth=(4,))
    yield from grid("hwrnn_separate", Outputs=(2, 3, 4, 8))
    yield from grid("hwrnn_fork", Outputs=(2, 3, 4, 8))
    yield from grid("hwrnn_interleave", Inputs=(2, 3), Width=(4, 16), Beats=(1, 5, 20))
    for a, b, signed in product((2, 3, 4, 5, 6, 7, 8), (2, 3, 4, 5), (0, 1)):
        given = {"AWidth": a, "ASigned": signed, "BWidth": b, "BSigned": 1, "YWidth": a + b}
        small = Part(kernel="", module="hwrnn_mul", given={"Lanes": 1, **given, "Register": 1})
        if a >= b and not hard_multipliers(small, family):
            yield small
    for x, bits, ties in product((9, 15, 20), (2, 4, 5), (0, 1)):
        yield shifted(x, bits, ties)
    yield from grid("hwrnn_zip")
    yield from grid(
        "hwrnn_max", Lanes=(1, 2), AWidth=(4, 9), ASigned=(0, 1), BWidth=(5, 9), YWidth=(9,)
    )
    yield from grid(
        "hwrnn_arg_max", Width=(4, 9, 16), Signed=(0, 1), Count=(3, 10), IndexWidth=(4,)
    )
    yield from grid(
        "hwrnn_combine", Lanes=(1, 2), XWidth=(6,), YWidth=(6, 10), Beats=(1, 5, 20), Max=(0, 1)
    )
    yield from grid(
        "hwrnn_slide", Width=(4, 12), Beats=(1, 6), Size=(3, 5), Stride=(1, 2), Before=(0, 2)
    )
    yield from grid("hwrnn_repeat", Width=(4, 12, 40), Beats=(1, 6, 24), Steps=(2, 7, 28))
    yield from grid("hwrnn_embed", IndexWidth=(5, 9), Rows=(20,), Beats=(1, 4, 6, 11))
    yield from grid("hwrnn_fragment_gate", MostFragments=(1, 2, 5, 12))
    yield from grid("hwrnn_crop", Beats=(6, 20, 64), First=(0, 2), Count=(1, 4))
    yield from grid("hwrnn_joint_pops", Outputs=(2, 3), Most=(2, 6, 30))
    yield from grid("hwrnn_start_fill", Groups=(1, 5, 16, 40), Banks=(1, 2))
    yield from grid("hwrnn_start_gate", States=(1, 2), Groups=(1, 5, 40), Banks=(1, 2))
    for inputs, width in product((2, 3, 4), (4, 9, 30)):
        for beats in ((1, 1, 1, 1), (5, 20, 3, 1), (64, 64, 64, 64)):
            packed = sum(b << (32 * k) for k, b in enumerate(beats[:inputs]))
            given = {"Inputs": inputs, "Width": width, "Beats": packed}
            yield Part(kernel="", module="hwrnn_concat", given=given)
