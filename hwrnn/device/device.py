# SPDX-License-Identifier: Apache-2.0
"""A design on a board: connects, checks that it is the right one, runs sequences through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwrnn.device.arrays import arranged, sequences_of
from hwrnn.device.description import PAGE, Description, Head, Port
from hwrnn.device.frames import MOST, Answer, Command, Outcome, Request
from hwrnn.device.link import Health, Link, NoisyLine, SilentLine
from hwrnn.device.link import Port as SerialPort
from hwrnn.errors import DeviceError

BAUDS = (1_000_000, 115_200)  # those of the boards, to be tried when nobody says which
PLACES = ("", "bitstream", "board", "rtl_project")  # of device.json in a project
STATUS_BYTES = 2
FIRST_CHUNK, LEAST_CHUNK = 64, 16  # bytes of a payload: more while all goes well, half if not
MORE = 16
RESTARTS = 4  # of a sequence, where the line is so bad that long frames never pass
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the device reports: the sticky error bit of the design, whether bytes wait in its
    buffers, requests that came whole and requests that came damaged (each modulo 256).
    """

    error: bool
    busy: bool
    good: int
    damaged: int


def connect(
    port: str,
    baud: int | None = None,
    *,
    project: str | Path | None = None,
    model: object = None,
    timeout: float = 3.0,
    patience: float = 0.25,
) -> Device:
    """The device behind a serial port (a name, or a URL of pyserial such as socket://host:port).

    baud: by default that of the project, or, without one, what answers: 1,000,000 or 115,200.
    project: the folder of its project, or the device.json in there; model: a design, or the hash
    of a model. A device that holds another model is refused before it gets any data. timeout:
    seconds of silence after which it counts as gone. patience: seconds that the operating system
    and an adapter may hold an answer up before it counts as lost and is asked for again. Raises
    DeviceError.
    """
    told = told_by(project) if project is not None else None
    expected = expected_hash(model) if told is None else told.model_hash
    rates = (baud,) if baud else (told.baud,) if told else BAUDS
    serial = open_port(port, rates[0])
    try:
        for rate in rates[:-1]:
            serial.baudrate = rate
            if answers(Link(serial, port, rate, 0.0, patience)):
                break
        else:
            rate = serial.baudrate = rates[-1]
        return Device(Link(serial, port, rate, timeout, patience), expected)
    except BaseException:
        serial.close()
        raise


def answers(link: Link) -> bool:
    """True if there is a device at the other end, and it is spoken to at its own speed."""
    try:
        link.ask(Request(command=Command.RESET))
    except (SilentLine, NoisyLine):
        return False
    return True


