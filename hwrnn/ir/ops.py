# SPDX-License-Identifier: Apache-2.0
"""The ops of the integer graph. Each states its meaning in a line and checks its own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NoReturn

from hwrnn.errors import VerifyError
from hwrnn.ir.quantiser import OutputGrid, Quantiser
from hwrnn.ir.requant import Realisation, Thresholds
from hwrnn.ir.rounding import Rounding
from hwrnn.ir.types import IntMatrix, IntType, Rationals, Value

if TYPE_CHECKING:
    from hwrnn.ir.graph import Body

Scope = Mapping[str, Value]


class Step(Enum):
    """Which step of a sequence is taken."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """What every op has: the value that it makes. Operands are names of earlier values."""

    out: Value

    def operands(self) -> tuple[str, ...]:
        """The names that this op reads, in order."""
        raise NotImplementedError

    def outputs(self) -> tuple[Value, ...]:
        """The values that this op makes."""
        return (self.out,)

    def verify(self, scope: Scope) -> None:
        """Raise VerifyError when a rule of the op is broken; `scope` holds the operands."""
        raise NotImplementedError


INPUT_AXES = (["B", "F", "T"], ["B", "F"], ["B", "F", "S"], ["B", "T"], ["F", "T"], ["T"])
"""What an input may have, sorted; one sequence alone has no batch, single numbers no features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input(Op):
    """A vector that comes from the host, already quantised by `quantiser`.

    `axes` is the order in which the model takes them. `example_steps` is the number of steps of
    the example with which the model was exported: a hint, not a property of the graph.
    Initial states are vectors; an axis S holds those of `stacked` layers and directions, and a
    vector has their features one after the other.
    """

    quantiser: Quantiser
    axes: tuple[str, ...]
    example_steps: int | None = None
    stacked: int = 1

    def operands(self) -> tuple[str, ...]:
        return ()

    def verify(self, scope: Scope) -> None:  # noqa: ARG002 - it reads nothing
        need(self, self.out.type == self.quantiser.type, "type and quantiser differ")
        need(self, len(self.quantiser.scale) in (1, self.out.size), "one scale, or one a feature")
        axes = sorted(a for a in self.axes if a != "1")
        need(self, axes in INPUT_AXES, "axes are B, T and F")
        need(self, self.out.sequence == ("T" in axes), "a sequence has an axis T")
        need(self, self.out.size % self.stacked == 0, f"no {self.stacked} states of one size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Const(Op):
    """A vector of integers that never changes.

    `declared`: the range of the quantiser from which they come.
    """

    values: tuple[int, ...]
    declared: IntType | None = None

    def operands(self) -> tuple[str, ...]:
        return ()

    def verify(self, scope: Scope) -> None:  # noqa: ARG002 - it reads nothing
        need(self, len(self.values) == self.out.size, "as many values as elements")
        for v in self.values:
            need(self, self.out.type.lo <= v <= self.out.type.hi, f"{v} is out of {self.out.type}")
            if self.declared is not None:
                need(self, self.declared.clamp(v) == v, f"{v} is out of {self.declared}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatVec(Op):
    """Exact product, row by row: y[r] = sum_k w[r][k] * x[k]. Never rounds, never wraps.

    `declared`: the range of the weights' quantiser, which training may use; only hardware whose
    weights are writable has to hold all of it.
    """

    x: str
    weights: IntMatrix
    declared: IntType | None = None

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        need(self, self.weights.columns == x.size, f"{self.weights.columns} columns, x {x.size}")
        need(self, self.weights.rows == self.out.size, f"{self.weights.rows} rows")
        same_rate(self, scope)
        known = self.weights.type
        if self.declared is not None and not self.declared.covers(known):
            fail(self, f"its weights {known} are beyond what it declares, {self.declared}")
        reach = self.weights.range_of_product(x.type)
        if not self.out.type.covers(reach):
            fail(
                self,
                f"accumulator {self.out.type} is too narrow: these weights need {reach}",
                hint="run narrow_accumulators, or widen it by hand",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair(Op):
    """An element-wise op of two vectors of one size."""

    a: str
    b: str

    def operands(self) -> tuple[str, ...]:
        return (self.a, self.b)

    def reach(self, a: IntType, b: IntType) -> IntType:
        """The range of the result."""
        raise NotImplementedError

    def verify(self, scope: Scope) -> None:
        a, b = scope[self.a], scope[self.b]
        need(self, a.size == b.size == self.out.size, f"sizes {a.size} and {b.size}")
        same_rate(self, scope)
        reach = self.reach(a.type, b.type)
        need(self, self.out.type.covers(reach), f"{self.out.type} does not hold {reach}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(_Pair):
    """y = a + b, exactly."""

    def reach(self, a: IntType, b: IntType) -> IntType:
        return IntType(a.lo + b.lo, a.hi + b.hi)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sub(_Pair):
    """y = a - b, exactly."""

    def reach(self, a: IntType, b: IntType) -> IntType:
        return IntType(a.lo - b.hi, a.hi - b.lo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mul(_Pair):
    """y = a * b, element by element, exactly."""

    def reach(self, a: IntType, b: IntType) -> IntType:
        ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        return IntType(min(ends), max(ends))


@dataclass(frozen=True, slots=True, kw_only=True)
class Max(_Pair):
    """y = the larger of a and b, element by element."""

    def reach(self, a: IntType, b: IntType) -> IntType:
        return IntType(max(a.lo, b.lo), max(a.hi, b.hi))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requant(Op):
    """y = clamp(round(ratio * x + offset)): one exact rounding, then the clamp to y's range.

    `ratio` and `offset` hold one rational, or one for each channel; ratios are positive.
    `realised` says how the hardware computes it; it is proved equal before it is set.
    """

    x: str
    ratio: Rationals
    offset: Rationals
    rounding: Rounding = Rounding.HALF_EVEN
    realised: Realisation | None = None

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        need(self, scope[self.x].size == self.out.size, "x and y differ in size")
        same_rate(self, scope)
        for field in (self.ratio, self.offset):
            need(self, len(field) in (1, self.out.size), "one rational, or one a channel")
        need(self, all(r > 0 for r in self.ratio), "a ratio is positive")
        if self.realised is not None:
            channels = self.realised.channels
            need(self, channels in (1, self.out.size), f"realised for {channels} channels")
            if isinstance(self.realised, Thresholds):
                n = self.realised.table.columns
                need(self, n == self.out.type.levels - 1, f"{n} thresholds for {self.out.type}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lut(Op):
    """y = table[x - lo], where lo is the low end of x's range."""

    x: str
    table: tuple[int, ...]

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        need(self, x.size == self.out.size, "x and y differ in size")
        same_rate(self, scope)
        need(self, len(self.table) == x.type.levels, f"{len(self.table)} entries for {x.type}")
        reach = IntType(min(self.table), max(self.table))
        need(self, self.out.type.covers(reach), f"{self.out.type} does not hold {reach}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat(Op):
    """The elements of all operands, one after the other."""

    xs: tuple[str, ...]

    def operands(self) -> tuple[str, ...]:
        return self.xs

    def verify(self, scope: Scope) -> None:
        need(self, sum(scope[x].size for x in self.xs) == self.out.size, "sizes do not add up")
        same_rate(self, scope)
        for x in self.xs:
            need(self, self.out.type.covers(scope[x].type), f"{self.out.type} does not hold %{x}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Op):
    """Elements start .. start + size of x."""

    x: str
    start: int

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        need(self, 0 <= self.start <= x.size - self.out.size, f"out of the {x.size} elements")
        same_rate(self, scope)
        need(self, self.out.type.covers(x.type), f"{self.out.type} does not hold {x.type}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(Op):
    """The first or the last step of a sequence."""

    x: str
    step: Step = Step.LAST

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        need(self, x.sequence and not self.out.sequence, "takes a sequence, gives one vector")
        need(self, (x.size, x.type) == (self.out.size, self.out.type), "size and type stay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten(Op):
    """All steps of a sequence of exactly `steps` steps as one vector, step after step."""

    x: str
    steps: int

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        need(self, x.sequence and not self.out.sequence, "takes a sequence, gives one vector")
        need(self, x.size * self.steps == self.out.size, f"{self.steps} steps of {x.size}")
        need(self, x.type == self.out.type, "the type stays")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse(Op):
    """The steps of a sequence, last step first."""

    x: str

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        need(self, x.sequence and self.out.sequence, "takes and gives a sequence")
        need(self, (x.size, x.type) == (self.out.size, self.out.type), "size and type stay")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOutput:
    """A sequence that a Scan makes: the body's value of that name, step by step."""

    out: Value
    body_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Runs `body` once for each step, in order; the states carry over from step to step.

    The body's inputs take the steps of `xs`, in the same order. A state may start as a vector
    from outside of the body.
    """

    xs: tuple[str, ...]
    body: Body
    outs: tuple[ScanOutput, ...]

    def operands(self) -> tuple[str, ...]:
        """The names that this op reads, in order."""
        return (*self.xs, *(s.start for s in self.body.states if s.start is not None))

    def outputs(self) -> tuple[Value, ...]:
        """The values that this op makes."""
        return tuple(o.out for o in self.outs)

    @property
    def out(self) -> Value:
        """The first output, by which the op is named."""
        return self.outs[0].out

    def verify(self, scope: Scope) -> None:
        """Raise VerifyError when a rule of the op, or of its body, is broken."""
        self.body.verify()
        inner = self.body.scope()
        need(self, len(self.xs) == len(self.body.inputs), "as many operands as body inputs")
        for x, port in zip(self.xs, self.body.inputs, strict=True):
            outer = scope[x]
            need(self, outer.sequence, f"%{x} is not a sequence")
            need(self, (outer.size, outer.type) == (port.size, port.type), f"%{x} and %{port.name}")
        for s in self.body.states:
            if s.start is not None:
                start = scope[s.start]
                need(self, not start.sequence, f"%{s.value.name} starts as a sequence")
                need(self, start.size == s.value.size, f"%{s.value.name} has another size")
                need(self, s.value.type.covers(start.type), f"%{s.value.name} does not hold it")
        for o in self.outs:
            need(self, o.body_value in inner, f"the body has no %{o.body_value}")
            made = inner[o.body_value]
            need(self, o.out.sequence, f"%{o.out.name} is not a sequence")
            need(self, (made.size, made.type) == (o.out.size, o.out.type), f"%{o.out.name} differs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Op):
    """What the network returns: the integers of x; `grid` gives their real values.

    With an axis S it is the last states of `stacked` layers and directions, as in Input.
    """

    x: str
    grid: OutputGrid
    axes: tuple[str, ...]
    stacked: int = 1

    def operands(self) -> tuple[str, ...]:
        return (self.x,)

    def verify(self, scope: Scope) -> None:
        x = scope[self.x]
        need(self, (x.size, x.type, x.sequence) == shape(self.out), "x and the output differ")
        for field in (self.grid.scale, self.grid.offset):
            need(self, len(field) in (1, self.out.size), "one rational, or one an element")
        need(self, self.out.size % self.stacked == 0, f"no {self.stacked} states of one size")


AnyOp = Op | Scan


def shape(v: Value) -> tuple[int, IntType, bool]:
    """Everything of a value but its name."""
    return v.size, v.type, v.sequence


def same_rate(op: Op, scope: Scope) -> None:
    """All operands and the result are per step, or all are per sequence."""
    for name in op.operands():
        v = scope[name]
        need(op, v.sequence == op.out.sequence, f"%{v.name} and %{op.out.name} differ in rate")


def need(op: AnyOp, rule: bool, fact: str) -> None:
    """Raise VerifyError naming the op unless `rule` holds."""
    if not rule:
        fail(op, fact)


def fail(op: AnyOp, fact: str, hint: str = "") -> NoReturn:
    """Raise VerifyError naming the op."""
    raise VerifyError(f"%{op.out.name} ({type(op).__name__})", fact, hint)
