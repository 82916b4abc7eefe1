# SPDX-License-Identifier: Apache-2.0
"""How many LUTs the contents of a memory take: their distinct functions of a LUT's inputs.

A column of a ROM is a function of the address. With the address cut into what one LUT reads and
the rest, it is a multiplexer over pieces; equal pieces (of all columns, a piece and its complement
too) are made once, constant ones not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def functions(words: Sequence[int], bits: int, width: int, wide: bool) -> float:
    """LUTs of `words` (`width` bits each) read by an address of `bits` bits."""
    return sum(pieces(words, bits, width, 6 if wide else 4).values())


def columns(words: Sequence[int], bits: int, width: int) -> NDArray[np.uint8]:
    """A row for each bit of the words, a column for each address; behind the last word 0."""
    octets = -(-max(width, 1) // 8)
    raw = b"".join(w.to_bytes(octets, "little") for w in words)
    table = np.frombuffer(raw, dtype=np.uint8).reshape(len(words), octets)
    found = np.unpackbits(table, axis=1, bitorder="little")[:, :width].T
    full = np.zeros((width, 1 << bits), dtype=np.uint8)
    full[:, : len(words)] = found
    return full


def pieces(words: Sequence[int], bits: int, width: int, inputs: int) -> dict[str, float]:
    """`leaves`: LUTs that read the low address bits; `joins1`, `joins2`, ...: pairs of different
    pieces that are put together in each level above them.
    """
    table = columns(words, bits, width)
    leaves, ids = distinct(table.reshape(-1, 1 << min(bits, inputs)))
    ids = ids.reshape(width, -1)
    found = {"leaves": float(leaves)}
    level = 1
    while ids.shape[1] > 1:
        pairs = ids.reshape(-1, 2)
        kinds, back = np.unique(pairs, axis=0, return_inverse=True)
        found[f"joins{level}"] = float((kinds[:, 0] != kinds[:, 1]).sum())
        ids = back.reshape(width, -1)
        level += 1
    return found


def wide_pieces(words: Sequence[int], bits: int, width: int, inputs: int) -> dict[str, float]:
    """The same where multiplexers, which cost nothing, make functions of so many inputs of LUTs of
    four: `wide`: LUTs of the different pieces, by the address bits that each depends on.
    """
    table = columns(words, bits, width).reshape(-1, 1 << min(bits, inputs))
    used = [support(row) for row in np.unique(table ^ table[:, :1], axis=0)]
    found = {"wide": float(sum(2 ** max(n - 4, 0) for n in used if n > 1))}
    if bits > inputs:
        found |= {k: a for k, a in pieces(words, bits, width, inputs).items() if k != "leaves"}
    return found


def support(column: NDArray[np.uint8]) -> int:
    """How many bits of its index a function depends on."""
    bits = len(column).bit_length() - 1
    cube = column.reshape([2] * bits)
    return sum(bool((cube.take(0, k) != cube.take(1, k)).any()) for k in range(bits))


def live(words: Sequence[int], width: int) -> NDArray[np.uint8]:
    """A row for each bit that is not the same in all words."""
    table = columns(words, max((len(words) - 1).bit_length(), 1), width)[:, : len(words)]
    found: NDArray[np.uint8] = table[(table != table[:, :1]).any(axis=1)]
    return found


def live_columns(words: Sequence[int], width: int) -> int:
    """Bits that are not the same in all words: opt_mem takes the others out of a memory."""
    return len(live(words, width))


def distinct_columns(words: Sequence[int], width: int) -> int:
    """Bits that are not the same in all words, and not the same as another."""
    return len(np.unique(live(words, width), axis=0))


def distinct(rows: NDArray[np.uint8]) -> tuple[int, NDArray[np.int64]]:
    """How many LUTs the rows take, and which row is which; a row and its complement are one,
    a constant or a bit of the address is none.
    """
    flip = rows[:, :1]
    packed = np.packbits(rows ^ flip, axis=1)
    kinds, back = np.unique(packed, axis=0, return_inverse=True)
    free = free_rows(rows.shape[1])
    count = sum(bytes(k) not in free for k in kinds)
    return count, back.reshape(-1) * 2 + flip[:, 0]


def free_rows(size: int) -> frozenset[bytes]:
    """Rows that need no LUT: constants and address bits."""
    at = np.arange(size)
    found = [np.zeros(size, dtype=np.uint8)]
    bit = 1
    while bit < size:
        found.append(((at & bit) > 0).astype(np.uint8))
        bit *= 2
    return frozenset(bytes(np.packbits(row)) for row in found)


def vector_constants(packed: int, bits: int, block: int, inputs: int) -> float:
    """LUTs that choose among blocks of constants: a column for each bit of a block."""
    if not packed:
        return 0
    count = -(-bits // block)
    if count == 1:
        return 0
    mask = (1 << block) - 1
    words = [(packed >> (k * block)) & mask for k in range(count)]
    return sum(pieces(words, (count - 1).bit_length(), block, inputs).values())
