# SPDX-License-Identifier: Apache-2.0
"""Constants of channels as memory words: which there are, and what chooses among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwrnn.backends.rtl_netlist import signed_bits
from hwrnn.ir import IntType

Rows = Sequence[Sequence[int]]  # constants of each channel; one row: the same for all


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A word holds the constants of all lanes, lane after lane. `tag` names the index that
    chooses: "group", "stream" (a word for each cell), "channel" (those of a cell one after the
    other); or nothing, if there is one word.
    """

    words: tuple[tuple[int, ...], ...]
    tag: str | None


def as_words(cells: Sequence[Rows], lanes: int, groups: int, *, writable: bool = False) -> Words:
    """The fewest words that hold the constants of all cells, a word for each pass of a group.

    Channels behind the last one read 0. `writable`: constants that are equal now may differ later.
    """
    alike = len(cells) == 1 or (not writable and all(rows == cells[0] for rows in cells))
    flat = all(one_for_all(rows, writable=writable) for rows in cells)
    if flat:
        words = [tuple(rows[0]) * lanes for rows in (cells[:1] if alike else cells)]
        tag = "stream"
    else:
        used = cells[:1] if alike else cells
        words = [word for rows in used for word in grouped(rows, lanes, groups)]
        tag = "group" if alike else "channel"
    return Words(words=tuple(words), tag=tag if len(words) > 1 else None)


def one_for_all(rows: Rows, *, writable: bool) -> bool:
    """True when all channels have, or if they are writable always will have, the same constants."""
    return len(rows) == 1 or (not writable and all(row == rows[0] for row in rows))


def grouped(rows: Rows, lanes: int, groups: int) -> list[tuple[int, ...]]:
    """A word for each group."""
    every = rows if len(rows) > 1 else list(rows) * (groups * lanes)
    full = [*every, *[[0] * len(rows[0])] * (groups * lanes - len(every))]
    return [
        tuple(v for row in full[start : start + lanes] for v in row)
        for start in range(0, groups * lanes, lanes)
    ]


def threshold_bits(x: IntType) -> int:
    """Bits of a signed threshold that x is compared with."""
    return max(signed_bits(x.lo, x.hi + 1), x.bits + 1)
