# SPDX-License-Identifier: Apache-2.0
"""Runs a tool with a log, says what it is at, and turns what it ends with into an error."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from hwrnn.errors import ToolError

LOG = "log.txt"
Tell = Callable[[str], None]
LOOK_S = 0.3  # between two looks at the log
TAIL = 20_000  # bytes of the log that are looked at
STAGE = re.compile(r"^(?:[\d.]+ Executing (\w+)|Info: ([A-Z]\w+[^.:,]{0,50}))", re.MULTILINE)


def run_logged(tool: str, arguments: Sequence[str], folder: Path, tell: Tell | None = None) -> None:
    """Run a program in `folder`; what it says goes to the end of log.txt.

    tell: is told what the tool is at, every now and then. Raises ToolError if it fails.
    """
    log = folder / LOG
    with log.open("ab") as out:
        run = subprocess.Popen(arguments, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        try:
            code = wait(run, log, lambda stage: tell(f"{tool}: {stage}") if tell else None)
        finally:
            if run.poll() is None:
                run.kill()
                run.wait()
    if code:
        raise failed(tool, code, log)


def wait(run: subprocess.Popen[bytes], log: Path, tell: Tell) -> int:
    """The exit code of a program; on the way `tell` gets the stages that it enters."""
    last = ""
    while True:
        try:
            return run.wait(timeout=LOOK_S)
        except subprocess.TimeoutExpired:
            found = stage(log)
            if found != last:
                tell(found)
            last = found


def stage(log: Path) -> str:
    """The last pass or step that a log names."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        found = STAGE.findall(file.read().decode(errors="replace"))
    return (found[-1][0].lower() or found[-1][1]) if found else ""


def failed(tool: str, code: int, log: Path) -> ToolError:
    """The error of a tool, with what it said."""
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    lines = [line for line in text.split("\n") if line]
    errors = [line for line in lines if "error" in line.lower()] or lines[-10:]
    said = "\n".join(errors[:10])
    if code < 0:
        return ToolError(
            tool,
            f"was ended by signal {-code}:\n{said}",
            "signal 9 mostly means too little memory: fold more, or use a larger machine",
        )
    fact = f"failed with exit code {code}:\n{said}"
    return ToolError(tool, fact, "please report this, with the model and the command")
