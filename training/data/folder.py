"""Read what a data set's folder holds besides pixels: names, lists and MATLAB tables. Every failure names the file."""

import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSetError

_IMAGES = (".jpg", ".jpeg", ".png", ".bmp")


def image_names(folder: Path) -> list[str]:
    """Return the names of the images in a folder, sorted; what else lies there is passed over.

    Raises:
        DataSetError: There is no such folder, or it cannot be read.
    """
    names = (name for name in _listed(folder) if name.lower().endswith(_IMAGES))
    return sorted(name for name in names if not name.startswith("."))  # `._0001.jpg` is what macOS leaves on a disk


def folder_names(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted; hidden ones are passed over.

    Raises:
        DataSetError: There is no such folder, or it cannot be read.
    """
    return sorted(name for name in _listed(folder) if not name.startswith(".") and (folder / name).is_dir())


def read_lines(path: Path) -> list[str]:
    """Return the lines of a list without the blank ones.

    Raises:
        DataSetError: The file is missing, empty or no text.
    """
    try:
        lines = [line for line in (line.strip() for line in path.read_text("utf-8").splitlines()) if line]
    except OSError as error:
        raise DataSetError(f"{path} cannot be read ({error.strerror}): is the data set copied in full?") from error
    except UnicodeDecodeError as error:
        raise DataSetError(f"{path} is no text: copy it again") from error
    if not lines:
        raise DataSetError(f"{path} is empty: copy it again")
    return lines


def read_table(path: Path, variable: str) -> NDArray[np.int64]:
    """Return a matrix of whole numbers from a MATLAB file of any version.

    Raises:
        DataSetError: The file is missing or broken, or has no such variable of whole numbers.
    """
    if not path.is_file():
        raise DataSetError(f"{path} is missing: is the data set copied in full?")
    with path.open("rb") as file:
        of_version_7_3 = file.read(19) == b"MATLAB 7.3 MAT-file" or (file.seek(0) == 0 and file.read(4) == b"\x89HDF")
    values = _hdf5(path, variable) if of_version_7_3 else _matlab(path, variable)
    if values.dtype.kind not in "iuf" or values.size == 0:
        raise DataSetError(f"{path}: {variable} is a {values.dtype} of shape {values.shape}, numbers were expected")
    numbers = np.atleast_2d(values).astype(np.int64)
    if not np.array_equal(numbers, np.atleast_2d(values)):
        raise DataSetError(f"{path}: {variable} holds other than whole numbers")
    return numbers


def require_images(root: Path, folders: Iterable[tuple[str, Sequence[str]]], *, source: str) -> None:
    """Check that images which a list names are there, by one listing of each folder.

    Args:
        root: What the folders are in.
        folders: Folder below `root`, and names that must be in it.
        source: Who names them, for the message.

    Raises:
        DataSetError: Some are not there.
    """
    there: dict[str, set[str]] = {}
    named, missing, first = 0, 0, ""
    for folder, names in folders:
        if folder not in there:
            there[folder] = set(_listed(root / folder)) if (root / folder).is_dir() else set()
        named += len(names)
        absent = [name for name in names if name not in there[folder]]
        first = first or (f"{folder}/{absent[0]}" if absent else "")
        missing += len(absent)
    if missing:
        raise DataSetError(
            f"{root}: {missing} of {named} images named by {source} are not there, the first is {first}: copy the "
            "data set again"
        )


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are enough, three million Paths are not
    except OSError as error:
        raise DataSetError(f"{folder} cannot be read ({error.strerror}): is the data set copied in full?") from error


def _matlab(path: Path, variable: str) -> NDArray[np.generic]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(path)
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        zlib.error,
        MatReadError,
        NotImplementedError,
    ) as error:
        raise DataSetError(f"{path} is no MATLAB file, or a broken one ({error}): copy it again") from error
    return _variable(path, variable, {name: value for name, value in found.items() if not name.startswith("__")})


def _hdf5(path: Path, variable: str) -> NDArray[np.generic]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found = {name: value[()].T for name, value in file.items() if isinstance(value, h5py.Dataset)}
    except (OSError, RuntimeError, KeyError) as error:
        raise DataSetError(f"{path} is no MATLAB 7.3 file, or a broken one ({error}): copy it again") from error
    return _variable(path, variable, found)


def _variable(path: Path, variable: str, found: dict[str, NDArray[np.generic]]) -> NDArray[np.generic]:
    if variable not in found:
        raise DataSetError(f"{path} has no {variable}, only {', '.join(sorted(found)) or 'nothing'}")
    return np.asarray(found[variable])
