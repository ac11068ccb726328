"""Clips of one person from recordings, encoded again, in which everybody else is unrecognisable."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from numpy.typing import NDArray

from deploy.video.encode import VideoFile
from deploy.video.others import HELD_NS, LONGEST_NS, Others
from gallery.recording.clips import Stretch, cut_of, write_clip
from gallery.store.store import Store, TrackQuery
from gallery.tracks import EVERYTHING
from reid_worker.upright import upright
from wire.orientation import UPRIGHT, display_matrices, of_matrix

Picture = NDArray[np.uint8]
ROUNDING_NS = 20_000  # times in MP4 files are to 11 µs


def write_alone(stretch: Stretch, first_ns: int, last_ns: int, path: Path, others: Callable[[int, int], Others]) -> int:
    """Write the pictures of a time, upright, as an MP4 file whose time 0 is the first; return their number.

    Args:
        stretch: What is kept of the camera.
        first_ns: Capture time of the earliest picture.
        last_ns: Capture time of the latest one.
        path: The file; none is written without pictures.
        others: Everybody else, for pictures of a height and width.

    Raises:
        RunError: The file cannot be written.
    """
    count, began_ns, hiding = 0, 0, None
    with VideoFile(path, "--clips") as video:
        for time_ns, image in _pictures(stretch, first_ns, last_ns, path.parent):
            if hiding is None:
                began_ns, hiding = time_ns, others(*image.shape[:2])
            hiding.hide(image, time_ns)
            video.add(image, time_ns - began_ns)
            count += 1
    return count


def others_of(
    store: Store, camera_id: str, number: int, first_ns: int, last_ns: int, *, surroundings: bool
) -> Callable[[int, int], Others]:
    """Return what makes everybody but a person unrecognisable in a time of a camera, for pictures of a size."""
    around = HELD_NS + LONGEST_NS
    query = TrackQuery(camera_id, None, max(0, first_ns - around), last_ns + around, EVERYTHING)
    rows = store.find(query)
    return lambda height, width: Others(rows, number, height, width, surroundings=surroundings)


def _pictures(stretch: Stretch, first_ns: int, last_ns: int, folder: Path) -> Iterator[tuple[int, Picture]]:
    """Yield the pictures of a time with their capture times, BGR, upright, not shared; `folder` holds a file for it."""
    cut = cut_of(stretch, first_ns, last_ns)
    if cut is None:
        return
    with TemporaryDirectory(dir=folder) as private:
        path = Path(private) / "clip.mp4"
        with path.open("w+b") as sink:
            write_clip(stretch, cut, sink)
        with av.open(path) as file:
            turned = _Turned(stretch.segments[0].orientation)
            for frame in file.decode(video=0):
                orientation = turned.orientation(frame)
                time_ns = cut.first_ns + round(float(frame.time or 0) * 1e9)
                if first_ns - ROUNDING_NS <= time_ns <= last_ns + ROUNDING_NS:
                    yield time_ns, np.ascontiguousarray(upright(frame.to_ndarray(format="bgr24"), orientation))


class _Turned:
    """How pictures are to be rotated: as the container has stated, or else the bitstream at its latest keyframe."""

    def __init__(self, stated: int) -> None:
        self._stated = stated
        self._latest = UPRIGHT

    def orientation(self, frame: av.VideoFrame) -> int:
        """Return the orientation of a decoded picture."""
        if self._stated != UPRIGHT:
            return self._stated
        if frame.key_frame or frame.rotation:
            matrices = display_matrices(frame)
            self._latest = of_matrix(matrices[-1]) if matrices else UPRIGHT
        return self._latest
