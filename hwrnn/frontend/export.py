# SPDX-License-Identifier: Apache-2.0
"""Write a Brevitas module as a QONNX file, or say in words why it cannot be one.

Brevitas' own `export_qonnx` loses recurrent layers with its default exporter, crashes on some
modules, and leaves a module that failed in export mode.  Here the module is checked first and
is afterwards as it was, and the file appears whole or not at all.
"""

from __future__ import annotations

import inspect
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto

from hwrnn.errors import ExportFault, ImportFault, OutputError, ToolError, shorten
from hwrnn.frontend.cell_nodes import HWRNN_DOMAIN, HWRNN_DOMAIN_VERSION, cells
from hwrnn.frontend.fold_states import fold_states
from hwrnn.frontend.lower_cells import free_batch_and_steps

if TYPE_CHECKING:
    from torch import Tensor, nn

    Example = Tensor | np.ndarray

MAX_IR_VERSION = 13
"""The newest that ONNX Runtime 1.31 reads; onnx 1.23 itself would write 14."""

_QUANTISED = {
    "LSTM": "brevitas.nn.QuantLSTM",
    "GRU": "hwrnn.nn.QuantGRU",
    "RNN": "brevitas.nn.QuantRNN",
}


def export(
    module: nn.Module,
    example_input: Example | tuple[Example, ...],
    path: str | os.PathLike[str],
    *,
    record: bool = False,
) -> None:
    """Write `module` to `path` as QONNX, for `hwrnn.load` and every other reader of QONNX.

    `example_input` has the shape that the module takes, (batch, steps, features) if it is
    batch-first; its batch and steps are not fixed by the file.  A module that takes initial
    states, too, is given a tuple; these inputs are called as in its `forward`, the sequence is
    `x`.  Several outputs are `y`, `h`, `c` if they are (y, (h, c)), or (y, h) of a recurrent
    layer; those of a dict are called by its keys, others `y0`, `y1`, ...

    With `record=True` the module's answer is written beside the file, to `<path without
    .onnx>.npz`, as float32 arrays `input` and `output`; with several by their names.

    Raises ExportFault for a module that QONNX cannot represent, OutputError for a place that
    cannot be written to, ToolError without torch and Brevitas.
    """
    target = Path(path)
    _check_place(target)
    with _quiet():
        _need_torch()
        _check_module(module)
        from hwrnn.frontend.export_calls import checked_calls
        from hwrnn.frontend.export_outputs import unpacked

        examples = _examples(module, example_input)
        with _evaluating(module):
            with checked_calls(module):
                answer, plain = _answer(module, examples)
            model = _to_onnx(module if plain else unpacked(module), examples, list(answer))
    _check_inputs(model, examples)
    _tidy(model)
    if _partly_quantised(module):
        _check_exact(model)
    _write(target, model.SerializeToString())
    if record:
        _write_record(target.with_suffix(".npz"), examples, answer)


def _need_torch() -> None:
    try:
        import brevitas.export
        import onnxoptimizer
        import torch  # noqa: F401 - only whether they are there
    except ImportError as fault:
        hint = 'pip install "hwrnn[train]"'
        raise ToolError("hwrnn.export", f"needs torch and brevitas: {fault}", hint) from fault
    del brevitas, onnxoptimizer


def _examples(module: nn.Module, given: Example | tuple[Example, ...]) -> dict[str, Tensor]:
    """Each input's example by its name: `x`, then what `forward` calls the others."""
    several = given if isinstance(given, tuple) else (given,)
    names = ["x"]
    for name, parameter in [*inspect.signature(module.forward).parameters.items()][1:]:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(name if name not in names else f"{name}_in")
    names += [f"x{k}" for k in range(len(names), len(several))]
    parts = (_as_tensor(part, indices=reads_table(module)) for part in several)
    return dict(zip(names, parts, strict=False))


def reads_table(module: nn.Module) -> bool:
    """Whether a module may take integers: the indices of an embedding."""
    from torch import nn

    return any(isinstance(layer, nn.Embedding) for layer in module.modules())


