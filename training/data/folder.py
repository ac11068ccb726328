"""Read what a data set's folder holds besides pixels: names, lists and MATLAB tables. Every failure names the file."""

import os
import re
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
_OF_SYSTEMS = {"thumbs.db", "desktop.ini"}  # as `.DS_Store` and `._0001.jpg`: nobody put them there


def image_names(folder: Path, part: str = "", skipped: Skipped | None = None) -> list[str]:
    """Return the names of the images in a folder, sorted; hidden files and what systems leave are passed over.

    Args:
        folder: Where they are.
        part: What the folder is part of, for `skipped`.
        skipped: Told of files that are not images.

    Raises:
        DataSetError: There is no such folder, or it cannot be read.
    """
    names = [name for name in _listed(folder) if not name.startswith(".")]
    images = sorted(name for name in names if name.lower().endswith(IMAGES))
    if skipped is not None and len(images) < len(names):
        others = sorted(set(names).difference(images))
        files = [name for name in others if name.lower() not in _OF_SYSTEMS and not (folder / name).is_dir()]
        skipped.add(part, "files that are not images", files)
    return images


def folder_names(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted; hidden ones are passed over.

    Raises:
        DataSetError: There is no such folder, or it cannot be read.
    """
    return sorted(name for name in _listed(folder) if not name.startswith(".") and (folder / name).is_dir())


def require_folder(folder: Path) -> None:
    """Check that a folder is there.

    Raises:
        DataSetError: It is not, or it is a file, such as the archive of a data set.
    """
    if folder.is_file():
        raise DataSetError(f"{folder} is a file, a folder is expected: unpack it if it is an archive")
    if not folder.is_dir():
        raise DataSetError(f"{folder} does not exist: a folder is expected")


def contents(folder: Path) -> str:
    """Return what lies in a folder, for a message about what was expected there."""
    if not folder.is_dir():
        return f"{folder} does not exist"
    names = [name for name in sorted(_listed(folder)) if not name.startswith(".")]
    folders = [name for name in names if (folder / name).is_dir()]
    files = sorted(set(names).difference(folders))
    said = [f"{what} {listing(some)}" for what, some in (("the folders", folders), ("the files", files)) if some]
    return f"{folder} holds {' and '.join(said) or 'nothing'}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a list, without blanks around it, and its number in the file, from 1."""

    number: int
    text: str


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a list without the blank ones.

    Raises:
        DataSetError: The file is missing, empty or not text in UTF-8.
    """
    try:
        lines = [Line(number, line.strip()) for number, line in enumerate(read_text(path), 1) if line.strip()]
    except OSError as error:
        raise DataSetError(f"{path} cannot be read ({error.strerror}): is the data set copied in full?") from error
    except TextError as error:
        raise DataSetError(str(error)) from error
    if not lines:
        raise DataSetError(f"{path} is empty: copy it again")
    return lines


def plain_path(text: str) -> str:
    r"""Return a path of a list as this system writes it: lists are also made on Windows, and by `find .`.

    >>> plain_path(".\\0000\\a.jpg"), plain_path("./0000/a.jpg")
    ('0000/a.jpg', '0000/a.jpg')
    """
    return str(PurePosixPath(text.replace("\\", "/"))) if "\\" in text or "./" in text or "//" in text else text


def path_and_label(text: str) -> tuple[str, int] | None:
    """Return path and label of a line like `0000/a.jpg 0`, or None where it is in another form.

    >>> path_and_label("./0000/a.jpg,7"), path_and_label("0000/a.jpg")
    (('0000/a.jpg', 7), None)
    """
    found = re.fullmatch(r"(.+?)[\s,;]+([0-9]{1,18})", text)
    return None if found is None else (plain_path(found[1]), int(found[2]))


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
    named = 0
    missing: list[str] = []
    for folder, names in folders:
        if folder not in there:
            there[folder] = set(_listed(root / folder)) if (root / folder).is_dir() else set()
        named += len(names)
        missing += [f"{folder}/{name}" for name in names if name not in there[folder]]
    if missing:
        raise DataSetError(
            f"{root}: {len(missing)} of {named} images named by {source} are not there: {listing(missing)}. Copy the "
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
