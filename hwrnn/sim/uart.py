# SPDX-License-Identifier: Apache-2.0
"""Puts a simulated board behind a pseudo-terminal: to a host it is a serial port like any other."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwrnn.backends.files import FileSet
from hwrnn.backends.shell import CORE
from hwrnn.errors import ToolError
from hwrnn.sim.netlist import Mapped
from hwrnn.sim.rtl_run import chance, tail
from hwrnn.sim.verilate import Compiled, Driver, Source, Variant, compile_rtl

TESTBENCH = "hwrnn.sim.cocotb_tb.uart_tb"
PATIENCE_S = 60  # for a simulator to start, and to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A serial line: clock cycles a bit (those of the core); the share of bytes that are damaged in
    each direction, drawn from a seed; bits until the simulator gives up.
    """

    divisor: int = 4
    damage: float = 0.0
    seed: int = 0
    limit: int = 10**9


@dataclass(slots=True)
class Board:
    """A simulated board: the name of its serial port. When it has ended: clock cycles, bytes to
    and from the core, and how many of them were damaged.
    """

    port: str
    cycles: int = 0
    sent: int = 0
    received: int = 0
    damaged: int = 0


@contextmanager
def simulated(core: FileSet | Mapped, line: Line | None = None) -> Iterator[Board]:
    """A board with the `hwrnn_board_core` of these files, or with its netlist, as long as the
    context lasts.

    Raises ToolError if a tool is missing or the simulation fails.
    """
    line = line or Line()
    compiled = compile_core(core)
    ours, theirs = pty.openpty()
    try:
        tty.setraw(theirs)
        board = Board(port=os.ttyname(theirs))
        cycles = line.limit * line.divisor
        numbers = (ours, line.divisor, chance(line.damage), line.seed, cycles)
        command = [str(compiled.binary), *map(str, numbers)]
        with running(command, compiled.folder, keep=ours) as process:
            yield board
        text = process.out
    finally:
        os.close(ours)
        os.close(theirs)
    board.cycles, board.sent, board.received, board.damaged = map(int, text.split())


def compile_core(core: FileSet | Mapped) -> Compiled:
    """The simulator of a core: of its RTL, or of its netlist."""
    if isinstance(core, Mapped):
        variant = Variant(driver=Driver.UART, netlist=True)
        return compile_rtl(Source(files=core.files, top=core.top), variant)
    return compile_rtl(Source(files=core, top=CORE), Variant(driver=Driver.UART))


@contextmanager
def simulated_by_cocotb(files: FileSet, line: Line | None = None) -> Iterator[Board]:
    """The same through cocotb: slow, on an undamaged line, nothing is counted."""
    line = line or Line()
    compiled = compile_rtl(Source(files=files, top=CORE), Variant(driver=Driver.COCOTB))
    with tempfile.TemporaryDirectory(prefix="hwrnn-") as temporary:
        work = Path(temporary)
        name = work / "terminal"
        job = {"name": str(name), "divisor": line.divisor, "limit": line.limit}
        env = os.environ | {"HWRNN_UART": json.dumps(job), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "hwrnn.sim.rtl_cocotb", settings(compiled, work)]
        with running(command, work, env=env) as process:
            yield Board(port=process.said(name))


def settings(compiled: Compiled, work: Path) -> str:
    """What the runner of cocotb needs to know."""
    found = {"binary": str(compiled.binary), "run": str(compiled.folder), "work": str(work)}
    return json.dumps(found | {"trace": "", "testbench": TESTBENCH})


@dataclass(slots=True)
class Running:
    """A simulator; when it has ended, what it printed."""

    process: subprocess.Popen[str]
    out: str = ""

    def said(self, file: Path) -> str:
        """The content of a file that it writes. Raises ToolError if it does not."""
        deadline = time.monotonic() + PATIENCE_S
        while not file.is_file():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ToolError("uart simulation", "did not start")
            time.sleep(0.02)
        return file.read_text(encoding="utf-8")

    def end(self) -> None:
        """Tell it to end, and wait. Raises ToolError if it failed."""
        try:
            self.out, errors = self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.out, errors = self.process.communicate()
        if self.process.returncode:
            fact = f"ended with code {self.process.returncode}:\n{tail(self.out + errors)}"
            raise ToolError("uart simulation", fact)


@contextmanager
def running(
    command: list[str], folder: Path, *, keep: int | None = None, env: dict[str, str] | None = None
) -> Iterator[Running]:
    """A simulator that ends when its standard input is closed; so it ends with us, in any case.

    keep: a file descriptor that it inherits.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        pass_fds=() if keep is None else (keep,),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    found = Running(process)
    try:
        yield found
    except BaseException:
        process.kill()
        process.communicate()
        raise
    found.end()
