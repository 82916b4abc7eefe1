# SPDX-License-Identifier: Apache-2.0
"""Simulates the emitted SystemVerilog of a design in Verilator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import CHECKED, CHECKS, emit_rtl, library_text, top_name
from hwrnn.design.design import Design
from hwrnn.errors import ToolError
from hwrnn.sim.rtl_beats import Ints, PortShape, from_beats, to_beats
from hwrnn.sim.rtl_run import Job, Report, Stalls, run_job
from hwrnn.sim.verilate import Driver, Source, Variant, compile_rtl

FAST_WORK = 3_000_000_000  # multiplications from which on a simulator made for speed pays

__all__ = ["RtlResult", "Stalls", "simulate_rtl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RtlResult:
    """Outputs of each sequence, (steps, features); clock cycles; the sticky error bit.

    `cycles`: first input beat accepted to last output beat accepted. The times are the cycles in
    which each beat was first offered and accepted at the input, and accepted at the output.
    """

    outputs: list[Ints]
    cycles: int | None
    error: bool
    offered_times: list[int]
    in_times: list[int]
    out_times: list[int]


def simulate_rtl(
    design: Design,
    sequences: Sequence[Ints],
    *,
    trace: Path | None = None,
    stalls: Stalls | None = None,
    driver: Literal["harness", "cocotb"] = "harness",
    writes: Sequence[tuple[int, int, int]] = (),
    first: Sequence[bool] | None = None,
) -> RtlResult:
    """Run sequences, each (steps, features) of integers, back to back through the hardware; with
    several streams sequence k on stream k modulo `streams`, a step of each in turn.

    `writes` to a design with writable weights: (after so many sequences have come out, byte
    address, 32 bits), in order; the next sequence waits for them. `first`, for a design that keeps
    states: the sequences are fragments, of which these start anew; by default each does.
    Without `stalls` a beat is offered, and one taken, in every cycle. `trace` names a VCD file.
    Raises ToolError if a tool is missing or fails, if the hardware stops moving, and if beats come
    out that belong to no sequence.
    """
    job = job_of(design, sequences, stalls or Stalls(), writes, first)
    variant = Variant(
        driver=Driver(driver),
        trace=trace is not None,
        fast=work(design, sum(map(len, sequences))) > FAST_WORK,
    )
    report = run_job(compile_rtl(rtl_source(design, variant), variant), job, variant.driver, trace)
    return result(report, PortShape.of(design.sink.x), len(sequences))


def job_of(
    design: Design,
    sequences: Sequence[Ints],
    stalls: Stalls,
    writes: Sequence[tuple[int, int, int]],
    first: Sequence[bool] | None = None,
) -> Job:
    """Sequences as beats at the ports of a design's top."""
    x, y = PortShape.of(design.source.out), PortShape.of(design.sink.x)
    flags = (first or [True] * len(sequences)) if design.keep else None
    return Job(
        beats=to_beats(x, sequences, flags),
        out_octets=y.octets,
        sequences=len(sequences),
        patience=patience(design, max((len(s) for s in sequences), default=0)),
        stalls=stalls,
        id_octets=x.id_octets,
        writes=writes,
    )


def rtl_source(design: Design, variant: Variant) -> Source:
    """The emitted project; with cocotb also the protocol checks of all streams, bound to them."""
    files = emit_rtl(design)
    if variant.driver is Driver.HARNESS:
        return Source(files=files, top=top_name(design))
    checks = FileSet({f"rtl/{m}.sv": library_text(m) for m in (*CHECKED, CHECKS)})
    extra = tuple(f"{m}.sv" for m in (*CHECKED, CHECKS) if f"rtl/{m}.sv" not in files)
    return Source(files=files | checks, top=top_name(design), extra=extra)


def result(report: Report, port: PortShape, sequences: int) -> RtlResult:
    """The report of a run as arrays. Raises ToolError."""
    if report.deadlock:
        raise ToolError(
            "rtl simulation",
            f"deadlock: no beat moved any more after cycle {report.cycles}; "
            f"{len(report.accepted)} beats went in, {len(report.delivered)} came out",
        )
    if report.refused:
        raise ToolError("rtl simulation", f"{report.refused} writes were answered with an error")
    if report.left_over:
        raise ToolError("rtl simulation", f"{report.left_over} beats came out after the last one")
    outputs = from_beats(port, report.beats)
    if len(outputs) != sequences:
        raise ToolError("rtl simulation", f"{len(outputs)} sequences came out, not {sequences}")
    moved = len(report.accepted) and len(report.delivered)
    return RtlResult(
        outputs=outputs,
        cycles=int(report.delivered[-1] - report.accepted[0]) if moved else None,
        error=report.error,
        offered_times=report.offered.astype(np.int64).tolist(),
        in_times=report.accepted.astype(np.int64).tolist(),
        out_times=report.delivered.astype(np.int64).tolist(),
    )


def patience(design: Design, steps: int) -> int:
    """Cycles in which surely a beat moves: a longest sequence through all engines, twice."""
    per_step = sum(
        (e.x_blocks + e.h_blocks) * e.groups + e.state_latency + e.out_latency
        for e in design.engines
    )
    beats = sum(k.out.beats for k in design.engines) + design.source.out.beats
    return 20_000 + 2 * max(steps, 1) * (per_step + beats)


def work(design: Design, steps: int) -> int:
    """About how many multiplications a run of so many steps simulates."""
    multipliers = sum(len(e.gates) * e.pe * e.simd for e in design.engines)
    slowest = max(((e.x_blocks + e.h_blocks) * e.groups for e in design.engines), default=1)
    return steps * slowest * multipliers
