# SPDX-License-Identifier: Apache-2.0
"""Pictures and the report page: true to the schedule, well-formed, self-contained, escaped."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from bodies import gru
from conftest import Golden
from graphs import GraphMaker
from markupsafe import Markup

import hwrnn
from hwrnn.cli import main
from hwrnn.design.design import Design
from hwrnn.design.timing import schedule
from hwrnn.errors import DesignError
from hwrnn.ir import Concat, Graph, Reverse, Value
from hwrnn.report import graph_svg, schedule_svg
from hwrnn.report.graph_svg import Box, draw_graph
from hwrnn.report.lanes import Lane, Span, Timetable, Work, timetable
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


def one_for_both() -> Design:
    return two_ways("shared")


def two_ways(directions: str = "two") -> Design:
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
    return hwrnn.build(maker.dense(3).graph(), "zcu104", max_steps=6, directions=directions)


def deep() -> Design:
    """Four layers that give whole sequences, one of them with thresholds."""
    layers = GraphMaker(features=3).lstm(5, "a", float_scales=True).lstm(4, "b")
    return hwrnn.build(layers.dense(7, "d", quantised=True).dense(2, "e").graph())


def unfolded() -> Design:
    return digits(1, 1)


def unrolled(pipeline: str = "clock", streams: int = 1) -> Design:
    """The top tagger's layer, a step in one issue."""
    graph = GraphMaker(features=6).lstm(20).graph()
    return hwrnn.build(graph, folding={"pe": 20, "simd": 26}, pipeline=pipeline, streams=streams)


def streamed() -> Design:
    return unrolled(streams=5)


def reset_before() -> Design:
    return hwrnn.build(gru(3, 5, reset_after=False), folding={"pe": 2, "simd": 3})


MADE = [digits, unfolded, two_ways, one_for_both, deep, streamed, reset_before]


@pytest.fixture(params=MADE, ids=lambda f: f.__name__)
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
    run = schedule(design, [found.steps] * design.streams)
    assert found.cycles == run.cycles
    for engine in design.engines:
        lane = lane_of(found, engine.name, "MAC array")
        work = [s for s in lane.spans if not s.work.waits]
        steps = len(run.engine_steps[engine.name])
        assert sum(s.end - s.start for s in work) == len(engine.blocks) * engine.groups * steps
        firsts = {(s.stream, s.step): s.start for s in reversed(work)}
        assert sorted(firsts.values()) == run.engine_steps[engine.name]


def lane_of(found: Timetable, name: str, part: str) -> Lane:
    return next(x for x in found.lanes if (x.name, x.part) == (name, part))


def test_from_first_to_last_issue_an_array_works_or_waits(design: Design) -> None:
    for lane in timetable(design).lanes:
        if lane.part == "MAC array":
            assert all(a.end == b.start for a, b in pairwise(lane.spans))


@pytest.mark.parametrize("pipeline", ["clock", "latency"])
def test_a_wait_for_a_state_ends_when_it_is_written(pipeline: str) -> None:
    found = timetable(unrolled(pipeline=pipeline))
    waits = [s for s in lane_of(found, "lstm", "MAC array").spans if s.work.waits]
    written = lane_of(found, "lstm", "state").spans
    assert {s.work for s in waits} == {Work.WAIT_OWN}
    assert [s.end for s in waits] == [s.end for s in written[:-1]]


def test_what_an_engine_waits_for() -> None:
    kinds = {
        lane.name: {s.work for s in lane.spans if s.work.waits}
        for lane in timetable(deep()).lanes
        if lane.part == "MAC array"
    }
    starved = {Work.WAIT_INPUT}
    assert kinds == {"a": {Work.WAIT_OWN}, "b": starved, "d": starved, "e": starved}


def test_a_full_output_is_waited_for() -> None:
    graph = GraphMaker(features=2).lstm(8, "fast").lstm(8, "slow").graph()
    folding = {"fast": {"pe": 4, "simd": 2}, "slow": {"pe": 1, "simd": 1}}
    lane = lane_of(timetable(hwrnn.build(graph, folding=folding), 20), "fast", "MAC array")
    assert Work.WAIT_ROOM in {s.work for s in lane.spans}


def test_the_datapath_follows_the_last_block() -> None:
    engine = digits().engines[0]
    found = timetable(digits())
    macs, cells = (lane_of(found, engine.name, part) for part in ("MAC array", "datapath"))
    ends = [max(s.end for s in macs.spans if s.step == k) for k in range(8)]
    depth = max(engine.datapath.ready().values())
    assert [s.end - engine.mac_latency - depth for s in cells.spans] == ends
    assert {s.work for s in cells.spans} == {Work.CELL}


def test_streams_take_turns() -> None:
    spans = lane_of(timetable(unrolled(streams=16)), "lstm", "MAC array").spans
    assert [(s.stream, s.step) for s in spans] == [(k, t) for t in range(3) for k in range(16)]
    assert {s.work for s in spans} == {Work.SHARED}


