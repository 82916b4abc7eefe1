# SPDX-License-Identifier: Apache-2.0
"""Random engines with more ports: states that start from inputs, states that are returned.

`random_ports(seed)` opens the graph of `random_engines.random_case(seed)`: each state may start
with a vector from outside, a port of its own or a part of one that several share, of the state's
own range or behind a requantiser; each may be returned behind its last step, alone or stacked,
and its steps as a whole. `check` runs a case: every port of the RTL == the C-model, and every
cycle where the schedule says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from random import Random

from random_engines import Case, random_case
from rtl.graphs import ONE
from rtl.ports import check_ports, draw_ports, run_csim

import hwrnn
from hwrnn.design.design import Design
from hwrnn.ir import (
    AnyOp,
    Concat,
    Graph,
    Input,
    IntType,
    Output,
    OutputGrid,
    Quantiser,
    Requant,
    Scan,
    ScanOutput,
    Select,
    Slice,
    Value,
)
from hwrnn.transforms.realise import realise_requants

NAMES = ("h0", "H0", "h__0", "state", "out", "tdata_", "x_tdata")  # of inputs, some alike
MOST_STREAMS = 5


@dataclass
class Opener:
    """Collects the ops that stand in front of the layers, behind them, and at the end."""

    rng: Random
    before: list[AnyOp] = field(default_factory=list)
    ends: list[Output] = field(default_factory=list)
    waiting: list[Value] = field(default_factory=list)  # vectors that will be stacked
    ports: int = 0
    made: int = 0

    def name(self, hint: str) -> str:
        self.made += 1
        return f"{hint}_{self.made}_"

    def input(self, t: IntType, size: int, stacked: int = 1) -> Value:
        """A further input."""
        names = [*NAMES, *(f"v{k}" for k in range(self.ports))]
        out = Value(name=names[self.ports], type=t, size=size)
        self.ports += 1
        axes = ("S", "B", "F") if stacked > 1 else ("B", "F")
        quantiser = Quantiser(scale=ONE, type=t)
        self.before.append(Input(out=out, quantiser=quantiser, axes=axes, stacked=stacked))
        return out

    def choose(self, scans: Sequence[Scan]) -> dict[tuple[str, str], str]:
        """Where states of the layers start, by layer and state; those of several may share one
        input.
        """
        chosen = [
            (scan.out.name, s.value)
            for scan in scans
            for s in scan.body.states
            if self.rng.random() < 0.7
        ]
        together = [v for v in chosen if self.rng.random() < 0.6]
        pool = together if len(together) > 1 and self.rng.random() < 0.6 else []
        alone = [v for v in chosen if v not in pool]
        starts = [self.start(v) for _, v in alone] + self.parts([v for _, v in pool])
        return {
            (layer, v.name): start.name
            for (layer, v), start in zip((*alone, *pool), starts, strict=True)
        }

    def start(self, state: Value) -> Value:
        """A vector for one state."""
        if self.rng.random() < 0.3:
            wide = self.input(IntType(-100, 90), state.size)
            out = replace(state, name=self.name("q"))
            ratio = (Fraction(self.rng.randint(1, 60), 30) * state.type.levels / 190,)
            self.before.append(Requant(out=out, x=wide.name, ratio=ratio, offset=(Fraction(1, 3),)))
            return out
        narrow = IntType(max(state.type.lo, -2), min(state.type.hi, 5))
        return self.input(state.type if self.rng.random() < 0.7 else narrow, state.size)

    def parts(self, values: Sequence[Value]) -> list[Value]:
        """Parts of one vector, for all these states."""
        if not values:
            return []
        t = IntType(max(v.type.lo for v in values), min(v.type.hi for v in values))
        size = sum(v.size for v in values)
        alike = len({v.size for v in values}) == 1
        whole = self.input(t, size, len(values) if alike else 1)
        found, at = [], 0
        for v in values:
            found.append(replace(v, name=self.name("part"), type=t))
            self.before.append(Slice(out=found[-1], x=whole.name, start=at))
            at += v.size
        return found

    def returned(self, scan: Scan) -> tuple[Scan, list[AnyOp]]:
        """The layer with outputs for some of its states, and what takes their last steps."""
        inner, outs = scan.body.scope(), list(scan.outs)
        behind: list[AnyOp] = []
        for state in scan.body.states:
            if self.rng.random() < 0.3:
                continue
            made = replace(inner[state.next], name=self.name("steps"), sequence=True)
            outs.append(ScanOutput(out=made, body_value=state.next))
            if self.rng.random() < 0.15:
                self.give(made)
                continue
            last = replace(made, name=self.name("last"), sequence=False)
            behind.append(Select(out=last, x=made.name))
            if self.rng.random() < 0.4:
                self.waiting.append(last)
            else:
                self.give(last)
        return replace(scan, outs=tuple(outs)), behind

    def give(self, x: Value) -> None:
        """A further output."""
        out = replace(x, name=f"r{len(self.ends)}")
        axes = ("B", "T", "F") if x.sequence else ("B", "F")
        self.ends.append(Output(out=out, x=x.name, grid=OutputGrid(scale=ONE), axes=axes))

    def stacked(self) -> list[AnyOp]:
        """The vectors that are returned as one."""
        if not self.waiting:
            return []
        t = self.waiting[0].type
        for v in self.waiting[1:]:
            t = t.hull(v.type)
        out = Value(name=self.name("stack"), type=t, size=sum(v.size for v in self.waiting))
        self.give(out)
        return [Concat(out=out, xs=tuple(v.name for v in self.waiting))]


def opened(graph: Graph, seed: int) -> Graph:
    """The graph with more inputs and outputs."""
    opener = Opener(Random(seed))
    starts = opener.choose(graph.scans)
    first, *rest = graph.ops
    ops: list[AnyOp] = []
    ends: list[AnyOp] = []
    for op in rest:
        if isinstance(op, Scan):
            states = tuple(
                replace(s, start=starts.get((op.out.name, s.value.name))) for s in op.body.states
            )
            opening = replace(op, body=replace(op.body, states=states))
            scan, behind = opener.returned(opening)
            ops += [scan, *behind]
        elif isinstance(op, Output):
            ends.append(op)
        else:
            ops.append(op)
    stacked = opener.stacked()
    made = (first, *opener.before, *ops, *stacked, *ends, *opener.ends)
    return realise_requants(replace(graph, ops=made)).verify()


def random_ports(seed: int) -> tuple[Case, Design]:
    """A case with several ports, and its design."""
    case = random_case(seed)
    directions = "two" if case.directions == "shared" else case.directions
    case = replace(
        case,
        graph=opened(case.graph, seed),
        directions=directions,
        streams=min(case.streams, MOST_STREAMS),
        lengths=case.lengths[: 2 * MOST_STREAMS],
    )
    return case, design_of(case)


def design_of(case: Case) -> Design:
    """The hardware of a case."""
    return hwrnn.build(
        case.graph,
        case.board,
        folding=case.folding,
        pipeline=case.pipeline,
        streams=case.streams,
        multipliers=case.multipliers,
        max_steps=max(case.lengths),
    )


def check(seed: int, engine: str = "rtl") -> dict[str, object]:
    """Every port of a case == the C-model; the facts by which the sweep counts."""
    case, design = random_ports(seed)
    data = draw_ports(design, case.lengths, seed)
    values = check_ports(design, data) if engine == "rtl" else run_csim(design, data)
    return {
        "cells": list(case.cells),
        "inputs": len(design.sources),
        "outputs": len(design.sinks),
        "streams": design.streams,
        "values": values,
    }


def all_states(graph: Graph) -> Graph:
    """The graph with all states as inputs h0 and c0 and as outputs hn and cn; of several layers
    stacked, layer after layer.
    """
    scans = graph.scans
    before: list[AnyOp] = []
    ends: list[AnyOp] = []
    opening = {scan.out.name: scan for scan in scans}
    for k, role in enumerate("hc"[: len(scans[0].body.states)]):
        values = [scan.body.states[k].value for scan in scans]
        starts, ops = started(role, values)
        before += ops
        lasts: list[Value] = []
        for scan, start in zip(scans, starts, strict=True):
            now = opening[scan.out.name]
            state = now.body.states[k]
            made = now.body.scope()[state.next]
            steps = replace(made, name=f"{scan.out.name}_{role}_steps", sequence=True)
            lasts.append(replace(made, name=f"{scan.out.name}_{role}_last"))
            ends.append(Select(out=lasts[-1], x=steps.name))
            first = replace(state, start=start.name, initial=(0,) * state.value.size)
            states = tuple(first if s is state else s for s in now.body.states)
            outs = (*now.outs, ScanOutput(out=steps, body_value=state.next))
            body = replace(now.body, states=states)
            opening[scan.out.name] = replace(now, body=body, outs=outs)
        ends += ended(role, lasts)
    first_op, *rest = graph.ops
    changed = [opening[op.out.name] if isinstance(op, Scan) else op for op in rest]
    return replace(graph, ops=(first_op, *before, *changed, *ends)).verify()


def started(role: str, values: Sequence[Value]) -> tuple[list[Value], list[AnyOp]]:
    """The vectors with which states of one role start, and the ops that make them."""
    size, t = sum(v.size for v in values), values[0].type
    port = Value(name=f"{role}0", type=t, size=size)
    axes = ("S", "B", "F") if len(values) > 1 else ("B", "F")
    quantiser = Quantiser(scale=ONE, type=t)
    ops: list[AnyOp] = [Input(out=port, quantiser=quantiser, axes=axes, stacked=len(values))]
    if len(values) == 1:
        return [port], ops
    parts = [replace(v, name=f"{role}0_{k}") for k, v in enumerate(values)]
    ops += [Slice(out=p, x=port.name, start=k * p.size) for k, p in enumerate(parts)]
    return parts, ops


def ended(role: str, lasts: Sequence[Value]) -> list[AnyOp]:
    """The output of the last states of one role."""
    whole = replace(lasts[0], name=f"{role}_stacked", size=sum(v.size for v in lasts))
    made = whole if len(lasts) > 1 else lasts[0]
    axes = ("S", "B", "F") if len(lasts) > 1 else ("B", "F")
    out = Output(
        out=replace(made, name=f"{role}n"),
        x=made.name,
        grid=OutputGrid(scale=ONE),
        axes=axes,
        stacked=len(lasts),
    )
    stack: list[AnyOp] = [Concat(out=whole, xs=tuple(v.name for v in lasts))]
    return [*(stack if len(lasts) > 1 else []), out]
