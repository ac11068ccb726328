"""Read file names, lists and MATLAB tables from a data set's folder. Every error names the file."""

import os
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSetError
from training.data.skipped import Skipped, listing
from wire.errors import TextError
from wire.text import read_lines as read_text

IMAGES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".avif")
_OF_SYSTEMS = {"thumbs.db", "desktop.ini"}  # created by operating systems, like `.DS_Store` and `._0001.jpg`


def image_names(folder: Path, part: str = "", skipped: Skipped | None = None) -> list[str]:
    """Return the sorted names of the images in a folder, ignoring hidden files and those of operating systems.

    Args:
        folder: Folder to list.
        part: Part of the data set the folder belongs to, for `skipped`.
        skipped: Collects files that are not images.

    Raises:
        DataSetError: The folder does not exist or cannot be read.
    """
    names = [name for name in _listed(folder) if not name.startswith(".")]
    images = sorted(name for name in names if name.lower().endswith(IMAGES))
    if skipped is not None and len(images) < len(names):
        others = sorted(set(names).difference(images))
        files = [name for name in others if name.lower() not in _OF_SYSTEMS and not (folder / name).is_dir()]
        skipped.add(part, "files that are not images", files)
    return images


def folder_names(folder: Path) -> list[str]:
    """Return the sorted names of the folders in a folder, ignoring hidden ones.

    Raises:
        DataSetError: The folder does not exist or cannot be read.
    """
    return sorted(name for name in _listed(folder) if not name.startswith(".") and (folder / name).is_dir())


def require_folder(folder: Path) -> None:
    """Check that a folder exists.

    Raises:
        DataSetError: It does not exist, or is a file, such as the archive of a data set.
    """
    if folder.is_file():
        raise DataSetError(f"{folder} is a file, expected a folder: unpack it if it is an archive")
    if not folder.is_dir():
        raise DataSetError(f"{folder} does not exist: expected a folder")


def contents(folder: Path) -> str:
    """Describe the contents of a folder, for error messages."""
    if not folder.is_dir():
        return f"{folder} does not exist"
    names = [name for name in sorted(_listed(folder)) if not name.startswith(".")]
    folders = [name for name in names if (folder / name).is_dir()]
    files = sorted(set(names).difference(folders))
    said = [f"{what} {listing(some)}" for what, some in (("the folders", folders), ("the files", files)) if some]
    return f"{folder} holds {' and '.join(said) or 'nothing'}"


@dataclass(frozen=True, slots=True)
class Line:
    """A stripped line of a list, and its number in the file, from 1."""

    number: int
    text: str


def read_lines(path: Path) -> list[Line]:
    """Return the non-blank lines of a list.

    Raises:
        DataSetError: The file is missing, empty or not UTF-8 text.
    """
    try:
        lines = [Line(number, line.strip()) for number, line in enumerate(read_text(path), 1) if line.strip()]
    except OSError as error:
        raise DataSetError(f"{path} cannot be read ({error.strerror}): was the data set copied completely?") from error
    except TextError as error:
        raise DataSetError(str(error)) from error
    if not lines:
        raise DataSetError(f"{path} is empty: copy it again")
    return lines


def plain_path(text: str) -> str:
    r"""Normalise a path from a list, which may have been created on Windows, or by `find .`.

    >>> plain_path(".\\0000\\a.jpg"), plain_path("./0000/a.jpg")
    ('0000/a.jpg', '0000/a.jpg')
    """
    return str(PurePosixPath(text.replace("\\", "/"))) if "\\" in text or "./" in text or "//" in text else text


def path_and_label(text: str) -> tuple[str, int] | None:
    """Parse a line like `0000/a.jpg 0` into path and label; return None if it has another form.

    >>> path_and_label("./0000/a.jpg,7"), path_and_label("0000/a.jpg")
    (('0000/a.jpg', 7), None)
    """
    found = re.fullmatch(r"(.+?)[\s,;]+([0-9]{1,18})", text)
    return None if found is None else (plain_path(found[1]), int(found[2]))


def read_table(path: Path, variable: str) -> NDArray[np.int64]:
    """Read an integer matrix from a MATLAB file of any version.

    Raises:
        DataSetError: The file is missing or broken, or has no integer variable with this name.
    """
    if not path.is_file():
        raise DataSetError(f"{path} is missing: was the data set copied completely?")
    with path.open("rb") as file:
        of_version_7_3 = file.read(19) == b"MATLAB 7.3 MAT-file" or (file.seek(0) == 0 and file.read(4) == b"\x89HDF")
    values = _hdf5(path, variable) if of_version_7_3 else _matlab(path, variable)
    if values.dtype.kind not in "iuf" or values.size == 0:
        raise DataSetError(f"{path}: {variable} is a {values.dtype} of shape {values.shape}, expected numbers")
    numbers = np.atleast_2d(values).astype(np.int64)
    if not np.array_equal(numbers, np.atleast_2d(values)):
        raise DataSetError(f"{path}: {variable} holds numbers that are not integers")
    return numbers


def require_images(root: Path, folders: Iterable[tuple[str, Sequence[str]]], *, source: str) -> None:
    """Check that listed images exist, listing each folder once.

    Args:
        root: Parent of the folders.
        folders: Folder below `root`, and the names it must contain.
        source: What lists the images, for the message.

    Raises:
        DataSetError: Images are missing.
    """
    there: dict[str, set[str]] = {}
    named = 0
    missing: list[str] = []
    for folder, names in folders:
        if folder not in there:
            there[folder] = set(_listed(root / folder)) if (root / folder).is_dir() else set()
        named += len(names)
        missing += [f"{folder}/{name}" for name in names if name not in there[folder]]
    if missing:
        raise DataSetError(
            f"{root}: {len(missing)} of {named} images listed in {source} are missing: {listing(missing)}. Copy the "
            "data set again"
        )


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names suffice; three million Paths would be slow
    except OSError as error:
        raise DataSetError(
            f"{folder} cannot be read ({error.strerror}): was the data set copied completely?"
        ) from error


def _matlab(path: Path, variable: str) -> NDArray[np.generic]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        _require_whole(path.read_bytes())
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
        raise DataSetError(f"{path} is not a MATLAB file, or is broken ({error}): copy it again") from error
    return _variable(path, variable, {name: value for name, value in found.items() if not name.startswith("__")})


def _require_whole(content: bytes) -> None:
    """Raise ValueError unless the elements of a MATLAB 5 file fill it exactly: scipy may crash on a truncated one."""
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    position = 128
    while order is not None and position < len(content):
        if position + 8 > len(content):
            raise ValueError("truncated")
        position += 8 + struct.unpack_from(f"{order}I", content, position + 4)[0]
    if order is not None and position != len(content):
        raise ValueError("truncated")


def _hdf5(path: Path, variable: str) -> NDArray[np.generic]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found = {name: value[()].T for name, value in file.items() if isinstance(value, h5py.Dataset)}
    except (OSError, RuntimeError, KeyError) as error:
        raise DataSetError(f"{path} is not a MATLAB 7.3 file, or is broken ({error}): copy it again") from error
    return _variable(path, variable, found)


def _variable(path: Path, variable: str, found: dict[str, NDArray[np.generic]]) -> NDArray[np.generic]:
    if variable not in found:
        raise DataSetError(f"{path} has no variable {variable}, only {', '.join(sorted(found)) or 'nothing'}")
    return np.asarray(found[variable])
