# SPDX-License-Identifier: Apache-2.0
"""The schedule as a picture: a lane for each part of the hardware, steps against cycles."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from hwrnn.design.design import Design
from hwrnn.report.describe import brief
from hwrnn.report.lanes import Span, Timetable, Work, timetable
from hwrnn.report.render import render

LEFT, WIDTH, TOP, ROW, BAR = 172.0, 820.0, 26.0, 30.0, 20.0
STYLE = {Work.PORT: "port", Work.X: "mac", Work.H: "hmac", Work.CELL: "cell"}
NUMBER_WIDTH = 9.0  # a bar narrower than that carries no step number


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A span: its rectangle, its colour, the step's number if it fits, and a tooltip."""

    x: float
    y: float
    width: float
    style: str
    label: str
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A name of a lane, or a number on the axis."""

    x: float
    y: float
    words: str
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """What the template draws."""

    steps: int
    cycles: int
    width: float
    height: float
    left: float
    bar: float
    lanes: tuple[Label, ...]
    ticks: tuple[Label, ...]
    bars: tuple[Bar, ...]
    keys: tuple[Bar, ...]


def draw_schedule(design: Design, steps: int | None = None) -> Markup:
    """An SVG picture of one sequence."""
    return render("schedule.svg.j2", view(timetable(design, steps)))


def view(table: Timetable) -> ScheduleView:
    """Where everything goes."""
    scale = WIDTH / table.end
    rows = [TOP + ROW * k for k in range(len(table.lanes))]
    below = TOP + ROW * len(rows)
    return ScheduleView(
        steps=table.steps,
        cycles=table.cycles,
        width=LEFT + WIDTH + 16,
        height=below + 34,
        left=LEFT,
        bar=BAR,
        lanes=tuple(
            Label(x=LEFT - 10, y=y, words=brief(lane.name), part=lane.part)
            for y, lane in zip(rows, table.lanes, strict=True)
        ),
        ticks=tuple(Label(x=LEFT + c * scale, y=below, words=f"{c:,}") for c in ticks(table.end)),
        bars=tuple(
            bar(span, y, scale)
            for y, lane in zip(rows, table.lanes, strict=True)
            for span in lane.spans
        ),
        keys=keys(table, below),
    )


def bar(span: Span, y: float, scale: float) -> Bar:
    """The rectangle of a span; odd steps are lighter."""
    width = max((span.end - span.start) * scale, 1.0)
    number = str(span.step)
    return Bar(
        x=round(LEFT + span.start * scale, 2),
        y=y,
        width=round(width, 2),
        style=STYLE[span.work] + (" odd" if span.step % 2 else ""),
        label=number if width >= NUMBER_WIDTH + 3 * len(number) else "",
        tip=f"step {span.step}, {span.work.value}: cycles {span.start} to {span.end - 1}",
    )


def keys(table: Timetable, below: float) -> tuple[Bar, ...]:
    """The legend: a small bar for each kind of work that occurs."""
    found = {span.work for lane in table.lanes for span in lane.spans}
    kinds = [w for w in Work if w in found]
    words = {Work.PORT: "beats at a port"}
    return tuple(
        Bar(
            x=LEFT + 130 * k,
            y=below + 18,
            width=12,
            style=STYLE[w],
            label=words.get(w, w.value),
            tip="",
        )
        for k, w in enumerate(kinds)
    )


def ticks(end: int) -> range:
    """At most ten round numbers: steps of 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if end <= 10 * step:
                return range(0, end + 1, step)
        power *= 10
