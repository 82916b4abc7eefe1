# SPDX-License-Identifier: Apache-2.0
"""Where an engine goes wrong: its internal values are led to the output, one after the other.

Hardware shows only its outputs. Of a network whose output differs, ever larger beginnings are
built and run, each with another internal value as its output, in the order of computation, until
one differs. It is slow, and only done for a sequence that is known to differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hwrnn.ir import (
    AnyOp,
    Const,
    Flatten,
    Graph,
    Input,
    Output,
    OutputGrid,
    Scan,
    ScanOutput,
    Value,
)
from hwrnn.transforms.clean import drop_dead

Ints = NDArray[np.int64]
RunOne = Callable[[Graph, Ints], Ints]  # a graph and a sequence (steps, F) -> (steps or 1, F)


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalDifference:
    """The first internal value on which an engine and the plain C-model differ."""

    layer: str
    value: str
    step: int | None
    unit: int
    expected: int
    got: int

    def __str__(self) -> str:
        at = "" if self.step is None else f"step {self.step}, "
        return (
            f"layer {self.layer}, %{self.value}, {at}unit {self.unit}: "
            f"expected {self.expected}, got {self.got}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A beginning of a graph whose output is one of its internal values."""

    layer: str
    value: str
    graph: Graph


def locate(
    graph: Graph, sequence: Ints, exact: Mapping[str, Ints], run: RunOne
) -> InternalDifference | None:
    """Run the probes in turn until one differs.

    exact: the plain C-model's values of this one sequence, (steps, 1, F) or (1, F).
    """
    for probe in probes(graph):
        want = exact[probe.value]
        want = want[:, 0] if want.ndim == 3 else want
        got = run(probe.graph, sequence)
        if np.array_equal(want, got):
            continue
        at = tuple(int(k) for k in np.argwhere(want != got)[0])
        return InternalDifference(
            layer=probe.layer,
            value=probe.value,
            step=at[0] if probe.graph.outputs[0].out.sequence else None,
            unit=at[1],
            expected=int(want[at]),
            got=int(got[at]),
        )
    return None


def probes(graph: Graph) -> Iterator[Probe]:
    """Every internal value that hardware computes, in the order of computation."""
    for k, op in enumerate(graph.ops):
        before = graph.ops[:k]
        if isinstance(op, Scan):
            for inner in op.body.ops:
                if not isinstance(inner, Const):
                    shown = with_output(op, inner.out)
                    yield probe(graph, (*before, shown), op.out.name, inner.out.name)
        elif not isinstance(op, Input | Output | Const | Flatten):
            yield probe(graph, (*before, op), op.out.name, op.out.name)


def with_output(op: Scan, inner: Value) -> Scan:
    """The Scan under its own name, giving another of its values."""
    out = replace(inner, name=op.out.name, sequence=True)
    return replace(op, outs=(ScanOutput(out=out, body_value=inner.name),))


def probe(graph: Graph, ops: tuple[AnyOp, ...], layer: str, value: str) -> Probe:
    """The ops with their last result as output."""
    last = ops[-1].out
    axes = ("B", "T", "F") if last.sequence else ("B", "F")
    out = Output(
        out=replace(last, name="probed"),
        x=last.name,
        grid=OutputGrid(scale=(Fraction(1),)),
        axes=axes,
    )
    made = drop_dead(Graph(name=graph.name, ops=(*ops, out))).verify()
    return Probe(layer=layer, value=value, graph=made)
