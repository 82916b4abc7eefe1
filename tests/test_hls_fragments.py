# SPDX-License-Identifier: Apache-2.0
"""HLS C++ that keeps its states: fragments of sequences equal the sequences, in one piece."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from rtl.bench import lower, same
from rtl.cells import cell_graph
from rtl.graphs import Build
from test_hls_compile import STRICT

import hwrnn
from hwrnn.backends.hls import emit_hls
from hwrnn.backends.hls_golden import expected_fragments
from hwrnn.cmodel.fast import compile_graph
from hwrnn.design.design import Design
from hwrnn.design.options import Options, StateRule
from hwrnn.ir import Graph
from hwrnn.ir.types import of_bits
from hwrnn.sim.csim import Ints, simulate_csim
from hwrnn.sim.gxx import compile_in, compiler_call
from hwrnn.sim.hls_dpi import build_hls_dpi, simulate_hls_dpi
from hwrnn.sim.rtl_beats import PortShape, from_beats, to_beats
from hwrnn.sim.rtl_run import Job, Stalls, run_job
from hwrnn.sim.verilate import Driver

pytestmark = pytest.mark.needs_sim
KEEP = Options(state=StateRule.KEEP)
S6 = of_bits(6, signed=True)
STEPS = 4_000


def lstms() -> Graph:
    """Two LSTMs, then a dense layer on every step."""
    b = Build(3)
    return b.graph(b.dense(b.lstm(b.lstm(b.input(2, S6), 4), 3), 3))


def last_step() -> Graph:
    """An RNN, of which the last step is classified."""
    b = Build(4)
    return b.graph(b.dense(b.select(b.rnn(b.input(3, S6), 5)), 2))


CASES: dict[str, tuple[Callable[[], Graph], int, int]] = {
    "two lstms, dense on each step": (lstms, 2, 3),
    "rnn, last step": (last_step, 3, 2),
    "gru": (lambda: cell_graph("reset_after", 5), 2, 3),
    "states unit by unit": (lambda: cell_graph("level_by_group", 6), 2, 2),
}


def pieces(design: Design, lengths: Sequence[int], seed: int = 0) -> list[Ints]:
    rng = np.random.default_rng(seed)
    x = design.source.out
    return [rng.integers(x.type.lo, x.type.hi + 1, (n, x.features)) for n in lengths]


@pytest.mark.parametrize("case", CASES)
def test_an_endless_signal_in_random_fragments(case: str) -> None:
    """One long sequence, cut at random, is one long run; the next sequence starts anew."""
    make, pe, simd = CASES[case]
    graph = make()
    design = lower(graph, pe, simd, options=KEEP)
    rng = np.random.default_rng(7)
    cuts = np.sort(rng.choice(np.arange(1, STEPS), 300, replace=False))
    signal, other = pieces(design, [STEPS, 9])
    fragments = [*np.split(signal, cuts), other[:4], other[4:]]
    first = [k in (0, len(cuts) + 1) for k in range(len(fragments))]
    found = simulate_csim(design, fragments, first=first)
    port, out = graph.inputs[0].out.name, graph.outputs[0].out
    model = compile_graph(graph)
    if out.sequence:
        whole = [model.run({port: x[:, None]})[out.name][:, 0] for x in (signal, other)]
        np.testing.assert_array_equal(np.concatenate(found), np.concatenate(whole))
        return
    ends = [*cuts.tolist(), STEPS]
    chosen = [0, 17, len(ends) - 1]
    for k in chosen:
        exact = model.run({port: signal[: ends[k], None]})[out.name]
        np.testing.assert_array_equal(found[k], exact)
    np.testing.assert_array_equal(found[-1], model.run({port: other[:, None]})[out.name])


FLAGS = [False, False, True, False, True, True, False]
LENGTHS = (3, 1, 2, 5, 1, 1, 4)


def test_the_first_fragment_after_reset_starts_a_sequence_whatever_its_flag() -> None:
    """Its states start from numbers that are not zero."""
    design = lower(lstms(), 2, 3, options=KEEP)
    xs = pieces(design, LENGTHS, seed=1)
    exact = expected_fragments(design, xs, [True, *FLAGS[1:]])
    same(simulate_csim(design, xs, first=FLAGS), exact)
    for wrong in ([False] * len(xs), [True] * len(xs)):
        with pytest.raises(AssertionError):
            same(simulate_csim(design, xs, first=wrong), exact)


def test_without_flags_every_sequence_starts_anew() -> None:
    design = lower(last_step(), 3, 2, options=KEEP)
    xs = pieces(design, LENGTHS, seed=2)
    same(simulate_csim(design, xs), expected_fragments(design, xs, [True] * len(xs)))


@pytest.mark.parametrize("last", [True, False])
def test_simulate_takes_flags(last: bool) -> None:
    graph = last_step() if last else lstms()
    features = graph.inputs[0].out.size
    design = hwrnn.build(
        graph, folding={"pe": 3, "simd": 2} if last else {"pe": 2, "simd": 3}, state="keep"
    )
    x = np.random.default_rng(2).integers(-32, 32, (5, 7, features))
    lengths, first = (7, 1, 3, 1, 2), [True, False, False, True, False]
    for flags in (first, [True, False, False, False, False]):
        given = None if flags != first else first  # by default the batch is one sequence
        found = hwrnn.simulate(design, x, engine="csim", lengths=lengths, first=given)
        exact = hwrnn.run(graph, x, lengths=lengths, first=flags, integers=True)
        np.testing.assert_array_equal(found.outputs, exact)
        assert found.cycles is None


def test_behind_axi_stream_ports_with_stalls() -> None:
    """TUSER of a fragment's first beat counts, that of other beats does not."""
    design = lower(lstms(), 2, 1, options=KEEP)
    xs = pieces(design, LENGTHS, seed=3)
    exact = expected_fragments(design, xs, [True, *FLAGS[1:]])
    same(simulate_hls_dpi(design, xs, first=FLAGS), exact)
    x, y = PortShape.of(design.source.out), PortShape.of(design.sink.x)
    assert x.beats > 1
    marked = to_beats(x, xs, FLAGS)
    noisy = marked.copy()
    noisy[:, -1] |= 2
    starts = np.cumsum([0, *LENGTHS[:-1]]) * x.beats
    noisy[starts, -1] = marked[starts, -1]
    job = Job(beats=noisy, out_octets=y.octets, sequences=len(xs), patience=1000, stalls=Stalls())
    report = run_job(build_hls_dpi(design), job, Driver.COCOTB)
    same(from_beats(y, report.beats), exact)
    assert not report.error


