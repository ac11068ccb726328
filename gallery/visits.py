"""Visits: who was in front of which camera and how long, over a time; and what they add up to. Pure but for the store.

A visit is a sighting (`store.presence`) with its person. What is counted are people, not tracks: somebody who comes
back within an hour is one person of that hour with two visits.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median, quantiles
from typing import Literal
from zoneinfo import ZoneInfo

from gallery.errors import TooManyVisits
from gallery.store.people import is_wanted
from gallery.store.presence import Sighting, going_on, joined, sighting_of
from gallery.store.store import Identity, PeopleQuery, Store, StoredProgress, StoredTracklet, TrackQuery

MAX_TRACKS = 100_000  # that are read for one answer: about five seconds
LONGEST_WAY_S = 1_800.0  # between two cameras; who takes longer was somewhere else

Step = Literal["hour", "day"]


@dataclass(frozen=True, slots=True)
class Visit:
    """One uninterrupted presence of a person in a camera, cut to the time asked for; `new`: their first of all."""

    person: Identity
    camera_id: str
    first_ns: int
    last_ns: int
    live: bool
    tracklets: int
    new: bool

    @property
    def seconds(self) -> float:
        """Return how long it lasted, or has lasted so far."""
        return (self.last_ns - self.first_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Period:
    """What happened from a moment on, for an hour or a day. People who stay over the hour count in both."""

    start: datetime
    people: int
    new: int
    visits: int


@dataclass(frozen=True, slots=True)
class CameraVisits:
    """What one camera saw. `seconds` are the median and the 90 % quantile of how long a visit lasted."""

    camera_id: str
    people: int
    visits: int
    seconds: tuple[float, float]
    now: int


@dataclass(frozen=True, slots=True)
class Way:
    """How many went from one camera to another next, and the median of the seconds between; 0 where both see them."""

    origin: str
    destination: str
    times: int
    seconds: float


def visits_of(store: Store, from_ns: int, to_ns: int, camera_id: str | None = None, tag: str = "") -> list[Visit]:
    """Return the visits in a time by people who are not hidden, and have a tag if one is given, by their begin.

    Raises:
        TooManyVisits: The time has more than `MAX_TRACKS` tracks.
    """
    rows = store.find(TrackQuery(camera_id, None, from_ns, to_ns, MAX_TRACKS + 1))
    if len(rows) > MAX_TRACKS:
        raise TooManyVisits(MAX_TRACKS)
    progress = store.progress()
    parts: dict[int, list[Sighting]] = defaultdict(list)
    for row in rows:
        if row.identity_id is not None:
            parts[row.identity_id].append(sighting_of(row))
    wanted = PeopleQuery(hidden=False, tag=tag)
    people = {number: identity for number in parts if (identity := store.identity(number)) is not None}
    found = [
        _visit(people[number], going_on(one, progress), from_ns, to_ns)
        for number in people
        if is_wanted(people[number], wanted)
        for one in joined(parts[number])
    ]
    return sorted(found, key=lambda visit: (visit.first_ns, visit.camera_id, visit.person.number))


def visits_by(person: Identity, rows: Iterable[StoredTracklet], progress: Mapping[str, StoredProgress]) -> list[Visit]:
    """Return all visits by a person, hidden or not, from their tracklets, by their begin."""
    whole = [going_on(one, progress) for one in joined(map(sighting_of, rows))]
    return [_visit(person, one, one.first_ns, one.last_ns) for one in whole]


def people_of(visits: Iterable[Visit]) -> int:
    """Return how many people visits are by."""
    return len({visit.person.number for visit in visits})


def periods(visits: Sequence[Visit], from_ns: int, to_ns: int, step: Step, zone: ZoneInfo) -> list[Period]:
    """Return every hour or day that a time touches, empty ones too; days begin at midnight of the zone."""
    starts = list(starts_of(from_ns, to_ns, step, zone))
    edges = [int(start.timestamp()) * 1_000_000_000 for start in starts]
    inside: list[list[Visit]] = [[] for _ in starts]
    for visit in visits:
        for number in range(place_of(edges, visit.first_ns), place_of(edges, visit.last_ns) + 1):
            inside[number].append(visit)
    return [
        Period(start, people_of(own), sum(one.new and one.first_ns >= edge for one in own), len(own))
        for start, edge, own in zip(starts, edges, inside, strict=True)
    ]


def cameras(visits: Iterable[Visit]) -> list[CameraVisits]:
    """Return what each camera saw, by its name."""
    by_camera: dict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_camera[visit.camera_id].append(visit)
    return [
        CameraVisits(
            camera_id,
            people_of(own),
            len(own),
            _median_and_most([visit.seconds for visit in own]),
            people_of(visit for visit in own if visit.live),
        )
        for camera_id, own in sorted(by_camera.items())
    ]


def ways(visits: Iterable[Visit]) -> list[Way]:
    """Return which camera people came to next, the most frequent ways first."""
    by_person: dict[int, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_person[visit.person.number].append(visit)
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for own in by_person.values():
        for one, following in pairwise(own):
            seconds = max(0.0, (following.first_ns - one.last_ns) / 1e9)
            if following.camera_id != one.camera_id and seconds <= LONGEST_WAY_S:
                taken[one.camera_id, following.camera_id].append(seconds)
    found = [Way(*ends, len(times), median(times)) for ends, times in taken.items()]
    return sorted(found, key=lambda way: (-way.times, way.origin, way.destination))


def _visit(person: Identity, one: Sighting, from_ns: int, to_ns: int) -> Visit:
    """Return a sighting as a visit, cut to a time."""
    first_ns, last_ns = max(one.first_ns, from_ns), min(one.last_ns, to_ns)
    new = one.first_ns == person.first_ns
    return Visit(person, one.camera_id, first_ns, last_ns, one.live, len(one.tracklets), new)


def starts_of(from_ns: int, to_ns: int, step: Step, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the begins of hours or days from the one with `from_ns` to the one with `to_ns`.

    Hours are added in UTC, so that an hour that a zone repeats or leaves out counts once; days in the zone.
    """
    first = datetime.fromtimestamp(from_ns / 1e9, zone).replace(minute=0, second=0, microsecond=0)
    if step == "day":
        day = first.replace(hour=0)
        while day.timestamp() * 1e9 <= to_ns:
            yield day
            day += timedelta(days=1)
        return
    stamp = first.timestamp()
    while stamp * 1e9 <= to_ns:
        yield datetime.fromtimestamp(stamp, zone)
        stamp += 3600


def place_of(edges: Sequence[int], time_ns: int) -> int:
    """Return which of the periods that begin at some times a time is in; the first, if it is before all."""
    return max(0, bisect_right(edges, time_ns) - 1)


def _median_and_most(values: Sequence[float]) -> tuple[float, float]:
    if len(values) == 1:
        return values[0], values[0]
    return median(values), quantiles(values, n=10, method="inclusive")[-1]
