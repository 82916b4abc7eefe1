# SPDX-License-Identifier: Apache-2.0
"""What a design is counted by: an instance of a library module, with its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An instance of a library module in the kernel `kernel`.

    `given`: its parameters as numbers (a list of numbers side by side, as the hardware has it).
    `words`: what its memory holds at power-on, if it has one. `style`: what a memory is made of.
    `weights`: it is the weight memory of an engine.
    """

    kernel: str
    module: str
    given: Mapping[str, int]
    words: tuple[int, ...] = ()
    style: str = "auto"
    weights: bool = False
