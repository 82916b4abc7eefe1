# SPDX-License-Identifier: Apache-2.0
"""Datapaths as straight-line C++: types, rules, constant arrays and one statement for each op."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwrnn.backends.cpp_literals import INT64, cpp_array, cpp_int, cpp_type, machine_type
from hwrnn.design.design import Datapath
from hwrnn.design.latency import PARALLEL_THRESHOLDS
from hwrnn.errors import DesignError
from hwrnn.ir import (
    Add,
    AnyOp,
    IntMatrix,
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

PAIRS = {Add: "add", Sub: "sub", Mul: "mul"}
CONTINUED = " " * 12
CellValues = Sequence[Sequence[int]]  # for each cell, a number for each channel or one for all


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayView:
    """A constant array: `partition` are the dimensions (from 1) that are read all at once."""

    comment: str
    type: str
    name: str
    dims: tuple[int, ...]
    body: str
    partition: tuple[int, ...] = ()
    table: bool = False
    written: bool = False  # by an image, at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasView:
    """A type with a name."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleRuleView:
    """The numbers of a multiply-add-shift requantiser."""

    name: str
    comment: str
    sum_type: str
    work_bits: int
    out_type: str
    shift: int
    ties: str
    power_of_two: str
    lo: str
    hi: str
    scalars: tuple[tuple[str, str, str], ...]
    kind: str = "scale_shift"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRuleView:
    """The numbers of a threshold requantiser."""

    name: str
    comment: str
    level_type: str
    count: int
    search_start: int
    out_type: str
    lo: str
    kind: str = "thresholds"


RuleView = ScaleRuleView | ThresholdRuleView


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """The definition of a constant."""

    type: str
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """All that is printed of some datapaths beside their statements, in three places."""

    aliases: tuple[AliasView, ...]
    rules: tuple[RuleView, ...]
    arrays: tuple[ArrayView, ...]


