# SPDX-License-Identifier: Apache-2.0
"""The command line: what it prints where, and its exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hwrnn
from hwrnn.cli import main
from hwrnn.cli_files import load_array, save_arrays, save_outputs
from hwrnn.cli_print import print_table
from hwrnn.errors import DataError, OutputError

COMMANDS = (
    "build", "show", "run", "verify", "estimate", "synth", "weights", "boards", "doctor", "demo",
)  # fmt: skip


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hwrnn {hwrnn.__version__}\n"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    assert "3 a needed tool is" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    assert main([command, "--help"]) == 0


@pytest.mark.parametrize(
    "argv",
    [
        ["nope"],
        ["--nope"],
        ["build"],
        ["build", "m.onnx"],
        ["build", "m.onnx", "--board", "kv260"],
        ["build", "m.onnx", "--board", "kv260", "-o", "x", "--backend", "vhdl"],
        ["build", "m.onnx", "--board", "kv260", "-o", "x", "--target-latency-us", "fast"],
        ["run", "m.onnx", "x.npy"],
        ["boards", "kv260"],
        [],
    ],
    ids=" ".join,
)
def test_usage_errors_are_exit_code_2(argv: list[str]) -> None:
    assert main(argv) == 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["synth", "m.onnx", "--board", "kv260"],
            "m.onnx: there is no such file\n"
            "  hint: check the path; hwrnn.export(module, example_input, path) writes one\n",
        ),
        (
            ["build", "m.onnx", "--board", "kv260", "-o", "x", "--bitstream"],
            "kv260: has a xck26-sfvc784-2LV-c, for which there is no open tool that makes "
            "bitstreams\n  hint: run the vendor's script vivado.tcl of the RTL project\n",
        ),
        (
            ["run", "m.onnx", "no.npy", "-o", "y.npy"],
            "no.npy: cannot be read: No such file or directory\n"
            "  hint: give the path of an array that numpy.save wrote\n",
        ),
    ],
    ids=["synth", "bitstream", "run"],
)
def test_an_error_is_a_sentence_on_stderr(
    argv: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", message)
    assert list(tmp_path.iterdir()) == []


def test_boards_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[2] == "board part MHz LUT FF DSP RAM blocks URAM tools"
    assert (
        "pynq_z2 TUL PYNQ-Z2 xc7z020clg400-1 100 53,200 106,400 220 DSP48E1 140 x 36 Kbit vivado"
    ) in lines


def test_boards_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 9
    assert {b["name"]: b["luts"] for b in listed}["zcu104"] == 230_400


def test_doctor_names_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWRNN_VERILATOR", "/no/verilator")
    assert main(["doctor"]) == 3
    text = capsys.readouterr().out
    assert "MISSING" in text
    assert text.endswith(
        "HWRNN_VERILATOR: /no/verilator is not a program\n  hint: unset it, or correct the path\n"
    )


def test_doctor_as_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWRNN_VERILATOR", "/no/verilator")
    assert main(["doctor", "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    missing = [t for t in report["tools"] if t["missing"] and not t["optional"]]
    assert "verilator" in [t["tool"] for t in missing]


@pytest.mark.needs_sim
@pytest.mark.needs_train
def test_doctor_on_a_complete_machine() -> None:
    assert main(["doctor"]) == 0


def test_the_module_runs_and_prints_no_traceback() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "hwrnn", "synth", "m.onnx", "-b", "kv260"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 2
    assert "Traceback" not in run.stderr


def npy(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(1), b=np.zeros(1))
    return buffer.getvalue()


JUNK = "is not a .npy file of numbers"
HUGE = npy(np.zeros(8)).replace(b"(8,)", b"(8000000000000000,)")


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", JUNK),
        (b"hello", JUNK),
        (npy(np.zeros(8))[:-3], JUNK),
        (npy(np.zeros(8))[:20], JUNK),
        (HUGE, JUNK),
        (b"PK\x03\x04junk", JUNK),
        (npy(np.array([{}], dtype=object)), JUNK),
        (npy(np.array(["a"])), "holds <U1, not numbers"),
        (npy(np.array([1j])), "holds complex128, not numbers"),
        (npz(), "holds several arrays"),
    ],
    ids=["empty", "text", "cut", "header cut", "huge", "zip", "object", "string", "complex", "npz"],
)
def test_input_arrays_that_are_refused(tmp_path: Path, content: bytes, fact: str) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_array(path)
    assert (caught.value.fact, caught.value.hint) == (
        fact,
        "write it with numpy.save(path, array)",
    )


def test_a_folder_is_not_an_input(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        load_array(tmp_path)


def test_outputs_are_written_and_read_back(tmp_path: Path) -> None:
    one = np.arange(3, dtype=np.float32)
    assert save_outputs(tmp_path / "y.npy", one) == [tmp_path / "y.npy"]
    assert load_array(tmp_path / "y.npy").tolist() == [0, 1, 2]
    paths = save_outputs(tmp_path / "y.npy", {"h": one, "c": one + 1})
    assert [p.name for p in paths] == ["y.h.npy", "y.c.npy"]
    save_arrays(tmp_path / "dump" / "here", {"acc": one})
    assert load_array(tmp_path / "dump" / "here" / "acc.npy").tolist() == [0, 1, 2]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="y.npy: cannot be written: No such file or directory"):
        save_outputs(tmp_path / "no" / "y.npy", np.zeros(1))
    with pytest.raises(OutputError, match="file: cannot be made: File exists"):
        save_arrays(tmp_path / "file", {})


@pytest.mark.parametrize("title", ["short", "a title that is longer than the table below it"])
def test_a_title_is_one_line(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(title, [{"what": "cells", "count": "1,234"}])
    lines = [line.rstrip() for line in capsys.readouterr().out.split("\n")]
    assert lines[0] == title
    assert [line.split() for line in lines if "cells" in line] == [["cells", "1,234"]]
