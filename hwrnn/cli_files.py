# SPDX-License-Identifier: Apache-2.0
"""The files that commands read and write: arrays and text."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwrnn.errors import DataError, OutputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def load_array(path: Path) -> NDArray[Any]:
    """The array of a .npy file; pickled objects are never read.  Raises DataError."""
    import numpy as np

    try:
        data = np.load(path, allow_pickle=False)
    except OSError as error:
        raise cannot_be_read(path, error) from error
    except (ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise _no_array(path, "is not a .npy file of numbers") from error
    if not isinstance(data, np.ndarray):
        raise _no_array(path, "holds several arrays")
    if data.dtype.kind not in "fiu":
        raise _no_array(path, f"holds {data.dtype}, not numbers")
    return data


def load_inputs(path: Path) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """The array of a .npy file, or the arrays of a .npz file by name.  Raises DataError."""
    if path.suffix != ".npz":
        return load_array(path)
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except OSError as error:
        raise cannot_be_read(path, error) from error
    except (AttributeError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise DataError(
            str(path), "is not a .npz file of numbers", "write it with numpy.savez(path, x=x, h0=h)"
        ) from error


def save_outputs(path: Path, y: NDArray[Any] | Mapping[str, NDArray[Any]]) -> list[Path]:
    """Write one output to `path`, several to <path's stem>.<name>.npy.  Raises OutputError."""
    if not isinstance(y, Mapping):
        _save(path, y)
        return [path]
    paths = [path.with_name(f"{path.stem}.{name}.npy") for name in y]
    for where, array in zip(paths, y.values(), strict=True):
        _save(where, array)
    return paths


def save_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write each array to <folder>/<name>.npy.  Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            str(folder), f"cannot be made: {error.strerror}", "name another folder"
        ) from error
    for name, array in arrays.items():
        _save(folder / f"{name}.npy", array)


def _save(path: Path, array: NDArray[np.generic]) -> None:
    import numpy as np

    try:
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    except OSError as error:
        raise cannot_be_written(path, error) from error


def save_text(path: Path, text: str) -> None:
    """Write text to `path`.  Raises OutputError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise cannot_be_written(path, error) from error


def cannot_be_read(path: Path, error: OSError) -> DataError:
    """A file that is not there, or that somebody else may read."""
    hint = "give the path of an array that numpy.save wrote"
    return DataError(str(path), f"cannot be read: {error.strerror or error}", hint)


def cannot_be_written(path: Path, error: OSError) -> OutputError:
    """A place where no file can be."""
    hint = "name a file in a folder that exists and that you may write to"
    return OutputError(str(path), f"cannot be written: {error.strerror or error}", hint)


def _no_array(path: Path, fact: str) -> DataError:
    return DataError(str(path), fact, "write it with numpy.save(path, array)")