def _as_tensor(example: Example, *, indices: bool = False) -> Tensor:
    import torch

    value = torch.as_tensor(example) if not isinstance(example, torch.Tensor) else example
    value = getattr(value, "value", value)  # a QuantTensor carries its real values there
    if indices and not value.is_floating_point():
        return value.detach().to("cpu", torch.int64)
    if not value.is_floating_point():
        raise ExportFault(
            "example_input", f"its type is {value.dtype}", "give real values, in float32"
        )
    return value.detach().to("cpu", torch.float32)


def _check_module(module: nn.Module) -> None:
    """Refuse what Brevitas would crash on, or silently write wrongly."""
    from torch import nn

    from hwrnn.frontend.export_cells import FORMS

    if not isinstance(module, nn.Module):
        raise ExportFault(
            "module",
            f"this is {type(module).__name__}, not a torch.nn.Module",
            "pass the module itself, an object of a subclass of torch.nn.Module",
        )
    layers = dict(module.named_modules())
    for name, layer in layers.items():
        place = f'module "{shorten(name, 60)}"' if name else "module"
        if isinstance(layer, (nn.RNNBase, nn.RNNCellBase)):
            kind = type(layer).__name__
            known = next((q for k, q in _QUANTISED.items() if k in kind), _QUANTISED["LSTM"])
            hint = f"use {known}, with all its quantisers on"
            if getattr(layer, "proj_size", 0):
                fact = f"torch.nn.{kind} has a projection (proj_size={layer.proj_size})"
                hint = f"no quantised layer has one: use {known} and a QuantLinear behind it"
                raise ExportFault(place, fact, hint)
            raise ExportFault(place, f"torch.nn.{kind} is not quantised", hint)
        form = FORMS.get(type(layer))
        if form and (off := form.missing(layer)):
            fact = f"the {form.word} has no exact integers: {', '.join(off)} has no quantiser"
            hint = f"of its quantisers only {form.options} can be None"
            raise ExportFault(place, fact, hint)
    if not any(type(layer) in FORMS for layer in layers.values()):
        hint = f"use {' or '.join(_QUANTISED.values())}, all quantisers on"
        raise ExportFault("module", "there is no recurrent layer in it", hint)


def _partly_quantised(module: nn.Module) -> bool:
    from hwrnn.frontend.export_cells import FORMS

    return any(type(layer) in FORMS and FORMS[type(layer)].off(layer) for layer in module.modules())


def _check_exact(model: ModelProto) -> None:
    """Whether a cell without some quantisers still has exact integers depends on its numbers."""
    from qonnx.core.modelwrapper import ModelWrapper

    from hwrnn.frontend.integerise import integerise
    from hwrnn.frontend.read import lower, tidied

    copy = ModelProto.FromString(model.SerializeToString())
    try:
        integerise(lower(ModelWrapper(tidied(copy, "module"))).model, "module")
    except ImportFault as fault:
        fact = f"partly quantised, and has no exact integers: {fault.fact}"
        hint = "; or ".join(part for part in (fault.hint, "turn all quantisers on") if part)
        raise ExportFault(fault.place, fact, hint) from fault


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Python's warnings and what torch's C++ writes to file descriptor 2 off the terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(Exception):
            sys.stderr.flush()
        saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        try:
            yield
        finally:
            with suppress(Exception):
                sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            os.close(sink)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode, no gradients; afterwards every part is in the mode in which it was."""
    import torch
    from brevitas.export.manager import _restore_act_caching_mode

    from hwrnn.frontend.export_cells import CellManager
    from hwrnn.nn.states import every_state_found

    flags = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), every_state_found(module):
            yield
    finally:
        CellManager.set_export_mode(module, enabled=False)
        module.apply(_restore_act_caching_mode)
        for part, training in flags.items():
            part.training = training


def _answer(module: nn.Module, examples: dict[str, Tensor]) -> tuple[dict[str, np.ndarray], bool]:
    """The module's outputs on the example, by name; whether it is one plain tensor."""
    import torch

    from hwrnn.frontend.export_outputs import named_outputs

    try:
        result = module(*examples.values())
    except ExportFault:
        raise
    except Exception as fault:
        what = f"{type(fault).__name__}: {shorten(str(fault), 160)}"
        shapes = " and ".join(str(tuple(example.shape)) for example in examples.values())
        raise ExportFault(
            "example_input",
            f"the module fails on this input of shape {shapes}: {what}",
            "call module(example_input) yourself until it works",
        ) from fault
    found = named_outputs(module, result)
    arrays = {n: v.detach().to("cpu", torch.float32).numpy() for n, v in found.items()}
    return arrays, type(result) is torch.Tensor


