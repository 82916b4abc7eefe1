# SPDX-License-Identifier: Apache-2.0
"""Requests and answers as bytes on a serial line: SLIP frames with a CRC-32 (docs/uart.md)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import IntEnum

END, ESC = b"\xc0", b"\xdb"
ESCAPED_END, ESCAPED_ESC = b"\xdb\xdc", b"\xdb\xdd"
CHECK = 4  # bytes of the CRC
TRAILER = 3  # bytes of an answer behind its payload: sequence number, room, outcome
MOST = 255  # bytes of a payload
LAST, WAIT = 0x02, 0x01  # flags of DATA


class Command(IntEnum):
    """What a request asks for: the upper half of its first byte."""

    DATA = 1
    DESCRIBE = 2
    STATUS = 3
    RESET = 4


class Outcome(IntEnum):
    """What became of a request: the lower half of an answer's last byte."""

    DONE = 0
    DAMAGED = 1
    FULL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the host asks for.

    argument: bytes of the payload (DATA), or the number of a page (DESCRIBE). limit: how many
    bytes the answer may bring. last: the payload ends a sequence. wait: the answer may wait for
    results.
    """

    command: Command
    argument: int = 0
    limit: int = 0
    payload: bytes = b""
    last: bool = False
    wait: bool = False

    def frame(self, sequence: int) -> bytes:
        """The bytes on the line."""
        flags = LAST * self.last | WAIT * self.wait
        head = bytes([self.command << 4 | flags, sequence, self.argument, self.limit])
        return framed(head + self.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the device says. room: bytes that its buffer has room for, at most 255; ended: the
    payload ends with the last byte of a result; error: the sticky error bit of the design.
    """

    payload: bytes
    sequence: int
    room: int
    outcome: int
    busy: bool
    ended: bool
    error: bool


def framed(body: bytes) -> bytes:
    """A body with its checksum, escaped, between two ENDs."""
    whole = body + zlib.crc32(body).to_bytes(CHECK, "little")
    return END + whole.replace(ESC, ESCAPED_ESC).replace(END, ESCAPED_END) + END


def body_of(content: bytes) -> bytes | None:
    """What stood between two ENDs, without escapes and checksum; None if it is damaged."""
    whole = content.replace(ESCAPED_END, END).replace(ESCAPED_ESC, ESC)
    body, check = whole[:-CHECK], whole[-CHECK:]
    return body if zlib.crc32(body).to_bytes(CHECK, "little") == check else None


def answer_of(content: bytes) -> Answer | None:
    """An answer; None if it is damaged."""
    body = body_of(content)
    if body is None or len(body) < TRAILER:
        return None
    sequence, room, flags = body[-TRAILER:]
    return Answer(
        payload=body[:-TRAILER],
        sequence=sequence,
        room=room,
        outcome=flags & 0x0F,
        busy=bool(flags & 0x20),
        ended=bool(flags & 0x40),
        error=bool(flags & 0x80),
    )
