"""What a run found: the people, where and how long; the cameras, and how much of them was looked at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.watch import CameraTotals
from gallery.api.schemas import iso
from gallery.presence import sightings
from gallery.store import Identity, Store, TrackQuery

PAGE = 500
MAX_TRACKLETS = 10_000  # of one person: enough for a day on a busy site


@dataclass(frozen=True, slots=True)
class Person:
    """One row of the table: what was seen of somebody during a run.

    Attributes:
        visible_s: Counts a moment once, however many cameras saw it.
        known_since_ns: First seen ever, perhaps in an earlier run.
    """

    number: int
    cameras: tuple[str, ...]
    first_ns: int
    last_ns: int
    sightings: int
    visible_s: float
    known_since_ns: int


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a run; `seconds` is wall clock."""

    people: tuple[Person, ...]
    cameras: Mapping[str, CameraTotals]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints; its keys are kept stable."""
        return {
            "identities": [
                {
                    "id": person.number,
                    "cameras": list(person.cameras),
                    "first": iso(person.first_ns),
                    "last": iso(person.last_ns),
                    "sightings": person.sightings,
                }
                for person in self.people
            ],
            "cameras": {
                name: {
                    "frames": camera.frames,
                    "analysed": camera.analysed,
                    "dropped": camera.dropped,
                    "tracklets": camera.tracklets,
                }
                for name, camera in self.cameras.items()
            },
            "seconds": round(self.seconds, 3),
        }


def clock_time(time_ns: int, form: str) -> str:
    """Return a time as people read it in a table, UTC."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime(form)


def people_since(store: Store, since_ns: int) -> tuple[Person, ...]:
    """Return everybody seen since a capture time, by number."""
    return tuple(_person(store, identity, since_ns) for identity in _all(store) if identity.last_ns >= since_ns)


def covered_s(intervals: Iterable[tuple[int, int]]) -> float:
    """Return the length of the union of closed intervals of ns, in seconds.

    >>> covered_s([(0, 2_000_000_000), (1_000_000_000, 3_000_000_000), (5_000_000_000, 6_000_000_000)])
    4.0
    """
    covered, reached = 0, None
    for first, last in sorted(intervals):
        start = first if reached is None else max(first, reached)
        covered += max(0, last - start)
        reached = last if reached is None else max(last, reached)
    return covered / 1e9


def _all(store: Store) -> Iterable[Identity]:
    after = 0
    while page := store.identities(after, PAGE):
        yield from page
        after = page[-1].number


def _person(store: Store, identity: Identity, since_ns: int) -> Person:
    query = TrackQuery(identity_id=identity.number, from_ns=since_ns, limit=MAX_TRACKLETS)
    seen = sightings(store.find(query))
    return Person(
        number=identity.number,
        cameras=tuple(sorted({sighting.camera_id for sighting in seen})),
        first_ns=seen[0].first_ns,
        last_ns=max(sighting.last_ns for sighting in seen),
        sightings=len(seen),
        visible_s=covered_s((sighting.first_ns, sighting.last_ns) for sighting in seen),
        known_since_ns=identity.first_ns,
    )
