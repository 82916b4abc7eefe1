# SPDX-License-Identifier: Apache-2.0
"""Runs a compiled top on beats, through the C++ harness or through cocotb: one job, one report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwrnn.errors import ToolError
from hwrnn.sim.rtl_beats import Bytes
from hwrnn.sim.verilate import Compiled, Driver

TESTBENCH = "hwrnn.sim.cocotb_tb.axis_tb"
WRITES = "HWRNN_WRITES"  # names the file of writes to the AXI4-Lite slave
HEADER = 10  # 64-bit numbers in front of the output beats
Times = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """How often the source waits a cycle before a beat, and the sink is not ready in a cycle.

    A pause (k, n) is one long wait: the source offers beat k only after n cycles of idling, the
    sink is not ready for n cycles when beat k is due.
    """

    input_idle: float = 0.0
    output_stall: float = 0.0
    seed: int = 0
    input_pause: tuple[int, int] = (0, 0)
    output_pause: tuple[int, int] = (0, 0)

    @property
    def longest(self) -> int:
        """Cycles of the longer pause."""
        return max(self.input_pause[1], self.output_pause[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Beats to send, and when to stop: after `sequences` TLAST and all input.

    `out_octets`: bytes of TDATA at the output; `id_octets`: those of TID in a row, at both ports.
    `patience`: cycles in which no beat moves until it counts as a deadlock. `writes` to the
    AXI4-Lite slave: (after so many sequences have come out, byte address, 32 bits), in order.
    """

    beats: Bytes
    out_octets: int
    sequences: int
    patience: int
    stalls: Stalls
    id_octets: int = 0
    writes: Sequence[tuple[int, int, int]] = ()

    @property
    def out_row(self) -> int:
        """Bytes of an output beat as a row."""
        return self.out_octets + self.id_octets + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came out, and in which cycle each beat moved (cycle 0 is the first after reset)."""

    beats: Bytes
    deadlock: bool
    cycles: int
    left_over: int
    refused: int
    error: bool
    version: int
    model_hash: int
    offered: Times
    accepted: Times
    delivered: Times


def run_job(
    compiled: Compiled, job: Job, driver: Driver = Driver.HARNESS, trace: Path | None = None
) -> Report:
    """Run one job. Raises ToolError if the simulator fails."""
    with tempfile.TemporaryDirectory(prefix="hwrnn-") as temporary:
        work = Path(temporary)
        source, target = work / "in.bin", work / "out.bin"
        source.write_bytes(np.ascontiguousarray(job.beats).tobytes())
        words = arguments(job, source, target, trace)
        env = dict(os.environ)
        env.pop(WRITES, None)
        if job.writes:
            writes = work / "writes.bin"
            writes.write_bytes(np.array(job.writes, dtype="<u4").tobytes())
            env[WRITES] = str(writes)
        if driver is Driver.HARNESS:
            run_harness(compiled, words, env)
        else:
            run_cocotb(compiled, words, Run(work=work, trace=trace, env=env))
        return read_report(target, job.out_row)


def arguments(job: Job, source: Path, target: Path, trace: Path | None) -> list[str]:
    """The job as the harness and the testbench read it."""
    stalls = job.stalls
    numbers = [
        job.beats.shape[1] - 1 - job.id_octets,
        job.out_octets,
        job.id_octets,
        job.sequences,
        job.patience + stalls.longest,
        chance(stalls.input_idle),
        chance(stalls.output_stall),
        stalls.seed,
        *stalls.input_pause,
        *stalls.output_pause,
    ]
    shown = "" if trace is None else str(trace.absolute())
    return [str(source), str(target), *map(str, numbers), shown]


def chance(p: float) -> int:
    """A probability as a number below 2**32."""
    if not 0 <= p < 1:
        raise ValueError(f"a probability is at least 0 and below 1, not {p}")
    return int(p * 2**32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Where the testbench works, with which environment; a waveform if `trace` names it."""

    work: Path
    trace: Path | None
    env: dict[str, str]


def run_harness(compiled: Compiled, words: list[str], env: dict[str, str]) -> None:
    """The C++ harness."""
    run = subprocess.run(
        [str(compiled.binary), *words],
        cwd=compiled.folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise ToolError("rtl simulation", f"ended with code {run.returncode}:\n{tail(run.stderr)}")


def run_cocotb(compiled: Compiled, words: list[str], run: Run) -> None:
    """The testbench in a process of its own: its runner prints, and exits on a failure."""
    settings = {
        "binary": str(compiled.binary),
        "run": str(compiled.folder),
        "work": str(run.work),
        "trace": "" if run.trace is None else str(run.trace.absolute()),
    }
    env = run.env | {"HWRNN_JOB": json.dumps(words), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "hwrnn.sim.rtl_cocotb", json.dumps(settings)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolError("cocotb", f"the testbench failed:\n{tail(done.stdout + done.stderr)}")


def tail(text: str) -> str:
    """The last lines of what a program printed."""
    return "\n".join(text.strip().split("\n")[-20:])


def read_report(path: Path, row: int) -> Report:
    """The output file of the harness or of the testbench; `row`: bytes of a beat."""
    data = path.read_bytes()
    head = np.frombuffer(data, dtype="<u8", count=HEADER)
    deadlock, cycles, accepted, delivered, left_over, error, version, model, offered, refused = map(
        int, head
    )
    start = HEADER * 8
    size = delivered * row
    beats = np.frombuffer(data, dtype=np.uint8, count=size, offset=start)
    times = np.frombuffer(data[start + size :], dtype="<u8")
    split = np.split(times, [offered, offered + accepted])
    return Report(
        beats=beats.reshape(delivered, row),
        deadlock=bool(deadlock),
        cycles=cycles,
        left_over=left_over,
        refused=refused,
        error=bool(error),
        version=version,
        model_hash=model,
        offered=split[0],
        accepted=split[1],
        delivered=split[2],
    )
