# SPDX-License-Identifier: Apache-2.0
"""A datapath as straight-line C++: types, rules, constant arrays and one statement for each op."""

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
    Value,
)
from hwrnn.ir.types import of_values

PAIRS = {Add: "add", Sub: "sub", Mul: "mul"}


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
    """All that is printed of a datapath, in four places."""

    aliases: tuple[AliasView, ...]
    rules: tuple[RuleView, ...]
    arrays: tuple[ArrayView, ...]
    statements: tuple[StatementView, ...]


@dataclass(slots=True)
class CellWriter:
    """Collects the parts of one datapath, in the order of its ops."""

    path: Datapath
    place: str
    rules: list[RuleView] = field(default_factory=list)
    arrays: list[ArrayView] = field(default_factory=list)
    statements: list[StatementView] = field(default_factory=list)

    def run(self) -> CellView:
        """Constants first, then every op."""
        for const in self.path.consts:
            text = self.channel_value("const", const.out.name, const.values, "constant")
            self.put(const.out, text)
        for placed in self.path.ops:
            self.op(placed.op)
        types = self.path.types()
        return CellView(
            aliases=tuple(alias(name, t) for name, t in types.items()),
            rules=tuple(self.rules),
            arrays=tuple(self.arrays),
            statements=tuple(self.statements),
        )

    def op(self, op: AnyOp) -> None:
        """The statement of one op."""
        match op:
            case Add() | Sub() | Mul():
                call = f"hwrnn::{PAIRS[type(op)]}<t_{op.out.name}>(v_{op.a}, v_{op.b})"
                self.put(op.out, call)
            case Lut():
                self.put(op.out, self.lookup(op))
            case Requant(realised=ScaleShift() as how):
                self.put(op.out, self.scale(op, how))
            case Requant(realised=Thresholds() as how):
                self.put(op.out, self.thresholds(op, how))
            case Requant():
                raise DesignError(self.place, f"%{op.out.name} has no realised requantiser yet")
            case _:
                raise DesignError(
                    self.place, f"%{op.out.name}: a {type(op).__name__} is not element-wise"
                )

    def put(self, out: Value, value: str) -> None:
        """Append a statement."""
        view = StatementView(type=f"t_{out.name}", name=f"v_{out.name}", value=value)
        self.statements.append(view)

    def lookup(self, op: Lut) -> str:
        """A call that reads the op's table."""
        lo = cpp_int(self.path.types()[op.x].lo, INT64)
        t = of_values(op.table)
        self.arrays.append(
            ArrayView(
                comment=f"{op.out.name} for each {op.x} from {lo} upwards",
                type=machine_type(t),
                name=f"table_{op.out.name}",
                dims=(len(op.table),),
                body=cpp_array(op.table, t),
                table=True,
            )
        )
        return f"hwrnn::lookup<t_{op.out.name}, {lo}>(v_{op.x}, table_{op.out.name})"

    def scale(self, op: Requant, how: ScaleShift) -> str:
        """A call of scale_shift with the constants of the channel."""
        name = op.out.name
        logs = how.kind == "shift" and all(m > 0 for m in how.mul)
        factors = tuple(m.bit_length() - 1 for m in how.mul) if logs else how.mul
        terms = [machine_words("factor", factors), machine_words("addend", how.add)]
        words = {kind: values for term in terms for kind, values in term.items()}
        scalars = tuple(scalar(kind, v) for kind, v in words.items() if len(set(v)) == 1)
        x = self.path.types()[op.x]
        self.rules.append(scale_rule(op, how, x, power_of_two=logs, scalars=scalars))
        if len(scalars) == len(words) == 2:
            return f"hwrnn::scale_shift<rule_{name}>(v_{op.x})"
        factor, addend = (self.joined(name, term) for term in terms)
        return f"hwrnn::scale_shift<rule_{name}>(\n        v_{op.x}, {factor}, {addend})"

    def joined(self, name: str, words: dict[str, tuple[int, ...]]) -> str:
        """The constant of the channel, from one word or from two."""
        found = [
            f"rule_{name}::{kind}"
            if len(set(values)) == 1
            else self.channel_array(kind, name, values, f"{kind} of {name}")
            for kind, values in words.items()
        ]
        return found[0] if len(found) == 1 else f"hwrnn::join({', '.join(found)})"

    def thresholds(self, op: Requant, how: Thresholds) -> str:
        """A call of thresholds with the row of the channel."""
        name, table = op.out.name, how.table
        lo = cpp_int(op.out.type.lo, INT64)
        if not table.columns:
            return f"t_{name}({lo})"
        self.rules.append(
            ThresholdRuleView(
                name=f"rule_{name}",
                comment=f"{op.x} -> {name}",
                level_type=machine_type(table.type),
                count=table.columns,
                search_start=1 << (table.columns.bit_length() - 1),
                out_type=f"t_{name}",
                lo=lo,
            )
        )
        return f"hwrnn::thresholds<rule_{name}>(v_{op.x}, {self.threshold_rows(name, table)})"

    def threshold_rows(self, name: str, table: IntMatrix) -> str:
        """Declares the thresholds; returns the row of the channel."""
        one = table.rows == 1
        rows = table.array if one else self.by_lane(table.array)
        parallel = table.columns <= PARALLEL_THRESHOLDS
        dims = [d for d, read in ((1 if one else 3, parallel), (2, not one)) if read]
        self.arrays.append(
            ArrayView(
                comment=f"thresholds of {name}",
                type=machine_type(table.type),
                name=f"level_{name}",
                dims=rows.shape[1:] if one else rows.shape,
                body=cpp_array(rows[0] if one else rows, table.type.hull(IntType(0, 0))),
                partition=tuple(dims),
                table=not parallel,
            )
        )
        return f"level_{name}" if one else f"level_{name}[group][lane]"

    def channel_value(self, kind: str, name: str, values: Sequence[int], comment: str) -> str:
        """A literal if all channels have the same number, else the entry of the channel."""
        if len(set(values)) == 1:
            return f"t_{name}({cpp_int(values[0], INT64)})"
        return f"t_{name}({self.channel_array(kind, name, values, comment)})"

    def channel_array(self, kind: str, name: str, values: Sequence[int], comment: str) -> str:
        """Declares an array of one number for each unit; returns the entry of the channel."""
        t = of_values([*values, 0])
        array = self.by_lane(np.array(values, dtype=object))
        self.arrays.append(
            ArrayView(
                comment=comment,
                type=machine_type(t),
                name=f"{kind}_{name}",
                dims=array.shape,
                body=cpp_array(array, t),
                partition=(2,),
            )
        )
        return f"{kind}_{name}[group][lane]"

    def by_lane(self, values: NDArray[Any]) -> NDArray[Any]:
        """Numbers of the units as [group][lane], zero beyond the last unit."""
        return by_lane(values, self.path)


