# SPDX-License-Identifier: Apache-2.0
"""Where a Brevitas module leaves exact arithmetic: the first value it rounds to another integer.

How large an error the module may have made before a rounding is a running error analysis: each
float32 operation adds at most u = 2**-24 of what it gives, so that n of them on top of each
other are off by at most n * u / (1 - n * u) times the sum of all magnitudes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf

import mpmath
import numpy as np
from numpy.typing import NDArray

from hwrnn.cmodel.plain import RULES
from hwrnn.ir import (
    Add,
    AnyOp,
    Concat,
    Const,
    Flatten,
    Graph,
    Input,
    Lut,
    MatVec,
    Mul,
    Output,
    Rationals,
    Requant,
    Reverse,
    Rounding,
    Scan,
    Select,
    Slice,
    Sub,
)
from hwrnn.ir.rounding import step_to
from hwrnn.sim.module_points import Cell, Curve, Network, Point

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Values = Mapping[str, Ints]

UNIT = 2.0**-24  # a float32 operation is off by at most this share of its result
SLACK = 1.001  # for the float64 in which bounds are computed
CURVE_ULPS = 8.0  # torch's sigmoid and tanh are within 4 units in the last place: 8 UNITs
LAYOUT = (Concat, Flatten, Reverse, Select, Slice)  # ops that move values and change none


@dataclass(frozen=True, slots=True)
class Place:
    """A value that the module rounds to another integer than exact arithmetic."""

    point: Point
    step: int | None
    unit: int
    exact: int
    module: int
    index: tuple[int, ...]


def first_place(network: Network, exact: Values, module: Values, sequence: int) -> Place | None:
    """The first value, in order of time, on which the module and exact arithmetic differ."""
    for stage in network.stages:
        points = stage.points if isinstance(stage, Cell) else (stage,)
        found = [p for p in (differing(q, exact, module, sequence) for q in points) if p]
        if not found:
            continue
        place = min(found, key=lambda p: p.index[0] if len(p.index) == 3 else 0)
        if isinstance(stage, Cell) and stage.reverse and place.step is not None:
            steps = len(exact[place.point.name])
            place = replace(place, step=steps - 1 - place.step)
        return place
    return None


def differing(point: Point, exact: Values, module: Values, sequence: int) -> Place | None:
    """The first step and unit of one point that differs."""
    a, b = exact[point.name], module[point.name]
    a, b = (a[:, sequence], b[:, sequence]) if a.ndim == 3 else (a[sequence], b[sequence])
    where = np.argwhere(a != b)
    if not len(where):
        return None
    at = tuple(int(k) for k in where[0])
    step = at[0] if a.ndim == 2 else None
    index = (at[0], sequence, at[1]) if a.ndim == 2 else (sequence, at[0])
    return Place(point, step, at[-1], int(a[at]), int(b[at]), index)


@dataclass(frozen=True, slots=True)
class Reach:
    """Sum of the magnitudes behind each element, and float32 operations on top of each other."""

    magnitude: Floats
    depth: int


def gamma(depth: int) -> float:
    """The relative error of `depth` roundings on top of each other."""
    return SLACK * depth * UNIT / (1 - depth * UNIT)


def reaches(graph: Graph, values: Values) -> dict[str, Reach]:
    """For each value what the module's float32 number may be off, in parts."""
    found: dict[str, Reach] = {}
    reach_ops(graph.ops, values, found)
    return found


def reach_at(graph: Graph, values: Values, name: str, index: tuple[int, ...]) -> tuple[float, int]:
    """Magnitude and depth of one element; its sequence is the last index but one."""
    sequence = index[-2]
    alone = {n: q[..., sequence : sequence + 1, :] for n, q in values.items()}
    reach = reaches(graph, alone)[name]
    return float(reach.magnitude[*index[:-2], 0, index[-1]]), reach.depth


