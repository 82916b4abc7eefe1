# SPDX-License-Identifier: Apache-2.0
"""C simulation: the emitted HLS C++, unchanged, compiled by g++ and run on sequences."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwrnn.backends.hls import simulated
from hwrnn.backends.hls_views import has_wide_ports
from hwrnn.design.design import Design
from hwrnn.errors import DataError, ToolError
from hwrnn.sim.cache import cached_build
from hwrnn.sim.gxx import SIM, cache_key, compile_in, compiler_call, sources

Ints = NDArray[np.int64]
Write = tuple[int, int, int]  # after so many sequences, byte address, 32 bits
States = Mapping[str, Sequence[Ints]]  # by input: a vector for each sequence
DRIVER = SIM / "csim_driver.cpp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a simulation is given: sequences, (steps, features) each; the rest as for
    `hwrnn.sim.rtl.simulate_rtl`.
    """

    sequences: Sequence[Ints]
    writes: Sequence[Write] = ()
    first: Sequence[bool] | None = None
    states: States = field(default_factory=dict)


def simulate_csim(
    design: Design,
    sequences: Sequence[Ints],
    *,
    writes: Sequence[Write] = (),
    first: Sequence[bool] | None = None,
    states: States | None = None,
) -> list[Ints]:
    """What the HLS C++ gives at its first output for each sequence; see `csim_every`."""
    given = Given(sequences=sequences, writes=writes, first=first, states=states or {})
    return csim_every(design, given)[design.sink.name]


def csim_every(design: Design, given: Given) -> dict[str, list[Ints]]:
    """What the HLS C++ of `design` gives at each output, by name, for each sequence: (steps,
    features).

    With several streams sequence k is offered on stream k modulo `streams`, a step of each in
    turn (`hwrnn.design.order.port_order`). Raises DataError for a sequence that the design does
    not take, ToolError if the sources do not compile or the run fails.
    """
    with tempfile.TemporaryDirectory(prefix="hwrnn-csim-") as folder:
        return run_csim(design, given, build_csim(design), Path(folder))


def run_csim(
    design: Design, given: Given, program: Path, folder: Path, *more: str
) -> dict[str, list[Ints]]:
    """Run a compiled simulation, in a folder for its files; `more` arguments."""
    for index, x in enumerate(given.sequences):
        check_sequence(design, index, x)
    source, target = folder / "input", folder / "output"
    pack(design, given).tofile(source)
    run_program([str(program), str(source), str(target), *more])
    found = unpack(design, np.fromfile(target, dtype=np.int64))
    for name, made in found.items():
        if len(made) != len(given.sequences):
            fact = f"{len(made)} sequences came out of {name}, not {len(given.sequences)}"
            raise ToolError("csim", fact)
    return found


def build_csim(design: Design, *flags: str) -> Path:
    """The compiled simulation of a design, from the cache if it has been compiled before."""
    files = sources(simulated(design))
    call = compiler_call(*flags, precompiled=not has_wide_ports(design))

    def build(folder: Path) -> None:
        files.write(folder / "src")
        compile_in(folder / "src", [*call, str(DRIVER), "-o", str(folder / "csim")])

    return cached_build("csim", cache_key(files, call), build) / "csim"


def run_program(command: Sequence[str]) -> None:
    """Run a compiled simulation. Raises ToolError with what it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip() or f"it ended with status {done.returncode}"
        raise ToolError("csim", f"the simulation failed: {said}")


def check_sequence(design: Design, index: int, x: Ints) -> None:
    """Raise DataError unless the design takes this sequence."""
    source = design.source
    place, t = f"sequence {index}", source.out.type
    if x.ndim != 2 or x.shape[0] < 1 or x.shape[1] != source.out.features:
        raise DataError(place, f"has shape {x.shape}; the input is (steps, {source.out.features})")
    if source.fixed_steps and len(x) != source.fixed_steps:
        raise DataError(place, f"has {len(x)} steps; this network takes {source.fixed_steps}")
    if source.max_steps and len(x) > source.max_steps:
        raise DataError(
            place,
            f"has {len(x)} steps; this design holds at most {source.max_steps}",
            "build it with a larger max_steps",
        )
    if x.min() < t.lo or x.max() > t.hi:
        raise DataError(place, f"holds {x.min()}..{x.max()}; the input is {t}")


def pack(design: Design, given: Given) -> Ints:
    """The file that the driver reads: sequences in runs, each behind the writes that are due."""
    count = len(given.sequences)
    first = given.first or [True] * count
    inputs = [given.sequences, *(given.states[k.name] for k in design.sources[1:])]
    starts = sorted({0, *(min(after, count) for after, _, _ in given.writes)})
    parts = [[len(starts)]]
    for start, end in pairwise([*starts, count]):
        due = [(a, word) for after, a, word in given.writes if min(after, count) == start]
        parts += [[len(due)], *map(list, due)]
        parts += [[end - start, *map(int, first[start:end])]]
        parts += [[x.size, *x.ravel().tolist()] for port in inputs for x in port[start:end]]
    return np.array([n for part in parts for n in part], dtype=np.int64)


def unpack(design: Design, numbers: Ints) -> dict[str, list[Ints]]:
    """The sequences of an output file. Raises ToolError if the design raised an error flag."""
    error, bad_image = numbers[:2].tolist()
    if error:
        raise ToolError("csim", "the design raised its error flag on sequences that it takes")
    if bad_image:
        raise ToolError("csim", "the image has an address that nothing in the design has")
    found: dict[str, list[Ints]] = {k.name: [] for k in design.sinks}
    at = 2
    for sink in design.sinks:
        count, at = int(numbers[at]), at + 1
        for _ in range(count):
            end = at + 1 + int(numbers[at])
            found[sink.name].append(numbers[at + 1 : end].reshape(-1, sink.x.features))
            at = end
    return found
