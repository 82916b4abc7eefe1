# SPDX-License-Identifier: Apache-2.0
"""HLS C++ with several ports: initial states in, states out, equal to the C-model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from random_ports import all_states, random_ports
from rtl.bench import BOARD
from rtl.cells import cell_graph
from rtl.graphs import Build
from rtl.ports import Data, draw_ports, reference_ports, same_ports
from test_hls_compile import STRICT
from test_hls_fragments import FLAGS, LENGTHS, played
from test_writable_engines import declared, retrained

import hwrnn
from hwrnn.backends.hls import emit_hls
from hwrnn.backends.hls_golden import fragments_by_name
from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.design.options import Directions, Options, StateRule
from hwrnn.ir import Graph, MatVec, Scan
from hwrnn.ir.types import of_bits
from hwrnn.sim.csim import Given, csim_every
from hwrnn.sim.gxx import compile_in, compiler_call
from hwrnn.sim.hls_dpi import build_hls_dpi, hls_dpi_every
from hwrnn.sim.rtl import every_result, job_of
from hwrnn.sim.rtl_run import Stalls, run_job
from hwrnn.sim.verilate import Driver

pytestmark = pytest.mark.needs_sim
S6 = of_bits(6, signed=True)


def built(graph: Graph, options: Options | None = None) -> Design:
    return build_design(graph, BOARD, {"pe": 2, "simd": 3}, 7, options)


@cache
def lstm() -> Design:
    """h and c in and out, beside the sequences; vectors of three beats."""
    return built(all_states(cell_graph("four_gates", 1, inputs=3, units=5)))


def bidirectional() -> Graph:
    b = Build(3)
    return all_states(b.graph(b.bidirectional(b.input(3, S6), 5)))


CASES: dict[str, tuple[Callable[[], Graph], Options]] = {
    "gru": (lambda: all_states(cell_graph("reset_before", 4)), Options()),
    "rnn on three streams": (lambda: all_states(cell_graph("plain", 3)), Options(streams=3)),
    "two directions on one engine": (bidirectional, Options(directions=Directions.SHARED)),
}


def given(data: Data) -> Given:
    return Given(sequences=data.sequences, states=data.states)


@pytest.mark.parametrize("case", CASES)
def test_states_in_and_out(case: str) -> None:
    make, options = CASES[case]
    graph = make()
    design = built(graph, options)
    data = draw_ports(design, LENGTHS)
    same_ports(csim_every(design, given(data)), reference_ports(graph, data))


def test_random_ports() -> None:
    """Two layers on five streams, three inputs, four outputs."""
    seed = 16
    case, design = random_ports(seed)
    data = draw_ports(design, case.lengths, seed)
    same_ports(csim_every(design, given(data)), reference_ports(design.graph, data))


def test_behind_axi_stream_ports_with_stalls() -> None:
    design = lstm()
    data = draw_ports(design, LENGTHS)
    stalls = Stalls(input_idle=0.4, output_stall=0.4, seed=3)
    found = hls_dpi_every(design, given(data), stalls=stalls)
    same_ports(found, reference_ports(design.graph, data))


@pytest.mark.parametrize("last", [0, 2])  # of three beats: too early; one beat too late
def test_a_vector_of_another_length_raises_the_error_and_nothing_else_is_wrong(last: int) -> None:
    design = lstm()
    data = draw_ports(design, (2, 3, 1))
    job = job_of(design, data.sequences, Stalls(), (), states=data.states)
    h0, c0 = job.more_inputs
    states = {name: list(rows) for name, rows in data.states.items()}
    rows, end = h0.beats.copy(), 3 + last
    if last:
        rows[end, -1] = 0
        rows = np.insert(rows, end + 1, rows[0], axis=0)
        rows[end + 1, -1] = 1
    else:
        rows = np.delete(rows, [end + 1, end + 2], axis=0)
        rows[end, -1] = 1
        kept = np.arange(5) < design.sources[1].out.lanes
        states["h0"][1] = np.where(kept, states["h0"][1], 0)
    changed = replace(job, more_inputs=(replace(h0, beats=rows), c0))
    report = run_job(build_hls_dpi(design), changed, Driver.COCOTB)
    run = every_result(design, report, 3)
    assert run.error
    same_ports(run.every, reference_ports(design.graph, Data(data.sequences, states)))


def test_simulate_and_verify_take_and_give_all_by_name() -> None:
    design = lstm()
    rng = np.random.default_rng(3)
    x, h0, c0 = (
        rng.integers(p.out.type.lo, p.out.type.hi + 1, shape)
        for p, shape in zip(design.graph.inputs, ((4, 7, 3), (4, 5), (4, 5)), strict=True)
    )
    lengths = (7, 1, 3, 2)
    found = hwrnn.simulate(design, {"x": x, "h0": h0, "c0": c0}, engine="csim", lengths=lengths)
    exact = hwrnn.run(design.graph, (x, h0, c0), lengths=lengths, integers=True)
    assert isinstance(exact, dict)
    assert list(found.outputs) == ["y", "hn", "cn"]
    for name, q in exact.items():
        np.testing.assert_array_equal(found.outputs[name], q)
    engines = ("cmodel", "csim", "hls_dpi")
    report = hwrnn.verify(design.graph, (x, h0, c0), engines=engines, design=design)
    assert report.ok
    assert {e.values for e in report.engines} == {4 * 7 * 5 + 2 * 4 * 5}


def test_pieces_of_a_signal_give_states_behind_each() -> None:
    """Two outputs of a design that keeps its states: the steps of a piece, and h behind it."""
    b = Build(6)
    graph = b.graph(b.lstm(b.input(3, S6), 4))
    graph = without_inputs(all_states(graph), graph)
    design = built(graph, Options(state=StateRule.KEEP))
    data = draw_ports(design, LENGTHS)
    found = csim_every(design, Given(sequences=data.sequences, first=FLAGS))
    same_ports(found, fragments_by_name(design, data.sequences, [True, *FLAGS[1:]]))


def without_inputs(graph: Graph, before: Graph) -> Graph:
    """The graph with the initial values that it had, and no further inputs."""
    gone = {port.out.name for port in graph.inputs[1:]}
    body = before.scans[0].body
    kept = (replace(op, body=body) if isinstance(op, Scan) else op for op in graph.ops)
    return replace(graph, ops=tuple(op for op in kept if op.out.name not in gone)).verify()


def test_images_and_states_from_outside() -> None:
    graph = all_states(cell_graph("plain", 2)).rewrite(MatVec, declared)
    design = built(graph, Options(writable=True))
    other = retrained(graph, 5)
    data = draw_ports(design, (3, 1, 4, 2))
    writes = [(2, *write) for write in hwrnn.weights(design, other).words]
    found = csim_every(design, replace(given(data), writes=writes))
    old, new = (reference_ports(g, data) for g in (graph, other))
    same_ports(found, {name: [*old[name][:2], *new[name][2:]] for name in old})


def test_the_testbench_plays_and_compares_every_port(tmp_path: Path) -> None:
    design = built(CASES["rnn on three streams"][0](), CASES["rnn on three streams"][1])
    folder = tmp_path / "p"
    emit_hls(design).write(folder)
    compile_in(folder, [*compiler_call(), *STRICT, "top.cpp", "tb.cpp", "-o", "program"])
    assert played(folder) == "4 sequences, 0 differing elements\nPASS\n"
    golden = folder / "golden_out_hn.txt"
    right = golden.read_text().splitlines()
    first = right[2].split()
    wrong = " ".join([str(int(first[0]) + 1), *first[1:]])
    golden.write_text("\n".join([*right[:2], wrong, *right[3:]]) + "\n")
    said = played(folder)
    assert said.startswith(f"FAIL sequence 0, step 0, unit 0: expected {int(first[0]) + 1}, got ")
    assert said.endswith("4 sequences, 1 differing elements\nFAIL\n")


def test_a_project_names_its_ports() -> None:
    files = emit_hls(lstm())
    readme, top = str(files["README.md"]), str(files["top.cpp"])
    for port in ("s_axis_x", "s_axis_h0", "s_axis_c0", "m_axis_y", "m_axis_hn", "m_axis_cn"):
        assert f"| `{port}` |" in readme
        assert f"#pragma HLS INTERFACE mode=axis port={port}\n" in top
    assert "tb.file=golden_in_c0.txt" in str(files["hls_config.cfg"])
    for name, body in files.items():
        code = name.endswith((".hpp", ".cpp")) and "constants_" not in name
        assert not code or max(map(len, str(body).splitlines()), default=0) <= 100, name
