# SPDX-License-Identifier: Apache-2.0
"""Pictures and the report page: true to the schedule, well-formed, self-contained, escaped."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from conftest import Golden
from graphs import GraphMaker
from markupsafe import Markup

import hwrnn
from hwrnn.design.design import Design
from hwrnn.design.timing import schedule
from hwrnn.errors import DesignError
from hwrnn.ir import Concat, Graph, Reverse, Value
from hwrnn.report import graph_svg, schedule_svg
from hwrnn.report.graph_svg import Box, draw_graph
from hwrnn.report.lanes import Lane, Work, timetable
from hwrnn.report.page import (
    Fact,
    Page,
    Section,
    design_section,
    is_number,
    share_meters,
    table,
    use_meters,
    write_page,
)
from hwrnn.report.schedule_svg import draw_schedule, ticks
from hwrnn.report.schedule_text import schedule_text

SVG = "{http://www.w3.org/2000/svg}"


def digits(pe: int = 4, simd: int = 8) -> Design:
    graph = GraphMaker(features=8).lstm(32).select().dense(10).graph()
    return hwrnn.build(graph, "pynq_z2", folding={"pe": pe, "simd": simd})


def two_ways() -> Design:
    """A layer forward, one backward, concatenated: streams that pass by kernels."""
    maker = GraphMaker(features=6)
    x = maker.at
    forward = maker.lstm(8, "forward").at
    flipped = Value(name="flipped", type=x.type, size=x.size, sequence=True)
    maker.ops.append(Reverse(out=flipped, x=x.name))
    maker.at = flipped
    backward = maker.lstm(8, "backward").at
    turned = Value(name="turned", type=backward.type, size=8, sequence=True)
    maker.ops.append(Reverse(out=turned, x=backward.name))
    both = Value(name="both", type=forward.type, size=16, sequence=True)
    maker.ops.append(Concat(out=both, xs=(forward.name, turned.name)))
    maker.at = both
    return hwrnn.build(maker.dense(3).graph(), "zcu104", max_steps=6)


def deep() -> Design:
    """Four layers that give whole sequences, one of them with thresholds."""
    layers = GraphMaker(features=3).lstm(5, "a", float_scales=True).lstm(4, "b")
    return hwrnn.build(layers.dense(7, "d", quantised=True).dense(2, "e").graph())


def unfolded() -> Design:
    return digits(1, 1)


@pytest.fixture(params=[digits, unfolded, two_ways, deep], ids=lambda f: f.__name__)
def design(request: pytest.FixtureRequest) -> Design:
    """Several designs."""
    made: Design = request.param()
    return made


def test_pictures_are_well_formed(design: Design) -> None:
    for svg in (draw_graph(design), draw_schedule(design)):
        root = ET.fromstring(svg)
        assert root.tag == f"{SVG}svg"
        assert root.get("aria-label")
        assert "http" not in re.sub(r'xmlns="[^"]*"', "", svg)


def test_boxes_lie_in_the_picture_and_do_not_overlap(design: Design) -> None:
    view = graph_svg.view(design)
    outer = [b for b in view.boxes if b.style in ("port", "glue", "engine")]
    assert len(outer) == len(design.kernels)
    for b in view.boxes:
        assert b.x >= 0
        assert b.y >= 0
        assert b.x + b.width <= view.width
        assert b.y + b.height <= view.height
    assert not [pair for pair in combinations(outer, 2) if overlap(*pair)]


def overlap(a: Box, b: Box) -> bool:
    beside = a.x + a.width <= b.x or b.x + b.width <= a.x
    apart = a.y + a.height <= b.y or b.y + b.height <= a.y
    return not (beside or apart)


def test_every_stream_is_a_wire_with_a_label(design: Design) -> None:
    view = graph_svg.view(design)
    streams = sum(len(getattr(k, "xs", ())) or hasattr(k, "x") for k in design.kernels)
    assert len(view.wires) == streams
    assert sum("bit" in t.words for t in view.texts if t.style == "label") == streams


def test_an_engine_shows_gates_folding_and_datapath() -> None:
    words = [t.words for t in graph_svg.view(digits()).texts]
    assert "4 gates x pe 4 x simd 8 = 128 MAC" in words
    assert "1 + 4 column blocks x 8 groups" in words
    assert "recurrent layer, 32 units, gives the last step" in words
    assert "c: 32 x 8 bit" in words


def test_a_long_name_is_cut() -> None:
    graph = GraphMaker(features=2).lstm(2, "l" * 40).graph()
    words = [t.words for t in graph_svg.view(hwrnn.build(graph)).texts]
    assert "l" * 23 + "…" in words
    assert max(map(len, words)) < 50


def test_lanes_hold_every_issue_of_the_schedule(design: Design) -> None:
    found = timetable(design)
    run = schedule(design, [found.steps])
    assert found.cycles == run.cycles
    for engine in design.engines:
        lane = next(x for x in found.lanes if (x.name, x.part) == (engine.name, "MAC array"))
        busy = sum(s.end - s.start for s in lane.spans)
        blocks = engine.x_blocks + engine.h_blocks
        assert busy == blocks * engine.groups * steps_of(lane)
        starts = [next(s.start for s in lane.spans if s.step == k) for k in range(steps_of(lane))]
        assert starts == run.engine_steps[engine.name]


def steps_of(lane: Lane) -> int:
    return 1 + max(s.step for s in lane.spans)


def test_the_datapath_follows_the_last_block() -> None:
    design = digits()
    engine = design.engines[0]
    found = timetable(design)
    macs, cells = (x for x in found.lanes if x.name == engine.name)
    ends = [max(s.end for s in macs.spans if s.step == k) for k in range(8)]
    depth = max(engine.datapath.ready().values())
    assert [s.end - engine.mac_latency - depth for s in cells.spans] == ends
    assert {s.work for s in cells.spans} == {Work.CELL}


def test_the_schedule_in_characters(golden: Golden) -> None:
    golden(schedule_text(digits()))


def test_a_short_schedule_has_a_character_a_cycle(golden: Golden) -> None:
    graph = GraphMaker(features=4).lstm(4).graph()
    golden(schedule_text(hwrnn.build(graph, folding={"pe": 4, "simd": 4}), steps=2))


def test_the_text_keeps_to_its_width(design: Design) -> None:
    for width in (90, 120):
        assert all(len(line) <= width for line in schedule_text(design, width=width).splitlines())


def test_a_schedule_of_as_many_steps_as_asked() -> None:
    assert timetable(digits(), 3).steps == 3
    assert timetable(two_ways(), 99).steps == 6
    long = GraphMaker(features=2).lstm(2)
    long.ops[0] = replace(long.ops[0], example_steps=500)  # type: ignore[call-arg]
    assert timetable(hwrnn.build(long.graph())).steps == 8


@pytest.mark.parametrize(
    ("end", "marks"), [(1, [0, 1]), (10, list(range(11))), (348, list(range(0, 349, 50)))]
)
def test_ticks_are_round_and_few(end: int, marks: list[int]) -> None:
    assert list(ticks(end)) == marks


def test_a_narrow_bar_carries_no_number() -> None:
    view = schedule_svg.view(timetable(unfolded()))
    assert {b.label for b in view.bars if b.width < 10} == {""}
    assert "7" in {b.label for b in view.bars}


class Checker(HTMLParser):
    """Notes what a page would load, and whether its elements nest."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [f"{tag} {k}" for k, _ in attrs if k in ("src", "href", "data")]
        if tag in ("script", "link", "iframe", "object"):
            self.loads.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


