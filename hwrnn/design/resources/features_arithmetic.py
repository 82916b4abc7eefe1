# SPDX-License-Identifier: Apache-2.0
"""Sums, products, requantisers and the gate MAC array."""

from __future__ import annotations

from hwrnn.board import Family
from hwrnn.design.resources.blocks import (
    PackedRows,
    Split,
    in_luts,
    packed_rows,
    product_widths,
    rom_in_block,
    scale_split,
)
from hwrnn.design.resources.contents import distinct_columns
from hwrnn.design.resources.features import Feature, Features, View, adder, clog2, mux
from hwrnn.design.resources.features_memory import bank_bits, choosing, table

NO_CHAIN = {Family.ECP5: 4}  # bits of a sum that has no carry chain; elsewhere 2
COUNTER = 6  # bits that hwrnn_count counts without an adder


def pair(v: View) -> Features:
    """A sum or a difference."""
    lanes, y = v("Lanes"), v("YWidth")
    mixed = v("ASigned", 1) != v("BSigned", 1)
    if y <= NO_CHAIN.get(v.family, 2):
        return {"small": lanes * y}
    if v.wide:
        y = min(y, driven(v))
    return {"adder": lanes * adder(v, y), "lanes": lanes, "mixed": lanes * float(mixed)}


def driven(v: View) -> int:
    """Bits of a sum where both numbers are not constant."""
    (narrow, signed), (wide, _) = sorted(
        ((v("AWidth"), v("ASigned", 1)), (v("BWidth"), v("BSigned", 1)))
    )
    return wide if signed else narrow


def pair_ffs(v: View) -> Features:
    """FF of a sum or a difference."""
    return {"bits": v("Lanes") * v("YWidth") * v("Register", 1)}


def soft_product(a: int, b: int) -> Features:
    """A product of LUTs."""
    wide, narrow = max(a, b), min(a, b)
    return {
        "ands": float(wide * narrow),
        "rows": float(max(narrow - 1, 0) * wide),
        "columns": float(narrow),
        "ends": float(wide),
        "tiny": float(wide) if narrow == 1 else 0.0,
    }


def scaled(found: Features, count: float) -> Features:
    """Features times a number."""
    return {k: a * count for k, a in found.items()}


def mul(v: View) -> Features:
    """LUT of hwrnn_mul. A small product of LUTs: no sign makes a factor wider."""
    made = scale_split(v.part, v.family)
    if made.hard:
        return scaled(product(v), v("Lanes"))
    a, b = v("AWidth"), v("BWidth")
    both = float(v("ASigned", 1) and v("BSigned", 1))
    small = soft_product(a, b) | {"signs": both * (a + b), "square": float(min(a, b) ** 2)}
    return scaled(small, v("Lanes"))


def product(v: View, *, closed: bool = True) -> Features:
    """One product, and the adders that put the parts of a wide one together: compressors, if a part
    is made of LUTs or if something is added behind (not `closed`).
    """
    made = scale_split(v.part, v.family)
    found: Features = {}
    for piece in made.soft:
        for name, amount in soft_product(piece.a, piece.b).items():
            found[name] = found.get(name, 0) + amount
    name = "joins" if closed and not made.soft else "open joins"
    return found | {name: float(sum(adder(v, bits) for bits in made.joins))}


