# SPDX-License-Identifier: Apache-2.0
"""The order in which each dialect stores the gates of a cell; written here and nowhere else.

Inside hwrnn a gate has a name, never a position.  LSTM: `input`, `forget`, `cell`, `output`
(i, f, g, o in the papers).  GRU: `reset`, `update`, `new` (r, z, n).  RNN: `hidden`.
"""

from __future__ import annotations

from typing import Final

GateOrder = tuple[str, ...]

QUANT_LSTM_CELL: Final[GateOrder] = ("input", "forget", "cell", "output")
TORCH_LSTM: Final[GateOrder] = ("input", "forget", "cell", "output")
TORCH_GRU: Final[GateOrder] = ("reset", "update", "new")
ONNX_LSTM: Final[GateOrder] = ("input", "output", "forget", "cell")
ONNX_GRU: Final[GateOrder] = ("update", "reset", "new")
ONNX_RNN: Final[GateOrder] = ("hidden",)
ONNX_PEEPHOLES: Final[GateOrder] = ("input", "output", "forget")
QUANT_GRU_CELL: Final[GateOrder] = ("reset", "update", "new")
QUANT_RNN_CELL: Final[GateOrder] = ("hidden",)
