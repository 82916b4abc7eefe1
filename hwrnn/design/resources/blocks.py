# SPDX-License-Identifier: Apache-2.0
"""Hard multipliers and memory blocks: computed, as yosys maps them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from hwrnn.board import Family
from hwrnn.design.resources.contents import live_columns
from hwrnn.design.resources.part import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One pass of mul2dsp.v: the ports of a block, and the smallest factors that it takes."""

    a: int
    b: int
    a_min: int = 2
    b_min: int = 2
    y_min: int = 0
    signed_only: bool = False
    partial: int = 0
    blocks: float = 1


RULES: dict[Family, tuple[Rule, ...]] = {
    Family.XC7: (Rule(a=25, b=18, partial=18, y_min=9, signed_only=True),),
    Family.XCUP: (Rule(a=27, b=18, partial=18, y_min=9, signed_only=True),),
    Family.ECP5: (Rule(a=18, b=18),),
    Family.ICE40: (Rule(a=16, b=16, y_min=11),),
    Family.GOWIN: (
        Rule(a=36, b=36, a_min=22, b_min=22, blocks=4),
        Rule(a=18, b=18, a_min=10, b_min=4),
        Rule(a=18, b=18, a_min=4, b_min=10),
        Rule(a=9, b=9, a_min=4, b_min=4, blocks=0.5),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A product: bits of its factors and of its result, and which factors are signed; with a top
    bit that is always zero.
    """

    a: int
    b: int
    y: int
    a_signed: bool
    b_signed: bool
    a_zero: bool = False
    b_zero: bool = False

    def swapped(self) -> Piece:
        """The wider factor first."""
        if self.a >= self.b:
            return self
        return Piece(
            a=self.b,
            b=self.a,
            y=self.y,
            a_signed=self.b_signed,
            b_signed=self.a_signed,
            a_zero=self.b_zero,
            b_zero=self.a_zero,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How yosys makes a product: of so many `hard` multipliers, which take so many `blocks`, and
    of `soft` pieces, made of LUTs; `joins`: the bits of each adder that puts two pieces together.
    """

    hard: int
    blocks: float
    soft: tuple[Piece, ...]
    joins: tuple[int, ...]


def product_blocks(family: Family, a: int, b: int, y: int, *, signed: bool) -> float:
    """Hard multipliers for a product of `a` by `b` bits of which `y` bits are used."""
    return split(family, a, b, y, signed=signed).blocks


@cache
def split(family: Family, a: int, b: int, y: int, *, signed: bool, positive: bool = False) -> Split:
    """The passes of a family one after the other, each on what those before left. `positive`: the
    top bit of b is 0.
    """
    left = [Piece(a=a, b=b, y=y, a_signed=signed, b_signed=signed, b_zero=positive)]
    hard = list[float]()
    joins: list[int] = []
    for rule in RULES[family]:
        soft: list[Piece] = []
        for piece in left:
            hard += mapped(rule, piece.swapped(), soft, joins)
        left = soft
    total = sum(hard)
    blocks = int(total) if total % 1 == 0 else total
    return Split(hard=len(hard), blocks=blocks, soft=tuple(left), joins=tuple(joins))


def mapped(rule: Rule, p: Piece, soft: list[Piece], joins: list[int]) -> list[float]:
    """Blocks of each part of a product; what is too small for a block goes to `soft`."""
    if p.a < rule.a_min or p.b < rule.b_min or p.y < rule.y_min:
        soft.append(p)
        return []
    if rule.signed_only and not p.a_signed and not p.b_signed:
        whole = Piece(a=p.a + 1, b=p.b + 1, y=p.y, a_signed=True, b_signed=True)
        return mapped(rule, whole, soft, joins)
    head = int(rule.signed_only)
    if p.a > rule.a:
        size = rule.partial or rule.a
        n = (p.a - rule.a + size - head - 1) // (size - head)
        last = p.a - n * (size - head)
        each = replace(p, a=size, y=min(p.y, p.b + size), a_signed=bool(head), a_zero=False)
        pieces = [*[each] * n, *top(replace(p, a=last, y=p.b + last), last, p.a_zero)]
        joins += [p.y - k * (size - head) for k in range(1, len(pieces))]
        return [b for piece in pieces for b in mapped(rule, piece, soft, joins)]
    if p.b > rule.b:
        n = (p.b - head - 1) // (rule.b - head)
        last = p.b - n * (rule.b - head)
        each = replace(p, b=rule.b, y=min(p.y, p.a + rule.b), b_signed=bool(head), b_zero=False)
        pieces = [*[each] * n, *top(replace(p, b=last, y=p.a + last), last, p.b_zero)]
        joins += [p.y - k * (rule.b - head) for k in range(1, len(pieces))]
        return [b for piece in pieces for b in mapped(rule, piece, soft, joins)]
    return [rule.blocks]


def top(piece: Piece, last: int, zero: bool) -> tuple[Piece, ...]:
    """The last piece of a product, of `last` bits of a factor: none if that is a zero."""
    return () if zero and last == 1 else (piece,)


def product_widths(v: Widths) -> tuple[int, int, int, bool]:
    """(a, b, y, signed): the factors of hwrnn_mul or hwrnn_requant_scale as yosys sees them."""
    if v.part.module == "hwrnn_requant_scale":
        x = v("XWidth") + (0 if v("XSigned", 1) else 1)
        full = max(v("SumWidth"), v("YWidth") + 1) + 1
        if not v("XSigned", 1):
            return x - 1, v("MulWidth"), min(x - 1 + v("MulWidth"), full), False
        return x, v("MulWidth") + 1, min(x + v("MulWidth") + 1, full), True
    a, b = v("AWidth"), v("BWidth")
    signed = bool(v("ASigned", 1) or v("BSigned", 1))
    a += int(signed and not v("ASigned", 1))
    b += int(signed and not v("BSigned", 1))
    return a, b, min(v("YWidth"), a + b), signed


def scale_split(part: Part, family: Family) -> Split:
    """The product of one lane of hwrnn_mul, or of hwrnn_requant_scale that multiplies."""
    v = Widths(part)
    a, b, y, signed = product_widths(v)
    positive = signed and part.module == "hwrnn_requant_scale"
    return split(family, a, b, y, signed=signed, positive=positive)


def scale_blocks(part: Part, family: Family) -> float:
    """Hard multipliers of one lane of hwrnn_requant_scale."""
    v = Widths(part)
    if v("ByShift", 0):
        return 0
    a, b, y, signed = product_widths(v)
    return product_blocks(family, a, b, y, signed=signed)


@dataclass(frozen=True, slots=True)
class Widths:
    """The parameters of a part, by name."""

    part: Part

    def __call__(self, name: str, default: int = 1) -> int:
        """A parameter."""
        return self.part.given.get(name, default)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedRows:
    """How the products of a MAC array are made: `soft` of LUTs; `full` packed multipliers and
    `hard` in all, of `each` blocks; `alone`: those of one product.
    """

    soft: int
    full: int
    hard: int
    each: float
    alone: int
    blocks: float


def packed_rows(v: Widths, family: Family) -> PackedRows:
    """The layout of hwrnn_mul_array, in blocks that yosys makes of it."""
    sums, simd, lanes = v("Gates") * v("Pe"), v("Simd"), v("Lanes")
    if v("Lut", 0):
        return PackedRows(soft=sums * simd, full=0, hard=0, each=0, alone=0, blocks=0)
    operand = v("OperandWidth") + (0 if v("OperandSigned", 1) else 1)
    weight = v("WeightWidth") + (0 if v("WeightSigned", 1) else 1)
    rest = sums % lanes
    worth = rest > 1 or weight + operand > ALONE_BITS
    columns = -(-rest * simd // lanes) if worth else 0

    def blocks(width: int) -> float:
        return product_blocks(family, width, operand, width + operand, signed=True)

    packed = v("PackedWidth")
    narrow = packed - (lanes - rest) * v("Spacing") if rest > 1 else weight
    full, each, other = sums // lanes * simd, blocks(packed), blocks(narrow) if columns else 0
    alone = full if lanes == 1 else columns if rest == 1 else 0
    return PackedRows(
        soft=rest * (simd - columns),
        full=full if lanes > 1 else 0,
        hard=full + columns,
        each=each,
        alone=alone,
        blocks=full * each + columns * other,
    )


ALONE_BITS = 10  # see hwrnn_mul_array


def rom_in_block(part: Part, family: Family) -> bool:
    """True for a ROM of memory blocks: what hwrnn_rom, hwrnn_lut and the search decide."""
    del family
    given = part.given
    if part.module == "hwrnn_rom_ahead":
        return True
    if part.module == "hwrnn_rom":
        depth, width, registered = given["Depth"], given["Width"], 1
        if part.style != "auto":
            return part.style == "block"
    elif part.module == "hwrnn_lut":
        depth = given.get("Cells", 1) << given["XWidth"]
        width, registered = given["YWidth"], given.get("Register", 1)
    else:
        depth = given.get("Groups", 1) << given.get("Level", 0)
        width, registered = given["ThresholdWidth"], given.get("RegisterMid", 1)
    return bool(registered) and depth >= LARGE_DEPTH and depth * width >= LARGE_BITS


LARGE_DEPTH, LARGE_BITS = 512, 4096  # of a ROM that is made of memory blocks


def hard_multipliers(part: Part, family: Family) -> float:
    """Hard multipliers of a part."""
    v = Widths(part)
    if part.module == "hwrnn_mac_array":
        return packed_rows(v, family).blocks
    if part.module == "hwrnn_mul":
        a, b, y, signed = product_widths(v)
        return v("Lanes") * product_blocks(family, a, b, y, signed=signed)
    if part.module == "hwrnn_requant_scale":
        return v("Lanes") * scale_blocks(part, family)
    beats = v("Beats")
    if beats & (beats - 1) == 0:
        return 0
    if part.module == "hwrnn_embed":  # a row times the beats of one
        address = (v("Rows", 2) * beats - 1).bit_length()
        bits = min(v("IndexWidth", 8), address)
        return product_blocks(family, bits, beats.bit_length(), address, signed=False)
    if part.module == "hwrnn_slide":  # so many steps further
        depth, steps = window(v)
        return product_blocks(
            family, steps, beats.bit_length(), depth.bit_length() + 1, signed=False
        )
    return 0


def window(v: Widths) -> tuple[int, int]:
    """Words of hwrnn_slide's memory, and bits of its counts of steps."""
    needed = v("Size", 3) + max(v("Stride") - v("After", 0), 0)
    return needed * v("Beats"), (needed + v("Size", 3) + v("Stride")).bit_length()


def step_memory(v: Widths) -> tuple[int, int]:
    """Depth and width of the memory of what works on whole steps."""
    match v.part.module:
        case "hwrnn_combine":
            return v("Beats"), v("Lanes") * v("YWidth", 8)
        case "hwrnn_slide":
            return window(v)[0], v("Width", 8)
        case _:
            return v("Beats"), v("Width", 8)


def in_blocks(v: Widths, family: Family) -> bool:
    """True if yosys makes such a memory of blocks: iCE40 has no other, and its registers cost as
    much as their bits.
    """
    depth, width = step_memory(v)
    cost = BLOCKS[family][0].cost * fewest(family, depth, width) + AROUND
    return family is Family.ICE40 and depth * width > cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A memory block: its (depth, width) with a port that reads and one that writes, and with two
    that read; `size`: of the blocks that a board file counts; `cost`: what yosys thinks of it.
    """

    simple: tuple[tuple[int, int], ...]
    dual: tuple[tuple[int, int], ...]
    ports: int
    cost: int = 128
    size: float = 1.0


def shapes(bits: int, widths: tuple[int, ...], ninth: bool = True) -> tuple[tuple[int, int], ...]:
    """All shapes of a block of `bits` bits; widths of 9 and more have a ninth bit a byte."""
    plain = [(bits // w, w) for w in widths if w < 9 or not ninth]
    return (*plain, *((bits // (w // 9 * 8), w) for w in widths if w >= 9 and ninth))


NARROW = (1, 2, 4, 9, 18)
BLOCKS: dict[Family, tuple[Block, ...]] = {
    Family.XC7: (
        Block(
            simple=shapes(16384, (*NARROW, 36)),
            dual=shapes(16384, NARROW),
            ports=2,
            cost=129,
            size=0.5,
        ),
        Block(
            simple=shapes(32768, (*NARROW, 36, 72)),
            dual=shapes(32768, (*NARROW, 36)),
            ports=2,
            cost=257,
        ),
    ),
    Family.ECP5: (Block(simple=shapes(16384, (*NARROW, 36)), dual=shapes(16384, NARROW), ports=2),),
    Family.GOWIN: (
        Block(simple=shapes(16384, (*NARROW, 36)), dual=shapes(16384, NARROW), ports=2),
    ),
    Family.ICE40: (
        Block(
            simple=shapes(4096, (2, 4, 8, 16), ninth=False),
            dual=shapes(4096, (2, 4, 8, 16), ninth=False),
            ports=1,
            cost=64,
        ),
    ),
}
BLOCKS[Family.XCUP] = BLOCKS[Family.XC7]
ROMS = ("hwrnn_rom", "hwrnn_rom_ahead", "hwrnn_lut", "hwrnn_threshold_level")
AROUND = 16  # what a block costs besides its own
STEP_MEMORIES = ("hwrnn_combine", "hwrnn_repeat", "hwrnn_slide")
BUFFERS = ("hwrnn_fifo", "hwrnn_frame_fifo", "hwrnn_reverse", "hwrnn_select_step")


OF_A_MEMORY = 2  # besides its cells


def in_luts(family: Family, depth: int, width: int, *, single: bool = False) -> bool:
    """True if yosys makes a memory of LUTs, where nothing tells it: if that costs less than bits in
    registers (as memory_libmap was seen to choose). `single`: it reads where it writes.
    """
    if single and family in (Family.XC7, Family.XCUP):
        return depth > 1
    match family:
        case Family.ICE40:
            return False
        case Family.ECP5:
            cells = 4.0 * -(-width // 4)
        case Family.XC7:
            cells = max(2.0, width * 4 / 3)
        case Family.GOWIN | Family.XCUP:
            cells = float(width)
    return depth * width > cells + OF_A_MEMORY


def memory_blocks(part: Part, family: Family) -> float:
    """Memory blocks of a part."""
    if part.module in BUFFERS:
        if part.style != "block" or part.given.get("First", 0):
            return 0
        return fewest(family, *buffer_size(part))
    if part.module in STEP_MEMORIES and in_blocks(Widths(part), family):
        return fewest(family, *step_memory(Widths(part)))
    if part.module in ROMS and rom_in_block(part, family):
        return rom_blocks(family, *rom_size(part))
    return 0


def buffer_size(part: Part) -> tuple[int, int]:
    """Depth and width of a buffer."""
    v = Widths(part)
    match part.module:
        case "hwrnn_frame_fifo":
            return v("Depth"), v("Width") + 1
        case "hwrnn_reverse":
            return 2 * v("Beats") * v("MaxSteps"), v("Width")
        case "hwrnn_select_step":
            return v("Beats"), v("Width")
        case _:
            return v("Depth"), v("Width")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A memory in blocks: `banks` of rows that multiplexers choose among, side by side."""

    blocks: float
    banks: int


@cache
def stack(family: Family, depth: int, width: int, *, dual: bool = False) -> Stack:
    """What memory_libmap of yosys chooses: the least cost of blocks and of multiplexers."""
    found = []
    for block in BLOCKS[family]:
        for rows, columns in block.dual if dual else block.simple:
            banks = -(-depth // rows)
            number = -(-banks * width // columns)
            cost = number * block.cost + MUX_COST * (banks - 1) * width
            found.append((cost, number * block.size, banks))
    _, blocks, banks = min(found)
    return Stack(blocks=blocks, banks=banks)


MUX_COST = 0.5  # of a bit of a multiplexer of two


def fewest(family: Family, depth: int, width: int, *, dual: bool = False) -> float:
    """Blocks that hold `depth` words of `width` bits."""
    return stack(family, depth, width, dual=dual).blocks


def rom_size(part: Part) -> tuple[int, int, int]:
    """Depth, width and read ports of a ROM; bits that never change are not in it."""
    v = Widths(part)
    match part.module:
        case "hwrnn_lut":
            found = v("Cells") << v("XWidth"), v("YWidth"), v("Lanes")
        case "hwrnn_threshold_level":
            found = v("Groups") << v("Level", 0), v("ThresholdWidth"), v("Lanes")
        case _:
            found = v("Depth"), v("Width"), 1
    depth, width, readers = found
    return depth, live_columns(part.words, width) if part.words else width, readers


def rom_banks(part: Part, family: Family) -> int:
    """Banks of a ROM of memory blocks."""
    depth, width, readers = rom_size(part)
    return stack(family, depth, width, dual=readers > 1 and BLOCKS[family][0].ports > 1).banks


def rom_blocks(family: Family, depth: int, width: int, readers: int) -> float:
    """Blocks of a ROM with so many read ports: two share a block where it has two."""
    ports = BLOCKS[family][0].ports
    if ports == 1 or readers == 1:
        return readers * fewest(family, depth, width)
    pairs, rest = divmod(readers, 2)
    last = fewest(family, depth, width) if rest else 0
    return pairs * fewest(family, depth, width, dual=True) + last
