"""The folder of recordings: used by one recorder, scanned when it starts, never beyond its bounds."""

import fcntl
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from gallery.recording.ring import Bounds, Kept, Ring
from gallery.recording.segment import Segment, read_name
from gallery.recording.writer import recover
from wire.errors import SettingsError

log = logging.getLogger(__name__)

LOCK = ".recorder"
REMEDY = "choose a folder that this user can write with recording.folder"


class RecordingFolder:
    """The files of all cameras; use as a context manager, which keeps other recorders out."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        self.path = path
        self.ring = Ring(bounds)

    def __enter__(self) -> Self:
        """Lock the folder, and complete what an earlier process left unfinished.

        Raises:
            SettingsError: It cannot be created, read or written, or another recorder uses it.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _lock(self._descriptor, self.path)
            self._scan()
        except OSError as error:
            where = error.filename or self.path
            raise SettingsError(f"recording.folder {self.path}: {where}: {error.strerror}; {REMEDY}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let others use the folder."""
        os.close(self._descriptor)

    def free_bytes(self) -> int:
        """Return the free space of its disk.

        Raises:
            OSError: The folder is gone, or its disk is no longer mounted there: the lock is missing.
        """
        (self.path / LOCK).stat()
        return shutil.disk_usage(self.path).free

    def add(self, segment: Segment) -> None:
        """Count a finished segment."""
        with suppress(FileNotFoundError):  # removed by hand
            self.ring.add(_kept(segment))

    def trim(self, now_ns: int) -> int:
        """Delete what is beyond the bounds, oldest first; return how many segments.

        Raises:
            OSError: One cannot be deleted.
        """
        number = 0
        while (kept := self.ring.surplus(now_ns)) is not None:
            self.delete(kept)
            number += 1
        return number

    def delete(self, kept: Kept) -> None:
        """Delete a segment.

        Raises:
            OSError: It cannot be deleted.
        """
        kept.segment.path.unlink(missing_ok=True)
        self.ring.remove(kept)
        with suppress(OSError):  # others of the same hour remain
            kept.segment.folder.rmdir()

    def _scan(self) -> None:
        for part in sorted(self.path.glob("*/*/*.part")):
            recovered = recover(part)
            if recovered is not None:
                log.info("recorder: completed %s, which a process had left", recovered.path.name)
        for path in self.path.glob("*/*/*.mp4"):
            segment = read_name(path)
            if segment is not None:
                self.add(segment)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 64).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise SettingsError(
            f"recording.folder {path} is used by another recorder (process {holder}); one records all cameras: stop "
            "that one, or choose another folder"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _kept(segment: Segment) -> Kept:
    status = segment.path.stat()
    return Kept(status.st_mtime_ns, segment, status.st_blocks * 512)
