# SPDX-License-Identifier: Apache-2.0
"""Engines and Maps in SystemVerilog: one generated module each, built of library instances."""

from __future__ import annotations

import numpy as np

from hwrnn.backends.rtl_datapath import Pipeline, Taps
from hwrnn.backends.rtl_memory import Memories, hex_words
from hwrnn.backends.rtl_netlist import Bits, Module, Parameter, Port, index_bits, packed
from hwrnn.design.design import Engine, EngineState, Map, Stream
from hwrnn.ir import IntType, Step


def engine_module(engine: Engine, name: str, memories: Memories) -> Module:
    """The module of an engine."""
    check_engine(engine)
    title = (
        f"Engine {engine.name}: {engine.units} units, {len(engine.gates)} gates, pe {engine.pe}, "
        f"simd {engine.simd}."
    )
    module = Module(name=name, title=title, ports=kernel_ports(engine.x, engine.out))
    tags = Taps(module, "t", -engine.mac_latency)
    pipeline = Pipeline(module=module, path=engine.datapath, memories=memories, tags=tags)
    control(engine, module, tags)
    mac_array(engine, module, memories, tags)
    gate_values(engine, pipeline)
    state_reads(engine, pipeline)
    pipeline.place({engine.result, *(s.next for s in engine.states)})
    state_writes(engine, pipeline)
    result(pipeline, engine.out, engine.result)
    pipeline.finish()
    tags.finish()
    return module


def map_module(kernel: Map, name: str, memories: Memories) -> Module:
    """The module of a Map."""
    module = Module(
        name=name,
        title=f"Element-wise pipeline {kernel.name}: {kernel.datapath.units} elements.",
        ports=kernel_ports(kernel.x, kernel.out),
    )
    tags = Taps(module, "t")
    pipeline = Pipeline(module=module, path=kernel.datapath, memories=memories, tags=tags)
    bits = index_bits(kernel.x.beats)
    issue = module.wire("issue")
    module.wire("index", bits)
    module.wire("index_next", bits)
    module.add(
        "hwrnn_map_ctrl",
        "u_ctrl",
        {"Beats": kernel.x.beats, "OutDepth": kernel.out.depth},
        {
            "x_valid_i": "x_valid_i",
            "x_ready_o": "x_ready_o",
            "out_pop_i": "out_pop_i",
            "issue_o": issue,
            "index_o": "index",
            "index_next_o": "index_next",
        },
    )
    tags.define("group", -1, "index_next", bits)
    tags.define("group", 0, "index", bits)
    tags.define("emit", 0, issue, None, reset=True)
    tags.define("last", 0, "x_last_i", None)
    port = kernel.datapath.ports[0]
    data = module.resized("x_data_i", "x_wide", kernel.x.lanes, kernel.x.type, port.type)
    pipeline.define(port.name, 0, data)
    pipeline.place({kernel.result})
    result(pipeline, kernel.out, kernel.result)
    pipeline.finish()
    tags.finish()
    keep_used(module, ["index", "index_next"])
    return module


def keep_used(module: Module, names: list[str]) -> None:
    """Rename, as unused, what no other instance reads: linters then know that it is meant."""
    for name in names:
        readers = [i for i in module.instances if any(v == name for _, v in i.ports)]
        if len(readers) > 1:
            continue
        module.assigns.append((module.wire(f"unused_{name}"), f"&{{1'b0, {name}}}"))


def kernel_ports(x: Stream, out: Stream) -> list[Port]:
    """Ports of an engine or a Map: a stream in, and a FIFO's write side out (credits)."""
    return [
        Port(direction="in", name="clk_i"),
        Port(direction="in", name="rst_i"),
        Port(direction="in", name="x_data_i", width=x.lanes * x.type.bits),
        Port(direction="in", name="x_last_i"),
        Port(direction="in", name="x_valid_i"),
        Port(direction="out", name="x_ready_o"),
        Port(direction="out", name="out_data_o", width=out.lanes * out.type.bits),
        Port(direction="out", name="out_last_o"),
        Port(direction="out", name="out_valid_o"),
        Port(direction="in", name="out_pop_i"),
    ]


def check_engine(engine: Engine) -> None:
    """What the library modules rely on."""
    if engine.x.lanes > engine.simd or engine.out.lanes != engine.pe:
        raise ValueError(f"{engine.name}: beats of {engine.x.lanes} in and {engine.out.lanes} out")
    if engine.out.segments != (engine.units,):
        raise ValueError(f"{engine.name}: the output has segments {engine.out.segments}")


