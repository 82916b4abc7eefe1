# SPDX-License-Identifier: Apache-2.0
"""Drives any top with AXI4-Stream ports: emitted RTL, or HLS C++ behind a shell.

It does, cycle for cycle, what `harness.cpp` does, random stalls included, and writes the same
file; see there for its form. The job comes in $HWRNN_JOB. Protocol rules of the output are
checked on the way: a beat that waits stays as it is.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
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
class Source:
    """An input, what is sent there and in which turn; see harness.cpp."""

    port: str
    beats: list[Beat]
    id_octets: int
    turn: int
    offering: bool = False
    sent: int = 0
    offered: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """All beats have been taken."""
        return len(self.accepted) == len(self.beats)


@dataclass
class Sink:
    """An output, what has come out, and in which turn it is ready."""

    port: str
    octets: int
    id_octets: int
    turn: int
    sequences: int = 0
    waiting: Beat | None = None
    out: list[Beat] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)


@dataclass
class Job:
    """The arguments of harness.cpp."""

    target: Path
    sequences: int
    patience: int
    idle: int
    stall: int
    seed: int
    in_pause: Pause
    out_pause: Pause
    sources: list[Source]
    sinks: list[Sink]
    writes: list[Write]

    @staticmethod
    def read() -> Job:
        """The job in the environment."""
        words = iter(json.loads(os.environ["HWRNN_JOB"]))
        target, _ = Path(next(words)), next(words)
        sequences, patience, idle, stall, seed = (int(next(words)) for _ in range(5))
        pauses = [Pause(int(next(words)), int(next(words))) for _ in range(2)]
        sources = [read_source(words) for _ in range(int(next(words)))]
        sinks = [read_sink(words) for _ in range(int(next(words)))]
        return Job(
            target=target,
            sequences=sequences,
            patience=patience,
            idle=idle,
            stall=stall,
            seed=seed,
            in_pause=pauses[0],
            out_pause=pauses[1],
            sources=sources,
            sinks=sinks,
            writes=read_writes(),
        )


def read_sink(words: Iterator[str]) -> Sink:
    """An output."""
    port = next(words)
    octets, id_octets, turn = (int(next(words)) for _ in range(3))
    return Sink(port=port, octets=octets, id_octets=id_octets, turn=turn)


def read_source(words: Iterator[str]) -> Source:
    """An input and its file."""
    port, path = next(words), next(words)
    octets, id_octets, turn = (int(next(words)) for _ in range(3))
    rows = Path(path).read_bytes()
    size = octets + id_octets + 1
    beats = [beat(rows[k : k + size], octets) for k in range(0, len(rows), size)]
    return Source(port=port, beats=beats, id_octets=id_octets, turn=turn)


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
    cycles: int = 0
    left_over: int = 0
    written: int = 0
    refused: int = 0

    def wire(self, port: Source | Sink, name: str) -> Any:  # noqa: ANN401 - a simulator's handle
        """A signal of a port."""
        return getattr(self.dut, f"{port.port}_{name}")

    def has(self, port: Source | Sink, name: str) -> bool:
        """True when a port has that signal."""
        return hasattr(self.dut, f"{port.port}_{name}")

    async def reset(self) -> None:
        """Four cycles of reset."""
        d = self.dut
        d.aresetn.value = 0
        for source in self.job.sources:
            for name in ("tvalid", "tlast", "tdata"):
                self.wire(source, name).value = 0
            if self.has(source, "tuser"):
                self.wire(source, "tuser").value = 0
            if source.id_octets:
                self.wire(source, "tid").value = 0
        for sink in self.job.sinks:
            self.wire(sink, "tready").value = 0
        for _ in range(4):
            await RisingEdge(d.aclk)
        d.aresetn.value = 1

    @property
    def sequences(self) -> int:
        """How many have come out of every output."""
        return min(sink.sequences for sink in self.job.sinks)

    async def run(self) -> bool:
        """Cycles until all is done (False), or nothing moves any more (True)."""
        quiet, job = 0, self.job
        while True:
            due = self.written < len(job.writes) and self.sequences >= job.writes[self.written][0]
            if due and all(map(self.held, job.sources)):
                await self.load()
            done = all(source.done for source in job.sources) and self.sequences >= job.sequences
            if done and quiet >= TAIL:
                return False
            if not done and quiet >= job.patience:
                return True
            quiet = 0 if await self.cycle(done) else quiet + 1

    def held(self, source: Source) -> bool:
        """True while a source waits until all that was sent has come out, and writes are made."""
        writes = self.job.writes
        return self.written < len(writes) and source.sent >= writes[self.written][0]

    def waits(self, port: Source | Sink) -> bool:
        """True while it is the turn of other ports."""
        if isinstance(port, Source):
            return any(s.turn < port.turn and not s.done for s in self.job.sources)
        if not port.turn:
            return False
        before = (s for s in self.job.sinks if 0 < s.turn < port.turn)
        return any(s.sequences < self.job.sequences for s in before) or not all(
            source.done for source in self.job.sources
        )

    async def load(self) -> None:
        """The writes that are due."""
        from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

        d, writes = self.dut, self.job.writes
        for sink in self.job.sinks:
            self.wire(sink, "tready").value = 0
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
        job = self.job
        for source in job.sources:
            if self.may_offer(source) and (job.idle == 0 or not self.random.below(job.idle)):
                self.offer(source)
        ready = [self.ready(sink) for sink in job.sinks]
        for sink, up in zip(job.sinks, ready, strict=True):
            self.wire(sink, "tready").value = int(up)
        await ReadOnly()
        taken = [s for s in job.sources if s.offering and self.wire(s, "tready").value == 1]
        moved = bool(taken)
        for sink, up in zip(job.sinks, ready, strict=True):
            valid = self.wire(sink, "tvalid").value == 1
            if valid or sink.waiting is not None:
                self.see(sink, valid, up, done)
            moved = moved or (valid and up)
        await RisingEdge(self.dut.aclk)
        for source in taken:
            source.sent += source.beats[len(source.accepted)][2] & 1
            source.accepted.append(self.cycles)
            source.offering = False
            self.wire(source, "tvalid").value = 0
        self.cycles += 1
        return moved

    def may_offer(self, source: Source) -> bool:
        """True when a source has a beat, and nothing holds it but chance."""
        due = len(source.offered)
        if source.offering or self.held(source) or due == len(source.beats):
            return False
        first = source is self.job.sources[0]
        return not (first and self.job.in_pause.holds(due)) and not self.waits(source)

    def ready(self, sink: Sink) -> bool:
        """True when a sink takes a beat in this cycle."""
        first = sink is self.job.sinks[0]
        if first and self.job.out_pause.holds(len(sink.out)):
            return False
        stall = self.job.stall
        return not self.waits(sink) and (stall == 0 or not self.random.below(stall))

    def offer(self, source: Source) -> None:
        """Put the next beat on the bus."""
        data, tid, marks = source.beats[len(source.offered)]
        self.wire(source, "tdata").value = data
        if source.id_octets:
            self.wire(source, "tid").value = tid
        self.wire(source, "tlast").value = marks & 1
        if self.has(source, "tuser"):
            self.wire(source, "tuser").value = marks >> 1
        self.wire(source, "tvalid").value = 1
        source.offered.append(self.cycles)
        source.offering = True

    def see(self, sink: Sink, valid: bool, ready: bool, done: bool) -> None:
        """Check the output's protocol, and take the beat if the sink is ready."""
        assert valid, f"{sink.port}: tvalid fell before tready came"
        tid = int(self.wire(sink, "tid").value) if sink.id_octets else 0
        seen = (int(self.wire(sink, "tdata").value), tid, int(self.wire(sink, "tlast").value))
        assert sink.waiting in (None, seen), f"{sink.port}: the payload changed while it waited"
        sink.waiting = None if ready else seen
        if ready:
            sink.out.append(seen)
            sink.delivered.append(self.cycles)
            self.left_over += int(done)
            sink.sequences += seen[2]

    def write(self, deadlock: bool) -> None:
        """The output file."""
        d, job = self.dut, self.job
        numbers = [int(deadlock), self.cycles, self.left_over]
        numbers += [int(d.error_o.value), int(d.version_o.value), int(d.model_hash_o.value)]
        numbers.append(self.refused)
        numbers += [n for s in job.sources for n in (len(s.offered), len(s.accepted))]
        numbers += [len(sink.delivered) for sink in job.sinks]
        beats = b"".join(map(rows, job.sinks))
        times = [t for s in job.sources for t in (*s.offered, *s.accepted)]
        times += [t for sink in job.sinks for t in sink.delivered]
        body = struct.pack(f"<{len(numbers)}Q", *numbers) + beats
        job.target.write_bytes(body + struct.pack(f"<{len(times)}Q", *times))


def rows(sink: Sink) -> bytes:
    """What came out, a row of bytes for each beat."""
    sizes = (sink.octets, sink.id_octets, 1)
    return b"".join(
        n.to_bytes(size, "little") for row in sink.out for n, size in zip(row, sizes, strict=True)
    )


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
