# SPDX-License-Identifier: Apache-2.0
"""What an emitter returns: an ordered set of files, and the one function that writes it to disk."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import ItemsView, Iterator, KeysView, Mapping
from pathlib import Path, PurePosixPath

from hwrnn.errors import OutputError

MANIFEST = ".hwrnn-files"  # lists what we wrote: only those are ours to replace


class FileSet:
    """Relative path (with `/`) -> text or bytes, in a fixed order; never changed once made."""

    __slots__ = ("_files",)

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        for path in files:
            _check_relative(path)
        self._files = dict(files)

    def __getitem__(self, path: str) -> str | bytes:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileSet) and list(self.items()) == list(other.items())

    def __hash__(self) -> int:
        return hash(self.digest())

    def __or__(self, other: FileSet) -> FileSet:
        """Both sets, ours first; a path that both hold must hold the same."""
        for path in other:
            if path in self and self[path] != other[path]:
                raise ValueError(f"{path} is written twice, with different contents")
        return FileSet(self._files | other._files)

    def keys(self) -> KeysView[str]:
        """The paths, in order."""
        return self._files.keys()

    def items(self) -> ItemsView[str, str | bytes]:
        """Paths and contents, in order."""
        return self._files.items()

    def data(self, path: str) -> bytes:
        """The bytes that are written for `path`."""
        content = self._files[path]
        return content.encode() if isinstance(content, str) else content

    def digest(self) -> str:
        """A hash of all paths and contents."""
        total = hashlib.sha256()
        for path in self._files:
            body = self.data(path)
            total.update(f"{path}\0{len(body)}\0".encode())
            total.update(body)
        return total.hexdigest()

    def under(self, folder: str) -> FileSet:
        """The same files, each path with `folder/` in front."""
        return FileSet({f"{folder}/{path}": body for path, body in self.items()})

    def write(self, folder: str | Path) -> Path:
        """Write all files into `folder` and return it; all of them or, on an error, none.

        A folder that an earlier call wrote is replaced, files of others in it are kept.  Raises
        OutputError for a file, for a non-empty folder of someone else, and if it cannot be written.
        """
        target = Path(folder)
        try:
            refuse_foreign(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            place = tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent)
        except OSError as error:
            raise _cannot_write(target, error) from error
        staging = Path(place)
        try:
            self._fill(staging / "new")
            _swap(staging, target)
        except OSError as error:
            raise _cannot_write(target, error) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return target

    def _fill(self, folder: Path) -> None:
        folder.mkdir()
        for path in self._files:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.data(path))
        names = "".join(f"{path}\n" for path in sorted(self._files))
        (folder / MANIFEST).write_text(names, encoding="utf-8")


def _check_relative(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or path == MANIFEST:
        raise ValueError(f"{path!r} is not a relative path inside an output folder")


def refuse_foreign(target: Path) -> None:
    """Raise OutputError for a file, and for a folder with what somebody else put there."""
    if target.is_file() or (target.exists() and not target.is_dir()):
        raise OutputError(str(target), "is a file; the output is a folder", "name another folder")
    try:
        foreign = not (target / MANIFEST).is_file() and target.is_dir() and any(target.iterdir())
    except OSError as error:
        raise _cannot_write(target, error) from error
    if foreign:
        raise OutputError(
            str(target),
            "is not empty, and hwrnn did not write it",
            "name an empty or new folder: nothing of yours is ever overwritten",
        )


def _swap(staging: Path, target: Path) -> None:
    """Put staging/new in the place of target, then bring back what others had put into it."""
    old = staging / "old"
    if target.exists():
        target.rename(old)
    try:
        (staging / "new").rename(target)
    except BaseException:  # Ctrl-C as well: what is in staging is about to be deleted
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    if old.exists():
        try:
            _keep_foreign(old, target)
        except KeyboardInterrupt:
            _keep_foreign(old, target)
            raise


def _keep_foreign(old: Path, target: Path) -> None:
    listed = old / MANIFEST
    ours = set(listed.read_text(encoding="utf-8").split("\n")) if listed.is_file() else set()
    for file in sorted(p for p in old.rglob("*") if p.is_symlink() or not p.is_dir()):
        relative = file.relative_to(old)
        kept = target / relative
        if relative.as_posix() in ours | {MANIFEST} or kept.exists():
            continue
        kept.parent.mkdir(parents=True, exist_ok=True)
        file.rename(kept)


def _cannot_write(target: Path, error: OSError) -> OutputError:
    return OutputError(
        str(target),
        f"cannot be written: {error.strerror or error}",
        "choose a folder that you may write to, on a disk with room",
    )
