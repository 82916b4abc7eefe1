# SPDX-License-Identifier: Apache-2.0
"""From the names in a model file to identifiers: short, safe in every language, unique."""

from __future__ import annotations

import re

from hwrnn.frontend.reserved import RESERVED

LIMIT = 40
_NOISE = {"export_handler", "act_quant", "activation_impl", "tensor_quant", "weight_quant", ""}


class Namer:
    """Hands out identifiers; the same wish twice gives two different names.

    They differ in more than case: some file systems and tools take `A` and `a` for one.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def fresh(self, wish: str) -> str:
        """An identifier that looks like `wish` and is not taken."""
        base = identifier(wish)
        name, n = base, 2
        while name.lower() in self._taken:
            name, n = f"{base}x{n}", n + 1
        self._taken.add(name.lower())
        return name


def identifier(text: str) -> str:
    """A letter, then at most 39 letters, digits and single underscores; no digits after a _.

    Never a word that a language keeps for itself, in whatever case.
    """
    clean = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    clean = re.sub(r"_(?=\d)", "", clean) or "v"
    if not clean[0].isalpha():
        clean = "v" + clean
    short = clean[:LIMIT].rstrip("_")
    return f"{short}_v" if short.lower() in RESERVED else short


def tensor_wish(tensor: str, op_type: str) -> str:
    """What an exporter's tensor name says to a reader: `/fc/Gemm_output_0` is `fc`."""
    text = re.sub(r"_output_\d+$", "", tensor)
    text = re.sub(r"layers[._](\d+)[._](\d+)", r"l\1d\2", text)
    parts = [p for p in text.split("/") if re.sub(r"_\d+$", "", p) not in _NOISE]
    if len(parts) > 1 and re.sub(r"_\d+$", "", parts[-1]) in (op_type, "y_scan"):
        parts.pop()
    return "_".join(parts) or op_type.lower()
