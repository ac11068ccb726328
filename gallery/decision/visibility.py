"""Find the tracklets of a camera that were, or may have been, visible at the same time. No I/O."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from sortedcontainers import SortedList

from gallery.decision.coverage import SIMULTANEOUS_NS
from gallery.decision.parts import surround, touch
from gallery.decision.staying import Presence
from gallery.decision.together import HANDOVER_NS, Together, is_over, together
from wire.messages import Tracklet
from wire.tracklet_id import TrackletId

SLOT_NS = 8_000_000_000
LOST_NS = 5_000_000_000  # a camera that loses somebody among others mostly finds them again within this time
MAX_SLOTS = 64  # longer tracklets are compared with all of their camera

Leg = tuple[str, int, int]  # stream, track and leg
Answers = tuple[tuple[Together, str], ...]
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

    def is_anyone_in_sight(self) -> bool:
        """Return whether a tracklet may still get boxes."""
        return any(camera.is_anyone_in_sight(self._now_ns) for camera in self._cameras.values())

    def presences(self) -> list[Presence]:
        """Return who was in sight of each camera."""
        return [camera.presence() for camera in self._cameras.values()]

    def of_leg(self, tracklet: Tracklet) -> Iterable[Tracklet]:
        """Return the other parts of the same leg of a track."""
        camera = self._cameras.get(tracklet.camera_id)
        return () if camera is None else camera.of_leg(tracklet)

    def overlapping(self, tracklet: Tracklet) -> Collection[str]:
        """Return the ids of those that were visible at the same time, whatever becomes of either."""
        return self._cameras[tracklet.camera_id].overlaps[tracklet.tracklet_id]

    def lost_before(self, tracklet: Tracklet) -> list[str]:
        """Return the ids of those whom the same camera lost within `LOST_NS` before this one began."""
        return self._cameras[tracklet.camera_id].lost_before(tracklet)

    def simultaneous(self, tracklet: Tracklet, camera_id: str) -> list[str]:
        """Return the ids of a camera's tracklets that overlap a tracklet for longer than `SIMULTANEOUS_NS`, sorted."""
        camera = self._cameras.get(camera_id)
        return [] if camera is None else camera.simultaneous(tracklet)

    def together_with(self, tracklet: Tracklet) -> Answers:
        """Return `yes` or `maybe` and the id for each other tracklet visible at the same time, sorted by id."""
        return self._cameras[tracklet.camera_id].together_with(tracklet, self._now_ns)