def write_cell(path: Datapath, place: str) -> CellView:
    """The parts of a datapath. Raises DesignError, naming `place`, for what C++ cannot do."""
    return CellWriter(path=path, place=place).run()


def by_lane(values: NDArray[Any], path: Datapath) -> NDArray[Any]:
    """Numbers of the units as [group][lane], zero beyond the last unit."""
    rest = path.groups * path.lanes - path.units
    padded = np.pad(values, [(0, rest)] + [(0, 0)] * (values.ndim - 1))
    return padded.reshape(path.groups, path.lanes, *values.shape[1:])


def scale_rule(
    op: Requant,
    how: ScaleShift,
    x: IntType,
    *,
    power_of_two: bool,
    scalars: tuple[tuple[str, str, str], ...],
) -> ScaleRuleView:
    """The numbers of a ScaleShift on operands in x."""
    exact = how.sum_type(x)
    work = hull([exact, x, how.sum_type(IntType(0, 0)), *(scaled(x, m) for m in how.mul)])
    return ScaleRuleView(
        name=f"rule_{op.out.name}",
        comment=f"{op.x} -> {op.out.name}",
        sum_type=cpp_type(exact),
        work_bits=max(signed_bits(work), how.shift + 2),
        out_type=f"t_{op.out.name}",
        shift=how.shift,
        ties="even" if how.ties is Ties.EVEN else "keep",
        power_of_two="true" if power_of_two else "false",
        lo=cpp_int(op.out.type.lo, INT64),
        hi=cpp_int(op.out.type.hi, INT64),
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


def machine_words(kind: str, values: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The constants as 64-bit words: one, or if they need it a high and a low one."""
    if INT64.covers(of_values(values)):
        return {kind: values}
    high, low = (v >> 64 for v in values), (v & (2**64 - 1) for v in values)
    return {f"{kind}high": tuple(high), f"{kind}low": tuple(low)}


def scalar(kind: str, values: tuple[int, ...]) -> tuple[str, str, str]:
    """Machine type, name and number of a constant that is the same in all channels."""
    t = IntType(values[0], values[0])
    return machine_type(t), kind, cpp_int(values[0], t)
