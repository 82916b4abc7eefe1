# SPDX-License-Identifier: Apache-2.0
"""Designs with several ports in tests: every port against the C-model, and against the schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from rtl.bench import STALLS, same

from hwrnn.cmodel.data import Batch
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import Design
from hwrnn.design.timing import schedule
from hwrnn.ir import Graph
from hwrnn.sim.engines import Run, run_ports
from hwrnn.sim.rtl import RtlResult, Stalls, simulate_rtl
from hwrnn.sim.rtl_beats import Ints


@dataclass(frozen=True)
class Data:
    """Sequences, each (steps, features), and for every further input a vector for each."""

    sequences: list[Ints]
    states: Mapping[str, list[Ints]]

    @property
    def lengths(self) -> list[int]:
        return [len(s) for s in self.sequences]


def draw_ports(design: Design, lengths: Sequence[int], seed: int = 0) -> Data:
    """Random numbers for every input, extremes included."""
    rng = np.random.default_rng([seed, 7])

    def draw(port: int, *shape: int) -> Ints:
        t = design.graph.inputs[port].out.type
        q = rng.integers(t.lo, t.hi + 1, shape)
        q.flat[0], q.flat[-1] = t.lo, t.hi
        return q

    first, *more = (k.out.features for k in design.sources)
    return Data(
        [draw(0, n, first) for n in lengths],
        {
            k.name: [draw(p, size) for _ in lengths]
            for p, (k, size) in enumerate(zip(design.sources[1:], more, strict=True), 1)
        },
    )


def reference_ports(graph: Graph, data: Data) -> dict[str, list[Ints]]:
    """What the plain C-model says of every output."""
    found: dict[str, list[Ints]] = {o.out.name: [] for o in graph.outputs}
    for k, x in enumerate(data.sequences):
        given = {graph.inputs[0].out.name: x[:, None]}
        given |= {name: rows[k][None] for name, rows in data.states.items()}
        values = run_plain(graph, given)
        for name, made in found.items():
            made.append(values[name][:, 0] if values[name].ndim == 3 else values[name])
    return found


def same_ports(got: Mapping[str, Sequence[Ints]], expected: Mapping[str, Sequence[Ints]]) -> None:
    assert list(got) == list(expected)
    for name, made in expected.items():
        same(got[name], made)


def on_time(design: Design, data: Data, run: RtlResult) -> None:
    """Every handshake of a run is where the schedule says, given what the ports offered."""

    def at(times: Mapping[str, list[int]]) -> dict[str, Callable[[int], int]]:
        return {name: found.__getitem__ for name, found in times.items()}

    made = schedule(design, data.lengths, offered=at(run.offered), taken=at(run.delivered))
    assert made.inputs == run.accepted
    assert made.outputs == run.delivered


def check_ports(
    design: Design,
    data: Data,
    stalls: Sequence[Stalls] = STALLS,
    driver: Literal["harness", "cocotb"] = "harness",
) -> int:
    """The outputs are right under all stalls, and no cycle differs from the schedule."""
    expected = reference_ports(design.graph, data)
    for stall in stalls:
        run = simulate_rtl(design, data.sequences, states=data.states, stalls=stall, driver=driver)
        same_ports(run.every, expected)
        assert not run.error
        on_time(design, data, run)
        if stall == Stalls():
            assert run.cycles == schedule(design, data.lengths).cycles
    return sum(q.size for made in expected.values() for q in made)


def run_csim(design: Design, data: Data) -> int:
    """The outputs of the C simulation are right."""
    expected = reference_ports(design.graph, data)
    steps = max(data.lengths)
    q = np.stack([np.resize(s, (steps, s.shape[1])) for s in data.sequences], axis=1)
    states = {name: np.stack(rows) for name, rows in data.states.items()}
    found, _ = run_ports(design, Batch(q, tuple(data.lengths), states), Run(engine="csim"))
    same_ports(found, expected)
    return sum(q.size for made in expected.values() for q in made)
