# SPDX-License-Identifier: Apache-2.0
"""The schedule in characters, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from string import ascii_lowercase, digits
from textwrap import fill

from hwrnn.design.design import Design
from hwrnn.report.describe import brief
from hwrnn.report.lanes import MAC, Lane, Span, Timetable, Work, timetable

WIDTH = 100
LETTER = {
    Work.PORT: "b",
    Work.SHARED: "a",
    Work.X: "x",
    Work.H: "h",
    Work.INNER: "i",
    Work.CELL: "c",
    Work.STATE: "s",
    Work.MAP: "e",
    Work.STORE: "w",
    Work.RECALL: "r",
    Work.JOIN: "j",
    Work.WAIT_OWN: ".",
    Work.WAIT_INPUT: "~",
    Work.WAIT_ROOM: "!",
}
NUMBERS = digits + ascii_lowercase  # of streams; those beyond are `+`

Symbol = Callable[[Span], str]


def schedule_text(
    design: Design,
    steps: int | None = None,
    width: int = WIDTH,
    sequences: int | None = None,
) -> str:
    """A sequence on each stream (or on the first `sequences`) against cycles, a row for each part
    of the hardware.
    """
    table = timetable(design, steps, sequences)
    named = [row for lane in table.lanes for row in lane_rows(lane)]
    left = max(len(name) for name, _, _ in named) + 2
    scale = -(-table.end // max(width - left, 20))
    rows = [" " * left + ruler(table.end, scale)]
    rows += [f"{name:<{left}}{row(lane, scale, symbol)}" for name, lane, symbol in named]
    unit = "one character is " + (f"{scale} cycles" if scale > 1 else "one cycle")
    used = [fill(str(lane.usage), width) for lane in table.lanes if lane.usage]
    return "\n".join([f"{table.title}; {unit}", *rows, fill(legend(table), width), *used])


def lane_rows(lane: Lane) -> Iterator[tuple[str, Lane, Symbol]]:
    """The rows of a lane: what is done; with several streams, for which of them."""
    name = f"{brief(lane.name)} {lane.part}"
    if lane.streams == 1 or lane.part == MAC:
        yield name, lane, by_work
    if lane.streams > 1:
        yield (f"{brief(lane.name)} streams" if lane.part == MAC else name), lane, by_stream


def by_work(span: Span) -> str:
    """The letter of what is done, a capital in odd steps."""
    letter = LETTER[span.work]
    return letter.upper() if span.step % 2 else letter


def by_stream(span: Span) -> str:
    """The number of the stream."""
    if span.work.waits:
        return " "
    return NUMBERS[span.stream] if span.stream < len(NUMBERS) else "+"


def row(lane: Lane, scale: int, symbol: Symbol) -> str:
    """In each place what takes most of its cycles, work counting twice against waits; of equals,
    what began last.
    """
    cells: dict[int, Counter[str]] = {}
    for s in lane.spans:
        for k in range(s.start // scale, -(-s.end // scale)):
            here = min(s.end, (k + 1) * scale) - max(s.start, k * scale)
            weight = here if s.work.waits else 2 * here
            counted = cells.setdefault(k, Counter())
            counted[symbol(s)] = counted.pop(symbol(s), 0) + weight  # pop: to the end
    last = max(cells)
    return "".join(most(cells.get(k, Counter(" "))) for k in range(last + 1)).rstrip()


def most(counted: Counter[str]) -> str:
    """The most frequent character, of equals the last."""
    return max(reversed(counted), key=lambda c: counted[c])


def legend(table: Timetable) -> str:
    """What the characters mean."""
    by_letter = [lane for lane in table.lanes if lane.streams == 1 or lane.part == MAC]
    found = {span.work for lane in by_letter for span in lane.spans}
    told = ", ".join(f"{LETTER[w]} {w.value}" for w in Work if w in found)
    numbers = NUMBERED if several(table) else ""
    return f"{told}; capitals in odd steps{numbers}"


def several(table: Timetable) -> bool:
    """Some lane has several streams."""
    return any(lane.streams > 1 for lane in table.lanes)


NUMBERED = "; numbers and letters of the other rows: the stream"


def ruler(end: int, scale: int) -> str:
    """A cycle number every ten characters, as far as they fit above the lanes."""
    columns = -(-end // scale)
    marks = [k for k in range(0, columns, 10) if k + len(str(k * scale)) <= columns]
    return "".join(f"{k * scale:<10}" for k in marks).rstrip()
