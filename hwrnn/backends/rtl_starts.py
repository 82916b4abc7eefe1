# SPDX-License-Identifier: Apache-2.0
"""States of an engine that start as vectors from outside, in SystemVerilog."""

from __future__ import annotations

from hwrnn.backends.rtl_netlist import Bits, Module, Port, index_bits
from hwrnn.backends.rtl_taps import Taps
from hwrnn.design.design import Engine, Result, Start

GATED = "x_there"  # x_valid_i behind the gate
DONE, RELEASED, BANK = "start_done", "start_released", "start_bank"


def prefix_of(engine: Engine, start: Start) -> str:
    """What the ports of the vectors of a state start with."""
    return f"start{engine.starts.index(start)}"


def result_prefix(engine: Engine, result: Result) -> str:
    """What the ports of a result start with."""
    return "out" if result.out == engine.out else f"more{engine.more.index(result)}"


def start_ports(engine: Engine) -> list[Port]:
    """The ports through which the vectors come."""
    ports = []
    for start in engine.starts:
        name = prefix_of(engine, start)
        width = start.x.lanes * start.x.type.bits
        ports += [
            Port(direction="in", name=f"{name}_data_i", width=width),
            *turn_port(start, f"{name}_id_i"),
            Port(direction="in", name=f"{name}_last_i"),
            Port(direction="in", name=f"{name}_valid_i"),
            Port(direction="out", name=f"{name}_ready_o"),
        ]
    return ports


def turn_port(start: Start, name: str) -> list[Port]:
    """The number of the stream, which nothing reads: vectors come in the order of first steps."""
    return [Port(direction="in", name=name, width=start.x.id_bits)] if start.x.streams > 1 else []


def start_control(engine: Engine, module: Module, tags: Taps) -> None:
    """The gate in front of the issue control, and what takes the vectors of each state."""
    if not engine.starts:
        return
    banks = index_bits(engine.start_banks)
    last = len(engine.hands) - 1
    there = [module.wire(f"{prefix_of(engine, s)}_there") for s in engine.starts]
    for name, width in ((GATED, None), (DONE, None), (BANK, banks), (RELEASED, None)):
        module.wire(name, width)
    module.add(
        "hwrnn_start_gate",
        "u_start_gate",
        {"States": len(there), "Groups": engine.groups, "Banks": engine.start_banks},
        {
            "x_valid_i": "x_valid_i",
            "there_i": f"{{{', '.join(reversed(there))}}}",
            "x_valid_o": GATED,
            "first_step_i": "first_step",
            "first_block_i": "first_block",
            "group_i": "group",
            "finish_i": f"finish[{last}]",
            "done_o": DONE,
            "bank_o": BANK,
        },
    )
    base = -engine.mac_latency
    tags.define(DONE, base, DONE, None, reset=True)
    tags.define(BANK, base, BANK, banks)
    module.assigns.append((RELEASED, tags.at(DONE, base + engine.start_release)))
    for start in engine.starts:
        start_fill(engine, module, start)
    unused = [f"{prefix_of(engine, s)}_last_i" for s in engine.starts]
    unused += [f"{prefix_of(engine, s)}_id_i" for s in engine.starts if s.x.streams > 1]
    module.keep_used([BANK, *unused])


def start_fill(engine: Engine, module: Module, start: Start) -> None:
    """What takes the vectors of one state, and the beats as the state's memories take them."""
    name = prefix_of(engine, start)
    state = next(s.value for s in engine.states if s.value.name == start.state)
    module.wire(f"{name}_write")
    module.wire(f"{name}_bank", index_bits(engine.start_banks))
    module.wire(f"{name}_group", index_bits(engine.groups))
    module.add(
        "hwrnn_start_fill",
        f"u_{name}",
        {"Groups": engine.groups, "Banks": engine.start_banks},
        {
            "in_valid_i": f"{name}_valid_i",
            "in_ready_o": f"{name}_ready_o",
            "write_o": f"{name}_write",
            "bank_o": f"{name}_bank",
            "group_o": f"{name}_group",
            "done_i": DONE,
            "released_i": RELEASED,
            "there_o": f"{name}_there",
        },
    )
    data = f"{name}_data_i"
    wide = module.resized(data, f"{name}_data", engine.pe, start.x.type, state.type)
    module.assigns.append((module.wire(f"{name}_word", engine.pe * state.type.bits), wide))


def start_of(engine: Engine, state: str) -> str | None:
    """What the signals of a state's vectors start with; None if it starts with constants."""
    found = (prefix_of(engine, s) for s in engine.starts if s.state == state)
    return next(found, None)


def writes(name: str) -> dict[str, str | Bits]:
    """How the beats of a state are written."""
    return {
        "write_i": f"{name}_write",
        "write_bank_i": f"{name}_bank",
        "data_i": f"{name}_word",
    }
