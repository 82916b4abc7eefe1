# SPDX-License-Identifier: Apache-2.0
"""The cocotb testbench: protocol checks on every stream, the same cycles as the C++ harness."""

from __future__ import annotations

from pathlib import Path

import pytest
from rtl.bench import check, draw, lower, reference, same
from rtl.graphs import Build

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import emit_rtl, top_name
from hwrnn.design.design import Design
from hwrnn.errors import ToolError
from hwrnn.ir import Graph
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import Stalls, rtl_source, simulate_rtl
from hwrnn.sim.rtl_beats import PortShape, to_beats
from hwrnn.sim.rtl_run import Job, run_job
from hwrnn.sim.verilate import Driver, Source, Variant, compile_rtl

pytestmark = pytest.mark.needs_sim

COCOTB = Variant(driver=Driver.COCOTB)


def network() -> tuple[Graph, Design]:
    b = Build(3)
    graph = b.graph(b.dense(b.bidirectional(b.input(5, of_bits(8, signed=True)), 4), 3))
    return graph, lower(graph, 2, 2, max_steps=5)


@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_idles_and_back_pressure(idle: float, stall: float) -> None:
    graph, design = network()
    sequences = draw(design, (3, 1, 5, 2))
    stalls = Stalls(input_idle=idle, output_stall=stall, seed=5)
    check(design, sequences, reference(graph, sequences), [stalls], driver="cocotb")
    a = simulate_rtl(design, sequences, stalls=stalls, driver="cocotb")
    b = simulate_rtl(design, sequences, stalls=stalls)
    assert (a.in_times, a.out_times, a.offered_times) == (b.in_times, b.out_times, b.offered_times)


def test_checks_are_bound_and_bite() -> None:
    """A FIFO that drops its valid bit fails the run."""
    _, design = network()
    source = rtl_source(design, COCOTB)
    name = "rtl/hwrnn_fifo.sv"
    text = str(source.files[name])
    flicker = "logic on_q;\n  always_ff @(posedge clk_i) on_q <= !on_q && !rst_i;\n"
    valid = "assign out_valid_o = count_q != '0"
    broken = text.replace(f"{valid};", f"{flicker}  {valid} && on_q;")
    assert broken != text
    files = FileSet({**dict(source.files.items()), name: broken})
    bad = Source(files=files, top=source.top, extra=source.extra)
    x, y = PortShape.of(design.source.out), PortShape.of(design.sink.x)
    job = Job(
        beats=to_beats(x, draw(design, (2, 3))),
        out_octets=y.octets,
        sequences=2,
        patience=2000,
        stalls=Stalls(output_stall=0.7, seed=1),
    )
    with pytest.raises(ToolError, match="cocotb: the testbench failed"):
        run_job(compile_rtl(bad, COCOTB), job, Driver.COCOTB)


@pytest.mark.parametrize("driver", ["harness", "cocotb"])
def test_trace(driver: str, tmp_path: Path) -> None:
    graph, design = network()
    sequences = draw(design, (2, 1))
    file = tmp_path / "deep" / "w.vcd"
    file.parent.mkdir()
    run = simulate_rtl(design, sequences, trace=file, driver=driver)  # type: ignore[arg-type]
    same(run.outputs, reference(graph, sequences))
    text = file.read_text()
    assert text.startswith("$version") or "$timescale" in text
    assert "s_axis_tdata" in text
    assert "u_ctrl" in text


def test_a_second_simulator_is_not_built() -> None:
    _, design = network()
    source = Source(files=emit_rtl(design), top=top_name(design))
    first = compile_rtl(source, Variant())
    stamp = first.binary.stat().st_mtime_ns
    assert compile_rtl(source, Variant()) == first
    assert first.binary.stat().st_mtime_ns == stamp