def test_a_product_within_the_step_has_a_datapath_of_its_own() -> None:
    found = timetable(reset_before(), 3)
    parts = [lane.part for lane in found.lanes if lane.name == "layer"]
    assert parts == ["MAC array", "datapath 1", "datapath 2", "state"]
    kinds = {s.work for s in lane_of(found, "layer", "MAC array").spans}
    assert kinds == {Work.X, Work.H, Work.INNER, Work.WAIT_OWN}
    words = [t.words for t in graph_svg.view(reset_before()).texts]
    assert "cell datapath 2" in words
    assert "1 + 2 + 2 column blocks x 3 groups" in words


def test_a_shared_block_is_named() -> None:
    words = [t.words for t in graph_svg.view(streamed()).texts]
    assert "1 shared block x 1 group" in words
    assert "for each of 5 streams" in words


def test_directions_that_share_an_engine_take_turns() -> None:
    found = timetable(one_for_both(), 4)
    lane = lane_of(found, "forward", "MAC array")
    order = dict.fromkeys((s.step, s.stream) for s in lane.spans)
    assert list(order) == [(t, k) for t in range(4) for k in range(2)]
    assert str(lane.usage) == (
        "forward: the multipliers work in 32 of 32 cycles of a step of both directions (100.0 %)"
    )
    rows = [line.split("  ")[0] for line in schedule_text(one_for_both()).splitlines()]
    assert {"forward MAC array", "forward streams", "input beats"} <= set(rows)


def test_a_reversed_sequence_is_stored_and_read_back() -> None:
    spans = lane_of(timetable(two_ways()), "turned_flip", "reverse").spans
    stored = [s.step for s in spans if s.work is Work.STORE]
    back = [s.step for s in spans if s.work is Work.RECALL]
    assert (stored, back) == ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (digits, "lstm: the multipliers work in 40 of 40 cycles of a step (100.0 %)"),
        (digits, "fc: the multipliers work in 12 of 320 cycles of a sequence of 8 steps (3.8 %)"),
        (unrolled, "lstm: the multipliers work in 1 of 15 cycles of a step (6.7 %)"),
        (
            lambda: unrolled(streams=4),
            "lstm: the multipliers work in 4 of 15 cycles of a step of each of 4 streams (26.7 %)",
        ),
        (
            lambda: unrolled(streams=16),
            "lstm: the multipliers work in 16 of 16 cycles of a step of each of 16 streams "
            "(100.0 %)",
        ),
    ],
)
def test_how_busy_the_multipliers_are(make: Callable[[], Design], said: str) -> None:
    assert said in schedule_text(make(), width=200).splitlines()


def test_spans_of_a_row_do_not_overlap(design: Design) -> None:
    for lane in timetable(design).lanes:
        rows: dict[int, list[Span]] = {}
        for span, k in zip(lane.spans, schedule_svg.tracks(lane.spans), strict=True):
            rows.setdefault(k, []).append(span)
        for spans in rows.values():
            assert all(a.end <= b.start for a, b in pairwise(spans))


def test_the_schedule_in_characters(golden: Golden) -> None:
    golden(schedule_text(digits()))


def test_a_short_schedule_has_a_character_a_cycle(golden: Golden) -> None:
    graph = GraphMaker(features=4).lstm(4).graph()
    golden(schedule_text(hwrnn.build(graph, folding={"pe": 4, "simd": 4}), steps=2))


def test_streams_in_characters(golden: Golden) -> None:
    golden(schedule_text(unrolled(streams=4, pipeline="latency")))


def test_a_gru_with_a_product_within_the_step_in_characters(golden: Golden) -> None:
    golden(schedule_text(reset_before(), steps=2))


def test_two_directions_in_characters(golden: Golden) -> None:
    golden(schedule_text(two_ways()))


def test_the_text_keeps_to_its_width(design: Design) -> None:
    for width in (90, 120):
        assert all(len(line) <= width for line in schedule_text(design, width=width).splitlines())


def test_a_schedule_of_as_many_steps_as_asked() -> None:
    assert timetable(digits(), 3).steps == 3
    assert timetable(two_ways(), 99).steps == 6
    assert timetable(streamed()).steps == 4
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


def test_the_command_prints_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = GraphMaker(features=4).lstm(4).graph()
    monkeypatch.setattr(hwrnn, "load", lambda _: graph)
    path = tmp_path / "s.svg"
    command = ["estimate", "m.onnx", "--board", "pynq_z2", "--steps", "5"]
    assert main([*command, "--schedule", "--schedule-svg", str(path)]) == 0
    design = hwrnn.build(graph, "pynq_z2")
    assert capsys.readouterr().out.endswith(schedule_text(design, 5) + "\n")
    assert path.read_text(encoding="utf-8") == draw_schedule(design, 5)
    assert main([*command, "--schedule-svg", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err


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


def test_the_interval_of_a_design_with_streams_is_that_of_one_of_them() -> None:
    text = design_section(hwrnn.estimate(streamed())).text
    assert "the next one on its stream, all 5 running, may start 110 cycles after it" in text


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
