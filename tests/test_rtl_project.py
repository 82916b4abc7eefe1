# SPDX-License-Identifier: Apache-2.0
"""The emitted SystemVerilog project, and what writing it to disk may and may not do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rtl.bench import BOARD, check, draw, lower, of_kernels, reference
from rtl.graphs import Build

from hwrnn.backends.files import FileSet
from hwrnn.backends.jinja import sv_int
from hwrnn.backends.rtl import emit_rtl, library_modules, top_name
from hwrnn.backends.rtl_memory import constant_words, hex_words, lut_words
from hwrnn.backends.rtl_netlist import Bits, Numbers, packed, sv_parameter
from hwrnn.board import load_board
from hwrnn.design.design import AxisIn, AxisOut, Design, Stream
from hwrnn.errors import OutputError
from hwrnn.ir import Graph, IntType
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import Stalls


def network(name: str = "net") -> tuple[Graph, Design]:
    b = Build(3)
    x = b.lstm(b.input(5, of_bits(8, signed=True)), 4, channels=True)
    graph = b.graph(b.dense(b.select(x), 3), name)
    return graph, lower(graph, 2, 2)


def test_the_same_bytes_twice() -> None:
    first, second = emit_rtl(network()[1]), emit_rtl(network()[1])
    assert first == second
    assert first.digest() == second.digest()
    assert list(first) == list(second)


def test_what_is_in_a_project() -> None:
    files = emit_rtl(network()[1])
    assert {"README.md", "vivado.tcl", "rtl/files.f", "rtl/hwrnn_net.sv"} <= set(files)
    listed = [n for n in str(files["rtl/files.f"]).split("\n") if n.endswith(".sv")]
    assert [f"rtl/{n}" for n in listed] == [p for p in files if p.endswith(".sv")]
    assert not any("reverse" in p or "checks" in p for p in files)
    for path, body in files.items():
        assert isinstance(body, str), path
        assert str(Path.cwd()) not in body
        assert max(map(len, body.split("\n"))) < 20_000


def test_every_memory_file_is_read_and_every_read_file_is_there() -> None:
    files = emit_rtl(network()[1])
    sources = "".join(str(files[p]) for p in files if p.endswith(".sv"))
    assert set(re.findall(r'"(\w+\.mem)"', sources)) == {
        p.removeprefix("rtl/") for p in files if p.endswith(".mem")
    }


def test_readme_states_the_ports() -> None:
    text = str(emit_rtl(network()[1])["README.md"])
    assert "| in | 5 | 8 bit signed | -128 .. 127 | 2 | 3 |" in text
    assert "xc7z020clg400-1" in text
    assert "never run" in text


def test_open_boards_get_no_vivado_script() -> None:
    design = replace(network()[1], board=load_board("ulx3s_85f"))
    files = emit_rtl(design)
    assert "vivado.tcl" not in files
    assert "read_slang" in str(files["README.md"])


@pytest.mark.needs_sim
@pytest.mark.parametrize("name", ["module", "fifo", "logic", "end", "Top_1", "a" * 64])
def test_names_that_mean_something_elsewhere(name: str) -> None:
    graph, design = network(name)
    assert top_name(design) not in library_modules()
    sequences = draw(design, (3, 1))
    check(design, sequences, reference(graph, sequences), [Stalls()])


@pytest.mark.needs_sim
def test_kernels_and_streams_called_like_keywords() -> None:
    t = of_bits(8, signed=True)
    x = Stream(name="wire", type=t, segments=(3,), lanes=2)
    design = of_kernels([AxisIn(name="begin", out=x), AxisOut(name="endmodule", x=x)], t, "always")
    sequences = draw(design, (3, 2))
    check(design, sequences, sequences, [Stalls()])


# FileSet


def test_write_and_replace(tmp_path: Path) -> None:
    target = tmp_path / "new" / "out"
    FileSet({"a/b.txt": "1", "c.bin": b"\0\1"}).write(target)
    assert (target / "a" / "b.txt").read_text() == "1"
    (target / "mine.txt").write_text("keep me")
    (target / "a" / "build").mkdir()
    (target / "a" / "build" / "log").write_text("and me")
    FileSet({"d.txt": "2"}).write(target)
    assert not (target / "a" / "b.txt").exists()
    assert (target / "d.txt").read_text() == "2"
    assert (target / "mine.txt").read_text() == "keep me"
    assert (target / "a" / "build" / "log").read_text() == "and me"
    assert sorted(p.name for p in target.parent.iterdir()) == ["out"]


def message(error: pytest.ExceptionInfo[OutputError]) -> str:
    return str(error.value)


def test_write_refuses_a_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("x")
    with pytest.raises(OutputError) as error:
        FileSet({"a": "1"}).write(target)
    assert message(error) == (
        f"{target}: is a file; the output is a folder\n  hint: name another folder"
    )
    assert target.read_text() == "x"


def test_write_refuses_the_folder_of_someone_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputError) as error:
        FileSet({"a": "1"}).write(tmp_path)
    assert message(error) == (
        f"{tmp_path}: is not empty, and hwrnn did not write it\n"
        "  hint: name an empty or new folder: nothing of yours is ever overwritten"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_write_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(OutputError, match="cannot be written: (File exists|Not a dir)"):
        FileSet({"a": "1"}).write(tmp_path / "f" / "out")


def test_write_where_not_even_root_may() -> None:
    with pytest.raises(OutputError, match="cannot be written: "):
        FileSet({"a": "1"}).write(Path("/proc/self/out"))


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    FileSet({"a": "1"}).write(target)
    written = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "b":
            raise OSError(28, "No space left on device")
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        FileSet({"a": "2", "b": "3"}).write(target)
    assert (target / "a").read_text() == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("at", range(1, 5))
def test_an_interrupted_write_loses_nothing(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    FileSet({"a": "1"}).write(target)
    (target / "notes").mkdir()
    for name in ("x", "y"):
        (target / "notes" / name).write_text(name)
    renamed, count = Path.rename, iter(range(1, 100))

    def interrupted(self: Path, to: Path) -> Path:
        if next(count) == at:
            raise KeyboardInterrupt
        return renamed(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        FileSet({"a": "2"}).write(target)
    monkeypatch.undo()
    assert (target / "a").read_text() == ("1" if at < 3 else "2")
    assert [(target / "notes" / name).read_text() for name in ("x", "y")] == ["x", "y"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", "a\\b"])
def test_paths_stay_inside(path: str) -> None:
    with pytest.raises(ValueError, match="not a relative path"):
        FileSet({path: ""})


def test_union_of_file_sets() -> None:
    both = FileSet({"a": "1"}) | FileSet({"a": "1", "b": "2"})
    assert list(both.items()) == [("a", "1"), ("b", "2")]
    assert list(both.under("x")) == ["x/a", "x/b"]
    with pytest.raises(ValueError, match="a is written twice"):
        FileSet({"a": "1"}) | FileSet({"a": "2"})


# Numbers


def test_literals() -> None:
    assert sv_int(5, 4) == "4'd5"
    assert sv_int(-8, 4) == "4'h8"
    for value, width in ((16, 4), (-9, 4), (0, 0)):
        with pytest.raises(ValueError, match="does not fit"):
            sv_int(value, width)
    assert packed([1, -1, 2], 4) == Bits(value=0x2F1, width=12)
    assert str(Bits(value=1 << 40, width=41)) == "41'h10000000000"
    assert str(Numbers(values=(3, 5))) == "{32'd5, 32'd3}"
    assert str(Numbers(values=(7, 7, 7))) == "{3{32'd7}}"
    assert sv_parameter(-(1 << 31)) == "-32'sd2147483648"
    assert sv_parameter((1 << 32) - 1) == "32'd4294967295"
    for cut in (-(1 << 31) - 1, 1 << 32):
        with pytest.raises(ValueError, match="needs more than 32 bits"):
            sv_parameter(cut)
    assert sv_parameter(True) == "1'b1"
    with pytest.raises(ValueError, match="cannot be a SystemVerilog string"):
        sv_parameter('a"b')


def test_memory_words() -> None:
    rows = np.array([[1, -1], [7, 0]])
    assert hex_words(rows, 5) == "3e1\n007\n"
    assert constant_words(rows.tolist(), 5) == hex_words(rows, 5)
    assert lut_words(IntType(-2, 1), IntType(0, 9), (9, 8, 1, 2)) == "1\n2\n9\n8\n"
    with pytest.raises(ValueError, match="does not fit"):
        hex_words(np.array([[16]]), 4)
    assert BOARD.name == "pynq_z2"
