# SPDX-License-Identifier: Apache-2.0
"""The kernels around the recurrence in SystemVerilog: library instances in the top module."""

from __future__ import annotations

import numpy as np

from hwrnn.backends.rtl_memory import Content, Memories, hex_words
from hwrnn.backends.rtl_netlist import Bits, Module, Parameter, packed
from hwrnn.backends.rtl_streams import crediting, joined, moving_in, moving_out
from hwrnn.design.around import ArgMax, Around, Combine, Embed, Joint, Repeat, Slide, Zip
from hwrnn.design.stream import Stream
from hwrnn.errors import DesignError
from hwrnn.ir import How

ARITHMETIC = {
    Joint.ADD: "hwrnn_add",
    Joint.SUB: "hwrnn_sub",
    Joint.MUL: "hwrnn_mul",
    Joint.MAX: "hwrnn_max",
}


def around(module: Module, k: Around, memories: Memories) -> None:
    """The instances of one kernel."""
    match k:
        case Slide():
            slide(module, k)
        case Combine():
            combine(module, k)
        case Repeat():
            parameters: dict[str, Parameter] = {
                "Width": bits(k.x),
                "Beats": k.x.beats,
                "Steps": k.steps,
            }
            module.add(
                "hwrnn_repeat", f"u_{k.name}", parameters, moving_in(k.x) | moving_out(k.out)
            )
        case Embed():
            embed(module, k, memories)
        case Zip():
            together(module, k)
        case ArgMax():
            arg_max(module, k)


def bits(s: Stream) -> int:
    """Bits of a beat."""
    return s.lanes * s.type.bits


def slide(module: Module, k: Slide) -> None:
    """Windows; elements are widened first where the padding needs it."""
    data = module.resized(f"s_{k.x.name}_r_data", f"w_{k.x.name}", k.x.lanes, k.x.type, k.out.type)
    module.add(
        "hwrnn_slide",
        f"u_{k.name}",
        {
            "Width": bits(k.out),
            "Beats": k.x.beats,
            "Size": k.size,
            "Stride": k.stride,
            "Before": k.before,
            "After": k.after,
            "Fill": packed([k.fill] * k.out.lanes, k.out.type.bits),
        },
        moving_in(k.x) | {"in_data_i": data} | moving_out(k.out),
    )


def combine(module: Module, k: Combine) -> None:
    """A sum or a maximum over time."""
    module.add(
        "hwrnn_combine",
        f"u_{k.name}",
        {
            "Lanes": k.x.lanes,
            "XWidth": k.x.type.bits,
            "XSigned": k.x.type.signed,
            "YWidth": k.out.type.bits,
            "Beats": k.out.beats,
            "Vectors": k.count or 0,
            "Max": k.how is How.MAX,
        },
        moving_in(k.x) | moving_out(k.out),
    )


def embed(module: Module, k: Embed, memories: Memories) -> None:
    """The reader of a table, and the table."""
    if memories.config is not None:
        raise DesignError(
            f"%{k.out.name}", "is a table that cannot be written yet", "leave out writable_weights"
        )
    x = moving_in(k.x)
    ports = crediting("out", k.out)
    data = str(ports.pop("out_data_o"))
    words = k.table.rows * k.out.beats
    address = module.wire(f"a_{k.name}", max(1, (words - 1).bit_length()))
    parameters: dict[str, Parameter] = {
        "IndexWidth": k.x.type.bits,
        "Rows": k.table.rows,
        "Beats": k.out.beats,
        "OutDepth": k.out.depth,
    }
    module.add("hwrnn_embed", f"u_{k.name}", parameters, x | ports | {"address_o": address})
    content = Content(name=k.name, width=bits(k.out), text=rows_text(k))
    memories.place(module, f"u_{k.name}_table", content, {"address_i": address, "data_o": data})


def rows_text(k: Embed) -> str:
    """The table, a beat a word."""
    beats, lanes = k.out.beats, k.out.lanes
    full = np.zeros((k.table.rows, beats * lanes), dtype=np.int64)
    full[:, : k.table.columns] = k.table.array
    return hex_words(full.reshape(-1, lanes), k.out.type.bits)


def together(module: Module, k: Zip) -> None:
    """The handshake of both streams, and the arithmetic between them."""
    a, b = k.xs
    out = f"s_{k.out.name}_w"
    module.add(
        "hwrnn_zip",
        f"u_{k.name}",
        {},
        {
            **reading_both(k),
            "out_last_o": f"{out}_last",
            "out_valid_o": f"{out}_valid",
            "out_ready_i": f"{out}_ready",
        },
        clocked=False,
    )
    if k.out.streams > 1:
        module.assigns.append((f"{out}_id", f"s_{a.name}_r_id"))
    module.add(
        ARITHMETIC[k.joint],
        f"u_{k.name}_{k.joint.value}",
        {
            "Lanes": k.out.lanes,
            "AWidth": a.type.bits,
            "ASigned": a.type.signed,
            "BWidth": b.type.bits,
            "BSigned": b.type.signed,
            "YWidth": k.out.type.bits,
            "Register": False,
        },
        {"a_i": f"s_{a.name}_r_data", "b_i": f"s_{b.name}_r_data", "y_o": f"{out}_data"},
        reset=False,
    )


def reading_both(k: Zip) -> dict[str, str | Bits]:
    """Connections to the handshakes of both streams."""
    return {
        f"in_{end}": joined([f"s_{x.name}_r_{part}" for x in k.xs])
        for end, part in (("last_i", "last"), ("valid_i", "valid"), ("ready_o", "ready"))
    }


def arg_max(module: Module, k: ArgMax) -> None:
    """A search, element by element; the stream's number goes along."""
    x, out = f"s_{k.x.name}_r", f"s_{k.out.name}_w"
    module.add(
        "hwrnn_arg_max",
        f"u_{k.name}",
        {
            "Width": k.x.type.bits,
            "Signed": k.x.type.signed,
            "Count": k.x.beats,
            "IndexWidth": k.out.type.bits,
        },
        {
            "in_data_i": f"{x}_data",
            "in_last_i": f"{x}_last",
            "in_valid_i": f"{x}_valid",
            "in_ready_o": f"{x}_ready",
            "out_data_o": f"{out}_data",
            "out_last_o": f"{out}_last",
            "out_valid_o": f"{out}_valid",
            "out_ready_i": f"{out}_ready",
        },
    )
    if k.out.streams > 1:
        module.assigns.append((f"{out}_id", f"{x}_id"))
