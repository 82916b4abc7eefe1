# SPDX-License-Identifier: Apache-2.0
"""Builds that are made once: a folder for each content hash, safe against parallel makers."""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hwrnn.errors import OutputError

KEEP = 400  # builds of each kind
STAGING = ".new-"  # what is being built; it vanishes when it is moved into place


def cache_folder() -> Path:
    """$HWRNN_CACHE, or ~/.cache/hwrnn (of $XDG_CACHE_HOME if set)."""
    chosen = os.environ.get("HWRNN_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwrnn"


def cached_build(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder `kind`/`key` of the cache, filled by `build(folder)` if it is not there yet.

    `build` gets a temporary folder, moved into place when it returns; on an error it is removed,
    so that what is in the cache is complete. Raises OutputError if the cache cannot be written.
    """
    home = cache_folder() / kind
    target = home / key
    try:
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / f"{key}.lock"):
            if not target.is_dir():
                fill(home, target, build)
                forget_old(home, KEEP)
        os.utime(target)
    except OSError as error:
        raise OutputError(
            str(home),
            f"cannot be written: {error.strerror}",
            "set HWRNN_CACHE to a folder of yours",
        ) from error
    return target


def fill(home: Path, target: Path, build: Callable[[Path], None]) -> None:
    """Build in a folder beside, then move."""
    staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=home))
    try:
        build(staging)
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def forget_old(home: Path, keep: int) -> None:
    """Drop the builds that were not used for longest, so that the cache does not grow for ever.

    Other processes may move and drop builds meanwhile.
    """
    builds = [p for p in home.iterdir() if p.is_dir() and not p.name.startswith(STAGING)]
    for place in sorted(builds, key=last_used)[:-keep]:
        shutil.rmtree(place, ignore_errors=True)
        (home / f"{place.name}.lock").unlink(missing_ok=True)


def last_used(place: Path) -> float:
    """When a build was last used; the end of time for one that another process has just dropped."""
    try:
        return place.stat().st_mtime
    except FileNotFoundError:
        return math.inf


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file: others who want the same wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
