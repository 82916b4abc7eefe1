# SPDX-License-Identifier: Apache-2.0
"""Joins the serial line of `hwrnn_board_core` to a pseudo-terminal, as `uart.cpp` does.

The job comes in $HWRNN_UART: a file to which the terminal's name is written, cycles a bit, and
how many bits the simulation may last. Ends when standard input is closed; simulated time stands
still while nothing happens.
"""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import tty
from collections import deque
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

CLOCK_NS = 10
QUIET_BITS = 20  # of silence, then the simulation waits for the host
LOOK_S = 0.2


class Bridge:
    """Between the terminal and the pins."""

    def __init__(self, dut: Any, terminal: int, bit_ns: int) -> None:  # noqa: ANN401 - cocotb's
        self.dut, self.terminal, self.bit_ns = dut, terminal, bit_ns
        self.waiting: deque[int] = deque()
        self.quiet = 0

    def look(self, seconds: float) -> bool:
        """Fetch what the host has sent; False when it wants no more."""
        stdin = sys.stdin.fileno()
        ready, _, _ = select.select([stdin, self.terminal], [], [], seconds)
        if self.terminal in ready:
            self.waiting += os.read(self.terminal, 64)
        return stdin not in ready or bool(os.read(stdin, 1))

    async def bits(self, count: float = 1) -> None:
        """Wait for so many bits."""
        await Timer(round(self.bit_ns * count), unit="ns")

    async def send(self, byte: int) -> None:
        """A byte to the core."""
        self.quiet = 0
        for bit in [0, *((byte >> k) & 1 for k in range(8)), 1]:
            self.dut.uart_rx_i.value = bit
            await self.bits()

    async def receive(self) -> None:
        """Bytes from the core, for ever."""
        line = self.dut.uart_tx_o
        while True:
            await FallingEdge(line)
            self.quiet = 0
            await self.bits(1.5)
            byte = 0
            for k in range(8):
                byte |= int(line.value) << k
                await self.bits()
            assert int(line.value) == 1, "a byte without a stop bit"
            self.quiet = 0
            os.write(self.terminal, bytes([byte]))

    async def serve(self, limit: int) -> None:
        """Until the host wants no more; for `limit` bits at most."""
        for _ in range(limit):
            asleep = self.quiet > QUIET_BITS
            if not self.waiting and not self.look(LOOK_S if asleep else 0):
                return
            if self.waiting:
                await self.send(self.waiting.popleft())
            elif not asleep:
                await self.bits()
                self.quiet = 0 if int(self.dut.busy_o.value) else self.quiet + 1
        raise AssertionError(f"still busy after {limit} bits")


@cocotb.test()
async def uart(dut: Any) -> None:  # noqa: ANN401 - cocotb's handles have no types
    """Serve a host."""
    job = json.loads(os.environ["HWRNN_UART"])
    terminal, other_end = pty.openpty()
    tty.setraw(other_end)
    Clock(dut.clk_i, CLOCK_NS, unit="ns").start()
    dut.uart_rx_i.value = 1
    dut.rst_i.value = 1
    for _ in range(4):
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    bridge = Bridge(dut, terminal, job["divisor"] * CLOCK_NS)
    cocotb.start_soon(bridge.receive())
    name = Path(job["name"])
    name.with_suffix(".new").write_text(os.ttyname(other_end), encoding="utf-8")
    name.with_suffix(".new").rename(name)
    await bridge.serve(job["limit"])