class _Camera:
    """The tracklets of one camera, and for each the ids of those that overlap it."""

    def __init__(self) -> None:
        self.tracklets: dict[str, Tracklet] = {}
        self._spans: dict[str, tuple[int, int]] = {}  # first_ns and last_ns: asked of a tracklet, they cost ten times
        self._surrounds: dict[str, list[float]] = {}
        self.overlaps: dict[str, set[str]] = {}
        self._slots: dict[int, set[str]] = defaultdict(set)  # of time -> ids
        self._long: set[str] = set()
        self._open: SortedList[tuple[int, str]] = SortedList()  # last_ns and id
        self._sure: dict[str, Answers] = {}
        self._answers: dict[str, Answers] = {}  # since the last change, at one time
        self._answered_ns = 0
        self._by_last: SortedList[tuple[int, str]] = SortedList()
        self._firsts_ns: SortedList[int] = SortedList()
        self._person_ns = self._square_ns = 0  # the number of those in sight, and its square, over time
        self._legs: dict[Leg, set[str]] = defaultdict(set)

    def put(self, tracklet: Tracklet) -> None:
        key = tracklet.tracklet_id
        if key in self.tracklets:
            self.drop(key)
        common_ns = self._common_ns(tracklet)
        self._count(tracklet, common_ns, 1)
        self._place(tracklet)
        at_once = (other for other, shared_ns in common_ns.items() if shared_ns >= 0)
        self.overlaps[key] = {other for other in at_once if self._are_together(tracklet, other)}
        for other in self.overlaps[key]:
            self.overlaps[other].add(key)
            self._sure.pop(other, None)
        self._answers = {}

    def _are_together(self, tracklet: Tracklet, key: str) -> bool:
        """Return whether two tracklets that overlap in time show two people, whatever becomes of them."""
        other, now_ns = self.tracklets[key], min(tracklet.last_ns, self._spans[key][1])
        apart = not touch(self._surrounds[tracklet.tracklet_id], self._surrounds[key])
        return together(tracklet, other, now_ns, never_touch=apart) == "yes"

    def _place(self, tracklet: Tracklet) -> None:
        key = tracklet.tracklet_id
        for slot in _slots_of(tracklet):
            self._slots[slot].add(key)
        if not _slots_of(tracklet):
            self._long.add(key)
        self.tracklets[key] = tracklet
        self._spans[key] = tracklet.first_ns, tracklet.last_ns
        self._surrounds[key] = surround(tracklet)
        self._by_last.add((tracklet.last_ns, key))
        self._firsts_ns.add(tracklet.first_ns)
        self._legs[_leg_of(tracklet)].add(key)
        if not tracklet.closed:
            self._open.add((tracklet.last_ns, key))

    def drop(self, key: str) -> None:
        tracklet = self.tracklets.pop(key)
        del self._spans[key], self._surrounds[key]
        for other in self.overlaps.pop(key):
            self.overlaps[other].discard(key)
            self._sure.pop(other, None)
        self._sure.pop(key, None)
        self._answers = {}
        for slot in _slots_of(tracklet):
            _discard_from(self._slots, slot, key)
        self._long.discard(key)
        self._open.discard((tracklet.last_ns, key))
        self._by_last.remove((tracklet.last_ns, key))
        self._firsts_ns.remove(tracklet.first_ns)
        _discard_from(self._legs, _leg_of(tracklet), key)
        self._count(tracklet, self._common_ns(tracklet), -1)

    def _count(self, tracklet: Tracklet, common_ns: Mapping[str, int], sign: int) -> None:
        """Count a tracklet, 1, or no longer, -1, beside the others around the same time."""
        own_ns = tracklet.last_ns - tracklet.first_ns
        shared_ns = sum(shared_ns for shared_ns in common_ns.values() if shared_ns > 0)
        self._person_ns += sign * own_ns
        self._square_ns += sign * (own_ns + 2 * shared_ns)

    def presence(self) -> Presence:
        span_ns = self._by_last[-1][0] - self._firsts_ns[0]
        return Presence(len(self.tracklets), self._person_ns, self._square_ns, span_ns)

    def before(self, last_ns: int) -> Iterator[str]:
        return (key for _, key in self._by_last.irange(maximum=(last_ns,), inclusive=(True, False)))

    def of_leg(self, tracklet: Tracklet) -> Iterable[Tracklet]:
        keys = self._legs.get(_leg_of(tracklet), ())
        return [self.tracklets[key] for key in keys if key != tracklet.tracklet_id]

    def together_with(self, tracklet: Tracklet, now_ns: int) -> Answers:
        key = tracklet.tracklet_id
        if self._answered_ns != now_ns:
            self._answers, self._answered_ns = {}, now_ns
        if key not in self._answers:
            self._answers[key] = self._answered(tracklet, now_ns)
        return self._answers[key]

    def _answered(self, tracklet: Tracklet, now_ns: int) -> Answers:
        key = tracklet.tracklet_id
        if key not in self._sure:
            self._sure[key] = tuple(("yes", other) for other in sorted(self.overlaps[key]))
        unsure = [
            other
            for other in self._open_around(tracklet, now_ns)
            if other != key and together(tracklet, self.tracklets[other], now_ns) == "maybe"
        ]
        if not unsure:
            return self._sure[key]
        return tuple(sorted([*self._sure[key], *(("maybe", other) for other in unsure)], key=lambda one: one[1]))

    def is_anyone_in_sight(self, now_ns: int) -> bool:
        self._forget_stale(now_ns)
        return bool(self._open)

    def _forget_stale(self, now_ns: int) -> None:
        while self._open and is_over(self.tracklets[self._open[0][1]], now_ns):
            del self._open[0]

    def lost_before(self, tracklet: Tracklet) -> list[str]:
        first_ns = self._spans[tracklet.tracklet_id][0]
        ended = self._by_last.irange((first_ns - LOST_NS,), (first_ns + HANDOVER_NS,))
        return [key for _, key in ended if key != tracklet.tracklet_id]

    def simultaneous(self, tracklet: Tracklet) -> list[str]:
        return sorted(key for key, common_ns in self._common_ns(tracklet).items() if common_ns > SIMULTANEOUS_NS)

    def _open_around(self, tracklet: Tracklet, now_ns: int) -> Iterable[str]:
        """Yield the open tracklets that this one may continue, and those that may continue it if it is open."""
        self._forget_stale(now_ns)
        first_ns, last_ns = self._spans[tracklet.tracklet_id]
        latest_ns = min(last_ns, first_ns + HANDOVER_NS)
        is_past = is_over(tracklet, now_ns)
        if is_past and (not self._open or self._open[0][0] > latest_ns):  # nearly always
            return ()
        before = self._open.irange(maximum=(latest_ns + 1,), inclusive=(True, False))
        after = () if is_past else self._by_last.irange(minimum=(last_ns,))
        return (key for _, key in dict.fromkeys((*before, *after)))  # both have those that end with this one

    def _common_ns(self, tracklet: Tracklet) -> dict[str, int]:
        """Return for how long each tracklet around the same time was visible with this one; negative is a gap."""
        first_ns, last_ns = tracklet.first_ns, tracklet.last_ns
        near = [(key, self._spans[key]) for key in self._near(tracklet)]
        return {key: min(last_ns, last) - max(first_ns, first) for key, (first, last) in near}

    def _near(self, tracklet: Tracklet) -> set[str]:
        """Return the tracklets that share a slot of time with this one."""
        slots = _slots_of(tracklet)
        return self._long.union(*(self._slots.get(slot, ()) for slot in slots)) if slots else set(self.tracklets)


def presences(tracklets: Iterable[Tracklet]) -> list[Presence]:
    """Return who was in sight of each camera, by tracklets that are of no site's lookups."""
    visibility = Visibility()
    for tracklet in tracklets:
        visibility.put(tracklet)
    return visibility.presences()


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
