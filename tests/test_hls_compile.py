# SPDX-License-Identifier: Apache-2.0
"""Emitted projects under g++: no warnings, the testbench passes and fails, ports keep the rules."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import hls_designs as h
import numpy as np
import pytest

from hwrnn.backends.hls import LIBRARY, emit_hls, ports
from hwrnn.backends.hls_golden import expected
from hwrnn.backends.identity import top_name
from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options
from hwrnn.errors import ToolError
from hwrnn.ir import Concat, Flatten, Reverse
from hwrnn.sim.csim import build_csim, run_program
from hwrnn.sim.gxx import compile_in, compiler_call

pytestmark = pytest.mark.needs_sim
HERE = Path(__file__).parent / "hls"
# A label names a loop in the reports of HLS tools, and nothing jumps to it.
STRICT = ("-Wall", "-Wextra", "-Wno-unused-label", "-Wno-unknown-pragmas", "-Werror")


def project(folder: Path, design: Design, *sources: str, flags: tuple[str, ...] = ()) -> Path:
    """The emitted files and, compiled from `sources`, the program."""
    (emit_hls(design) | ports(design)).write(folder)
    call = compiler_call(f"-DHWRNN_TOP={top_name(design)}")
    compile_in(folder, [*call, *flags, *sources, "-o", "program"])
    return folder / "program"


def run(program: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program)],
        cwd=program.parent,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def two_directions() -> Design:
    x = h.source(3)
    forward = h.lstm("fw", x.out, 5, np.random.default_rng(1), channels=True)
    turned = Reverse(out=replace(x.out, name="x_back"), x="x")
    backward = h.lstm("bw", turned.out, 5, np.random.default_rng(2))
    back = Reverse(out=replace(backward.out, name="bw_back"), x="bw")
    both = Concat(out=h.value("both", h.S8, 10, sequence=True), xs=("fw", "bw_back"))
    g = h.graph(x, forward, turned, backward, back, both, h.sink(both.out))
    return h.design(g, pe=2, simd=3, max_steps=3)


def flattened() -> Design:
    x = h.source(3)
    layer = h.lstm("cell", x.out, 4, np.random.default_rng(1))
    flat = Flatten(out=h.value("flat", h.S8, 8), x="cell", steps=2)
    head = h.matvec("dense", flat.out, h.weights(np.random.default_rng(2), 2, 8, 4))
    return h.design(h.graph(x, layer, flat, head, h.sink(head.out)), pe=2, simd=2)


def test_testbench_without_a_warning_passes_then_fails(tmp_path: Path) -> None:
    program = project(tmp_path / "p", two_directions(), "top.cpp", "tb.cpp", flags=STRICT)
    passed = run(program)
    assert (passed.returncode, passed.stdout) == (
        0,
        "4 sequences, 0 differing elements\nPASS\n",
    )
    golden = program.parent / "golden_out.txt"
    right = golden.read_text()
    lines = right.splitlines()
    assert lines[:2] == ["4", "1"]
    first = lines[2].split()
    wrong = " ".join([first[0], str(int(first[1]) + 1), *first[2:]])
    golden.write_text("\n".join([*lines[:2], wrong, *lines[3:]]))
    failed = run(program)
    assert failed.returncode == 1
    assert failed.stdout == (
        f"FAIL sequence 0, step 0, unit 1: expected {int(first[1]) + 1}, got {first[1]}\n"
        "4 sequences, 1 differing elements\nFAIL\n"
    )
    golden.write_text("\n".join(lines[:-1]))
    assert "golden_out.txt is missing, cut short" in run(program).stdout


def test_testbench_interleaves_the_sequences_of_several_streams(tmp_path: Path) -> None:
    design = build_design(
        h.lstm_graph(3, 4), h.BOARD, {"pe": 2, "simd": 2}, options=Options(streams=3)
    )
    said = run(project(tmp_path / "p", design, "top.cpp", "tb.cpp", flags=STRICT)).stdout
    assert said == "4 sequences, 0 differing elements\nPASS\n"


def test_driver_compiles_without_a_warning(tmp_path: Path) -> None:
    design = flattened()
    project(tmp_path / "p", design, str(LIBRARY / "sim" / "csim_driver.cpp"), flags=STRICT)


def words(design: Design, sequence: np.ndarray) -> list[str]:
    """The words of a sequence, TLAST 0; every step's beats filled up with zeros."""
    x, lines = design.source.out, []
    for step in sequence.tolist():
        rest = step
        for used in x.beat_lanes:
            lines.append([*rest[:used], *[0] * (x.lanes - used)])
            rest = rest[used:]
    return [" ".join(map(str, line)) + " 0" for line in lines]


