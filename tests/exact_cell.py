# SPDX-License-Identifier: Apache-2.0
"""What an exported file means, step by step, in exact arithmetic; shares no line with hwrnn.

Every number in a file is a float32, hence an integer times a power of two; so is every sum and
product of such numbers, and every output of a Quant.  A tensor here is an array of Python
integers and one exponent.  Only a Quant divides and rounds.  sigmoid and tanh are evaluated by
mpmath with rising precision until the Quant behind them is decided: their values are irrational
wherever the argument is not 0, so it always is.

Reads the 48 inputs of Brevitas' QuantLSTMCell; one sequence at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import numpy_helper

NEAR = Fraction(1, 10**12)
"""A value this close to a tie, in real units, may be rounded the other way in float64."""

GATES = ("input", "forget", "cell", "output")
QUANTISERS = (
    "output",
    "cell_state",
    "input_acc",
    "forget_acc",
    "cell_acc",
    "output_acc",
    "input_sigmoid",
    "forget_sigmoid",
    "cell_tanh",
    "output_sigmoid",
    "hidden_state_tanh",
)


@dataclass(frozen=True)
class Dyadic:
    """Real values num * 2**exp; num holds Python integers."""

    num: NDArray[Any]
    exp: int

    @classmethod
    def of(cls, values: ArrayLike) -> Dyadic:
        """The exact values of an array of floats."""
        floats = np.asarray(values, np.float64)
        mantissa, exponent = np.frexp(floats)
        lowest = int(exponent[floats != 0].min()) - 53 if floats.any() else 0
        flat = [
            int(m * 2**53) << (int(e) - 53 - lowest) if m else 0
            for m, e in zip(mantissa.ravel().tolist(), exponent.ravel().tolist(), strict=True)
        ]
        return cls(_objects(flat, floats.shape), lowest).reduced()

    def reduced(self) -> Dyadic:
        """The same values with the largest exponent: small integers multiply faster."""
        every = 0
        for value in self.num.ravel().tolist():
            every |= value
        if every == 0:
            return Dyadic(self.num, 0)
        shift = (every & -every).bit_length() - 1
        num = _objects([value >> shift for value in self.num.ravel()], self.num.shape)
        return Dyadic(num, self.exp + shift)

    def at(self, exp: int) -> NDArray[Any]:
        """The integers of the same values at a smaller exponent."""
        return self.num if exp == self.exp else self.num * (1 << (self.exp - exp))

    def map(self, change: Callable[[NDArray[Any]], Any]) -> Dyadic:
        """The same scale, other places: reshape, transpose, index."""
        moved = change(self.num)
        return Dyadic(moved if isinstance(moved, np.ndarray) else _objects([moved], ()), self.exp)

    def __add__(self, other: Dyadic) -> Dyadic:
        exp = min(self.exp, other.exp)
        return Dyadic(np.asarray(self.at(exp) + other.at(exp), object), exp)

    def __sub__(self, other: Dyadic) -> Dyadic:
        return self + Dyadic(np.asarray(-other.num, object), other.exp)

    def __mul__(self, other: Dyadic) -> Dyadic:
        return Dyadic(np.asarray(self.num * other.num, object), self.exp + other.exp)

    def __matmul__(self, other: Dyadic) -> Dyadic:
        return Dyadic(np.asarray(np.dot(self.num, other.num), object), self.exp + other.exp)

    def fractions(self) -> NDArray[Any]:
        """The values as Fractions."""
        unit = Fraction(2) ** self.exp
        return _objects([value * unit for value in self.num.ravel()], self.num.shape)


@dataclass(frozen=True)
class Curve:
    """sigmoid or tanh of a tensor, not yet evaluated: only the Quant behind it knows how far."""

    kind: str
    x: Dyadic


Value = Dyadic | Curve | NDArray[Any]
"""What a name stands for: real numbers, a curve of them, or plain indices and shapes."""


def _objects(values: Sequence[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


@dataclass(frozen=True)
class NearTie:
    """A rounding that float64 may decide otherwise; sequence -1: a weight or a bias.

    `value` is the result, `distance` its argument's distance to the tie, both in real units.
    """

    sequence: int
    quantiser: str
    value: float
    distance: float


@dataclass
class ExactRun:
    """`outputs`: Fractions, axes as the module's; `closest`: per sequence, in real units."""

    outputs: NDArray[Any]
    closest: list[float]
    near_ties: list[NearTie] = field(default_factory=list)

    def is_near_tie(self, sequence: int) -> bool:
        """Whether some rounding on the way to this sequence's output was a near tie."""
        return any(tie.sequence in (-1, sequence) for tie in self.near_ties)


