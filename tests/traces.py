# SPDX-License-Identifier: Apache-2.0
"""What both back ends accumulate, sum by sum: the HLS C++ in csim, the SystemVerilog in Verilator.

A case is one of `random_engines`. Every (step, block, group, sums) has to be the same on either
side, in the same order, and the loops of the C++ go round as often as the schedule says.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from random_engines import Case, inputs, model
from rtl.bench import same

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import emit_rtl, top_name
from hwrnn.design.design import Design, Engine
from hwrnn.design.timing import schedule
from hwrnn.sim.csim_trace import Accumulation, accumulations, trace_csim
from hwrnn.sim.rtl import patience
from hwrnn.sim.rtl_beats import Ints, PortShape, to_beats
from hwrnn.sim.rtl_run import Job, Stalls, arguments
from hwrnn.sim.verilate import Source, Variant, compile_rtl

MONITOR = Path(__file__).parent / "hls" / "hwrnn_mac_trace.sv"
SEEDS = range(1000, 1020)
SAMPLE = (1000, 1007, 1010, 1012, 1018)  # streams, levels, one block, two layers, shared


def check_traces(case: Case) -> dict[str, int]:
    """Both back ends accumulate the same numbers; returns how many were compared."""
    sequences = inputs(case)
    found = trace_csim(case.design, sequences)
    same(found.outputs, model(case, sequences))
    check_counts(case.design, found.counts, case.lengths)
    expected = trace_rtl(case.design, sequences)
    for engine in case.design.engines:
        compare(engine.name, found.sums[engine.name], expected[engine.name])
    return {"sums": sum(len(a.sums) for rows in expected.values() for a in rows)}


def check_counts(design: Design, counts: dict[str, int], lengths: Sequence[int]) -> None:
    """An engine issues every group of every block of a step once, whatever it has to wait for."""
    steps = schedule(design, lengths).engine_steps
    for engine in design.engines:
        passes = len(engine.blocks) * engine.groups * len(steps[engine.name])
        assert counts[f"{engine.name}/ISSUE"] == passes, engine.name


def compare(name: str, got: Sequence[Accumulation], expected: Sequence[Accumulation]) -> None:
    """Fail with the first that differs."""
    for a, b in zip(got, expected, strict=False):
        assert a == b, f"{name}: csim {a}, rtl {b}"
    assert len(got) == len(expected), f"{name}: {len(got)} groups in csim, {len(expected)} in rtl"


def trace_rtl(design: Design, sequences: Sequence[Ints]) -> dict[str, list[Accumulation]]:
    """What the MAC arrays of the RTL accumulate."""
    files = emit_rtl(design) | FileSet({f"rtl/{MONITOR.name}": MONITOR.read_text()})
    source = Source(files=files, top=top_name(design), extra=(MONITOR.name,))
    x, y = PortShape.of(design.source.out), PortShape.of(design.sink.x)
    job = Job(
        beats=to_beats(x, sequences),
        out_octets=y.octets,
        sequences=len(sequences),
        patience=patience(design, max(map(len, sequences))),
        stalls=Stalls(),
        id_octets=x.id_octets,
    )
    compiled = compile_rtl(source, Variant())
    with tempfile.TemporaryDirectory(prefix="hwrnn-") as folder:
        Path(folder, "in0.bin").write_bytes(job.beats.tobytes())
        words = arguments(job, Path(folder), Path(folder, "out"), None)
        run = subprocess.run(
            [str(compiled.binary), *words],
            cwd=compiled.folder,
            capture_output=True,
            text=True,
            check=True,
        )
    lines = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith("SUMS ")]
    return {e.name: rows_of(e, lines) for e in design.engines}


def rows_of(engine: Engine, lines: Sequence[Sequence[str]]) -> list[Accumulation]:
    """The lines of one engine's MAC array."""
    found, block = [], 0
    for path, first, group, sums in lines:
        if f"u_{engine.name}" in path.split("."):
            if group == "0":
                block = 0 if first == "1" else block + 1
            found.append((block, int(group), *numbers(engine, int(sums, 16))))
    return accumulations(found)


def numbers(engine: Engine, word: int) -> list[int]:
    """The sums in a word, the first one lowest."""
    t = engine.accumulator_type
    half = 1 << (t.bits - 1)
    count = len(engine.gates) * engine.pe
    parts = [word >> (k * t.bits) & ((1 << t.bits) - 1) for k in range(count)]
    return [(p ^ half) - half if t.signed else p for p in parts]
