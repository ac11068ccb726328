"""Find the tracklets of a camera that were, or may have been, visible at the same time. No I/O."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

from sortedcontainers import SortedList

from gallery.decision.together import Together, is_over, together
from wire.messages import Tracklet
from wire.tracklet_id import TrackletId

SLOT_NS = 8_000_000_000
MAX_SLOTS = 64  # longer tracklets are compared with all of their camera

Leg = tuple[str, int, int]  # stream, track and leg
Place = TypeVar("Place", int, Leg)


class Visibility:
    """Keeps which tracklets overlap in time: two of one camera are compared when either changes, and never again.

    Adding a tracklet takes time proportional to how many were visible around the same time.
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._cameras: dict[str, _Camera] = defaultdict(_Camera)

    def advance(self, now_ns: int) -> None:
        """Set the time at which open tracklets are considered; it must not go back."""
        self._now_ns = now_ns

    def put(self, tracklet: Tracklet) -> None:
        """Add a tracklet, replacing its earlier revision."""
        self._cameras[tracklet.camera_id].put(tracklet)

    def drop(self, tracklet: Tracklet) -> None:
        """Remove a tracklet."""
        camera = self._cameras[tracklet.camera_id]
        camera.drop(tracklet.tracklet_id)
        if not camera.tracklets:
            del self._cameras[tracklet.camera_id]

    def before(self, last_ns: int) -> list[str]:
        """Return the ids of the tracklets whose last box is earlier, sorted."""
        return sorted(found for camera in self._cameras.values() for found in camera.before(last_ns))

    def of_leg(self, tracklet: Tracklet) -> Iterable[Tracklet]:
        """Return the other parts of the same leg of a track."""
        camera = self._cameras.get(tracklet.camera_id)
        return () if camera is None else camera.of_leg(tracklet)

    def together_with(self, tracklet: Tracklet) -> tuple[tuple[Together, str], ...]:
        """Return `yes` or `maybe` and the id for each other tracklet visible at the same time, sorted by id."""
        return self._cameras[tracklet.camera_id].together_with(tracklet, self._now_ns)


class _Camera:
    """The tracklets of one camera, and for each the ids of those that overlap it."""

    def __init__(self) -> None:
        self.tracklets: dict[str, Tracklet] = {}
        self._overlaps: dict[str, set[str]] = {}
        self._slots: dict[int, set[str]] = defaultdict(set)  # of time -> ids
        self._long: set[str] = set()
        self._open: set[str] = set()
        self._by_last: SortedList[tuple[int, str]] = SortedList()
        self._legs: dict[Leg, set[str]] = defaultdict(set)

    def put(self, tracklet: Tracklet) -> None:
        key = tracklet.tracklet_id
        if key in self.tracklets:
            self.drop(key)
        near = self._near(tracklet)
        self._place(tracklet)
        self._overlaps[key] = {other for other in near if _overlap(tracklet, self.tracklets[other])}
        for other in self._overlaps[key]:
            self._overlaps[other].add(key)

    def _place(self, tracklet: Tracklet) -> None:
        key = tracklet.tracklet_id
        for slot in _slots_of(tracklet):
            self._slots[slot].add(key)
        if not _slots_of(tracklet):
            self._long.add(key)
        self.tracklets[key] = tracklet
        self._by_last.add((tracklet.last_ns, key))
        self._legs[_leg_of(tracklet)].add(key)
        if not tracklet.closed:
            self._open.add(key)

    def drop(self, key: str) -> None:
        tracklet = self.tracklets.pop(key)
        for other in self._overlaps.pop(key):
            self._overlaps[other].discard(key)
        for slot in _slots_of(tracklet):
            _discard_from(self._slots, slot, key)
        self._long.discard(key)
        self._open.discard(key)
        self._by_last.remove((tracklet.last_ns, key))
        _discard_from(self._legs, _leg_of(tracklet), key)

    def before(self, last_ns: int) -> Iterator[str]:
        return (key for _, key in self._by_last.irange(maximum=(last_ns,), inclusive=(True, False)))

    def of_leg(self, tracklet: Tracklet) -> Iterable[Tracklet]:
        keys = self._legs.get(_leg_of(tracklet), ())
        return [self.tracklets[key] for key in keys if key != tracklet.tracklet_id]

    def together_with(self, tracklet: Tracklet, now_ns: int) -> tuple[tuple[Together, str], ...]:
        key = tracklet.tracklet_id
        sure = self._overlaps[key]
        unsure = [
            other
            for other in self._open_around(tracklet, now_ns) - sure
            if other != key and together(tracklet, self.tracklets[other], now_ns) == "maybe"
        ]
        found: list[tuple[Together, str]] = [*(("yes", one) for one in sure), *(("maybe", one) for one in unsure)]
        return tuple(sorted(found, key=lambda answer: answer[1]))

    def _open_around(self, tracklet: Tracklet, now_ns: int) -> set[str]:
        """Return the open tracklets, and those that may continue this one if it is open."""
        self._open -= {key for key in self._open if is_over(self.tracklets[key], now_ns)}
        if is_over(tracklet, now_ns):
            return self._open
        return self._open | {key for _, key in self._by_last.irange(minimum=(tracklet.last_ns,))}

    def _near(self, tracklet: Tracklet) -> set[str]:
        """Return the tracklets that share a slot of time with this one."""
        slots = _slots_of(tracklet)
        return self._long.union(*(self._slots.get(slot, ()) for slot in slots)) if slots else set(self.tracklets)


def _overlap(one: Tracklet, other: Tracklet) -> bool:
    common_ns = min(one.last_ns, other.last_ns)
    return max(one.first_ns, other.first_ns) <= common_ns and together(one, other, common_ns) == "yes"


def _slots_of(tracklet: Tracklet) -> range:
    """Return the slots of time that a tracklet touches; none if there are too many."""
    slots = range(tracklet.first_ns // SLOT_NS, tracklet.last_ns // SLOT_NS + 1)
    return slots if len(slots) <= MAX_SLOTS else range(0)


def _leg_of(tracklet: Tracklet) -> Leg:
    name = TrackletId.parse(tracklet.tracklet_id)
    return name.stream_id, name.track, name.leg


def _discard_from(sets: dict[Place, set[str]], place: Place, key: str) -> None:
    """Remove a key from one of several sets, and the set itself once it is empty."""
    sets[place].discard(key)
    if not sets[place]:
        del sets[place]
