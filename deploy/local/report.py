"""The result of a run: which people were seen where and for how long, and how much of each camera was analysed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.local.watch import CameraTotals
from gallery.api.schemas import iso
from gallery.store.presence import Sighting, sightings
from gallery.store.store import Identity, Store, TrackQuery

PAGE = 500
MAX_TRACKLETS = 10_000  # per person: enough for a day on a busy site


@dataclass(frozen=True, slots=True)
class Person:
    """The sightings of one person during a run.

    Attributes:
        seen: At least one sighting, in order of start time.
        visible_s: Time visible; moments seen by several cameras are counted once.
        known_since_ns: When the person was first seen, perhaps in an earlier run.
        best: The tracklet with the best picture, by camera.
    """

    number: int
    seen: tuple[Sighting, ...]
    visible_s: float
    known_since_ns: int
    best: Mapping[str, str] = field(default_factory=dict)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Return the cameras that saw the person, by name."""
        return tuple(sorted({sighting.camera_id for sighting in self.seen}))

    @property
    def first_ns(self) -> int:
        """Return when the person was first seen in this run."""
        return self.seen[0].first_ns

    @property
    def last_ns(self) -> int:
        """Return when the person was last seen."""
        return max(sighting.last_ns for sighting in self.seen)

    @property
    def returning(self) -> bool:
        """Return whether the person was known from an earlier run."""
        return self.known_since_ns < self.first_ns


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run; `seconds` is wall-clock time."""

    people: tuple[Person, ...]
    cameras: Mapping[str, CameraTotals]
    seconds: float

    @property
    def by_cameras(self) -> tuple[Person, ...]:
        """Return people sorted by number of cameras, most first, then by number."""
        return tuple(sorted(self.people, key=lambda person: (-len(person.cameras), person.number)))

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints; keys may be added, but are never removed."""
        return {
            "identities": [
                {
                    "id": person.number,
                    "cameras": list(person.cameras),
                    "first": iso(person.first_ns),
                    "last": iso(person.last_ns),
                    "sightings": len(person.seen),
                    "way": [
                        {"camera": one.camera_id, "first": iso(one.first_ns), "last": iso(one.last_ns)}
                        for one in person.seen
                    ],
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


def people_since(store: Store, since_ns: int, cameras: Collection[str]) -> tuple[Person, ...]:
    """Return everyone seen by one of these cameras since a capture time, sorted by number.

    Other cameras belong to earlier runs, whose files may extend into the future if they were processed faster than
    real time.
    """
    recent = (identity for identity in _all(store) if identity.last_ns >= since_ns)
    people = (_person(store, identity, since_ns, cameras) for identity in recent)
    return tuple(person for person in people if person.seen)


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


def _person(store: Store, identity: Identity, since_ns: int, cameras: Collection[str]) -> Person:
    query = TrackQuery(identity_id=identity.number, from_ns=since_ns, limit=MAX_TRACKLETS)
    rows = [row for row in store.find(query) if row.tracklet.camera_id in cameras]
    seen = sightings(rows)
    best: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (row.tracklet.quality, row.tracklet.tracklet_id)):
        best[row.tracklet.camera_id] = row.tracklet.tracklet_id
    return Person(
        number=identity.number,
        seen=tuple(seen),
        visible_s=covered_s((sighting.first_ns, sighting.last_ns) for sighting in seen),
        known_since_ns=identity.first_ns,
        best=best,
    )
