"""Whether the detector has to look at a frame: not where nobody is in sight and nothing moved since its last look.

Like `attention`, this must not depend on how frames are batched: whether anybody is in sight is taken from the chunks
before. And a stream that is restored goes on as the saved one would: `reset` lets both look at the next frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_worker.decode import Frame
from reid_worker.detectors.tiles import Grid

SIZE = (160, 90)  # cells of the picture that are compared: a person who matters to a detector spans some
STEP = 8  # grey levels that a cell must change by: the noise of compressed video stays below in most frames
LONGEST_NS = 1_000_000_000  # between two looks: whoever is as grey as the wall behind is seen that much later


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What the detector looked at: `cells` `(h, w)` uint8, grey."""

    pts_ns: int
    grid: Grid
    shape: tuple[int, ...]
    cells: NDArray[np.uint8]


class MotionGate:
    """Decides for the frames of one stream, in order."""

    def __init__(self) -> None:
        self._last: _Look | None = None
        self._quiet = False

    def next_chunk(self, *, quiet: bool) -> None:
        """Tell whether nobody was in sight at the end of the chunk before."""
        self._quiet = quiet

    def reset(self) -> None:
        """Forget what was looked at."""
        self._last = None

    def lets_pass(self, frame: Frame, grid: Grid) -> bool:
        """Tell whether the detector has to look at this frame, in these tiles."""
        if not self._quiet:
            self._last = None
            return True
        now = _Look(frame.pts_ns, grid, frame.image.shape, _cells(frame.image))
        if self._last is not None and _is_still(self._last, now):
            return False
        self._last = now
        return True


def _is_still(last: _Look, now: _Look) -> bool:
    if (last.grid, last.shape) != (now.grid, now.shape) or now.pts_ns - last.pts_ns >= LONGEST_NS:
        return False
    return int(cv2.absdiff(last.cells, now.cells).max()) <= STEP


def _cells(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    small = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
