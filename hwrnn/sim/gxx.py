# SPDX-License-Identifier: Apache-2.0
"""Compiles emitted HLS C++ with g++: flags, include folders, the precompiled headers."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hwrnn.backends.files import FileSet
from hwrnn.backends.hls import LIBRARY
from hwrnn.errors import ToolError
from hwrnn.sim.cache import cached_build
from hwrnn.sim.tools import find_ap_int, find_gxx

SIM = LIBRARY / "sim"
PREFIX = "prefix.hpp"
SOURCES = (".hpp", ".cpp")
# Vendor pragmas mean nothing to g++; ap_int.h reads what it has not written yet.
FLAGS = (
    "-O2",
    "-std=c++17",
    "-Wno-unknown-pragmas",
    "-Wno-maybe-uninitialized",
    "-Wno-uninitialized",
)


def compiler_call(*extra: str, precompiled: bool = True) -> list[str]:
    """The compiler with all flags and include folders, up to the sources.

    `extra` are flags that change the code; `precompiled` reads the standing headers from the
    cache, where they are made first if need be. Raises ToolError if a tool is missing.
    """
    flags = (*FLAGS, *extra)
    call = [str(find_gxx()), *flags, "-I", "."]
    folders = include_folders()
    if not precompiled:
        return [*call, *folders]
    return [*call, "-include", str(precompiled_prefix(flags)), *folders]


def include_folders() -> list[str]:
    """Ours first: a folder with ap_int.h may hold an hls_stream.h of another kind."""
    return ["-isystem", str(SIM), "-isystem", str(find_ap_int())]


def precompiled_prefix(flags: Sequence[str]) -> Path:
    """The standing headers, precompiled for these flags: the path to -include."""
    # A header that is included is a macro's reader: definitions of the design are not its own.
    kept = [f for f in flags if not f.startswith("-D")]
    command = [str(find_gxx()), *kept, *include_folders()]
    key = digest([*command, compiler_version(), *(f.read_text() for f in sorted(SIM.glob("*.h*")))])

    def build(folder: Path) -> None:
        (folder / PREFIX).write_bytes((SIM / PREFIX).read_bytes())
        header = ["-x", "c++-header", PREFIX, "-o", f"{PREFIX}.gch"]
        compile_in(folder, [*command, *header])

    return cached_build("headers", key, build) / PREFIX


def compiler_version() -> str:
    """What the compiler says of itself: a newer one reads no older precompiled header."""
    command = [str(find_gxx()), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout


def sources(files: FileSet) -> FileSet:
    """The C++ sources alone: all that decides the result."""
    return FileSet({path: body for path, body in files.items() if path.endswith(SOURCES)})


def cache_key(files: FileSet, words: Sequence[str]) -> str:
    """A hash of everything that goes into a build."""
    ours = [f.read_text() for f in sorted(SIM.iterdir()) if f.is_file()]
    return digest([files.digest(), compiler_version(), *ours, *words])


def digest(texts: Sequence[str]) -> str:
    """A hash of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]


def compile_in(folder: Path, command: Sequence[str]) -> None:
    """Run a compiler. Raises ToolError with the first lines of what it says."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line]
        lines = (errors or done.stderr.splitlines() or ["no message"])[:5]
        raise ToolError(command[0], "cannot compile the design:\n" + "\n".join(lines))
