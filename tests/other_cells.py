# SPDX-License-Identifier: Apache-2.0
"""Networks with a QuantRNN or a QuantGRU: every combination of their options, and random ones.

`make sweep` runs all of them through the checks of tests/exactness.py, tests/test_rnn_gru.py some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import exactness
import numpy as np
from networks import NetworkSpec, draw

SEED = 2027
RANDOM = 60
ENGINES = {"csim": 12, "rtl": 12}
CELLS = ("rnn", "gru")
DIRECTIONS = ("one", "two", "shared")  # "shared": both directions with the weights of one
BIASES = ("int32", "float", "none")


@dataclass(frozen=True)
class Case:
    """One check of one network."""

    kind: str  # "options", "random", or an engine
    cell: str
    index: int

    @property
    def spec(self) -> NetworkSpec:
        if self.kind == "options":
            return options(self.cell)[self.index]
        return random(self.cell, self.index)

    def __str__(self) -> str:
        return f"{self.kind}-{self.cell}-{self.index}"


def random(cell: str, index: int) -> NetworkSpec:
    """A network with a small cell, and whatever else tests/networks.py draws."""
    rng = np.random.default_rng([SEED, CELLS.index(cell), index])
    spec = draw(rng)
    while spec.select == "flatten" and not spec.dense:  # refused: its length is the input's
        spec = draw(rng)
    return replace(
        spec,
        cell=cell,
        cifg=False,
        nonlinearity=("tanh", "relu")[index % 2],
        reset_after=index % 2 == 0,
    )


@cache
def options(cell: str) -> list[NetworkSpec]:
    """Every combination of the options of a layer, each on a tiny network."""
    own: dict[str, list[dict[str, Any]]] = {
        "rnn": [{"nonlinearity": name} for name in ("tanh", "relu")],
        "gru": [
            {
                "reset_after": after,
                "shared_intra_layer_weight_quant": shared,
                "shared_intra_layer_gate_acc_quant": shared,
            }
            for after in (True, False)
            for shared in (True, False)
        ],
    }
    every = product(own[cell], BIASES, (1, 2), DIRECTIONS, (True, False))
    return [tiny(cell, index, *chosen) for index, chosen in enumerate(every)]


def tiny(  # noqa: PLR0917 - one of each factor of the product
    cell: str,
    index: int,
    own: dict[str, Any],
    bias: str,
    layers: int,
    directions: str,
    batch_first: bool,
) -> NetworkSpec:
    """A network of a few units; its bits and scales are drawn."""
    spec = draw(np.random.default_rng([SEED, 7, CELLS.index(cell), index]))
    spec = replace(
        spec,
        cell=cell,
        cifg=False,
        inputs=2,
        hidden=3,
        layers=layers,
        bidirectional=directions != "one",
        shared_input_hidden_weights=directions == "shared",
        batch_first=batch_first,
        bias=bias,
        select="sequence",
        steps=3,
        quant_select_bits=0,
        dense=(),
    )
    return replace(spec, **own)


def cases() -> Iterator[Case]:
    """All of the sweep, in order; those of an engine are the first of the random ones."""
    for cell in CELLS:
        for index in range(len(options(cell))):
            yield Case("options", cell, index)
    for kind, number in {"random": RANDOM, **ENGINES}.items():
        for index, cell in product(range(number), CELLS):
            yield Case(kind, cell, index)


CHECKS: dict[str, Callable[[NetworkSpec, Path], dict[str, Any]]] = {
    "options": exactness.meaning,
    "random": exactness.meaning,
    "csim": exactness.CHECKS["csim"],
    "rtl": exactness.CHECKS["rtl"],
}


def run_case(case: Case, folder: Path) -> dict[str, Any]:
    """One case; `folder` is empty and may be thrown away."""
    return CHECKS[case.kind](case.spec, folder)
