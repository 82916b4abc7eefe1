# SPDX-License-Identifier: Apache-2.0
"""The element-wise pipeline in SystemVerilog: ops become instances, delays balance them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwrnn.backends.rtl_memory import Memories, constant_words, hex_words, lut_words
from hwrnn.backends.rtl_netlist import Bits, Module, index_bits, packed, signed_bits
from hwrnn.design.design import Datapath, PlacedOp
from hwrnn.design.latency import PARALLEL_THRESHOLDS
from hwrnn.ir import Add, Const, IntType, Lut, Mul, Requant, ScaleShift, Sub, Thresholds, Ties

Rows = Sequence[Sequence[int]]  # constants of each channel; one row: the same for all

PAIRS = {Add: "hwrnn_add", Sub: "hwrnn_sub", Mul: "hwrnn_mul"}


@dataclass(slots=True)
class Taps:
    """Signals at stages: what is asked for later than it is there goes through delays.

    A delayed signal is named after its stage, counted from `origin`.
    """

    module: Module
    prefix: str
    origin: int = 0
    _known: dict[str, dict[int, str]] = field(default_factory=dict)
    _width: dict[str, int | None] = field(default_factory=dict)
    _reset: dict[str, bool] = field(default_factory=dict)
    _asked: dict[str, set[int]] = field(default_factory=dict)

    def define(
        self, name: str, stage: int, signal: str, width: int | None, *, reset: bool = False
    ) -> None:
        """`signal` is `name` at `stage`."""
        self._known.setdefault(name, {})[stage] = signal
        self._width[name], self._reset[name] = width, reset

    def at(self, name: str, stage: int) -> str:
        """The signal that is `name` at `stage`."""
        known = self._known[name]
        if stage in known:
            return known[stage]
        if stage < min(known):
            raise ValueError(f"{name} is asked for at stage {stage}, before it is there")
        self._asked.setdefault(name, set()).add(stage)
        return self.signal(name, stage)

    def signal(self, name: str, stage: int) -> str:
        """What a delayed signal is called."""
        return f"{self.prefix}{stage - self.origin}_{name}"

    def finish(self) -> None:
        """Place the delays: one chain for each name."""
        for name, stages in self._asked.items():
            last = max(self._known[name])
            signal = self._known[name][last]
            for stage in sorted(stages):
                to = self.module.wire(self.signal(name, stage), self._width[name])
                self.module.add(
                    "hwrnn_delay",
                    f"u_{to}",
                    {
                        "Width": self._width[name] or 1,
                        "Depth": stage - last,
                        "HasReset": self._reset[name],
                    },
                    {"d_i": signal, "q_o": to},
                )
                signal, last = to, stage


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Places the ops of a datapath in a module.

    `tags` gives the group index at each stage ("group", counted like the stages of the path).
    """

    module: Module
    path: Datapath
    memories: Memories
    tags: Taps
    values: Taps = field(init=False)
    types: dict[str, IntType] = field(init=False)
    consts: dict[str, Const] = field(init=False)

    def __post_init__(self) -> None:
        self.values = Taps(self.module, "d")
        self.types = self.path.types()
        self.consts = {c.out.name: c for c in self.path.consts}

    def define(self, name: str, stage: int, signal: str) -> None:
        """A value enters the pipeline."""
        self.values.define(name, stage, signal, self.path.lanes * self.types[name].bits)

    def place(self, results: set[str]) -> None:
        """Place every op on which one of `results` depends."""
        needed = set(results)
        for p in reversed(self.path.ops):
            if p.op.out.name in needed:
                needed.update(p.op.operands())
        for p in self.path.ops:
            if p.op.out.name in needed:
                self.place_op(p)

    def place_op(self, p: PlacedOp) -> None:
        """One op: its instance, and its result as a value of the pipeline."""
        out = p.op.out
        width = self.path.lanes * out.type.bits
        signal = self.module.wire(f"v_{out.name}", width)
        match p.op:
            case Add() | Sub() | Mul():
                self.pair(p.op, p.stage, signal)
            case Lut():
                self.lut(p.op, p.stage, signal)
            case Requant(realised=ScaleShift() as how):
                self.scale(p.op, how, p.stage, signal)
            case Requant(realised=Thresholds() as how):
                self.thresholds(p.op, how, p.stage, signal)
            case _:
                raise ValueError(f"%{out.name}: a {type(p.op).__name__} has no RTL module")
        self.define(out.name, p.stage + p.latency, signal)

    def operand(self, name: str, stage: int) -> str:
        """A value or a constant, as a signal at `stage`."""
        const = self.consts.get(name)
        if const is None:
            return self.values.at(name, stage)
        rows = [[v] for v in const.values]
        return self.channel(rows, const.out.type.bits, stage, f"{name}_at{stage}")

    def channel(self, rows: Rows, width: int, stage: int, name: str) -> str:
        """Constants of the group's channels at `stage`: a literal, or a ROM read before it.

        `rows` holds the constants of each channel, or one row for all.
        """
        lanes, groups = self.path.lanes, self.path.groups
        if all(row == rows[0] for row in rows):
            return str(packed(list(rows[0]) * lanes, width))
        full = [*rows, *[[0] * len(rows[0])] * (groups * lanes - len(rows))]
        words = [
            [v for row in full[start : start + lanes] for v in row]
            for start in range(0, groups * lanes, lanes)
        ]
        if groups == 1:
            return str(packed(words[0], width))
        bits = len(words[0]) * width
        signal = self.module.wire(f"c_{name}", bits)
        file = self.memories.file(f"{self.module.name}_{name}", constant_words(words, width))
        self.module.add(
            "hwrnn_rom",
            f"u_c_{name}",
            {"Width": bits, "Depth": groups, "File": file},
            {"address_i": self.tags.at("group", stage - 1), "data_o": signal},
            reset=False,
        )
        return signal

    def pair(self, op: Add | Sub | Mul, stage: int, signal: str) -> None:
        """A sum, a difference or a product."""
        a, b = self.types[op.a], self.types[op.b]
        self.module.add(
            PAIRS[type(op)],
            f"u_{op.out.name}",
            {
                "Lanes": self.path.lanes,
                "AWidth": a.bits,
                "ASigned": a.signed,
                "BWidth": b.bits,
                "BSigned": b.signed,
                "YWidth": op.out.type.bits,
            },
            {"a_i": self.operand(op.a, stage), "b_i": self.operand(op.b, stage), "y_o": signal},
            reset=False,
        )

    def lut(self, op: Lut, stage: int, signal: str) -> None:
        """A table."""
        x, y = self.types[op.x], op.out.type
        name = f"{self.module.name}_{op.out.name}"
        self.module.add(
            "hwrnn_lut",
            f"u_{op.out.name}",
            {
                "Lanes": self.path.lanes,
                "XWidth": x.bits,
                "YWidth": y.bits,
                "File": self.memories.file(name, lut_words(x, y, op.table)),
            },
            {"x_i": self.operand(op.x, stage), "y_o": signal},
            reset=False,
        )

    def scale(self, op: Requant, how: ScaleShift, stage: int, signal: str) -> None:
        """A requantiser by multiplication and shift, or by shift alone."""
        x, y = self.types[op.x], op.out.type
        by_shift = how.kind == "shift"
        factors = [m.bit_length() - 1 if by_shift else m for m in how.mul]
        mul = [[v] for v in factors]
        add = [[v] for v in how.add]
        mul_width = max(max(factors).bit_length(), 1)
        add_width = signed_bits(*how.add)
        reach = how.sum_type(x)
        name = op.out.name
        self.module.add(
            "hwrnn_requant_scale",
            f"u_{name}",
            {
                "Lanes": self.path.lanes,
                "XWidth": x.bits,
                "XSigned": x.signed,
                "MulWidth": mul_width,
                "AddWidth": add_width,
                "SumWidth": signed_bits(reach.lo, reach.hi),
                "Shift": how.shift,
                "TiesEven": how.ties is Ties.EVEN and how.shift > 0,
                "ByShift": by_shift,
                "YWidth": y.bits,
                "Lo": y.lo,
                "Hi": y.hi,
            },
            {
                "x_i": self.operand(op.x, stage),
                "mul_i": self.channel(mul, mul_width, stage, f"{name}_mul"),
                "add_i": self.channel(
                    add, add_width, stage if by_shift else stage + 1, f"{name}_add"
                ),
                "y_o": signal,
            },
            reset=False,
        )

    def thresholds(self, op: Requant, how: Thresholds, stage: int, signal: str) -> None:
        """A requantiser by thresholds: side by side if they are few, else searched."""
        x = self.types[op.x]
        rows = np.clip(how.table.array, x.lo, x.hi + 1)  # beyond x's range they are all alike
        width = max(signed_bits(x.lo, x.hi + 1), x.bits + 1)
        if how.table.columns <= PARALLEL_THRESHOLDS:
            self.parallel(op, rows, width, stage, signal)
        else:
            self.search(op, rows, width, stage, signal)

    def parallel(
        self, op: Requant, rows: NDArray[np.int64], width: int, stage: int, signal: str
    ) -> None:
        """All comparisons at once."""
        x, y = self.types[op.x], op.out.type
        self.module.add(
            "hwrnn_requant_thresholds",
            f"u_{op.out.name}",
            {
                "Lanes": self.path.lanes,
                "XWidth": x.bits,
                "XSigned": x.signed,
                "Thresholds": rows.shape[1],
                "ThresholdWidth": width,
                "YWidth": y.bits,
                "Lo": y.lo,
            },
            {
                "x_i": self.operand(op.x, stage),
                "thresholds_i": self.channel(
                    rows.tolist(), width, stage, f"{op.out.name}_thresholds"
                ),
                "y_o": signal,
            },
            reset=False,
        )

    def search(
        self, op: Requant, rows: NDArray[np.int64], width: int, stage: int, signal: str
    ) -> None:
        """A binary search: two cycles for each bit of the result."""
        lanes, x = self.path.lanes, self.types[op.x]
        levels = rows.shape[1].bit_length()
        full = np.full((len(rows), (1 << levels) - 1), x.hi + 1, dtype=np.int64)
        full[:, : rows.shape[1]] = rows
        data, position = self.operand(op.x, stage), str(Bits(value=0, width=lanes))
        for level in range(levels):
            last = level == levels - 1
            tag = f"{op.out.name}_l{level}s"
            x_out = self.module.wire(f"unused_{tag}" if last else f"x_{tag}", lanes * x.bits)
            found = signal if last else self.module.wire(f"p_{tag}", lanes * (level + 1))
            step = Level(
                op=op,
                level=level,
                width=width,
                stage=stage + 2 * level,
                offset=op.out.type.lo if last else 0,
                found_bits=op.out.type.bits if last else level + 1,
                nodes=full[:, (1 << (levels - level - 1)) - 1 :: 1 << (levels - level)],
            )
            self.level(step, (data, position, x_out, found))
            data, position = x_out, found

    def level(self, step: Level, signals: tuple[str, str, str, str]) -> None:
        """One level for all lanes, or, with thresholds of each channel, an instance a lane."""
        lanes, groups = self.path.lanes, self.path.groups
        if len(step.nodes) == 1:
            self.level_instance(step, "", step.nodes, signals, lanes=lanes, groups=1)
            return
        nodes = np.zeros((groups * lanes, step.nodes.shape[1]), dtype=np.int64)
        nodes[: len(step.nodes)] = step.nodes
        by_lane = nodes.reshape(groups, lanes, -1)
        data, position, x_out, found = signals
        x_bits = self.types[step.op.x].bits
        for k in range(lanes):
            own = (
                part(data, k, x_bits),
                part(position, k, step.level) if step.level else str(Bits(value=0, width=1)),
                part(x_out, k, x_bits),
                part(found, k, step.found_bits),
            )
            self.level_instance(step, f"lane{k}", by_lane[:, k], own, lanes=1, groups=groups)

    def level_instance(
        self,
        step: Level,
        lane: str,
        nodes: NDArray[np.int64],
        signals: tuple[str, str, str, str],
        *,
        lanes: int,
        groups: int,
    ) -> None:
        """One instance of a level, with its ROM."""
        data, position, x_out, found = signals
        x = self.types[step.op.x]
        name = f"{step.op.out.name}_l{step.level}s{lane}"
        content = hex_words(nodes.reshape(-1, 1), step.width)
        many = groups > 1
        group = self.tags.at("group", step.stage) if many else str(Bits(value=0, width=1))
        self.module.add(
            "hwrnn_threshold_level",
            f"u_{name}",
            {
                "Lanes": lanes,
                "Level": step.level,
                "Groups": groups,
                "XWidth": x.bits,
                "XSigned": x.signed,
                "ThresholdWidth": step.width,
                "YWidth": step.found_bits,
                "Lo": step.offset,
                "File": self.memories.file(f"{self.module.name}_{name}", content),
            },
            {
                "x_i": data,
                "group_i": group,
                "position_i": position,
                "x_o": x_out,
                "y_o": found,
            },
            reset=False,
        )

    def finish(self) -> None:
        """Place the delays of values."""
        self.values.finish()

    @property
    def group_bits(self) -> int:
        """Width of the group index."""
        return index_bits(self.path.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a binary search: `nodes` holds its thresholds, a row a channel."""

    op: Requant
    level: int
    width: int
    stage: int
    offset: int
    found_bits: int
    nodes: NDArray[np.int64]


def part(signal: str, lane: int, width: int) -> str:
    """The bits of one lane."""
    return f"{signal}[{(lane + 1) * width - 1}:{lane * width}]"
