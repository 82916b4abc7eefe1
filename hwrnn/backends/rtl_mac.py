# SPDX-License-Identifier: Apache-2.0
"""The gate MAC array of an engine in SystemVerilog, with its weights."""

from __future__ import annotations

from hwrnn.backends.rtl_memory import Content, Memories, hex_words
from hwrnn.backends.rtl_netlist import Module, Parameter
from hwrnn.backends.rtl_taps import Taps
from hwrnn.design.design import Engine
from hwrnn.design.engine import Storage


def mac_array(engine: Engine, module: Module, memories: Memories, tags: Taps) -> None:
    """Weights and multipliers; the operand and the weights of an issue are there a cycle later."""
    first = 1 - engine.mac_latency
    weights(engine, module, memories)
    module.wire("acc", len(engine.gates) * engine.pe * engine.accumulator_type.bits)
    module.add(
        "hwrnn_mac_array",
        "u_mac_array",
        {
            "Gates": len(engine.gates),
            "Pe": engine.pe,
            "Simd": engine.simd,
            "Groups": engine.groups,
            "Blocks": len(engine.blocks),
            "Registers": register_mask(engine),
            **engine.made_by.parameters(),
            "AccWidth": engine.accumulator_type.bits,
        },
        {
            "valid_i": tags.at("issue", first),
            "first_block_i": tags.at("first_block", first),
            "group_i": tags.at("group", first),
            "operand_i": "operand",
            "weights_i": "weights",
            "acc_o": "acc",
        },
    )


def weights(engine: Engine, module: Module, memories: Memories) -> None:
    """The weight memory: a word for each pass of a step, of each cell."""
    words = engine.weight_words()
    flat = words.reshape(words.shape[0] * words.shape[1], -1)
    width = engine.weight_type.bits
    module.wire("weights", flat.shape[1] * width)
    content = Content(
        name=f"{module.name}_weights",
        width=flat.shape[1] * width,
        text=hex_words(flat, width),
    )
    if reads_ahead(engine, memories):
        weights_ahead(module, content, memories)
    else:
        ports = {"address_i": "address", "data_o": "weights"}
        memories.place(module, "u_weights", content, ports, engine.storage)


def reads_ahead(engine: Engine, memories: Memories) -> bool:
    """True for memory blocks that nothing but the next issue reads: their words are known before.

    With several cells the next step decides whose words they are; a writable memory may change.
    """
    one_order = len(engine.cells) == 1 and memories.config is None
    return one_order and engine.storage is Storage.BRAM


def weights_ahead(module: Module, content: Content, memories: Memories) -> None:
    """A weight memory that is read ahead of the issue."""
    parameters: dict[str, Parameter] = {
        "Width": content.width,
        "Depth": content.text.count("\n"),
        "File": memories.file(content.name, content.text),
    }
    module.assigns.append((module.wire("unused_address"), "&{1'b0, address}"))
    module.add("hwrnn_rom_ahead", "u_weights", parameters, {"next_i": "issue", "data_o": "weights"})


def register_mask(engine: Engine) -> int:
    """Bit 0: a register behind the multipliers; bit k: behind stage k of the tree."""
    return sum(r << k for k, r in enumerate(engine.mac_registers[: engine.tree_stages + 1]))
