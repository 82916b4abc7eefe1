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
from cocotb.utils import get_sim_time

MASK = 2**64 - 1
CLOCK_NS = 10
IMAGE = (0x18, 0x1C)  # registers that name the image
FIRST_MEMORY = 0x100
REFUSED_WRITES = (  # read only; two strobes; one strobe in a memory
    (0x00, bytes(4)),
    (0x18, bytes(2)),
    (FIRST_MEMORY + 1, bytes(1)),
)
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
class Pause:
    """One long wait: of `left` cycles when beat number `beat` is due."""

    beat: int
    left: int

    def holds(self, due: int) -> bool:
        """True while it lasts."""
        if due != self.beat or not self.left:
            return False
        self.left -= 1
        return True


Beat = tuple[int, int, int]  # TDATA, TID, TLAST (bit 0) and TUSER (bit 1)
Write = tuple[int, int, int]  # after so many sequences, byte address, 32 bits


@dataclass
class Job:
    """The arguments of harness.cpp."""

    beats: list[Beat]
    target: Path
    out_octets: int
    id_octets: int
    sequences: int
    patience: int
    idle: int
    stall: int
    seed: int
    in_pause: Pause
    out_pause: Pause
    writes: list[Write]

    @staticmethod
    def read() -> Job:
        """The job in the environment."""
        source, target, *numbers, _ = json.loads(os.environ["HWRNN_JOB"])
        in_octets, out_octets, id_octets, *rest = map(int, numbers)
        sequences, patience, idle, stall, seed, *pauses = rest
        rows = Path(source).read_bytes()
        size = in_octets + id_octets + 1
        beats = [beat(rows[k : k + size], in_octets) for k in range(0, len(rows), size)]
        return Job(
            beats=beats,
            target=Path(target),
            out_octets=out_octets,
            id_octets=id_octets,
            sequences=sequences,
            patience=patience,
            idle=idle,
            stall=stall,
            seed=seed,
            in_pause=Pause(*pauses[:2]),
            out_pause=Pause(*pauses[2:]),
            writes=read_writes(),
        )


def read_writes() -> list[Write]:
    """The writes to the AXI4-Lite slave that $HWRNN_WRITES names."""
    path = os.environ.get("HWRNN_WRITES")
    return list(struct.iter_unpack("<3I", Path(path).read_bytes())) if path else []


