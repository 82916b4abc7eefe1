# SPDX-License-Identifier: Apache-2.0
"""Write a Brevitas module as a QONNX file, or say in words why it cannot be one.

Brevitas' own `export_qonnx` loses recurrent layers with its default exporter, crashes on some
modules, and leaves a module that failed in export mode.  Here the module is checked first and
is afterwards as it was, and the file appears whole or not at all.
"""

from __future__ import annotations

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

from hwrnn.errors import ExportFault, OutputError, ToolError, shorten
from hwrnn.frontend.gate_orders import QUANT_LSTM_CELL
from hwrnn.frontend.lower_cells import CELL_OP, QUANTISERS, free_batch_and_steps

if TYPE_CHECKING:
    from torch import Tensor, nn

MAX_IR_VERSION = 13
"""The newest that ONNX Runtime 1.31 reads; onnx 1.23 itself would write 14."""

_QUANT_LSTM_HINT = "use brevitas.nn.QuantLSTM, with all its quantisers on"


def export(
    module: nn.Module,
    example_input: Tensor | np.ndarray,
    path: str | os.PathLike[str],
    *,
    record: bool = False,
) -> None:
    """Write `module` to `path` as QONNX, for `hwrnn.load` and every other reader of QONNX.

    `example_input` has the shape that the module takes, (batch, steps, features) if it is
    batch-first; its batch and steps are not fixed by the file.  With `record=True` the module's
    answer to it is written beside the file, to `<path without .onnx>.npz`, as float32 arrays
    `input` and `output`.

    Raises ExportFault for a module that QONNX cannot represent, OutputError for a place that
    cannot be written to, ToolError without torch and Brevitas.
    """
    target = Path(path)
    _check_place(target)
    with _quiet():
        _need_torch()
        _check_module(module)
        example = _as_tensor(example_input)
        with _evaluating(module):
            answer = _answer(module, example)
            model = _to_onnx(module, example)
    _tidy(model)
    _write(target, model.SerializeToString())
    if record:
        _write_record(target.with_suffix(".npz"), example.numpy(), answer)


def _need_torch() -> None:
    try:
        import brevitas.export
        import onnxoptimizer
        import torch  # noqa: F401 - only whether they are there
    except ImportError as fault:
        hint = 'pip install "hwrnn[train]"'
        raise ToolError("hwrnn.export", f"needs torch and brevitas: {fault}", hint) from fault
    del brevitas, onnxoptimizer


def _as_tensor(example: Tensor | np.ndarray) -> Tensor:
    import torch

    value = torch.as_tensor(example) if not isinstance(example, torch.Tensor) else example
    value = getattr(value, "value", value)  # a QuantTensor carries its real values there
    if not value.is_floating_point():
        raise ExportFault(
            "example_input", f"its type is {value.dtype}", "give real values, in float32"
        )
    return value.detach().to("cpu", torch.float32)


def _check_module(module: nn.Module) -> None:
    """Refuse what Brevitas would crash on, or silently write wrongly."""
    from brevitas.nn import QuantRNN
    from brevitas.nn.quant_rnn import _QuantLSTMLayer
    from torch import nn

    if not isinstance(module, nn.Module):
        raise ExportFault("module", f"this is {type(module).__name__}, not a torch.nn.Module")
    layers = dict(module.named_modules())
    for name, layer in layers.items():
        place = f'module "{shorten(name, 60)}"' if name else "module"
        if isinstance(layer, QuantRNN):
            fact = "Brevitas cannot export its QuantRNN (it raises TypeError)"
            raise ExportFault(place, fact, _QUANT_LSTM_HINT)
        if isinstance(layer, (nn.RNNBase, nn.RNNCellBase)):
            fact = f"torch.nn.{type(layer).__name__} is not quantised"
            raise ExportFault(place, fact, _QUANT_LSTM_HINT)
        if isinstance(layer, _QuantLSTMLayer):
            _check_layer(place, layer)
    if not any(isinstance(layer, _QuantLSTMLayer) for layer in layers.values()):
        raise ExportFault("module", "there is no recurrent layer in it", _QUANT_LSTM_HINT)


