"""When and where one person was in a place. Pure; the order of rows, and rows given twice, make no difference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gallery.alerts.geometry import crossings, feet_of, inside
from gallery.store.store import StoredTracklet
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone
from wire.messages import Tracklet

NS = 1_000_000_000
JOIN_NS = 15 * NS  # a shorter absence is part of a visit: an open tracklet is sent again after at most 8 s
STEP_NS = 2 * NS  # between two boxes further apart, nobody knows which way somebody went


class Sight(NamedTuple):
    """Where a person was seen, and by which tracklet; `place` is the name of the zone, or of the camera."""

    camera_id: str
    tracklet_id: str
    place: str


@dataclass(frozen=True, slots=True)
class Moment:
    """When a person was seen somewhere."""

    time_ns: int
    sight: Sight


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A person's stay in a place, without an absence of more than `JOIN_NS`.

    Attributes:
        times_ns: `(n,)` int64, increasing, of every box in the place.
        which: `(n,)` int64, indices of `sights`.
    """

    times_ns: NDArray[np.int64]
    which: NDArray[np.int64]
    sights: Sequence[Sight]

    @property
    def begin_ns(self) -> int:
        """Return when it began."""
        return int(self.times_ns[0])

    @property
    def end_ns(self) -> int:
        """Return until when it is known to have lasted."""
        return int(self.times_ns[-1])

    def first(self) -> Moment:
        """Return its first moment."""
        return self._moment(0)

    def last(self) -> Moment:
        """Return its last moment so far."""
        return self._moment(-1)

    def after(self, length_ns: int) -> Moment | None:
        """Return the first moment at which it had lasted for some time; None if it has not."""
        place = int(np.searchsorted(self.times_ns, self.begin_ns + length_ns))
        return self._moment(place) if place < len(self.times_ns) else None

    def _moment(self, place: int) -> Moment:
        return Moment(int(self.times_ns[place]), self.sights[self.which[place]])


_Sighted = tuple[Sight, NDArray[np.int64]]  # with the times of boxes


def visits(rows: Sequence[StoredTracklet], rule: Rule, zones: Sequence[Zone]) -> list[Visit]:
    """Return a person's visits to the place of a rule, in order of time."""
    return _joined([sighted for row in rows for sighted in _in_place(row.tracklet, rule, zones)])


def crossing_visits(rows: Sequence[StoredTracklet], rule: Rule, zones: Sequence[Zone]) -> list[Visit]:
    """Return when a person crossed the lines of a rule; steps to and fro within `JOIN_NS` are one visit."""
    lines = [zone for zone in zones if zone.zone_id in rule.zones]
    return _joined([sighted for line in lines for sighted in _crossed(rows, line, rule)])


def last_before(rows: Sequence[StoredTracklet], time_ns: int) -> int | None:
    """Return when a person was last seen anywhere before a time; None if never."""
    earlier = [row.tracklet.times_ns[row.tracklet.times_ns < time_ns] for row in rows]
    return max((int(times[-1]) for times in earlier if len(times)), default=None)


def _in_place(tracklet: Tracklet, rule: Rule, zones: Sequence[Zone]) -> Iterator[_Sighted]:
    camera = tracklet.camera_id
    if camera in rule.cameras or not (rule.zones or rule.cameras):
        yield Sight(camera, tracklet.tracklet_id, camera), tracklet.times_ns
    areas = [zone for zone in zones if zone.zone_id in rule.zones and zone.camera_id == camera]
    feet = feet_of(tracklet.boxes, tracklet.width, tracklet.height) if areas else None
    for zone in areas:
        assert feet is not None, "made for the areas"
        yield Sight(camera, tracklet.tracklet_id, zone.name), tracklet.times_ns[inside(zone.points, feet)]


def _crossed(rows: Sequence[StoredTracklet], line: Zone, rule: Rule) -> Iterator[_Sighted]:
    found = {row.tracklet.tracklet_id: row.tracklet for row in rows if row.tracklet.camera_id == line.camera_id}
    own = [found[key] for key in sorted(found)]
    if not own:
        return
    times = np.concatenate([tracklet.times_ns for tracklet in own])
    feet = np.concatenate([feet_of(tracklet.boxes, tracklet.width, tracklet.height) for tracklet in own])
    which = np.repeat(np.arange(len(own)), [len(tracklet.times_ns) for tracklet in own])
    order = np.argsort(times, kind="stable")
    near = np.diff(times[order]) <= STEP_NS
    met = order[1:][crossings(line.points, feet[order], rule.direction) & near]
    for number, tracklet in enumerate(own):
        yield Sight(line.camera_id, tracklet.tracklet_id, line.name), times[met[which[met] == number]]


def _joined(sighted: Sequence[_Sighted]) -> list[Visit]:
    known = {sight: times for sight, times in sighted if len(times)}
    sights = sorted(known)
    if not sights:
        return []
    times = np.concatenate([known[sight] for sight in sights])
    which = np.repeat(np.arange(len(sights)), [len(known[sight]) for sight in sights])
    order = np.lexsort((which, times))
    times, which = times[order], which[order]
    cuts = np.flatnonzero(np.diff(times) > JOIN_NS) + 1
    return [Visit(t, w, sights) for t, w in zip(np.split(times, cuts), np.split(which, cuts), strict=True)]