class Device:
    """A board that computes a model. Made by `connect`; a context that closes the port.

    `description`: what it says of itself; `health`: what the line did so far.
    """

    def __init__(self, link: Link, expected: str | None = None) -> None:
        self._link = link
        self._chunk = FIRST_CHUNK
        self._clean = False
        link.forget()
        self._reset()
        first = self._page(0)
        head = Head.parse(first, link.name)
        if expected is not None and not head.model_hash.startswith(expected):
            raise DeviceError(
                link.name,
                f"holds model {head.model_hash}, not {expected}",
                "load the bitstream of this project, or connect with the project of that model",
            )
        link.wait_s = head.wait_ms / 1000
        self.version = head.version
        self.model_hash = head.model_hash
        self._room = min(head.buffer, MOST)
        whole = b"".join([first, *map(self._page, range(1, head.pages))])
        self.description = Description.parse(head.body(whole, link.name), link.name)

    @property
    def health(self) -> Health:
        """Requests, and how often one had to be sent again."""
        return self._link.health

    def infer(
        self,
        x: ArrayLike,
        *,
        integers: bool = False,
        lengths: Sequence[int] | None = None,
        progress: Progress | None = None,
    ) -> NDArray[Any]:
        """What `hwrnn.run` returns for x, computed by the device, bit for bit.

        x: the model's own axes and shape; float32 values are quantised by the first quantiser,
        integers are taken as quantised. `lengths`: the steps of each sequence that count.
        Returns float32, or with `integers` the int64 behind them. `progress(done, all)` is called
        after each sequence. Raises DataError, DeviceError.
        """
        sequences = sequences_of(self.description, x, lengths)
        results = []
        self._recover()
        self._clean = False  # until all is back: an interrupt may leave half a sequence behind
        for k, steps in enumerate(sequences):
            data = self._whole(self.description.input.pack(steps))
            results.append(self.description.output.unpack(data))
            if progress is not None:
                progress(k + 1, len(sequences))
        self._clean = True
        return np.asarray(arranged(self.description.output, results, integers=integers))

    def status(self) -> Status:
        """What the device reports about itself. Raises DeviceError."""
        answer = self._link.ask(Request(command=Command.STATUS, limit=STATUS_BYTES))
        good, damaged = answer.payload
        return Status(error=answer.error, busy=answer.busy, good=good, damaged=damaged)

    def reset(self) -> None:
        """Reset the design and drop what is in flight; this clears its error bit, too."""
        self._clean = False
        self._recover()

    def close(self) -> None:
        """Let go of the port."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        d = self.description
        return (
            f'<hwrnn device on {self._link.name}: model "{d.model}" {self.model_hash}, '
            f"hwrnn {self.version}\n  in  {shown(d.input)}\n  out {shown(d.output)}>"
        )

    def _recover(self) -> None:
        if not self._clean:
            self._link.forget()
            self._reset()

    def _reset(self) -> None:
        self._link.ask(Request(command=Command.RESET))
        self._room = MOST
        self._clean = True

    def _page(self, number: int) -> bytes:
        request = Request(command=Command.DESCRIBE, argument=number, limit=PAGE)
        return self._link.ask(request).payload

    def _whole(self, data: bytes) -> bytes:
        """The result of a sequence, from the start with small pieces if the line is very bad."""
        for _ in range(RESTARTS):
            try:
                return self._exchange(data)
            except NoisyLine:
                self._chunk = LEAST_CHUNK
                self._reset()
        return self._exchange(data)

    def _exchange(self, data: bytes) -> bytes:
        """Send a sequence, in pieces that the device has room for, and gather its result."""
        result, sent = bytearray(), 0
        moved = time.monotonic()
        while True:
            size = min(len(data) - sent, self._room, self._chunk)
            answer = self._data(data[sent : sent + size], whole=sent + size == len(data))
            size = 0 if answer.outcome == Outcome.FULL else size
            sent += size
            result += answer.payload
            if answer.ended:
                return self._complete(bytes(result), sent == len(data))
            if size or answer.payload:
                moved = time.monotonic()
            elif time.monotonic() - moved > self._link.timeout:
                raise self._stuck(sent, len(data))

    def _data(self, payload: bytes, *, whole: bool) -> Answer:
        """A piece of a sequence, with `whole` the last one or what is asked for behind it."""
        repeats = self.health.repeats
        request = Request(
            command=Command.DATA,
            argument=len(payload),
            limit=self._chunk,
            payload=payload,
            last=whole and bool(payload),
            wait=whole,
        )
        answer = self._link.ask(request)
        self._room = answer.room
        again = self.health.repeats - repeats
        chunk = self._chunk >> again if again else self._chunk + MORE
        self._chunk = min(max(chunk, LEAST_CHUNK), MOST)
        return answer

    def _complete(self, result: bytes, everything: bool) -> bytes:
        port = self.description.output
        if not everything or len(result) % (port.octets * port.beats):
            raise DeviceError(
                self._link.name,
                f"a result of {len(result)} bytes came"
                + ("" if everything else " before the sequence was sent"),
                "the device does not fit its description: load the bitstream again",
            )
        return result

    def _stuck(self, sent: int, size: int) -> DeviceError:
        return DeviceError(
            self._link.name,
            f"the design stands still: {sent} of {size} bytes taken, no result within "
            f"{self._link.timeout:g} s",
            "connect with a longer timeout if the sequence takes that long",
        )


def shown(port: Port) -> str:
    """A port in a line."""
    axes = ", ".join(
        {"B": "batch", "T": "steps", "F": str(port.features)}.get(a, a) for a in port.axes
    )
    return f'"{port.name}" ({axes}), integers {port.lo}..{port.hi}'


def told_by(project: str | Path) -> Description:
    """What a project says of its device. Raises DeviceError."""
    file = Path(project)
    if file.is_dir():
        inside = [file / place / "device.json" for place in PLACES]
        file = next((f for f in inside if f.is_file()), inside[0])
    try:
        return Description.parse(file.read_bytes(), str(file))
    except OSError as error:
        raise DeviceError(
            str(file), f"cannot be read: {error.strerror}", "name the folder of a project"
        ) from error


def expected_hash(model: object) -> str | None:
    """The hash of the model that the caller wants, in hexadecimal digits; None: any."""
    if model is None:
        return None
    return str(getattr(model, "model_hash", model))[:16].lower()


def open_port(name: str, baud: int) -> SerialPort:
    """The serial port. Raises DeviceError."""
    try:
        import serial
    except ImportError as error:
        raise DeviceError(
            "hwrnn.device", "needs the package pyserial", "pip install 'hwrnn[device]'"
        ) from error
    try:
        found: SerialPort = serial.serial_for_url(name, baudrate=baud)
    except (serial.SerialException, ValueError, OSError) as error:
        raise DeviceError(
            name, f"cannot be opened: {error}", f"there is {found_ports()}"
        ) from error
    return found


def found_ports() -> str:
    """The serial ports of this machine."""
    from serial.tools import list_ports

    return ", ".join(sorted(p.device for p in list_ports.comports())) or "no serial port"
