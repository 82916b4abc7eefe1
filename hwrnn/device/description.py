# SPDX-License-Identifier: Apache-2.0
"""What a device says about itself: its model, its ports, the numbers behind its integers."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwrnn.errors import DeviceError

MAGIC = b"hwrn"
PROTOCOL = 1
HEAD = 32
PAGE = 32

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """How a step travels: element k of a segment in lane k modulo `lanes` of a beat, each segment
    from a new beat on, `bits` bits an element, the first in the low bits.
    """

    name: str
    axes: tuple[str, ...]
    segments: tuple[int, ...]
    lanes: int
    bits: int
    lo: int
    hi: int
    scale: tuple[Fraction, ...]

    @staticmethod
    def fields(entry: dict[str, Any]) -> dict[str, Any]:
        """What both ports have, from JSON."""
        numbers = {k: int(entry[k]) for k in ("lanes", "bits", "lo", "hi")}
        return numbers | {
            "name": str(entry["name"]),
            "axes": tuple(entry["axes"]),
            "segments": tuple(map(int, entry["segments"])),
            "scale": tuple(map(Fraction, entry["scale"])),
        }

    @property
    def features(self) -> int:
        """Elements of a step."""
        return sum(self.segments)

    @property
    def places(self) -> list[int]:
        """Which lane, counted over the beats of a step, holds each element."""
        found: list[int] = []
        start = 0
        for size in self.segments:
            found += range(start, start + size)
            start += -(-size // self.lanes) * self.lanes
        return found

    @property
    def beats(self) -> int:
        """Beats of a step."""
        return sum(-(-size // self.lanes) for size in self.segments)

    @property
    def octets(self) -> int:
        """Bytes of a beat."""
        return -(-self.lanes * self.bits // 8)

    def pack(self, steps: Ints) -> bytes:
        """Steps, (steps, features), as the bytes of their beats."""
        rows = np.zeros((len(steps), self.beats * self.lanes), dtype=np.int64)
        rows[:, self.places] = steps
        lanes = rows.reshape(-1, self.lanes, 1)
        shifts = np.minimum(np.arange(self.bits), 63)
        bits = ((lanes >> shifts) & 1).astype(np.uint8).reshape(len(lanes), -1)
        return np.packbits(bits, axis=1, bitorder="little").tobytes()

    def unpack(self, data: bytes) -> Ints:
        """The steps, (steps, features), in the bytes of whole steps."""
        octets = np.frombuffer(data, dtype=np.uint8).reshape(-1, self.octets)
        bits = np.unpackbits(octets, axis=1, bitorder="little")[:, : self.lanes * self.bits]
        used = min(self.bits, 64)
        lanes = bits.reshape(len(octets), self.lanes, self.bits)[:, :, :used].astype(np.uint64)
        values = (lanes << np.arange(used, dtype=np.uint64)).sum(axis=2, dtype=np.uint64)
        q = values.view(np.int64)
        if self.lo < 0 and used < 64:
            q = q - (lanes[:, :, -1].astype(np.int64) << used)
        return np.asarray(q.reshape(-1, self.beats * self.lanes)[:, self.places], dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class InPort(Port):
    """q = clamp(round(x / scale + zero_point)), features last; one of each or one a feature."""

    zero_point: tuple[int, ...]
    rounding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutPort(Port):
    """Real value scale * q + offset; `sequence`: a vector for a step, not one for a sequence."""

    offset: tuple[Fraction, ...]
    sequence: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """All that a host needs to know of a design."""

    tool: str
    model: str
    model_hash: str
    baud: int
    max_steps: int | None
    fixed_steps: int | None
    input: InPort
    output: OutPort

    @staticmethod
    def parse(text: bytes | str, place: str) -> Description:
        """From JSON. Raises DeviceError naming `place`."""
        try:
            found = json.loads(text)
            source, sink = found["input"], found["output"]
            return Description(
                tool=str(found["tool"]),
                model=str(found["model"]),
                model_hash=str(found["model_hash"]),
                baud=int(found["baud"]),
                max_steps=found["max_steps"],
                fixed_steps=found["fixed_steps"],
                input=InPort(
                    **Port.fields(source),
                    zero_point=tuple(map(int, source["zero_point"])),
                    rounding=str(source["rounding"]),
                ),
                output=OutPort(
                    **Port.fields(sink),
                    offset=tuple(map(Fraction, sink["offset"])),
                    sequence=bool(sink["sequence"]),
                ),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DeviceError(
                place, f"is no description of a device: {error!r}", "build it again"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first bytes of a device's memory: see docs/uart.md."""

    length: int
    model_hash: str
    version: str
    buffer: int
    wait_ms: int
    baud: int
    check: int

    @staticmethod
    def parse(data: bytes, place: str) -> Head:
        """Raises DeviceError if a device says something else, or speaks another protocol."""
        if data[:4] != MAGIC or len(data) < HEAD:
            raise DeviceError(place, "is no hwrnn device", "load a bitstream that hwrnn built")
        if data[4] != PROTOCOL:
            raise DeviceError(
                place,
                f"speaks protocol {data[4]}, this is {PROTOCOL}",
                "use the hwrnn that built its bitstream, or build it again",
            )
        word = int.from_bytes(data[16:20], "little")
        return Head(
            length=int.from_bytes(data[6:8], "little"),
            model_hash=data[8:16].hex(),
            version=f"{word >> 16 & 255}.{word >> 8 & 255}.{word & 255}",
            buffer=int.from_bytes(data[20:22], "little"),
            wait_ms=int.from_bytes(data[22:24], "little"),
            baud=int.from_bytes(data[24:28], "little"),
            check=int.from_bytes(data[28:32], "little"),
        )

    @property
    def pages(self) -> int:
        """Pages of the description, this head included."""
        return -(-(HEAD + self.length) // PAGE)

    def body(self, data: bytes, place: str) -> bytes:
        """The JSON behind the head."""
        packed = data[HEAD : HEAD + self.length]
        if len(packed) != self.length or zlib.crc32(packed) != self.check:
            raise DeviceError(place, "its description is damaged", "load the bitstream again")
        return zlib.decompress(packed)
