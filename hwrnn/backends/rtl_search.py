# SPDX-License-Identifier: Apache-2.0
"""A requantiser of many thresholds in SystemVerilog: a binary search, an instance a level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwrnn.backends.rtl_constants import as_words, threshold_bits
from hwrnn.backends.rtl_memory import hex_words
from hwrnn.backends.rtl_netlist import Bits
from hwrnn.design.datapath import PlacedOp
from hwrnn.ir import IntType

if TYPE_CHECKING:
    from hwrnn.backends.rtl_datapath import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a search: `cells` holds its thresholds, for each cell a row a channel."""

    name: str
    x: IntType
    level: int
    width: int
    stage: int
    registers: tuple[bool, ...]
    offset: int
    found_bits: int
    cells: list[list[list[int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What enters and leaves a level."""

    data: str
    position: str
    data_out: str
    found: str


def search(pipeline: Pipeline, p: PlacedOp, signal: str) -> None:
    """Two items for each bit of the result: read a threshold, compare."""
    module, lanes = pipeline.module, pipeline.path.lanes
    name, y = p.op.out.name, p.op.out.type
    x = pipeline.types[p.op.operands()[0]]
    cells = pipeline.threshold_rows(p)
    levels = len(cells[0][0]).bit_length()
    full = [[row + [x.hi + 1] * ((1 << levels) - 1 - len(row)) for row in rows] for rows in cells]
    data, position = pipeline.operand(p.op.operands()[0], p.stage), str(Bits(value=0, width=lanes))
    for k in range(levels):
        last = k == levels - 1
        tag = f"{name}_l{k}s"
        out = module.wire(f"unused_{tag}" if last else f"x_{tag}", lanes * x.bits)
        found = signal if last else module.wire(f"p_{tag}", lanes * (k + 1))
        first, step = (1 << (levels - k - 1)) - 1, 1 << (levels - k)
        level = Level(
            name=tag,
            x=x,
            level=k,
            width=threshold_bits(x),
            stage=p.stage + sum(p.registers[: 2 * k]),
            registers=p.registers[2 * k : 2 * k + 2],
            offset=y.lo if last else 0,
            found_bits=y.bits if last else k + 1,
            cells=[[row[first::step] for row in rows] for rows in full],
        )
        signals = Signals(data=data, position=position, data_out=out, found=found)
        place_level(pipeline, level, signals)
        data, position = out, found


def place_level(pipeline: Pipeline, level: Level, signals: Signals) -> None:
    """One instance for all lanes, or, with thresholds of each channel, an instance a lane."""
    lanes, groups = pipeline.path.lanes, pipeline.path.groups
    if all(len(rows) == 1 for rows in level.cells):
        instance(pipeline, level, "", level.cells, signals, lanes=lanes)
        return
    zeros = [0] * len(level.cells[0][0])
    for k in range(lanes):
        own = Signals(
            data=part(signals.data, k, level.x.bits),
            position=part(signals.position, k, level.level)
            if level.level
            else str(Bits(value=0, width=1)),
            data_out=part(signals.data_out, k, level.x.bits),
            found=part(signals.found, k, level.found_bits),
        )
        rows = [
            [*every, *[zeros] * (groups * lanes - len(every))][k::lanes]
            for every in (r if len(r) > 1 else r * (groups * lanes) for r in level.cells)
        ]
        instance(pipeline, level, f"lane{k}", rows, own, lanes=1)


def instance(
    pipeline: Pipeline,
    level: Level,
    lane: str,
    cells: list[list[list[int]]],
    signals: Signals,
    *,
    lanes: int,
) -> None:
    """One instance of a level, with its ROM: the nodes of a word one behind the other."""
    name = f"{level.name}{lane}"
    writable = pipeline.memories.config is not None
    made = as_words(cells, 1, len(cells[0]), writable=writable)
    nodes = np.array(made.words, dtype=np.int64).reshape(-1, 1)
    tag = pipeline.tags.at(made.tag, level.stage) if made.tag else str(Bits(value=0, width=1))
    parameters, ports = pipeline.memories.parts(
        f"{pipeline.module.name}_{name}", level.width, hex_words(nodes, level.width)
    )
    pipeline.module.add(
        "hwrnn_threshold_level_ram" if writable else "hwrnn_threshold_level",
        f"u_{name}",
        {
            "Lanes": lanes,
            "Level": level.level,
            "Groups": len(made.words),
            "XWidth": level.x.bits,
            "XSigned": level.x.signed,
            "ThresholdWidth": level.width,
            "YWidth": level.found_bits,
            "Lo": level.offset,
            "RegisterMid": level.registers[0],
            "RegisterOut": level.registers[1],
            **parameters,
        },
        {
            **ports,
            "x_i": signals.data,
            "group_i": tag,
            "position_i": signals.position,
            "x_o": signals.data_out,
            "y_o": signals.found,
        },
        reset=False,
    )


def part(signal: str, lane: int, width: int) -> str:
    """The bits of one lane."""
    return f"{signal}[{(lane + 1) * width - 1}:{lane * width}]"
