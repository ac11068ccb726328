"""How many people were in the areas of a site, and crossed its lines, hour by hour or day by day.

Nothing is counted while it happens: it is read from the tracks that are stored, so an area that is drawn today has a
history, and whoever is merged, hidden or erased counts as of now. It reaches as far back as tracks are kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np

from gallery.alerts.presence import Visit, crossing_visits, visits
from gallery.errors import TooManyVisits
from gallery.store.people import is_wanted
from gallery.store.store import PeopleQuery, Store, StoredTracklet, TrackQuery
from gallery.visits import MAX_TRACKS, Step, place_of, starts_of
from gallery.zones.rule import Direction, Rule, When
from gallery.zones.zone import Zone

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ZonePeriod:
    """What happened in an area or at a line from a moment on, for an hour or a day.

    Attributes:
        people: How many were there, each once.
        visits: How often somebody was there; at a line, how often it was crossed.
        average: How many were there at once in the mean of the time; 0 at a line.
        most: How many were there at once at most; 0 at a line.
        forward: How often a line was crossed from its left to its right; 0 of an area.
        backward: And from its right to its left.
    """

    start: datetime
    people: int
    visits: int
    average: float = 0.0
    most: int = 0
    forward: int = 0
    backward: int = 0


@dataclass(frozen=True, slots=True)
class ZoneHistory:
    """The periods of one zone; `seconds` is the median of how long somebody was there, 0 at a line."""

    zone: Zone
    people: int
    visits: int
    seconds: float
    periods: Sequence[ZonePeriod]


@dataclass(frozen=True, slots=True)
class _Stay:
    """A visit to an area, or a crossing of a line, cut to the time asked for."""

    number: int
    first_ns: int
    last_ns: int
    forward: bool = False


def zone_histories(
    store: Store, zones: Sequence[Zone], from_ns: int, to_ns: int, step: Step, clock: ZoneInfo
) -> list[ZoneHistory]:
    """Return what happened in zones in a time, in their order, without hidden people.

    Raises:
        TooManyVisits: Their cameras have more than `MAX_TRACKS` tracks in this time.
    """
    starts = list(starts_of(from_ns, to_ns, step, clock))
    rows = _rows(store, {zone.camera_id for zone in zones}, from_ns, to_ns)
    found = []
    for zone in zones:
        stays = [
            stay
            for number, own in rows.items()
            for stay in _stays(number, own, zone)
            if stay.last_ns >= from_ns and stay.first_ns <= to_ns
        ]
        found.append(_history(zone, [_cut(stay, from_ns, to_ns) for stay in stays], starts, (from_ns, to_ns)))
    return found


def _rows(store: Store, cameras: Iterable[str], from_ns: int, to_ns: int) -> dict[int, list[StoredTracklet]]:
    """Return the tracklets of everybody who is not hidden, by their numbers."""
    rows: dict[int, list[StoredTracklet]] = defaultdict(list)
    left = MAX_TRACKS
    for camera_id in sorted(cameras):
        some = store.find(TrackQuery(camera_id, None, from_ns, to_ns, left + 1))
        if len(some) > left:
            raise TooManyVisits(MAX_TRACKS)
        left -= len(some)
        for row in some:
            if row.identity_id is not None:
                rows[row.identity_id].append(row)
    wanted = PeopleQuery(hidden=False)
    people = {number: store.identity(number) for number in rows}
    return {number: rows[number] for number, one in people.items() if one is not None and is_wanted(one, wanted)}


def _stays(number: int, rows: Sequence[StoredTracklet], zone: Zone) -> list[_Stay]:
    if zone.kind == "area":
        return [_stay(number, visit) for visit in visits(rows, _rule(zone, "both"), [zone])]
    return [
        _Stay(number, int(time_ns), int(time_ns), direction == "forward")
        for direction in ("forward", "backward")
        for visit in crossing_visits(rows, _rule(zone, direction), [zone])
        for time_ns in visit.times_ns
    ]


def _stay(number: int, visit: Visit) -> _Stay:
    return _Stay(number, visit.begin_ns, visit.end_ns)


def _rule(zone: Zone, direction: Direction) -> Rule:
    when: When = "enters" if zone.kind == "area" else "crosses"
    return Rule(rule_id="history", name="history", when=when, zones=(zone.zone_id,), direction=direction)


def _cut(stay: _Stay, from_ns: int, to_ns: int) -> _Stay:
    return _Stay(stay.number, max(stay.first_ns, from_ns), min(stay.last_ns, to_ns), stay.forward)


def _history(zone: Zone, stays: Sequence[_Stay], starts: Sequence[datetime], asked: tuple[int, int]) -> ZoneHistory:
    edges = [int(start.timestamp()) * NS for start in starts]
    ends = [*edges[1:], asked[1] + 1]
    inside: list[list[_Stay]] = [[] for _ in starts]
    for stay in stays:
        for place in range(place_of(edges, stay.first_ns), place_of(edges, stay.last_ns) + 1):
            inside[place].append(stay)
    area = zone.kind == "area"
    periods = []
    for start, (begin_ns, end_ns), own in zip(starts, zip(edges, ends, strict=True), inside, strict=True):
        length_ns = max(1, min(end_ns, asked[1]) - max(begin_ns, asked[0]))
        spans = [(max(one.first_ns, begin_ns), min(one.last_ns, end_ns)) for one in own]
        forward = sum(one.forward for one in own)
        periods.append(
            ZonePeriod(
                start,
                len({one.number for one in own}),
                len(own),
                sum(last - first for first, last in spans) / length_ns if area else 0.0,
                _most(spans) if area else 0,
                0 if area else forward,
                0 if area else len(own) - forward,
            )
        )
    lengths = [(one.last_ns - one.first_ns) / NS for one in stays] if area else []
    people = len({one.number for one in stays})
    return ZoneHistory(zone, people, len(stays), median(lengths) if lengths else 0.0, periods)


def _most(spans: Sequence[tuple[int, int]]) -> int:
    """Return how many spans have a moment in common at most; one that ends when another begins has it with that."""
    begins, ends = (np.sort(np.array([span[side] for span in spans], np.int64)) for side in (0, 1))
    return int(max(np.arange(1, len(begins) + 1) - np.searchsorted(ends, begins, "left"), default=0))