def _check_layer(place: str, layer: Any) -> None:  # noqa: ANN401 - Brevitas has no types
    """One layer and direction of a QuantLSTM: all of its quantisers, or none of our business."""
    off = [q for q in QUANTISERS if not getattr(layer.cell, f"{q}_quant").is_quant_enabled]
    gates = {gate: getattr(layer, f"{gate}_gate_params") for gate in QUANT_LSTM_CELL}
    off += [
        f"weights of the {gate} gate"
        for gate, parameters in gates.items()
        if parameters is not None and not parameters.input_weight.weight_quant.is_quant_enabled
    ]
    if off:
        options = "io_quant, gate_acc_quant, sigmoid_quant, tanh_quant, cell_state_quant"
        fact = f"the LSTM is not quantised in full: {', '.join(off)} has no quantiser"
        raise ExportFault(place, fact, f"leave none of {options} and weight_quant at None")


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
    from brevitas.export.onnx.qonnx.manager import QONNXManager

    flags = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        QONNXManager.set_export_mode(module, enabled=False)
        module.apply(_restore_act_caching_mode)
        for part, training in flags.items():
            part.training = training


def _answer(module: nn.Module, example: Tensor) -> np.ndarray:
    """The module's output on the example, which must be one tensor."""
    import torch

    try:
        result = module(example)
    except Exception as fault:
        what = f"{type(fault).__name__}: {shorten(str(fault), 160)}"
        raise ExportFault(
            "example_input",
            f"the module fails on this input of shape {tuple(example.shape)}: {what}",
            "call module(example_input) yourself until it works",
        ) from fault
    result = getattr(result, "value", result)
    if not isinstance(result, torch.Tensor):
        raise ExportFault(
            "module",
            f"it returns a {type(result).__name__}; only one tensor can be exported yet",
            "wrap the layer in a module whose forward does: y, _ = self.lstm(x); return y",
        )
    return np.asarray(result.detach().to("cpu", torch.float32).numpy())


def _one_tensor(module: nn.Module, example: Tensor) -> nn.Module:
    """The module itself, or, if it answers with a QuantTensor, one that unpacks it."""
    from torch import Tensor, nn

    if type(module(example)) is Tensor:
        return module

    class Unpacked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = module

        def forward(self, x: Tensor) -> Tensor:
            value: Tensor = self.net(x).value
            return value

    return Unpacked()


def _to_onnx(module: nn.Module, example: Tensor) -> ModelProto:
    from brevitas.export import export_qonnx

    single = _one_tensor(module, example)
    try:
        model: ModelProto = export_qonnx(
            single.eval(),
            args=example,
            export_path=None,
            dynamo=False,
            keep_initializers_as_inputs=False,
            input_names=["x"],
            output_names=["y"],
        )
    except Exception as fault:
        what = f"{type(fault).__name__}: {shorten(str(fault), 240)}"
        hint = "Brevitas exports networks of QuantIdentity, QuantLSTM, QuantLinear and QuantReLU"
        if "nput scale required" in str(fault):
            hint = (
                "a bias quantiser needs the scale of its layer's input: return_quant_tensor=True "
                "before it; and remove layers that forward never calls"
            )
        raise ExportFault("module", f"Brevitas fails to export it: {what}", hint) from fault
    if not any(node.op_type == CELL_OP for node in model.graph.node):
        fact = "the exported graph holds no recurrent cell; Brevitas lost it on the way"
        raise ExportFault("module", fact, "please report this, with the module")
    return model


def _tidy(model: ModelProto) -> None:
    """A version that every engine reads, and free batch and steps at the input."""
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    free_batch_and_steps(model)


def _check_place(target: Path) -> None:
    """Fail before the work, not after it."""
    if target.is_dir():
        raise OutputError(str(target), "this is a folder", "name a file in it: model.onnx")
    if not target.parent.is_dir():
        known = "there is a file of that name" if target.parent.exists() else "it does not exist"
        raise OutputError(str(target.parent), f"no folder to write to: {known}", "create it first")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(str(target.parent), "this folder is not writable")


def _write(target: Path, content: bytes) -> None:
    """Put the whole content in place in one step, or leave everything as it was."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:32]}.", dir=target.parent)
    except OSError as fault:
        raise OutputError(str(target.parent), f"cannot be written to: {fault.strerror}") from fault
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    except OSError as fault:
        Path(name).unlink(missing_ok=True)
        raise OutputError(str(target), f"cannot be written: {fault.strerror}") from fault


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_record(target: Path, example: np.ndarray, answer: np.ndarray) -> None:
    content = io.BytesIO()
    np.savez(content, input=example.astype(np.float32), output=answer.astype(np.float32))
    _write(target, content.getvalue())
