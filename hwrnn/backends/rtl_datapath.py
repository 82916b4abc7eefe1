# SPDX-License-Identifier: Apache-2.0
"""The element-wise pipeline in SystemVerilog: ops become instances, delays balance them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hwrnn.backends.rtl_constants import Rows, as_words, threshold_bits
from hwrnn.backends.rtl_memory import Content, Memories, constant_words, lut_words
from hwrnn.backends.rtl_netlist import Bits, Module, packed, signed_bits
from hwrnn.backends.rtl_search import search
from hwrnn.backends.rtl_taps import Taps
from hwrnn.design.design import Datapath, PlacedOp
from hwrnn.design.latency import PARALLEL_THRESHOLDS
from hwrnn.ir import (
    Add,
    AnyOp,
    Const,
    IntType,
    Lut,
    Mul,
    Requant,
    ScaleShift,
    Sub,
    Thresholds,
    Ties,
)
from hwrnn.ir.types import of_values

PARAMETER = IntType(-(2**31), 2**31 - 1)  # what an `int` of SystemVerilog holds
PAIRS = {Add: "hwrnn_add", Sub: "hwrnn_sub", Mul: "hwrnn_mul"}


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Places the ops of a datapath in a module.

    `paths`: one, or one for each stream, alike but for their constants. `tags` gives, at each
    stage of the path, what chooses constants: "group", "stream" and "channel".
    """

    module: Module
    paths: tuple[Datapath, ...]
    memories: Memories
    tags: Taps
    values: Taps = field(init=False)
    types: dict[str, IntType] = field(init=False)
    ops: tuple[dict[str, AnyOp], ...] = field(init=False)
    roms: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = Taps(self.module, "d")
        self.types = self.path.types()
        self.ops = tuple(
            {op.out.name: op for op in (*path.consts, *(p.op for p in path.ops))}
            for path in self.paths
        )
        check_alike(self.paths)

    @property
    def path(self) -> Datapath:
        """What all paths are like."""
        return self.paths[0]

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
        signal = self.module.wire(f"v_{out.name}", self.path.lanes * out.type.bits)
        match p.op:
            case Add() | Sub() | Mul():
                self.pair(p, p.op, signal)
            case Lut():
                self.lut(p, p.op, signal)
            case Requant(realised=ScaleShift() as how):
                self.scale(p, how, signal)
            case Requant(realised=Thresholds() as how):
                if how.table.columns <= PARALLEL_THRESHOLDS:
                    self.thresholds(p, signal)
                else:
                    search(self, p, signal)
            case _:
                raise ValueError(f"%{out.name}: a {type(p.op).__name__} has no RTL module")
        self.define(out.name, p.stage + p.latency, signal)

    def operand(self, name: str, stage: int) -> str:
        """A value or a constant, as a signal at `stage`."""
        found = [ops.get(name) for ops in self.ops]
        consts = [op for op in found if isinstance(op, Const)]
        if not consts:
            return self.values.at(name, stage)
        rows = [[[v] for v in const.values] for const in consts]
        return self.channel(rows, self.types[name].bits, stage, f"{name}_at{stage}")

    def channel(self, cells: Sequence[Rows], width: int, stage: int, name: str) -> str:
        """Constants of the group's channels at `stage`: a literal, or a ROM read before it."""
        writable = self.memories.config is not None
        once = writable and all(len(rows) == 1 for rows in cells)  # one word serves all lanes
        lanes = 1 if once else self.path.lanes
        made = as_words(cells, lanes, self.path.groups, writable=writable)
        if made.tag is None and not writable:
            return str(packed(made.words[0], width))
        if name in self.roms:  # read by several at one stage
            return self.roms[name]
        bits = len(made.words[0]) * width
        signal = self.roms[name] = self.module.wire(f"c_{name}", bits)
        text = constant_words(made.words, width)
        content = Content(name=f"{self.module.name}_{name}", width=bits, text=text)
        address = self.tags.at(made.tag, stage - 1) if made.tag else "1'd0"
        self.memories.place(
            self.module, f"u_c_{name}", content, {"address_i": address, "data_o": signal}
        )
        return f"{{{self.path.lanes}{{{signal}}}}}" if once else signal

    def pair(self, p: PlacedOp, op: Add | Sub | Mul, signal: str) -> None:
        """A sum, a difference or a product."""
        a, b = ((self.operand(x, p.stage), self.types[x]) for x in (op.a, op.b))
        y = (signal, op.out.type)
        self.two(PAIRS[type(op)], op.out.name, a, b, y=y, register=p.registers[0])

    def two(
        self,
        module: str,
        name: str,
        a: tuple[str, IntType],
        b: tuple[str, IntType],
        *,
        y: tuple[str, IntType],
        register: bool,
    ) -> None:
        """The instance of a module with two operands; signals and their types."""
        self.module.add(
            module,
            f"u_{name}",
            {
                "Lanes": self.path.lanes,
                "AWidth": a[1].bits,
                "ASigned": a[1].signed,
                "BWidth": b[1].bits,
                "BSigned": b[1].signed,
                "YWidth": y[1].bits,
                "Register": register,
            },
            {"a_i": a[0], "b_i": b[0], "y_o": y[0]},
            reset=False,
        )

    def lut(self, p: PlacedOp, op: Lut, signal: str) -> None:
        """A table; of several cells, one behind the other."""
        x, y = self.types[op.x], op.out.type
        every = [o.table for ops in self.ops if isinstance(o := ops[op.out.name], Lut)]
        keep = self.memories.config is not None
        tables = [t for k, t in enumerate(every) if keep or k == 0 or set(every) != {t}]
        content = "".join(lut_words(x, y, table) for table in tables)
        several = len(tables) > 1
        parameters, ports = self.memories.parts(
            f"{self.module.name}_{op.out.name}", y.bits, content
        )
        self.module.add(
            "hwrnn_lut_ram" if keep else "hwrnn_lut",
            f"u_{op.out.name}",
            {
                "Lanes": self.path.lanes,
                "Cells": len(tables),
                "XWidth": x.bits,
                "YWidth": y.bits,
                "Register": p.registers[0],
                **parameters,
            },
            {
                **ports,
                "cell_i": self.tags.at("stream", p.stage) if several else Bits(value=0, width=1),
                "x_i": self.operand(op.x, p.stage),
                "y_o": signal,
            },
            reset=False,
        )

    def scale(self, p: PlacedOp, how: ScaleShift, signal: str) -> None:
        """A requantiser by multiplication and shift, or by shift alone."""
        x, y, name = self.types[p.op.operands()[0]], p.op.out.type, p.op.out.name
        by_shift = how.kind == "shift"
        cells = [form for op in self.twins(p) if isinstance(form := op.realised, ScaleShift)]
        reach = [c.sum_type(x) for c in cells]
        mul = [[[m.bit_length() - 1 if by_shift else m] for m in c.mul] for c in cells]
        add = [[[v] for v in c.add] for c in cells]
        mul_width = max(factor_bits(c, by_shift=by_shift) for c in cells)
        add_width = max(c.room.add_bits if c.room else signed_bits(*c.add) for c in cells)
        registers = p.registers if not by_shift else (False, *p.registers)
        if not PARAMETER.covers(y):
            self.exact(p, how, signal, registers)
            return
        self.module.add(
            "hwrnn_requant_scale",
            f"u_{name}",
            {
                "Lanes": self.path.lanes,
                "XWidth": x.bits,
                "XSigned": x.signed,
                "MulWidth": mul_width,
                "AddWidth": add_width,
                "SumWidth": signed_bits(*(v for t in reach for v in (t.lo, t.hi))),
                "Shift": how.shift,
                "TiesEven": how.ties is Ties.EVEN and how.shift > 0,
                "ByShift": by_shift,
                "YWidth": y.bits,
                "Lo": y.lo,
                "Hi": y.hi,
                "RegisterMid": registers[0],
                "RegisterOut": registers[1],
            },
            {
                "x_i": self.operand(p.op.operands()[0], p.stage),
                "mul_i": self.channel(mul, mul_width, p.stage, f"{name}_mul"),
                "add_i": self.channel(add, add_width, p.stage + registers[0], f"{name}_add"),
                "y_o": signal,
            },
            reset=False,
        )

    def exact(self, p: PlacedOp, how: ScaleShift, signal: str, registers: tuple[bool, ...]) -> None:
        """A product and a sum, where the bounds of the result would not fit their parameters: what
        an ArgMax compares is that wide, and is never shifted or clamped.
        """
        source, y, name = p.op.operands()[0], p.op.out.type, p.op.out.name
        x = self.types[source]
        if how.shift or not y.covers(how.sum_type(x)):
            raise ValueError(f"%{name}: {y} is too wide for bounds")
        mul, add = (of_values(v) for v in (how.mul, how.add))
        product = of_values([m * v for m in how.mul for v in (x.lo, x.hi)])
        half = self.module.wire(f"v_{name}_product", self.path.lanes * product.bits)
        constants = (
            self.channel([[[v] for v in values]], t.bits, stage, f"{name}_{kind}")
            for kind, values, t, stage in (
                ("mul", how.mul, mul, p.stage),
                ("add", how.add, add, p.stage + registers[0]),
            )
        )
        factor, addend = zip(constants, (mul, add), strict=True)
        a, y_half = (self.operand(source, p.stage), x), (half, product)
        self.two("hwrnn_mul", f"{name}_product", a, factor, y=y_half, register=registers[0])
        self.two("hwrnn_add", name, y_half, addend, y=(signal, y), register=registers[1])

    def thresholds(self, p: PlacedOp, signal: str) -> None:
        """A requantiser by thresholds, all comparisons at once."""
        x, y, name = self.types[p.op.operands()[0]], p.op.out.type, p.op.out.name
        width = threshold_bits(x)
        cells = self.threshold_rows(p)
        self.module.add(
            "hwrnn_requant_thresholds",
            f"u_{name}",
            {
                "Lanes": self.path.lanes,
                "XWidth": x.bits,
                "XSigned": x.signed,
                "Thresholds": len(cells[0][0]),
                "ThresholdWidth": width,
                "YWidth": y.bits,
                "Lo": y.lo,
                "RegisterMid": p.registers[0],
                "RegisterOut": p.registers[1],
            },
            {
                "x_i": self.operand(p.op.operands()[0], p.stage),
                "thresholds_i": self.channel(cells, width, p.stage, f"{name}_thresholds"),
                "y_o": signal,
            },
            reset=False,
        )

    def twins(self, p: PlacedOp) -> list[Requant]:
        """A requantiser as each cell has it."""
        found = [ops[p.op.out.name] for ops in self.ops]
        return [op for op in found if isinstance(op, Requant)]

    def threshold_rows(self, p: PlacedOp) -> list[list[list[int]]]:
        """The thresholds of each channel of each cell; beyond x's range they are all alike."""
        x = self.types[p.op.operands()[0]]
        found = [form for op in self.twins(p) if isinstance(form := op.realised, Thresholds)]
        return [np.clip(how.table.array, x.lo, x.hi + 1).tolist() for how in found]

    def finish(self) -> None:
        """Place the delays of values."""
        self.values.finish()


def factor_bits(how: ScaleShift, *, by_shift: bool) -> int:
    """Bits of the multipliers, or with `by_shift` of their logarithms."""
    if how.room:
        return how.room.factor_bits
    largest = max(how.mul)
    return (largest.bit_length() - 1).bit_length() or 1 if by_shift else largest.bit_length()


def check_alike(paths: Sequence[Datapath]) -> None:
    """Cells that share an engine differ in nothing but constants."""
    shapes = [
        (
            path.types(),
            [(p.op.out.name, type(p.op), p.op.operands(), form(p.op)) for p in path.ops],
            [(p.stage, p.registers) for p in path.ops],
        )
        for path in paths
    ]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("cells that share an engine differ in more than constants")


def form(op: AnyOp) -> tuple[object, ...]:
    """What of a requantiser is not a constant."""
    match op:
        case Requant(realised=ScaleShift() as how):
            return (how.kind, how.shift, how.ties, how.room)
        case Requant(realised=Thresholds() as how):
            return (how.table.columns,)
        case _:
            return ()
