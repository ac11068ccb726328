"""Crops of finished tracklets on disk, where a site has agreed to that: what `climbtrack adapt` learns the site from.

    FOLDER/CAMERA/STREAM_TRACK.LEG_PART/CAPTURE_NS.jpg

A tracklet is there in whole or not at all. Its place follows from its name alone: work that is repeated after a restart
finds it there already, and who wants it gone knows where to look. Nothing but folders named like that is ever removed.
"""

import logging
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import utime
from pathlib import Path
from urllib.parse import quote

from reid_worker.crops import Crop
from reid_worker.metrics import WorkerMetrics
from wire.errors import SettingsError
from wire.tracklet_id import TrackletId

log = logging.getLogger(__name__)

_TRACKLET = re.compile(r"\.?[^/]+_\d+\.\d+_\d+")  # hidden: half-written, or half-removed
_BLOCK = 4096  # bytes; a file takes whole blocks of a disk
_TIDY_NS = 600 * 10**9  # the folder is read through so often: other workers may write into it, people may clear it
_ABANDONED_NS = 60 * 10**9  # a hidden folder this old was left by a worker that died


@dataclass(frozen=True, slots=True)
class KeepOptions:
    """Where crops are kept, and how many: the oldest tracklets go once there are more bytes, or they are older."""

    folder: Path
    max_bytes: int
    max_age_ns: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A tracklet on disk: its folder, when it was written, ns since the Unix epoch, and the bytes it takes."""

    path: Path
    written_ns: int
    size: int


def place_of(folder: Path, tracklet: TrackletId) -> Path:
    """Return the folder of the crops of a tracklet; no two tracklets share one."""
    stream = quote(tracklet.stream_id, safe="")
    return folder / quote(tracklet.camera_id, safe="") / f"{stream}_{tracklet.track}.{tracklet.leg}_{tracklet.part}"


def surplus(kept: Sequence[Kept], now_ns: int, options: KeepOptions) -> int:
    """Return how many tracklets from the front of `kept`, oldest first, have to go to keep both bounds."""
    total = sum(one.size for one in kept)
    for number, one in enumerate(kept):
        if total <= options.max_bytes and now_ns - one.written_ns <= options.max_age_ns:
            return number
        total -= one.size
    return len(kept)


class CropKeeper:
    """Writes crops and removes the oldest. A disk that takes nothing more is counted and told, and stops nobody."""

    def __init__(
        self, options: KeepOptions, metrics: WorkerMetrics, *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """Make the folder, and remove what is too old or too much.

        Raises:
            SettingsError: The folder cannot be made, read or written.
        """
        self._options = options
        self._counted = metrics.kept
        self._clock = clock
        self._kept: list[Kept] = []
        self._tidied_ns = 0
        self._warned = False
        try:
            _make(options.folder)
            probe = options.folder / ".writable"
            probe.touch()
            probe.unlink()
            self._tidy()
        except OSError as error:
            raise SettingsError(
                f"worker.keep_crops = {str(options.folder)!r}: {error.strerror}; give a folder that can be written"
            ) from error

    def keep(self, tracklet: TrackletId, crops: Sequence[Crop]) -> None:
        """Write the crops of a finished tracklet, unless they are there."""
        place, now_ns = place_of(self._options.folder, tracklet), self._clock()
        try:
            if place.exists():
                return
            _write(place, crops, now_ns)
        except OSError as error:
            shutil.rmtree(_hidden(place), ignore_errors=True)
            self._counted.labels(outcome="failed").inc()
            self._warn("crops of tracklets cannot be kept", error)
            return
        self._counted.labels(outcome="kept").inc()
        self._kept.append(Kept(place, now_ns, _on_disk([len(crop.jpeg) for crop in crops])))
        self._trim(self._remove_surplus)

    def tidy(self) -> None:
        """Every ten minutes: look what is there, and remove what is too old or too much."""
        if self._clock() - self._tidied_ns >= _TIDY_NS:
            self._trim(self._tidy)

    def _trim(self, remove: Callable[[], None]) -> None:
        try:
            remove()
        except OSError as error:
            self._warn("old crops cannot be removed", error)

    def _tidy(self) -> None:
        self._tidied_ns = self._clock()
        self._kept = _found(self._options.folder, self._tidied_ns)
        self._remove_surplus()

    def _remove_surplus(self) -> None:
        for _ in range(surplus(self._kept, self._clock(), self._options)):
            _remove(self._kept[0].path)
            del self._kept[0]
            self._counted.labels(outcome="removed").inc()

    def _warn(self, what: str, error: OSError) -> None:
        """Say once what is wrong with the disk; the counter goes on telling."""
        if not self._warned:
            log.warning("%s in %s (%s): the worker goes on without", what, self._options.folder, error.strerror)
        self._warned = True


def _hidden(place: Path) -> Path:
    return place.with_name(f".{place.name}")


def _write(place: Path, crops: Sequence[Crop], now_ns: int) -> None:
    hidden = _hidden(place)
    _make(hidden)
    for crop in crops:
        (hidden / f"{crop.time_ns}.jpg").write_bytes(crop.jpeg)
    utime(hidden, ns=(now_ns, now_ns))
    hidden.rename(place)


def _make(folder: Path) -> None:
    """Make a folder, and those above it, which nobody else may look into; those that are there stay as they are."""
    if not folder.parent.is_dir():
        _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def _found(folder: Path, now_ns: int) -> list[Kept]:
    """Return the tracklets in a folder, oldest first, and remove what dead workers left of some."""
    kept = []
    for place in folder.glob("*/*"):
        if not _TRACKLET.fullmatch(place.name) or place.is_symlink() or not place.is_dir():
            continue
        try:
            written_ns = place.stat().st_mtime_ns
            if not place.name.startswith("."):
                kept.append(Kept(place, written_ns, _on_disk([file.stat().st_size for file in place.iterdir()])))
            elif now_ns - written_ns > _ABANDONED_NS:
                shutil.rmtree(place)
        except FileNotFoundError:  # another worker was faster
            continue
    return sorted(kept, key=lambda one: (one.written_ns, one.path))


def _remove(place: Path) -> None:
    """Remove a tracklet, if nobody else has, so that a reader sees all of it or nothing."""
    hidden = _hidden(place)
    shutil.rmtree(hidden, ignore_errors=True)
    with suppress(FileNotFoundError):
        place.rename(hidden)
        shutil.rmtree(hidden)


def _on_disk(sizes: Sequence[int]) -> int:
    """Return the bytes that a folder of files takes."""
    return _BLOCK + sum(-(-size // _BLOCK) * _BLOCK for size in sizes)
