# SPDX-License-Identifier: Apache-2.0
"""A serial line without time and without a board: each request gets the next reply of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hwrnn.device.frames import Outcome, body_of, framed
from hwrnn.device.link import Link

Reply = Callable[[int], bytes]


class Script:
    """A port on which each request gets the next reply of a list; nothing ever takes time."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.timeout: float | None = None
        self.baudrate = 115_200
        self.replies = list(replies)
        self.written: list[bytes] = []
        self.waiting = b""
        self.closed = False

    @property
    def in_waiting(self) -> int:
        return len(self.waiting)

    def write(self, data: bytes) -> int:
        self.written.append(data)
        body = body_of(data[1:-1])
        assert body is not None
        if self.replies:
            self.waiting += self.replies.pop(0)(body[1])
        return len(data)

    def read(self, size: int = 1) -> bytes:
        found, self.waiting = self.waiting[:size], self.waiting[size:]
        return found

    def reset_input_buffer(self) -> None:
        self.waiting = b""

    def close(self) -> None:
        self.closed = True


def reply(payload: bytes = b"", outcome: int = Outcome.DONE, shift: int = 0) -> Reply:
    """An answer; `shift`: to another request."""
    return lambda number: framed(payload + bytes([(number + shift) % 256, 255, outcome]))


def hurt(number: int) -> bytes:
    return framed(bytes([number, 255, 0])).replace(b"\xff", b"\xfe")


def lost(_: int) -> bytes:
    return b""


def link(*replies: Reply) -> tuple[Link, Script]:
    script = Script(replies)
    found = Link(script, "port", 115_200, timeout=0.0, patience=0.0)
    found.wait_s = 0.0
    return found, script
