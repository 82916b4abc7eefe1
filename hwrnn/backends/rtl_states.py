# SPDX-License-Identifier: Apache-2.0
"""The vectors and states of an engine in SystemVerilog: what is multiplied, and its memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwrnn.backends.rtl_control import own_vectors, stream_at
from hwrnn.backends.rtl_datapath import Pipeline
from hwrnn.backends.rtl_netlist import Bits, Module, Parameter, packed
from hwrnn.backends.rtl_starts import BANK, start_of, writes
from hwrnn.design.design import Engine, Vector
from hwrnn.ir import IntType, Value

Initials = Sequence[Sequence[int]]  # of each cell


def operand(engine: Engine, module: Module) -> None:
    """The columns that are multiplied: x (with what shares its block), then each vector's."""
    wide = engine.operand_type
    shared = [v for v in engine.vectors if not v.level] if engine.shared else []
    x = module.resized("x_data_i", "x_columns", engine.x.lanes, engine.x.type, wide)
    first = [x, *(columns(engine, module, v, engine.units) for v in shared)]
    missing = engine.simd - engine.x.lanes - len(shared) * engine.units
    first += [str(Bits(value=0, width=missing * wide.bits))] if missing else []
    sources = [joined(first)]
    sources += [columns(engine, module, v, engine.simd) for v in own_vectors(engine)]
    width = engine.simd * wide.bits
    module.wire("operand", width)
    module.add(
        "hwrnn_operand",
        "u_operand",
        {"Sources": len(sources), "Width": width},
        {
            "load_i": "load",
            "source_i": "source",
            "data_i": joined(sources),
            "operand_o": "operand",
        },
        reset=False,
    )


def columns(engine: Engine, module: Module, vector: Vector, lanes: int) -> str:
    """What a vector's memory reads, in the width of the operand."""
    name, t = vector.value.name, vector.value.type
    read = module.wire(f"r_{name}", lanes * t.bits)
    return module.resized(read, f"w_{name}", lanes, t, engine.operand_type)


def joined(signals: list[str]) -> str:
    """Signals side by side, the first in the low bits."""
    return signals[0] if len(signals) == 1 else f"{{{', '.join(reversed(signals))}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The write side of a value's memory: in which cycle, what, of which stream."""

    streams: int
    valid: str
    stream: str | Bits
    group: str
    data: str

    def ports(self) -> dict[str, str | Bits]:
        """Its connections, but for the group."""
        return {
            "write_i": self.valid,
            "write_stream_i": self.stream,
            "data_i": self.data,
        }


def memories_of(engine: Engine, pipeline: Pipeline) -> None:
    """The memories of all vectors and states, each written when its next value is there."""
    last = len(engine.hands) - 1
    for k, state in enumerate(engine.states):
        if state.recurrent or state.elementwise:
            write = written(engine, pipeline, state.value, state.next, last)
            outside = start_of(engine, state.value.name)
            initials = [] if outside else [cell.states[k].initial for cell in engine.cells]
            if state.recurrent:
                vector_memory(engine, pipeline, state.value, write, initials)
            if any(r.value.name == state.value.name for r in pipeline.path.reads):
                state_memory(engine, pipeline, state.value, write, initials)
    for vector in engine.vectors:
        if vector.level:
            write = written(engine, pipeline, vector.value, vector.value.name, vector.level - 1)
            vector_memory(engine, pipeline, vector.value, write, [])


def written(engine: Engine, pipeline: Pipeline, to: Value, source: str, hand: int) -> Write:
    """How hand-over `hand` writes the value `source` to the memory of `to`."""
    tags, stage = pipeline.tags, engine.hands[hand].datapath.ready()[source]
    streams = engine.streams if hand == len(engine.hands) - 1 else 1
    data, old = pipeline.operand(source, stage), pipeline.types[source]
    return Write(
        streams=streams,
        valid=tags.at(f"finish{hand}", stage),
        stream=stream_at(tags, streams, stage),
        group=tags.at("group", stage),
        data=pipeline.module.resized(data, f"n_{to.name}", engine.pe, old, to.type),
    )


