"""Follow log files, whose lines are shown with the name of the process before them."""

import os
from collections.abc import Iterator, Sequence
from os.path import samestat
from pathlib import Path
from typing import IO

TAIL_LINES = 12


class LogFollower:
    """Reads what is appended to `NAME.log` files of a folder from now on, also when they are rotated."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._paths = {name: folder / f"{name}.log" for name in names}
        self._open: dict[str, IO[bytes]] = {}
        self._parts: dict[str, bytes] = {}  # of lines that are not complete yet
        for name, path in self._paths.items():
            if path.exists():
                self._open[name] = path.open("rb")
                self._open[name].seek(0, 2)

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the new lines of every file, as (name, line)."""
        for name, path in self._paths.items():
            data = self._read(name, path)
            if self._rotated(name, path):
                self._open.pop(name).close()
                data += self._read(name, path)
            *whole, self._parts[name] = (self._parts.get(name, b"") + data).split(b"\n")
            yield from ((name, line.decode(errors="replace")) for line in whole)

    def _read(self, name: str, path: Path) -> bytes:
        if name not in self._open and path.exists():
            self._open[name] = path.open("rb")
        return self._open[name].read() if name in self._open else b""

    def _rotated(self, name: str, path: Path) -> bool:
        """Return whether another file has taken the place of the open one."""
        file = self._open.get(name)
        return file is not None and path.exists() and not samestat(os.fstat(file.fileno()), path.stat())


def tail(folder: Path, name: str) -> str:
    """Return the last lines of a log."""
    path = folder / f"{name}.log"
    if not path.exists():
        return "(no log)"
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 16_384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-TAIL_LINES:])
