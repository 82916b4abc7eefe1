# SPDX-License-Identifier: Apache-2.0
"""Random engines with writable weights: every number of the model is drawn anew, and loaded.

`python tests/test_writable_engines.py 0 24` runs the seeds 0 to 23.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from random_engines import MAX_STEPS, Case, inputs, model, random_case
from rtl.bench import same

import hwrnn
from hwrnn.design.design import Design
from hwrnn.ir import AnyOp, Const, Graph, IntMatrix, Lut, MatVec, Requant
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import simulate_rtl
from hwrnn.transforms.realise import realise_requants
from hwrnn.transforms.roomy import power_of_two
from hwrnn.transforms.widen import widen


def declared(op: AnyOp, _: object) -> AnyOp:
    """A product whose weights may be all that their bits hold."""
    assert isinstance(op, MatVec)
    t = op.weights.type
    return replace(op, declared=of_bits(t.bits, signed=t.signed))


def retrained(graph: Graph, seed: int) -> Graph:
    """The graph with other weights, ratios, offsets, tables and constants."""
    rng = np.random.default_rng(seed)

    def ratio(op: Requant) -> tuple[Fraction, ...]:
        powers = all(map(power_of_two, op.ratio))
        factors = (
            2.0 ** rng.integers(-1, 2) if powers else rng.uniform(0.6, 1.8) for _ in op.ratio
        )
        return tuple(
            r * Fraction(float(np.float32(f))) for r, f in zip(op.ratio, factors, strict=True)
        )

    def other(op: AnyOp, _: object) -> AnyOp:
        match op:
            case MatVec():
                t = op.weights.type
                values = rng.integers(t.lo, t.hi + 1, op.weights.array.shape)
                return replace(op, weights=IntMatrix(values, t))
            case Requant():
                more = rng.integers(-40, 40, len(op.offset)).tolist()
                offset = tuple(o + Fraction(k, 16) for o, k in zip(op.offset, more, strict=True))
                return replace(op, ratio=ratio(op), offset=offset, realised=None)
            case Lut():
                return replace(op, table=tuple(rng.permutation(op.table).tolist()))
            case Const():
                t = op.out.type
                return replace(op, values=tuple(rng.integers(t.lo, t.hi + 1, op.out.size).tolist()))
        return op

    wide = widen(graph)
    for kind in (MatVec, Requant, Lut, Const):
        wide = wide.rewrite(kind, other)
    return realise_requants(wide).verify()


def writable(case: Case) -> Design:
    """The design of a case, with writable weights."""
    return hwrnn.build(
        case.graph,
        case.board,
        folding=case.folding,
        pipeline=case.pipeline,
        streams=case.streams,
        directions="shared" if case.directions == "shared" else "two",
        multipliers=case.multipliers,
        max_steps=MAX_STEPS if case.directions != "one" else None,
        writable_weights=True,
    )


def check(seed: int) -> str:
    """The image of another model makes the design compute it, in the cycles of the estimate."""
    case = random_case(seed)
    case = replace(case, graph=case.graph.rewrite(MatVec, declared))
    design = writable(case)
    other = replace(case, graph=retrained(case.graph, seed))
    sequences = inputs(case)
    writes = [(0, address, word) for address, word in hwrnn.weights(design, other.graph).words]
    found = simulate_rtl(design, sequences, writes=writes)
    same(found.outputs, model(other, sequences))
    assert found.cycles == hwrnn.estimate(design).cycles(list(case.lengths))
    return str(case)


@pytest.mark.needs_sim
@pytest.mark.parametrize("seed", [3, 6, 13])
def test_a_random_engine_takes_other_numbers(seed: int) -> None:
    """A GRU on ten streams, a cell that is element-wise, an RNN that both directions share."""
    check(seed)


if __name__ == "__main__":
    for number in range(*map(int, sys.argv[1:3])):
        sys.stdout.write(f"{number} {check(number)}\n")
