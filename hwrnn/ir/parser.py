# SPDX-License-Identifier: Apache-2.0
"""A graph from its text; the grammar is in `hwrnn.ir.text`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from enum import Enum
from fractions import Fraction
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hwrnn.ir import ops as basic_ops
from hwrnn.ir import sequence_ops
from hwrnn.ir.graph import Body, Graph, State
from hwrnn.ir.lexer import Cursor, known, unquoted
from hwrnn.ir.ops import AnyOp, Op, Scan, ScanOutput
from hwrnn.ir.printer import OPERANDS, record_fields
from hwrnn.ir.requant import Realisation, ScaleShift, Thresholds
from hwrnn.ir.types import IntMatrix, IntType, Value

KINDS: dict[str, type[Op]] = {
    kind.__name__.lower(): kind
    for kind in [*vars(basic_ops).values(), *vars(sequence_ops).values()]
    if isinstance(kind, type) and issubclass(kind, Op) and not kind.__name__.startswith("_")
    if kind is not Op
}
OP_NAMES = [*KINDS, "scan"]
REALISATIONS: dict[str, type[Realisation]] = {
    "shift": ScaleShift,
    "scale": ScaleShift,
    "thresholds": Thresholds,
}
_MOST = 1 << 24  # entries that one repetition may stand for


def parse_graph(text: str) -> Graph:
    """The graph that the text says, not yet verified. Raises VerifyError with line and column."""
    c = Cursor(text)
    c.expect("graph", "a text starts with: graph name {")
    name = read_text(c)
    c.expect("{")
    ops = parse_ops(c)
    c.expect("}", "after the ops; one op is: %name: lo..hi x size = kind %operand {fields}")
    if not c.sees_kind("end"):
        c.wanted("the end", "a text holds one graph")
    return Graph(name=name, ops=ops)


def parse_ops(c: Cursor) -> tuple[AnyOp, ...]:
    """All ops up to something else."""
    ops: list[AnyOp] = []
    while c.sees_kind("value"):
        ops.append(parse_op(c))
    return tuple(ops)


def parse_op(c: Cursor) -> AnyOp:
    """One op, with the values that it makes."""
    outs = [parse_value(c)]
    while c.accept(","):
        outs.append(parse_value(c))
    c.expect("=")
    kind = c.take("word", "the kind of the op", f"known: {', '.join(OP_NAMES)}")
    if kind == "scan":
        return parse_scan(c, outs)
    if kind not in KINDS:
        c.fail(f'"{kind}" is no op', known(kind, OP_NAMES))
    if len(outs) > 1:
        c.fail(f"{kind} makes one value, not {len(outs)}", "only a scan makes more")
    return parse_plain(c, KINDS[kind], outs[0])


def parse_plain(c: Cursor, kind: type[Op], out: Value) -> Op:
    """Operands and fields of any op but a Scan."""
    at = c.tokens[c.index - 1].at
    names = parse_names(c)
    hints = get_type_hints(kind)
    operands: dict[str, object] = {}
    if "xs" in hints:
        operands["xs"] = names
    else:
        slots = [name for name in OPERANDS if name in hints]
        if len(slots) != len(names):
            c.fail(f"{kind.__name__.lower()} reads {len(slots)} values, not {len(names)}", at=at)
        operands |= zip(slots, names, strict=True)
    op: Op = read_record(c, kind, {"out": out, "type": out.type}, operands)
    return op


def parse_names(c: Cursor) -> tuple[str, ...]:
    """`%a, %b`; may be empty."""
    names: list[str] = []
    while c.sees_kind("value"):
        names.append(c.name())
        if not c.accept(","):
            break
    return tuple(names)


def parse_scan(c: Cursor, outs: list[Value]) -> Scan:
    """A Scan after its keyword."""
    xs = parse_names(c)
    c.expect("{", "the body of a scan stands in braces")
    inputs: list[Value] = []
    while c.accept("input"):
        inputs.append(parse_value(c))
    states: list[State] = []
    while c.accept("state"):
        states.append(parse_state(c))
    ops = parse_ops(c)
    c.expect("yield", "a body is: inputs, states, ops, and last yield %name, ...")
    names = parse_names(c)
    if len(names) != len(outs):
        c.fail(f"the scan yields {len(names)} values and makes {len(outs)}")
    c.expect("}")
    made = [ScanOutput(out=o, body_value=n) for o, n in zip(outs, names, strict=True)]
    body = Body(inputs=tuple(inputs), states=tuple(states), ops=ops)
    return Scan(xs=xs, body=body, outs=tuple(made))


def parse_state(c: Cursor) -> State:
    """A state after its keyword."""
    value = parse_value(c)
    hint = "a state is: state %h: lo..hi x size = initial [0] -> %next"
    c.expect("=", hint)
    c.expect("initial", hint)
    start = c.name() if c.sees_kind("value") else None
    zero = (value.type.clamp(0),) * value.size
    initial = read(c, tuple[int, ...], {}) if start is None else zero
    c.expect("->", hint)
    return State(value=value, initial=initial, next=c.name(), start=start)


def parse_value(c: Cursor) -> Value:
    """`%name: lo..hi x size`, perhaps `seq`."""
    name = c.name()
    hint = "a value is: %name: lo..hi x size, and seq for a sequence"
    c.expect(":", hint)
    t = read_int_type(c)
    c.expect("x", hint)
    size = c.integer()
    return Value(name=name, type=t, size=size, sequence=c.accept("seq"))


def read(c: Cursor, hint: Any, given: Mapping[str, object]) -> Any:  # noqa: ANN401 - by hint
    """A literal of the type that a field is annotated with."""
    if get_origin(hint) is tuple:
        return read_list(c, get_args(hint)[0])
    if isinstance(hint, UnionType):
        options = [kind for kind in get_args(hint) if kind is not NoneType]
        return read(c, options[0], given) if len(options) == 1 else read_realisation(c)
    if issubclass(hint, Enum):
        return read_choice(c, hint)
    reader = SCALARS.get(hint)
    return reader(c) if reader else read_record(c, hint, given, {})


def read_text(c: Cursor) -> str:
    """A word, a number taken as text, or anything in quotes."""
    if not c.sees_kind("word", "int", "string"):
        c.wanted("a word")
    return unquoted(c.next().text)


def read_int_type(c: Cursor) -> IntType:
    """`lo..hi`."""
    at = c.tokens[c.index].at
    lo = c.integer()
    c.expect("..", "a range is lo..hi, both included")
    hi = c.integer()
    return IntType(lo, hi) if lo <= hi else c.fail(f"{lo}..{hi} is an empty range", at=at)


def read_list(c: Cursor, item: Any) -> tuple[Any, ...]:  # noqa: ANN401 - by hint
    """`[a, b * 3]`, or one bare entry."""
    if not c.accept("["):
        return (read(c, item, {}),)
    items: list[Any] = []
    while not c.accept("]"):
        entry = read(c, item, {})
        items += [entry] * (read_count(c) if c.accept("*") else 1)
        if not c.sees("]"):
            c.expect(",", "entries are separated by commas")
    return tuple(items)


def read_count(c: Cursor) -> int:
    """How often an entry is repeated."""
    count = c.integer()
    if not 1 <= count <= _MOST:
        c.fail(f"an entry cannot be repeated {count} times", f"from 1 to {_MOST} times")
    return count


def read_matrix(c: Cursor) -> IntMatrix:
    """`[[1, 2], [3, 4]]`."""
    at = c.tokens[c.index].at
    rows = read_list(c, tuple[int, ...])
    lengths = sorted({len(row) for row in rows})
    if len(lengths) != 1:
        c.fail(f"the rows of a matrix have {lengths} entries", "a matrix is [[1, 2], [3, 4]]", at)
    wide = [v for row in rows for v in row if not -(2**63) <= v < 2**63]
    return IntMatrix(rows) if not wide else c.fail(f"{wide[0]} is no 64-bit number", at=at)


def read_choice(c: Cursor, kind: type[Enum]) -> Enum:
    """One of an enumeration's words."""
    words = [str(member.value) for member in kind]
    word = c.take("word", f"one of {', '.join(words)}")
    if word not in words:
        c.fail(f'"{word}" is no {kind.__name__}', known(word, words))
    return kind(word)


