"""Stores crops of finished tracklets on disk, if enabled: the training data of `climbtrack adapt`.

    FOLDER/CAMERA/STREAM_TRACK.LEG_PART/CAPTURE_NS.jpg

A tracklet exists completely or not at all. Its path depends only on its id, so that work repeated after a restart finds
it, and anyone who must delete it can locate it. Only folders named like this are ever removed.
"""

import logging
import math
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from os import utime
from pathlib import Path
from urllib.parse import quote

from reid_worker.crops import Crop
from reid_worker.metrics import WorkerMetrics
from wire.errors import SettingsError
from wire.tracklet_id import TrackletId

log = logging.getLogger(__name__)

_TRACKLET = re.compile(r"\.?[^/]+_\d+\.\d+_\d+")  # hidden: partly written, or partly removed
_BLOCK = 4096  # bytes; a file takes whole disk blocks
_CLEAN_UP_NS = 600 * 10**9  # interval of rescanning the folder, as other workers may write to it and users may clear it
_ABANDONED_NS = 60 * 10**9  # a hidden folder older than this was left by a worker that died


@dataclass(frozen=True, slots=True)
class KeepOptions:
    """Where crops are kept, and how many: beyond either limit the oldest tracklets are removed."""

    folder: Path
    max_bytes: int
    max_age_ns: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A tracklet on disk: its folder, when it was written in ns since the Unix epoch, and its size in bytes."""

    path: Path
    written_ns: int
    size: int


def folder_of(folder: Path, tracklet: TrackletId) -> Path:
    """Return the folder for the crops of a tracklet, unique to it."""
    stream = quote(tracklet.stream_id, safe="")
    return folder / quote(tracklet.camera_id, safe="") / f"{stream}_{tracklet.track}.{tracklet.leg}_{tracklet.part}"


def surplus(kept: Sequence[Kept], now_ns: int, options: KeepOptions) -> int:
    """Return how many tracklets at the start of `kept`, oldest first, must be removed to respect both limits."""
    total = sum(one.size for one in kept)
    for number, one in enumerate(kept):
        if total <= options.max_bytes and now_ns - one.written_ns <= options.max_age_ns:
            return number
        total -= one.size
    return len(kept)


class CropKeeper:
    """Writes crops and removes the oldest. Disk errors are counted and logged, but do not stop the worker."""

    def __init__(
        self, options: KeepOptions, metrics: WorkerMetrics, *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """Create the folder, and remove crops beyond the limits.

        Raises:
            SettingsError: The folder cannot be created, read or written.
        """
        self._options = options
        self._counted = metrics.kept
        self._clock = clock
        self._kept: list[Kept] = []
        self._cleaned_up_ns = 0
        self._warned = False
        try:
            _make_private(options.folder)
            probe = options.folder / ".writable"
            probe.touch()
            probe.unlink()
            self._clean_up()
            metrics.crops_free_bytes.set_function(partial(_free_bytes, options.folder))
        except OSError as error:
            raise SettingsError(
                f"worker.keep_crops = {str(options.folder)!r}: {error.strerror}; choose a writable folder"
            ) from error

    def keep(self, tracklet: TrackletId, crops: Sequence[Crop]) -> None:
        """Write the crops of a finished tracklet, unless they already exist."""
        path, now_ns = folder_of(self._options.folder, tracklet), self._clock()
        try:
            if path.exists():
                return
            _write(path, crops, now_ns)
        except OSError as error:
            shutil.rmtree(_hidden_path(path), ignore_errors=True)
            self._counted.labels(outcome="failed").inc()
            self._warn("crops of tracklets cannot be written", error)
            return
        self._counted.labels(outcome="kept").inc()
        self._kept.append(Kept(path, now_ns, _on_disk([len(crop.cutout.jpeg()) for crop in crops])))
        self._trim(self._remove_surplus)

    def clean_up(self) -> None:
        """Rescan the folder and remove crops beyond the limits, at most every ten minutes."""
        if self._clock() - self._cleaned_up_ns >= _CLEAN_UP_NS:
            self._trim(self._clean_up)

    def _trim(self, remove: Callable[[], None]) -> None:
        try:
            remove()
        except OSError as error:
            self._warn("old crops cannot be removed", error)

    def _clean_up(self) -> None:
        self._cleaned_up_ns = self._clock()
        self._kept = _scan(self._options.folder, self._cleaned_up_ns)
        self._remove_surplus()

    def _remove_surplus(self) -> None:
        for _ in range(surplus(self._kept, self._clock(), self._options)):
            _remove(self._kept[0].path)
            del self._kept[0]
            self._counted.labels(outcome="removed").inc()

    def _warn(self, what: str, error: OSError) -> None:
        """Log the first disk error; the counter shows further ones."""
        if not self._warned:
            log.warning("%s in %s (%s): the worker continues without", what, self._options.folder, error.strerror)
        self._warned = True


def _free_bytes(folder: Path) -> float:
    """Return the free space on the disk of a folder; NaN if it has gone."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return math.nan


def _hidden_path(path: Path) -> Path:
    return path.with_name(f".{path.name}")


def _write(path: Path, crops: Sequence[Crop], now_ns: int) -> None:
    hidden = _hidden_path(path)
    _make_private(hidden)
    for crop in crops:
        (hidden / f"{crop.time_ns}.jpg").write_bytes(crop.cutout.jpeg())
    utime(hidden, ns=(now_ns, now_ns))
    hidden.rename(path)


def _make_private(folder: Path) -> None:
    """Create a folder and its parents, accessible only to this user; existing ones are not changed."""
    if not folder.parent.is_dir():
        _make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def _scan(folder: Path, now_ns: int) -> list[Kept]:
    """Return the tracklets in a folder, oldest first, and remove leftovers of dead workers."""
    kept = []
    for path in folder.glob("*/*"):
        if not _TRACKLET.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            continue
        try:
            written_ns = path.stat().st_mtime_ns
            if not path.name.startswith("."):
                kept.append(Kept(path, written_ns, _on_disk([file.stat().st_size for file in path.iterdir()])))
            elif now_ns - written_ns > _ABANDONED_NS:
                shutil.rmtree(path)
        except FileNotFoundError:  # another worker was faster
            continue
    return sorted(kept, key=lambda one: (one.written_ns, one.path))


def _remove(path: Path) -> None:
    """Remove a tracklet, if it still exists, so that readers see all of it or nothing."""
    hidden = _hidden_path(path)
    shutil.rmtree(hidden, ignore_errors=True)
    with suppress(FileNotFoundError):
        path.rename(hidden)
        shutil.rmtree(hidden)


def _on_disk(sizes: Sequence[int]) -> int:
    """Return the disk usage of a folder with files of these sizes, bytes."""
    return _BLOCK + sum(-(-size // _BLOCK) * _BLOCK for size in sizes)
