# SPDX-License-Identifier: Apache-2.0
"""The batches on which a float torch module is calibrated, and what each layer makes of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from hwrnn.errors import ExportFault, shorten
from hwrnn.nn.ptq_check import FUNCTIONS, LAYERS

Batch = tuple[Tensor, ...]


def batches_of(module: nn.Module, data: object) -> Iterator[Batch]:
    """What the module is called with, batch by batch.

    One tensor, or several in a tuple or a dict if `forward` wants several; or an iterable of
    those. Of a longer tuple, as a DataLoader gives, the first entries are taken.
    """
    names = required(module)
    if isinstance(data, (Tensor, np.ndarray, Mapping)) or is_call(data, len(names)):
        yield batch_of(data, names)
        return
    if not isinstance(data, Iterable):
        fact = f"is a {type(data).__name__}"
        raise ExportFault("calibration_data", fact, "give a tensor, an array or an iterable")
    count = 0
    for entry in data:
        count += 1
        yield batch_of(entry, names)
    if not count:
        raise ExportFault("calibration_data", "is empty", "give at least one batch")


def required(module: nn.Module) -> list[str]:
    """The names of the arguments that `forward` has to be given."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = inspect.signature(module.forward).parameters.values()
    return [p.name for p in known if p.kind in kinds and p.default is p.empty]


def is_call(data: object, count: int) -> bool:
    """Whether a tuple holds the arguments of one call, not batches."""
    whole = isinstance(data, tuple) and len(data) == count > 1
    return whole and all(isinstance(v, (Tensor, np.ndarray)) for v in data)  # type: ignore[attr-defined]


def batch_of(entry: Any, names: list[str]) -> Batch:  # noqa: ANN401 - whatever a loader gives
    """The arguments of one call."""
    if isinstance(entry, Mapping):
        wrong = [n for n in names if n not in entry] + [n for n in entry if n not in names]
        if wrong:
            what = "lacks" if wrong[0] in names else "has the unknown name"
            fact = f"{what} {shorten(str(wrong[0]), 40)}"
            raise ExportFault("calibration_data", fact, f"forward takes {', '.join(names)}")
        return tuple(as_tensor(entry[name]) for name in names)
    if isinstance(entry, (tuple, list)):
        return tuple(as_tensor(part) for part in entry[: max(len(names), 1)])
    return (as_tensor(entry),)


def as_tensor(entry: Any) -> Tensor:  # noqa: ANN401 - a tensor, an array, or nested lists
    """Real numbers in float32; indices of an embedding stay integers."""
    found = torch.as_tensor(entry)
    return found.to("cpu", torch.float32) if found.is_floating_point() else found.to("cpu")


@dataclass
class Call:
    """One call of a layer: what it was given, and its answer."""

    inputs: tuple[Any, ...]
    output: Any


def recorded(module: nn.Module, batches: list[Batch]) -> dict[str, list[Call]]:
    """Every call of every layer, by the layer's first name."""
    calls: dict[str, list[Call]] = {}
    hooks = []
    for name, layer in module.named_modules():
        if type(layer) in (*LAYERS, *FUNCTIONS):

            def note(_: nn.Module, given: Any, kwargs: Any, out: Any, name: str = name) -> None:  # noqa: ANN401
                whole = (*given, *(kwargs[k] for k in ("input", "hx") if k in kwargs))
                refuse_packed(name, whole)
                calls.setdefault(name, []).append(Call(whole, out))

            hooks.append(layer.register_forward_hook(note, with_kwargs=True))
    try:
        for batch in batches:
            run(module, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def refuse_packed(name: str, given: tuple[Any, ...]) -> None:
    """Quantised layers take tensors."""
    if any(isinstance(value, PackedSequence) for value in given):
        raise ExportFault(
            f'module "{shorten(name, 60)}"',
            "is given a packed sequence",
            "give it the padded tensor; hwrnn.run(graph, x, lengths=[...]) says where each ends",
        )


def run(module: nn.Module, batch: Batch) -> Any:  # noqa: ANN401
    """The module's answer, or its failure in words."""
    try:
        return module(*batch)
    except ExportFault:
        raise
    except Exception as fault:
        what = f"{type(fault).__name__}: {shorten(str(fault), 160)}"
        shapes = " and ".join(str(tuple(part.shape)) for part in batch)
        raise ExportFault(
            "calibration_data",
            f"the module fails on an input of shape {shapes}: {what}",
            "call the module yourself until it works; several inputs are a dict by name",
        ) from fault
