# SPDX-License-Identifier: Apache-2.0
"""What a module answers with: the tensors in it, and what they are called in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hwrnn.errors import ExportFault

if TYPE_CHECKING:
    from torch import Tensor, nn


def named_outputs(module: nn.Module, result: Any) -> dict[str, Tensor]:  # noqa: ANN401 - whatever it is
    """The tensors of an answer by name: `y`; `y`, `h`, `c`; a dict's keys; or `y0`, `y1`, ..

    Raises ExportFault for anything that is no tensor.
    """
    parts = list(tensors(result))
    if isinstance(result, Mapping):
        names = [re.sub(r"\W", "_", str(key)) or "y" for key in result]
    elif len(parts) == 1:
        names = ["y"]
    elif stateful(module, result) and len(parts) <= 3:
        names = ["y", "h", "c"][: len(parts)]
    else:
        names = [f"y{k}" for k in range(len(parts))]
    if len(set(names)) != len(parts):
        raise ExportFault(
            "module",
            f"it returns {len(parts)} tensors in a dict of {len(set(names))} names",
            "give each tensor a key of its own",
        )
    return dict(zip(names, parts, strict=True))


def stateful(module: nn.Module, result: Any) -> bool:  # noqa: ANN401
    """(y, (h, c)) of anything, or (y, h) of a recurrent layer."""
    from brevitas.nn.quant_rnn import QuantRecurrentStackBase

    nested = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], tuple)
    return nested or isinstance(module, QuantRecurrentStackBase)


def tensors(result: Any) -> Iterator[Tensor]:  # noqa: ANN401
    """Every tensor of an answer, in order; of a QuantTensor its real values."""
    import torch
    from brevitas.quant_tensor import QuantTensor

    if isinstance(result, QuantTensor):
        result = result.value
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, Mapping):
        for part in result.values():
            yield from tensors(part)
    elif isinstance(result, list | tuple):
        for part in result:
            yield from tensors(part)
    else:
        raise ExportFault(
            "module",
            f"it returns a {type(result).__name__}; only tensors can be exported",
            "wrap the layer in a module whose forward does: y, _ = self.lstm(x); return y",
        )


def unpacked(module: nn.Module) -> nn.Module:
    """A module that answers with the plain tensors in the answer of another."""
    from torch import nn

    class Unpacked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = module

        def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
            return tuple(tensors(self.net(*given)))

    return Unpacked()
