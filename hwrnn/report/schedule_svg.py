# SPDX-License-Identifier: Apache-2.0
"""The schedule as a picture: a lane for each part of the hardware, steps against cycles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hwrnn.design.design import Design
from hwrnn.report.describe import brief
from hwrnn.report.lanes import Lane, Span, Timetable, Work, timetable
from hwrnn.report.render import render

LEFT, WIDTH, TOP, GAP, BAR = 182.0, 820.0, 40.0, 10.0, 20.0
KEY_WIDTH, KEY_CHAR, KEY_LINE = 30.0, 5.4, 16.0
TRACK, IDLE = 5.0, 4.0  # the least height of one of several overlapping spans; that of a wait
STYLE = {
    Work.PORT: "port",
    Work.SHARED: "shared",
    Work.X: "mac",
    Work.H: "hmac",
    Work.INNER: "inner",
    Work.CELL: "cell",
    Work.STATE: "state",
    Work.MAP: "cell",
    Work.STORE: "store",
    Work.RECALL: "recall",
    Work.JOIN: "port",
    Work.WAIT_OWN: "own",
    Work.WAIT_INPUT: "starved",
    Work.WAIT_ROOM: "room",
}
LABEL_HEIGHT, LABEL_CHAR, LABEL_EDGE = 10.0, 5.6, 3.0  # a smaller bar carries no number
SHADES = 12  # most colours of streams; stream 12 has that of stream 0 again


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A span: its rectangle, its colour, a number if it fits, a tooltip; `hue`: of its stream."""

    x: float
    y: float
    width: float
    height: float
    style: str
    label: str
    tip: str = ""
    hue: int | None = None


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

    title: str
    width: float
    height: float
    left: float
    top: float
    lanes: tuple[Label, ...]
    ticks: tuple[Label, ...]
    bars: tuple[Bar, ...]
    keys: tuple[Bar, ...]
    note: Label


def draw_schedule(design: Design, steps: int | None = None) -> Markup:
    """An SVG picture of a sequence on each stream."""
    return render("schedule.svg.j2", view(timetable(design, steps)))


def view(table: Timetable) -> ScheduleView:
    """Where everything goes."""
    scale = WIDTH / table.end
    names, bars, y = [], [], TOP
    for lane in table.lanes:
        placed = tracks(lane.spans)
        rows = 1 + max(placed, default=0)
        height = max(BAR, TRACK * rows)
        names.append(Label(x=LEFT - 10, y=y, words=brief(lane.name), part=part_of(lane)))
        each = height / rows
        for span, k in zip(lane.spans, placed, strict=True):
            bars.append(bar(span, y + k * each, each, scale, lane.streams))
        y += height + GAP
    below = y - GAP / 2
    found = tuple(keys(table, below + 20))
    end = max(k.y for k in found) + 14
    marks = ticks(table.end)
    return ScheduleView(
        title=table.title,
        width=LEFT + WIDTH + 16,
        height=end + KEY_LINE + 4,
        left=LEFT,
        top=TOP,
        lanes=tuple(names),
        ticks=tuple(Label(x=LEFT + c * scale, y=below, words=f"{c:,}") for c in marks),
        bars=tuple(bars),
        keys=found,
        note=Label(x=LEFT, y=end + KEY_LINE - 4, words=note(table)),
    )


def part_of(lane: Lane) -> str:
    """The second line of a lane's name."""
    return f"{lane.part}, {lane.usage.percent} busy" if lane.usage else lane.part


def note(table: Timetable) -> str:
    """What the numbers and the lighter bars mean."""
    if not any(lane.streams > 1 for lane in table.lanes):
        return "numbers: time steps; odd steps are darker; busy: in steady state"
    return (
        "numbers: time steps or, below a colour, streams; odd steps are darker; "
        "busy: in steady state, all streams running"
    )


def tracks(spans: Sequence[Span]) -> list[int]:
    """For each span the first row in which no other is in its way: a pipeline is a staircase."""
    free: list[int] = []
    found = []
    for span in spans:
        k = next((k for k, end in enumerate(free) if end <= span.start), len(free))
        free[k : k + 1] = [span.end]
        found.append(k)
    return found


def bar(span: Span, y: float, height: float, scale: float, streams: int) -> Bar:
    """The rectangle of a span; odd steps are darker, a wait is a thin line."""
    width = max((span.end - span.start) * scale, 1.0)
    tall = min(IDLE, height) if span.work.waits else height
    number = str(span.stream if streams > 1 else span.step)
    fits = tall >= LABEL_HEIGHT and width >= LABEL_EDGE + LABEL_CHAR * len(number)
    return Bar(
        x=round(LEFT + span.start * scale, 2),
        y=round(y + (height - tall) / 2, 2),
        width=round(width, 2),
        height=round(tall, 2),
        style=STYLE[span.work] + (" odd" if span.step % 2 else ""),
        label=number if fits else "",
        tip=tip(span, streams),
        hue=None if streams == 1 or span.work.waits else hue(span.stream, streams),
    )


def hue(stream: int, streams: int) -> int:
    """The colour of a stream, in degrees."""
    shades = min(streams, SHADES)
    return 360 * (stream % shades) // shades


def tip(span: Span, streams: int) -> str:
    """All that is known of a span."""
    of_stream = f"stream {span.stream}, " if streams > 1 else ""
    cycles = f"cycle {span.start}"
    if span.end - span.start > 1:
        cycles = f"cycles {span.start} to {span.end - 1}"
    return f"{of_stream}step {span.step}, {span.work.value}: {cycles}"


def keys(table: Timetable, y: float) -> Iterator[Bar]:
    """The legend: a small bar for each kind of work that occurs, in lines."""
    x = LEFT
    for work in table.works:
        wide = KEY_WIDTH + KEY_CHAR * len(work.value)
        if x > LEFT and x + wide > LEFT + WIDTH:
            x, y = LEFT, y + KEY_LINE
        tall = IDLE if work.waits else 10.0
        yield Bar(
            x=round(x, 2),
            y=y + (10 - tall) / 2,
            width=12,
            height=tall,
            style=STYLE[work],
            label=work.value,
        )
        x += wide


def ticks(end: int) -> range:
    """At most ten round numbers: steps of 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if end <= 10 * step:
                return range(0, end + 1, step)
        power *= 10
