# SPDX-License-Identifier: Apache-2.0
"""What a design is counted by: an instance of a library module, with its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An instance of a library module in the kernel `kernel`.

    `given`: its parameters as numbers (a text that is none is absent; a list of numbers is packed
    as the hardware has it). `words`: what its memory holds at power-on, if it has one.
    """

    kernel: str
    module: str
    given: Mapping[str, int]
    words: tuple[int, ...] = ()
    style: str = "auto"
    weights: bool = False
    defaults: Mapping[str, int] = field(default_factory=dict)
