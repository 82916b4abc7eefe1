# SPDX-License-Identifier: Apache-2.0
"""The caller's arrays to sequences of integers, and results back into the model's axes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwrnn.device.description import Description, InPort, OutPort
from hwrnn.device.exact import quantised, real
from hwrnn.errors import DataError, shorten

Ints = NDArray[np.int64]


def sequences_of(
    device: Description, x: ArrayLike, lengths: Sequence[int] | None = None
) -> list[Ints]:
    """Each sequence of a batch as (steps, features) integers; x has the model's own axes.

    Raises DataError for a wrong rank, number of features, type, range, NaN or length.
    """
    port = device.input
    place = f'input "{port.name}"'
    array = as_array(place, x)
    check_shape(place, array, port)
    moved = array.transpose([port.axes.index(a) for a in ("B", "T", "F")])
    counts = checked_lengths(device, moved, lengths)
    q = integers_of(place, moved, port)
    return [q[b, :n] for b, n in enumerate(counts)]


def as_array(place: str, x: ArrayLike) -> NDArray[np.generic]:
    """What the caller gave, as an array."""
    try:
        return np.asarray(x)
    except ValueError as error:
        hint = "pad sequences of different lengths, and pass their lengths"
        raise DataError(place, "is no array: its rows differ", hint) from error


def check_shape(place: str, array: NDArray[np.generic], port: InPort) -> None:
    """Rank, features and at least one step and sequence."""
    want = ", ".join({"B": "batch", "T": "steps", "F": str(port.features)}[a] for a in port.axes)
    hint = f"pass an array of shape ({want})"
    if array.ndim != len(port.axes):
        raise DataError(place, f"has {array.ndim} dimensions", hint)
    if array.shape[port.axes.index("F")] != port.features:
        raise DataError(place, f"has the shape {array.shape}", hint)
    if 0 in array.shape:
        raise DataError(place, f"is empty: its shape is {array.shape}", "pass at least one step")


def checked_lengths(
    device: Description, array: NDArray[np.generic], lengths: Sequence[int] | None
) -> tuple[int, ...]:
    """One length a sequence, which the design takes."""
    batch, steps = array.shape[:2]
    found = whole_lengths(lengths) if lengths is not None else (steps,) * batch
    if len(found) != batch:
        fact = f"has {len(found)} entries for {batch} sequences"
        raise DataError("lengths", fact, "pass one for each sequence")
    place = f'input "{device.input.name}"'
    for n in found:
        if not 1 <= n <= steps:
            fact = f"{n} is not between 1 and the {steps} steps of the array"
            raise DataError("lengths", fact, "a length is the number of steps that count")
        if device.fixed_steps not in (None, n):
            fact = f"has {n} steps; the model takes sequences of exactly {device.fixed_steps}"
            raise DataError(place, fact, f"pass sequences of {device.fixed_steps} steps")
        if device.max_steps is not None and n > device.max_steps:
            fact = f"has {n} steps; the design buffers at most {device.max_steps}"
            raise DataError(place, fact, f"pass at most {device.max_steps}, or build for more")
    return found


def whole_lengths(lengths: Sequence[int]) -> tuple[int, ...]:
    """The entries as numbers."""
    try:
        return tuple(index(n) for n in lengths)
    except TypeError as error:
        hint = "pass a whole number for each sequence"
        raise DataError("lengths", f"is {shorten(repr(lengths), 60)}", hint) from error


def integers_of(place: str, array: NDArray[np.generic], port: InPort) -> Ints:
    """Real numbers through the first quantiser; integers as they are, if they are in range."""
    if array.dtype.kind in "iu":
        low, high = int(array.min()), int(array.max())
        if low < port.lo or high > port.hi:
            worst = low if low < port.lo else high
            raise DataError(
                place,
                f"holds the integer {worst}; the quantised input has the range "
                f"{port.lo}..{port.hi}",
                "an integer array is taken as already quantised; pass floats to quantise them",
            )
        return array.astype(np.int64)
    if array.dtype.kind != "f":
        raise DataError(place, f"has the type {array.dtype}", "pass float32, or quantised integers")
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        at = tuple(int(k) for k in np.argwhere(~np.isfinite(values))[0])
        raise DataError(
            place,
            f"holds {values[at]} at step {at[1]}, sequence {at[0]}, feature {at[2]}",
            "remove values that are not finite (float32)",
        )
    limits = (port.lo, port.hi)
    return quantised(values, port.scale, port.zero_point, limits, port.rounding)


def arranged(port: OutPort, results: Sequence[Ints], *, integers: bool) -> NDArray[np.generic]:
    """The results of a batch, (steps, features) each, in the model's axes: int64, or float32.

    Shorter ones are filled up with the integer 0.
    """
    steps = max(len(r) for r in results)
    full = np.zeros((len(results), steps, port.features), dtype=np.int64)
    for b, r in enumerate(results):
        full[b, : len(r)] = r
    held: tuple[str, ...] = ("B", "T", "F")
    if not port.sequence:
        full, held = np.stack([r[-1] for r in results]), ("B", "F")
    found: NDArray[np.generic] = full if integers else real(full, port.scale, port.offset)
    moved = found.transpose([held.index(a) for a in port.axes if a != "1"])
    return np.expand_dims(moved, [k for k, a in enumerate(port.axes) if a == "1"])
