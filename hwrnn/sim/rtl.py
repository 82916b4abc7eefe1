# SPDX-License-Identifier: Apache-2.0
"""Simulates the emitted SystemVerilog of a design in Verilator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import CHECKED, CHECKS, emit_rtl, library_text, top_name
from hwrnn.design.design import Design
from hwrnn.design.order import port_order
from hwrnn.errors import ToolError
from hwrnn.sim.rtl_beats import Ints, PortShape, from_beats, to_beats
from hwrnn.sim.rtl_run import InputJob, Job, OutputJob, Report, Stalls, run_job
from hwrnn.sim.verilate import Driver, Source, Variant, compile_rtl

FAST_WORK = 3_000_000_000  # multiplications from which on a simulator made for speed pays

__all__ = ["RtlResult", "Stalls", "simulate_rtl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RtlResult:
    """Outputs of each sequence, (steps, features); clock cycles; the sticky error bit.

    `cycles`: first input beat accepted to last output beat accepted. The times are the cycles in
    which each beat was first offered and accepted at the input, and accepted at the output. Of
    several ports these are the first ones; `every` has the outputs of all, and `offered`,
    `accepted` and `delivered` the times, by the names of the graph.
    """

    outputs: list[Ints]
    cycles: int | None
    error: bool
    offered_times: list[int]
    in_times: list[int]
    out_times: list[int]
    every: dict[str, list[Ints]] = field(default_factory=dict)
    offered: dict[str, list[int]] = field(default_factory=dict)
    accepted: dict[str, list[int]] = field(default_factory=dict)
    delivered: dict[str, list[int]] = field(default_factory=dict)


States = Mapping[str, Sequence[Ints]]  # by input: a vector for each sequence


def simulate_rtl(
    design: Design,
    sequences: Sequence[Ints],
    *,
    trace: Path | None = None,
    stalls: Stalls | None = None,
    driver: Literal["harness", "cocotb"] = "harness",
    writes: Sequence[tuple[int, int, int]] = (),
    first: Sequence[bool] | None = None,
    states: States | None = None,
) -> RtlResult:
    """Run sequences, each (steps, features) of integers, back to back through the hardware; with
    several streams sequence k on stream k modulo `streams`, a step of each in turn.

    `writes` to a design with writable weights: (after so many sequences have come out, byte
    address, 32 bits), in order; the next sequence waits for them. `first`, for a design that keeps
    states: the sequences are fragments, of which these start anew; by default each does. `states`:
    for each input but the first a vector for each sequence.
    Without `stalls` a beat is offered, and one taken, in every cycle. `trace` names a VCD file.
    Raises ToolError if a tool is missing or fails, if the hardware stops moving, and if beats come
    out that belong to no sequence.
    """
    job = job_of(design, sequences, stalls or Stalls(), writes, first, states)
    variant = Variant(
        driver=Driver(driver),
        trace=trace is not None,
        fast=work(design, sum(map(len, sequences))) > FAST_WORK,
    )
    report = run_job(compile_rtl(rtl_source(design, variant), variant), job, variant.driver, trace)
    return every_result(design, report, len(sequences))


def job_of(  # noqa: PLR0917 - what simulate_rtl takes
    design: Design,
    sequences: Sequence[Ints],
    stalls: Stalls,
    writes: Sequence[tuple[int, int, int]],
    first: Sequence[bool] | None = None,
    states: States | None = None,
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
        in_port=design.source.port,
        out_port=design.sink.port,
        more_inputs=tuple(vector_jobs(design, sequences, states or {})),
        more_outputs=tuple(
            OutputJob(port=k.port, octets=shape.octets, id_octets=shape.id_octets)
            for k in design.sinks[1:]
            for shape in [PortShape.of(k.x)]
        ),
    )


def vector_jobs(design: Design, sequences: Sequence[Ints], states: States) -> Iterator[InputJob]:
    """The vectors of each further input, in the order in which the sequences start."""
    order = [t.sequence for t in port_order([len(s) for s in sequences], design.streams) if t.first]
    for k in design.sources[1:]:
        vectors = [states[k.name][s].reshape(1, -1) for s in order]
        yield InputJob(port=k.port, beats=to_beats(PortShape.of(k.out), vectors))


def rtl_source(design: Design, variant: Variant) -> Source:
    """The emitted project; with cocotb also the protocol checks of all streams, bound to them."""
    files = emit_rtl(design)
    inputs, outputs = port_names(design)
    if variant.driver is Driver.HARNESS:
        return Source(files=files, top=top_name(design), inputs=inputs, outputs=outputs)
    checks = FileSet({f"rtl/{m}.sv": library_text(m) for m in (*CHECKED, CHECKS)})
    extra = tuple(f"{m}.sv" for m in (*CHECKED, CHECKS) if f"rtl/{m}.sv" not in files)
    return Source(files=files | checks, top=top_name(design), extra=extra)


def port_names(design: Design) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the signals of the inputs and of the outputs start with."""
    return tuple(k.port for k in design.sources), tuple(k.port for k in design.sinks)


def every_result(design: Design, report: Report, sequences: int) -> RtlResult:
    """The report of a run as arrays, of all ports. Raises ToolError."""
    first = result(report, PortShape.of(design.sink.x), sequences)
    every = {design.sink.name: first.outputs}
    for k, made in zip(design.sinks[1:], report.outputs[1:], strict=True):
        every[k.name] = from_beats(PortShape.of(k.x), made.beats)
        if len(every[k.name]) != sequences:
            fact = f"{len(every[k.name])} sequences came out of {k.port}, not {sequences}"
            raise ToolError("rtl simulation", fact)
    sources, sinks = ([k.name for k in some] for some in (design.sources, design.sinks))
    return replace(
        first,
        every=every,
        offered={n: p.offered.tolist() for n, p in zip(sources, report.inputs, strict=True)},
        accepted={n: p.accepted.tolist() for n, p in zip(sources, report.inputs, strict=True)},
        delivered={n: p.delivered.tolist() for n, p in zip(sinks, report.outputs, strict=True)},
    )


def result(report: Report, port: PortShape, sequences: int) -> RtlResult:
    """The report of a run as arrays. Raises ToolError."""
    if report.deadlock:
        raise ToolError(
            "rtl simulation",
            f"deadlock: no beat moved any more after cycle {report.cycles}; "
            f"{sum(len(p.accepted) for p in report.inputs)} beats went in, "
            f"{sum(len(p.delivered) for p in report.outputs)} came out",
        )
    if report.refused:
        raise ToolError("rtl simulation", f"{report.refused} writes were answered with an error")
    if report.left_over:
        raise ToolError("rtl simulation", f"{report.left_over} beats came out after the last one")
    outputs = from_beats(port, report.beats)
    if len(outputs) != sequences:
        raise ToolError("rtl simulation", f"{len(outputs)} sequences came out, not {sequences}")
    started = [int(p.accepted[0]) for p in report.inputs if len(p.accepted)]
    ended = [int(p.delivered[-1]) for p in report.outputs if len(p.delivered)]
    return RtlResult(
        outputs=outputs,
        cycles=max(ended) - min(started) if started and ended else None,
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