@dataclass(frozen=True)
class Quantiser:
    """Scale and zero point (broadcast), integer limits and rounding mode of one Quant."""

    name: str
    scale: Dyadic
    low: int
    high: int
    mode: str
    zero: NDArray[Any]

    @classmethod
    def of(cls, name: str, parameters: Sequence[NDArray[Any]], kind: dict[str, Any]) -> Quantiser:
        scale, zero_point, bits = parameters
        zero = _objects([int(z) for z in zero_point.ravel()], zero_point.shape)
        width, signed, narrow = int(bits), bool(kind["signed"]), bool(kind["narrow"])
        if width == 0:
            return cls(name, Dyadic.of(scale), 1, 0, "OFF", zero)
        high = 2 ** (width - 1) - 1 if signed else 2**width - 1 - narrow
        low = -high - 1 + narrow if signed else 0
        return cls(name, Dyadic.of(scale), low, high, str(kind["mode"]).upper(), zero)


def rounded(numerator: int, denominator: int, mode: str) -> tuple[int, Fraction]:
    """The integer next to a quotient by `mode`, and the quotient's distance to a tie."""
    floor, rest = divmod(numerator, denominator)
    if mode in ("ROUND", "HALF_EVEN", "HALF_UP", "HALF_DOWN"):
        distance = Fraction(abs(2 * rest - denominator), 2 * denominator)
        if 2 * rest != denominator:
            return floor + (2 * rest > denominator), distance
        if mode in ("ROUND", "HALF_EVEN"):
            return floor + floor % 2, distance
        away = floor + (floor >= 0)
        return (away if mode == "HALF_UP" else 2 * floor + 1 - away), distance
    distance = Fraction(min(rest, denominator - rest), denominator)
    up = {
        "FLOOR": False,
        "CEIL": True,
        "UP": floor >= 0,
        "DOWN": floor < 0,
        "ROUND_TO_ZERO": floor < 0,
    }[mode]
    return floor + (up and rest > 0), distance


