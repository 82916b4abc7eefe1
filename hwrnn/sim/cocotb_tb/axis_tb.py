# SPDX-License-Identifier: Apache-2.0
"""Drives any top with one AXI4-Stream in and one out: emitted RTL, or HLS C++ behind a shell.

It does, cycle for cycle, what `harness.cpp` does, random stalls included, and writes the same
file; see there for its form. The job comes in $HWRNN_JOB. Protocol rules of the output are
checked on the way: a beat that waits stays as it is.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

MASK = 2**64 - 1
TAIL = 64  # quiet cycles after which the run counts as finished


class Random:
    """The generator of harness.cpp."""

    def __init__(self, seed: int) -> None:
        self.state = (seed * 2 + 0x9E3779B97F4A7C15) & MASK

    def below(self, chance: int) -> bool:
        """True `chance` times in 2**32."""
        s = self.state
        s ^= s << 13 & MASK
        s ^= s >> 7
        s ^= s << 17 & MASK
        self.state = s
        return s >> 32 < chance


@dataclass
class Job:
    """The arguments of harness.cpp."""

    beats: list[tuple[int, int]]
    target: Path
    out_octets: int
    sequences: int
    patience: int
    idle: int
    stall: int
    seed: int

    @staticmethod
    def read() -> Job:
        """The job in the environment."""
        source, target, *numbers, _ = json.loads(os.environ["HWRNN_JOB"])
        in_octets, out_octets, sequences, patience, idle, stall, seed = map(int, numbers)
        data = Path(source).read_bytes()
        size = in_octets + 1
        beats = [
            (int.from_bytes(data[k : k + in_octets], "little"), data[k + in_octets])
            for k in range(0, len(data), size)
        ]
        return Job(beats, Path(target), out_octets, sequences, patience, idle, stall, seed)


@dataclass
class Bench:
    """The state of a run."""

    dut: Any
    job: Job
    random: Random
    next_beat: int = 0
    offering: bool = False
    cycles: int = 0
    sequences: int = 0
    left_over: int = 0
    waiting: tuple[int, int] | None = None
    out: list[tuple[int, int]] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)

    async def reset(self) -> None:
        """Four cycles of reset."""
        d = self.dut
        d.aresetn.value = 0
        d.s_axis_tvalid.value = 0
        d.s_axis_tlast.value = 0
        d.s_axis_tdata.value = 0
        d.m_axis_tready.value = 0
        for _ in range(4):
            await RisingEdge(d.aclk)
        d.aresetn.value = 1

    async def run(self) -> bool:
        """Cycles until all is done (False), or nothing moves any more (True)."""
        quiet = 0
        while True:
            done = len(self.accepted) == len(self.job.beats)
            done = done and self.sequences >= self.job.sequences
            if done and quiet >= TAIL:
                return False
            if not done and quiet >= self.job.patience:
                return True
            quiet = 0 if await self.cycle(done) else quiet + 1

    async def cycle(self, done: bool) -> bool:
        """One clock cycle; True if a beat moved."""
        d, job = self.dut, self.job
        more = not self.offering and self.next_beat < len(job.beats)
        if more and (job.idle == 0 or not self.random.below(job.idle)):
            self.offer()
        ready = job.stall == 0 or not self.random.below(job.stall)
        d.m_axis_tready.value = int(ready)
        await ReadOnly()
        moved_in = self.offering and d.s_axis_tready.value == 1
        valid = d.m_axis_tvalid.value == 1
        if valid or self.waiting is not None:
            self.see(valid, ready, done)
        await RisingEdge(d.aclk)
        if moved_in:
            self.accepted.append(self.cycles)
            self.offering = False
            d.s_axis_tvalid.value = 0
        self.cycles += 1
        return moved_in or (valid and ready)

    def offer(self) -> None:
        """Put the next beat on the bus."""
        data, last = self.job.beats[self.next_beat]
        self.dut.s_axis_tdata.value = data
        self.dut.s_axis_tlast.value = last
        self.dut.s_axis_tvalid.value = 1
        self.offered.append(self.cycles)
        self.offering = True
        self.next_beat += 1

    def see(self, valid: bool, ready: bool, done: bool) -> None:
        """Check the output's protocol, and take the beat if the sink is ready."""
        assert valid, "tvalid fell before tready came"
        beat = (int(self.dut.m_axis_tdata.value), int(self.dut.m_axis_tlast.value))
        assert self.waiting in (None, beat), "the payload changed while it waited"
        self.waiting = None if ready else beat
        if ready:
            self.out.append(beat)
            self.delivered.append(self.cycles)
            self.left_over += int(done)
            self.sequences += beat[1]

    def write(self, deadlock: bool) -> None:
        """The output file."""
        d = self.dut
        numbers = [int(deadlock), self.cycles, len(self.accepted), len(self.out), self.left_over]
        numbers += [int(d.error_o.value), int(d.version_o.value), int(d.model_hash_o.value)]
        numbers += [len(self.offered), 0]
        beats = b"".join(
            data.to_bytes(self.job.out_octets, "little") + bytes([last]) for data, last in self.out
        )
        times = [*self.offered, *self.accepted, *self.delivered]
        body = struct.pack(f"<{len(numbers)}Q", *numbers) + beats
        self.job.target.write_bytes(body + struct.pack(f"<{len(times)}Q", *times))


@cocotb.test()
async def axis_job(dut: Any) -> None:  # noqa: ANN401 - a simulator's handle
    """Send all beats, collect all sequences."""
    job = Job.read()
    Clock(dut.aclk, 10, "ns").start()
    bench = Bench(dut, job, Random(job.seed))
    await bench.reset()
    bench.write(await bench.run())
