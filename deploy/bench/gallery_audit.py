"""Compare what a gallery stores and has published with what it should, after whatever happened to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gallery.store.store import Identity, Store, StoredTracklet, TrackQuery
from wire import codec
from wire.messages import IdentityEvent

EVERYTHING = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Audit:
    """Sizes, and what is wrong: all other figures are 0 if nothing was lost, counted twice, or decided differently.

    Attributes:
        identities, tracklets: How many are stored.
        events: Different events on the topic.
        repeated: Records of the topic that repeat an earlier one, which is allowed: publishing is at least once.
        lost_tracklets: Tracklets that are not stored in their last revision.
        lost_events: Events that were decided and are not on the topic.
        invented_events: Events on the topic that nobody should have decided.
        ambiguous_events: Ids that two different events share.
        different_tracklets: Tracklets with another identity than without kills.
        different_identities: Identities that are missing, surplus, or differ in any of their attributes.
        miscounted_identities: Identities whose stored number of tracklets differs from their rows.
        unexplained: Identities and rows that do not follow from the events on the topic.
    """

    identities: int
    tracklets: int
    events: int
    repeated: int
    lost_tracklets: int
    lost_events: int
    invented_events: int
    ambiguous_events: int
    different_tracklets: int
    different_identities: int
    miscounted_identities: int
    unexplained: int

    def faults(self) -> dict[str, int]:
        """Return the figures of what is wrong that are not 0."""
        sizes = ("identities", "tracklets", "events", "repeated")
        figures = {name: getattr(self, name) for name in self.__slots__ if name not in sizes}
        return {name: value for name, value in figures.items() if value}


def audited(
    store: Store, published: Sequence[IdentityEvent], reference: tuple[Store, Sequence[IdentityEvent]]
) -> Audit:
    """Compare a store and the events on the topic, in any order, with those of a gallery that nothing happened to."""
    expected, events = reference
    rows, should = _rows(store), _rows(expected)
    people, wanted = _people(store), _people(expected)
    contents, right = _contents(published), _contents(events)
    return Audit(
        identities=len(people),
        tracklets=len(rows),
        events=len({event.event_id for event in published}),
        repeated=len(published) - len(contents),
        lost_tracklets=sum(key not in rows or _revision(rows[key]) < _revision(row) for key, row in should.items()),
        lost_events=len(right - contents),
        invented_events=len(contents - right),
        ambiguous_events=len(contents) - len({event.event_id for event in published}),
        different_tracklets=sum(
            key in rows and rows[key].identity_id != row.identity_id for key, row in should.items()
        ),
        different_identities=sum(people.get(n) != wanted.get(n) for n in people.keys() | wanted.keys()),
        miscounted_identities=_miscounted(people, rows.values()),
        unexplained=unexplained(people.values(), rows.values(), published),
    )


def unexplained(people: Iterable[Identity], rows: Iterable[StoredTracklet], events: Iterable[IdentityEvent]) -> int:
    """Return how many identities and rows do not follow from events, in whatever order these arrive."""
    founded: set[int] = set()
    survivor: dict[int, int] = {}
    given: dict[str, set[int]] = {}
    for event in events:
        if event.kind in ("created", "split"):
            founded.add(event.identity_id)
        if event.kind in ("created", "matched", "split"):
            given.setdefault(event.tracklet_id, set()).add(event.identity_id)
        if event.kind == "merged":
            survivor.update(dict.fromkeys(event.previous_ids, event.identity_id))

    def followed(number: int) -> int:
        while number in survivor:
            number = survivor[number]
        return number

    wrong = sum(
        one.number not in founded or any(followed(old) != one.number for old in one.previous_ids) for one in people
    )
    owned = ((row.tracklet.tracklet_id, row.identity_id) for row in rows if row.identity_id is not None)
    return wrong + sum(owner not in map(followed, given.get(key, ())) for key, owner in owned)


def _rows(store: Store) -> dict[str, StoredTracklet]:
    return {row.tracklet.tracklet_id: row for row in store.find(TrackQuery(limit=EVERYTHING))}


def _people(store: Store) -> dict[int, Identity]:
    return {identity.number: identity for identity in store.identities(0, EVERYTHING)}


def _contents(events: Iterable[IdentityEvent]) -> set[bytes]:
    return {codec.encode(event) for event in events}


def _revision(row: StoredTracklet) -> int:
    return row.tracklet.revision


def _miscounted(people: Mapping[int, Identity], rows: Iterable[StoredTracklet]) -> int:
    """Return how many identities have another number of rows than they say; no row may have expired alone."""
    counted = dict.fromkeys(people, 0)
    for row in rows:
        if row.identity_id is not None:
            counted[row.identity_id] = counted.get(row.identity_id, 0) + 1
    return sum(count != (people[n].tracklets if n in people else 0) for n, count in counted.items())
