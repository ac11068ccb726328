"""Makes everybody but one person unrecognisable in pictures, by the boxes that are stored of a camera."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gallery.store.store import StoredTracklet
from reid_worker.crops import as_blocks, cut
from wire.tracklet_id import TrackletId

HELD_NS = 10**9  # before a track's first box and after its last one: people are visible before and after they are found
LONGEST_NS = 2 * 10**9  # between two boxes of a track: the person was somewhere between them
MARGIN = 0.15  # of a box's width and height, on each side: arms and bags stick out of boxes


@dataclass(frozen=True, slots=True, eq=False)
class _Track:
    """One track of somebody else: `(n,)` times, and `(n, 4)` boxes with margins, xyxy, as shares of the picture."""

    times_ns: NDArray[np.int64]
    boxes: NDArray[np.float64]

    def at(self, time_ns: int) -> NDArray[np.float64] | None:
        """Return what surrounds the boxes before and after a time; None where nobody is expected."""
        after = int(np.searchsorted(self.times_ns, time_ns))
        before = max(0, after - 1)
        after = min(after, len(self.times_ns) - 1)
        since, until = time_ns - int(self.times_ns[before]), int(self.times_ns[after]) - time_ns
        joined = since >= 0 and until >= 0 and since + until <= LONGEST_NS
        near = [index for index, gap in ((before, since), (after, until)) if joined or abs(gap) <= HELD_NS]
        if not near:
            return None
        return np.concatenate([self.boxes[near, :2].min(axis=0), self.boxes[near, 2:].max(axis=0)])


class Others:
    """Where everybody but one person is in the pictures of a camera.

    Whoever was not detected, or too briefly to be tracked, is not among them.
    """

    def __init__(self, rows: Iterable[StoredTracklet], number: int, height: int, width: int) -> None:
        """Read the tracklets of a camera; those of person `number` are left out, `height` and `width` in px."""
        self._size = np.array([width, height, width, height], np.float64)
        groups: dict[tuple[str, int], list[StoredTracklet]] = defaultdict(list)
        for row in rows:
            if row.identity_id != number:
                name = TrackletId.parse(row.tracklet.tracklet_id)
                groups[name.stream_id, name.track].append(row)
        self._tracks = [_joined(group, self._size) for group in groups.values()]

    def hide(self, image: NDArray[np.uint8], time_ns: int) -> None:
        """Replace everybody else in an upright BGR picture `(h, w, 3)`, captured at a time, by blocks, in place."""
        regions = [cut(image, box.tolist()) for box in self._boxes(time_ns)]
        hidden = [as_blocks(_grey(region), region.shape[1], region.shape[0]) for region in regions]
        for region, blocks in zip(regions, hidden, strict=True):
            region[:] = blocks

    def _boxes(self, time_ns: int) -> Iterator[NDArray[np.float64]]:
        for track in self._tracks:
            box = track.at(time_ns)
            if box is not None:
                yield box * self._size


def _joined(rows: Iterable[StoredTracklet], size: NDArray[np.float64]) -> _Track:
    """Join the tracklets of a track; boxes get margins; `size` is for those whose tracklet tells none."""
    times, boxes = [], []
    for row in rows:
        width, height = row.tracklet.width, row.tracklet.height
        times.append(row.tracklet.times_ns)
        shares = row.tracklet.boxes / (np.tile([width, height], 2) if width and height else size)
        margins = MARGIN * (shares[:, 2:] - shares[:, :2])
        boxes.append(np.hstack([shares[:, :2] - margins, shares[:, 2:] + margins]))
    order = np.argsort(np.concatenate(times), kind="stable")
    return _Track(np.concatenate(times)[order], np.concatenate(boxes)[order])


def _grey(region: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(region, cv2.COLOR_BGR2GRAY), np.uint8)
