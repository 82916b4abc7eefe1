# SPDX-License-Identifier: Apache-2.0
"""`hwrnn.quantize`: float torch modules, quantised after training. Torch is loaded when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwrnn.errors import ToolError

if TYPE_CHECKING:
    from torch import nn


def quantize(
    module: nn.Module,
    calibration_data: object,
    *,
    weight_bits: int = 8,
    act_bits: int = 8,
    scales: str = "pot",
    observer: str = "max",
) -> nn.Module:
    """A copy of a float module whose layers are quantised: weights copied, scales calibrated.

    calibration_data: what the module takes, or an iterable of such batches; of a pair (as a
    DataLoader gives) the first entry is the input. scales: "pot" (powers of two) or "float".
    observer: "max", "percentile" (99.9 %) or "mse". The copy is in eval mode, ready for
    `hwrnn.export`, or to be trained on. `torch.nn.LSTM`, `GRU`, `RNN`, `Linear`, `Conv1d` and
    `Embedding` take their quantised form; layers without parameters stay as they are. Raises
    ExportFault for any other layer with parameters, DesignError for an impossible option,
    ToolError without torch and Brevitas.
    """
    try:
        from hwrnn.nn import ptq
    except ImportError as fault:
        hint = 'pip install "hwrnn[train]"'
        raise ToolError("hwrnn.quantize", f"needs torch and brevitas: {fault}", hint) from fault
    return ptq.quantize(
        module,
        calibration_data,
        weight_bits=weight_bits,
        act_bits=act_bits,
        scales=scales,
        observer=observer,
    )
