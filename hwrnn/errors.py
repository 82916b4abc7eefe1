# SPDX-License-Identifier: Apache-2.0
"""One family of errors: each says where, what is wrong, and what to do about it."""

from __future__ import annotations


class HwrnnError(Exception):
    """Base of every error that hwrnn raises on purpose.

    `place` names the file, node, op or argument; `fact` says what is wrong there; `hint` says
    what to do.  `exit_code` is what the command line returns for it.
    """

    exit_code = 2

    def __init__(self, place: str, fact: str, hint: str = "") -> None:
        self.place, self.fact, self.hint = shorten(place), fact, hint
        text = f"{self.place}: {fact}" if place else fact
        super().__init__(f"{text}\n  hint: {hint}" if hint else text)


class ImportFault(HwrnnError):
    """A model file that cannot be read, or holds something that cannot be compiled exactly."""


class ExportFault(HwrnnError):
    """A torch module that cannot be written as a QONNX file."""


class VerifyError(HwrnnError):
    """A graph that breaks a rule of the IR: a fault of a transform, or of a hand-written graph."""


class BoardError(HwrnnError):
    """An unknown board, or a board file with an unknown, missing or impossible entry."""


class DesignError(HwrnnError):
    """A design that cannot be built as asked: folding, memory, options."""


class DataError(HwrnnError):
    """Input data that does not fit the model: rank, features, type, range, NaN."""


class OutputError(HwrnnError):
    """A place that cannot be written to."""


class Mismatch(HwrnnError):
    """Two engines disagree: a check failed."""

    exit_code = 1


class ToolError(HwrnnError):
    """A needed tool is missing, or failed."""

    exit_code = 3


class DeviceError(HwrnnError):
    """A board that does not answer, answers wrongly, or is not the one that was asked for."""

    exit_code = 3


def shorten(name: str, limit: int = 120) -> str:
    """A name as it may be shown in a message: one line, printable, at most `limit` characters."""
    clean = "".join(ch if ch.isprintable() else f"\\x{ord(ch):02x}" for ch in name)
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."