@dataclass(slots=True)
class CellWriter:
    """Collects the parts of the datapaths of a layer; an op that several of them hold is one.

    A datapath is given once for each cell: they differ in constants only, which then have the
    number of the stream as their first index.
    """

    place: str
    types: dict[str, IntType] = field(default_factory=dict)
    rules: dict[str, RuleView] = field(default_factory=dict)
    arrays: dict[str, ArrayView] = field(default_factory=dict)

    def view(self) -> CellView:
        """What has been collected."""
        return CellView(
            aliases=tuple(alias(name, t) for name, t in self.types.items()),
            rules=tuple(self.rules.values()),
            arrays=tuple(self.arrays.values()),
        )

    def path(self, *cells: Datapath) -> tuple[StatementView, ...]:
        """The statements of a datapath: constants first, then every op."""
        path = cells[0]
        self.types |= path.types()
        consts = zip(*(p.consts for p in cells), strict=True)
        placed = zip(*(p.ops for p in cells), strict=True)
        found = [
            *((c[0].out, self.const(path, c[0].out.name, [k.values for k in c])) for c in consts),
            *((p[0].op.out, self.op(path, tuple(k.op for k in p))) for p in placed),
        ]
        return tuple(
            StatementView(type=f"t_{out.name}", name=f"v_{out.name}", value=text)
            for out, text in found
        )

    def op(self, path: Datapath, ops: tuple[AnyOp, ...]) -> str:
        """The value of one op, which each cell has."""
        match ops[0]:
            case Add() | Sub() | Mul() as op:
                return f"hwrnn::{PAIRS[type(op)]}<t_{op.out.name}>(v_{op.a}, v_{op.b})"
            case Lut() as op:
                return self.lookup(op, [o.table for o in ops if isinstance(o, Lut)])
            case Requant(realised=ScaleShift()) as op:
                return self.scale(path, op, self.scales(ops))
            case Requant(realised=Thresholds()) as op:
                return self.thresholds(path, op, self.levels(ops))
            case Requant() as op:
                raise DesignError(self.place, f"%{op.out.name} has no realised requantiser yet")
            case op:
                raise DesignError(
                    self.place, f"%{op.out.name}: a {type(op).__name__} is not element-wise"
                )

    def scales(self, ops: tuple[AnyOp, ...]) -> list[ScaleShift]:
        """The requantisers of all cells, which have one shift and one rule for ties."""
        found = [o.realised for o in ops if isinstance(o, Requant)]
        same = [how for how in found if isinstance(how, ScaleShift)]
        self.check_form(ops, len(same), len({(how.shift, how.ties) for how in same}))
        return same

    def levels(self, ops: tuple[AnyOp, ...]) -> list[IntMatrix]:
        """The thresholds of all cells, as many in each."""
        found = [o.realised for o in ops if isinstance(o, Requant)]
        same = [how.table for how in found if isinstance(how, Thresholds)]
        self.check_form(ops, len(same), len({table.columns for table in same}))
        return same

    def check_form(self, ops: tuple[AnyOp, ...], same: int, forms: int) -> None:
        """Cells differ in constants only."""
        if same != len(ops) or forms > 1:
            raise DesignError(self.place, f"%{ops[0].out.name} differs in form between its cells")

    def lookup(self, op: Lut, tables: Sequence[tuple[int, ...]]) -> str:
        """A call that reads the op's table."""
        lo = cpp_int(self.types[op.x].lo, INT64)
        comment = f"{op.out.name} for each {op.x} from {lo} upwards"
        values = [np.array(t, dtype=object) for t in tables]
        table = self.array(f"table_{op.out.name}", values, comment, table=True)
        return f"hwrnn::lookup<t_{op.out.name}, {lo}>(v_{op.x}, {table})"

    def scale(self, path: Datapath, op: Requant, hows: list[ScaleShift]) -> str:
        """A call of scale_shift with the constants of the channel."""
        name = op.out.name
        logs = all(h.kind == "shift" and all(m > 0 for m in h.mul) for h in hows)
        factors = [tuple(m.bit_length() - 1 for m in h.mul) if logs else h.mul for h in hows]
        terms = [machine_words("factor", factors), machine_words("addend", [h.add for h in hows])]
        words = {kind: values for term in terms for kind, values in term.items()}
        same = {kind: only(values) for kind, values in words.items()}
        scalars = tuple(scalar(kind, v) for kind, v in same.items() if v is not None)
        x = self.types[op.x]
        self.rules[name] = scale_rule(op, hows, x, power_of_two=logs, scalars=scalars)
        if len(scalars) == len(words) == 2:
            return f"hwrnn::scale_shift<rule_{name}>(v_{op.x})"
        factor, addend = (self.joined(path, name, term) for term in terms)
        call = f"hwrnn::scale_shift<rule_{name}>("
        return f"{call}\n{CONTINUED}v_{op.x}, {factor}, {addend})"

    def joined(self, path: Datapath, name: str, words: dict[str, CellValues]) -> str:
        """The constant of the channel, from one word or from two."""
        found = [
            f"rule_{name}::{kind}"
            if only(values) is not None
            else self.channels(path, f"{kind}_{name}", values, f"{kind} of {name}")
            for kind, values in words.items()
        ]
        return found[0] if len(found) == 1 else f"hwrnn::join({', '.join(found)})"

    def thresholds(self, path: Datapath, op: Requant, tables: list[IntMatrix]) -> str:
        """A call of thresholds with the row of the channel."""
        name, columns = op.out.name, tables[0].columns
        lo = cpp_int(op.out.type.lo, INT64)
        if not columns:
            return f"t_{name}({lo})"
        t = hull([*(table.type for table in tables), IntType(0, 0)])
        self.rules[name] = ThresholdRuleView(
            name=f"rule_{name}",
            comment=f"{op.x} -> {name}",
            level_type=machine_type(t),
            count=columns,
            search_start=1 << (columns.bit_length() - 1),
            out_type=f"t_{name}",
            lo=lo,
        )
        rows = self.threshold_rows(path, name, tables)
        return f"hwrnn::thresholds<rule_{name}>(v_{op.x}, {rows})"

    def threshold_rows(self, path: Datapath, name: str, tables: list[IntMatrix]) -> str:
        """Declares the thresholds; returns the row of the channel."""
        one = all(t.rows == 1 for t in tables)
        parallel = tables[0].columns <= PARALLEL_THRESHOLDS
        dims = [d for d, read in ((1 if one else 3, parallel), (2, not one)) if read]
        rows = [
            t.array[0] if one else by_lane(np.broadcast_to(t.array, (path.units, t.columns)), path)
            for t in tables
        ]
        comment = f"thresholds of {name}"
        label = self.array(f"level_{name}", rows, comment, tuple(dims), table=not parallel)
        return label if one else f"{label}[group][lane]"

    def const(self, path: Datapath, name: str, values: CellValues) -> str:
        """A literal if all channels have the same number, else the entry of the channel."""
        same = only(values)
        if same is not None:
            return f"t_{name}({cpp_int(same, INT64)})"
        return f"t_{name}({self.channels(path, f'const_{name}', values, 'constant')})"

    def channels(self, path: Datapath, name: str, values: CellValues, comment: str) -> str:
        """Declares an array of one number for each unit; returns the entry of the channel."""
        wide = [np.array(v, dtype=object) for v in values]
        rows = [by_lane(np.broadcast_to(v, (path.units,)), path) for v in wide]
        return f"{self.array(name, rows, comment, (2,))}[group][lane]"

    def array(
        self,
        name: str,
        cells: Sequence[NDArray[Any]],
        comment: str,
        partition: tuple[int, ...] = (),
        *,
        table: bool = False,
    ) -> str:
        """Declares an array, with an entry for each cell if they differ; returns how it is read."""
        values, index = by_cell(cells)
        t = of_values([*(int(v) for v in (values.min(), values.max())), 0])
        self.arrays[name] = ArrayView(
            comment=comment,
            type=machine_type(t),
            name=name,
            dims=values.shape,
            body=cpp_array(values, t),
            partition=tuple(d + values.ndim - cells[0].ndim for d in partition),
            table=table,
        )
        return name + index


