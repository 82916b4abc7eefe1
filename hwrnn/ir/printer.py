# SPDX-License-Identifier: Apache-2.0
"""The text of a graph, for people and for `hwrnn.ir.parser`; the grammar is in `hwrnn.ir.text`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from fractions import Fraction
from itertools import groupby
from typing import Any

from hwrnn.ir.graph import Graph, State
from hwrnn.ir.ops import AnyOp, Op, Scan
from hwrnn.ir.requant import ScaleShift, Thresholds
from hwrnn.ir.types import IntMatrix, IntType, Value

OPERANDS = ("x", "a", "b")
_WORD = re.compile(r"[A-Za-z_]\w*|\d+", re.ASCII)
_LONG = 16  # lists with more entries than this are left out of a text for readers
_RUN = 4  # equal entries in a row that are written as one


def print_graph(g: Graph, elide: bool = False) -> str:
    """The graph as text; with `elide`, long lists and matrices are only described."""
    lines = [f"graph {show(g.name)} {{", *op_lines(g.ops, "  ", elide), "}"]
    return "\n".join(lines) + "\n"


def op_lines(ops: Iterable[AnyOp], indent: str, elide: bool) -> list[str]:
    """The lines of some ops."""
    lines: list[str] = []
    for op in ops:
        if isinstance(op, Scan):
            lines += [indent + line for line in scan_lines(op, elide)]
        else:
            lines.append(indent + op_line(op, elide))
    return lines


def op_line(op: Op, elide: bool) -> str:
    """`%y: 0..7 x 4 = kind %x {field = value}`."""
    parts = [type(op).__name__.lower(), ", ".join(map(show_name, op.operands()))]
    attributes = show_record(op, elide, {"out": op.out, "type": op.out.type}, skip=OPERANDS)
    if attributes != "{}":
        parts.append(attributes)
    return f"{show_value(op.out)} = {' '.join(p for p in parts if p)}"


def scan_lines(op: Scan, elide: bool) -> list[str]:
    """The header of a Scan, its indented body, the values that it yields."""
    outs = ", ".join(show_value(o.out) for o in op.outs)
    yields = ", ".join(show_name(o.body_value) for o in op.outs)
    return [
        f"{outs} = scan {', '.join(map(show_name, op.xs))} {{",
        *(f"  input {show_value(v)}" for v in op.body.inputs),
        *(f"  {state_line(s, elide)}" for s in op.body.states),
        *op_lines(op.body.ops, "  ", elide),
        f"  yield {yields}",
        "}",
    ]


def state_line(s: State, elide: bool) -> str:
    """`state %h: -8..7 x 4 = initial [0 * 4] -> %h_new`; `initial %h0` if that is from outside."""
    initial = show_list(s.initial, elide) if s.start is None else show_name(s.start)
    return f"state {show_value(s.value)} = initial {initial} -> {show_name(s.next)}"


def show_value(v: Value) -> str:
    """`%name: lo..hi x size`, with `seq` for a sequence."""
    per = " seq" if v.sequence else ""
    return f"{show_name(v.name)}: {v.type} x {v.size}{per}"


def show_name(name: str) -> str:
    """%name; in quotes when it is none that `verify` lets pass."""
    word = _WORD.fullmatch(name) and not name[0].isdigit()
    return "%" + (name if word else json.dumps(name))


def show(v: object, elide: bool = False, given: Mapping[str, object] | None = None) -> str:
    """The literal of a field."""
    match v:
        case Enum():
            return str(v.value)
        case Fraction():
            return show_rational(v)
        case int() | IntType():
            return str(v)
        case str():
            return v if _WORD.fullmatch(v) else json.dumps(v)
        case IntMatrix():
            return show_matrix(v, elide)
        case tuple():
            return show(v[0]) if len(v) == 1 else show_list(v, elide)
        case ScaleShift() | Thresholds():
            return f"{v.kind} {show_record(v, elide, {})}"
    return show_record(v, elide, given or {})


def show_rational(v: Fraction) -> str:
    """3, 3/4, 2^-5, 13421773/2^27: powers of two as such once they are long."""
    power = v.denominator.bit_length() - 1
    if power <= 4 or v.denominator != 1 << power:
        return str(v)
    return f"2^-{power}" if v.numerator == 1 else f"{v.numerator}/2^{power}"


def show_list(items: tuple[object, ...], elide: bool) -> str:
    """`[1, 2, 0 * 30]`, or what a reader wants to know of a long one."""
    if elide and len(items) > _LONG and len(set(items)) > 1 and not isinstance(items[0], str):
        numbers = [item for item in items if isinstance(item, int | Fraction)]
        return f"<{len(items)} entries, {show(min(numbers))}..{show(max(numbers))}>"
    runs = [(show(item), len(list(run))) for item, run in groupby(items)]
    parts = [f"{text} * {n}" if n >= _RUN else ", ".join([text] * n) for text, n in runs]
    return f"[{', '.join(parts)}]"


def show_matrix(m: IntMatrix, elide: bool) -> str:
    """A list of rows, or what a reader wants to know of a long one."""
    if elide and m.array.size > _LONG:
        return f"<{m.rows} x {m.columns}, {m.type}>"
    rows: list[list[int]] = m.array.tolist()
    return f"[{', '.join(show_list(tuple(row), False) for row in rows)}]"


def show_record(
    v: object, elide: bool, given: Mapping[str, object], skip: tuple[str, ...] = ()
) -> str:
    """`{field = value, ...}` without the fields that the context gives, or that have a default."""
    parts = []
    for f in record_fields(type(v), skip):
        value = getattr(v, f.name)
        if value != given.get(f.name, f.default):
            parts.append(f"{f.name} = {show(value, elide, given)}")
    return f"{{{', '.join(parts)}}}"


def record_fields(kind: type, skip: tuple[str, ...] = ()) -> list[Field[Any]]:
    """The fields that stand in braces; operands stand in front of them."""
    assert is_dataclass(kind)
    return [f for f in fields(kind) if f.name not in (*skip, "xs")]
