# SPDX-License-Identifier: Apache-2.0
"""RTL simulation: cycles per second of the C++ harness beside cocotb's, and a published network.

One LSTM layer, 64 inputs, 128 units, 8 bits, pe 4, simd 16 (256 multipliers), in Verilator: once
driven by cocotb, once by the C++ harness in the variant for bulk data. Seconds are those of the
processor, of the whole process, so that what else the machine does does not count. Then QuickDraw
(LSTM 3 -> 128, last of 100 steps, dense 256, 128, 5): 100 sequences, compared bit for bit with the
C-model.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

import hwrnn
from hwrnn.design.design import Design
from hwrnn.design.timing import schedule
from hwrnn.ir import Graph
from hwrnn.sim.rtl import patience, rtl_source, simulate_rtl
from hwrnn.sim.rtl_beats import Ints, PortShape, to_beats
from hwrnn.sim.rtl_run import Job, Stalls, run_job
from hwrnn.sim.verilate import Driver, Variant, compile_rtl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

COCOTB_STEPS, HARNESS_STEPS = 300, 6000
QUICKDRAW_SEQUENCES, QUICKDRAW_STEPS = 100, 100
FOLDING: dict[str, object] = {"pe": 4, "simd": 16}


def rows() -> list[dict[str, object]]:
    """One row a driver, and the ratio."""
    design = engine()
    speeds = {
        "cocotb": speed(design, Variant(driver=Driver.COCOTB), COCOTB_STEPS),
        "C++ harness": speed(design, Variant(fast=True), HARNESS_STEPS),
    }
    return [
        {
            "driver": name,
            "cycles": cycles,
            "cycles/s": round(cycles / seconds),
            "ratio to cocotb": round(
                cycles / seconds / (speeds["cocotb"][0] / speeds["cocotb"][1])
            ),
        }
        for name, (cycles, seconds) in speeds.items()
    ]


def engine() -> Design:
    """The layer, with random weights."""
    from rtl.graphs import Build

    from hwrnn.ir.types import of_bits

    b = Build(1)
    graph = b.graph(b.lstm(b.input(64, of_bits(8, signed=True)), 128, w=8, a=8))
    return hwrnn.build(graph, "alveo_u250", folding=FOLDING)


def speed(design: Design, variant: Variant, steps: int) -> tuple[int, float]:
    """Cycles simulated, and the seconds that the processor took for them."""
    compiled = compile_rtl(rtl_source(design, variant), variant)
    x, y = PortShape.of(design.source.out), PortShape.of(design.sink.x)
    low, high = design.source.out.type.lo, design.source.out.type.hi
    sequence = np.random.default_rng(0).integers(low, high + 1, (steps, x.features))
    job = Job(
        beats=to_beats(x, [sequence]),
        out_octets=y.octets,
        sequences=1,
        patience=patience(design, steps),
        stalls=Stalls(),
    )
    before = children_seconds()
    report = run_job(compiled, job, variant.driver)
    return report.cycles, children_seconds() - before


def children_seconds() -> float:
    """Processor time of all processes that have been started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def quickdraw_rows() -> list[dict[str, object]]:
    """100 sequences through the RTL and through the C-model."""
    graph = quickdraw()
    design = hwrnn.build(graph, "alveo_u250", folding={"pe": 4, "simd": 16})
    source = design.source.out
    rng = np.random.default_rng(1)
    shape = (QUICKDRAW_STEPS, QUICKDRAW_SEQUENCES, source.features)
    x = rng.integers(source.type.lo, source.type.hi + 1, shape)
    sequences: list[Ints] = list(x.transpose(1, 0, 2))
    start = time.perf_counter()
    found = simulate_rtl(design, sequences)
    built = time.perf_counter()
    again = simulate_rtl(design, sequences)
    seconds = time.perf_counter() - built
    expected = np.asarray(hwrnn.run(graph, x.transpose(1, 0, 2), integers=True))
    differing = int((np.concatenate(again.outputs) != expected).sum())
    assert (
        found.cycles == again.cycles == schedule(design, [QUICKDRAW_STEPS] * len(sequences)).cycles
    )
    return [
        {
            "network": "QuickDraw, LSTM 128",
            "sequences": len(sequences),
            "cycles": again.cycles,
            "first run, compiling (s)": round(built - start, 1),
            "run (s)": round(seconds, 1),
            "values that differ": f"{differing} of {expected.size}",
        }
    ]


def quickdraw() -> Graph:
    """3 -> LSTM 128, last step, dense 256, 128, 5; 8 bits, random weights."""
    from rtl.graphs import Build

    from hwrnn.ir.types import of_bits

    act = of_bits(8, signed=True)
    b = Build(2)
    value = b.select(b.lstm(b.input(3, act), 128, w=8, a=8))
    for units in (256, 128):
        value = b.dense(value, units, w=8, to=act)
    return b.graph(b.dense(value, 5, w=8))