def reach_ops(ops: Sequence[AnyOp], values: Values, found: dict[str, Reach]) -> None:
    """The ops in order; a Scan's body sees whole sequences."""
    for op in ops:
        if isinstance(op, Scan):
            for port, x in zip(op.body.inputs, op.xs, strict=True):
                found[port.name] = found[x]
            for state in op.body.states:
                found[state.value.name] = rounded(values[state.value.name])
            reach_ops(op.body.ops, values, found)
            found.update({o.out.name: found[o.body_value] for o in op.outs})
        else:
            found[op.out.name] = reach_of(op, values, found)


def rounded(q: Ints) -> Reach:
    """A quantised value: its real number is one float32 product."""
    return Reach(np.abs(q).astype(np.float64), 1)


def reach_of(op: AnyOp, values: Values, found: Mapping[str, Reach]) -> Reach:
    """One op; a dot product adds its terms one by one, in whatever order."""
    parts = [found[name] for name in op.operands()]
    depth = max((p.depth for p in parts), default=0)
    arrays = [p.magnitude for p in parts]
    match op:
        case Input() | Requant() | Lut() | Const():
            return rounded(values[op.out.name])
        case MatVec():
            weights = np.abs(op.weights.array).astype(np.float64)
            return Reach(arrays[0] @ weights.T, depth + op.weights.columns + 2)
        case Add() | Sub():
            return Reach(arrays[0] + arrays[1], depth + 1)
        case Mul():
            return Reach(arrays[0] * arrays[1], sum(p.depth for p in parts) + 1)
        case Output():
            return parts[0]
        case _:
            moved = RULES[type(op)](op, *arrays)
            return Reach(np.asarray(moved, np.float64), depth)


def distance_and_bound(
    network: Network, values: Values, real_input: Floats, place: Place
) -> tuple[float, float]:
    """How far the exact value was from where the module's integer begins, and how far off the
    module's float32 number may have been; both in units of the quantiser's step.
    """
    op, point = network.ops()[place.point.name], place.point
    if isinstance(op, Input):
        step, sequence, unit = place.index
        x = Fraction(float(real_input[step, sequence, unit]))
        zero = op.quantiser.zero_point
        exact = x / channel(op.quantiser.scale, unit) + zero[unit % len(zero)]
        bound = gamma(2) * abs(float(exact))
    elif isinstance(op, Lut):
        if point.curve is None:
            return inf, 0.0
        exact, bound = on_curve(point.curve, int(values[op.x][place.index]))
    else:
        assert isinstance(op, Requant)
        exact, bound = before_requant(network, op, values, place)
    return float(abs(to_turn(exact, place, point.rounding))), bound


def before_requant(
    network: Network, op: Requant, values: Values, place: Place
) -> tuple[Fraction, float]:
    """The exact value, ratio * x + offset, and the error of the float32 sum that stands for it."""
    ratio, offset = channel(op.ratio, place.unit), channel(op.offset, place.unit)
    magnitude, depth = reach_at(network.graph, values, op.x, place.index)
    total = float(ratio) * magnitude + abs(float(offset))
    exact = ratio * int(values[op.x][place.index]) + offset
    return exact, gamma(depth + 4) * total


def on_curve(curve: Curve, q: int) -> tuple[Fraction, float]:
    """The sigmoid or tanh of q's real value in steps of the quantiser, and the float32 error."""
    x = curve.x_scale * (q - curve.x_zero)
    with mpmath.workprec(160):
        at = mpmath.mpf(x.numerator) / x.denominator
        tanh = curve.function == "tanh"
        y = mpmath.tanh(at) if tanh else 1 / (1 + mpmath.exp(-at))
        slope = 1 - y * y if tanh else y * (1 - y)
        value = Fraction(int(mpmath.nint(y * 2**120)), 2**120) / curve.scale + curve.zero
        error = CURVE_ULPS * abs(y) + 4 * abs(at) * slope
        return value, float(SLACK * UNIT * error / float(curve.scale)) + gamma(2) * abs(value)


def to_turn(exact: Fraction, place: Place, rounding: Rounding) -> Fraction:
    """From the exact value to where the module's integer begins (negative: below)."""
    level = place.module if place.module > place.exact else place.module + 1
    return step_to(level, rounding)[0] - exact


def channel(values: Rationals, unit: int) -> Fraction:
    """The rational of one channel."""
    return values[unit % len(values)]
