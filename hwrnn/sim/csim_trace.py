# SPDX-License-Identifier: Apache-2.0
"""What C simulation records when asked: how often each pipelined loop goes round, and all sums."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwrnn.design.design import Design
from hwrnn.sim.csim import Given, build_csim, run_csim

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulation:
    """The sums of one group behind one block of a step; steps are counted as the engine takes
    them. `sums`: gate after gate, each unit by unit.
    """

    step: int
    block: int
    group: int
    sums: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsimTrace:
    """A run of the HLS C++.

    `counts`: how often each pipelined loop did work, by "kernel/LOOP". `sums`: for each engine
    what it accumulated, in order.
    """

    outputs: list[Ints]
    counts: dict[str, int]
    sums: dict[str, list[Accumulation]]


def trace_csim(design: Design, sequences: Sequence[Ints]) -> CsimTrace:
    """Run the HLS C++ of a design and record. Raises what `simulate_csim` raises."""
    program = build_csim(design, "-DHWRNN_TRACE")
    with tempfile.TemporaryDirectory(prefix="hwrnn-csim-") as folder:
        file = Path(folder) / "trace"
        given = Given(sequences=sequences)
        outputs = run_csim(design, given, program, Path(folder), str(file))[design.sink.name]
        lines = [line.split() for line in file.read_text().splitlines()]
    counts = {words[1]: int(words[2]) for words in lines if words[0] == "count"}
    sums: dict[str, list[tuple[int, ...]]] = {e.name: [] for e in design.engines}
    for kind, name, *numbers in lines:
        if kind == "sums":
            sums[name].append(tuple(map(int, numbers)))
    return CsimTrace(
        outputs=outputs,
        counts=counts,
        sums={name: accumulations(found) for name, found in sums.items()},
    )


def accumulations(rows: Sequence[tuple[int, ...]]) -> list[Accumulation]:
    """Rows of block, group and sums, with the step in which each stands."""
    step, found = -1, []
    for block, group, *sums in rows:
        step += block == 0 and group == 0
        found.append(Accumulation(step=step, block=block, group=group, sums=tuple(sums)))
    return found
