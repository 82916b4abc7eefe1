# SPDX-License-Identifier: Apache-2.0
"""Arrays at the door: the caller's axes and real numbers to (steps, batch, features) integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import index
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwrnn.cmodel.fast import Compiled
from hwrnn.errors import DataError, shorten
from hwrnn.ir import Graph, Input, Output
from hwrnn.ir.exact import one_rounding, quantise, to_float32
from hwrnn.ir.steps import step_counts

Ints = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float32, np.float64)


@dataclass(frozen=True, slots=True)
class Batch:
    """Integers of a batch, (steps, batch, features), and how many steps of each sequence count.

    `states`: the other inputs by name, (batch, features).
    """

    q: Ints
    lengths: tuple[int, ...]
    states: Mapping[str, Ints] = field(default_factory=dict)

    def sequences(self) -> list[Ints]:
        """Each sequence by itself, (steps, features)."""
        return [self.q[:n, b] for b, n in enumerate(self.lengths)]

    def groups(self) -> dict[int, list[int]]:
        """The sequences of each length."""
        found: dict[int, list[int]] = {}
        for b, n in enumerate(self.lengths):
            found.setdefault(n, []).append(b)
        return found


Inputs = ArrayLike | Mapping[str, ArrayLike]
"""The input's array; of several inputs a dict by name, or a tuple in the order of the graph's."""


def take_batch(graph: Graph, x: Inputs, lengths: Sequence[int] | None = None) -> Batch:
    """Check the arrays in the model's own axes, quantise those that are floating.

    Raises DataError for a wrong rank, number of features, type, range, NaN or length.
    """
    port, *states = graph.inputs
    arrays = by_name(graph, x)
    place = f'input "{port.out.name}"'
    array = arrays[port.out.name]
    check_shape(place, array, port)
    canonical = from_axes(port, array)
    found = check_lengths(graph, canonical, lengths)
    q = to_integers(place, canonical, port)
    return Batch(q, found, {s.out.name: take_state(s, arrays, len(found)) for s in states})


def by_name(graph: Graph, x: Inputs) -> dict[str, NDArray[np.generic]]:
    """One array for each input."""
    names = [port.out.name for port in graph.inputs]
    if isinstance(x, Mapping):
        found = {str(name): as_array(str(name), value) for name, value in x.items()}
    elif isinstance(x, tuple) and len(names) > 1:
        found = {n: as_array(n, v) for n, v in zip(names, x, strict=False)}
        found |= {f"number {k}": np.empty(0) for k in range(len(names), len(x))}
    else:
        found = {names[0]: as_array(names[0], x)}
    wrong = [n for n in names if n not in found] + [n for n in found if n not in names]
    if wrong:
        what = "is missing" if wrong[0] in names else "is none of the model's"
        shown = ", ".join(names)
        hint = f"the inputs are {shown}; pass a dict by these names, or a tuple in this order"
        raise DataError(f'input "{wrong[0]}"', what, hint)
    return found


def take_state(port: Input, arrays: Mapping[str, NDArray[np.generic]], batch: int) -> Ints:
    """An initial state as integers, (batch, features of all that are stacked)."""
    place, array = f'input "{port.out.name}"', arrays[port.out.name]
    check_shape(place, array, port)
    order = [port.axes.index(a) for a in ("B", "S", "F") if a in port.axes]
    rows = array.transpose(order).reshape(array.shape[order[0]], -1)
    if len(rows) != batch:
        raise DataError(place, f"has {len(rows)} sequences; the first input has {batch}")
    return to_integers(place, rows, port)


def feeds(
    graph: Graph, batch: Batch, steps: int | None = None, members: slice | list[int] = slice(None)
) -> dict[str, Ints]:
    """What an engine is given: some sequences of a batch, all of one length."""
    first = {graph.inputs[0].out.name: batch.q[:steps, members]}
    return first | {name: q[members] for name, q in batch.states.items()}


def as_array(name: str, value: ArrayLike) -> NDArray[np.generic]:
    """What was given for an input, as an array."""
    try:
        return np.asarray(value)
    except ValueError as error:
        hint = "pad sequences of different lengths, and pass their lengths"
        raise DataError(f'input "{name}"', "is no array: its rows differ", hint) from error


def one_by_one(graph: Graph, batch: Batch) -> list[dict[str, Ints]]:
    """Each sequence of a batch by itself, in its own length."""
    return [feeds(graph, batch, n, [b]) for b, n in enumerate(batch.lengths)]


def check_shape(place: str, array: NDArray[np.generic], port: Input) -> None:
    """Rank, features and at least one step and sequence."""
    features = port.out.size // port.stacked
    sizes = {"F": features, "S": port.stacked, "1": 1}
    words = {"B": "batch", "T": "steps"}
    want = ", ".join(words.get(a) or str(sizes[a]) for a in port.axes)
    hint = f"pass an array of shape ({want})"
    if array.ndim != len(port.axes):
        raise DataError(place, f"has {array.ndim} dimensions", hint)
    if any(sizes.get(a, n) != n for a, n in zip(port.axes, array.shape, strict=True)):
        raise DataError(place, f"has the shape {array.shape}", hint)
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
    with np.errstate(over="ignore"):
        real = array.astype(np.float32).astype(np.float64)
    if not np.isfinite(real).all():
        at = tuple(int(k) for k in np.argwhere(~np.isfinite(real))[0])
        step = f"step {at[0]}, " if real.ndim == 3 else ""
        raise DataError(
            place,
            f"holds {real[at]} at {step}sequence {at[-2]}, feature {at[-1]}",
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
    found = whole_lengths(lengths) if lengths is not None else (steps,) * batch
    if len(found) != batch:
        fact = f"has {len(found)} entries for {batch} sequences"
        raise DataError("lengths", fact, "pass one for each sequence")
    for n in found:
        if not 1 <= n <= steps:
            fact = f"{n} is not between 1 and the {steps} steps of the array"
            raise DataError("lengths", fact, "a length is the number of steps that count")
    for n in sorted(set(found)):
        step_counts(graph, n)
    return found


def whole_lengths(lengths: Sequence[int]) -> tuple[int, ...]:
    """The entries as numbers."""
    try:
        return tuple(index(n) for n in lengths)
    except TypeError as error:
        hint = "pass a whole number for each sequence"
        raise DataError("lengths", f"is {shorten(repr(lengths), 60)}", hint) from error


def arrange(output: Output, parts: Sequence[Ints]) -> Ints:
    """Results of each sequence, (steps, F) or (1, F), as one array in the model's axes.

    Shorter sequences are filled up with 0.
    """
    return in_axes(output, together(output, parts))


def together(output: Output, parts: Sequence[Ints]) -> Ints:
    """Results of each sequence as one array, (steps, batch, F) or (batch, F)."""
    steps = max(len(p) for p in parts)
    full = np.zeros((steps, len(parts), output.out.size), dtype=np.int64)
    for b, p in enumerate(parts):
        full[: len(p), b] = p
    return full if output.out.sequence else np.stack([p[-1] for p in parts])


def in_axes(output: Input | Output, found: NDArray[Number]) -> NDArray[Number]:
    """What the C-model takes or makes, (steps, batch, F) or (batch, F), in the model's axes."""
    held = ["T", "B", "F"] if output.out.sequence else ["B", "F"]
    if "S" in output.axes:
        held.insert(-1, "S")
        found = found.reshape(*found.shape[:-1], output.stacked, -1)
    for gone in [a for a in held if a not in output.axes]:
        found = np.asarray(found.take(0, axis=held.index(gone)))
        held.remove(gone)
    moved = found.transpose([held.index(a) for a in output.axes if a != "1"])
    return np.expand_dims(moved, [k for k, a in enumerate(output.axes) if a == "1"])


def from_axes(port: Input | Output, array: NDArray[Any]) -> NDArray[Any]:
    """An array in the model's axes as (steps, batch, F) or (batch, F)."""
    plain = array.squeeze(tuple(k for k, a in enumerate(port.axes) if a == "1"))
    axes = [a for a in port.axes if a != "1"]
    moved = plain.transpose([axes.index(a) for a in ("T", "B", "S", "F") if a in axes])
    if "S" in axes:
        moved = moved.reshape(*moved.shape[:-2], -1)
    if "F" not in axes:
        moved = moved[..., None]
    return moved if "B" in axes else np.expand_dims(moved, 1 if "T" in axes else 0)


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
