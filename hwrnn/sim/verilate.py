# SPDX-License-Identifier: Apache-2.0
"""Compiles SystemVerilog to a simulator: Verilator, then g++; the same sources only once.

What is compiled is kept in $HWRNN_CACHE (default: ~/.cache/hwrnn), by a hash of all that goes in.
Verilator's run-time library and its precompiled header are made once for all designs: they take
longer than a small design.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from pathlib import Path

from hwrnn.backends.files import FileSet
from hwrnn.errors import ToolError
from hwrnn.sim.cache import cached_build, locked
from hwrnn.sim.tools import VerilatorPaths, find_gxx, find_verilator

HARNESSES = Path(__file__).resolve().parent / "harness"
HARNESS = HARNESSES / "harness.cpp"
UART = HARNESSES / "uart.cpp"
RUNTIME = ("verilated", "verilated_threads", "verilated_vcd_c", "verilated_vpi", "verilated_random")
# Warnings of cells are of style, but for the sentence of a cell that refuses how it is used.
NETLIST = ["--x-initial", "unique", "--x-assign", "unique", "-Wno-fatal", "-Werror-USERFATAL"]


class Driver(Enum):
    """What drives the compiled design."""

    HARNESS = "harness"
    UART = "uart"
    COCOTB = "cocotb"

    @property
    def main(self) -> Path:
        """The main program."""
        match self:
            case Driver.HARNESS:
                return HARNESS
            case Driver.UART:
                return UART
            case Driver.COCOTB:
                return cocotb_main()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How a design is compiled: for which driver, with a waveform, for speed (takes longer).

    `netlist`: cells instead of RTL; what they leave open starts as random bits, not as 0.
    """

    driver: Driver = Driver.HARNESS
    trace: bool = False
    fast: bool = False
    netlist: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A simulator; `folder` holds its memory files and is where it has to run."""

    binary: Path
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is to be compiled: files, the folder of the .sv files among them, the top module.

    `extra`: names of files that are not in the list `files.f`. `inputs`, `outputs`: what the names
    of the signals of its AXI4-Stream ports start with.
    """

    files: FileSet
    top: str
    folder: str = "rtl"
    extra: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("s_axis",)
    outputs: tuple[str, ...] = ("m_axis",)

    @property
    def ports_header(self) -> str:
        """The ports as the harness reads them."""
        lists = (("HWRNN_INPUTS", self.inputs), ("HWRNN_OUTPUTS", self.outputs))
        return "".join(
            f"#define {macro}(P) {' '.join(f'P({name})' for name in names)}\n"
            for macro, names in lists
        )


