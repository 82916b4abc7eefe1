# SPDX-License-Identifier: Apache-2.0
"""When the kernels around the recurrence move their beats; see `hwrnn.design.timing`."""

from __future__ import annotations

from collections.abc import Sequence

from hwrnn.design.around import ArgMax, Around, Combine, Embed, Repeat, Slide, Zip
from hwrnn.design.channel import Channel, Process, after
from hwrnn.design.order import Tag, lengths_of


def process_of(kernel: Around, xs: Sequence[Channel], out: Channel, tags: list[Tag]) -> Process:
    """The process of a kernel whose input carries the vectors `tags`."""
    match kernel:
        case Slide():
            return slide(kernel, xs[0], out, lengths_of(tags))
        case Combine():
            vectors = lengths_of(tags) if kernel.count is None else [1] * len(tags)
            beats = [(n * kernel.x.beats, kernel.out.beats) for n in vectors]
            return take_and_give(xs[0], out, beats)
        case Repeat():
            beats = [(kernel.x.beats, kernel.steps * kernel.x.beats)] * len(tags)
            return take_and_give(xs[0], out, beats)
        case Embed():
            return embed(kernel, xs[0], out, len(tags))
        case Zip():
            return together(xs, out, len(tags) * kernel.out.beats)
        case ArgMax():
            return arg_max(kernel, xs[0], out, len(tags))


def slide(kernel: Slide, x: Channel, out: Channel, lengths: list[int]) -> Process:
    """The steps that a window waits for, then the window."""
    phases: list[tuple[int, int]] = []
    for steps in lengths:
        taken = 0
        for window in range(kernel.windows(steps)):
            wanted = kernel.taken_for(window, steps)
            phases.append(((wanted - taken) * kernel.x.beats, kernel.out.beats))
            taken = wanted
        phases.append(((steps - taken) * kernel.x.beats, 0))  # of a sequence without a window
    return take_and_give(x, out, phases)


def take_and_give(x: Channel, out: Channel, phases: Sequence[tuple[int, int]]) -> Process:
    """So many beats in, then so many out, again and again; never both in one cycle."""
    for taken, given in phases:
        for _ in range(taken):
            k = len(x.read)
            while not x.has(k):
                yield
            x.read.append(max(x.arrival(k), after(x.read), after(out.written)))
        for _ in range(given):
            k = len(out.written)
            while not out.knows_room(k):
                yield
            out.written.append(max(after(x.read), out.room(k), after(out.written)))


def embed(kernel: Embed, x: Channel, out: Channel, vectors: int) -> Process:
    """A read a cycle, written out in the next; a number leaves with its last read."""
    issue = -1
    for k in range(vectors):
        while not x.has(k):
            yield
        for _ in range(kernel.out.beats):
            o = len(out.written)
            while not out.knows_room(o):
                yield
            issue = max(issue + 1, x.arrival(k), out.room(o))
            out.written.append(issue + 1)
        x.read.append(issue)


def together(xs: Sequence[Channel], out: Channel, beats: int) -> Process:
    """A beat of each input when all are there and there is room."""
    for k in range(beats):
        while not (all(x.has(k) for x in xs) and out.knows_room(k)):
            yield
        t = max(out.room(k), after(out.written), *(x.arrival(k) for x in xs))
        out.written.append(t)
        for x in xs:
            x.read.append(t)


def arg_max(kernel: ArgMax, x: Channel, out: Channel, vectors: int) -> Process:
    """A beat a cycle; the last one of a vector when there is room for the index."""
    for o in range(vectors):
        for beat in range(kernel.x.beats):
            k, ends = len(x.read), beat == kernel.x.beats - 1
            while not (x.has(k) and (not ends or out.knows_room(o))):
                yield
            t = max(x.arrival(k), after(x.read), out.room(o) if ends else 0)
            x.read.append(t)
        out.written.append(x.read[-1])
