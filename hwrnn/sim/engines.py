# SPDX-License-Identifier: Apache-2.0
"""The engines that run emitted hardware, behind one function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwrnn.cmodel.data import Batch, arrange
from hwrnn.cmodel.fragments import check_first
from hwrnn.design.design import Design
from hwrnn.design.engine import Storage
from hwrnn.errors import DataError, DesignError

if TYPE_CHECKING:
    from hwrnn.backends.image import Image
    from hwrnn.sim.netlist import MapDesign
    from hwrnn.sim.rtl import RtlResult, States

Ints = NDArray[np.int64]
ENGINES = ("csim", "rtl", "hls_dpi", "netlist")
HLS = ("csim", "hls_dpi")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimResult:
    """What a simulation gave.

    `outputs`: integers in the model's axes; a dict by name if the graph has several outputs.
    `cycles`: first input beat accepted to last output beat accepted over all sequences and ports;
    None for csim and hls_dpi.
    """

    outputs: Any
    cycles: int | None


def simulate_batch(
    design: Design,
    batch: Batch,
    engine: str,
    trace: Path | None,
    image: Image | None = None,
    *,
    first: Sequence[bool] | None = None,
    map_design: MapDesign | None = None,
) -> SimResult:
    """Run the sequences of a batch, one after the other. Raises DesignError, ToolError.

    `image`: what is written to a design with writable weights before the first of them.
    `first`: which of them start anew in a design that keeps states; by default the first one.
    `map_design`: makes the netlist for the engine netlist.
    """
    if engine not in ENGINES:
        raise DesignError(f'engine "{engine}"', "is not known", f"use one of {', '.join(ENGINES)}")
    if trace is not None and engine != "rtl":
        raise DesignError("option trace", f"has no meaning for {engine}", 'use engine="rtl"')
    check_steps(design, batch)
    flags = flags_of(design, first, len(batch.lengths))
    run = Run(engine=engine, trace=trace, image=image, first=flags, map_design=map_design)
    parts, cycles = run_ports(design, batch, run)
    found = {o.out.name: arrange(o, parts[o.out.name]) for o in design.graph.outputs}
    return SimResult(outputs=found if len(found) > 1 else next(iter(found.values())), cycles=cycles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """On which engine, and how; see `simulate_batch`."""

    engine: str
    trace: Path | None = None
    image: Image | None = None
    first: Sequence[bool] | None = None
    map_design: MapDesign | None = None


def run_ports(design: Design, batch: Batch, run: Run) -> tuple[dict[str, list[Ints]], int | None]:
    """The parts of every output, by name, and the cycles where they have a meaning."""
    sequences = batch.sequences()
    states = {name: list(rows) for name, rows in batch.states.items()}
    if run.engine in HLS:
        return run_hls(design, sequences, run, states), None
    if len(design.sources) == len(design.sinks) == 1:
        parts, cycles = run_engine(
            design,
            sequences,
            run.engine,
            run.trace,
            run.image,
            first=run.first,
            map_design=run.map_design,
        )
        return {design.sink.name: parts}, cycles
    found = run_axis(design, sequences, run, states)
    return found.every, found.cycles


def run_axis(design: Design, sequences: list[Ints], run: Run, states: States) -> RtlResult:
    """What the emitted RTL, or its netlist, gives at all ports."""
    from hwrnn.sim.netlist import simulate_netlist
    from hwrnn.sim.rtl import simulate_rtl

    writes = writes_of(design, run.image)
    if run.engine == "rtl":
        return simulate_rtl(
            design, sequences, trace=run.trace, writes=writes, first=run.first, states=states
        )
    if run.map_design is None:
        raise TypeError("the engine netlist needs a function that maps designs")
    mapped = run.map_design(design)
    return simulate_netlist(
        design, sequences, mapped, writes=writes, first=run.first, states=states
    )


def flags_of(design: Design, first: Sequence[bool] | None, count: int) -> list[bool] | None:
    """Which of `count` fragments start anew; None for a design to which all sequences are new."""
    if first is not None and not design.keep:
        raise DesignError(
            "option first",
            "has no meaning: this design starts anew with every sequence",
            'build it with state="keep"',
        )
    if not design.keep:
        return None
    return [k == 0 for k in range(count)] if first is None else check_first(first, count)


def check_steps(design: Design, batch: Batch) -> None:
    """A design that buffers whole sequences takes none that is longer than its buffers."""
    longest = max(batch.lengths)
    if design.max_steps is not None and longest > design.max_steps:
        raise DataError(
            f'input "{design.graph.inputs[0].out.name}"',
            f"has {longest} steps; this design buffers sequences of up to {design.max_steps}",
            f"build it with max_steps={longest} or more",
        )


def run_engine(
    design: Design,
    sequences: list[Ints],
    engine: str,
    trace: Path | None,
    image: Image | None = None,
    *,
    first: Sequence[bool] | None = None,
    map_design: MapDesign | None = None,
) -> tuple[list[Ints], int | None]:
    """The outputs of each sequence, and the cycles where they have a meaning. All sequences are
    new unless `first` says that they are fragments.
    """
    if engine == "rtl":
        return run_rtl(design, sequences, trace, image, first)
    if engine == "netlist":
        return run_netlist(design, sequences, image, first, map_design)
    run = Run(engine=engine, image=image, first=first)
    return run_hls(design, sequences, run, {})[design.sink.name], None


def run_hls(
    design: Design, sequences: list[Ints], run: Run, states: States
) -> dict[str, list[Ints]]:
    """What the emitted HLS C++ gives at all ports."""
    from hwrnn.sim.csim import Given, csim_every
    from hwrnn.sim.hls_dpi import hls_dpi_every

    writes = writes_of(design, run.image)
    given = Given(sequences=sequences, writes=writes, first=run.first, states=states)
    return (csim_every if run.engine == "csim" else hls_dpi_every)(design, given)


def run_rtl(
    design: Design,
    sequences: list[Ints],
    trace: Path | None,
    image: Image | None,
    first: Sequence[bool] | None,
) -> tuple[list[Ints], int | None]:
    """The outputs of each sequence, and the cycles."""
    from hwrnn.sim.rtl import simulate_rtl

    writes = writes_of(design, image)
    result = simulate_rtl(design, sequences, trace=trace, writes=writes, first=first)
    return result.outputs, result.cycles


def run_netlist(
    design: Design,
    sequences: list[Ints],
    image: Image | None,
    first: Sequence[bool] | None,
    map_design: MapDesign | None,
) -> tuple[list[Ints], int | None]:
    """The outputs of each sequence, and the cycles."""
    from hwrnn.sim.netlist import simulate_netlist

    if map_design is None:
        raise TypeError("the engine netlist needs a function that maps designs")
    writes = writes_of(design, image)
    result = simulate_netlist(design, sequences, map_design(design), writes=writes, first=first)
    return result.outputs, result.cycles


def writes_of(design: Design, image: Image | None) -> list[tuple[int, int, int]]:
    """What is written before the first sequence: an image, or the own one if power-on has none."""
    from hwrnn.backends.image import check_fits
    from hwrnn.backends.image import image as own

    if image is not None:
        check_fits(design, image)
    elif design.writable and any(k.storage is Storage.URAM for k in design.engines):
        image = own(design, design.graph)  # UltraRAM has no contents at power-on
    return [(0, address, word) for address, word in image.words] if image else []