def by_cell(cells: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], str]:
    """The array of all cells, and the index that picks one; none if they are the same."""
    if all(np.array_equal(c, cells[0]) for c in cells):
        return cells[0], ""
    return np.stack(cells), "[stream]"


def only(values: CellValues) -> int | None:
    """The one number in all channels of all cells, if there is only one."""
    found = {v for cell in values for v in cell}
    return found.pop() if len(found) == 1 else None


def by_lane(values: NDArray[Any], path: Datapath) -> NDArray[Any]:
    """Numbers of the units as [group][lane], zero beyond the last unit."""
    rest = path.groups * path.lanes - path.units
    padded = np.pad(values, [(0, rest)] + [(0, 0)] * (values.ndim - 1))
    return padded.reshape(path.groups, path.lanes, *values.shape[1:])


def scale_rule(
    op: Requant,
    hows: Sequence[ScaleShift],
    x: IntType,
    *,
    power_of_two: bool,
    scalars: tuple[tuple[str, str, str], ...],
) -> ScaleRuleView:
    """The numbers of a ScaleShift on operands in x, for the constants of all cells."""
    how, y = hows[0], op.out.type
    if not INT64.covers(y):
        raise DesignError(
            f"%{op.out.name}",
            f"has {y.bits} bits; what an ArgMax compares in HLS C++ has up to 64",
            'use backend="rtl", or a scale for all outputs',
        )
    exact = hull([h.sum_type(x) for h in hows])
    addends = [h.sum_type(IntType(0, 0)) for h in hows]
    factors = [m for h in hows for m in (h.mul if h.room is None else (h.room.largest,))]
    work = hull([exact, x, *addends, *(scaled(x, m) for m in factors)])
    return ScaleRuleView(
        name=f"rule_{op.out.name}",
        comment=f"{op.x} -> {op.out.name}",
        sum_type=cpp_type(exact),
        work_bits=max(signed_bits(work), how.shift + 2),
        out_type=f"t_{op.out.name}",
        shift=how.shift,
        ties="even" if how.ties is Ties.EVEN else "keep",
        power_of_two="true" if power_of_two else "false",
        lo=cpp_int(y.lo, INT64),
        hi=cpp_int(y.hi, INT64),
        scalars=scalars,
    )


def alias(name: str, t: IntType) -> AliasView:
    """The type of a value."""
    return AliasView(name=f"t_{name}", type=cpp_type(t), comment=str(t))


def hull(types: Iterable[IntType]) -> IntType:
    """The smallest range that covers all."""
    first, *rest = types
    for t in rest:
        first = first.hull(t)
    return first


def scaled(x: IntType, factor: int) -> IntType:
    """The range of factor * x."""
    return of_values((factor * x.lo, factor * x.hi, factor))


def signed_bits(t: IntType) -> int:
    """Bits of a signed integer that holds the range."""
    return t.bits if t.signed else t.bits + 1


def machine_words(kind: str, values: CellValues) -> dict[str, CellValues]:
    """The constants as 64-bit words: one, or if they need it a high and a low one."""
    if all(INT64.covers(of_values(v)) for v in values):
        return {kind: values}
    high = [tuple(v >> 64 for v in cell) for cell in values]
    low = [tuple(v & (2**64 - 1) for v in cell) for cell in values]
    return {f"{kind}high": high, f"{kind}low": low}


def scalar(kind: str, value: int) -> tuple[str, str, str]:
    """Machine type, name and number of a constant that is the same in all channels."""
    t = IntType(value, value)
    return machine_type(t), kind, cpp_int(value, t)