def test_a_reset_starts_anew() -> None:
    """A second run of the program has states of its own: nothing is kept outside of the top."""
    design = lower(last_step(), 3, 2, options=KEEP)
    xs = pieces(design, (3, 2))
    runs = [simulate_csim(design, xs, first=[False, False]) for _ in range(2)]
    same(runs[0], runs[1])


def test_the_testbench_plays_fragments(tmp_path: Path) -> None:
    emit_hls(lower(lstms(), 2, 3, options=KEEP)).write(tmp_path / "p")
    compile_in(tmp_path / "p", [*compiler_call(), *STRICT, "top.cpp", "tb.cpp", "-o", "program"])
    golden = tmp_path / "p" / "golden_in.txt"
    text = golden.read_text()
    lines = text.splitlines()
    assert lines[:3] == ["4", "1", "1"]
    assert lines[4:6] == ["0", "3"]
    assert played(tmp_path / "p").endswith("4 sequences, 0 differing elements\nPASS\n")
    golden.write_text("\n".join([*lines[:4], "1", *lines[5:]]) + "\n")
    assert played(tmp_path / "p").startswith("FAIL sequence 1, step 0")


def played(folder: Path) -> str:
    done = subprocess.run(
        ["./program"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout


def test_a_project_tells_of_fragments() -> None:
    files = hwrnn.emit(hwrnn.build(last_step(), state="keep"), "both")
    readme = str(files["hls_project/README.md"])
    assert "TUSER 1: 3 elements" in readme
    assert "takes one fragment of a sequence" in readme
    top = str(files["hls_project/top.cpp"])
    assert "#pragma HLS RESET variable=input_begun" in top
    plain = hwrnn.emit(hwrnn.build(last_step()), "hls")
    assert not any("first_" in str(plain[name]) for name in ("top.cpp", "README.md"))


def test_a_layer_without_states_is_told_nothing() -> None:
    b = Build(5)
    design = lower(b.graph(b.dense(b.input(3, S6), 2)), 2, 3, options=KEEP)
    xs = pieces(design, LENGTHS)
    same(simulate_csim(design, xs, first=FLAGS), expected_fragments(design, xs, [True, *FLAGS[1:]]))