def page(sections: tuple[Section, ...]) -> str:
    facts = (Fact(value="0", name="differing bits", good=True),)
    return write_page(Page(title="T", lead="L", facts=facts, sections=sections, foot="F"))


def test_a_page_nests_and_loads_nothing(design: Design) -> None:
    checker = Checker()
    checker.feed(page((design_section(hwrnn.estimate(design)),)))
    assert checker.open == []
    assert checker.loads == []


def test_a_page_is_the_same_bytes_each_time() -> None:
    made = {page((design_section(hwrnn.estimate(digits())),)) for _ in range(2)}
    assert len(made) == 1


def test_texts_are_escaped() -> None:
    evil = "<script>alert('x')</script>&\""
    rows: list[dict[str, object]] = [{evil: evil}]
    section = Section(title=evil, text=evil, table=table(rows), meters=share_meters({evil: 0.5}))
    text = page((section,))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6
    assert isinstance(draw_graph(digits()), Markup)


def test_columns_of_numbers_go_to_the_right() -> None:
    made = table([{"a": "x", "b": "1,234", "c": "98.9 %"}, {"a": "1", "b": "-", "c": "0.0 %"}])
    assert made.numbers == (False, True, True)
    assert not is_number("12a")


def test_a_design_that_does_not_fit_is_marked() -> None:
    graph: Graph = GraphMaker(features=8).lstm(32).graph()
    big = hwrnn.build(graph, "icebreaker", folding={"pe": 32, "simd": 8})
    meters = {m.name: m for m in use_meters(hwrnn.estimate(big))}
    assert meters["DSP"].over
    assert meters["DSP"].percent == 100
    assert 'class="meter over"' in page((design_section(hwrnn.estimate(big)),))


def test_an_estimate_is_of_a_sequence_that_the_design_takes() -> None:
    assert hwrnn.estimate(two_ways()).steps == 6
    with pytest.raises(DesignError) as caught:
        hwrnn.estimate(two_ways(), steps=7)
    assert str(caught.value) == (
        "option steps: is 7; this design buffers sequences of up to 6\n"
        "  hint: build it with max_steps=7 or more"
    )
