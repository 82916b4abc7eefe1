# SPDX-License-Identifier: Apache-2.0
"""In which order the time steps of several sequences pass a port or a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A vector on a stream: of which sequence, which step, and on which of the `streams`.

    `goes_on`: the sequence is a fragment, and goes on where the one before it ended.
    """

    sequence: int
    step: int
    first: bool
    last: bool
    stream: int = 0
    goes_on: bool = False

    @property
    def fresh(self) -> bool:
        """True where recurrent states start from their initial values."""
        return self.first and not self.goes_on


def port_order(lengths: Sequence[int], streams: int = 1) -> list[Tag]:
    """The order in which a host offers sequences of these lengths.

    One stream: sequence after sequence. Several: sequence k goes to stream k modulo `streams`;
    a step of each stream in turn, a stream whose sequence has ended goes on with its next one.
    """
    used = min(streams, len(lengths))
    turns = deque((k, steps_of(range(k, len(lengths), streams), lengths, k)) for k in range(used))
    found: list[Tag] = []
    while turns:
        stream, steps = turns.popleft()
        tag = next(steps, None)
        if tag is not None:
            found.append(tag)
            turns.append((stream, steps))
    return found


def in_fragments(tags: Iterable[Tag], first: Sequence[bool] | None = None) -> list[Tag]:
    """The same vectors, where the sequences are fragments.

    `first`: for each fragment whether a new sequence starts; by default the first one alone. That
    is always new, whatever is said: it comes after reset.
    """
    return [
        replace(t, goes_on=t.sequence > 0 and not (first is not None and first[t.sequence]))
        for t in tags
    ]


def steps_of(sequences: Iterable[int], lengths: Sequence[int], stream: int) -> Iterator[Tag]:
    """All steps of the sequences of one stream."""
    for s in sequences:
        for step in range(lengths[s]):
            yield Tag(
                sequence=s,
                step=step,
                first=step == 0,
                last=step == lengths[s] - 1,
                stream=stream,
            )


def lengths_of(tags: Iterable[Tag]) -> list[int]:
    """How many vectors each sequence has, in the order of the sequences' first vectors."""
    found: dict[int, int] = {}
    for tag in tags:
        found[tag.sequence] = found.get(tag.sequence, 0) + 1
    return list(found.values())


def one_each(tags: Iterable[Tag]) -> list[Tag]:
    """A vector for each sequence, where its last one stands."""
    return [
        Tag(sequence=t.sequence, step=0, first=True, last=True, stream=t.stream)
        for t in tags
        if t.last
    ]
