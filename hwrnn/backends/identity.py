# SPDX-License-Identifier: Apache-2.0
"""What names an emitted design: its top, and the read-only constants that it carries."""

from __future__ import annotations

import re

from hwrnn import __version__
from hwrnn.design.design import Design


def top_name(design: Design) -> str:
    """Name of the top function and of the top module: never a keyword of any language."""
    return f"hwrnn_{design.name}"


def version_word() -> int:
    """The tool's version in 32 bits: major, minor and patch, 8 bits each, from bit 16 down."""
    numbers = [int(n) for n in re.findall(r"\d+", __version__)[:3]]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return (major << 16) | (minor << 8) | patch


def model_word(design: Design) -> int:
    """The first 64 bits of the model's hash."""
    return int(design.model_hash[:16], 16)


def banner(design: Design) -> tuple[str, str]:
    """The two lines at the top of every generated file: tool and version, model and its hash."""
    return (
        f"Written by hwrnn {__version__}; do not edit.",
        f"Model {design.name}, hash {design.model_hash[:16]}.",
    )
