# SPDX-License-Identifier: Apache-2.0
"""How the products of the gate MAC array are made: one hard multiplier each, several in one, LUTs.

All rows of a column share the activation x, so one multiplier can make several products at once:
(w0 + 2**s w1 + ...) x = p0 + 2**s p1 + ... (the scheme of Xilinx WP486 for two products of 8 bits,
here for any ranges and any number). Below the top, product k stands in bits k s to (k + 1) s - 1,
less 1 if what stands below it is negative: that borrow is returned to it by the adders behind. If
s is one bit less than a product needs, its top bit lies on the lowest bit of the next product,
which is known (the AND of the lowest bits of the factors) and taken off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from hwrnn.board import Board, DspKind, Family
from hwrnn.errors import DesignError
from hwrnn.ir import IntType

LUT_BITS = 3  # a factor this narrow is multiplied in LUTs
COUNTED_ANDS = 16  # products of at most so many ANDs are counted, see benchmarks/bench_synth.py
MULTIPLEXED = (Family.ICE40, Family.ECP5)  # a LUT holds an adder and the multiplexer behind it
ALONE_BITS = 10  # of both factors: a single product of so few is left over to LUTs


class Kind(StrEnum):
    """What makes a product; also, with "auto", the values of the option `multipliers`."""

    DSP = "dsp"
    PACKED = "packed"
    LUT = "lut"


OPTIONS = ("auto", *(str(k) for k in Kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """Makes `per` products of one activation with as many weights, `spacing` bits apart.

    `overlap`: the top bit of a product lies on the lowest of the next. `blocks`: hard multipliers
    that one takes (several where a factor is wider than a port; 0 for LUTs). `counted`: there are
    no products at all, the ANDs of their factors' bits are counted (hwrnn_dot_lut). `masked`: how
    products of LUTs are added up (hwrnn_mul_lut).
    """

    kind: Kind
    weight: IntType
    operand: IntType
    per: int = 1
    spacing: int = 0
    overlap: bool = False
    blocks: int = 1
    counted: bool = False
    masked: bool = True

    @property
    def packed_bits(self) -> int:
        """Bits of the sum of the weights, signed."""
        return signed_bits(scaled(self.weight, self.per, self.spacing))

    @property
    def product_bits(self) -> int:
        """Bits of a product, signed, less the borrow where there is one."""
        borrow = int(self.per > 1)
        found = products(self.weight, self.operand)
        return signed_bits(IntType(found.lo - borrow, found.hi))

    def hard(self, rows: int, columns: int) -> int:
        """Hard multipliers for rows x columns products: those of the full multipliers, and for
        the rows left over as many as keep the total at a `per`-th of the products, rounded up.
        """
        return self.blocks * (rows // self.per * columns + self.hard_columns(rows, columns))

    def hard_columns(self, rows: int, columns: int) -> int:
        """In how many columns the rows left over share a hard multiplier."""
        rest = rows % self.per
        if rest == 1 and signed_bits(self.weight) + signed_bits(self.operand) <= ALONE_BITS:
            return 0
        return -(-rest * columns // self.per)

    def soft(self, rows: int, columns: int) -> int:
        """Products made of LUTs: all, or those of the rows left over in the other columns."""
        if self.kind is Kind.LUT:
            return rows * columns
        return rows % self.per * (columns - self.hard_columns(rows, columns))

    def parameters(self) -> dict[str, int | bool]:
        """Parameters of hwrnn_mac_array which follow from the multiplier and its factors."""
        return {
            "Lut": self.kind is Kind.LUT,
            "Counted": self.counted,
            "Masked": self.masked,
            "Lanes": self.per,
            "Spacing": max(self.spacing, 1),
            "Overlap": self.overlap,
            "PackedWidth": self.packed_bits,
            "OperandWidth": self.operand.bits,
            "OperandSigned": self.operand.signed,
            "WeightWidth": self.weight.bits,
            "WeightSigned": self.weight.signed,
            "ProductWidth": self.product_bits,
        }


def choose(board: Board, weight: IntType, operand: IntType, option: str = "auto") -> Multiplier:
    """The multiplier for weights and activations of these ranges.

    `option`: "dsp", "packed", "lut", or "auto": LUTs where a factor has at most 3 bits, the board
    no hard multipliers, or such that are far apart for small products; else the largest packing
    that fits, else one multiplier for each.
    Raises DesignError, with the nearest choice, for what cannot be.
    """
    made = chosen(board, weight, operand, option)
    return replace(made, masked=board.family not in MULTIPLEXED)


def chosen(board: Board, weight: IntType, operand: IntType, option: str) -> Multiplier:
    """The same, however products of LUTs are added up."""
    if option not in OPTIONS:
        raise DesignError("multipliers", f'there is no "{option}"', f"known: {', '.join(OPTIONS)}")
    soft = Multiplier(
        kind=Kind.LUT,
        weight=weight,
        operand=operand,
        blocks=0,
        counted=counts(board, weight, operand),
    )
    if option == Kind.LUT:
        return soft
    if option == "auto":
        best = packing(board, weight, operand) or plain(board, weight, operand)
        narrow = min(weight.bits, operand.bits) <= LUT_BITS or far_apart(board, weight, operand)
        return soft if narrow or not board.dsps else best
    if not board.dsps:
        raise DesignError(
            "multipliers", f"{board.name} has no hard multipliers", 'use "lut" or "auto"'
        )
    if option == Kind.DSP:
        return plain(board, weight, operand)
    found = packing(board, weight, operand)
    if found is None:
        raise no_packing(board, weight, operand)
    return found


def counts(board: Board, weight: IntType, operand: IntType) -> bool:
    """True where counting ANDs takes fewer LUTs than products and an adder tree: LUTs of six inputs
    (a count of three ANDs is two of them), and factors of few bits.
    """
    ands = weight.bits * operand.bits
    return board.family in (Family.XC7, Family.XCUP) and ands <= COUNTED_ANDS


def far_apart(board: Board, weight: IntType, operand: IntType) -> bool:
    """True where small products are made of LUTs because the hard multipliers are far apart: an
    ECP5. benchmarks/bench_engine.py places and routes such a cell.
    """
    small = signed_bits(weight) + signed_bits(operand) <= ALONE_BITS
    return small and board.dsp_kind is DspKind.MULT18X18D


def plain(board: Board, weight: IntType, operand: IntType) -> Multiplier:
    """One product in a multiplier, or in several blocks where a factor is wider than a port."""
    wide, narrow = board.dsp_kind.widths
    small, big = sorted((signed_bits(weight), signed_bits(operand)))
    blocks = -(-big // wide) * -(-small // narrow)
    return Multiplier(kind=Kind.DSP, weight=weight, operand=operand, blocks=blocks)


@cache
def packing(board: Board, weight: IntType, operand: IntType) -> Multiplier | None:
    """The packing of most products into one multiplier of the board; without overlap if it can."""
    found = sorted(packings(board, weight, operand), key=lambda m: (-m.per, m.overlap))
    return found[0] if found else None


def packings(board: Board, weight: IntType, operand: IntType) -> Iterator[Multiplier]:
    """Every packing of two or more products that fits the board's multiplier."""
    wide, narrow = board.dsp_kind.widths
    for port, other in ((wide, narrow), (narrow, wide)):
        if signed_bits(operand) > other:
            continue
        for overlap in (False, True):
            for per in range(2, port + 1):
                made = spaced(weight, operand, per, overlap=overlap)
                if made is not None and made.packed_bits <= port:
                    yield made