def read_realisation(c: Cursor) -> Realisation:
    """`shift {...}`, `scale {...}` or `thresholds {...}`."""
    word = c.take("word", "a realisation", f"known: {', '.join(REALISATIONS)}")
    if word not in REALISATIONS:
        c.fail(f'"{word}" is no realisation', known(word, [*REALISATIONS]))
    made: Realisation = read_record(c, REALISATIONS[word], {}, {})
    return made


def read_record(
    c: Cursor, kind: type[Any], given: Mapping[str, object], found: dict[str, object]
) -> Any:  # noqa: ANN401 - an instance of kind
    """`{field = value, ...}` and what is `found` already as an instance of a dataclass."""
    hints = get_type_hints(kind)
    names = [f.name for f in record_fields(kind, (*found, "out"))]
    start, values = c.tokens[max(0, c.index - 1)].at, dict(found)
    if c.accept("{"):
        while not c.accept("}"):
            name = c.take("word", "the name of a field", known("", names))
            if name not in names:
                c.fail(f'{kind.__name__} has no field "{name}"', known(name, names))
            if name in values:
                c.fail(f'"{name}" is given twice')
            c.expect("=", f"a field is: {name} = value")
            values[name] = read(c, hints[name], given)
            if not c.sees("}"):
                c.expect(",", "fields are separated by commas")
    for f in record_fields(kind):
        if f.name not in values and f.name in given:
            values[f.name] = given[f.name]
        elif f.name not in values and f.default is MISSING:
            hint = f"its fields: {', '.join(names)}"
            c.fail(f'{kind.__name__} needs a field "{f.name}"', hint, start)
    return kind(**values)


SCALARS = {
    int: Cursor.integer,
    Fraction: Cursor.rational,
    str: read_text,
    IntType: read_int_type,
    IntMatrix: read_matrix,
}
