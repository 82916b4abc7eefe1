# SPDX-License-Identifier: Apache-2.0
"""The Jinja environment of pictures and pages: every text is escaped."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "report"


@cache
def environment() -> Environment:
    """Templates of `hwrnn/templates/report`; an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )


def render(template: str, view: DataclassInstance) -> Markup:
    """Fill a template with the fields of a view object."""
    names = {f.name: getattr(view, f.name) for f in dataclasses.fields(view)}
    return Markup(environment().get_template(template).render(names))  # noqa: S704 - escaped