def beat(row: bytes, octets: int) -> Beat:
    """The parts of a row of bytes."""
    return (
        int.from_bytes(row[:octets], "little"),
        int.from_bytes(row[octets:-1], "little"),
        row[-1],
    )


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
    sent: int = 0
    written: int = 0
    refused: int = 0
    waiting: Beat | None = None
    out: list[Beat] = field(default_factory=list)
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
        if hasattr(d, "s_axis_tuser"):
            d.s_axis_tuser.value = 0
        if self.job.id_octets:
            d.s_axis_tid.value = 0
        d.m_axis_tready.value = 0
        for _ in range(4):
            await RisingEdge(d.aclk)
        d.aresetn.value = 1

    async def run(self) -> bool:
        """Cycles until all is done (False), or nothing moves any more (True)."""
        quiet = 0
        while True:
            if self.held() and self.sequences >= self.job.writes[self.written][0]:
                await self.load()
            done = len(self.accepted) == len(self.job.beats)
            done = done and self.sequences >= self.job.sequences
            if done and quiet >= TAIL:
                return False
            if not done and quiet >= self.job.patience:
                return True
            quiet = 0 if await self.cycle(done) else quiet + 1

    def held(self) -> bool:
        """True while the source waits until all that was sent has come out, and writes are made."""
        writes = self.job.writes
        return self.written < len(writes) and self.sent >= writes[self.written][0]

    async def load(self) -> None:
        """The writes that are due."""
        from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

        d, writes = self.dut, self.job.writes
        d.m_axis_tready.value = 0
        start = get_sim_time("ns")
        bus = AxiLiteBus.from_prefix(d, "s_axi")
        master = AxiLiteMaster(bus, d.aclk, d.aresetn, reset_active_level=False)
        after = writes[self.written][0]
        while self.written < len(writes) and writes[self.written][0] == after:
            _, address, word = writes[self.written]
            found = await master.write(address, word.to_bytes(4, "little"))
            self.refused += found.resp != AxiResp.OKAY
            self.written += 1
        await check_slave(master, {address: word for _, address, word in writes[: self.written]})
        await RisingEdge(d.aclk)
        self.cycles += round((get_sim_time("ns") - start) / CLOCK_NS)

    async def cycle(self, done: bool) -> bool:
        """One clock cycle; True if a beat moved."""
        d, job = self.dut, self.job
        more = not self.offering and not self.held() and self.next_beat < len(job.beats)
        more = more and not job.in_pause.holds(self.next_beat)
        if more and (job.idle == 0 or not self.random.below(job.idle)):
            self.offer()
        held = job.out_pause.holds(len(self.out))
        ready = not held and (job.stall == 0 or not self.random.below(job.stall))
        d.m_axis_tready.value = int(ready)
        await ReadOnly()
        moved_in = self.offering and d.s_axis_tready.value == 1
        valid = d.m_axis_tvalid.value == 1
        if valid or self.waiting is not None:
            self.see(valid, ready, done)
        await RisingEdge(d.aclk)
        if moved_in:
            self.accepted.append(self.cycles)
            self.sent += self.job.beats[self.next_beat - 1][2] & 1
            self.offering = False
            d.s_axis_tvalid.value = 0
        self.cycles += 1
        return moved_in or (valid and ready)

    def offer(self) -> None:
        """Put the next beat on the bus."""
        data, tid, marks = self.job.beats[self.next_beat]
        self.dut.s_axis_tdata.value = data
        if self.job.id_octets:
            self.dut.s_axis_tid.value = tid
        self.dut.s_axis_tlast.value = marks & 1
        if hasattr(self.dut, "s_axis_tuser"):
            self.dut.s_axis_tuser.value = marks >> 1
        self.dut.s_axis_tvalid.value = 1
        self.offered.append(self.cycles)
        self.offering = True
        self.next_beat += 1

    def see(self, valid: bool, ready: bool, done: bool) -> None:
        """Check the output's protocol, and take the beat if the sink is ready."""
        assert valid, "tvalid fell before tready came"
        d = self.dut
        tid = int(d.m_axis_tid.value) if self.job.id_octets else 0
        seen = (int(d.m_axis_tdata.value), tid, int(d.m_axis_tlast.value))
        assert self.waiting in (None, seen), "the payload changed while it waited"
        self.waiting = None if ready else seen
        if ready:
            self.out.append(seen)
            self.delivered.append(self.cycles)
            self.left_over += int(done)
            self.sequences += seen[2]

    def write(self, deadlock: bool) -> None:
        """The output file."""
        d = self.dut
        numbers = [int(deadlock), self.cycles, len(self.accepted), len(self.out), self.left_over]
        numbers += [int(d.error_o.value), int(d.version_o.value), int(d.model_hash_o.value)]
        numbers += [len(self.offered), self.refused]
        sizes = (self.job.out_octets, self.job.id_octets, 1)
        beats = b"".join(
            n.to_bytes(size, "little")
            for row in self.out
            for n, size in zip(row, sizes, strict=True)
        )
        times = [*self.offered, *self.accepted, *self.delivered]
        body = struct.pack(f"<{len(numbers)}Q", *numbers) + beats
        self.job.target.write_bytes(body + struct.pack(f"<{len(times)}Q", *times))


async def check_slave(master: Any, written: dict[int, int]) -> None:  # noqa: ANN401 - untyped
    """What the AXI4-Lite slave answers: its registers, and an error where nothing may happen."""
    from cocotbext.axi import AxiResp

    async def read(address: int) -> tuple[int, bool]:
        found = await master.read(address, 4)
        return int.from_bytes(found.data, "little"), found.resp == AxiResp.OKAY

    names = [address for address in IMAGE if address in written]
    assert await read(0) == (int.from_bytes(b"hwrn", "big"), True)
    for address in names:
        assert await read(address) == (written[address], True), "the image's name"
    for address, data in REFUSED_WRITES:
        found = await master.write(address, data)
        assert found.resp == AxiResp.SLVERR, f"a write of {len(data)} bytes at {address}"
    assert await read(FIRST_MEMORY) == (0, False)
    for address in names:
        assert await read(address) == (written[address], True), "a refused write did something"


@cocotb.test()
async def axis_job(dut: Any) -> None:  # noqa: ANN401 - a simulator's handle
    """Send all beats, collect all sequences."""
    job = Job.read()
    Clock(dut.aclk, CLOCK_NS, "ns").start()
    bench = Bench(dut, job, Random(job.seed))
    await bench.reset()
    bench.write(await bench.run())
