# SPDX-License-Identifier: Apache-2.0
"""What the documents show is run; what they point to is there; what they claim is so."""

from __future__ import annotations

import re
import runpy
import shlex
import warnings
from pathlib import Path
from typing import Any

import pytest
from graphs import GraphMaker

import hwrnn
from hwrnn.board import boards
from hwrnn.cli import main
from hwrnn.design.design import axis_width
from hwrnn.ir import IntType
from hwrnn.report.graph_svg import draw_graph
from hwrnn.report.schedule_svg import draw_schedule

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    """The language and the text of each block that can be run."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def run(page: Path) -> dict[str, Any]:
    """Run all blocks of a page in one namespace, in the working directory."""
    names: dict[str, Any] = {}
    for language, text in blocks(page):
        if language == "python":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Brevitas' own
                exec(compile(text, str(page), "exec"), names)
            continue
        for line in text.splitlines():
            command = shlex.split(line.removeprefix("$ "))
            assert command[0] == "hwrnn", line
            assert main(command[1:]) == 0, line
    return names


@pytest.mark.needs_sim
@pytest.mark.needs_train
def test_the_example_in_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = run(README)
    assert names["result"].cycles == hwrnn.estimate(names["design"], steps=20).cycles(16)
    assert (names["result"].outputs == hwrnn.run(names["graph"], names["x"], integers=True)).all()
    assert (tmp_path / "project" / "hls_project" / "top.cpp").is_file()
    assert "'latency_cycles'" in capsys.readouterr().out


@pytest.mark.needs_sim
@pytest.mark.needs_train
def test_the_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run(TUTORIAL)
    shown = capsys.readouterr().out
    assert "graph rows {" in shown
    assert re.search(r"differing +0 *\n", shown)
    assert (tmp_path / "wave.vcd").is_file()
    assert (tmp_path / "project" / "rtl_project" / "README.md").is_file()


@pytest.mark.needs_train
def test_the_folding_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "tiny.onnx"
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(blocks(README)[0][1], names)
        hwrnn.export(names["net"], names["x"], model)
    script = runpy.run_path(str(ROOT / "examples" / "folding.py"))
    script["main"](str(model), "zcu104")
    rows = capsys.readouterr().out.splitlines()[1:]
    latencies = [float(row.split()[0]) for row in rows]
    assert len(rows) > 5
    assert latencies == sorted(latencies, reverse=True)


def test_the_example_has_ten_lines_or_so() -> None:
    lines = [line for line in blocks(README)[1][1].splitlines() if line]
    assert len(lines) <= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


def test_the_readme_lists_the_boards() -> None:
    text = README.read_text(encoding="utf-8")
    tools = {"vivado": "Vivado", "open": "open"}
    for b in boards():
        line = f"| `{b.name}` | {b.part} | {b.clock_mhz:g} MHz | {tools[b.toolchain]} |"
        assert line in text


def test_the_packages_of_the_architecture_page_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`hwrnn\.(\w+)`", text)) - {"timing"}
    there = {p.stem for p in (ROOT / "hwrnn").iterdir()}
    assert named <= there
    packages = {p.parent.name for p in (ROOT / "hwrnn").glob("*/__init__.py")}
    assert packages <= named


def test_every_command_in_the_documents_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    known = set(re.findall(r"^│ (\w+)  ", capsys.readouterr().out, re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        used = set(re.findall(r"`(?:make demo` or )?hwrnn ([a-z]+)", text))
        assert used <= known, page.name


@pytest.mark.parametrize(
    ("bits", "wide"),
    [(1, 1), (2, 2), (3, 8), (4, 4), (5, 8), (8, 8), (9, 16), (16, 16), (17, 24), (24, 24)],
)
def test_the_page_of_the_ports_has_the_widths(bits: int, wide: int) -> None:
    assert axis_width(IntType(0, 2**bits - 1)) == wide


def test_pictures_of_the_documents_are_current(pytestconfig: pytest.Config) -> None:
    graph = GraphMaker(features=8).lstm(32).select().dense(10).graph("digits")
    design = hwrnn.build(graph, "pynq_z2", folding={"pe": 4, "simd": 8})
    for name, svg in {"graph": draw_graph(design), "schedule": draw_schedule(design)}.items():
        path = ROOT / "docs" / "images" / f"digits_{name}.svg"
        if pytestconfig.getoption("--update-golden"):
            path.write_text(svg, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == svg, f"--update-golden rewrites {path.name}"