class Exact:
    """One exported file; constants (weights above all) are quantised once."""

    def __init__(self, model: str | Path | onnx.ModelProto) -> None:
        self.model = onnx.load(model) if not isinstance(model, onnx.ModelProto) else model
        graph = self.model.graph
        self.raw = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
        self.x_name = next(port.name for port in graph.input if port.name not in self.raw)
        cells = [node for node in graph.node if node.op_type in CELLS]
        self.batch_first = bool(_attributes(cells[0])["batch_first"])
        self.sequence = -1
        self.closest = Fraction(1)
        self.near: list[NearTie] = []
        self.curves: dict[Any, tuple[int, Fraction]] = {}
        self.values: dict[str, Any] = {}
        self.later: list[Any] = []
        for node in graph.node:
            if all(name in self.raw or name in self.values for name in node.input if name):
                self._node(node, self.values)
            else:
                self.later.append(node)

    def run(self, x: ArrayLike) -> ExactRun:
        """The first output for float sequences `x`, in the module's axis order."""
        data = np.asarray(x, np.float32)
        axis = 0 if self.batch_first else 1
        constant_ties, outputs, closest = list(self.near), [], []
        for sequence in range(data.shape[axis]):
            self.sequence, self.closest = sequence, Fraction(1)
            values = dict(self.values)
            values[self.x_name] = Dyadic.of(np.take(data, [sequence], axis))
            for node in self.later:
                self._node(node, values)
            outputs.append(values[self.model.graph.output[0].name].fractions())
            closest.append(float(self.closest))
        near, self.near = self.near, constant_ties
        at = 1 if outputs[0].ndim == 3 and not self.batch_first else 0
        return ExactRun(np.concatenate(outputs, at), closest, near)

    def run_all(self, x: ArrayLike, states: Sequence[ArrayLike] = ()) -> list[NDArray[Any]]:
        """All outputs for sequences and initial states (states, batch, units), one by one.

        An output whose first axis is not that of the batch is a sequence or holds states.
        """
        names = [port.name for port in self.model.graph.input if port.name not in self.raw]
        axis = 0 if self.batch_first else 1
        data = np.asarray(x, np.float32)
        made: list[list[NDArray[Any]]] = []
        for sequence in range(data.shape[axis]):
            self.sequence = sequence
            values = dict(self.values)
            values[names[0]] = Dyadic.of(np.take(data, [sequence], axis))
            for name, state in zip(names[1:], states, strict=True):
                values[name] = Dyadic.of(np.asarray(state, np.float32)[:, [sequence]])
            for node in self.later:
                self._node(node, values)
            made.append([values[port.name].fractions() for port in self.model.graph.output])
        return [
            np.concatenate(parts, axis if k == 0 else 1)
            for k, parts in enumerate(zip(*made, strict=True))
        ]

    def _get(self, name: str, values: dict[str, Any]) -> Value:
        if name in values:
            known: Value = values[name]
            return known
        return _tensor(self.raw[name])

    def _node(self, node: onnx.NodeProto, values: dict[str, Any]) -> None:
        given = _attributes(node)
        if node.op_type == "Quant":
            parameters = [self.raw[name] for name in node.input[1:4]]
            kind = {
                "signed": given.get("signed", 1),
                "narrow": given.get("narrow", 0),
                "mode": given.get("rounding_mode", "ROUND"),
            }
            quantiser = Quantiser.of(node.name, parameters, kind)
            source = self._get(node.input[0], values)
            assert not isinstance(source, np.ndarray), f"{node.name}: integers"
            values[node.output[0]] = self.quantise(source, quantiser)
            return
        inputs = [self._get(name, values) if name else None for name in node.input]
        if node.op_type == "BipolarQuant":
            x, scale = inputs
            assert isinstance(x, Dyadic)
            assert isinstance(scale, Dyadic)
            signs = _objects([-1 if v < 0 else 1 for v in x.num.ravel()], x.num.shape)
            values[node.output[0]] = Dyadic(signs, 0) * scale
            return
        if node.op_type in CELLS:
            results: Sequence[Any] = CELLS[node.op_type](self, node, inputs, given)
        else:
            results = [OPS[node.op_type](inputs, given)]
        values.update(zip(node.output, results, strict=False))

    def quantise(self, x: Dyadic | Curve, quantiser: Quantiser) -> Dyadic:
        """Round and clamp, once, and give the real value back; nothing if the quantiser is off."""
        if quantiser.high < quantiser.low:
            assert isinstance(x, Dyadic), f"{quantiser.name}: a curve that nothing rounds"
            return x
        values = x.x if isinstance(x, Curve) else x
        scale, zero = (
            np.broadcast_to(part, values.num.shape).ravel().tolist()
            for part in (quantiser.scale.num, quantiser.zero)
        )
        integers = []
        for value, unit, start in zip(values.num.ravel().tolist(), scale, zero, strict=True):
            if isinstance(x, Curve):
                q = self._curve_step(x.kind, value, x.x.exp, unit, start, quantiser)
            else:
                q = self._step(value, values.exp, unit, start, quantiser)
            integers.append(q - start)
        whole = Dyadic(_objects(integers, values.num.shape), 0)
        return (whole * quantiser.scale).reduced()

    def _step(self, value: int, exp: int, unit: int, zero: int, quantiser: Quantiser) -> int:
        """One value divided by one scale (both with their exponents), rounded and clamped."""
        shift = exp - quantiser.scale.exp
        above, below = value << max(shift, 0), unit << max(-shift, 0)
        q, distance = rounded(above + zero * below, below, quantiser.mode)
        return self._clamped(q, distance, unit, quantiser)

    def _clamped(self, q: int, distance: Fraction, unit: int, quantiser: Quantiser) -> int:
        """Clamp, and note how close the rounding was; where the clamp decides, it was not."""
        if q > quantiser.high or q < quantiser.low:
            return quantiser.high if q > quantiser.high else quantiser.low
        scale = unit * Fraction(2) ** quantiser.scale.exp
        real = distance * scale
        self.closest = min(self.closest, real)
        if real < NEAR:
            tie = NearTie(self.sequence, quantiser.name, float(q * scale), float(real))
            self.near.append(tie)
        return q

    def _curve_step(  # noqa: PLR0917 - a number, a scale, a zero point
        self, kind: str, value: int, exp: int, unit: int, zero: int, quantiser: Quantiser
    ) -> int:
        if value == 0:
            exact = (1, -1) if kind == "sigmoid" else (0, 0)
            return self._step(*exact, unit, zero, quantiser)
        key = (kind, value, exp, unit, zero, quantiser.scale.exp, quantiser.mode)
        if key not in self.curves:
            self.curves[key] = _decide(kind, value, exp, unit, zero, quantiser)
        q, distance = self.curves[key]
        return self._clamped(q, distance, unit, quantiser)


