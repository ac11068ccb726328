"""Crops that workers keep for `climbtrack adapt`: those that may show an erased person are deleted.

`reid_worker.keep` writes them to `FOLDER/CAMERA/TRACK/CAPTURE_NS.jpg`. A crop shows whoever stands beside its person as
well, so the tracks of everybody whom a camera saw at that time go, as its recordings do.
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from gallery.recording.erasures import may_show
from gallery.store.said import Seen


class KeptCrops:
    """The folder `worker.keep_crops` of workers whose disk this process sees; None keeps nothing."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def delete(self, seen: Sequence[Seen]) -> int:
        """Delete every track with a crop of one of these times; return how many there were.

        Raises:
            OSError: One cannot be deleted.
        """
        return sum(self._delete(camera, [one for one in seen if one.camera_id == camera]) for camera in _cameras(seen))

    def _delete(self, camera_id: str, seen: Sequence[Seen]) -> int:
        if self._folder is None:
            return 0
        count = 0
        for track in (self._folder / quote(camera_id, safe="")).glob("*_*"):
            times = [int(crop.stem) for crop in track.glob("*.jpg") if crop.stem.isdecimal()]
            if any(may_show(one, camera_id, time_ns, time_ns) for one in seen for time_ns in times):
                _remove(track)
                count += 1
        return count


NO_CROPS = KeptCrops()


def _cameras(seen: Sequence[Seen]) -> list[str]:
    return sorted({one.camera_id for one in seen})


def _remove(track: Path) -> None:
    """Remove a track, so that a reader sees all of it or nothing; the worker removes what a crash leaves."""
    hidden = track if track.name.startswith(".") else track.with_name(f".{track.name}")
    with suppress(FileNotFoundError):  # the worker was faster: it was too old
        if hidden != track:
            shutil.rmtree(hidden, ignore_errors=True)
            track.rename(hidden)
        shutil.rmtree(hidden)
