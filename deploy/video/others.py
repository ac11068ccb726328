"""Makes everybody but one person unrecognisable in pictures, by the boxes that are stored of a camera.

No detector finds everybody, so boxes of others alone leave some in sight: unless the surroundings are asked for, only
what is inside the person's own box is left of a picture.
"""

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
    """One track: `(n,)` times, and `(n, 4)` boxes with margins, xyxy, as shares of the picture."""

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
    """Where one person is in the pictures of a camera, and where everybody else who was tracked."""

    def __init__(
        self, rows: Iterable[StoredTracklet], number: int, height: int, width: int, *, surroundings: bool = False
    ) -> None:
        """Read the tracklets of a camera.

        Args:
            rows: The tracklets, of everybody.
            number: The person who stays visible.
            height: Of the upright pictures, px.
            width: The same.
            surroundings: Leave what is outside all boxes as it is, and so people who were not tracked.
        """
        self._surroundings = surroundings
        self._size = np.array([width, height, width, height], np.float64)
        groups: dict[tuple[bool, str, int], list[StoredTracklet]] = defaultdict(list)
        for row in rows:
            name = TrackletId.parse(row.tracklet.tracklet_id)
            groups[row.identity_id == number, name.stream_id, name.track].append(row)
        self._own = [_joined(group, self._size) for (own, _, _), group in groups.items() if own]
        self._others = [_joined(group, self._size) for (own, _, _), group in groups.items() if not own]

    def hide(self, image: NDArray[np.uint8], time_ns: int) -> None:
        """Replace everybody else in an upright BGR picture `(h, w, 3)`, captured at a time, by blocks, in place."""
        before = image.copy()
        if not self._surroundings:
            image[:] = _blocks(before)
            for box in self._boxes(self._own, time_ns):
                cut(image, box)[:] = cut(before, box)
        for box in self._boxes(self._others, time_ns):
            cut(image, box)[:] = _blocks(cut(before, box))

    def _boxes(self, tracks: Iterable[_Track], time_ns: int) -> Iterator[list[float]]:
        for track in tracks:
            box = track.at(time_ns)
            if box is not None:
                yield (box * self._size).tolist()


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


def _blocks(region: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = np.asarray(cv2.cvtColor(region, cv2.COLOR_BGR2GRAY), np.uint8)
    return as_blocks(grey, region.shape[1], region.shape[0])
