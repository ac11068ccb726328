"""Recognise two tracks of one person: a detector may report a body and its upper half as two boxes. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wire.messages import Tracklet

INSIDE = 0.5  # share of the smaller box that lies in the larger one
DISTINCT = 0.7  # detectors suppress one of two boxes with a higher intersection over union
EXCEPTIONS = 2  # frames in which the boxes may be apart: the first and last boxes of a track are unreliable


def is_part_of(one: Tracklet, other: Tracklet) -> bool:
    """Return whether one tracklet's box lies in the other's in all but a few of their common frames.

    Two people visible at the same time are apart in some frames.
    """
    mine, theirs = _common(one, other)
    if len(mine) == 0 or _are_apart(mine, theirs):
        return False
    first, last = np.maximum(mine[:, :2], theirs[:, :2]), np.minimum(mine[:, 2:], theirs[:, 2:])
    shared = np.clip(last - first, 0, None).prod(1)
    areas = (mine[:, 2:] - mine[:, :2]).prod(1), (theirs[:, 2:] - theirs[:, :2]).prod(1)
    inside = (shared > INSIDE * np.minimum(*areas)) & (shared < DISTINCT * (areas[0] + areas[1] - shared))
    return bool(inside.any() and np.count_nonzero(~inside) <= EXCEPTIONS)


def surround(tracklet: Tracklet) -> list[float]:
    """Return the smallest box that contains all boxes of a tracklet: xyxy px."""
    return [*tracklet.boxes[:, :2].min(0).tolist(), *tracklet.boxes[:, 2:].max(0).tolist()]


def touch(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether two boxes have a common part."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _are_apart(mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> bool:
    """Return whether the boxes do not touch in more than `EXCEPTIONS` of a few frames: nearly always, and fast."""
    if len(mine) <= EXCEPTIONS:
        return False
    places = [step * (len(mine) - 1) // EXCEPTIONS for step in range(EXCEPTIONS + 1)]
    return not any(touch(mine[place].tolist(), theirs[place].tolist()) for place in places)


def _common(one: Tracklet, other: Tracklet) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the boxes of both tracklets in their common frames."""
    first_ns, last_ns = max(one.first_ns, other.first_ns), min(one.last_ns, other.last_ns)
    mine, theirs = _between(one.times_ns, first_ns, last_ns), _between(other.times_ns, first_ns, last_ns)
    if np.array_equal(one.times_ns[mine], other.times_ns[theirs]):  # the usual case, and much faster
        return one.boxes[mine], other.boxes[theirs]
    _, my, their = np.intersect1d(one.times_ns, other.times_ns, assume_unique=True, return_indices=True)
    return one.boxes[my], other.boxes[their]


def _between(times_ns: NDArray[np.int64], first_ns: int, last_ns: int) -> slice:
    start = 0 if times_ns[0] >= first_ns else int(times_ns.searchsorted(first_ns))
    end = len(times_ns) if times_ns[-1] <= last_ns else int(times_ns.searchsorted(last_ns, "right"))
    return slice(start, end)
