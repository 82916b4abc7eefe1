# SPDX-License-Identifier: Apache-2.0
"""C simulation: the emitted HLS C++, unchanged, compiled by g++ and run on sequences."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
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
DRIVER = SIM / "csim_driver.cpp"


def simulate_csim(
    design: Design,
    sequences: Sequence[Ints],
    *,
    writes: Sequence[Write] = (),
    first: Sequence[bool] | None = None,
) -> list[Ints]:
    """What the HLS C++ of `design` makes of each sequence, (steps, features) in and out.

    With several streams sequence k is offered on stream k modulo `streams`, a step of each in
    turn (`hwrnn.design.order.port_order`). `writes` and `first`: as for `simulate_rtl`. Raises
    DataError for a sequence that the design does not take, ToolError if the sources do not compile
    or the run fails.
    """
    with tempfile.TemporaryDirectory(prefix="hwrnn-csim-") as folder:
        program = build_csim(design)
        return run_csim(design, sequences, program, Path(folder), writes=writes, first=first)


def run_csim(
    design: Design,
    sequences: Sequence[Ints],
    program: Path,
    folder: Path,
    *more: str,
    writes: Sequence[Write] = (),
    first: Sequence[bool] | None = None,
) -> list[Ints]:
    """Run a compiled simulation on sequences, in a folder for its files; `more` arguments."""
    for index, x in enumerate(sequences):
        check_sequence(design, index, x)
    given, made = folder / "input", folder / "output"
    pack(sequences, first or [True] * len(sequences), writes).tofile(given)
    run_program([str(program), str(given), str(made), *more])
    found = unpack(np.fromfile(made, dtype=np.int64), design.sink.x.features)
    if len(found) != len(sequences):
        raise ToolError("csim", f"{len(found)} sequences came out, not {len(sequences)}")
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


def pack(sequences: Sequence[Ints], first: Sequence[bool], writes: Sequence[Write]) -> Ints:
    """The file that the driver reads: sequences in runs, each behind the writes that are due."""
    starts = sorted({0, *(min(after, len(sequences)) for after, _, _ in writes)})
    parts = [[len(starts)]]
    for start, end in pairwise([*starts, len(sequences)]):
        due = [(a, word) for after, a, word in writes if min(after, len(sequences)) == start]
        parts += [[len(due)], *map(list, due), [end - start]]
        for k in range(start, end):
            parts += [[int(first[k]), sequences[k].size], sequences[k].ravel().tolist()]
    return np.array([n for part in parts for n in part], dtype=np.int64)


def unpack(numbers: Ints, features: int) -> list[Ints]:
    """The sequences of an output file. Raises ToolError if the design raised an error flag."""
    error, bad_image, count = numbers[:3].tolist()
    if error:
        raise ToolError("csim", "the design raised its error flag on sequences that it takes")
    if bad_image:
        raise ToolError("csim", "the image has an address that nothing in the design has")
    found, at = [], 3
    for _ in range(count):
        size = int(numbers[at])
        found.append(numbers[at + 1 : at + 1 + size].reshape(-1, features))
        at += 1 + size
    return found
