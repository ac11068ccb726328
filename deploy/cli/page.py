"""`--pictures`: a page written by a command."""

from collections.abc import Callable
from pathlib import Path

import typer

from deploy.errors import UsageError
from deploy.writable import check_file


def write_pictures(path: Path, write: Callable[[Path], object]) -> None:
    """Write a page to a file, and name it on stderr.

    Raises:
        UsageError: The file cannot be written.
    """
    check_file("--pictures", path)
    try:
        write(path)
    except OSError as error:
        raise UsageError(f"--pictures {path}: {error.strerror}; give a file that can be written") from error
    typer.echo(f"Pictures: {path}", err=True)
