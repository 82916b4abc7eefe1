# SPDX-License-Identifier: Apache-2.0
"""The issue control of an engine in SystemVerilog, and what travels along with each issue."""

from __future__ import annotations

from itertools import pairwise

from hwrnn.backends.rtl_netlist import Bits, Module, Parameter, index_bits
from hwrnn.backends.rtl_starts import GATED, result_prefix
from hwrnn.backends.rtl_taps import Taps
from hwrnn.design.design import Engine, Vector, ceil_div
from hwrnn.ir import Step


def own_vectors(engine: Engine) -> tuple[Vector, ...]:
    """The vectors that have blocks of their own, in the order of the blocks."""
    return tuple(v for v in engine.vectors if v.level or not engine.shared)


def vector_blocks(engine: Engine) -> int:
    """Blocks of such a vector; 1 if there is none."""
    return ceil_div(engine.units, engine.simd) if own_vectors(engine) else 1


def hand_after(engine: Engine) -> Bits:
    """For each source (x, then the vectors), whether a level ends behind it."""
    levels = [0, *(v.level for v in own_vectors(engine)), len(engine.hands)]
    ends = [a != b for a, b in pairwise(levels)]
    return Bits(value=sum(end << k for k, end in enumerate(ends)), width=len(ends))


def stream_at(tags: Taps, streams: int, stage: int) -> str | Bits:
    """The number of the stream at a stage; 0 if there is one."""
    return tags.at("stream", stage) if streams > 1 else Bits(value=0, width=1)


def written_stage(engine: Engine, hand: int) -> int:
    """The stage at which the last of what a hand-over writes is written."""
    if hand < len(engine.hands) - 1:
        return engine.hands[hand].written
    ready = engine.datapath.ready()
    return max((ready[s.next] for s in engine.states), default=0)


def control(engine: Engine, module: Module, tags: Taps, *, keep: bool = False) -> list[str]:
    """The issue control; its outputs belong to cycle s, which is stage -mac_latency. Returns
    the names of its outputs. `keep`: states start anew after restart_i only, a port of the module.
    """
    widths = output_widths(engine)
    for name, width in widths.items():
        module.wire(name, width)
    define_tags(engine, tags, widths)
    ports: dict[str, str | Bits] = {
        "x_valid_i": GATED if engine.starts else "x_valid_i",
        "x_last_i": "x_last_i",
        "x_id_i": "x_id_i" if engine.streams > 1 else Bits(value=0, width=1),
        "x_ready_o": "x_ready_o",
        "out_pop_i": popped(engine, module),
        "written_i": written(engine, tags),
        "written_stream_i": written_stream(engine, tags),
        "restart_i": "restart_i" if keep else Bits(value=0, width=1),
    }
    ports |= {f"{name}_o": name for name in widths}
    kept: dict[str, Parameter] = {"Keep": True} if keep else {}
    module.add("hwrnn_engine_ctrl", "u_ctrl", parameters(engine) | kept, ports)
    if not engine.states:
        last = len(engine.hands) - 1
        module.assigns.append((module.wire("unused_finish"), f"&{{1'b0, finish[{last}]}}"))
    return list(widths)


def popped(engine: Engine, module: Module) -> str:
    """The signal that gives a credit back: an entry is free when it is so in all outputs."""
    if not engine.more:
        return "out_pop_i"
    pops = [f"{result_prefix(engine, r)}_pop_i" for r in engine.results]
    module.add(
        "hwrnn_joint_pops",
        "u_pops",
        {"Outputs": len(pops), "Most": engine.out.depth},
        {"pops_i": f"{{{', '.join(reversed(pops))}}}", "pop_o": module.wire("pop")},
    )
    return "pop"


def output_widths(engine: Engine) -> dict[str, int | None]:
    """The outputs of the control."""
    words = len(engine.cells) * len(engine.blocks) * engine.groups
    return {
        "issue": None,
        "load": None,
        "source": index_bits(1 + len(own_vectors(engine))),
        "block": index_bits(vector_blocks(engine)),
        "group": index_bits(engine.groups),
        "stream": index_bits(engine.streams),
        "channel": index_bits(len(engine.cells) * engine.groups),
        "address": index_bits(words),
        "first_block": None,
        "first_step": None,
        "finish": len(engine.hands),
        "emit": None,
        "last": None,
    }


def define_tags(engine: Engine, tags: Taps, widths: dict[str, int | None]) -> None:
    """What is known of an issue at every stage behind it."""
    base = -engine.mac_latency
    for name in ("group", "stream", "channel", "last", "first_block", "first_step"):
        tags.define(name, base, name, widths[name])
    for name in ("emit", "issue"):
        tags.define(name, base, name, None, reset=True)
    for k in range(len(engine.hands)):
        tags.define(f"finish{k}", base, f"finish[{k}]", None, reset=True)


def written(engine: Engine, tags: Taps) -> str:
    """For each hand-over, the valid bit of its last write."""
    bits = [tags.at(f"finish{k}", written_stage(engine, k)) for k in range(len(engine.hands) - 1)]
    last = len(engine.hands) - 1
    has_state = bool(engine.states)
    bits.append(tags.at(f"finish{last}", written_stage(engine, last)) if has_state else "1'b0")
    return f"{{{', '.join(reversed(bits))}}}" if len(bits) > 1 else bits[0]


def written_stream(engine: Engine, tags: Taps) -> str | Bits:
    """The stream whose states are written."""
    streams = engine.streams if engine.states else 1
    if streams == 1:
        return Bits(value=0, width=index_bits(engine.streams))
    return stream_at(tags, streams, written_stage(engine, len(engine.hands) - 1))


def parameters(engine: Engine) -> dict[str, Parameter]:
    """The parameters of the control."""
    return {
        "Groups": engine.groups,
        "Sources": 1 + len(own_vectors(engine)),
        "XBlocks": engine.x_blocks,
        "VectorBlocks": vector_blocks(engine),
        "HandAfter": hand_after(engine),
        "HasState": bool(engine.states),
        "Shared": engine.shared,
        "ByGroup": engine.by_group,
        "Units": engine.units,
        "Pe": engine.pe,
        "Simd": engine.simd,
        "OutDepth": engine.out.depth,
        "MaxPending": max(engine.hand_latencies),
        "Streams": engine.streams,
        "Cells": len(engine.cells),
        "EmitAll": engine.emit is None,
        "EmitFirst": engine.emit is Step.FIRST,
        "EmitLast": engine.emit is Step.LAST,
    }
