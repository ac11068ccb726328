"""What a command writes at its end, tried at its beginning: nobody wants to learn after hours that it cannot be."""

import errno
import os
import tempfile
from pathlib import Path

from deploy.errors import UsageError


def check_folder(option: str, folder: Path) -> None:
    """Create a folder, and check that files can be written there.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try(folder)
    except OSError as error:
        raise UsageError(f"{option} {folder}: {error.strerror}; choose a writable folder") from error


def check_file(option: str, file: Path) -> None:
    """Check that a file can be written; one that is there must be a regular one, as it is replaced: a device would be.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        _try(file.parent)
    except OSError as error:
        raise UsageError(f"{option} {file}: {error.strerror}; give a file that can be written") from error
    if file.exists() and not file.is_file():
        raise UsageError(f"{option} {file}: is a pipe or a device, and would be replaced; give a file")


def _try(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder):
        pass
