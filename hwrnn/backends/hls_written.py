# SPDX-License-Identifier: Apache-2.0
"""Datapaths whose tables and constants are written at run time: members of a struct `image`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwrnn.backends.cpp_literals import COLUMNS, INT64, WORD, cpp_array, cpp_int, machine_type
from hwrnn.backends.hls_cell import (
    CONTINUED,
    ArrayView,
    CellValues,
    CellWriter,
    ThresholdRuleView,
    by_lane,
    scale_rule,
)
from hwrnn.backends.hls_image import Field, LayerImage
from hwrnn.backends.rtl_constants import threshold_bits
from hwrnn.design.datapath import Datapath
from hwrnn.design.latency import PARALLEL_THRESHOLDS
from hwrnn.ir import IntMatrix, IntType, Lut, Requant, ScaleShift
from hwrnn.ir.requant import Scaling
from hwrnn.ir.types import of_bits


@dataclass(slots=True, kw_only=True)
class WrittenCellWriter(CellWriter):
    """Collects datapaths like its parent. Constants that are equal now may differ later: an array
    has an entry for each cell, and for each unit if the model can have one.
    """

    image: LayerImage

    def lookup(self, op: Lut, tables: Sequence[tuple[int, ...]]) -> str:
        """A call that reads the op's table."""
        x, name = self.types[op.x], f"table_{op.out.name}"
        lo = cpp_int(x.lo, INT64)
        comment = f"{op.out.name} for each {op.x} from {lo} upwards"
        values = [np.array(t, dtype=object) for t in tables]
        read = self.written(name, values, op.out.type, comment, table=True)
        self.image.tables(name, self.image.find(op.out.name), x, op.out.type, len(tables))
        return f"hwrnn::lookup<t_{op.out.name}, {lo}>(v_{op.x}, {read})"

    def scale(self, path: Datapath, op: Requant, hows: list[ScaleShift]) -> str:
        """A call of scale_shift with the constants of the channel."""
        name, room = op.out.name, hows[0].room
        assert room is not None, "a writable requantiser has room for other constants"
        logs = room.kind is Scaling.SHIFT
        factors = [tuple(m.bit_length() - 1 for m in h.mul) if logs else h.mul for h in hows]
        unsigned = of_bits(room.factor_bits, signed=False)
        factor = self.term(path, name, ("factor", "mul"), factors, unsigned)
        addend = self.term(path, name, ("addend", "add"), [h.add for h in hows], room.adds)
        x = self.types[op.x]
        self.rules[name] = scale_rule(op, hows, x, power_of_two=logs, scalars=())
        call = f"hwrnn::scale_shift<rule_{name}>(\n{CONTINUED}v_{op.x}, {factor}, {addend})"
        wide = max(map(len, call.split("\n"))) > COLUMNS - 2
        return call.replace(f", {addend}", f",\n{CONTINUED}{addend}") if wide else call

    def term(
        self, path: Datapath, op: str, kinds: tuple[str, str], values: CellValues, t: IntType
    ) -> str:
        """A constant of the channel; from two words, if 64 bits do not hold it. `kinds`: what it is
        called here, and in its memory.
        """
        kind, memory = kinds
        region, whole = self.image.find(f"{op}_{memory}"), Field.of(t)
        if INT64.covers(t):
            name = f"{kind}_{op}"
            read, indices = self.of_channels(path, name, values, t, f"{kind} of {op}")
            self.image.rows(name, region, whole, indices)
            return read
        high = [tuple(v >> 64 for v in cell) for cell in values]
        low = [tuple(v & (2**64 - 1) for v in cell) for cell in values]
        top = replace(whole, low=64, bits=t.bits - 64)
        words = (
            ("high", high, of_bits(top.bits, signed=t.signed), top),
            ("low", low, IntType(0, WORD.hi), replace(whole, bits=64, signed=False)),
        )
        found = []
        for part, cells, held, of in words:
            name = f"{kind}{part}_{op}"
            read, indices = self.of_channels(path, name, cells, held, f"{kind} of {op}, {part}")
            self.image.rows(name, region, of, indices)
            found.append(read)
        return f"hwrnn::join({', '.join(found)})"

    def thresholds(self, path: Datapath, op: Requant, tables: list[IntMatrix]) -> str:
        """A call of thresholds with the row of the channel."""
        name, columns, x = op.out.name, tables[0].columns, self.types[op.x]
        lo = cpp_int(op.out.type.lo, INT64)
        if not columns:
            return f"t_{name}({lo})"
        t = of_bits(threshold_bits(x), signed=True)
        self.rules[name] = ThresholdRuleView(
            name=f"rule_{name}",
            comment=f"{op.x} -> {name}",
            level_type=machine_type(t),
            count=columns,
            search_start=1 << (columns.bit_length() - 1),
            out_type=f"t_{name}",
            lo=lo,
        )
        one = all(table.rows == 1 for table in tables)
        parallel = columns <= PARALLEL_THRESHOLDS
        rows = [np.clip(table.array, x.lo, x.hi + 1) for table in tables]
        dims = [d for d, read in ((1 if one else 3, parallel), (2, not one)) if read]
        values = [
            r[0] if one else by_lane(np.broadcast_to(r, (path.units, columns)), path) for r in rows
        ]
        comment = f"thresholds of {name}"
        array = f"level_{name}"
        read = self.written(array, values, t, comment, tuple(dims), table=not parallel)
        indices = (len(tables) > 1) + (not one)
        if parallel:
            self.image.rows(array, self.image.find(f"{name}_thresholds"), Field.of(t), indices)
        else:
            lanes = [""] if one else [f"lane{k}" for k in range(path.lanes)]
            self.searched(name, lanes, columns, t, indices)
        row = read if one else f"{read}[group][lane]"
        return f"hwrnn::thresholds<rule_{name}>(v_{op.x}, {row})"

    def searched(
        self, name: str, lanes: Sequence[str], columns: int, t: IntType, indices: int
    ) -> None:
        """The memories of a search, level by level."""
        levels = [
            [r for lane in lanes if (r := self.image.find(f"{name}_l{k}s{lane}"))]
            for k in range(columns.bit_length())
        ]
        if all(levels):
            self.image.search(f"level_{name}", levels, Field.of(t), columns, indices)

    def const(self, path: Datapath, name: str, values: CellValues) -> str:
        """The entry of the channel."""
        t = self.types[name]
        read, indices = self.of_channels(path, f"const_{name}", values, t, "constant")
        region = self.image.read_at_any_stage(name)
        self.image.rows(f"const_{name}", region, Field.of(t), indices)
        return f"t_{name}({read})"

    def of_channels(
        self, path: Datapath, name: str, values: CellValues, t: IntType, comment: str
    ) -> tuple[str, int]:
        """Declares a number for each unit, or one for all; returns how it is read, and how many
        indices number the words.
        """
        one = all(len(v) == 1 for v in values)
        wide = [np.array(v, dtype=object) for v in values]
        rows = [
            w[0:1].reshape(()) if one else by_lane(np.broadcast_to(w, (path.units,)), path)
            for w in wide
        ]
        read = self.written(name, rows, t, comment, () if one else (2,))
        return read if one else f"{read}[group][lane]", (len(values) > 1) + (not one)

    def written(
        self,
        name: str,
        cells: Sequence[NDArray[Any]],
        t: IntType,
        comment: str,
        partition: tuple[int, ...] = (),
        *,
        table: bool = False,
    ) -> str:
        """Declares an array of numbers of a type; returns how that of the cell is read."""
        several = len(cells) > 1
        values = np.stack(cells) if several else cells[0]
        body = cpp_array(values, t, indent=2) if values.ndim else cpp_int(int(values), t)
        self.arrays[name] = ArrayView(
            comment=comment,
            type=machine_type(t.hull(IntType(0, 0))),
            name=name,
            dims=values.shape,
            body=body,
            partition=tuple(d + several for d in partition),
            table=table,
            written=True,
        )
        return f"image.{name}{'[stream]' if several else ''}"
