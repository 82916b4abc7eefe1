# SPDX-License-Identifier: Apache-2.0
"""What a tensor of the lowered QONNX graph is, while it is being turned into integers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from hwrnn.frontend.constants import FloatConst, QuantConst
from hwrnn.ir import IntType, Rationals, Value

ZERO: Rationals = (Fraction(0),)


class Function(Enum):
    """A function that waits for the quantiser behind it."""

    RELU = "relu"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    HARD_SIGMOID = "hardsigmoid"
    LEAKY_RELU = "leakyrelu"
    THRESHOLDED_RELU = "thresholdedrelu"
    ELU = "elu"
    SOFTSIGN = "softsign"
    SOFTPLUS = "softplus"


@dataclass(frozen=True, slots=True)
class RawInput:
    """The graph's input, still in real numbers; `axes` are the current ones, `own` the model's."""

    name: str
    axes: tuple[str, ...]
    own: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Real:
    """A tensor known exactly: f(scale * q + offset), q being the integers of `value`.

    `axes` name the tensor's dimensions: B batch, T time, F features, 1 a dimension of one, TF
    time and features flattened. `scale` and `offset` hold one rational, or one a feature.
    `numbers` are those of the function: alpha and beta.
    """

    value: Value
    axes: tuple[str, ...]
    scale: Rationals
    offset: Rationals = ZERO
    function: Function | None = None
    numbers: Rationals = ()


@dataclass(frozen=True, slots=True)
class Stacked:
    """Tensors one after the other along an axis of their own: states of layers, directions.

    In each part that axis is a 1, at the same place.
    """

    parts: tuple[Real, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class ShapeOf:
    """A tensor that is computed from shapes only; it never reaches the hardware."""


@dataclass(frozen=True, slots=True)
class RawState:
    """A graph input that is an initial state, or several along an axis S; not yet quantised.

    `states` are what its quantisers make of each, on the grid of each.
    """

    name: str
    axes: tuple[str, ...]
    states: tuple[Real, ...]


@dataclass(frozen=True, slots=True)
class Levels:
    """Integers of a QuantizeLinear: round(x / scale) + zero in the range of `type`."""

    x: RawInput | Real
    scale: Fraction
    zero: int
    type: IntType


Symbol = Levels | RawInput | RawState | Real | Stacked | ShapeOf | FloatConst | QuantConst


def spread(values: Rationals, size: int) -> Rationals:
    """One rational an element."""
    return values * size if len(values) == 1 else values


def merged(values: Rationals) -> Rationals:
    """One rational if all are equal."""
    return (values[0],) if len(set(values)) == 1 else values


def combined(a: Rationals, b: Rationals, size: int, times: bool) -> Rationals:
    """Element-wise a * b (times) or a + b."""
    if len(a) == len(b) == 1:
        return (a[0] * b[0],) if times else (a[0] + b[0],)
    pairs = zip(spread(a, size), spread(b, size), strict=True)
    return merged(tuple(x * y if times else x + y for x, y in pairs))
