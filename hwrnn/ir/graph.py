# SPDX-License-Identifier: Apache-2.0
"""A graph: a named, ordered tuple of ops. Nothing in it is ever changed in place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from hwrnn.errors import VerifyError
from hwrnn.ir.ops import AnyOp, Input, Output, Scan
from hwrnn.ir.types import IntType, Value

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

Rewrite = Callable[[AnyOp, Mapping[str, Value]], "AnyOp | tuple[AnyOp, ...]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A value that lives from step to step: what it starts as, and which value it becomes.

    `start`: the vector outside of the body as which it starts, instead of `initial`.
    """

    value: Value
    initial: tuple[int, ...]
    next: str
    start: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a Scan does in one step: inputs (the step of each sequence), states, ops."""

    inputs: tuple[Value, ...]
    states: tuple[State, ...]
    ops: tuple[AnyOp, ...]

    def scope(self) -> dict[str, Value]:
        """Every value of the body, by name."""
        ports = [*self.inputs, *(s.value for s in self.states)]
        return {v.name: v for v in [*ports, *(v for op in self.ops for v in op.outputs())]}

    def verify(self) -> None:
        """Raise VerifyError when a rule is broken."""
        ports = [*self.inputs, *(s.value for s in self.states)]
        scope = verify_ops(self.ops, ports)
        for state in self.states:
            verify_state(state, scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A network on integers. `name` is an identifier; `ops` are in an order of computation.

    `lowered` is the QONNX model from which it came, its cells as Scans: what an independent
    engine runs. It is no part of the graph's identity.
    """

    name: str
    ops: tuple[AnyOp, ...]
    lowered: bytes | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        from hwrnn.ir.printer import print_graph  # which needs Graph

        return print_graph(self, elide=True)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The Input ops, in order."""
        return tuple(op for op in self.ops if isinstance(op, Input))

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The Output ops, in order."""
        return tuple(op for op in self.ops if isinstance(op, Output))

    @property
    def scans(self) -> tuple[Scan, ...]:
        """The Scan ops, in order."""
        return tuple(op for op in self.ops if isinstance(op, Scan))

    def scope(self) -> dict[str, Value]:
        """Every value of the graph (not those of Scan bodies), by name."""
        return {v.name: v for op in self.ops for v in op.outputs()}

    def verify(self) -> Graph:
        """Return the graph itself, or raise VerifyError naming the first op that breaks a rule."""
        verify_ops(self.ops, [])
        if not self.inputs or not self.outputs:
            raise VerifyError(self.name, "a graph has at least one input and one output")
        return self

    def rewrite(self, kind: type[AnyOp], change: Rewrite) -> Graph:
        """This graph with `change(op, scope)` in place of every op of `kind`, bodies included.

        `change` returns an op, or a tuple of ops that together make the same values.
        """
        return replace(self, ops=rewrite_ops(self.ops, kind, change, {}))


def rewrite_ops(
    ops: tuple[AnyOp, ...], kind: type[AnyOp], change: Rewrite, ports: Mapping[str, Value]
) -> tuple[AnyOp, ...]:
    """`ops` with `change` applied to those of `kind`, at every depth."""
    scope = dict(ports)
    done: list[AnyOp] = []
    for old in ops:
        op = old
        if isinstance(old, Scan):
            body = old.body
            inner = {v.name: v for v in [*body.inputs, *(s.value for s in body.states)]}
            new_ops = rewrite_ops(body.ops, kind, change, inner)
            op = replace(old, body=replace(body, ops=new_ops))
        made = change(op, scope) if isinstance(op, kind) else op
        for new in made if isinstance(made, tuple) else (made,):
            done.append(new)
            scope.update({v.name: v for v in new.outputs()})
    return tuple(done)


def walk(ops: tuple[AnyOp, ...]) -> Iterator[AnyOp]:
    """Every op, those of Scan bodies after the Scan itself."""
    for op in ops:
        yield op
        if isinstance(op, Scan):
            yield from walk(op.body.ops)


def verify_ops(ops: tuple[AnyOp, ...], ports: list[Value]) -> dict[str, Value]:
    """Check names, order and the rules of each op; returns the scope after the last."""
    scope: dict[str, Value] = {}
    for port in ports:
        define(port, scope)
    for op in ops:
        for name in op.operands():
            if name not in scope:
                fact = f"reads %{name}, which nothing before it makes"
                raise VerifyError(f"%{op.out.name}", fact)
        op.verify(scope)
        for v in op.outputs():
            define(v, scope)
    return scope


def define(v: Value, scope: dict[str, Value]) -> None:
    """Add a value to the scope, refusing a bad or taken name."""
    if not NAME.fullmatch(v.name):
        raise VerifyError(f"%{v.name}", "a name is a letter, then letters, digits and _, up to 64")
    if v.name in scope:
        raise VerifyError(f"%{v.name}", "is made twice")
    if v.size < 1:
        raise VerifyError(f"%{v.name}", f"has {v.size} elements")
    scope[v.name] = v


def verify_state(state: State, scope: Mapping[str, Value]) -> None:
    """A state starts in its range, and its next value has its size and fits its range."""
    v, place = state.value, f"%{state.value.name} (State)"
    if len(state.initial) != v.size or not v.type.covers(IntType(*extremes(state.initial))):
        raise VerifyError(place, f"the initial value does not fit {v}")
    if state.next not in scope:
        raise VerifyError(place, f"the body has no %{state.next}")
    after = scope[state.next]
    if after.size != v.size or not v.type.covers(after.type):
        raise VerifyError(place, f"the next value {after} does not fit {v}")


def extremes(values: tuple[int, ...]) -> tuple[int, int]:
    """Least and greatest."""
    return (min(values), max(values)) if values else (0, 0)
