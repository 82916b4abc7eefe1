# SPDX-License-Identifier: Apache-2.0
"""The commands on a real model file: what they write, what they return, what they refuse."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import hwrnn
from hwrnn.cli import main

pytestmark = pytest.mark.needs_train


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network, exported."""
    import torch
    from brevitas import nn as qnn

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = qnn.QuantLSTM(3, 4, batch_first=True)
            self.head = qnn.QuantLinear(4, 2, bias=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.head(self.lstm(x)[0][:, -1])
            return y

    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(1)
        module = Module()
        module(torch.randn(4, 5, 3))
        hwrnn.export(module, torch.randn(2, 5, 3), path)
    return path


def test_build_writes_both_projects(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "project"
    assert main(["build", str(model), "--board", "PYNQ-Z2", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["estimate"]["latency_cycles"] > 0
    assert (out / "hls_project" / "top.cpp").is_file()
    assert (out / "rtl_project" / "rtl" / "hwrnn_tiny.sv").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["project"]  # no temporary folder is left


def test_build_twice_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main(["build", str(model), "--board", "zcu104", "-o", str(tmp_path / name)]) == 0
    first, second = (
        {
            p.relative_to(tmp_path / n): p.read_bytes()
            for p in (tmp_path / n).rglob("*.*")
            if p.is_file()
        }
        for n in ("a", "b")
    )
    assert first == second
    assert len(first) > 20


def test_run_writes_the_real_outputs(model: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(6, 7, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    arguments = ["run", str(model), str(tmp_path / "x.npy"), "-o", str(tmp_path / "y.npy")]
    assert main([*arguments, "--dump", str(tmp_path / "dump")]) == 0
    y = np.load(tmp_path / "y.npy")
    assert np.array_equal(y, np.asarray(hwrnn.run(hwrnn.load(model), x)))
    assert any(p.name.endswith("c_next.npy") for p in (tmp_path / "dump").iterdir())


def test_run_takes_the_steps_of_each_sequence(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(0).normal(size=(3, 7, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "steps.npy", np.array([7, 2, 4]))
    arguments = ["run", str(model), str(tmp_path / "x.npy"), "-o", str(tmp_path / "y.npy")]
    lengths = ["--lengths", str(tmp_path / "steps.npy")]
    assert main([*arguments, *lengths]) == 0
    y = np.load(tmp_path / "y.npy")
    assert np.array_equal(y, np.asarray(hwrnn.run(hwrnn.load(model), x, lengths=[7, 2, 4])))
    assert not np.array_equal(y, np.asarray(hwrnn.run(hwrnn.load(model), x)))
    capsys.readouterr()
    assert main([*arguments, *lengths, "--dump", str(tmp_path / "dump")]) == 2
    assert capsys.readouterr().err == (
        "--dump: shows whole sequences\n  hint: leave out --lengths\n"
    )


def test_show_and_estimate(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(model)]) == 0
    assert "%lstm_l0d0" in capsys.readouterr().out
    assert main(["estimate", str(model), "--board", "ulx3s_85f", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["board"] == "ulx3s_85f"


def test_a_searched_folding_is_told_and_saved(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "folding.json"
    arguments = ["estimate", str(model), "--board", "pynq_z2", "--json"]
    search = ["--target-latency-us", "1.5", "--save-folding", str(saved)]
    assert main([*arguments, *search]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["latency_us"] <= 1.5
    assert told["bound"].endswith(" for a target of 1.5")
    assert told["folding"] == json.loads(saved.read_text())
    assert main([*arguments, "--folding", str(saved)]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == {key: value for key, value in told.items() if key != "bound"}


def test_build_says_what_bounds_a_design(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["build", str(model), "--board", "pynq_z2", "--fill", "0.2", "--backend", "hls"]
    saved = tmp_path / "folding.json"
    project = tmp_path / "project"
    assert main([*arguments, "--save-folding", str(saved), "-o", str(project)]) == 0
    text = capsys.readouterr().out
    assert "bound: layer lstm_l0d0: " in text
    assert "of 20 % allowed" in text
    assert (project / "folding.json").read_bytes() == saved.read_bytes()
    nowhere = ["--save-folding", str(tmp_path / "no" / "f.json"), "-o", str(tmp_path / "second")]
    assert main([*arguments, *nowhere]) == 2
    assert "f.json: cannot be written: No such file or directory" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()


def test_verify_says_what_it_compared(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(model), "--engines", "reference,cmodel", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [e["engine"] for e in told["engines"]] == ["reference", "cmodel"]
    assert told["ok"]


REFUSED = [
    (["build", "MODEL", "--board", "pynq_z3", "-o", "OUT"], 2, 'board "pynq_z3"'),
    (["build", "MODEL", "--board", "pynq_z2", "-o", "FILE"], 2, "is a file"),
    (["build", "MODEL", "--board", "pynq_z2", "-o", "FILE/below"], 2, "cannot be written"),
    (["build", "FILE", "--board", "pynq_z2", "-o", "OUT"], 2, "ONNX"),
    (["build", "MODEL", "--board", "pynq_z2", "-o", "OUT", "--folding", "BIG"], 2, "pe 99"),
    (["build", "MODEL", "--board", "pynq_z2", "-o", "OUT", "--folding", "FILE"], 2, "JSON"),
    (["build", "MODEL", "--board", "pynq_z2", "-o", "OUT", "--fill", "2"], 2, "option fill: is 2"),
    (
        ["build", "MODEL", "-b", "pynq_z2", "-o", "OUT", "--fill", "1", "--folding", "BIG"],
        2,
        "option folding: cannot be given together with fill",
    ),
    (
        ["estimate", "MODEL", "-b", "pynq_z2", "--target-latency-us", "0.01"],
        2,
        "the fastest design on TUL PYNQ-Z2 takes",
    ),
    (["build", "MODEL", "-b", "icebreaker", "-o", "OUT", "--baud", "9600"], 2, "--baud: means"),
    (["build", "MODEL", "-b", "icebreaker", "-o", "FILE", "--bitstream"], 2, "is a file"),
    (["synth", "MODEL", "-b", "icebreaker", "-o", "FILE"], 2, "is a file; the output"),
    (["estimate", "MODEL", "-b", "kv260", "--steps", "1000000000"], 2, "option steps: is 1"),
    (["estimate", "MODEL", "-b", "kv260", "--streams", "1000"], 2, "option streams: is 1000"),
    (["verify", "MODEL", "--engines", "rtl,vivado"], 2, 'engine "vivado"'),
    (["run", "MODEL", "FILE", "-o", "OUT"], 2, "FILE"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[2])
def test_refusals_leave_nothing_behind(
    case: tuple[list[str], int, str],
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv, code, fact = case
    (tmp_path / "FILE").write_text("not what you think")
    (tmp_path / "BIG").write_text('{"lstm_l0d0": {"pe": 99}}')
    places = {name: str(tmp_path / name) for name in ("FILE", "OUT", "BIG")} | {"MODEL": str(model)}
    filled = [
        a.replace(a.split("/")[0], places.get(a.split("/")[0], a.split("/")[0])) for a in argv
    ]
    assert main(filled) == code
    error = capsys.readouterr().err
    assert fact in error
    assert "Traceback" not in error
    assert sorted(p.name for p in tmp_path.iterdir()) == ["BIG", "FILE"]


@pytest.mark.parametrize("engine", ["rtl", "hls_dpi"])
def test_a_missing_simulator_is_exit_code_3(
    engine: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HWRNN_VERILATOR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("HWRNN_CACHE", str(tmp_path / "cache"))
    assert main(["verify", str(model), "--engines", engine]) == 3
    error = capsys.readouterr().err
    assert "hint:" in error
    assert "Traceback" not in error


def test_a_missing_compiler_is_exit_code_3(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CXX", str(tmp_path / "no-such-compiler"))
    monkeypatch.setenv("HWRNN_CACHE", str(tmp_path / "cache"))
    assert main(["verify", str(model), "--engines", "csim"]) == 3
    assert "no-such-compiler" in capsys.readouterr().err
