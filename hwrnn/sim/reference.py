# SPDX-License-Identifier: Apache-2.0
"""Rung 1: the lowered QONNX file in an engine that is not ours, in double precision.

`onnx.reference` runs the graph; defined here are only `Quant`, which it does not know, after the
QONNX operator's definition, and `MaxPool`, in which it has an error.  Everything is cast to float64
first.  With power-of-two scales every sum and product is then exact; with float scales a value
within about 1e-12 of a rounding tie may fall on the other side than in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from qonnx.core.modelwrapper import ModelWrapper

from hwrnn.errors import VerifyError
from hwrnn.frontend.cell_nodes import kind_of

Array = NDArray[np.float64]

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def _away_from_zero(value: Array) -> Array:
    return np.sign(value) * np.ceil(np.abs(value))


def _half_away_from_zero(value: Array) -> Array:
    whole = np.trunc(value)  # floor(|v| + 0.5) would itself round just below a half
    up: Array = whole + np.sign(value) * (np.abs(value - whole) >= 0.5)
    return up


def _half_to_zero(value: Array) -> Array:
    whole = np.trunc(value)
    up: Array = whole + np.sign(value) * (np.abs(value - whole) > 0.5)
    return up


ROUNDING: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _away_from_zero,
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "HALF_UP": _half_away_from_zero,
    "HALF_DOWN": _half_to_zero,
}


def limits(bit_width: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """Smallest and largest integer of a Quant."""
    if signed:
        high = 2 ** (bit_width - 1) - 1
        return -high if narrow else -high - 1, high
    return 0, 2**bit_width - 1 - int(narrow)


class Quant(OpRun):
    """QONNX `Quant` (also called IntQuant), version 1 and 2 of its domain."""

    op_domain = "qonnx.custom_op.general"

    def _run(  # noqa: PLR0917 - the order is the operator's
        self,
        x: Array,
        scale: Array,
        zero_point: Array,
        bit_width: Array,
        signed: int | None = None,
        narrow: int | None = None,
        rounding_mode: str | None = None,
    ) -> tuple[Array]:
        low, high = limits(int(bit_width), signed != 0, bool(narrow))
        steps = np.clip(x / scale + zero_point, low, high)
        steps = ROUNDING[(rounding_mode or "ROUND").upper()](steps)
        return (np.asarray((steps - zero_point) * scale),)


class BipolarQuant(OpRun):
    """QONNX `BipolarQuant`: the scale from 0 upwards, else its negative."""

    op_domain = "qonnx.custom_op.general"

    def _run(self, x: Array, scale: Array) -> tuple[Array]:
        return (np.asarray(np.where(x < 0, -1.0, 1.0) * scale),)


class IntQuant(Quant):
    """The newer name of Quant."""


class MaxPool(OpRun):
    """ONNX `MaxPool` over the last axis of (batch, features, steps).

    onnx.reference 1.23 leaves the padding out where the stride is 1.
    """

    op_domain = ""

    def _run(
        self,
        x: Array,
        *,
        kernel_shape: Sequence[int],
        pads: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        auto_pad: str | None = None,
        **_: object,
    ) -> tuple[Array]:
        before, after = pads or (0, 0)
        if auto_pad in {"SAME_UPPER", "SAME_LOWER"}:  # the loader takes it with a stride of 1
            less, more = (kernel_shape[0] - 1) // 2, kernel_shape[0] // 2
            before, after = (less, more) if auto_pad == "SAME_UPPER" else (more, less)
        padded = np.pad(x, ((0, 0), (0, 0), (before, after)), constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel_shape[0], axis=2)
        return (windows[:, :, :: (strides or [1])[0]].max(axis=-1),)


def to_double(model: ModelProto) -> ModelProto:
    """A copy of `model` in which every float constant, cast and port is float64."""
    double: ModelProto = ModelProto.FromString(model.SerializeToString())
    for graph in _graphs(double.graph):
        for tensor in _tensors(graph):
            if tensor.data_type in _FLOATS:
                value = numpy_helper.to_array(tensor).astype(np.float64)
                tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
        for port in (*graph.input, *graph.output, *graph.value_info):
            if port.type.tensor_type.elem_type in _FLOATS:
                port.type.tensor_type.elem_type = TensorProto.DOUBLE
        _cast_to_double(graph)
    return double


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and every body inside it."""
    yield graph
    for node in graph.node:
        for entry in node.attribute:
            if entry.type == AttributeProto.GRAPH:
                yield from _graphs(entry.g)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        yield from (entry.t for entry in node.attribute if entry.type == AttributeProto.TENSOR)


def _cast_to_double(graph: GraphProto) -> None:
    for node in graph.node:
        if node.op_type != "Cast":
            continue
        for entry in node.attribute:
            if entry.name == "to" and entry.i in _FLOATS:
                entry.i = TensorProto.DOUBLE


class Reference:
    """A lowered model, ready to run in double precision; build once, run often."""

    def __init__(self, model: ModelWrapper | ModelProto) -> None:
        proto: ModelProto = model if isinstance(model, ModelProto) else model.model
        for node in proto.graph.node:
            if kind_of(node):
                raise VerifyError(
                    f'node "{node.name}"',
                    f"{node.op_type} has no meaning in an ONNX engine",
                    "run hwrnn.frontend.read.lower first",
                )
        constants = {entry.name for entry in proto.graph.initializer}
        self.inputs = [port.name for port in proto.graph.input if port.name not in constants]
        self.outputs = [port.name for port in proto.graph.output]
        self._engine = ReferenceEvaluator(
            to_double(proto), new_ops=[Quant, IntQuant, BipolarQuant, MaxPool]
        )

    def run(self, x: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, Array]:
        """All outputs by name; `x` is the only input's array, or a mapping by input name."""
        feeds = x if isinstance(x, Mapping) else {self.inputs[0]: x}
        doubles = {name: np.asarray(value, np.float64) for name, value in feeds.items()}
        results = self._engine.run(self.outputs, doubles)
        return dict(zip(self.outputs, results, strict=True))

    def intermediates(self, x: ArrayLike) -> dict[str, Array]:
        """Every named tensor of the outer graph, for the hunt after a first difference."""
        feed = {self.inputs[0]: np.asarray(x, np.float64)}
        return dict(self._engine.run(None, feed, intermediate=True))


def run_reference(model: ModelWrapper | ModelProto, x: ArrayLike) -> Array:
    """The first output of the lowered `model` on the float array `x`, as float64.

    `model` is a qonnx ModelWrapper or an onnx ModelProto; `x` has the module's own axis order.
    """
    results = Reference(model).run(x)
    return next(iter(results.values()))
