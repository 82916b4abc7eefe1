# SPDX-License-Identifier: Apache-2.0
"""The folding of a design, as a table and as a file that builds the same design again."""

from __future__ import annotations

from pathlib import Path

from hwrnn.design.design import Design
from hwrnn.design.folding import folding_text
from hwrnn.errors import OutputError


def folding_of(design: Design) -> dict[str, dict[str, object]]:
    """The folding of a design, as the table that builds it again."""
    return {name: fold.as_dict() for name, fold in design.folds}


def folding_json(design: Design) -> str:
    """The folding of a design as the text of a JSON file."""
    return folding_text(folding_of(design))


def write_folding(path: Path, design: Design) -> None:
    """Write the folding of a design to a file. Raises OutputError."""
    try:
        path.write_text(folding_json(design))
    except OSError as error:
        raise OutputError(
            str(path),
            f"cannot be written: {error.strerror}",
            "name a file in a folder that exists and that you may write to",
        ) from error
