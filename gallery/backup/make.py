"""Make a backup of a site."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from gallery.backup.file import Head, Tail, Writer
from gallery.errors import BackupError
from gallery.store import records
from gallery.store.change import Change
from gallery.store.copying import SiteCopy
from gallery.store.server import stored_bytes
from wire.metrics import installed_version

PART = ".part"
MB = 1e6


def back_up(client: Any, site_id: str, path: Path) -> Tail:
    """Write a site in Redis to a new file, as one state that existed, while galleries may go on writing it.

    Only the owner may read the file. It has its name when it is complete and on the disk.

    Raises:
        BackupError: The file exists or cannot be written, its disk has too little room, another backup is going on, or
            the site was never written.
        StoreUnavailable, StoreRefused: Redis cannot be read.
    """
    _check_room(client, site_id, path)
    with _new_file(path) as file:
        head = Head(
            site=site_id,
            begun=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            climbtrack=installed_version(),
        )
        writer, summary = Writer(file, head), _Summary()
        for change in SiteCopy(client, site_id).changes():
            writer.add(change)
            summary.add(change)
        if not summary.meta:
            raise BackupError(f"site {site_id} has no data: nothing was decided yet, or it has another name")
        tail = summary.tail(writer)
        writer.end(tail)
    return tail


def _check_room(client: Any, site_id: str, path: Path) -> None:
    """Raise BackupError if the disk has clearly too little room; a site compresses by a fifth or so."""
    needed = 0.75 * stored_bytes(client, site_id)
    try:
        free = shutil.disk_usage(path.absolute().parent).free
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from None
    if needed > free:
        raise BackupError(
            f"{path}: the backup needs about {needed / MB:.0f} MB, and {free / MB:.0f} MB are free: free space, or"
            " name a file on another disk"
        )


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that gets its name when the block ends, and is removed if it fails."""
    part = path.with_name(path.name + PART)
    _check_new(path)
    try:
        part.unlink(missing_ok=True)  # of a backup that was killed
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        _check_new(path)
        part.rename(path)
        _sync_folder(path.absolute().parent)
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}: free space, or name a file elsewhere") from None
    finally:
        part.unlink(missing_ok=True)


def _check_new(path: Path) -> None:
    if path.exists():
        raise BackupError(f"{path} exists: name another file; none is overwritten")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Summary:
    """What a backup holds, from its changes."""

    def __init__(self) -> None:
        self.meta: dict[bytes, bytes] = {}
        self._identities: set[bytes] = set()
        self._models: set[str] = set()

    def add(self, change: Change) -> None:
        """Take a change into account."""
        parts = change.parts
        match change.key, change.kind:
            case "meta", "hash":
                self.meta |= dict(zip(parts[::2], parts[1::2], strict=True))
            case "identities", "hash":
                self._identities.update(parts[::2])
            case "identities", "without":
                self._identities.difference_update(parts[1:])
            case "identities", "delete":
                self._identities.clear()
            case "prototypes", "hash":
                self._models.update(*map(records.models_of, parts[1::2]))

    def tail(self, writer: Writer) -> Tail:
        """Return the end of the file."""
        return Tail(
            version=int(self.meta.get(b"version", 0)),
            layout=int(self.meta.get(b"layout", 1)),
            now_ns=int(self.meta.get(b"now_ns", 0)),
            identities=len(self._identities),
            models=tuple(sorted(self._models)),
            raw_bytes=writer.raw_bytes,
        )
