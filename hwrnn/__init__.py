# SPDX-License-Identifier: Apache-2.0
"""FPGA code generation for quantised recurrent networks, proved bit-exact on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwrnn import device, nn
    from hwrnn.flow import (
        build,
        emit,
        estimate,
        export,
        load,
        run,
        simulate,
        synthesise,
        verify,
        weights,
    )
    from hwrnn.nn.quantizing import quantize

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "build",
    "device",
    "emit",
    "estimate",
    "export",
    "load",
    "nn",
    "quantize",
    "run",
    "simulate",
    "synthesise",
    "verify",
    "weights",
]


def __getattr__(name: str) -> object:
    """Load the compiler when one of its functions is first asked for: importing hwrnn is free."""
    if name not in __all__:
        raise AttributeError(f"module 'hwrnn' has no attribute {name!r}")
    from importlib import import_module

    if name in {"device", "nn"}:
        return import_module(f"hwrnn.{name}")
    home = "hwrnn.nn.quantizing" if name == "quantize" else "hwrnn.flow"
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
