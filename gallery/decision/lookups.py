"""What is looked up in the rows and identities of a site in every window, kept up to date with each change. No I/O."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Self

from sortedcontainers import SortedList

from gallery.decision.table import Table
from gallery.decision.visibility import Visibility
from gallery.store.store import Identity, StoredTracklet


class Lookups:
    """Lookups in one version of a site; a window of decisions takes them over, changes them, and hands them on.

    They follow from the rows and identities of the site alone, and are rebuilt from these where they are not at hand:
    when a site is loaded, or decided again after a window was abandoned.

    Attributes:
        visibility: Who was visible together, over all rows.
        members: Ids of the rows of each identity that has any.
        pending: Ids of the rows without identity.
    """

    def __init__(self) -> None:
        self.visibility = Visibility()
        self.members: dict[int, set[str]] = defaultdict(set)
        self.pending: set[str] = set()
        self._models: Counter[str] = Counter()
        self._closed: dict[str, SortedList[tuple[int, str]]] = defaultdict(SortedList)  # by model
        self._seen: SortedList[tuple[int, int]] = SortedList()  # last_ns and negative number of each identity
        self._reflects: tuple[object, object] | None = None

    def taken(self, rows: Table[str, StoredTracklet], identities: Table[int, Identity]) -> "Lookups":
        """Return lookups in these tables for the caller to change: these if they reflect the tables, else new ones."""
        reflected, self._reflects = self._reflects, None
        if reflected is not None and reflected[0] is rows and reflected[1] is identities:
            return self
        built = Lookups()
        for row in rows.values():
            built.put_row(None, row)
        built._seen.update(map(_place, identities.values()))
        return built

    def reflecting(self, rows: Table[str, StoredTracklet], identities: Table[int, Identity]) -> Self:
        """Return these lookups, marked as those in tables that will no longer change."""
        self._reflects = rows, identities
        return self

    @property
    def models(self) -> list[str]:
        """Return the models of the rows, sorted."""
        return sorted(self._models)

    def put_row(self, old: StoredTracklet | None, new: StoredTracklet) -> None:
        """Add a row, or replace one."""
        key = new.tracklet.tracklet_id
        if old is not None and old.tracklet is new.tracklet:
            self._take(old)
        else:
            if old is not None:
                self.drop_row(old)
            self.visibility.put(new.tracklet)
            self._models[new.tracklet.model_id] += 1
            if new.tracklet.closed:
                self._closed[new.tracklet.model_id].add((new.tracklet.last_ns, key))
        (self.pending if new.identity_id is None else self.members[new.identity_id]).add(key)

    def drop_row(self, row: StoredTracklet) -> None:
        """Remove a row."""
        tracklet = row.tracklet
        self._take(row)
        self.visibility.drop(tracklet)
        if tracklet.closed:
            self._closed[tracklet.model_id].remove((tracklet.last_ns, tracklet.tracklet_id))
        self._models[tracklet.model_id] -= 1
        if not self._models[tracklet.model_id]:
            del self._models[tracklet.model_id]
            self._closed.pop(tracklet.model_id, None)

    def _take(self, row: StoredTracklet) -> None:
        """Take a row from its identity, or from those pending."""
        key, number = row.tracklet.tracklet_id, row.identity_id
        if number is None:
            self.pending.discard(key)
            return
        self.members[number].discard(key)
        if not self.members[number]:
            del self.members[number]

    def put_identity(self, old: Identity | None, new: Identity) -> None:
        """Add an identity, or replace one."""
        if old is None or old.last_ns != new.last_ns:
            if old is not None:
                self._seen.remove(_place(old))
            self._seen.add(_place(new))

    def drop_identity(self, identity: Identity) -> None:
        """Remove an identity."""
        self._seen.remove(_place(identity))

    def closed(self, model_id: str) -> Iterator[str]:
        """Yield the ids of the closed rows of a model, those with the latest boxes first."""
        return (key for _, key in reversed(self._closed.get(model_id, ())))

    def latest(self, count: int) -> list[int]:
        """Return the identities seen last, with all those seen at the same moment as the last of `count`."""
        if len(self._seen) <= count:
            return [-number for _, number in self._seen]
        return [-number for _, number in self._seen.irange(minimum=(self._seen[-count][0],))]

    def recent(self) -> Iterator[int]:
        """Yield the identities that have rows, those seen last first, then by number."""
        having = (-number for _, number in reversed(self._seen) if -number in self.members)
        return islice(having, len(self.members))

    def oldest(self) -> Iterator[int]:
        """Yield the identities in the order in which they were seen last, the oldest first."""
        return (-number for _, number in self._seen)


def _place(identity: Identity) -> tuple[int, int]:
    return identity.last_ns, -identity.number
