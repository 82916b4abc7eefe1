# SPDX-License-Identifier: Apache-2.0
"""The data on which a float model is calibrated: an array, several, or those of several inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto

from hwrnn.errors import DataError, shorten
from hwrnn.frontend.names import identifier
from hwrnn.frontend.sequence_lens import LENGTHS

Feed = dict[str, NDArray[np.generic]]
WHOLE = (TensorProto.INT32, TensorProto.INT64)


def feeds(model: ModelProto, calibration: object) -> list[Feed]:
    """What the model is run on, by the names of its inputs. Raises DataError.

    Of one input an array in the model's axes, or a list of arrays of different lengths; of several
    a dict of those, by name.
    """
    ports = {port.name: port for port in model.graph.input}
    lengths = next((e.value for e in model.metadata_props if e.key == LENGTHS), "")
    given = by_name(ports, calibration, lengths)
    parts = {n: arrays(ports[n], data, place_of(n, ports)) for n, data in given.items()}
    first = next(iter(parts))
    for name, found in parts.items():
        if len(found) != len(parts[first]):
            raise DataError(
                place_of(name, ports),
                f"has {len(found)} arrays; those of {shown(first)} are {len(parts[first])}",
                "give every input as many arrays",
            )
    return [dict(zip(parts, group, strict=True)) for group in zip(*parts.values(), strict=True)]


def by_name(
    ports: Mapping[str, ValueInfoProto], calibration: object, lengths: str = ""
) -> dict[str, object]:
    """The data of each input, in the order of the model's. Names may be those of the graph, too."""
    hint = f"give a dict of arrays with the names {', '.join(map(shown, ports))}"
    if not isinstance(calibration, Mapping):
        if len(ports) > 1:
            raise DataError("calibration", f"is one array; the model has {len(ports)} inputs", hint)
        return {next(iter(ports)): calibration}
    known = {identifier(name): name for name in ports} | {name: name for name in ports}
    for name in calibration:
        if name == lengths:
            fact = f"has {shown(name)}, the sequence_lens of the file, which is no input here"
            raise DataError("calibration", fact, "give `lengths` to hwrnn.run")
        if name not in known:
            raise DataError("calibration", f"has {shown(name)}, which is no input", hint)
    given = {known[name]: data for name, data in calibration.items()}
    for name in ports:
        if name not in given:
            raise DataError("calibration", f"lacks the input {shown(name)}", hint)
    return {name: given[name] for name in ports}


def shown(name: object) -> str:
    """A name as a message may show it."""
    return shorten(str(name), 48)


def place_of(name: str, ports: Mapping[str, ValueInfoProto]) -> str:
    """How messages call the data of an input."""
    return "calibration" if len(ports) == 1 else f'calibration of "{shown(name)}"'


def arrays(port: ValueInfoProto, data: object, place: str) -> list[NDArray[np.generic]]:
    """The arrays of one input, float32, or int64 where it takes whole numbers."""
    rank = len(port.type.tensor_type.shape.dim)
    several = isinstance(data, (list, tuple)) and all(getattr(e, "ndim", -1) == rank for e in data)
    parts: Sequence[ArrayLike] = data if several else [data]  # type: ignore[list-item,assignment]
    if not len(parts):
        raise DataError(place, "is empty", "pass at least one sequence")
    return [checked(port, as_array(part, place), place) for part in parts]


def as_array(part: ArrayLike, place: str) -> NDArray[np.generic]:
    """Nested lists, and whatever else numpy takes."""
    try:
        return np.asarray(part)
    except ValueError as fault:
        hint = "pass arrays; sequences of different lengths as a list of batches"
        raise DataError(place, "is no array: its rows differ in length", hint) from fault


def checked(port: ValueInfoProto, array: NDArray[np.generic], place: str) -> NDArray[np.generic]:
    """An array in the type of its input."""
    kind = port.type.tensor_type
    rank = len(kind.shape.dim)
    if array.ndim != rank or array.size == 0:
        raise DataError(
            place,
            f"has the shape {array.shape}; the input has {rank} dimensions",
            "pass what the model takes: real numbers in the model's own axes",
        )
    if kind.elem_type in WHOLE:
        if array.dtype.kind not in "iu":
            raise DataError(place, f"has the type {array.dtype}", "pass whole numbers: indices")
        return array.astype(np.int32 if kind.elem_type == TensorProto.INT32 else np.int64)
    if array.dtype.kind not in "fiu":
        raise DataError(place, f"has the type {array.dtype}", "pass real numbers")
    real = array.astype(np.float32)
    if not np.isfinite(real).all():
        raise DataError(place, "holds a number that is not finite", "leave such sequences out")
    return real
