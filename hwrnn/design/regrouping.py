# SPDX-License-Identifier: Apache-2.0
"""What a width converter waits for: which input beats before an output beat, and the reverse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwrnn.design.design import Dwc


@dataclass(frozen=True)
class Regrouping:
    """What a width converter waits for.

    `beats_needed[j]`: input beats that have to be in before output beat j can leave.
    `beats_gone[i]`: output beats that have to have left before input beat i is taken.
    """

    beats_needed: list[int]
    beats_gone: list[int]

    @staticmethod
    def of(kernel: Dwc, lengths: Sequence[int]) -> Regrouping:
        """The plan for sequences of `lengths` vectors."""
        needed: list[int] = []
        gone: list[int] = []
        for vectors in lengths:
            entering = sums(kernel.x.beat_lanes * vectors)
            leaving = sums(kernel.out.beat_lanes * vectors)
            first_in, first_out = len(gone), len(needed)
            i = 0
            for total in leaving:
                while entering[i] < total:
                    i += 1
                needed.append(first_in + i + 1)
            j = 0
            for total in entering:
                while total - (leaving[j - 1] if j else 0) > kernel.capacity:
                    j += 1
                gone.append(first_out + j)
        return Regrouping(needed, gone)


def sums(values: Sequence[int]) -> list[int]:
    """Running totals."""
    total, found = 0, []
    for v in values:
        total += v
        found.append(total)
    return found