def control(engine: Engine, module: Module, tags: Taps) -> None:
    """The issue control; its outputs belong to cycle s, which is stage -mac_latency."""
    blocks = engine.x_blocks + engine.h_blocks
    group_bits = index_bits(engine.groups)
    widths: dict[str, int | None] = {
        "issue": None,
        "load": None,
        "is_h": None,
        "h_block": index_bits(max(engine.h_blocks, 1)),
        "group": group_bits,
        "address": index_bits(blocks * engine.groups),
        "first_block": None,
        "first_step": None,
        "finish": None,
        "emit": None,
        "last": None,
    }
    unused = set() if engine.recurrent else {"h_block"}
    unused |= set() if engine.states else {"finish", "first_step"}
    wires = {n: module.wire(f"unused_{n}" if n in unused else n, w) for n, w in widths.items()}
    base = -engine.mac_latency
    tags.define("group", base, "group", group_bits)
    tags.define("last", base, "last", None)
    tags.define("emit", base, "emit", None, reset=True)
    tags.define("issue", base, "issue", None, reset=True)
    tags.define("first_block", base, "first_block", None)
    if engine.states:
        tags.define("first_step", base, "first_step", None)
        tags.define("finish", base, "finish", None, reset=True)
    ready = engine.datapath.ready()
    written = max((ready[s.next] for s in engine.states), default=0)
    parameters: dict[str, Parameter] = {
        "Groups": engine.groups,
        "XBlocks": engine.x_blocks,
        "HBlocks": engine.h_blocks,
        "Units": engine.units,
        "Pe": engine.pe,
        "Simd": engine.simd,
        "OutDepth": engine.out.depth,
        "MaxPending": engine.state_latency if engine.states else 0,
        "HasState": bool(engine.states),
        "EmitAll": engine.emit is None,
        "EmitFirst": engine.emit is Step.FIRST,
        "EmitLast": engine.emit is Step.LAST,
    }
    ports: dict[str, str | Bits] = {
        "x_valid_i": "x_valid_i",
        "x_last_i": "x_last_i",
        "x_ready_o": "x_ready_o",
        "out_pop_i": "out_pop_i",
        "state_write_i": tags.at("finish", written) if engine.states else "1'b0",
    }
    ports |= {f"{n}_o": w for n, w in wires.items()}
    module.add("hwrnn_engine_ctrl", "u_ctrl", parameters, ports)


