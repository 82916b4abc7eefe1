# SPDX-License-Identifier: Apache-2.0
"""Engines and Maps in SystemVerilog: one generated module each, built of library instances."""

from __future__ import annotations

from dataclasses import replace

from hwrnn.backends.rtl_config import BUS_BITS
from hwrnn.backends.rtl_control import control, stream_at
from hwrnn.backends.rtl_datapath import Pipeline
from hwrnn.backends.rtl_mac import mac_array
from hwrnn.backends.rtl_memory import Memories
from hwrnn.backends.rtl_netlist import Module, Port, index_bits
from hwrnn.backends.rtl_starts import result_prefix, start_control, start_ports
from hwrnn.backends.rtl_states import memories_of, operand
from hwrnn.backends.rtl_taps import Taps
from hwrnn.design.datapath import Datapath, PlacedOp, StateRead
from hwrnn.design.design import Cell, Engine, Map, Stream


def engine_module(engine: Engine, name: str, memories: Memories, *, keep: bool = False) -> Module:
    """The module of an engine. `keep`: its states start anew after restart_i only."""
    check_engine(engine)
    title = (
        f"Engine {engine.name}: {engine.units} units, {len(engine.gates)} gates, pe {engine.pe}, "
        f"simd {engine.simd}."
    )
    module = Module(name=name, title=title, ports=kernel_ports(engine.x, engine.out, memories))
    module.ports += [Port(direction="in", name="restart_i")] if keep else []
    module.ports += start_ports(engine)
    for more in engine.more:
        module.ports += out_ports(result_prefix(engine, more), more.out)
    tags = Taps(module, "t", -engine.mac_latency)
    paths = tuple(whole_path(cell) for cell in engine.cells)
    pipeline = Pipeline(module=module, paths=paths, memories=memories, tags=tags)
    issued = control(engine, module, tags, keep=keep)
    start_control(engine, module, tags)
    operand(engine, module)
    mac_array(engine, module, memories, tags)
    gate_values(engine, pipeline)
    for read in pipeline.path.reads:
        width = engine.pe * read.value.type.bits
        pipeline.define(read.value.name, read.stage, module.wire(f"st_{read.value.name}", width))
    pipeline.place({n for hand in engine.hands for n in hand.writes} | wanted(engine))
    memories_of(engine, pipeline)
    for made in engine.results:
        stage = engine.datapath.ready()[made.value]
        result(pipeline, made.out, made.value, stage, result_prefix(engine, made))
    pipeline.finish()
    tags.finish()
    module.keep_used(issued)
    return module


def wanted(engine: Engine) -> set[str]:
    """What the last hand-over gives."""
    return {*(r.value for r in engine.results), *(s.next for s in engine.states)}


def whole_path(cell: Cell) -> Datapath:
    """All datapaths of a cell as one. They take the same sums, so an op that several of them
    need stands at the same stage in all; whose results count is said by valid bits alone.
    """
    paths = [hand.datapath for hand in cell.hands]
    ops: dict[str, PlacedOp] = {}
    reads: dict[str, StateRead] = {}
    for path in paths:
        for p in path.ops:
            if ops.setdefault(p.op.out.name, p) != p:
                raise ValueError(f"%{p.op.out.name} is placed at two stages")
        for r in path.reads:
            first = reads.setdefault(r.value.name, r)
            reads[r.value.name] = replace(first, stage=min(first.stage, r.stage))
    return replace(
        paths[-1],
        ports=tuple({v.name: v for path in paths for v in path.ports}.values()),
        reads=tuple(reads.values()),
        consts=tuple({c.out.name: c for path in paths for c in path.consts}.values()),
        ops=tuple(ops.values()),
    )


