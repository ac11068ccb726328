"""What is no file: reading a pipe or a device may never end, and fill the memory meanwhile."""

from pathlib import Path

ENDLESS = "is a pipe or a device, not a file"


def is_endless(path: Path) -> bool:
    """Tell whether a path is neither a file nor a folder; one that cannot be looked at says why when it is read."""
    try:
        return path.exists() and not path.is_file() and not path.is_dir()
    except OSError:
        return False