def mac_array(engine: Engine, module: Module, memories: Memories, tags: Taps) -> None:
    """Weights and multipliers; the operand and the weights of an issue are there a cycle later."""
    first = 1 - engine.mac_latency
    words = engine.weight_words()
    flat = words.reshape(words.shape[0] * words.shape[1], -1)
    width = engine.weight_type.bits
    module.wire("weights", flat.shape[1] * width)
    module.wire("acc", len(engine.gates) * engine.pe * engine.accumulator_type.bits)
    module.add(
        "hwrnn_rom",
        "u_weights",
        {
            "Width": flat.shape[1] * width,
            "Depth": len(flat),
            "File": memories.file(f"{module.name}_weights", hex_words(flat, width)),
        },
        {"address_i": "address", "data_o": "weights"},
        reset=False,
    )
    operand(engine, module)
    module.add(
        "hwrnn_mac_array",
        "u_mac_array",
        {
            "Gates": len(engine.gates),
            "Pe": engine.pe,
            "Simd": engine.simd,
            "Groups": engine.groups,
            "Blocks": engine.x_blocks + engine.h_blocks,
            "OperandWidth": engine.operand_type.bits,
            "OperandSigned": engine.operand_type.signed,
            "WeightWidth": width,
            "WeightSigned": engine.weight_type.signed,
            "ProductWidth": product_bits(engine.operand_type, engine.weight_type),
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


def operand(engine: Engine, module: Module) -> None:
    """The columns that are multiplied."""
    h = engine.recurrent.value.type if engine.recurrent else engine.x.type
    module.wire("operand", engine.simd * engine.operand_type.bits)
    module.add(
        "hwrnn_operand",
        "u_operand",
        {
            "Simd": engine.simd,
            "XWidth": engine.x.type.bits,
            "XSigned": engine.x.type.signed,
            "HWidth": h.bits,
            "HSigned": h.signed,
            "OperandWidth": engine.operand_type.bits,
        },
        {
            "load_i": "load",
            "is_h_i": "is_h",
            "x_data_i": x_columns(engine),
            "h_data_i": "h_data" if engine.recurrent else Bits(value=0, width=engine.simd * h.bits),
            "operand_o": "operand",
        },
        reset=False,
    )


def x_columns(engine: Engine) -> str:
    """The beat of x, with zeros for the columns that it does not have."""
    missing = (engine.simd - engine.x.lanes) * engine.x.type.bits
    return f"{{{Bits(value=0, width=missing)}, x_data_i}}" if missing else "x_data_i"


def product_bits(a: IntType, b: IntType) -> int:
    """Bits of a signed number that holds every product."""
    ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    return IntType(min(*ends, -1), max(ends)).bits


def gate_values(engine: Engine, pipeline: Pipeline) -> None:
    """The accumulators, gate by gate, at stage 0; the high bits that a gate never uses go."""
    acc = engine.accumulator_type
    size = engine.pe * acc.bits
    for k, gate in enumerate(engine.gates):
        name = gate.value.name
        signal = pipeline.module.wire(f"a_{name}", size)
        pipeline.module.assigns.append((signal, f"acc[{(k + 1) * size - 1}:{k * size}]"))
        value = pipeline.module.resized(signal, f"v_{name}", engine.pe, acc, gate.value.type)
        pipeline.define(name, 0, value)


def state_reads(engine: Engine, pipeline: Pipeline) -> None:
    """Element-wise states become values at the stage at which they are first used."""
    for read in engine.datapath.reads:
        name, width = read.value.name, engine.pe * read.value.type.bits
        pipeline.define(name, read.stage, pipeline.module.wire(f"st_{name}", width))


def state_writes(engine: Engine, pipeline: Pipeline) -> None:
    """The memories of the states, written when the next value is there."""
    stages = {r.value.name: r.stage for r in engine.datapath.reads}
    ready = engine.datapath.ready()
    module, tags = pipeline.module, pipeline.tags
    for state in engine.states:
        name, t, stage = state.value.name, state.value.type, ready[state.next]
        data = pipeline.values.at(state.next, stage)
        old = pipeline.types[state.next]
        data = module.resized(data, f"n_{name}", engine.pe, old, t)
        write = {"write_i": tags.at("finish", stage), "data_i": data}
        group = tags.at("group", stage)
        if state.recurrent:
            vector_memory(engine, module, state, write | {"group_i": group})
        if name in stages:
            read = stages[name] - 1
            ports = write | {
                "write_group_i": group,
                "first_step_i": tags.at("first_step", read),
                "read_group_i": tags.at("group", read),
                "data_o": f"st_{name}",
            }
            width = engine.pe * t.bits
            padded = [*state.initial, *[0] * (engine.groups * engine.pe - engine.units)]
            module.add(
                "hwrnn_state_mem",
                f"us_{name}",
                {"Width": width, "Groups": engine.groups, "Initial": packed(padded, t.bits)},
                ports,
                reset=False,
            )


def vector_memory(
    engine: Engine, module: Module, state: EngineState, write: dict[str, str]
) -> None:
    """The vector whose columns are multiplied."""
    t = state.value.type
    module.wire("h_data", engine.simd * t.bits)
    module.add(
        "hwrnn_vector_mem",
        f"uv_{state.value.name}",
        {
            "Units": engine.units,
            "Width": t.bits,
            "Pe": engine.pe,
            "Simd": engine.simd,
            "Initial": packed([int(v) for v in np.array(state.initial)], t.bits),
        },
        write | {"first_step_i": "first_step", "block_i": "h_block", "data_o": "h_data"},
        reset=False,
    )


def result(pipeline: Pipeline, out: Stream, name: str) -> None:
    """The result and its valid and last bits, in the cycle in which they go to the FIFO."""
    stage = pipeline.path.ready()[name]
    data = pipeline.values.at(name, stage)
    old = pipeline.types[name]
    data = pipeline.module.resized(data, "result", out.lanes, old, out.type)
    pipeline.module.assigns += [
        ("out_data_o", data),
        ("out_last_o", pipeline.tags.at("last", stage)),
        ("out_valid_o", pipeline.tags.at("emit", stage)),
    ]
