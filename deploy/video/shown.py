"""What to draw on each frame of a camera: boxes of that moment, and where those people walked in the seconds before."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gallery.tracks import Track

TRAIL_NS = 2_500_000_000
BREAK_NS = 1_000_000_000  # a trail is not drawn across a longer absence

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shown:
    """One person in one frame.

    Attributes:
        box: xyxy, px.
        trail: Where the person stood, oldest first, as `(x, y)` px; ends with the present.
    """

    identity: int
    box: tuple[float, float, float, float]
    trail: tuple[Point, ...]


def smoothed(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the moving average over a fifth of a trail: boxes shake, people do not. The ends stay where they are.

    >>> smoothed([(0.0, 0.0), (1.0, 0.0)])
    ((0.0, 0.0), (1.0, 0.0))
    """
    reach = len(points) // 10
    averaged = []
    for place in range(len(points)):
        near = min(reach, place, len(points) - 1 - place)
        part = points[place - near : place + near + 1]
        averaged.append((sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)))
    return tuple(averaged)


@dataclass(slots=True)
class _Trail:
    points: deque[tuple[int, Point]] = field(default_factory=deque)

    def add(self, time_ns: int, point: Point) -> tuple[Point, ...]:
        if self.points and time_ns - self.points[-1][0] > BREAK_NS:
            self.points.clear()
        self.points.append((time_ns, point))
        while time_ns - self.points[0][0] > TRAIL_NS:
            self.points.popleft()
        return smoothed([place for _, place in self.points])


class Overlay:
    """The people of one camera, asked for frame by frame in ascending order.

    Memory holds the boxes of the camera, 40 bytes each, and nothing of the frames.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        frames = np.concatenate([track.frames for track in tracks] or [np.empty(0, np.int64)])
        order = np.argsort(frames, kind="stable")
        self._frames = frames[order]
        self._boxes = np.concatenate([track.boxes for track in tracks] or [np.empty((0, 4), np.float32)])[order]
        self._identities = np.concatenate([track.identities for track in tracks] or [np.empty(0, np.int64)])[order]
        self._scores = np.concatenate([track.scores for track in tracks] or [np.empty(0, np.float32)])[order]
        self._next = 0
        self._trails: dict[int, _Trail] = {}

    def at(self, number: int, time_ns: int) -> list[Shown]:
        """Return the people of a frame, the farthest away first; of two boxes of one person the more confident one."""
        first, last = np.searchsorted(self._frames[self._next :], [number, number + 1]) + self._next
        self._next = int(last)
        people = list(self._people(range(int(first), int(last)), time_ns))
        return sorted(people, key=lambda one: one.box[3])

    def _people(self, rows: range, time_ns: int) -> Iterator[Shown]:
        best: dict[int, int] = {}
        for row in rows:
            identity = int(self._identities[row])
            if identity not in best or self._scores[row] > self._scores[best[identity]]:
                best[identity] = row
        for identity, row in best.items():
            left, top, right, bottom = map(float, self._boxes[row])
            trail = self._trails.setdefault(identity, _Trail()).add(time_ns, ((left + right) / 2, bottom))
            yield Shown(identity, (left, top, right, bottom), trail)