def _decide(  # noqa: PLR0917 - a number, a scale, a zero point
    kind: str, value: int, exp: int, unit: int, zero: int, quantiser: Quantiser
) -> tuple[int, Fraction]:
    """The rounded quotient of sigmoid(value * 2**exp) or tanh and a scale, plus zero, proved."""
    bits = 80
    while True:
        with mpmath.workprec(bits):
            x = mpmath.ldexp(mpmath.mpf(value), exp)
            y = mpmath.tanh(x) if kind == "tanh" else 1 / (1 + mpmath.exp(-x))
            mantissa, exponent = mpmath.frexp(y)
            number = int(mpmath.ldexp(mantissa, bits))
        shift = int(exponent) - bits - quantiser.scale.exp
        sides = []
        for end in (number - 64, number + 64):  # the error is a few units in the last place
            above, below = end << max(shift, 0), unit << max(-shift, 0)
            sides.append(rounded(above + zero * below, below, quantiser.mode))
        if sides[0][0] == sides[1][0]:
            return sides[0][0], min(sides[0][1], sides[1][1])
        bits *= 2


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    found = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    return {
        name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()
    }


def cell_quantisers(
    exact: Exact, node: onnx.NodeProto, given: dict[str, Any], names: Sequence[str], first: int
) -> dict[str, Quantiser]:
    """The quantisers of a cell, whose parameters begin at input `first`."""
    quantisers = {}
    for index, name in enumerate(names):
        start = first + 3 * index
        parameters = [exact.raw[source] for source in node.input[start : start + 3]]
        narrow = "output_sigmoid_narrow_range" if name == "output_sigmoid" else f"{name}_narrow"
        if not parameters[2].any():  # the quantiser is off
            given = {f"{name}_signed": 1, narrow: 0, f"{name}_rounding_mode": "ROUND"} | given
        kind = {
            "signed": given[f"{name}_signed"],
            "narrow": given[narrow if narrow in given else f"{name}_narrow"],
            "mode": given[f"{name}_rounding_mode"],
        }
        quantisers[name] = Quantiser.of(f"{node.name}:{name}", parameters, kind)
    return quantisers


def _cell(
    exact: Exact, node: onnx.NodeProto, inputs: list[Any], given: dict[str, Any]
) -> list[Any]:
    """QuantLSTMCell on one sequence: the whole sequence, the last h, the last c."""
    q = cell_quantisers(exact, node, given, QUANTISERS, 15)
    x = inputs[0].map(lambda a: a[0] if given["batch_first"] else a[:, 0])
    h, c = (state.map(lambda a: a[:1]) for state in inputs[1:3])
    w_x = [w.map(np.transpose) for w in inputs[3:7]]
    w_h = [w.map(np.transpose) for w in inputs[7:11]]
    biases = inputs[11:15]
    order = range(len(x.num))
    outputs: dict[int, Dyadic] = {}

    def gate(index: int, x_t: Dyadic, curve: str) -> Dyadic:
        name = GATES[index]
        acc = x_t @ w_x[index] + h @ w_h[index] + biases[index]
        acc = exact.quantise(acc, q[f"{name}_acc"])
        return exact.quantise(Curve(curve, acc), q[f"{name}_{curve}"])

    for step in reversed(order) if given["reverse_input"] else order:
        x_t = x.map(lambda a, step=step: a[step : step + 1])
        i = gate(0, x_t, "sigmoid")
        if given["cifg"]:
            f = exact.quantise(Dyadic.of(np.ones(i.num.shape)), q["input_sigmoid"]) - i
        else:
            f = gate(1, x_t, "sigmoid")
        g = gate(2, x_t, "tanh")
        o = gate(3, x_t, "sigmoid")
        kept, added = exact.quantise(f * c, q["cell_state"]), exact.quantise(i * g, q["cell_state"])
        c = exact.quantise(kept + added, q["cell_state"])
        tanh = exact.quantise(Curve("tanh", c), q["hidden_state_tanh"])
        h = exact.quantise(o * tanh, q["output"])
        outputs[step] = h
    return [sequence_of(outputs, given), h, c]


