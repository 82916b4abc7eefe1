# SPDX-License-Identifier: Apache-2.0
"""The demo, run as a user runs it, and what it takes for a difference."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from graphs import GraphMaker

import hwrnn
from hwrnn.cli import main
from hwrnn.demo import DemoResult, run_demo
from hwrnn.demo.page import demo_page
from hwrnn.demo.result import BoardResult, EngineResult, float_bits, integer_bits
from hwrnn.demo.run import TARGETS, Tick
from hwrnn.design.estimate import Estimate
from hwrnn.errors import OutputError, ToolError


@contextmanager
def silent(name: str, total: int | None = None) -> Iterator[Tick]:
    del name, total
    yield ignore


def ignore(done: int) -> None:
    del done


class Shown:
    """The folder that the demo wrote and what it printed."""

    def __init__(self, folder: Path, code: int, out: str, err: str) -> None:
        self.folder, self.code, self.out, self.err = folder, code, out, err

    def row(self, start: str) -> list[str]:
        """The cells of the first line that starts so."""
        lines = (line.strip() for line in self.out.splitlines())
        return re.split(r"\s{2,}", next(line for line in lines if line.startswith(start)))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """One run for all tests."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["demo", "-o", str(folder)])
    return Shown(folder, code, out.getvalue(), err.getvalue())


ENGINES = (
    "lowered QONNX", "C-model", "HLS C++ for pynq_z2", "SystemVerilog for pynq_z2",
    "SystemVerilog for ulx3s_85f",
)  # fmt: skip


@pytest.mark.needs_sim
@pytest.mark.needs_train
class TestWholeDemo:
    def test_it_succeeds(self, shown: Shown) -> None:
        assert shown.code == 0
        assert "training with 4-bit weights" in shown.err

    @pytest.mark.parametrize("engine", ENGINES)
    def test_no_bit_differs_and_the_digits_are_read(self, shown: Shown, engine: str) -> None:
        _, accuracy, bits, module_bits, _ = shown.row(engine)
        assert (bits, module_bits) == ("0", "0")
        assert float(accuracy.removesuffix(" %")) >= 95

    def test_estimated_cycles_are_simulated_cycles(self, shown: Shown) -> None:
        rows = [line.split() for line in shown.out.splitlines()]
        boards = [row for row in rows if row and row[0] in {t.board for t in TARGETS}]
        table = [row for row in boards if len(row) == 7]
        assert len(table) == 4
        assert all(estimated == simulated for _, _, _, estimated, simulated, _, _ in table)

    def test_the_projects_are_there(self, shown: Shown) -> None:
        places = (
            "digits.onnx", "report.html", "test_x.npy", "module_y.npy",
            "pynq_z2/hls_project/top.cpp", "pynq_z2/rtl_project/rtl/hwrnn_digits.sv",
            "ulx3s_85f/rtl/hwrnn_digits.sv",
        )  # fmt: skip
        assert [p for p in places if not (shown.folder / p).is_file()] == []

    def test_the_model_beside_the_report_is_the_one_that_was_run(self, shown: Shown) -> None:
        graph = hwrnn.load(shown.folder / "digits.onnx")
        y = hwrnn.run(graph, np.load(shown.folder / "test_x.npy"))
        assert isinstance(y, np.ndarray)
        assert np.array_equal(y, np.load(shown.folder / "module_y.npy"))

    def test_the_readme_shows_the_same_tables(self, shown: Shown) -> None:
        """The figures of another machine differ; rows, columns and zeros may not."""
        text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
        readme = Shown(shown.folder, 0, text, "")
        for engine in ENGINES:
            assert readme.row(engine)[2:4] == ["0", "0"]
        for start in ("engine  ", "board  ", "what  "):
            assert readme.row(start) == shown.row(start)

    def test_the_report_says_the_same(self, shown: Shown) -> None:
        text = (shown.folder / "report.html").read_text()
        for engine in ENGINES:
            assert f'<td class="number">{shown.row(engine)[1]}</td>' in text
        assert text.count("<svg") == 4


def estimate() -> Estimate:
    graph = GraphMaker(features=8).lstm(4).select().dense(3).graph()
    return hwrnn.estimate(hwrnn.build(graph), steps=8)


def result() -> DemoResult:
    made = estimate()
    engine = EngineResult(engine="rtl", accuracy=1.0, bits=0, module_bits=0, seconds=0.5, digits=10)
    board = BoardResult(
        estimate=made,
        digits=10,
        one_simulated=made.latency_cycles,
        all_estimated=made.cycles(10),
        all_simulated=made.cycles(10),
    )
    return DemoResult(engines=(engine,), boards=(board,), saturation=(), files=(("a", "b"),))


def test_one_bit_or_one_cycle_is_a_failure() -> None:
    good = result()
    assert good.ok
    bad_bit = replace(good.engines[0], bits=1)
    assert not replace(good, engines=(bad_bit,)).ok
    board = good.boards[0]
    for wrong in (
        replace(board, one_simulated=board.one_simulated + 1),
        replace(board, all_simulated=board.all_simulated - 1),
    ):
        assert not replace(good, boards=(wrong,)).ok


def test_a_difference_from_the_module_is_shown_not_failed() -> None:
    good = result()
    other = replace(good, engines=(replace(good.engines[0], module_bits=3),))
    assert other.ok
    assert "3" in other.tables()["Every engine on the whole test split, one thread"][0].values()


def test_a_failed_demo_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good = result()
    bad = replace(good, engines=(replace(good.engines[0], bits=2),))
    monkeypatch.setattr("hwrnn.demo.run_demo", lambda *_: bad)
    assert main(["demo", "-o", str(tmp_path / "x")]) == 1
    assert capsys.readouterr().err.startswith("FAILED: an engine differs")


def test_the_page_marks_a_difference() -> None:
    good = result()
    assert '<b class="good">0</b>' in demo_page(good)
    bad = replace(good, engines=(replace(good.engines[0], bits=2),))
    assert '<b class="bad">2</b>' in demo_page(bad)


def test_differing_bits_are_counted() -> None:
    a = np.array([0, -1, 5], dtype=np.int64)
    assert integer_bits(a, a) == 0
    assert integer_bits(a, np.array([0, 0, 4], dtype=np.int64)) == 65
    x = np.array([1.0, -0.0], dtype=np.float32)
    assert float_bits(x, np.array([1.0, 0.0], dtype=np.float32)) == 0
    assert float_bits(x, np.array([-1.0, 0.0], dtype=np.float32)) == 1


@pytest.mark.needs_sim
@pytest.mark.needs_train
@pytest.mark.parametrize("kind", ["file", "foreign"])
def test_a_bad_folder_is_refused_before_the_training(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    if kind == "file":
        place.touch()
    else:
        place.mkdir()
        (place / "thesis.tex").touch()
    with pytest.raises(OutputError):
        run_demo(place, silent)


def test_a_missing_tool_is_named_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HWRNN_VERILATOR", "/no/verilator")
    with pytest.raises(ToolError):
        run_demo(tmp_path / "x", silent)
    assert list(tmp_path.iterdir()) == []
