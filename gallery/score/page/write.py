"""Write a page to a file, whole or not at all."""

from contextlib import suppress
from pathlib import Path


def write_whole(text: str, path: Path) -> None:
    """Write a text atomically, in UTF-8.

    Raises:
        OSError: The file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
