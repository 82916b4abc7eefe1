# SPDX-License-Identifier: Apache-2.0
"""The schedule in characters, for a terminal."""

from __future__ import annotations

from hwrnn.design.design import Design
from hwrnn.report.lanes import Lane, Work, timetable

WIDTH = 100
LETTER = {Work.PORT: "b", Work.X: "x", Work.H: "h", Work.CELL: "c"}
LEGEND = (
    "b: beats at a port, x / h: columns of x / h multiplied, c: cell datapath at work;\n"
    "even steps in small letters, odd steps in capitals"
)


def schedule_text(design: Design, steps: int | None = None, width: int = WIDTH) -> str:
    """One sequence against cycles, a row for each part of the hardware."""
    table = timetable(design, steps)
    names = [f"{lane.name} {lane.part}" for lane in table.lanes]
    left = max(map(len, names)) + 2
    columns = max(width - left, 20)
    scale = -(-table.end // columns)
    rows = [" " * left + ruler(table.end, scale)]
    rows += [f"{n:<{left}}{row(lane, scale)}" for n, lane in zip(names, table.lanes, strict=True)]
    unit = "one character is " + (f"{scale} cycles" if scale > 1 else "one cycle")
    head = f"{table.steps} steps in {table.cycles} cycles; {unit}"
    return "\n".join([head, *rows, LEGEND])


def row(lane: Lane, scale: int) -> str:
    """The letters of a lane; a later span overwrites an earlier one."""
    end = max(s.end for s in lane.spans)
    cells = [" "] * -(-end // scale)
    for s in lane.spans:
        letter = LETTER[s.work].upper() if s.step % 2 else LETTER[s.work]
        for k in range(s.start // scale, -(-s.end // scale)):
            cells[k] = letter
    return "".join(cells)


def ruler(end: int, scale: int) -> str:
    """A cycle number every ten characters, as far as they fit above the lanes."""
    columns = -(-end // scale)
    marks = [k for k in range(0, columns, 10) if k + len(str(k * scale)) <= columns]
    return "".join(f"{k * scale:<10}" for k in marks).rstrip()
