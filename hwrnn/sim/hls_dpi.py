# SPDX-License-Identifier: Apache-2.0
"""The emitted HLS C++ behind a SystemVerilog shell: AXI4-Stream with stalls, in Verilator."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwrnn.backends.files import FileSet
from hwrnn.backends.hls import simulated
from hwrnn.backends.hls_views import has_wide_ports
from hwrnn.backends.rtl import library_text
from hwrnn.design.design import Design
from hwrnn.errors import ToolError
from hwrnn.sim.cache import cached_build
from hwrnn.sim.csim import Given, States, Write, check_sequence
from hwrnn.sim.gxx import cache_key, compile_in, compiler_call, sources
from hwrnn.sim.rtl import every_result, job_of
from hwrnn.sim.rtl_run import Stalls, run_job
from hwrnn.sim.verilate import (
    Compiled,
    Driver,
    Tools,
    Variant,
    call,
    cocotb_libraries,
    compile_unit,
    in_parallel,
    runtime_library,
    translation_units,
    verilate,
)

Ints = NDArray[np.int64]
DPI = Path(__file__).resolve().parent / "dpi"
SHELL, SLAVE = "hwrnn_hls_dpi", "hwrnn_config_slave"
VARIANT = Variant(driver=Driver.COCOTB)
STALLS = Stalls(input_idle=0.25, output_stall=0.25, seed=1)


def simulate_hls_dpi(
    design: Design,
    sequences: Sequence[Ints],
    *,
    stalls: Stalls = STALLS,
    writes: Sequence[Write] = (),
    first: Sequence[bool] | None = None,
    states: States | None = None,
) -> list[Ints]:
    """What the HLS C++ gives at its first output for each sequence; see `hls_dpi_every`."""
    given = Given(sequences=sequences, writes=writes, first=first, states=states or {})
    return hls_dpi_every(design, given, stalls=stalls)[design.sink.name]


def hls_dpi_every(
    design: Design, given: Given, *, stalls: Stalls = STALLS
) -> dict[str, list[Ints]]:
    """What the HLS C++ of `design` gives at each output, by name, for each sequence: (steps,
    features).

    The beats come and go through AXI4-Stream ports with random idles and back-pressure, checked
    for the rules of the protocol; with several streams sequence k is offered on stream k modulo
    `streams`. There are no cycles to report: the shell has no timing of its own. Raises DataError,
    and ToolError if a tool is missing or fails.
    """
    for index, x in enumerate(given.sequences):
        check_sequence(design, index, x)
    job = job_of(design, given.sequences, stalls, given.writes, given.first, given.states)
    report = run_job(build_hls_dpi(design), job, Driver.COCOTB, None)
    found = every_result(design, report, len(given.sequences))
    if found.error:
        raise ToolError("hls_dpi", "the design raised its error flag on sequences that it takes")
    return found.every


def build_hls_dpi(design: Design) -> Compiled:
    """The simulator, from the cache if it has been compiled before."""
    made = simulated(design)
    files, tools = sources(made), Tools.find()
    command = compiler_call(precompiled=not has_wide_ports(design))
    command += ["-isystem", str(tools.include / "vltstd"), "-c", str(DPI / "hls_dpi.cpp")]
    shell = FileSet(
        {"sim_shell.sv": made["sim_shell.sv"], f"{SLAVE}.sv": library_text(SLAVE)}
        | {f.name: f.read_text(encoding="utf-8") for f in sorted(DPI.iterdir()) if f.is_file()}
    )
    key = cache_key(files | shell.under("dpi"), [*command, tools.runtime_key()])

    def build(folder: Path) -> None:
        files.write(folder / "src")
        shell.write(folder / "rtl")
        compile_shell(tools, command, folder, [name for name in shell if name.endswith(".sv")])

    folder = cached_build("hls_dpi", key, build) / "run"
    return Compiled(binary=folder / SHELL, folder=folder)


def compile_shell(
    tools: Tools, command: Sequence[str], folder: Path, modules: Sequence[str]
) -> None:
    """Verilate the shell, compile both sides, link them with cocotb."""
    runtime, rtl, cpp = runtime_library(tools), folder / "rtl", folder / "cpp"
    (folder / "run").mkdir()
    (rtl / "files.f").write_text("".join(f"{name}\n" for name in modules), encoding="utf-8")
    verilate(tools, SHELL, rtl, cpp, VARIANT)

    def compile_dpi() -> Path:
        target = cpp / "hls_dpi.o"
        compile_in(folder / "src", [*command, "-o", str(target)])
        return target

    units = translation_units(cpp, VARIANT)
    jobs: list[Callable[[], Path]] = [compile_dpi]
    jobs += (partial(compile_unit, tools, runtime, u, VARIANT) for u in units)
    objects = [str(made) for made in in_parallel(jobs)]
    link = [str(tools.gxx), "-o", str(folder / "run" / SHELL), *objects]
    link += [str(runtime / "libverilated.a"), *cocotb_libraries(), "-pthread"]
    call(link, cpp, "g++")
    shutil.rmtree(cpp)
