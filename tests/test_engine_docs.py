# SPDX-License-Identifier: Apache-2.0
"""The page of the engine: its schedules are what the tool prints, its numbers what it estimates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bodies import gru
from graphs import GraphMaker

import hwrnn
from hwrnn.design.design import Design
from hwrnn.ir import Concat, Graph, Reverse, Value
from hwrnn.report.schedule_text import schedule_text

PAGE = Path(__file__).parent.parent / "docs" / "engine.md"
SCHEDULE = re.compile(r"(<!-- schedule: (\w+) -->\n```\n)(.*?)(```\n)", re.DOTALL)
WIDTH = 96


def lstm(inputs: int, units: int) -> Graph:
    return GraphMaker(features=inputs).lstm(units, "layer").graph()


def both_ways(inputs: int, units: int) -> Graph:
    """A bidirectional layer."""
    maker = GraphMaker(features=inputs)
    x = maker.at
    forward = maker.lstm(units, "forward").at
    maker.at = flipped(maker, x)
    backward = flipped(maker, maker.lstm(units, "backward").at)
    both = Value(name="both", type=forward.type, size=2 * units, sequence=True)
    maker.ops.append(Concat(out=both, xs=(forward.name, backward.name)))
    maker.at = both
    return maker.graph()


def flipped(maker: GraphMaker, x: Value) -> Value:
    out = Value(name=f"{x.name}_flipped", type=x.type, size=x.size, sequence=True)
    maker.ops.append(Reverse(out=out, x=x.name))
    return out


def build(graph: Graph, pe: int, simd: int, pipeline: str = "clock", streams: int = 1) -> Design:
    folding = {"pe": pe, "simd": simd}
    steps = 40 if any(isinstance(op, Reverse) for op in graph.ops) else None
    return hwrnn.build(graph, folding=folding, pipeline=pipeline, streams=streams, max_steps=steps)


def pictures() -> dict[str, str]:
    """Every schedule of the page."""
    tagger = lstm(6, 20)
    streams = build(tagger, 20, 26, streams=4)
    made = {
        "covered": (build(lstm(12, 8), 2, 4), 3),
        "bubble": (build(lstm(4, 8), 2, 4), 3),
        "clock": (build(tagger, 20, 26), 4),
        "latency": (build(tagger, 20, 26, "latency"), 4),
        "levels": (build(gru(3, 5, reset_after=False), 2, 3), 2),
        "streams": (streams, 4),
    }
    found = {name: schedule_text(design, n, WIDTH) for name, (design, n) in made.items()}
    return found | {"alone": schedule_text(streams, 4, WIDTH, sequences=1)}


def test_the_schedules_are_what_the_tool_prints(pytestconfig: pytest.Config) -> None:
    made = pictures()
    text = PAGE.read_text(encoding="utf-8")
    assert [m[2] for m in SCHEDULE.finditer(text)] == list(made)
    true = SCHEDULE.sub(lambda m: f"{m[1]}{made[m[2]]}\n{m[4]}", text)
    if pytestconfig.getoption("--update-golden"):
        PAGE.write_text(true, encoding="utf-8")
        text = true
    assert text == true, "--update-golden rewrites the schedules of the page"


def rows() -> list[list[str]]:
    """The table of worked examples."""
    table = PAGE.read_text(encoding="utf-8").split("<!-- numbers -->\n")[1].split("\n\n")[0]
    return [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def graph_of(layer: str, inputs: int, units: int) -> Graph:
    if layer.startswith("GRU"):
        return gru(inputs, units, reset_after="after" in layer)
    return both_ways(inputs, units) if layer.startswith("BiLSTM") else lstm(inputs, units)


@pytest.mark.parametrize("row", rows(), ids=lambda row: "-".join(row[:7]).replace(" ", ""))
def test_the_worked_examples(row: list[str]) -> None:
    layer, *numbers, pipeline, streams, work, latency, cycles = row
    inputs, units, pe, simd = map(int, numbers)
    design = build(graph_of(layer, inputs, units), pe, simd, pipeline, int(streams))
    for engine in design.engines:
        assert work == f"{len(engine.blocks)} x {engine.groups}"
        assert latency == str(engine.state_latency)
    assert cycles == f"{hwrnn.estimate(design).cycles_per_step:g}"


def test_the_page_has_the_examples_of_the_papers() -> None:
    assert len(rows()) >= 6
    assert {row[-1] for row in rows()} >= {"384", "288", "130", "15", "6"}


def test_the_claims_in_the_text() -> None:
    covered, bubble = (build(lstm(n, 8), 2, 4) for n in (12, 4))
    assert "." not in mac_row(schedule_text(covered, 3, WIDTH))
    assert "...." in mac_row(schedule_text(bubble, 3, WIDTH))
    tagger = lstm(6, 20)
    rates = {n: hwrnn.estimate(build(tagger, 20, 26, streams=n)) for n in (1, 15, 16)}
    assert [e.cycles_per_step for e in rates.values()] == [15, 15, 16]


def mac_row(text: str) -> str:
    return next(line for line in text.splitlines() if "MAC array" in line)
