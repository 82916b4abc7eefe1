# SPDX-License-Identifier: Apache-2.0
"""The AXI4-Stream ports of the top level in SystemVerilog."""

from __future__ import annotations

from hwrnn.backends.rtl_netlist import Port
from hwrnn.backends.rtl_streams import port_bits, tid
from hwrnn.design.design import AxisIn, AxisOut, Design

HANDSHAKE = ("tdata", "tvalid", "tready", "tlast")


def input_ports(k: AxisIn, *, keep: bool) -> list[Port]:
    """The signals of an input. `keep`: it says where sequences start anew."""
    return [
        Port(direction="in", name=f"{k.port}_tdata", width=port_bits(k.out)),
        Port(direction="in", name=f"{k.port}_tvalid"),
        Port(direction="out", name=f"{k.port}_tready"),
        Port(direction="in", name=f"{k.port}_tlast"),
        *tid("in", f"{k.port}_tid", k.out),
        *([Port(direction="in", name=f"{k.port}_tuser")] if keep else []),
    ]


def output_ports(k: AxisOut) -> list[Port]:
    """The signals of an output."""
    return [
        Port(direction="out", name=f"{k.port}_tdata", width=port_bits(k.x)),
        Port(direction="out", name=f"{k.port}_tvalid"),
        Port(direction="in", name=f"{k.port}_tready"),
        Port(direction="out", name=f"{k.port}_tlast"),
        *tid("out", f"{k.port}_tid", k.x),
    ]


def error_of(design: Design, k: AxisIn) -> str:
    """The signal of the error bit of an input shell."""
    return "error_o" if len(design.sources) == 1 else f"error_of_{k.name}"