def map_module(kernel: Map, name: str, memories: Memories) -> Module:
    """The module of a Map."""
    module = Module(
        name=name,
        title=f"Element-wise pipeline {kernel.name}: {kernel.datapath.units} elements.",
        ports=kernel_ports(kernel.x, kernel.out, memories),
    )
    tags = Taps(module, "t")
    paths = (kernel.datapath,)
    pipeline = Pipeline(module=module, paths=paths, memories=memories, tags=tags)
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
    if kernel.x.streams > 1:
        tags.define("stream", 0, "x_id_i", kernel.x.id_bits)
    port = kernel.datapath.ports[0]
    data = module.resized("x_data_i", "x_wide", kernel.x.lanes, kernel.x.type, port.type)
    pipeline.define(port.name, 0, data)
    pipeline.place({kernel.result})
    result(pipeline, kernel.out, kernel.result, kernel.out_latency)
    pipeline.finish()
    tags.finish()
    module.keep_used(["index", "index_next"])
    return module


def kernel_ports(x: Stream, out: Stream, memories: Memories) -> list[Port]:
    """Ports of an engine or a Map: a stream in, and a FIFO's write side out (credits)."""
    bus = (
        [Port(direction="in", name="config_i", width=BUS_BITS)]
        if memories.config is not None
        else []
    )
    return [
        Port(direction="in", name="clk_i"),
        Port(direction="in", name="rst_i"),
        *bus,
        Port(direction="in", name="x_data_i", width=x.lanes * x.type.bits),
        *number(x, "in", "x_id_i"),
        Port(direction="in", name="x_last_i"),
        Port(direction="in", name="x_valid_i"),
        Port(direction="out", name="x_ready_o"),
        *out_ports("out", out),
    ]


def out_ports(prefix: str, out: Stream) -> list[Port]:
    """The write side of a FIFO, with credits."""
    return [
        Port(direction="out", name=f"{prefix}_data_o", width=out.lanes * out.type.bits),
        *number(out, "out", f"{prefix}_id_o"),
        Port(direction="out", name=f"{prefix}_last_o"),
        Port(direction="out", name=f"{prefix}_valid_o"),
        Port(direction="in", name=f"{prefix}_pop_i"),
    ]


def number(s: Stream, direction: str, name: str) -> list[Port]:
    """The number of the stream to which a beat belongs, if there are several."""
    return [Port(direction=direction, name=name, width=s.id_bits)] if s.streams > 1 else []


def check_engine(engine: Engine) -> None:
    """What the library modules rely on."""
    if engine.x.lanes > engine.simd or engine.out.lanes != engine.pe:
        raise ValueError(f"{engine.name}: beats of {engine.x.lanes} in and {engine.out.lanes} out")
    if any(r.out.segments != (engine.units,) for r in engine.results):
        raise ValueError(f"{engine.name}: an output has other segments than its units")
    if len({r.out.depth for r in engine.results}) > 1:
        raise ValueError(f"{engine.name}: its outputs have several depths")
    if any(s.x.lanes != engine.pe or s.x.beats != engine.groups for s in engine.starts):
        raise ValueError(f"{engine.name}: a state starts with other beats than its groups")
    if len(engine.cells) not in (1, engine.streams):
        raise ValueError(f"{engine.name}: {len(engine.cells)} cells, {engine.streams} streams")
    if engine.shared and engine.x.beats > 1:
        raise ValueError(f"{engine.name}: a shared block takes one beat, not {engine.x.beats}")


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


def result(pipeline: Pipeline, out: Stream, name: str, stage: int, port: str = "out") -> None:
    """A result, its valid and last bits and its stream, in the cycle in which they go to the
    FIFO.
    """
    module, tags = pipeline.module, pipeline.tags
    old = pipeline.types[name]
    wide = "result" if port == "out" else f"result_{port}"
    data = module.resized(pipeline.operand(name, stage), wide, out.lanes, old, out.type)
    module.assigns += [
        (f"{port}_data_o", data),
        (f"{port}_last_o", tags.at("last", stage)),
        (f"{port}_valid_o", tags.at("emit", stage)),
    ]
    if out.streams > 1:
        module.assigns.append((f"{port}_id_o", str(stream_at(tags, out.streams, stage))))