def _to_onnx(module: nn.Module, examples: dict[str, Tensor], outputs: list[str]) -> ModelProto:
    from hwrnn.frontend.export_cells import CellManager

    inputs = tuple(examples.values())
    try:
        model: ModelProto = CellManager.export(
            module.eval(),
            args=inputs if len(inputs) > 1 else inputs[0],
            export_path=None,
            custom_opsets={HWRNN_DOMAIN: HWRNN_DOMAIN_VERSION},
            **_without_dynamo(),
            keep_initializers_as_inputs=False,
            input_names=list(examples),
            output_names=outputs,
        )
    except Exception as fault:
        what = f"{type(fault).__name__}: {shorten(str(fault), 240)}"
        hint = "networks of QuantIdentity, QuantLinear, QuantReLU and recurrent layers do export"
        if "nput scale required" in str(fault):
            hint = (
                "a bias quantiser needs the scale of its layer's input: return_quant_tensor=True "
                "before it; and remove layers that forward never calls"
            )
        raise ExportFault("module", f"Brevitas fails to export it: {what}", hint) from fault
    if not cells(model.graph.node):
        fact = "the exported graph holds no recurrent cell; Brevitas lost it on the way"
        raise ExportFault("module", fact, "please report this, with the module")
    return model


def _check_inputs(model: ModelProto, examples: dict[str, Tensor]) -> None:
    """Refuse what the exporter would drop without a word."""
    there = {port.name for port in model.graph.input}
    for name in examples:
        if name not in there:
            fact = f'its input "{name}" has no influence on the outputs'
            raise ExportFault("module", fact, "leave it out of forward and of example_input")


def _without_dynamo() -> dict[str, bool]:
    """The exporter that traces; torch before 2.5 knows no other, and not the option either."""
    import torch

    known = inspect.signature(torch.onnx.export).parameters
    return {"dynamo": False} if "dynamo" in known else {}


def _tidy(model: ModelProto) -> None:
    """A version that every engine reads, and free batch and steps at the input."""
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    fold_states(model)
    free_batch_and_steps(model)


def _check_place(target: Path) -> None:
    """Fail before the work, not after it."""
    if target.is_dir():
        raise OutputError(str(target), "this is a folder", "name a file in it: model.onnx")
    if not target.parent.is_dir():
        known = "there is a file of that name" if target.parent.exists() else "it does not exist"
        raise OutputError(str(target.parent), f"no folder to write to: {known}", "create it first")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(
            str(target.parent), "this folder is not writable", "choose another folder"
        )


def _write(target: Path, content: bytes) -> None:
    """Put the whole content in place in one step, or leave everything as it was."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:32]}.", dir=target.parent)
    except OSError as fault:
        raise OutputError(
            str(target.parent), f"cannot be written to: {fault.strerror}", "choose another folder"
        ) from fault
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    except OSError as fault:
        Path(name).unlink(missing_ok=True)
        raise OutputError(
            str(target),
            f"cannot be written: {fault.strerror}",
            "make room, or choose another place",
        ) from fault


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_record(target: Path, examples: dict[str, Tensor], answer: dict[str, np.ndarray]) -> None:
    content = io.BytesIO()
    arrays = {name: example.numpy() for name, example in examples.items()}
    if len(arrays) == 1:
        arrays = {"input": next(iter(arrays.values()))}
    arrays |= answer if len(answer) > 1 else {"output": next(iter(answer.values()))}
    floats: dict[str, Any] = {name: array.astype(np.float32) for name, array in arrays.items()}
    np.savez(content, **floats)
    _write(target, content.getvalue())
