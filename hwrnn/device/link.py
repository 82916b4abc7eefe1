# SPDX-License-Identifier: Apache-2.0
"""One request, one answer, whatever the line does: damaged and lost frames are sent again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from hwrnn.device.frames import END, MOST, Answer, Outcome, Request, answer_of
from hwrnn.errors import DeviceError

BITS = 10  # of a byte on the line
OVERHEAD = 20  # bytes of a frame besides its payload, escapes included
GAP_S = 0.005  # of silence behind a damaged frame, before the request is sent again
TRIES = 3  # silence counts only after that many requests
MOST_TRIES = 40


class NoisyLine(DeviceError):
    """Too many attempts at one request came back damaged: shorter ones may still pass."""


class SilentLine(DeviceError):
    """Nothing answers."""


class Port(Protocol):
    """What is used of serial.Serial."""

    timeout: float | None
    baudrate: int

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""

    def read(self, size: int = 1, /) -> bytes:
        """Up to `size` bytes; fewer when the timeout has passed."""

    def write(self, data: bytes, /) -> int | None:
        """Send bytes."""

    def reset_input_buffer(self) -> None:
        """Forget what has come."""

    def close(self) -> None:
        """Let go of the port."""


@dataclass(slots=True)
class Health:
    """What a line has done so far: requests; how often one was sent again because its answer came
    damaged, because the device got it damaged, or because no answer came.
    """

    requests: int = 0
    damaged_answers: int = 0
    damaged_requests: int = 0
    lost: int = 0

    @property
    def repeats(self) -> int:
        """How often a request was sent again."""
        return self.damaged_answers + self.damaged_requests + self.lost


class Link:
    """A serial port on which a device answers requests, one at a time.

    timeout: seconds of silence after which the device counts as gone. patience: seconds that an
    answer may take beside its own length; then the request is sent again.
    """

    def __init__(self, port: Port, name: str, baud: int, timeout: float, patience: float) -> None:
        self.name, self.baud, self.timeout, self.patience = name, baud, timeout, patience
        self.wait_s = 0.1  # how long the device holds an answer back; it says so itself
        self.health = Health()
        self._port = port
        self._sequence = 0
        self._partial = bytearray()  # of a frame that has not ended yet

    def close(self) -> None:
        """Let go of the port."""
        self._port.close()

    def forget(self) -> None:
        """Drop what has come and was not asked for."""
        with self._plugged():
            self._port.reset_input_buffer()
        self._partial.clear()

    @contextmanager
    def _plugged(self) -> Iterator[None]:
        """What the system says of a port that is closed, or not there any more, as a DeviceError.

        pyserial's errors are OSErrors; termios has one of its own, which is none.
        """
        try:
            yield
        except Exception as error:
            if not isinstance(error, OSError) and type(error).__module__ != "termios":
                raise
            raise DeviceError(
                self.name, f"the port is gone: {error}", "plug the board in, and connect again"
            ) from error

    def ask(self, request: Request) -> Answer:
        """The device's answer. Raises DeviceError if there is none, or none undamaged."""
        self._sequence = (self._sequence + 1) % 256
        frame = request.frame(self._sequence)
        self.health.requests += 1
        heard, silences, damages = time.monotonic(), 0, 0
        while damages < MOST_TRIES:
            with self._plugged():
                self._port.write(frame)
            answer, alive = self._listen(self._time_for(frame))
            if answer is not None:
                return self._checked(answer)
            if alive:
                heard, silences, damages = time.monotonic(), 0, damages + 1
                continue
            silences += 1
            if silences >= TRIES and time.monotonic() - heard > self.timeout:
                raise self._silent()
        raise NoisyLine(
            self.name,
            f"{MOST_TRIES} attempts at one request came back damaged",
            "look at cable and ground, or use a slower baud rate",
        )

    def _time_for(self, frame: bytes) -> float:
        """Seconds until an answer must have come."""
        octets = len(frame) + 2 * MOST + OVERHEAD
        return self.patience + self.wait_s + octets * BITS / self.baud

    def _listen(self, patience: float) -> tuple[Answer | None, bool]:
        """The answer to the last request, or None; and whether anything came at all.

        Behind damage it waits for silence: what was damaged may come in pieces.
        """
        deadline = time.monotonic() + patience
        alive = hurt = False
        while (left := deadline - time.monotonic()) > 0:
            for content in self._frames(left):
                alive = True
                answer = answer_of(content)
                if answer is not None and answer.outcome != Outcome.DAMAGED:
                    if answer.sequence == self._sequence:
                        return answer, True
                    continue  # a request that was sent twice was answered twice
                if not hurt:
                    self._note(answer)
                hurt = True
                deadline = min(deadline, time.monotonic() + GAP_S)
        self.health.lost += not hurt
        return None, alive

    def _note(self, answer: Answer | None) -> None:
        if answer is None:
            self.health.damaged_answers += 1
        else:
            self.health.damaged_requests += 1

    def _frames(self, left: float) -> list[bytes]:
        """The frames that have ended when something comes, or nothing after `left` seconds."""
        with self._plugged():
            self._port.timeout = left
            self._partial += self._port.read(max(self._port.in_waiting, 1))
        *whole, rest = bytes(self._partial).split(END)
        self._partial = bytearray(rest)
        return [content for content in whole if content]

    def _checked(self, answer: Answer) -> Answer:
        if answer.outcome == Outcome.UNKNOWN:
            raise DeviceError(
                self.name,
                "the device does not know this request",
                "its shell is another version's: use the hwrnn that built it",
            )
        return answer

    def _silent(self) -> DeviceError:
        return SilentLine(
            self.name,
            f"no answer at {self.baud} baud within {self.timeout:g} s",
            "is it the right port, is the bitstream loaded, was it built for this baud rate?",
        )
