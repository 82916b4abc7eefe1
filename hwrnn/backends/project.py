# SPDX-License-Identifier: Apache-2.0
"""The files of a project: HLS, RTL, or both side by side."""

from __future__ import annotations

from hwrnn.backends.files import FileSet
from hwrnn.backends.hls import emit_hls
from hwrnn.backends.rtl import emit_rtl
from hwrnn.design.design import Design
from hwrnn.design.folding_file import folding_json
from hwrnn.errors import DesignError


def emit_project(design: Design, backend: str) -> FileSet:
    """The files of a backend; with `both`, those of each in a folder of its own. The folding of
    the design is among them, as a file that builds it again.
    """
    return backend_files(design, backend) | FileSet({"folding.json": folding_json(design)})


def backend_files(design: Design, backend: str) -> FileSet:
    """What a backend emits."""
    if backend in ("hls", "both"):
        refuse_rtl_only(design, f'backend "{backend}"', 'use backend="rtl"')
    match backend:
        case "hls":
            return emit_hls(design)
        case "rtl":
            return emit_rtl(design)
        case "both":
            return inside("hls_project", emit_hls(design)) | inside("rtl_project", emit_rtl(design))
        case _:
            raise DesignError(
                f'backend "{backend}"', "is not known", "the backends are hls, rtl and both"
            )


def refuse_rtl_only(design: Design, place: str, hint: str) -> None:
    """What HLS does not have, for now."""
    refuse_several_ports(design, place, hint)


def refuse_several_ports(design: Design, place: str, hint: str) -> None:
    """HLS has one input, one output, and engines with one stream each way, for now."""
    engines = any(k.starts or k.more for k in design.engines)
    if len(design.sources) > 1 or len(design.sinks) > 1 or engines:
        raise DesignError(place, "has one input and one output in HLS C++ yet: RTL has more", hint)


def inside(folder: str, files: FileSet) -> FileSet:
    """The files in a folder."""
    return FileSet({f"{folder}/{path}": content for path, content in files.items()})