def spaced(weight: IntType, operand: IntType, per: int, *, overlap: bool) -> Multiplier | None:
    """`per` products as close as they can stand; None where weights would lie on each other."""
    found = products(weight, operand)
    borrow = int(per > 2)  # the lowest product has none, and above the top one there is room
    spacing = signed_bits(IntType(found.lo - borrow, found.hi)) - int(overlap)
    if spacing < signed_bits(weight):
        return None
    made = Multiplier(kind=Kind.PACKED, weight=weight, operand=operand)
    return replace(made, per=per, spacing=spacing, overlap=overlap)


def products(weight: IntType, operand: IntType) -> IntType:
    """The range of a product."""
    ends = [w * x for w in (weight.lo, weight.hi) for x in (operand.lo, operand.hi)]
    return IntType(min(ends), max(ends))


def scaled(weight: IntType, per: int, spacing: int) -> IntType:
    """The range of the sum of `per` weights, `spacing` bits apart."""
    factor = sum(2 ** (spacing * k) for k in range(per))
    return IntType(weight.lo * factor, weight.hi * factor)


def signed_bits(t: IntType) -> int:
    """Bits of two's complement that hold the range."""
    return t.hull(IntType(-1, 0)).bits


def no_packing(board: Board, weight: IntType, operand: IntType) -> DesignError:
    """Why two products do not fit, and the widest weights with which two do."""
    wide, narrow = board.dsp_kind.widths
    fits = [
        bits
        for bits in range(LUT_BITS + 1, weight.bits)
        if packing(board, IntType(1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1), operand)
    ]
    also = f'; with weights of at most {fits[-1]} bits "packed" is possible' if fits else ""
    return DesignError(
        "multipliers",
        f"two products of {weight.bits}-bit weights ({weight}) and {operand.bits}-bit activations "
        f"({operand}) do not fit one {board.dsp_kind} of {wide} x {narrow} bits",
        f'use "dsp" (one multiplier for each) or "auto"{also}',
    )
