# SPDX-License-Identifier: Apache-2.0
"""Simulates the netlist of a design, cell by cell, in Verilator, as the emitted RTL is simulated.

How the netlist is made is the caller's: this module knows no synthesis. What no cell and no
contents define at power-on starts as random bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hwrnn.backends.files import FileSet
from hwrnn.design.design import Design
from hwrnn.sim.rtl import RtlResult, States, every_result, job_of, port_names
from hwrnn.sim.rtl_beats import Ints
from hwrnn.sim.rtl_run import Stalls, run_job
from hwrnn.sim.verilate import Source, Variant, compile_rtl


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A netlist and the models of its cells: `files` are what Verilator reads, in rtl/."""

    files: FileSet
    top: str


MapDesign = Callable[[Design], Mapped]


def simulate_netlist(
    design: Design,
    sequences: Sequence[Ints],
    mapped: Mapped,
    *,
    stalls: Stalls | None = None,
    writes: Sequence[tuple[int, int, int]] = (),
    first: Sequence[bool] | None = None,
    states: States | None = None,
) -> RtlResult:
    """Run sequences through the netlist of a design: options and errors of `simulate_rtl`."""
    stalls = stalls or Stalls()
    job = job_of(design, sequences, stalls, writes, first, states)
    inputs, outputs = port_names(design)
    source = Source(files=mapped.files, top=mapped.top, inputs=inputs, outputs=outputs)
    compiled = compile_rtl(source, Variant(netlist=True))
    return every_result(design, run_job(compiled, job), len(sequences))
