# SPDX-License-Identifier: Apache-2.0
"""Runs designs in tests: against the C-model, and against the schedule, cycle by cycle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from rtl.graphs import ONE

from hwrnn.board import load_board
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import AxisIn, Design, Kernel
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options
from hwrnn.design.timing import schedule
from hwrnn.ir import Graph, Input, IntType, Output, OutputGrid, Quantiser, Value
from hwrnn.sim.rtl import RtlResult, Stalls, rtl_source, simulate_rtl
from hwrnn.sim.rtl_beats import Bytes, Ints, PortShape
from hwrnn.sim.rtl_run import Job, Report, run_job
from hwrnn.sim.verilate import Driver, Variant, compile_rtl

BOARD = load_board("pynq_z2")
STALLS = (
    Stalls(),
    Stalls(input_idle=0.5, output_stall=0.3, seed=1),
    Stalls(output_stall=0.9, seed=2),
    Stalls(input_idle=0.9, seed=3),
)


def lower(
    graph: Graph, pe: int, simd: int, max_steps: int | None = None, options: Options | None = None
) -> Design:
    return build_design(graph, BOARD, {"pe": pe, "simd": simd}, max_steps, options)


def of_kernels(kernels: Sequence[Kernel], t: IntType, name: str = "chain") -> Design:
    """A design of kernels that no graph stands behind."""
    x = Value(name="x", type=t, size=1, sequence=True)
    y = Value(name="y", type=t, size=1, sequence=True)
    ops = (
        Input(out=x, quantiser=Quantiser(scale=ONE, type=t), axes=("B", "T", "F")),
        Output(out=y, x="x", grid=OutputGrid(scale=ONE), axes=("B", "T", "F")),
    )
    graph = Graph(name=name, ops=ops)
    source = next(k for k in kernels if isinstance(k, AxisIn))
    return Design(
        name=name,
        board=BOARD,
        graph=graph,
        kernels=tuple(kernels),
        model_hash="0123456789abcdef",
        streams=source.out.streams,
    )


def draw(design: Design, lengths: Sequence[int], seed: int = 0) -> list[Ints]:
    """Random sequences of these lengths, extremes included."""
    rng = np.random.default_rng(seed)
    x = design.source.out
    shape = [(n, x.features) for n in lengths]
    made = [rng.integers(x.type.lo, x.type.hi + 1, s) for s in shape]
    made[0][0, :] = x.type.lo
    made[-1][-1, :] = x.type.hi
    return made


def reference(graph: Graph, sequences: Sequence[Ints]) -> list[Ints]:
    """What the plain C-model says."""
    out, port = graph.outputs[0].out, graph.inputs[0].out.name
    found = [run_plain(graph, {port: s[:, None, :]})[out.name] for s in sequences]
    return [y[:, 0, :] if out.sequence else y for y in found]


def same(got: Sequence[Ints], expected: Sequence[Ints]) -> None:
    assert len(got) == len(expected)
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        np.testing.assert_array_equal(a, b, err_msg=f"sequence {k}")


def scheduled(design: Design, sequences: Sequence[Ints], run: RtlResult) -> None:
    """Every handshake of a run is where the schedule says, given what the ports offered."""
    made = schedule(
        design,
        [len(s) for s in sequences],
        offered=lambda k: run.offered_times[k],
        taken=lambda k: run.out_times[k],
    )
    assert made.accepted == run.in_times
    assert made.delivered == run.out_times


def check(
    design: Design,
    sequences: Sequence[Ints],
    expected: Sequence[Ints],
    stalls: Sequence[Stalls] = STALLS,
    driver: Literal["harness", "cocotb"] = "harness",
) -> None:
    """The outputs are right under all stalls, and no cycle differs from the schedule."""
    for stall in stalls:
        run = simulate_rtl(design, sequences, stalls=stall, driver=driver)
        same(run.outputs, expected)
        assert not run.error
        scheduled(design, sequences, run)
        if stall == Stalls():
            assert run.cycles == schedule(design, [len(s) for s in sequences]).cycles


def check_graph(
    graph: Graph,
    lengths: Sequence[int] = (5, 1, 2, 7, 3),
    *,
    pe: int,
    simd: int,
    max_steps: int | None = None,
    options: Options | None = None,
    stalls: Sequence[Stalls] = STALLS,
) -> Design:
    """The hardware of a graph equals the C-model."""
    design = lower(graph, pe, simd, max_steps, options)
    sequences = draw(design, lengths)
    check(design, sequences, reference(graph, sequences), stalls)
    return design


def raw(
    design: Design,
    beats: Bytes,
    sequences: int,
    stalls: Stalls | None = None,
    driver: Driver = Driver.HARNESS,
) -> Report:
    """Run beats as they are, whatever the protocol says of them."""
    y = PortShape.of(design.sink.x)
    job = Job(
        beats=beats,
        out_octets=y.octets,
        sequences=sequences,
        patience=5000,
        stalls=stalls or Stalls(),
        id_octets=y.id_octets,
    )
    variant = Variant(driver=driver)
    return run_job(compile_rtl(rtl_source(design, variant), variant), job, driver)
