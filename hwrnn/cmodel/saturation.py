# SPDX-License-Identifier: Apache-2.0
"""How often each quantiser's clamp is at work on given data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwrnn.cmodel.data import Inputs
from hwrnn.ir import Graph, Requant, walk

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturation:
    """`share` of the values of a quantiser lie beyond its range and were clamped."""

    quantiser: str
    share: float
    values: int

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON and tables."""
        return {"quantiser": self.quantiser, "saturated": self.share, "values": self.values}


def input_saturation(graph: Graph, x: Inputs | None) -> tuple[Saturation, ...]:
    """The share of real input values that the first quantiser clamps; nothing for integers."""
    port = graph.inputs[0]
    if x is None or len(graph.inputs) > 1:
        return ()
    real = np.asarray(x)
    if real.dtype.kind != "f" or not real.size:
        return ()
    known = port.quantiser
    scale, zero = np.array([float(s) for s in known.scale]), np.array(known.zero_point)
    v = np.moveaxis(real, port.axes.index("F"), -1) / scale + zero
    beyond = (v < port.out.type.lo - 0.5) | (v > port.out.type.hi + 0.5)
    share = float(beyond.mean())
    return (Saturation(quantiser=port.out.name, share=share, values=real.size),)


def saturation(graph: Graph, runs: Sequence[Mapping[str, Ints]]) -> tuple[Saturation, ...]:
    """The share of clamped values of every Requant, over runs of the plain C-model.

    It is a statistic: the value in front of the clamp is computed in float64.
    """
    found = []
    for op in walk(graph.ops):
        if not isinstance(op, Requant):
            continue
        ratio = np.array([float(r) for r in op.ratio])
        offset = np.array([float(o) for o in op.offset])
        low, high = op.out.type.lo - 0.5, op.out.type.hi + 0.5
        clamped = values = 0
        for run in runs:
            v = run[op.x] * ratio + offset
            clamped += int(((v < low) | (v > high)).sum())
            values += v.size
        share = clamped / values if values else 0.0
        found.append(Saturation(quantiser=op.out.name, share=share, values=values))
    return tuple(found)
