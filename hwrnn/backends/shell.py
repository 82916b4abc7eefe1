# SPDX-License-Identifier: Apache-2.0
"""The RTL project of a design behind a serial line: `hwrnn_board_core` and what it tells the host.

docs/uart.md describes the protocol and the description of the device.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from hwrnn import __version__
from hwrnn.backends.files import FileSet
from hwrnn.backends.identity import version_word
from hwrnn.backends.rtl import emit_rtl, library_text, module_text, top_name, used_library
from hwrnn.backends.rtl_netlist import Bits, Module, Port
from hwrnn.backends.rtl_streams import port_bits
from hwrnn.design.design import Design, Stream, axis_width
from hwrnn.errors import DesignError

CORE = "hwrnn_board_core"
MEMORY = "hwrnn_device.mem"
PROTOCOL = 1
BAUD = 115_200
LEAST_BAUD = 1200  # as for the boards; below it a frame takes longer than a host waits
PAGE = 32  # bytes of the description that a request may ask for
MOST_PAGES = 256
OFF_BAUD = 0.02  # how far the line's speed may be from what was asked; 8N1 stands about 4 %
WAIT_S = 0.02  # an answer waits for results at least that long


def baud_divisor(clock_hz: float, baud: int = BAUD) -> int:
    """Clock cycles of a bit. Raises DesignError if the clock cannot make this speed."""
    if baud < LEAST_BAUD:
        raise DesignError(f"baud rate {baud}", "is too slow", f"ask for {LEAST_BAUD:,} or more")
    divisor = round(clock_hz / baud)
    if divisor < 4:
        raise DesignError(
            f"baud rate {baud}",
            f"is too fast for a clock of {clock_hz / 1e6:g} MHz: a bit needs 4 cycles",
            f"ask for at most {int(clock_hz / 4)} baud",
        )
    real = clock_hz / divisor
    if abs(real - baud) > OFF_BAUD * baud:
        raise DesignError(
            f"baud rate {baud}",
            f"cannot be made from {clock_hz / 1e6:g} MHz: the nearest is {real:.0f}",
            f"ask for {real:.0f} baud, or for a slower one",
        )
    return divisor


def emit_shell(
    design: Design, divisor: int = 104, *, baud: int = BAUD, depth: int = 256
) -> FileSet:
    """The RTL project with the module `hwrnn_board_core`: clk_i, rst_i, uart_rx_i, uart_tx_o,
    error_o, busy_o.

    divisor: clock cycles of a bit (`baud_divisor`), 4 or more; baud: the line's speed; depth: bytes
    of the buffer in each direction, a power of two from 256. `device.json` describes the device to
    the host. Raises DesignError.
    """
    if design.writable:
        raise DesignError(
            "the UART shell",
            "does not write weights yet",
            "build the design without writable_weights",
        )
    if design.keep:
        raise DesignError(
            "the UART shell",
            "sends whole sequences, no fragments",
            'build the design with state="reset"',
        )
    if len(design.sources) > 1 or len(design.sinks) > 1:
        raise DesignError(
            "the UART shell",
            f"sends one packet and takes one; {design.graph.name} has {len(design.sources)} "
            f"inputs and {len(design.sinks)} outputs",
            "export a module that takes the sequence alone and returns one tensor; or use the "
            "AXI4-Stream ports of the RTL",
        )
    files = emit_rtl(design)
    if f"rtl/{CORE}.sv" in files:
        raise DesignError(f"model {design.name}", f"makes a module {CORE}", "rename the model")
    content = description(design, baud)
    rom = memory(design, content, baud, divisor, depth)
    core = core_module(design, divisor, depth, len(rom) // PAGE, wait_bits(baud * divisor))
    names = [m for m in used_library([core]) if f"rtl/{m}.sv" not in files]
    sources = {f"rtl/{m}.sv": library_text(m) for m in names}
    sources[f"rtl/{CORE}.sv"] = module_text(design, core)
    listed = "".join(f"{path.removeprefix('rtl/')}\n" for path in sources)
    made = dict(files.items()) | sources
    made["rtl/files.f"] = files.data("rtl/files.f").decode() + listed
    made[f"rtl/{MEMORY}"] = "".join(f"{octet:02x}\n" for octet in rom)
    made["device.json"] = json.dumps(content, indent=1) + "\n"
    return FileSet(made)


def core_module(design: Design, divisor: int, depth: int, pages: int, waits: int) -> Module:
    """Shell and design, joined by their AXI4-Stream ports."""
    m = Module(name=CORE, title=f"{design.graph.name} behind a serial line.")
    m.ports = [Port(direction="in", name=name) for name in ("clk_i", "rst_i", "uart_rx_i")]
    m.ports += [Port(direction="out", name=name) for name in ("uart_tx_o", "error_o", "busy_o")]
    x, y = design.source.out, design.sink.x
    for side, stream in (("x", x), ("y", y)):
        m.wire(f"{side}_tdata", port_bits(stream))
        for part in ("tvalid", "tready", "tlast"):
            m.wire(f"{side}_{part}")
    m.wire("design_rst")
    m.add(
        "hwrnn_uart_shell",
        "u_shell",
        {
            "BaudDivisor": divisor,
            "XBytes": port_bits(x) // 8,
            "YBytes": port_bits(y) // 8,
            "Depth": depth,
            "WaitBits": waits,
            "RomPages": pages,
            "RomFile": MEMORY,
        },
        {
            "rx_i": "uart_rx_i",
            "tx_o": "uart_tx_o",
            **axis("m_axis", "x"),
            **axis("s_axis", "y"),
            "error_i": "error_o",
            "design_rst_o": "design_rst",
            "busy_o": "busy_o",
        },
    )
    m.add(top_name(design), "u_design", {}, design_ports(m, design), clocked=False)
    return m


def axis(port: str, wires: str) -> dict[str, str | Bits]:
    """Connections of an AXI4-Stream port without TID."""
    return {f"{port}_{p}": f"{wires}_{p}" for p in ("tdata", "tvalid", "tready", "tlast")}


def design_ports(m: Module, design: Design) -> dict[str, str | Bits]:
    """Connections of the design. Of several streams the first is used."""
    ports: dict[str, str | Bits] = {"aclk": "clk_i", "aresetn": "!design_rst"}
    ports |= axis("s_axis", "x") | axis("m_axis", "y")
    if design.streams > 1:
        bits = design.source.out.id_bits
        ports |= {"s_axis_tid": Bits(value=0, width=bits)}
        ports |= {"m_axis_tid": m.wire("unused_tid", bits)}
    ports |= {"error_o": "error_o"}
    ports |= {"version_o": m.wire("unused_version", 32)}
    ports |= {"model_hash_o": m.wire("unused_model_hash", 64)}
    return ports


def wait_bits(clock_hz: float) -> int:
    """The shell waits for results for 2**bits cycles."""
    return max(int(clock_hz * WAIT_S).bit_length(), 10)


def description(design: Design, baud: int) -> dict[str, Any]:
    """What a host needs to quantise, send, receive and scale; exact, numbers as fractions."""
    if len(design.graph.outputs) != 1:
        raise DesignError("the UART shell", f"has one output, not {len(design.graph.outputs)}")
    source, sink = design.graph.inputs[0], design.graph.outputs[0]
    quantiser = source.quantiser
    return {
        "format": PROTOCOL,
        "tool": f"hwrnn {__version__}",
        "model": design.graph.name,
        "model_hash": design.model_hash[:16],
        "baud": baud,
        "max_steps": design.source.max_steps,
        "fixed_steps": design.source.fixed_steps,
        "input": {
            "name": source.out.name,
            "axes": list(source.axes),
            **port(design.source.out),
            "scale": fractions(quantiser.scale),
            "zero_point": list(quantiser.zero_point),
            "rounding": quantiser.rounding.value,
        },
        "output": {
            "name": sink.out.name,
            "axes": list(sink.axes),
            **port(design.sink.x),
            "sequence": sink.out.sequence,
            "scale": fractions(sink.grid.scale),
            "offset": fractions(sink.grid.offset),
        },
    }


def port(s: Stream) -> dict[str, Any]:
    """How a step travels: see docs/axi_stream.md."""
    return {
        "features": s.features,
        "segments": list(s.segments),
        "lanes": s.lanes,
        "bits": axis_width(s.type),
        "lo": s.type.lo,
        "hi": s.type.hi,
    }


def fractions(values: Iterable[Fraction]) -> list[str]:
    """Each as numerator/denominator."""
    return [str(v) for v in values]


def memory(design: Design, content: dict[str, Any], baud: int, divisor: int, depth: int) -> bytes:
    """The memory that describes the device, in whole pages: a header of 32 bytes, zlib'd JSON."""
    body = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
    milliseconds = -(-1000 * (1 << wait_bits(baud * divisor)) // (baud * divisor))
    head = b"hwrn" + bytes([PROTOCOL, 0]) + len(body).to_bytes(2, "little")
    head += bytes.fromhex(design.model_hash[:16]) + version_word().to_bytes(4, "little")
    head += min(depth - 1, 0xFFFF).to_bytes(2, "little") + milliseconds.to_bytes(2, "little")
    head += baud.to_bytes(4, "little") + zlib.crc32(body).to_bytes(4, "little")
    whole = head + body
    pages = -(-len(whole) // PAGE)
    if pages > MOST_PAGES:
        raise DesignError(
            "the UART shell",
            f"describes itself in {len(whole)} bytes, {MOST_PAGES * PAGE} are the most",
            "use a scale for all channels of the output",
        )
    return whole.ljust(pages * PAGE, b"\0")
