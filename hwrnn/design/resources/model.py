# SPDX-License-Identifier: Apache-2.0
"""Resources of the parts of a design: LUT and FF by fitted models, blocks by rule.

The coefficients (coefficients.json) are those of `make calibrate`, which synthesises many instances
of every library module with yosys and fits, for each module and family, a sum of its features.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hwrnn.board import Family
from hwrnn.design.resources.blocks import hard_multipliers, memory_blocks
from hwrnn.design.resources.features import STREAMS, Feature, Features, View, none
from hwrnn.design.resources.features_arithmetic import ARITHMETIC
from hwrnn.design.resources.features_lutram import LUT_RAMS
from hwrnn.design.resources.features_memory import MEMORIES
from hwrnn.design.resources.features_steps import STEP_RAMS, STEPS, below
from hwrnn.design.resources.features_written import WRITTEN, WRITTEN_RAMS, written_blocks
from hwrnn.design.resources.part import Part

FOLDER = Path(__file__).resolve().parent
MODULES: dict[str, tuple[Feature, Feature]] = {
    **STREAMS,
    **MEMORIES,
    **ARITHMETIC,
    **STEPS,
    **WRITTEN,
}
RAMS: dict[str, Feature] = {**LUT_RAMS, **STEP_RAMS, **WRITTEN_RAMS}
UNFITTED = {"weights": {}, "error": 0.3}  # of a module that was not synthesised
KINDS = ("luts", "ffs")
NINE_IN_TEN = 2.3  # standard errors of the fits: so many held 41 of 45 designs (docs/resources.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Resources of a part, a kernel or a design.

    `lut_rams`: LUTs that hold memory, `rom_luts`: those of weight memories; both are among `luts`.
    Errors: for each module the standard error of its model times what the parts of that module
    take; parts of one module err alike, those of others on their own.
    """

    luts: float = 0
    ffs: float = 0
    lut_rams: float = 0
    rom_luts: float = 0
    dsps: float = 0
    block_rams: float = 0
    errors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __add__(self, other: Count) -> Count:
        errors = {
            kind: added(self.errors.get(kind, {}), other.errors.get(kind, {}))
            for kind in (*KINDS, "rom_luts")
        }
        return Count(
            luts=self.luts + other.luts,
            ffs=self.ffs + other.ffs,
            lut_rams=self.lut_rams + other.lut_rams,
            rom_luts=self.rom_luts + other.rom_luts,
            dsps=self.dsps + other.dsps,
            block_rams=self.block_rams + other.block_rams,
            errors=errors,
        )

    def error(self, kind: str) -> float:
        """The error that nine designs in ten stay below, in units of `kind`."""
        return NINE_IN_TEN * math.hypot(*self.errors.get(kind, {}).values())


def added(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """Sums by name."""
    return {k: a.get(k, 0) + b.get(k, 0) for k in {**a, **b}}


def total(counts: Iterable[Count]) -> Count:
    """The sum."""
    return sum(counts, Count())


def count(part: Part, family: Family) -> Count:
    """What one part takes."""
    return sum((own(p, family) for p in below(part)), own(part, family))


def own(part: Part, family: Family) -> Count:
    """What one part takes without those that are counted by themselves."""
    logic, lut_error = predicted("luts", part, family)
    rams = sum(RAMS.get(part.module, none)(View(part, family)).values())
    ffs, ff_error = predicted("ffs", part, family)
    errors = {"luts": {part.module: lut_error}, "ffs": {part.module: ff_error}}
    if part.weights:
        errors["rom_luts"] = {part.module: lut_error}
    return Count(
        luts=logic + rams,
        ffs=ffs,
        lut_rams=rams,
        rom_luts=logic + rams if part.weights else 0,
        dsps=hard_multipliers(part, family),
        block_rams=memory_blocks(part, family) + written_blocks(part, family),
        errors=errors,
    )


def predicted(kind: str, part: Part, family: Family) -> tuple[float, float]:
    """LUTs or FFs of a part, and their standard error. What no row of the sweep had is taken for
    what a feature is meant to be: a LUT or a FF each.
    """
    model = coefficients()["families"][family.value][kind].get(part.module, UNFITTED)
    found = features(kind, part, family)
    value = sum(float(model["weights"].get(name, 1)) * amount for name, amount in found.items())
    return value, value * float(model["error"])


def features(kind: str, part: Part, family: Family) -> Features:
    """Of what a part is made."""
    both = MODULES.get(part.module, (none, none))
    return both[KINDS.index(kind)](View(part, family))


@cache
def coefficients() -> Any:  # noqa: ANN401 - JSON: families, kinds, modules, weights and an error
    """The data file."""
    return json.loads((FOLDER / "coefficients.json").read_text(encoding="utf-8"))