def vector_memory(
    engine: Engine, pipeline: Pipeline, value: Value, write: Write, initials: Initials
) -> None:
    """A vector whose columns are multiplied; one of the step itself has no initial values, nor
    has one that starts from outside.
    """
    outside = start_of(engine, value.name)
    whole = engine.shared and bool(initials or outside)
    block: str | Bits = Bits(value=0, width=1) if whole else "block"
    simd = engine.units if whole else engine.simd
    read = f"r_{value.name}"
    if outside:
        read = start_vector(engine, pipeline.module, value, outside)
    pipeline.module.add(
        "hwrnn_vector_mem",
        f"uv_{value.name}",
        {
            "Units": engine.units,
            "Width": value.type.bits,
            "Pe": engine.pe,
            "Simd": simd,
            **several(write.streams, initials, value.type),
        },
        {
            **write.ports(),
            "group_i": write.group,
            "first_step_i": "first_step" if initials else Bits(value=0, width=1),
            "stream_i": "stream" if write.streams > 1 else Bits(value=0, width=1),
            "block_i": block,
            "data_o": read,
        },
        reset=False,
    )


def state_memory(
    engine: Engine, pipeline: Pipeline, value: Value, write: Write, initials: Initials
) -> None:
    """A state that is read unit by unit."""
    tags = pipeline.tags
    read = next(r.stage for r in pipeline.path.reads if r.value.name == value.name) - 1
    spare = [0] * (engine.groups * engine.pe - engine.units)
    outside = start_of(engine, value.name)
    kept = f"st_{value.name}"
    if outside:
        kept = start_words(engine, pipeline, value, outside, read)
    pipeline.module.add(
        "hwrnn_state_mem",
        f"us_{value.name}",
        {
            "Width": engine.pe * value.type.bits,
            "Groups": engine.groups,
            **several(write.streams, [[*row, *spare] for row in initials], value.type),
        },
        {
            **write.ports(),
            "write_group_i": write.group,
            "first_step_i": Bits(value=0, width=1) if outside else tags.at("first_step", read),
            "read_stream_i": stream_at(tags, write.streams, read),
            "read_group_i": tags.at("group", read),
            "data_o": kept,
        },
        reset=False,
    )


def start_vector(engine: Engine, module: Module, value: Value, name: str) -> str:
    """The vectors with which a multiplied state starts; returns what the engine has kept itself."""
    simd = engine.units if engine.shared else engine.simd
    kept = module.wire(f"k_{value.name}", simd * value.type.bits)
    module.add(
        "hwrnn_start_vector",
        f"uv_{name}",
        {
            "Units": engine.units,
            "Width": value.type.bits,
            "Pe": engine.pe,
            "Simd": simd,
            "Banks": engine.start_banks,
        },
        {
            **writes(name),
            "group_i": f"{name}_group",
            "first_step_i": "first_step",
            "bank_i": BANK,
            "block_i": Bits(value=0, width=1) if engine.shared else "block",
            "kept_i": kept,
            "data_o": f"r_{value.name}",
        },
        reset=False,
    )
    return kept


def start_words(engine: Engine, pipeline: Pipeline, value: Value, name: str, read: int) -> str:
    """The vectors with which a state starts that is read unit by unit; returns what the engine has
    kept itself.
    """
    module, tags, width = pipeline.module, pipeline.tags, engine.pe * value.type.bits
    kept = module.wire(f"ks_{value.name}", width)
    module.add(
        "hwrnn_start_words",
        f"us_{name}",
        {"Width": width, "Groups": engine.groups, "Banks": engine.start_banks},
        {
            **writes(name),
            "write_group_i": f"{name}_group",
            "first_step_i": tags.at("first_step", read),
            "bank_i": tags.at(BANK, read),
            "read_group_i": tags.at("group", read),
            "kept_i": kept,
            "data_o": f"st_{value.name}",
        },
        reset=False,
    )
    return kept


def several(streams: int, initials: Initials, t: IntType) -> dict[str, Parameter]:
    """The parameters for streams, and for the cells whose initial values differ."""
    alike = all(row == initials[0] for row in initials)
    used = initials[:1] if alike else initials
    found: dict[str, Parameter] = {"Streams": streams, "Cells": max(len(used), 1)}
    if used:
        found["Initial"] = packed([v for row in used for v in row], t.bits)
    return found
