# SPDX-License-Identifier: Apache-2.0
"""Between arrays of integers and the bytes of AXI4-Stream beats, on one stream or on several.

A beat is a row of bytes: TDATA, the stream's number (TID, little-endian; no bytes if there is only
one stream), and a byte with TLAST (bit 0) and TUSER (bit 1, of designs that keep states: a new
sequence starts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hwrnn.design.order import port_order
from hwrnn.design.stream import Stream, axis_width, ceil_div
from hwrnn.errors import ToolError

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
LAST, USER = 1, 2  # bits of the last byte of a row


@dataclass(frozen=True, slots=True, kw_only=True)
class PortShape:
    """How a step travels: `features` elements of `bits` bits, `lanes` in a beat; on which of
    `streams` streams, its TID says.
    """

    features: int
    lanes: int
    bits: int
    signed: bool
    streams: int = 1

    @staticmethod
    def of(stream: Stream) -> PortShape:
        """The port that shows this stream."""
        return PortShape(
            features=stream.features,
            lanes=stream.lanes,
            bits=axis_width(stream.type),
            signed=stream.type.signed,
            streams=stream.streams,
        )

    @property
    def beats(self) -> int:
        """Beats of a step."""
        return ceil_div(self.features, self.lanes)

    @property
    def octets(self) -> int:
        """Bytes of TDATA."""
        return ceil_div(self.lanes * self.bits, 8)

    @property
    def id_octets(self) -> int:
        """Bytes that hold TID in a row."""
        return ceil_div((self.streams - 1).bit_length(), 8)

    @property
    def row_octets(self) -> int:
        """Bytes of a beat as a row."""
        return self.octets + self.id_octets + 1


def to_beats(
    port: PortShape, sequences: Sequence[Ints], first: Sequence[bool] | None = None
) -> Bytes:
    """A row for each beat, in the order of `port_order`. Sequences are (steps, features).

    `first`: the sequences are fragments, of which these start anew.
    """
    rows = np.zeros((sum(map(len, sequences)) * port.beats, port.row_octets), dtype=np.uint8)
    if not len(rows):
        return rows
    ends = np.cumsum([len(s) * port.beats for s in sequences])
    streams = np.arange(len(sequences)) % port.streams
    rows[:, : port.octets] = _pack(_lanes(port, np.concatenate(sequences)), port)
    tids = np.repeat(streams, np.diff(ends, prepend=0)).astype("<i8")
    rows[:, port.octets : -1] = tids.view(np.uint8).reshape(-1, 8)[:, : port.id_octets]
    rows[ends - 1, -1] = LAST
    if first is not None:
        rows[np.array([0, *ends[:-1]])[list(first)], -1] |= USER
    return rows[_port_rows(port, [len(s) for s in sequences])] if port.streams > 1 else rows


def _lanes(port: PortShape, steps: Ints) -> Ints:
    padded = np.zeros((len(steps), port.beats * port.lanes), dtype=np.int64)
    padded[:, : port.features] = steps
    return padded.reshape(-1, port.lanes)


def _port_rows(port: PortShape, lengths: Sequence[int]) -> Ints:
    """Which beats of the sequences, one behind the other, pass the port in turn."""
    starts = np.cumsum([0, *lengths])
    steps = [starts[tag.sequence] + tag.step for tag in port_order(lengths, port.streams)]
    return np.asarray(
        (np.array(steps)[:, None] * port.beats + np.arange(port.beats)).ravel(), dtype=np.int64
    )


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
    """The sequences in the beats that came out, each (steps, features), in the order of
    `to_beats`.

    Raises ToolError for beats that `by_stream` refuses, and if the streams' shares of sequences
    are not those of `to_beats`.
    """
    found = by_stream(port, rows)
    count = sum(map(len, found))
    for k, made in enumerate(found):
        share = len(range(k, count, port.streams))
        if len(made) != share:
            raise ToolError("rtl", f"stream {k} gave {len(made)} of {count} sequences, not {share}")
    return [found[k % port.streams][k // port.streams] for k in range(count)]


def by_stream(port: PortShape, rows: Bytes) -> list[list[Ints]]:
    """The sequences of each stream, each (steps, features).

    Raises ToolError for a TID that no stream has or that changes in mid-step, for a TLAST inside a
    step, for beats after the last TLAST, and for a lane that carries no element but is not zero.
    """
    octets = np.zeros((len(rows), 8), dtype=np.uint8)
    octets[:, : port.id_octets] = rows[:, port.octets : -1]
    tids = octets.view("<i8").ravel()
    if len(tids) and tids.max() >= port.streams:
        raise ToolError("rtl", f"TID {tids.max()} came out of {port.streams} streams")
    if port.streams > 1:
        whole = tids[: len(tids) // port.beats * port.beats].reshape(-1, port.beats)
        if (whole != whole[:, :1]).any():
            raise ToolError("rtl", "TID changes inside a step of the output")
    return [_sequences(port, rows[tids == k]) for k in range(port.streams)]


def _sequences(port: PortShape, rows: Bytes) -> list[Ints]:
    """Those of one stream."""
    ends = np.flatnonzero(rows[:, -1]) + 1
    if len(rows) and (not len(ends) or ends[-1] != len(rows)):
        raise ToolError("rtl", "the output ends inside a sequence")
    lanes = _unpack(rows[:, : port.octets], port)
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
