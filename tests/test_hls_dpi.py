# SPDX-License-Identifier: Apache-2.0
"""The HLS C++ behind AXI4-Stream ports, driven by cocotb with random stalls."""

from __future__ import annotations

import hls_designs as h
import numpy as np
import pytest
from test_streams import broken, independent, stray_in_mid_step

from hwrnn.backends.hls_golden import expected, random_inputs
from hwrnn.backends.identity import model_word, version_word
from hwrnn.sim.hls_dpi import build_hls_dpi, simulate_hls_dpi
from hwrnn.sim.rtl_beats import PortShape, by_stream, to_beats
from hwrnn.sim.rtl_run import Job, Stalls, run_job
from hwrnn.sim.verilate import Driver

pytestmark = pytest.mark.needs_sim


@pytest.mark.parametrize("chance", [0.0, 0.5])
def test_any_stalls_same_outputs(chance: float) -> None:
    design = h.design(h.lstm_graph(3, 5), pe=2, simd=2)
    xs = random_inputs(design, [1, 4, 2])
    stalls = Stalls(input_idle=chance, output_stall=chance, seed=3)
    for x, y in zip(xs, simulate_hls_dpi(design, xs, stalls=stalls), strict=True):
        np.testing.assert_array_equal(y, expected(design, x))


def test_error_version_and_model_are_ports() -> None:
    design = h.design(h.lstm_graph(3, 5), pe=2, simd=2)
    x, y = PortShape.of(design.source.out), PortShape.of(design.sink.x)
    beats = to_beats(x, random_inputs(design, [2]))[:-1].copy()
    beats[-1, -1] = 1
    job = Job(beats=beats, out_octets=y.octets, sequences=1, patience=1000, stalls=Stalls())
    report = run_job(build_hls_dpi(design), job, Driver.COCOTB)
    assert (report.error, report.version, report.model_hash) == (
        True,
        version_word(),
        model_word(design),
    )


def test_streams_keep_apart_and_steps_that_are_cut_off_are_repaired() -> None:
    """The senders of the RTL's shell, broken ones included, at the ports of the HLS code."""
    for sender, error in ((independent(), False), (broken(), True), (stray_in_mid_step(), True)):
        rows, y = np.concatenate(sender.rows), sender.out
        job = Job(
            beats=rows,
            out_octets=y.octets,
            sequences=sum(map(len, sender.expected)),
            patience=1000,
            stalls=Stalls(input_idle=0.3, output_stall=0.3, seed=2),
            id_octets=y.id_octets,
        )
        report = run_job(build_hls_dpi(sender.design), job, Driver.COCOTB)
        assert (report.error, report.left_over, report.deadlock) == (error, 0, False)
        for got, made in zip(by_stream(y, report.beats), sender.expected, strict=True):
            assert [g.tolist() for g in got] == [m.tolist() for m in made]
