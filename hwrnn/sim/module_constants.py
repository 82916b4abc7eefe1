# SPDX-License-Identifier: Apache-2.0
"""Weights and biases whose integer a Brevitas module rounds differently than exact arithmetic.

The file stores them unrounded behind `Quant` nodes. The module divides by the scale in float32;
a quotient next to a tie may land on its other side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from hwrnn.frontend.cell_nodes import readable_name
from hwrnn.ir import IntType, Rounding
from hwrnn.ir.exact import quantise
from hwrnn.ir.rounding import step_to
from hwrnn.ir.types import of_bits
from hwrnn.sim.module_points import body_of, mode_of
from hwrnn.sim.module_record import Parameter
from hwrnn.sim.module_trace import UNIT

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
FLOAT_ROUNDING = {
    Rounding.HALF_EVEN: np.rint,
    Rounding.FLOOR: np.floor,
    Rounding.CEIL: np.ceil,
    Rounding.DOWN: np.trunc,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantDifference:
    """One weight or bias, as integers.

    `distance` from the tie, and what float32 division may be off, in steps of its quantiser.
    """

    name: str
    index: tuple[int, ...]
    exact: int
    module: int
    distance: float
    bound: float

    @property
    def traced(self) -> bool:
        """Whether the module's own division explains it."""
        return self.distance <= self.bound

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON and tables."""
        return {
            "constant": self.name,
            "index": list(self.index),
            "exact": self.exact,
            "module": self.module,
            "distance": self.distance,
            "bound": self.bound,
        }


@dataclass(frozen=True, slots=True)
class QuantisedConstant:
    """An initialiser behind a Quant."""

    name: str
    tensor: TensorProto
    scale: Floats
    type: IntType
    rounding: Rounding
    zero: Floats

    @property
    def raw(self) -> Floats:
        """The stored numbers."""
        return np.asarray(numpy_helper.to_array(self.tensor), np.float64)

    def exact(self, raw: Floats) -> Ints:
        """What the file means; without the zero point, as all integers of constants."""
        q = quantise(raw, np.asarray(self.scale), self.type, self.rounding, self.zero)
        return q - self.zero.astype(np.int64)

    def in_float32(self, raw: Floats) -> Ints:
        """What a float32 division makes of it, as in Brevitas."""
        quotient = raw.astype(np.float32) / self.scale.astype(np.float32)
        quotient += self.zero.astype(np.float32)
        q = FLOAT_ROUNDING.get(self.rounding, np.rint)(quotient)
        kept = np.clip(q, self.type.lo, self.type.hi)
        return (kept - self.zero).astype(np.int64)


def constants_of(model: ModelProto) -> Iterator[QuantisedConstant]:
    """Every quantised constant of a lowered file, those of bodies included."""
    yield from constants_in(model.graph, {})


def constants_in(
    graph: GraphProto, outer: Mapping[str, TensorProto]
) -> Iterator[QuantisedConstant]:
    """Those of one graph and its bodies."""
    known = dict(outer) | {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Scan":
            yield from constants_in(body_of(node), known)
        elif node.op_type == "Quant" and node.input[0] in known:
            yield constant_at(node, known)


def constant_at(node: NodeProto, known: Mapping[str, TensorProto]) -> QuantisedConstant:
    """The constant behind one Quant node."""
    scale, zero, bits = (numpy_helper.to_array(known[node.input[k]]) for k in (1, 2, 3))
    kind = {a.name: a.i for a in node.attribute}
    signed, narrow = bool(kind.get("signed", 1)), bool(kind.get("narrow", 0))
    t = of_bits(int(bits.reshape(-1)[0]), signed=signed, narrow=narrow)
    tensor = known[node.input[0]]
    return QuantisedConstant(
        readable_name(node),
        tensor,
        scale.astype(np.float64),
        t,
        mode_of(node),
        zero.astype(np.float64),
    )


def compare_constants(
    model: ModelProto, parameters: Sequence[Parameter]
) -> tuple[tuple[ConstantDifference, ...], ModelProto]:
    """The constants that differ, and the file with the module's integers in their place.

    A constant is found among the module's parameters by its stored values and its scale; one
    that is not there (or without a module) is divided in float32, as Brevitas does.
    """
    patched = ModelProto.FromString(model.SerializeToString())
    found: list[ConstantDifference] = []
    for constant in constants_of(patched):
        raw = constant.raw
        exact, module = constant.exact(raw), module_integers(constant, parameters)
        where = np.argwhere(exact != module)
        found += [difference(constant, raw, exact, module, tuple(at)) for at in where]
        if len(where):
            scale = np.broadcast_to(constant.scale, raw.shape)
            changed = np.where(exact != module, module * scale, raw).astype(np.float32)
            constant.tensor.CopyFrom(numpy_helper.from_array(changed, constant.tensor.name))
    return tuple(found), patched


def module_integers(constant: QuantisedConstant, parameters: Sequence[Parameter]) -> Ints:
    """The integers that the module uses."""
    raw = constant.raw
    for p in parameters:
        same = p.raw.shape == raw.shape and np.array_equal(p.raw, raw)
        if same and set(p.quantised.scale.flat) == set(constant.scale.flat):
            return p.quantised.integers
    return constant.in_float32(raw)


def difference(
    constant: QuantisedConstant, raw: Floats, exact: Ints, module: Ints, at: tuple[int, ...]
) -> ConstantDifference:
    """One element that differs: by its quotient, or by its clamp, which float32 may not hold.

    The module's integer is seen as its product with the scale: from 2**23 on that rounds, too.
    """
    scale = np.broadcast_to(constant.scale, raw.shape)
    zero = int(np.broadcast_to(constant.zero, raw.shape)[at])
    quotient = Fraction(float(raw[at])) / Fraction(float(scale[at])) + zero
    stored = int(module[at]) + zero
    level = stored if module[at] > exact[at] else stored + 1
    turn, _ = step_to(level, constant.rounding)
    nearest = constant.type.clamp(stored)
    if nearest != stored:
        turn, quotient = Fraction(stored), Fraction(nearest)
    return ConstantDifference(
        name=constant.name,
        index=tuple(int(k) for k in at),
        exact=int(exact[at]),
        module=int(module[at]),
        distance=float(abs(turn - quotient)),
        bound=float(abs(quotient)) * UNIT * 1.001 * (1 if abs(quotient) < 2**23 else 2),
    )
