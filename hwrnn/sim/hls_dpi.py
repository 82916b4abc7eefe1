# SPDX-License-Identifier: Apache-2.0
"""The emitted HLS C++ behind a SystemVerilog shell: AXI4-Stream with stalls, in Verilator."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwrnn.backends.files import FileSet
from hwrnn.backends.hls import simulated
from hwrnn.backends.hls_image import ImageMap
from hwrnn.backends.hls_views import axis_bits, has_wide_ports
from hwrnn.backends.identity import model_word, version_word
from hwrnn.backends.rtl import library_text
from hwrnn.backends.rtl_config import address_bits
from hwrnn.design.design import Design
from hwrnn.errors import ToolError
from hwrnn.sim.cache import cached_build
from hwrnn.sim.csim import Write, check_sequence
from hwrnn.sim.gxx import cache_key, compile_in, compiler_call, sources
from hwrnn.sim.rtl import patience, result
from hwrnn.sim.rtl_beats import PortShape, to_beats
from hwrnn.sim.rtl_run import Job, Stalls, run_job
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """Bits of TDATA at both ports, and of TID; the AXI4-Lite slave of a design that has one."""

    data_in: int
    data_out: int
    tid: int
    slave: dict[str, str]


def simulate_hls_dpi(
    design: Design,
    sequences: Sequence[Ints],
    *,
    stalls: Stalls = STALLS,
    writes: Sequence[Write] = (),
    first: Sequence[bool] | None = None,
) -> list[Ints]:
    """What the HLS C++ of `design` makes of each sequence, (steps, features) in and out.

    The beats come and go through AXI4-Stream ports with random idles and back-pressure, checked
    for the rules of the protocol; with several streams sequence k is offered on stream k modulo
    `streams`. `writes` and `first`: as for `simulate_rtl`. There are no cycles to report: the shell
    has no timing of its own. Raises DataError,
    and ToolError if a tool is missing or fails.
    """
    for index, x in enumerate(sequences):
        check_sequence(design, index, x)
    y = PortShape.of(design.sink.x)
    flags = (first or [True] * len(sequences)) if design.keep else None
    job = Job(
        beats=to_beats(PortShape.of(design.source.out), sequences, flags),
        out_octets=y.octets,
        sequences=len(sequences),
        patience=patience(design, 1),
        stalls=stalls,
        id_octets=y.id_octets,
        writes=writes,
    )
    report = run_job(build_hls_dpi(design), job, Driver.COCOTB, None)
    found = result(report, y, len(sequences))
    if found.error:
        raise ToolError("hls_dpi", "the design raised its error flag on sequences that it takes")
    return found.outputs


def build_hls_dpi(design: Design) -> Compiled:
    """The simulator, from the cache if it has been compiled before."""
    files = sources(simulated(design))
    tools = Tools.find()
    x, y = design.source.out, design.sink.x
    widths = Widths(
        data_in=axis_bits(x), data_out=axis_bits(y), tid=max(x.id_bits, 1), slave=slave_of(design)
    )
    command = compiler_call(precompiled=not has_wide_ports(design))
    command += ["-isystem", str(tools.include / "vltstd"), "-c", str(DPI / "hls_dpi.cpp")]
    slave = FileSet({f"{SLAVE}.sv": library_text(SLAVE)})
    shell = slave | FileSet({f.name: f.read_bytes() for f in sorted(DPI.iterdir()) if f.is_file()})
    key = cache_key(files | shell.under("dpi"), [*command, tools.runtime_key(), str(widths)])

    def build(folder: Path) -> None:
        files.write(folder / "src")
        compile_shell(tools, command, folder, widths)

    folder = cached_build("hls_dpi", key, build) / "run"
    return Compiled(binary=folder / SHELL, folder=folder)


def slave_of(design: Design) -> dict[str, str]:
    """The parameters of the AXI4-Lite slave; none of a design that has nothing to write."""
    image = ImageMap.of(design)
    if image is None:
        return {}
    return {
        "AddressWidth": str(address_bits(image.config)),
        "Words": str(image.config.end),
        "Layout": f"32'h{image.layout:x}",
        "Version": f"32'h{version_word():x}",
        "ModelHash": f"64'h{model_word(design):x}",
    }


def compile_shell(tools: Tools, command: Sequence[str], folder: Path, widths: Widths) -> None:
    """Verilate the shell, compile both sides, link them with cocotb."""
    runtime, rtl, cpp = runtime_library(tools), folder / "rtl", folder / "cpp"
    rtl.mkdir()
    (folder / "run").mkdir()
    parameters: dict[str, object] = {"InWidth": widths.data_in, "OutWidth": widths.data_out}
    parameters |= {"IdWidth": widths.tid, **widths.slave}
    slave = rtl / f"{SLAVE}.sv"
    slave.write_text(library_text(SLAVE), encoding="utf-8")
    files = [str(slave), str(DPI / f"{SHELL}.sv")]
    lines = [*(f"-G{k}={v}" for k, v in parameters.items()), *files]
    (rtl / "files.f").write_text("\n".join(lines) + "\n", encoding="utf-8")
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
