# SPDX-License-Identifier: Apache-2.0
"""Between arrays of integers and the bytes of AXI4-Stream beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hwrnn.design.design import Stream, axis_width
from hwrnn.errors import ToolError

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortShape:
    """How a step travels: `features` elements of `bits` bits, `lanes` in a beat."""

    features: int
    lanes: int
    bits: int
    signed: bool

    @staticmethod
    def of(stream: Stream) -> PortShape:
        """The port that shows this stream."""
        return PortShape(
            features=stream.features,
            lanes=stream.lanes,
            bits=axis_width(stream.type),
            signed=stream.type.signed,
        )

    @property
    def beats(self) -> int:
        """Beats of a step."""
        return -(-self.features // self.lanes)

    @property
    def octets(self) -> int:
        """Bytes of TDATA."""
        return -(-self.lanes * self.bits // 8)


def to_beats(port: PortShape, sequences: Sequence[Ints]) -> Bytes:
    """A row for each beat: TDATA, then a byte with TLAST. Sequences are (steps, features)."""
    parts = [_sequence_beats(port, s) for s in sequences]
    return np.concatenate(parts) if parts else np.zeros((0, port.octets + 1), dtype=np.uint8)


def _sequence_beats(port: PortShape, sequence: Ints) -> Bytes:
    steps = len(sequence)
    padded = np.zeros((steps, port.beats * port.lanes), dtype=np.int64)
    padded[:, : port.features] = sequence
    lanes = padded.reshape(steps * port.beats, port.lanes)
    rows = np.zeros((len(lanes), port.octets + 1), dtype=np.uint8)
    rows[:, :-1] = _pack(lanes, port)
    if len(rows):
        rows[-1, -1] = 1
    return rows


def _pack(lanes: Ints, port: PortShape) -> Bytes:
    if port.bits % 8 == 0:
        size = port.bits // 8
        octets = lanes.astype("<i8").view(np.uint8).reshape(*lanes.shape, 8)
        if size <= 8:
            return np.ascontiguousarray(octets[:, :, :size]).reshape(len(lanes), -1)
        wide = np.repeat(octets[:, :, 7:] >> 7, size, axis=2) * np.uint8(255)
        wide[:, :, :8] = octets
        return wide.reshape(len(lanes), -1)
    shifts = np.arange(port.bits)
    bits = ((lanes[:, :, None] >> shifts) & 1).astype(np.uint8).reshape(len(lanes), -1)
    return np.packbits(bits, axis=1, bitorder="little")


def from_beats(port: PortShape, rows: Bytes) -> list[Ints]:
    """The sequences in the beats that came out, each (steps, features).

    Raises ToolError for a TLAST inside a step, for beats after the last TLAST, and for a lane
    that carries no element but is not zero.
    """
    ends = np.flatnonzero(rows[:, -1]) + 1
    if len(rows) and (not len(ends) or ends[-1] != len(rows)):
        raise ToolError("rtl", "the output ends inside a sequence")
    lanes = _unpack(rows[:, :-1], port)
    found = []
    for start, end in pairwise([0, *ends]):
        if (end - start) % port.beats:
            raise ToolError("rtl", f"TLAST on beat {end - start}, inside a step of {port.beats}")
        steps = lanes[start:end].reshape(-1, port.beats * port.lanes)
        if steps[:, port.features :].any():
            raise ToolError("rtl", "an unused lane of the output is not zero")
        found.append(steps[:, : port.features])
    return found


def _unpack(octets: Bytes, port: PortShape) -> Ints:
    if port.bits % 8 == 0:
        size = min(port.bits // 8, 8)
        lanes = octets.reshape(len(octets), port.lanes, port.bits // 8)
        wide = np.zeros((*lanes.shape[:2], 8), dtype=np.uint8)
        wide[:, :, :size] = lanes[:, :, :size]
        if port.signed and size < 8:
            wide[:, :, size:] = np.where(wide[:, :, size - 1 : size] >> 7, 255, 0)
        return wide.reshape(-1).view("<i8").reshape(len(octets), port.lanes).astype(np.int64)
    bits = np.unpackbits(octets, axis=1, bitorder="little")[:, : port.lanes * port.bits]
    weights = 1 << np.arange(port.bits, dtype=np.int64)
    if port.signed:
        weights[-1] = -weights[-1]
    return bits.reshape(len(octets), port.lanes, port.bits).astype(np.int64) @ weights