def product_ffs(v: View, bits: int) -> Features:
    """The register behind a product, which a hard multiplier may take in."""
    made = scale_split(v.part, v.family)
    parts = made.hard + len(made.soft)
    if not made.hard or parts == 1:
        return {"hard" if made.hard else "soft": float(bits)}
    each = -(-bits // v("Lanes"))
    return {"joined": float(v("Lanes") * outside(v, made, each)) if bits else 0.0}


def outside(v: View, made: Split, bits: int) -> int:
    """Bits of a register behind a product of several multipliers that these do not take in."""
    two = made.hard == 2 and not made.soft
    if v.family is Family.ICE40:
        return 0 if two else max(bits - 16, 0)
    return min(bits, 17) if v.family is Family.XC7 and two else bits


def mul_ffs(v: View) -> Features:
    """FF of hwrnn_mul."""
    return product_ffs(v, v("YWidth") * v("Lanes") * v("Register", 1))


def requant_scale(v: View) -> Features:
    """LUT of hwrnn_requant_scale."""
    lanes, m = v("Lanes"), v("MulWidth")
    full = full_width(v)
    shift, y = v("Shift"), v("YWidth")
    by_shift = v("ByShift", 0)
    kept = max(v("SumWidth") - shift, 1)
    above = max(kept - y, 0)
    found: Features = {
        "one": 1,
        **offset(v, full, kept),
        "ties": shift * float(bool(v("TiesEven"))),
        "even": float(bool(v("TiesEven"))),
        "above": above,
        "clamp": y * float(above > 0),
        "clamps": float(above > 0),
        "odd": float(is_odd(v)) * kept,
    }
    if by_shift:
        found |= {f"shift{m}": 2.0 ** min(m - 2, 2) * v("SumWidth")}
    else:
        found |= product(v, closed=bool(v("RegisterMid", 1)))
    return scaled(found, lanes)


def offset(v: View, full: int, kept: int) -> Features:
    """The sum of product and offset, in the multiplier if that adds: chains of ECP5 and Gowin have
    a LUT for each bit.
    """
    if v.family in (Family.ECP5, Family.GOWIN):
        return {"chain": adder(v, full)}
    if v.adds and not v("ByShift", 0) and scale_split(v.part, v.family).hard == 1:
        return {}
    return {"sum": kept, "below": full - kept if v.wide or v("TiesEven") else 0}


def full_width(v: View) -> int:
    """Bits of hwrnn_requant_scale's sums."""
    return max(v("SumWidth"), v("YWidth") + 1) + 1


def is_odd(v: View) -> bool:
    """True if the clamp is not to all that y holds."""
    y = v("YWidth")
    lo, hi = v("Lo", 0), v("Hi", 0)
    return (lo, hi) not in ((-(1 << (y - 1)), (1 << (y - 1)) - 1), (0, (1 << y) - 1))


def requant_scale_ffs(v: View) -> Features:
    """FF of hwrnn_requant_scale."""
    lanes = v("Lanes")
    out: Features = {"out": float(lanes * v("YWidth") * v("RegisterOut", 1))}
    if not v("RegisterMid", 1) or v("ByShift", 0):
        return out
    a, b, _, _ = product_widths(v)
    return out | product_ffs(v, min(a + b, full_width(v)) * lanes)


def thresholds(v: View) -> Features:
    """LUT of hwrnn_requant_thresholds."""
    lanes, t, x, y = v("Lanes"), v("Thresholds"), v("XWidth"), v("YWidth")
    return {
        "compare": lanes * t * x,
        "levels": lanes * t,
        "count": lanes * max(t - y, 0),
        "sum": lanes * y * float(v("Lo", 0) != 0),
        "few": lanes * float(t < 3),
    }


def thresholds_ffs(v: View) -> Features:
    """FF of hwrnn_requant_thresholds."""
    lanes = v("Lanes")
    return {
        "mid": lanes * v("Thresholds") * v("RegisterMid", 1),
        "out": lanes * v("YWidth") * v("RegisterOut", 1),
    }


def level(v: View) -> Features:
    """LUT of hwrnn_threshold_level."""
    lanes, x, width = v("Lanes"), v("XWidth"), v("ThresholdWidth")
    depth, y = v("Groups") << v("Level", 0), v("YWidth")
    block = rom_in_block(v.part, v.family)
    made = {} if block else table(v, v.part.words, clog2(depth), width, alone=False)
    chosen = choosing(v) if block else {}
    return {
        "compare": lanes * x,
        "lanes": lanes,
        "offset": lanes * y * float(v("Lo", 0) != 0),
        **scaled(made, lanes),
        **chosen,
    }


def level_ffs(v: View) -> Features:
    """FF of hwrnn_threshold_level."""
    lanes, x = v("Lanes"), v("XWidth")
    mid, out = v("RegisterMid", 1), v("RegisterOut", 1)
    position = max(v("Level", 0), 1)
    block = rom_in_block(v.part, v.family)
    words = 0 if block else distinct_columns(v.part.words, v("ThresholdWidth"))
    return {
        "threshold": lanes * words * mid,
        "beside": lanes * (position + x) * mid,
        "out": lanes * (x + v("YWidth")) * out,
        **(bank_bits(v) if block else {}),
    }


def mac_array(v: View) -> Features:
    """LUT of hwrnn_mac_array."""
    sums, simd, acc = v("Gates") * v("Pe"), v("Simd"), v("AccWidth")
    found: Features = {}
    if v("Counted", 0):
        found |= dot(v)
    else:
        rows = packed_rows(v, v.family)
        soft = soft_product(v("OperandWidth"), v("WeightWidth"))
        found |= scaled(soft, rows.soft)
        found |= hard_rows(v, rows)
        found |= tree(v)
    groups, blocks = v("Groups"), v("Blocks")
    carries = not v("Lut", 0) and v("Lanes") > 1
    if blocks > 1:
        found |= {"acc": sums * adder(v, acc + carries * (not v.wide))}
        if v.wide:
            found["first"] = sums * acc * float(simd == 1 and carries)
        elif not in_luts(v.family, groups, sums * acc, single=True):
            found |= {
                "sums": sums,
                "kept": sums * acc * mux(v, groups),
                "words": groups,
                "first": sums * acc,
            }
        else:
            banks = -(-groups // 16)
            found[f"first{clog2(banks)}"] = sums * acc
            found["sums"] = sums
            found["enables"] = banks * float(banks > 1)
    else:
        found |= {"carry out": sums * acc * float(carries and not v.wide)}
    return found


def hard_rows(v: View, rows: PackedRows) -> Features:
    """What stands before and behind packed multipliers."""
    lanes = v("Lanes")
    if lanes == 1:
        return joined_rows(v, rows)
    if v.wide:  # a carry chain with a constant needs none
        return {"overlap": float(v("Overlap", 0)) * lanes * rows.full}
    packed = adder(v, v("PackedWidth") - v("WeightWidth") + 1)
    return {
        "packed": packed * rows.full,
        "signs": lanes * rows.full,
        "overlap": float(v("Overlap", 0)) * lanes * rows.full,
        "unpacked": (rows.hard - rows.full) * v("WeightWidth"),
    }


def joined_rows(v: View, rows: PackedRows) -> Features:
    """Plain multipliers that take several blocks."""
    if rows.each <= 1:
        return {}
    y = v("PackedWidth") + v("OperandWidth")
    return {"joins": rows.hard * (rows.each - 1) * y}


def stages(v: View) -> list[tuple[int, int, int]]:
    """(terms before, terms behind, width) of each stage of the tree."""
    n, width, acc = v("Simd"), v("ProductWidth"), v("AccWidth")
    found = []
    for s in range(1, (clog2(v("Simd")) + 1) // 2 + 1):
        behind = -(-n // 4)
        found.append((n, behind, min(width + 2 * s, acc)))
        n = behind
    return found


def with_carries(v: View, terms: int, stage: int, width: int) -> int:
    """LUTs of the adders of so many numbers of a stage, with a carry each. Six inputs need none for
    the bits that a carry comes from and goes to.
    """
    if not v.wide:
        return adder(v, width + 1) * (0, 0, 1, 3, 3)[terms]
    before = min(v("ProductWidth") + 2 * stage, v("AccWidth"))
    return (0, 0, before, 2 * before + 1, 2 * before + min(before + 1, width))[terms]


def tree(v: View) -> Features:
    """The adder tree of a MAC array, by how many numbers are added at once: yosys makes
    compressors of three or four, unless carries go in.
    """
    sums, registers = v("Gates") * v("Pe"), v("Registers", 0xFFFFFFFF)
    carries = not v("Lut", 0) and v("Lanes") > 1
    found: Features = {}
    for k, (before, behind, width) in enumerate(stages(v)):
        whole, rest = divmod(before, 4)
        for terms, number in ((4, whole), (rest, 1 if rest > 1 else 0)):
            name = "carry adders" if carries else f"add{terms}"
            each = with_carries(v, terms, k, width) if carries else width
            found[name] = found.get(name, 0) + float(sums * number * each)
        if not registers >> (k + 1) & 1:
            found["open"] = found.get("open", 0) + float(sums * behind * width)
    return found


def mac_array_ffs(v: View) -> Features:
    """FF of hwrnn_mac_array."""
    sums, simd, acc = v("Gates") * v("Pe"), v("Simd"), v("AccWidth")
    registers = v("Registers", 0xFFFFFFFF)
    groups, blocks = v("Groups"), v("Blocks")
    found: Features = {}
    if v("Counted", 0):
        found |= dot_ffs(v)
    else:
        rows = packed_rows(v, v.family)
        if registers & 1:
            product = v("ProductWidth")
            bits = v("OperandWidth") + v("WeightWidth")
            lanes = (v("Lanes") - 1) * v("Spacing") + product
            found |= {
                "soft": rows.soft * min(product, bits),
                "hard": rows.alone * min(product, bits),
                "packed": rows.full * min(v("PackedWidth") + v("OperandWidth"), lanes),
                "overlap": float(v("Overlap", 0)) * (v("Lanes") - 1) * rows.full,
            }
        terms = [(b, w) for k, (_, b, w) in enumerate(stages(v)) if registers >> (k + 1) & 1]
        found |= {"tree": sums * sum(b * w for b, w in terms)}
        carries = not v("Lut", 0) and v("Lanes") > 1
        found |= {"carries": sums * sum(b for b, _ in terms) * float(carries)}
    if blocks > 1:
        stored = not in_luts(v.family, groups, sums * acc, single=True)
        used = registers & ((1 << (len(stages(v)) + 1)) - 1)
        depth = used.bit_count()
        group = max(clog2(groups), 1)
        srl = v.wide and depth >= 3
        found |= {
            "acc": sums * acc,
            "stored": sums * acc * groups if stored else 0,
            "valid": depth,
            "group": 0 if srl else (group + 1) * depth,
            "srl": (group + 1) * float(srl),
        }
    del simd
    return found


def ands(v: View) -> list[int]:
    """ANDs of each weight and sign that hwrnn_dot_lut counts."""
    w, o, found = v("WeightWidth"), v("OperandWidth"), []
    for sign in (False, True):
        for k in range(w + o - 1):
            pairs = [(i, k - i) for i in range(w) if 0 <= k - i < o]
            kinds = sum(negative(v, *p) == sign for p in pairs)
            found += [kinds * v("Simd")] if kinds else []
    return found


def negative(v: View, i: int, j: int) -> bool:
    """True if the AND of these bits of a weight and an operand counts negative."""
    of_weight = v("WeightSigned", 1) and i == v("WeightWidth") - 1
    of_operand = v("OperandSigned", 1) and j == v("OperandWidth") - 1
    return bool(of_weight) != bool(of_operand)


def ones_twos(n: int) -> tuple[int, int]:
    """Bits that count one and bits that count two behind n ANDs."""
    return (n + 2) // 3, (n + 1) // 3 if n > 1 else 1


def sum_width(v: View) -> int:
    """Bits of the sums of hwrnn_dot_lut."""
    stage = (clog2(v("Simd")) + 1) // 2
    return min(v("ProductWidth") + 2 * stage, v("AccWidth"))


def counter(bits: int) -> tuple[int, int]:
    """LUTs that count so many bits, in sixes; bits of the adders behind them."""
    if bits <= COUNTER:
        return (0 if bits == 1 else 2 if bits <= 3 else 3), 0
    low = (bits + 5) // 6 // 2 * 6
    (a, b), (c, d) = counter(low), counter(bits - low)
    return a + c, b + d + bits.bit_length()


def dot(v: View) -> Features:
    """LUT of hwrnn_dot_lut."""
    sums, counted = v("Gates") * v("Pe"), ands(v)
    halves = [h for n in counted for h in ones_twos(n)]
    made = [counter(h) for h in halves]
    stages = (clog2(v("Simd")) + 1) // 2
    terms = [h.bit_length() for h in halves] if stages < 2 else [sum_width(v)] * len(counted)
    return {
        "threes": sums * sum((n + 2) // 3 + (n + 1) // 3 for n in counted),
        "sixes": sums * sum(luts for luts, _ in made),
        "adds": sums * sum(bits for _, bits in made),
        "counts": sums * len(counted) * sum_width(v) * float(stages >= 2),
        "compress": sums * max(sum(terms) - 2 * sum_width(v), 0),
        "width": sums * sum_width(v),
    }


def dot_ffs(v: View) -> Features:
    """FF of hwrnn_dot_lut."""
    sums, registers = v("Gates") * v("Pe"), v("Registers", 0xFFFFFFFF)
    stages, counted = (clog2(v("Simd")) + 1) // 2, ands(v)
    both = sum(sum(ones_twos(n)) for n in counted) * (registers & 1) * float(stages > 0)
    delay = (registers & ((1 << stages) - 2)).bit_count() if stages > 1 else 0
    kept = delay * len(counted) * sum_width(v)
    return {
        "ands": sums * both,
        "parts": sums * kept if delay < SHORTEST else 0,
        "lines": sums * kept / delay if delay >= SHORTEST else 0,
        "sum": sums * sum_width(v) * (registers >> stages & 1),
    }


SHORTEST = 3  # cycles of a delay that is a shift register of LUTs


ARITHMETIC: dict[str, tuple[Feature, Feature]] = {
    "hwrnn_add": (pair, pair_ffs),
    "hwrnn_sub": (pair, pair_ffs),
    "hwrnn_mul": (mul, mul_ffs),
    "hwrnn_requant_scale": (requant_scale, requant_scale_ffs),
    "hwrnn_requant_thresholds": (thresholds, thresholds_ffs),
    "hwrnn_threshold_level": (level, level_ffs),
    "hwrnn_mac_array": (mac_array, mac_array_ffs),
}
