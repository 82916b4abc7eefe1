# SPDX-License-Identifier: Apache-2.0
"""Folding: how many hidden units (pe) and columns (simd) a layer works on at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hwrnn.errors import DesignError

DEFAULT_SIMD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """pe hidden units (or dense outputs) and simd columns at once; neither need divide."""

    pe: int
    simd: int


FoldingSpec = Mapping[str, object] | str | Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """What limits a layer's folding: rows (units) and columns of its widest operand."""

    name: str
    units: int
    columns: int

    def default(self) -> Fold:
        """One unit at a time, up to eight columns."""
        return Fold(pe=1, simd=min(self.columns, DEFAULT_SIMD))


def resolve(spec: FoldingSpec, layers: tuple[LayerShape, ...]) -> dict[str, Fold]:
    """A fold for every layer. Raises DesignError for unknown layers, keys and impossible sizes."""
    if spec is None:
        return {layer.name: layer.default() for layer in layers}
    table = read_json(Path(spec)) if isinstance(spec, str | Path) else spec
    if not isinstance(table, Mapping):
        raise DesignError("folding", "is not a table", 'write {"pe": 4, "simd": 16}')
    if set(table) <= {"pe", "simd"}:
        if len(layers) > 1:
            fold_of(largest(layers), table, clip=False)  # what no layer has is a mistake
        return {layer.name: fold_of(layer, table, clip=len(layers) > 1) for layer in layers}
    known = {layer.name: layer for layer in layers}
    for name in table:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise DesignError(
                f'folding "{name}"', "is not a layer", f"{hint}the layers are {', '.join(known)}"
            )
    return {
        layer.name: fold_of(layer, as_table(layer, table[layer.name]), clip=False)
        if layer.name in table
        else layer.default()
        for layer in layers
    }


def largest(layers: tuple[LayerShape, ...]) -> LayerShape:
    """The most units and the most columns of any layer."""
    units, columns = max(s.units for s in layers), max(s.columns for s in layers)
    return LayerShape(name="every layer", units=units, columns=columns)


def as_table(layer: LayerShape, entry: object) -> Mapping[str, object]:
    """The entry of one layer."""
    if not isinstance(entry, Mapping):
        raise DesignError(
            f'folding "{layer.name}"', "is not a table", 'write {"pe": 4, "simd": 16}'
        )
    return entry


def fold_of(layer: LayerShape, table: Mapping[str, object], *, clip: bool) -> Fold:
    """One layer's fold; a folding for all layers is cut to what a smaller layer has (`clip`)."""
    place = f'folding "{layer.name}"'
    for key in table:
        if key not in ("pe", "simd"):
            raise DesignError(place, f'has the unknown key "{key}"', "the keys are pe and simd")
    default = layer.default()
    pe, simd = table.get("pe", default.pe), table.get("simd", default.simd)
    sizes = (("pe", pe, layer.units, "units"), ("simd", simd, layer.columns, "columns"))
    for key, value, most, what in sizes:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise DesignError(place, f"{key} is {value!r}", f"{key} is a whole number from 1")
        if value > most and not clip:
            raise DesignError(
                place, f"{key} {value} is more than the {most} {what}", f"use {key} {most} or less"
            )
    assert isinstance(pe, int)
    assert isinstance(simd, int)
    return Fold(pe=min(pe, layer.units), simd=min(simd, layer.columns))


def read_json(path: Path) -> object:
    """A folding file."""
    try:
        found: object = json.loads(path.read_text())
    except OSError as fault:
        raise DesignError(str(path), f"cannot be read: {fault.strerror}") from fault
    except ValueError as fault:
        raise DesignError(str(path), f"is not JSON: {fault}") from fault
    return found
