# SPDX-License-Identifier: Apache-2.0
"""Layers for torch that Brevitas lacks. Importing this imports neither; using a layer does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwrnn.nn.gru import QuantGRU
    from hwrnn.nn.states import QuantLSTM, QuantRNN

__all__ = ["QuantGRU", "QuantLSTM", "QuantRNN"]


def __getattr__(name: str) -> object:
    """Load torch and Brevitas when a layer is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'hwrnn.nn' has no attribute {name!r}")
    from hwrnn.errors import ToolError

    try:
        from hwrnn.nn import gru, states
    except ImportError as fault:
        hint = 'pip install "hwrnn[train]"'
        raise ToolError(f"hwrnn.nn.{name}", f"needs torch and brevitas: {fault}", hint) from fault
    value: object = getattr(gru if name == "QuantGRU" else states, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
