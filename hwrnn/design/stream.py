# SPDX-License-Identifier: Apache-2.0
"""A stream between two kernels: a vector for each time step, in beats."""

from __future__ import annotations

from dataclasses import dataclass

from hwrnn.ir import IntType


def ceil_div(a: int, b: int) -> int:
    """The quotient a / b, rounded up."""
    return -(-a // b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A vector for each time step (or one for each sequence), in beats of `lanes` elements.

    The vector is the concatenation of `segments`; each segment starts a new beat, and the unused
    lanes of its last beat are zero and ignored. `last` marks the last beat of a sequence.
    With `streams` > 1, independent sequences interleave vector by vector: every beat carries the
    number of its stream (`id`), and `last` ends the sequence of that stream.
    """

    name: str
    type: IntType
    segments: tuple[int, ...]
    lanes: int
    depth: int = 2
    streams: int = 1

    @property
    def features(self) -> int:
        """Elements of one vector."""
        return sum(self.segments)

    @property
    def beat_lanes(self) -> tuple[int, ...]:
        """How many lanes each beat of a vector uses."""
        return tuple(
            min(self.lanes, s - start) for s in self.segments for start in range(0, s, self.lanes)
        )

    @property
    def beats(self) -> int:
        """Beats of one vector."""
        return len(self.beat_lanes)

    @property
    def id_bits(self) -> int:
        """Bits of a stream's number; 0 if there is only one."""
        return (self.streams - 1).bit_length()


def axis_width(t: IntType) -> int:
    """Bits of an element at a port: whole bytes, but 1, 2 and 4 stay."""
    return t.bits if t.bits in (1, 2, 4) else 8 * ceil_div(t.bits, 8)