def ended(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1][:-1] + "1"]


def results(design: Design, text: str) -> list[list[int]]:
    """The sequences that came out, each as a flat list; unused lanes dropped."""
    found: list[list[int]] = [[]]
    beats = design.sink.x.beat_lanes
    lines = [line for line in text.splitlines() if line[:1] in "-0123456789"]
    for k, line in enumerate(lines):
        numbers = line.removesuffix("end").split()
        found[-1] += map(int, numbers[: beats[k % len(beats)]])
        if line.endswith("end"):
            found.append([])
    return found[:-1]


def flat(y: np.ndarray) -> list[int]:
    return [int(v) for v in y.ravel()]


SEQUENCE = np.array([[9, -100, 50], [7, 8, 127], [-128, 3, 77]])


def test_a_tlast_in_mid_step_is_repaired_with_zeros_and_flagged(tmp_path: Path) -> None:
    design = h.design(h.lstm_graph(3, 4), pe=1, simd=2)
    program = project(tmp_path / "p", design, str(HERE / "words.cpp"))
    good = ended(words(design, SEQUENCE))
    broken = ended(words(design, SEQUENCE)[:3])
    said = run(program, "\n".join([*broken, *good])).stdout
    repaired = np.array([SEQUENCE[0], [*SEQUENCE[1][:2], 0]])
    assert results(design, said) == [
        flat(expected(design, repaired)),
        flat(expected(design, SEQUENCE)),
    ]
    assert said.endswith("error 1\n")
    assert run(program, "\n".join(good)).stdout.endswith("error 0\n")


def test_a_sequence_of_another_than_the_fixed_length(tmp_path: Path) -> None:
    design = flattened()
    program = project(tmp_path / "p", design, str(HERE / "words.cpp"))
    good, short, long = SEQUENCE[:2], SEQUENCE[:1], SEQUENCE
    padded = np.array([SEQUENCE[0], [0, 0, 0]])
    for sent, taken, error in ((good, good, 0), (short, padded, 1), (long, good, 1)):
        lines = [*ended(words(design, sent)), *ended(words(design, good))]
        said = run(program, "\n".join(lines)).stdout
        assert results(design, said) == [flat(expected(design, s)) for s in (taken, good)]
        assert said.endswith(f"error {error}\n")


def test_a_sequence_that_is_too_long_is_dropped(tmp_path: Path) -> None:
    design = two_directions()
    program = project(tmp_path / "p", design, str(HERE / "words.cpp"))
    long = np.vstack([SEQUENCE, SEQUENCE])
    lines = [*ended(words(design, long)), *ended(words(design, SEQUENCE))]
    said = run(program, "\n".join(lines)).stdout
    assert results(design, said) == [flat(expected(design, SEQUENCE))]
    assert said.endswith("error 1\n")
    assert run(program, "\n".join(ended(words(design, long)))).stdout.startswith("waits\n")


def test_our_stream_header(tmp_path: Path) -> None:
    compile_in(tmp_path, [*compiler_call(), *STRICT, str(HERE / "stream.cpp"), "-o", "stream"])
    done = run(tmp_path / "stream")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_broken_rule_is_told_in_words(tmp_path: Path) -> None:
    emit_hls(h.design(h.lstm_graph(3, 4))).write(tmp_path / "p")
    with pytest.raises(ToolError, match="a beat has at least one lane"):
        compile_in(tmp_path / "p", [*compiler_call(), "-c", str(HERE / "too_few_lanes.cpp")])


def test_a_simulation_that_fails_says_so(tmp_path: Path) -> None:
    program = build_csim(h.design(h.lstm_graph(3, 4)))
    with pytest.raises(ToolError, match="csim: the simulation failed: cannot read the input file"):
        run_program([str(program), str(tmp_path / "absent"), str(tmp_path / "out")])
