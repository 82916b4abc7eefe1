# SPDX-License-Identifier: Apache-2.0
"""Arrays at the door: the caller's axes and real numbers to (steps, batch, features) integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwrnn.cmodel.fast import Compiled
from hwrnn.errors import DataError
from hwrnn.ir import Graph, Input, Output
from hwrnn.ir.exact import one_rounding, quantise, to_float32
from hwrnn.ir.steps import step_counts

Ints = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float32)


@dataclass(frozen=True, slots=True)
class Batch:
    """Integers of a batch, (steps, batch, features), and how many steps of each sequence count."""

    q: Ints
    lengths: tuple[int, ...]

    def sequences(self) -> list[Ints]:
        """Each sequence by itself, (steps, features)."""
        return [self.q[:n, b] for b, n in enumerate(self.lengths)]

    def groups(self) -> dict[int, list[int]]:
        """The sequences of each length."""
        found: dict[int, list[int]] = {}
        for b, n in enumerate(self.lengths):
            found.setdefault(n, []).append(b)
        return found


def take_batch(graph: Graph, x: ArrayLike, lengths: Sequence[int] | None = None) -> Batch:
    """Check an input array in the model's own axes, quantise it if it is floating.

    Raises DataError for a wrong rank, number of features, type, range, NaN or length.
    """
    port = graph.inputs[0]
    place = f'input "{port.out.name}"'
    array = np.asarray(x)
    check_shape(place, array, port)
    canonical = array.transpose([port.axes.index(a) for a in ("T", "B", "F")])
    return Batch(to_integers(place, canonical, port), check_lengths(graph, canonical, lengths))


def check_shape(place: str, array: NDArray[np.generic], port: Input) -> None:
    """Rank, features and at least one step and sequence."""
    want = ", ".join({"B": "batch", "T": "steps", "F": str(port.out.size)}[a] for a in port.axes)
    if array.ndim != 3:
        raise DataError(place, f"has {array.ndim} dimensions", f"pass an array of shape ({want})")
    if array.shape[port.axes.index("F")] != port.out.size:
        raise DataError(place, f"has the shape {array.shape}", f"pass an array of shape ({want})")
    if 0 in array.shape:
        raise DataError(place, f"is empty: its shape is {array.shape}", "pass at least one step")


def to_integers(place: str, array: NDArray[np.generic], port: Input) -> Ints:
    """Real numbers through the first quantiser; integers as they are, if they are in range."""
    t = port.out.type
    if array.dtype.kind in "iu":
        low, high = int(array.min()), int(array.max())
        if low < t.lo or high > t.hi:
            worst = low if low < t.lo else high
            raise DataError(
                place,
                f"holds the integer {worst}; the quantised input has the range {t}",
                "an integer array is taken as already quantised; pass floats to quantise them",
            )
        return array.astype(np.int64)
    if array.dtype.kind != "f":
        raise DataError(place, f"has the type {array.dtype}", "pass float32, or quantised integers")
    real = array.astype(np.float32).astype(np.float64)
    if not np.isfinite(real).all():
        at = tuple(int(k) for k in np.argwhere(~np.isfinite(real))[0])
        raise DataError(
            place,
            f"holds {real[at]} at step {at[0]}, sequence {at[1]}, feature {at[2]}",
            "remove values that are not finite (float32)",
        )
    found = port.quantiser
    scale, zero = np.array([float(s) for s in found.scale]), np.array(found.zero_point, float)
    return quantise(real, scale, t, found.rounding, zero)


def check_lengths(
    graph: Graph, array: NDArray[np.generic], lengths: Sequence[int] | None
) -> tuple[int, ...]:
    """One length a sequence, which the graph takes."""
    steps, batch = array.shape[:2]
    found = tuple(int(n) for n in lengths) if lengths is not None else (steps,) * batch
    if len(found) != batch:
        raise DataError("lengths", f"has {len(found)} entries for {batch} sequences")
    for n in found:
        if not 1 <= n <= steps:
            raise DataError("lengths", f"{n} is not between 1 and the {steps} steps of the array")
    for n in sorted(set(found)):
        step_counts(graph, n)
    return found


def arrange(output: Output, parts: Sequence[Ints]) -> Ints:
    """Results of each sequence, (steps, F) or (1, F), as one array in the model's axes.

    Shorter sequences are filled up with 0.
    """
    steps = max(len(p) for p in parts)
    full = np.zeros((steps, len(parts), output.out.size), dtype=np.int64)
    for b, p in enumerate(parts):
        full[: len(p), b] = p
    return in_axes(output, full if output.out.sequence else np.stack([p[-1] for p in parts]))


def in_axes(output: Output, found: NDArray[Number]) -> NDArray[Number]:
    """A result of the C-model, (steps, batch, F) or (batch, F), in the model's axes."""
    held = ("T", "B", "F") if output.out.sequence else ("B", "F")
    moved = found.transpose([held.index(a) for a in output.axes if a != "1"])
    return np.expand_dims(moved, [k for k, a in enumerate(output.axes) if a == "1"])


def run_real(model: Compiled, inputs: Mapping[str, Ints]) -> dict[str, NDArray[np.float32]]:
    """The real values of every output, (steps, batch, F) or (batch, F)."""
    outputs = model.graph.outputs
    if all(one_rounding(o.out.type, o.grid.scale, o.grid.offset) for o in outputs):
        real = model.run_as(np.dtype(np.float32), inputs)
        for o in outputs:
            real[o.out.name] *= np.array([float(s) for s in o.grid.scale], np.float32)
        return real
    found = model.run(inputs)
    return {o.out.name: to_real(o, found[o.out.name]) for o in outputs}


def to_real(output: Output, q: Ints) -> NDArray[np.float32]:
    """The real values of an output's integers (in the model's axes, features last)."""
    return to_float32(q, output.grid.scale, output.grid.offset)
