# SPDX-License-Identifier: Apache-2.0
"""The one Jinja environment of all back ends, and how a number is printed in SystemVerilog."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PACKAGE = Path(__file__).resolve().parent.parent
TEMPLATES = PACKAGE / "templates"


@cache
def environment() -> Environment:
    """Templates of `hwrnn/templates`; an unknown name is an error, never an empty text.

    A back end adds the filters of its own language: `environment().filters["cpp_int"] = ...`.
    """
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - we write hardware, not web pages
    )
    env.filters["sv_int"] = sv_int
    return env


def render(template: str, view: DataclassInstance) -> str:
    """Fill `template` (a path below hwrnn/templates) with the fields of a frozen view object."""
    names = {f.name: getattr(view, f.name) for f in dataclasses.fields(view)}
    return environment().get_template(template).render(names)


def sv_int(value: int, width: int) -> str:
    """`value` as a SystemVerilog literal of `width` bits; a negative one in two's complement.

    Raises ValueError if it does not fit: as plain binary, or as two's complement when negative.
    """
    if width < 1 or not -(1 << (width - 1)) <= value < 1 << width:
        raise ValueError(f"{value} does not fit {width} bits")
    if value >= 0:
        return f"{width}'d{value}"
    return f"{width}'h{value & ((1 << width) - 1):x}"
