# SPDX-License-Identifier: Apache-2.0
"""A self-contained HTML page: facts, tables, meters and pictures, no script, nothing to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hwrnn.design.estimate import Estimate
from hwrnn.report.graph_svg import draw_graph
from hwrnn.report.lanes import shown_steps
from hwrnn.report.render import render
from hwrnn.report.schedule_svg import draw_schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of texts under headings; a column of `numbers` goes to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A share of a whole as a bar. `note`: a line below it; `over`: more than there is."""

    name: str
    text: str
    percent: float
    note: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, a sentence or two, and any of a table, meters and pictures."""

    title: str
    text: str = ""
    table: Table | None = None
    meters: tuple[Meter, ...] = ()
    pictures: tuple[Markup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One large number at the top."""

    value: str
    name: str
    good: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page; `foot` is its last line."""

    title: str
    lead: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    foot: str


def write_page(page: Page) -> str:
    """The HTML text."""
    return str(render("page.html.j2", page))


def table(rows: Sequence[Mapping[str, object]]) -> Table:
    """A table of rows that share their keys; a column of numbers goes to the right."""
    columns = tuple(rows[0]) if rows else ()
    texts = tuple(tuple(str(row[c]) for c in columns) for row in rows)
    numbers = tuple(all(is_number(t[k]) for t in texts) for k in range(len(columns)))
    return Table(columns=columns, rows=texts, numbers=numbers)


def is_number(text: str) -> bool:
    """Digits, or nothing."""
    return not text.strip("0123456789,.-% ") or text == "-"


def use_meters(estimate: Estimate) -> tuple[Meter, ...]:
    """What a design takes of its board."""
    found = []
    for name, (used, has) in estimate.use().items():
        share = 100 * used / has if has else 100.0 * (used > 0)
        found.append(
            Meter(
                name=name,
                text=f"{share:.1f} %" if has else "",
                percent=min(share, 100.0),
                note=f"{used:,} of {has:,}",
                over=used > has,
            )
        )
    return tuple(found)


def share_meters(shares: Mapping[str, float]) -> tuple[Meter, ...]:
    """Shares between 0 and 1, by name."""
    return tuple(
        Meter(name=name, text=f"{100 * share:.2f} %", percent=100 * share)
        for name, share in shares.items()
    )


def design_section(estimate: Estimate) -> Section:
    """The pictures of a design and what it takes of its board."""
    design = estimate.design
    board = design.board
    shown = min(estimate.steps, shown_steps(design))
    streams = design.streams
    of_stream = f" on its stream, all {streams} running," if streams > 1 else ""
    text = (
        f"{board.title}, {board.part}, {board.clock_mhz:g} MHz. One sequence of {estimate.steps} "
        f"steps takes {estimate.latency_cycles:,} cycles ({estimate.latency_us:.2f} µs at that "
        f"clock), the next one{of_stream} may start {estimate.interval_cycles:,} cycles "
        "after it. DSP and block RAM are computed, LUT and FF come from fitted models; "
        "the clock is the board's default, no result of a timing analysis."
    )
    return Section(
        title=f"The design for {board.name}",
        text=text,
        meters=use_meters(estimate),
        pictures=(draw_graph(design), draw_schedule(design, shown)),
    )
