# SPDX-License-Identifier: Apache-2.0
"""Float ONNX files on the command line: --calibration and its kin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from test_onnx_inputs import BATCH, SEQUENCE, UNITS, File, X, plain, states

import hwrnn
from hwrnn.cli import main


def last_state() -> File:
    """A GRU and what is left of its state at the end."""
    file = File(X=SEQUENCE)
    file.const("zero", [0], np.int64)
    file.cell("GRU", "X")
    file.node("Squeeze", ["Y_h", "zero"], "last")
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float file, one with states, and data for both."""
    place = tmp_path_factory.mktemp("float")
    onnx.save(last_state().model("last"), place / "float.onnx")
    onnx.save(plain("GRU").model("Y", "Y_h"), place / "states.onnx")
    np.save(place / "x.npy", X)
    np.savez(place / "xh.npz", X=X, h0=states(1, BATCH, UNITS))
    return place


def words(folder: Path, *more: str) -> list[str]:
    return ["--calibration", str(folder / "x.npy"), "--weight-bits", "4", "--act-bits", "6", *more]


def test_every_command_reads_a_float_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(folder / "float.onnx")
    graph = hwrnn.load(model, calibration=X, weight_bits=4, act_bits=6)
    given = words(folder)
    assert main(["show", model, *given]) == 0
    assert capsys.readouterr().out == f"{graph}\n"
    assert main(["run", model, str(folder / "x.npy"), "-o", str(tmp_path / "y.npy"), *given]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), hwrnn.run(graph, X))
    capsys.readouterr()
    assert main(["estimate", model, "-b", "zcu104", "--json", *given]) == 0
    told = json.loads(capsys.readouterr().out)
    design = hwrnn.build(graph, "zcu104")
    assert told["latency_cycles"] == hwrnn.estimate(design).latency_cycles
    out = tmp_path / "project"
    assert main(["build", model, "-b", "zcu104", "-o", str(out), "--backend", "hls", *given]) == 0
    for path, content in hwrnn.emit(design, backend="hls").items():
        whole = content if isinstance(content, bytes) else content.encode()
        assert (out / path).read_bytes() == whole
    capsys.readouterr()
    assert main(["verify", model, "--engines", "reference,cmodel", "--json", *given]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]


def test_observer_and_scales_are_passed_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(folder / "float.onnx")
    given = words(folder, "--scales", "float", "--observer", "percentile")
    assert main(["show", model, *given]) == 0
    graph = hwrnn.load(
        model, calibration=X, weight_bits=4, act_bits=6, scales="float", observer="percentile"
    )
    assert capsys.readouterr().out == f"{graph}\n"


def test_several_inputs_are_an_npz_file(folder: Path, tmp_path: Path) -> None:
    model, data = str(folder / "states.onnx"), str(folder / "xh.npz")
    arguments = ["run", model, data, "-o", str(tmp_path / "y.npy"), "--calibration", data]
    assert main(arguments) == 0
    feed: dict[str, Any] = {"X": X, "h0": states(1, BATCH, UNITS)}
    want = hwrnn.run(hwrnn.load(model, calibration=feed), feed)
    assert isinstance(want, dict)
    for name, y in want.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"y.{name}.npy"), y)


REFUSED: dict[str, tuple[list[str], str]] = {
    "no data": (
        ["--weight-bits", "4"],
        "--weight-bits: means nothing without data\n  hint: give --calibration as well\n",
    ),
    "no file": (["--calibration", "gone.npy"], "gone.npy: cannot be read: No such file"),
    "no bits": (
        ["--calibration", "x.npy", "--act-bits", "40"],
        "option act_bits: is 40\n  hint: give 2 to 16\n",
    ),
    "no floats": (
        [],
        'float.onnx: node "n_Y": a standard GRU node, whose state and gates are not quantised\n'
        "  hint: quantise it with hwrnn.load(path, calibration=x) or --calibration x.npy, or train "
        "with hwrnn.nn.QuantGRU, all its quantisers on\n",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_sentences(
    case: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    more, message = REFUSED[case]
    monkeypatch.chdir(folder)
    assert main(["show", "float.onnx", *more]) == 2
    told = capsys.readouterr().err
    assert told.startswith(message) if case == "no file" else told == message


def test_a_quantised_file_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    """Data for a model that has nothing left to quantise change nothing."""
    graph = hwrnn.load(folder / "float.onnx", calibration=X)
    assert graph.lowered is not None
    (tmp_path / "quantised.onnx").write_bytes(graph.lowered)
    again = hwrnn.load(tmp_path / "quantised.onnx", calibration=100 * X, act_bits=3)
    np.testing.assert_array_equal(hwrnn.run(again, X), hwrnn.run(graph, X))
