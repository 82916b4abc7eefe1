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


def inside(folder: str, files: FileSet) -> FileSet:
    """The files in a folder."""
    return FileSet({f"{folder}/{path}": content for path, content in files.items()})
