# SPDX-License-Identifier: Apache-2.0
"""Runs a compiled top on beats, through the C++ harness or through cocotb: one job, one report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwrnn.errors import ToolError
from hwrnn.sim.rtl_beats import Bytes
from hwrnn.sim.verilate import Compiled, Driver

TESTBENCH = "hwrnn.sim.cocotb_tb.axis_tb"
WRITES = "HWRNN_WRITES"  # names the file of writes to the AXI4-Lite slave
HEADER = 7  # 64-bit numbers, before those of each port
Times = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """How often the source waits a cycle before a beat, and the sink is not ready in a cycle.

    A pause (k, n) is one long wait: the source offers beat k only after n cycles of idling, the
    sink is not ready for n cycles when beat k is due. Of several ports it is the first that pauses.
    `feed`: the turn of each input; it is offered nothing before all inputs of an earlier turn have
    taken all of theirs. `drain`: that of each output; one with a turn of 1 or more is not ready
    before all inputs have taken theirs, and all outputs of an earlier turn have given theirs.
    """

    input_idle: float = 0.0
    output_stall: float = 0.0
    seed: int = 0
    input_pause: tuple[int, int] = (0, 0)
    output_pause: tuple[int, int] = (0, 0)
    feed: tuple[int, ...] = ()
    drain: tuple[int, ...] = ()

    @property
    def longest(self) -> int:
        """Cycles of the longer pause."""
        return max(self.input_pause[1], self.output_pause[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class InputJob:
    """What is sent to one more input: rows of bytes, of which `id_octets` are TID."""

    port: str
    beats: Bytes
    id_octets: int = 0

    @property
    def octets(self) -> int:
        """Bytes of TDATA."""
        return int(self.beats.shape[1]) - 1 - self.id_octets


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputJob:
    """One more output: bytes of TDATA, and of TID."""

    port: str
    octets: int
    id_octets: int = 0

    @property
    def row(self) -> int:
        """Bytes of a beat as a row."""
        return self.octets + self.id_octets + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Beats to send, and when to stop: after `sequences` TLAST of each output, and all input.

    `out_octets`: bytes of TDATA at the output; `id_octets`: those of TID in a row, at both ports.
    `patience`: cycles in which no beat moves until it counts as a deadlock. `writes` to the
    AXI4-Lite slave: (after so many sequences have come out, byte address, 32 bits), in order.
    `more_inputs`, `more_outputs`: further ports, behind the first of each, which is called `port`.
    """

    beats: Bytes
    out_octets: int
    sequences: int
    patience: int
    stalls: Stalls
    id_octets: int = 0
    writes: Sequence[tuple[int, int, int]] = ()
    in_port: str = "s_axis"
    out_port: str = "m_axis"
    more_inputs: tuple[InputJob, ...] = ()
    more_outputs: tuple[OutputJob, ...] = ()

    @property
    def inputs(self) -> tuple[InputJob, ...]:
        """All inputs."""
        first = InputJob(port=self.in_port, beats=self.beats, id_octets=self.id_octets)
        return (first, *self.more_inputs)

    @property
    def outputs(self) -> tuple[OutputJob, ...]:
        """All outputs."""
        first = OutputJob(port=self.out_port, octets=self.out_octets, id_octets=self.id_octets)
        return (first, *self.more_outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputTimes:
    """In which cycle each beat of an input was first offered, and accepted (0: after reset)."""

    offered: Times
    accepted: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputBeats:
    """What came out of an output, and in which cycle each beat was accepted."""

    beats: Bytes
    delivered: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came out, and in which cycle each beat moved (cycle 0 is the first after reset)."""

    deadlock: bool
    cycles: int
    left_over: int
    refused: int
    error: bool
    version: int
    model_hash: int
    inputs: tuple[InputTimes, ...]
    outputs: tuple[OutputBeats, ...]

    @property
    def beats(self) -> Bytes:
        """Those of the first output."""
        return self.outputs[0].beats

    @property
    def offered(self) -> Times:
        """Those of the first input."""
        return self.inputs[0].offered

    @property
    def accepted(self) -> Times:
        """Those of the first input."""
        return self.inputs[0].accepted

    @property
    def delivered(self) -> Times:
        """Those of the first output."""
        return self.outputs[0].delivered


def run_job(
    compiled: Compiled, job: Job, driver: Driver = Driver.HARNESS, trace: Path | None = None
) -> Report:
    """Run one job. Raises ToolError if the simulator fails."""
    with tempfile.TemporaryDirectory(prefix="hwrnn-") as temporary:
        work = Path(temporary)
        target = work / "out.bin"
        for k, port in enumerate(job.inputs):
            (work / f"in{k}.bin").write_bytes(np.ascontiguousarray(port.beats).tobytes())
        words = arguments(job, work, target, trace)
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
        return read_report(target, len(job.inputs), [port.row for port in job.outputs])


def arguments(job: Job, work: Path, target: Path, trace: Path | None) -> list[str]:
    """The job as the harness and the testbench read it; what is sent lies in `work`."""
    stalls = job.stalls
    numbers = [
        job.sequences,
        job.patience + stalls.longest,
        chance(stalls.input_idle),
        chance(stalls.output_stall),
        stalls.seed,
        *stalls.input_pause,
        *stalls.output_pause,
    ]
    shown = "" if trace is None else str(trace.absolute())
    words = [str(target), shown, *map(str, numbers), str(len(job.inputs))]
    for k, (sent, turn) in enumerate(zip(job.inputs, turns(stalls.feed), strict=False)):
        words += [sent.port, str(work / f"in{k}.bin"), *map(str, (sent.octets, sent.id_octets))]
        words.append(str(turn))
    words.append(str(len(job.outputs)))
    for got, turn in zip(job.outputs, turns(stalls.drain), strict=False):
        words += [got.port, *map(str, (got.octets, got.id_octets, turn))]
    return words


def turns(given: tuple[int, ...]) -> Iterator[int]:
    """The turns of the ports; 0 for those of which nothing is said."""
    return chain(given, repeat(0))


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


def read_report(path: Path, inputs: int, rows: Sequence[int]) -> Report:
    """The output file of the harness or of the testbench; `rows`: bytes of a beat, by output."""
    data = path.read_bytes()
    numbers = HEADER + 2 * inputs + len(rows)
    head = list(map(int, np.frombuffer(data, dtype="<u8", count=numbers)))
    deadlock, cycles, left_over, error, version, model, refused = head[:HEADER]
    counts, at = head[HEADER:], numbers * 8
    beats = []
    for count, row in zip(counts[2 * inputs :], rows, strict=True):
        found = np.frombuffer(data, dtype=np.uint8, count=count * row, offset=at)
        beats.append(found.reshape(count, row))
        at += count * row
    times = np.split(np.frombuffer(data[at:], dtype="<u8"), np.cumsum(counts)[:-1])
    return Report(
        deadlock=bool(deadlock),
        cycles=cycles,
        left_over=left_over,
        refused=refused,
        error=bool(error),
        version=version,
        model_hash=model,
        inputs=tuple(
            InputTimes(offered=times[2 * k], accepted=times[2 * k + 1]) for k in range(inputs)
        ),
        outputs=tuple(
            OutputBeats(beats=made, delivered=when)
            for made, when in zip(beats, times[2 * inputs :], strict=True)
        ),
    )