def sequence_of(outputs: dict[int, Dyadic], given: dict[str, Any]) -> Dyadic:
    """The outputs by step as a sequence with a batch of one."""
    sequence = _concatenated([outputs[step] for step in range(len(outputs))], 0)
    return sequence.map(lambda a: a[None] if given["batch_first"] else a[:, None])


Cell = Callable[[Exact, onnx.NodeProto, list[Any], dict[str, Any]], list[Any]]
CELLS: dict[str, Cell] = {"QuantLSTMCell": _cell}
"""What each kind of cell node makes: the sequence and the last states."""


def _concatenated(parts: Sequence[Dyadic], axis: int) -> Dyadic:
    exp = min(part.exp for part in parts)
    return Dyadic(np.concatenate([part.at(exp) for part in parts], axis), exp)


def _tensor(raw: NDArray[Any]) -> Value:
    return Dyadic.of(raw) if raw.dtype.kind == "f" else raw


def _gemm(inputs: list[Any], given: dict[str, Any]) -> Dyadic:
    assert given.get("alpha", 1.0) == 1.0
    assert given.get("beta", 1.0) == 1.0
    assert not given.get("transA", 0)
    weights = inputs[1].map(np.transpose) if given.get("transB", 0) else inputs[1]
    product: Dyadic = inputs[0] @ weights
    return product + inputs[2] if len(inputs) > 2 else product


def _moved(value: Value, change: Callable[[NDArray[Any]], Any]) -> Value:
    assert not isinstance(value, Curve)
    return value.map(change) if isinstance(value, Dyadic) else np.asarray(change(value))


def _slice(inputs: list[Any], _: dict[str, Any]) -> Value:
    starts, ends = inputs[1].tolist(), inputs[2].tolist()
    axes = inputs[3].tolist() if len(inputs) > 3 else list(range(len(starts)))
    steps = inputs[4].tolist() if len(inputs) > 4 else [1] * len(starts)
    value: Value = inputs[0]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cut = (slice(None),) * axis + (slice(start, end if abs(end) < 2**31 else None, step),)
        value = _moved(value, partial(_cut, cut=cut))
    return value


def _cut(array: NDArray[Any], cut: tuple[slice, ...]) -> NDArray[Any]:
    part: NDArray[Any] = array[cut]
    return part


OPS: dict[str, Callable[[list[Any], dict[str, Any]], Any]] = {
    "Add": lambda v, _: v[0] + v[1],
    "Sub": lambda v, _: v[0] - v[1],
    "Mul": lambda v, _: v[0] * v[1],
    "MatMul": lambda v, _: v[0] @ v[1],
    "Gemm": _gemm,
    "Relu": lambda v, _: v[0].map(lambda a: np.where(a > 0, a, 0)),
    "Identity": lambda v, _: v[0],
    "Concat": lambda v, a: (
        _concatenated(v, a["axis"]) if isinstance(v[0], Dyadic) else np.concatenate(v, a["axis"])
    ),
    "Gather": lambda v, a: _moved(v[0], lambda x: np.take(x, v[1], a.get("axis", 0))),
    "Slice": _slice,
    "Squeeze": lambda v, _: _moved(v[0], lambda x: np.squeeze(x, tuple(v[1]))),
    "Unsqueeze": lambda v, _: _moved(v[0], lambda x: np.expand_dims(x, tuple(v[1]))),
    "Transpose": lambda v, a: _moved(v[0], lambda x: np.transpose(x, a["perm"])),
    "Flatten": lambda v, a: v[0].map(
        lambda x: x.reshape(int(np.prod(x.shape[: a.get("axis", 1)])), -1)
    ),
    "Reshape": lambda v, _: v[0].map(lambda x: x.reshape(v[1].tolist())),
    "Shape": lambda v, _: np.array(v[0].num.shape, np.int64),
    "Constant": lambda _, a: _tensor(numpy_helper.to_array(a["value"])),
}
"""What else an exported network is made of, on exact tensors."""
