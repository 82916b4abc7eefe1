# SPDX-License-Identifier: Apache-2.0
"""Folding: how many hidden units (pe) and columns (simd) a layer works on at once.

A folding is a table: `{"pe": 4, "simd": 16}` for every layer, or one such table for each layer.
Layers that it does not name take what `"defaults"` says, then one unit and up to eight columns.
A JSON file holds the same table. See docs/folding.md.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any

from hwrnn.errors import DesignError

DEFAULT_SIMD = 8
DEFAULTS = "defaults"
KEYS = ("pe", "simd", "weights")
WEIGHTS = ("auto", "lut", "bram", "uram")
EXAMPLE = 'write {"pe": 4, "simd": 16}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """pe hidden units (or dense outputs) and simd columns at once; neither need divide.

    `weights`: where the layer's weights are kept, one of `WEIGHTS`.
    """

    pe: int
    simd: int
    weights: str = "auto"

    def as_dict(self) -> dict[str, object]:
        """The entry of a folding table; `weights` only where it is not the default."""
        chosen: dict[str, object] = {} if self.weights == "auto" else {"weights": self.weights}
        return {"pe": self.pe, "simd": self.simd, **chosen}


FoldingSpec = Mapping[str, object] | str | Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """What limits a layer's folding: its units, and the columns that may share a block.

    `h`: how many of the columns are those of states (0: only x).
    """

    name: str
    units: int
    columns: int
    h: int = 0

    @property
    def x(self) -> int:
        """Columns of the input."""
        return self.columns - self.h

    def default(self) -> Fold:
        """One unit at a time, up to eight columns."""
        return Fold(pe=1, simd=min(max(self.x, self.h), DEFAULT_SIMD))

    def most(self, key: str) -> tuple[int, str]:
        """The largest value of pe or simd, and what there are so many of."""
        if key == "pe":
            return self.units, f"{self.units} units"
        parts = f" ({self.x} of x + {self.h} of h)" if self.h else ""
        return self.columns, f"{self.columns} columns{parts}"


def resolve(spec: FoldingSpec, layers: tuple[LayerShape, ...]) -> dict[str, Fold]:
    """A fold for every layer. Raises DesignError for unknown layers, keys and impossible sizes."""
    if spec is None:
        return {layer.name: layer.default() for layer in layers}
    table = read_json(Path(spec)) if isinstance(spec, str | Path) else spec
    if not isinstance(table, Mapping):
        raise DesignError("folding", "is not a table", EXAMPLE)
    known = {layer.name: layer for layer in layers}
    if not set(known) & set(table) and set(table) <= set(KEYS):
        return for_all(table, layers)
    others = {}
    if DEFAULTS in table and DEFAULTS not in known:
        others = for_all(as_table(DEFAULTS, table[DEFAULTS]), layers, DEFAULTS)
    for name in table:
        if name not in known and name != DEFAULTS:
            raise unknown_layer(name, known)
    base = {layer.name: others.get(layer.name, layer.default()) for layer in layers}
    return {
        name: fold_of(layer, as_table(name, table[name]), base[name])
        if name in table
        else base[name]
        for name, layer in known.items()
    }


def for_all(
    table: Mapping[str, object], layers: tuple[LayerShape, ...], place: str = ""
) -> dict[str, Fold]:
    """One entry for every layer, cut to what each has; what no layer has is a mistake."""
    if len(layers) == 1 and not place:
        return {layer.name: fold_of(layer, table, layer.default()) for layer in layers}
    every = largest(layers, place or "every layer")
    fold_of(every, table, every.default())
    return {layer.name: clipped(layer, table) for layer in layers}


def clipped(layer: LayerShape, table: Mapping[str, object]) -> Fold:
    """A checked entry, cut to what a layer has."""
    sizes = {
        key: min(as_whole(table[key]), layer.most(key)[0]) for key in ("pe", "simd") if key in table
    }
    return fold_of(layer, {**table, **sizes}, layer.default())


def largest(layers: Iterable[LayerShape], name: str) -> LayerShape:
    """A layer with the most units and the columns of the widest."""
    shapes = tuple(layers)
    widest = max(shapes, key=lambda s: s.columns, default=LayerShape(name=name, units=1, columns=1))
    units = max((s.units for s in shapes), default=1)
    return LayerShape(name=name, units=units, columns=widest.columns, h=widest.h)


def unknown_layer(name: object, known: Iterable[str]) -> DesignError:
    """The refusal of a name that no layer has."""
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return DesignError(
        f'folding "{name}"', "is not a layer", f"{hint}the layers are {', '.join(names)}"
    )


def as_table(name: str, entry: object) -> Mapping[str, object]:
    """The entry of one layer."""
    if not isinstance(entry, Mapping):
        raise DesignError(f'folding "{name}"', "is not a table", EXAMPLE)
    return entry


def fold_of(layer: LayerShape, table: Mapping[str, object], base: Fold) -> Fold:
    """One layer's fold; keys that the entry does not have are those of `base`."""
    place = f'folding "{layer.name}"'
    for key in table:
        if key not in KEYS:
            hint = "the keys are pe, simd and weights"
            raise DesignError(place, f'has the unknown key "{key}"', hint)
    weights = table.get("weights", base.weights)
    if weights not in WEIGHTS:
        raise DesignError(
            place, f"weights is {weights!r}", f"weights is one of {', '.join(WEIGHTS)}"
        )
    return Fold(
        pe=size(layer, "pe", table.get("pe", base.pe)),
        simd=size(layer, "simd", table.get("simd", base.simd)),
        weights=str(weights),
    )


def size(layer: LayerShape, key: str, value: object) -> int:
    """A checked pe or simd."""
    place, (most, what) = f'folding "{layer.name}"', layer.most(key)
    found = as_whole(value)
    if found < 1:
        hint = f"{key} is a whole number from 1 to {most}"
        raise DesignError(place, f"{key} is {value!r}", hint)
    if found > most:
        raise DesignError(
            place, f"{key} {found} is more than the {what}", f"use {key} {most} or less"
        )
    return found


def as_whole(value: Any) -> int:  # noqa: ANN401 - whatever a user wrote
    """A whole number, also one of numpy's; 0 for what is none."""
    try:
        return 0 if isinstance(value, bool) else index(value)
    except TypeError:
        return 0


def folding_text(folding: Mapping[str, Mapping[str, object]]) -> str:
    """A folding table as the text of a JSON file, a line for each layer."""
    lines = [f"  {json.dumps(name)}: {json.dumps(dict(entry))}" for name, entry in folding.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_json(path: Path) -> object:
    """A folding file."""
    try:
        found: object = json.loads(path.read_text())
    except OSError as fault:
        raise DesignError(str(path), f"cannot be read: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:
        raise DesignError(str(path), f"is not JSON: {fault}") from fault
    return found
