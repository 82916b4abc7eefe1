# SPDX-License-Identifier: Apache-2.0
"""How the top level connects a kernel's ports to the FIFOs of its streams."""

from __future__ import annotations

from hwrnn.backends.rtl_netlist import Bits, Numbers, Parameter, Port
from hwrnn.design.stream import Stream, axis_width


def port_bits(stream: Stream) -> int:
    """Width of TDATA: all lanes, rounded up to whole bytes."""
    return -(-stream.lanes * axis_width(stream.type) // 8) * 8


def tid(direction: str, name: str, s: Stream) -> list[Port]:
    """TID, if there are several streams."""
    return [Port(direction=direction, name=name, width=s.id_bits)] if s.streams > 1 else []


def several_streams(s: Stream) -> dict[str, Parameter]:
    """The parameter of a module that looks at the stream's number."""
    return {"Streams": s.streams} if s.streams > 1 else {}


def word(s: Stream, side: str) -> str:
    """A FIFO's entry: the stream's number (if there are several), last, the elements."""
    base = f"s_{s.name}_{side}"
    number = [f"{base}_id"] if s.streams > 1 else []
    return f"{{{', '.join([*number, f'{base}_last', f'{base}_data'])}}}"


def numbered(s: Stream, side: str, data: str | None = None) -> str:
    """The elements, below the stream's number if there are several."""
    base = f"s_{s.name}_{side}"
    data = data or f"{base}_data"
    return f"{{{base}_id, {data}}}" if s.streams > 1 else data


def reading(port: str, s: Stream, *, with_id: bool = True) -> dict[str, str | Bits]:
    """Connections of a port that reads a stream; the number is a signal of its own."""
    number = {f"{port}_id_i": f"s_{s.name}_r_id"} if s.streams > 1 and with_id else {}
    return {
        f"{port}_data_i": f"s_{s.name}_r_data",
        **number,
        f"{port}_last_i": f"s_{s.name}_r_last",
        f"{port}_valid_i": f"s_{s.name}_r_valid",
        f"{port}_ready_o": f"s_{s.name}_r_ready",
    }


def writing(port: str, s: Stream) -> dict[str, str | Bits]:
    """Connections of a port that writes a stream; the number is a signal of its own."""
    number = {f"{port}_id_o": f"s_{s.name}_w_id"} if s.streams > 1 else {}
    return {
        f"{port}_data_o": f"s_{s.name}_w_data",
        **number,
        f"{port}_last_o": f"s_{s.name}_w_last",
        f"{port}_valid_o": f"s_{s.name}_w_valid",
        f"{port}_ready_i": f"s_{s.name}_w_ready",
    }


def moving_in(s: Stream) -> dict[str, str | Bits]:
    """Connections of a reader to which the number is part of the data."""
    return {**reading("in", s, with_id=False), "in_data_i": numbered(s, "r")}


def moving_out(s: Stream) -> dict[str, str | Bits]:
    """Connections of a writer to which the number is part of the data."""
    connections = {**writing("out", s), "out_data_o": numbered(s, "w")}
    connections.pop("out_id_o", None)
    return connections


def reading_all(xs: tuple[Stream, ...]) -> dict[str, str | Bits]:
    """Connections of a kernel that reads several streams, but for their data."""
    return {
        "in_last_i": joined([f"s_{x.name}_r_last" for x in xs]),
        "in_valid_i": joined([f"s_{x.name}_r_valid" for x in xs]),
        "in_ready_o": joined([f"s_{x.name}_r_ready" for x in xs]),
    }


def crediting(port: str, s: Stream) -> dict[str, str | Bits]:
    """Connections of a port that writes a stream and counts credits."""
    connections = writing(port, s)
    del connections[f"{port}_ready_i"]
    return connections | {f"{port}_pop_i": f"s_{s.name}_pop"}


def segments(prefix: str, s: Stream) -> dict[str, Parameter]:
    """Parameters that describe the beats of a vector."""
    return {
        f"{prefix}SegmentCount": len(s.segments),
        f"{prefix}Segments": Numbers(values=s.segments),
    }


def joined(signals: list[str]) -> str:
    """Signals side by side, the first in the low bits."""
    return f"{{{', '.join(reversed(signals))}}}"


def same_type(name: str, x: Stream, out: Stream) -> None:
    """A kernel that moves beats does not change their width."""
    if x.type.bits != out.type.bits:
        raise ValueError(f"{name}: {x.type} in, {out.type} out")
