# SPDX-License-Identifier: Apache-2.0
"""Puts a simulated board behind a pseudo-terminal: to a host it is a serial port like any other."""

from __future__ import annotations

import os
import pty
import subprocess
import tty
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hwrnn.backends.files import FileSet
from hwrnn.backends.shell import CORE
from hwrnn.errors import ToolError
from hwrnn.sim.rtl_run import chance
from hwrnn.sim.verilate import Driver, Source, Variant, compile_rtl

PATIENCE_S = 30  # for the simulator to end when it is told to


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A serial line: clock cycles a bit; the share of bytes that are damaged in each direction, as
    drawn from a seed; clock cycles until the simulator gives up.
    """

    divisor: int = 4
    damage: float = 0.0
    seed: int = 0
    limit: int = 10**10


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went over the line."""

    cycles: int
    sent: int
    received: int
    damaged: int


class Terminal:
    """A program at one end of a pseudo-terminal, `port` being the other end. Closing its standard
    input tells it to end; so it ends with us, whatever happens.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, env: dict[str, str] | None = None
    ) -> None:
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.port = os.ttyname(self._theirs)
        words = [word.format(terminal=self._ours) for word in command]
        self.process = subprocess.Popen(
            words,
            cwd=folder,
            env=env,
            pass_fds=(self._ours,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def close(self) -> str:
        """End the program; what it printed. Raises ToolError if it failed."""
        try:
            out, errors = self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, errors = self.process.communicate()
        finally:
            os.close(self._ours)
            os.close(self._theirs)
        if self.process.returncode:
            code = self.process.returncode
            raise ToolError("uart simulation", f"ended with code {code}:\n{out}{errors}".strip())
        return out


class Simulator:
    """A simulated `hwrnn_board_core` behind the serial port `port`, while the context lasts."""

    def __init__(self, files: FileSet, line: Line | None = None) -> None:
        self.line = line or Line()
        self.traffic: Traffic | None = None
        self._compiled = compile_rtl(Source(files=files, top=CORE), Variant(driver=Driver.UART))
        self._terminal: Terminal | None = None

    def __enter__(self) -> Self:
        numbers = (self.line.divisor, chance(self.line.damage), self.line.seed, self.line.limit)
        command = [str(self._compiled.binary), "{terminal}", *map(str, numbers)]
        self._terminal = Terminal(command, self._compiled.folder)
        return self

    @property
    def port(self) -> str:
        """The name of the serial port."""
        assert self._terminal is not None, "the simulator runs while its context lasts"
        return self._terminal.port

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._terminal is not None
        text = self._terminal.close()
        self.traffic = Traffic(*map(int, text.split()))