def compile_rtl(source: Source, variant: Variant) -> Compiled:
    """The simulator of a design. Raises ToolError if a tool is missing or refuses the sources."""
    tools = Tools.find()
    key = tools.key(source, variant)
    folder = cached_build("designs", key, lambda place: build(tools, source, variant, place))
    return Compiled(binary=folder / source.top, folder=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The programs, and what identifies their versions."""

    verilator: VerilatorPaths
    gxx: Path
    gxx_version: str

    @staticmethod
    def find() -> Tools:
        """Those of this machine. Raises ToolError."""
        gxx = find_gxx()
        return Tools(verilator=find_verilator(), gxx=gxx, gxx_version=version_of(gxx))

    def key(self, source: Source, variant: Variant) -> str:
        """Names a compiled design: equal if, and only if, nothing that goes in has changed."""
        parts = [
            source.files.digest(),
            source.top,
            source.folder,
            *source.extra,
            source.ports_header,
            str(variant),
            self.runtime_key(),
            hashed(Path(__file__), variant.driver.main),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def runtime_key(self) -> str:
        """Names the run-time library."""
        verilator = f"{self.verilator.binary} {self.verilator.version}"
        text = f"{verilator} {self.gxx} {self.gxx_version} {processor()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def include(self) -> Path:
        """Verilator's C++ headers and sources."""
        if self.verilator.root is not None:
            return self.verilator.root / "include"
        return verilator_root(self.verilator.binary) / "include"

    def compile_flags(self, *, trace: bool, optimise: str) -> list[str]:
        """Options of g++ for everything that includes verilated.h."""
        flags = [*optimise.split(), "-std=c++17", "-w", "-fno-plt", f"-DVM_TRACE={int(trace)}"]
        flags += ["-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", f"-DVM_TRACE_VCD={int(trace)}"]
        flags += ["-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0", "-faligned-new", "-fcf-protection=none"]
        return [*flags, f"-I{self.include}", f"-I{self.include / 'vltstd'}"]


def hashed(*files: Path) -> str:
    """A hash of the contents of files."""
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


@cache
def version_of(program: Path) -> str:
    """The first line of --version."""
    run = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return run.stdout.split("\n", 1)[0]


@cache
def processor() -> str:
    """What the processor can do: code for this one may not run on another one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


@cache
def verilator_root(binary: Path) -> Path:
    """The root of a Verilator that knows its own."""
    run = subprocess.run(
        [binary, "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=False
    )
    return Path(run.stdout.strip())


def build(tools: Tools, source: Source, variant: Variant, run: Path) -> None:
    """Verilate and compile into `run`; the sources and the C++ are thrown away afterwards."""
    runtime = runtime_library(tools)
    with tempfile.TemporaryDirectory(prefix="hwrnn-") as temporary:
        work = Path(temporary)
        rtl = work / "rtl"
        for path in source.files:
            folder, _, name = path.rpartition("/")
            if folder == source.folder:
                target = run if name.endswith(".mem") else rtl
                target.mkdir(exist_ok=True)
                (target / name).write_bytes(source.files.data(path))
        verilate(tools, source.top, rtl, work / "cpp", variant, extra=source.extra)
        (work / "cpp" / "ports.h").write_text(source.ports_header, encoding="utf-8")
        compile_all(tools, runtime, work / "cpp", run / source.top, variant)


def verilate(
    tools: Tools, top: str, rtl: Path, out: Path, variant: Variant, *, extra: Sequence[str] = ()
) -> None:
    """SystemVerilog to C++. Loops are unrolled only for speed, and none of more than a medium
    MAC array: it makes several times the C++.
    """
    options = ["--cc", "--prefix", "Vtop", "--Mdir", str(out), "--top-module", top]
    options += ["-O3", "--no-timing", "--quiet", "-Wno-lint", "-Wno-style"]
    options += NETLIST if variant.netlist else ["--x-initial", "0"]
    options += ["--unroll-count", "512" if variant.fast else "16", "--unroll-stmts", "1000000"]
    options += ["--trace-vcd"] if variant.trace else []
    if variant.driver is Driver.COCOTB:
        options += ["--vpi", "--public-depth", "1", "--assert"]
    else:
        options += ["--no-assert"]
    command = [str(tools.verilator.binary), *options, "-f", "files.f", *extra]
    call(command, rtl, "Verilator", env=tools.verilator.environment())


def compile_all(tools: Tools, runtime: Path, cpp: Path, binary: Path, variant: Variant) -> None:
    """C++ to a program: what runs each cycle is optimised, what runs once is not."""
    units = translation_units(cpp, variant)
    objects = in_parallel([partial(compile_unit, tools, runtime, u, variant) for u in units])
    libraries = cocotb_libraries() if variant.driver is Driver.COCOTB else []
    link = [str(tools.gxx), "-o", str(binary), *map(str, objects), str(runtime / "libverilated.a")]
    call([*link, *libraries, "-pthread"], cpp, "g++")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One call of g++."""

    path: Path
    optimise: str


def translation_units(cpp: Path, variant: Variant) -> list[Unit]:
    """The C++ files, gathered into few: each call reads the headers again, which takes longest."""
    sources = sorted(p for p in cpp.glob("*.cpp"))
    slow = [p for p in sources if re.search(r"__Slow|__Syms|__Trace.*Slow|^Vtop\.cpp", p.name)]
    fast = [p for p in sources if p not in slow]
    groups = [("slow", slow, "-O0"), ("main", [variant.driver.main], "-O1")]
    level = "-O3 -march=native" if variant.fast else "-O1"
    groups += [(f"fast{k}", part, level) for k, part in enumerate(gathered(fast, 1_000_000))]
    units = []
    for name, part, optimise in groups:
        path = cpp / f"unit_{name}.cpp"
        path.write_text("".join(f'#include "{p}"\n' for p in part), encoding="utf-8")
        units.append(Unit(path=path, optimise=optimise))
    return units


def gathered(files: Sequence[Path], size: int) -> list[list[Path]]:
    """Files in groups of about `size` bytes."""
    groups: list[list[Path]] = [[]]
    total = 0
    for file in files:
        if total > size:
            groups.append([])
            total = 0
        groups[-1].append(file)
        total += file.stat().st_size
    return [g for g in groups if g]


def compile_unit(tools: Tools, runtime: Path, unit: Unit, variant: Variant) -> Path:
    """One object file."""
    target = unit.path.with_suffix(".o")
    flags = tools.compile_flags(trace=variant.trace, optimise=unit.optimise)
    flags += ["-DHWRNN_TRACE"] if variant.trace else []
    flags += ["-DHWRNN_RANDOM_START"] if variant.netlist else []
    header = precompiled_header(tools, runtime, unit.optimise, trace=variant.trace)
    command = [str(tools.gxx), "-include", str(header), *flags, "-I.", "-c", str(unit.path)]
    call([*command, "-o", str(target)], unit.path.parent, "g++")
    return target


def runtime_library(tools: Tools) -> Path:
    """The folder of Verilator's run-time library, compiled once for each version of the tools."""
    return cached_build("runtime", tools.runtime_key(), partial(build_runtime, tools))


def build_runtime(tools: Tools, folder: Path) -> None:
    """Compile the run-time library into a folder."""
    names = [n for n in RUNTIME if (tools.include / f"{n}.cpp").is_file()]
    objects = in_parallel([partial(compile_runtime, tools, folder, n) for n in names])
    call(["ar", "rcs", "libverilated.a", *map(str, objects)], folder, "ar")


def compile_runtime(tools: Tools, folder: Path, name: str) -> Path:
    """One object of the run-time library."""
    target = folder / f"{name}.o"
    flags = tools.compile_flags(trace=True, optimise="-O2")
    command = [str(tools.gxx), *flags, "-c", str(tools.include / f"{name}.cpp")]
    call([*command, "-o", str(target)], folder, "g++")
    return target


def precompiled_header(tools: Tools, runtime: Path, optimise: str, *, trace: bool) -> Path:
    """verilated.h, precompiled for one set of options; the path to include."""
    name = "verilated" + optimise.replace(" ", "") + ("-trace" if trace else "")
    header = runtime / f"{name}.h"
    made = header.with_suffix(".h.gch")
    with locked(header.with_suffix(".lock")):
        if not made.exists():
            header.write_text('#include "verilated.h"\n#include <vector>\n#include <memory>\n')
            flags = tools.compile_flags(trace=trace, optimise=optimise)
            unfinished = header.with_suffix(".partial")
            command = [str(tools.gxx), *flags, "-x", "c++-header", str(header)]
            call([*command, "-o", str(unfinished)], runtime, "g++")
            unfinished.rename(made)
    return header


def in_parallel(jobs: Sequence[Callable[[], Path]]) -> list[Path]:
    """Run the jobs, as many at a time as MAKEFLAGS (-jN) or the machine allows."""
    asked = re.search(r"-j\s*(\d+)", os.environ.get("MAKEFLAGS", ""))
    workers = int(asked[1]) if asked else os.cpu_count() or 1
    with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
        return list(pool.map(lambda job: job(), jobs))


def call(
    command: Sequence[str], folder: Path, tool: str, env: dict[str, str] | None = None
) -> None:
    """Run a tool. Raises ToolError with the end of what it printed."""
    run = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, errors="replace"
    )
    if run.returncode:
        lines = (run.stdout + run.stderr).strip().split("\n")
        first = next((k for k, line in enumerate(lines) if line.startswith("%Error")), 0)
        shown = "\n".join(lines[first : first + 20])
        raise ToolError(tool, f"failed with exit code {run.returncode}:\n{shown}")


def cocotb_main() -> Path:
    """The main program of cocotb for Verilator."""
    from cocotb_tools import config

    return Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp"


def cocotb_libraries() -> list[str]:
    """How to link cocotb's VPI library."""
    from cocotb_tools import config

    return [
        f"-L{config.libs_dir}",
        f"-Wl,-rpath,{config.libs_dir}",
        "-rdynamic",
        "-lcocotbvpi_verilator",
    ]
