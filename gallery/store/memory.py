"""The reference store: one site in dictionaries."""

import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from itertools import islice
from typing import cast

from msgspec.structs import replace
from sortedcontainers import SortedDict, SortedList

from gallery.errors import StoreConflict
from gallery.store.alerting_memory import MemoryAlertStore
from gallery.store.memory_accounts import MemoryAccounts
from gallery.store.people import in_order, page_of
from gallery.store.presence import sightings
from gallery.store.recordings import MemoryRecordingNotes
from gallery.store.retained import MemoryRetainedNotes
from gallery.store.said import MAX_WORDS, Former, StoredWord
from gallery.store.store import (
    EXPIRE_LIMIT,
    JOURNAL_LENGTH,
    Counts,
    Faded,
    Identity,
    JournaledWord,
    JournalEntry,
    Learnt,
    Outcome,
    People,
    PeopleQuery,
    Prototype,
    Snapshot,
    StoredProgress,
    StoredTracklet,
    TrackQuery,
    Write,
    microseconds,
)
from gallery.store.why import Why


class MemoryStore:
    """Keeps a site for as long as the process lives; see `gallery.store.store.Store`."""

    def __init__(self, site_id: str) -> None:
        self._site_id = site_id
        self._lock = threading.Lock()
        self._version = 0
        self._now_ns = 0
        self._next_identity = 1
        self._calibration = b""
        self._published = 0
        self._seq = 0
        self._rows: dict[str, StoredTracklet] = {}
        self._by_time: SortedList[tuple[int, str]] = SortedList()  # last box in us, tracklet_id
        self._owned: dict[int, set[str]] = defaultdict(set)  # by identity
        self._crops: dict[str, bytes] = {}
        self._identities: SortedDict[int, Identity] = SortedDict()
        self._prototypes: dict[int, tuple[Prototype, ...]] = {}
        self._faded: SortedDict[int, tuple[Prototype, ...]] = SortedDict()  # prototypes of who has faded
        self._aliases: dict[int, int] = {}
        self._progress: dict[str, StoredProgress] = {}
        self._journal: deque[JournalEntry] = deque()
        self._words: dict[str, JournaledWord] = {}  # by word_id, in order
        self._said = 0  # seq of the last word
        self._formers: dict[str, list[Former]] = {}
        self._erased: dict[str, str] = {}
        self._why: dict[str, Why] = {}
        self.accounts = MemoryAccounts()
        self.alerting = MemoryAlertStore(site_id)
        self.recordings = MemoryRecordingNotes()
        self.retained = MemoryRetainedNotes()

    @property
    def site_id(self) -> str:
        """Return the site."""
        return self._site_id

    def load(self, horizon_ns: int) -> Snapshot:
        """Return identities, and recent tracklets in the order of their last box."""
        with self._lock:
            since_us = microseconds(self._now_ns - horizon_ns)
            return Snapshot(
                version=self._version,
                seq=self._seq,
                now_ns=self._now_ns,
                next_identity=self._next_identity,
                calibration=self._calibration,
                identities=[one for one in self._identities.values() if not one.faded],
                prototypes=dict(self._prototypes),
                tracklets=[self._rows[key] for _, key in self._by_time.irange(minimum=(since_us,))],
                unpublished=[entry for entry in self._journal if entry.seq > self._published],
                words=[entry.said for entry in self._words.values()],
                holders=self._holders(),
                erased=dict(self._erased),
                faded=list(self._faded),
            )

    def _holders(self) -> dict[str, int]:
        mentioned = dict.fromkeys(key for entry in self._words.values() for key in entry.said.mentioned())
        owners = {key: self._rows[key].identity_id for key in mentioned if key in self._rows}
        return {key: owner for key, owner in owners.items() if owner is not None}

    def learnt(self) -> Learnt:
        """Return what the site has learnt."""
        with self._lock:
            return Learnt(self._version, self._now_ns, self._next_identity, self._calibration)

    def write(self, write: Write) -> Outcome:
        """Apply all of a write, or nothing."""
        with self._lock:
            if write.tracklets and all(self._is_stored(row) for row in write.tracklets):
                return "already"
            if write.version != self._version:
                raise StoreConflict(f"site {self._site_id}: version is {self._version}, not {write.version}")
            self._apply(write)
            return "applied"

    def _is_stored(self, row: StoredTracklet) -> bool:
        stored = self._rows.get(row.tracklet.tracklet_id)
        return stored is not None and stored.tracklet.revision >= row.tracklet.revision

    def _apply(self, write: Write) -> None:
        self._version += 1
        self._now_ns, self._next_identity, self._calibration = write.now_ns, write.next_identity, write.calibration
        for gone, survivor in write.merged.items():
            for tracklet_id in list(self._owned.get(gone, ())):
                self._put(_owned(self._rows[tracklet_id], survivor))
            self._drop(gone)
        for row in write.tracklets:
            without_crop = replace(row.tracklet, crop=b"") if row.tracklet.crop else row.tracklet
            self._put(StoredTracklet(without_crop, row.identity_id, row.probability, row.event))
        self._crops.update({key: crop for key, crop in write.crops.items() if key in self._rows})
        self._why.update({key: why for key, why in write.why.items() if key in self._rows})
        self._change(write)
        for identity in write.identities:
            self._identities[identity.number] = identity
            self._aliases.pop(identity.number, None)
            self._aliases.update(dict.fromkeys(identity.previous_ids, identity.number))
            (self._prototypes if identity.faded else self._faded).pop(identity.number, None)
        faded = {identity.number for identity in write.identities if identity.faded}
        for number, owned in write.prototypes.items():
            (self._faded if number in faded else self._prototypes)[number] = tuple(owned)
        self._expire(write)
        for event in write.events:
            self._seq += 1
            self._journal.append(JournalEntry(self._seq, event))
        while len(self._journal) > JOURNAL_LENGTH:
            self._journal.popleft()
        self._hear(write)

    def _hear(self, write: Write) -> None:
        """Change the journal of words, and what erasures left."""
        for said in write.words:
            known = self._words.get(said.word.word_id)
            self._said += known is None
            self._words[said.word.word_id] = JournaledWord(self._said if known is None else known.seq, said)
        for word_id, former in write.formers.items():
            self._formers[word_id] = list(former)
        for word_id in list(self._words)[: max(0, len(self._words) - MAX_WORDS)]:
            del self._words[word_id]
            self._formers.pop(word_id, None)
        self._erased.update(write.erased)
        for digest in write.lifted:
            self._erased.pop(digest, None)
        if forgotten := set(write.forgotten):
            self._journal = deque(entry for entry in self._journal if entry.seq not in forgotten)

    def _change(self, write: Write) -> None:
        """Change older rows, those that are still here."""
        for row in write.revised:
            if row.tracklet.tracklet_id in self._rows:
                self._put(_owned(row, self._rows[row.tracklet.tracklet_id].identity_id))
        for tracklet_id, owner in write.moved.items():
            if tracklet_id in self._rows:
                self._put(_owned(self._rows[tracklet_id], owner))

    def _expire(self, write: Write) -> None:
        for identity in write.expired:
            self._drop(identity.number)
            for old in identity.previous_ids:
                self._aliases.pop(old, None)
            self._forget(list(self._owned.get(identity.number, ())))
        before = (microseconds(write.expire_before_ns),)
        aged = self._by_time.irange(maximum=before, inclusive=(True, False))
        self._forget([key for _, key in islice(aged, EXPIRE_LIMIT)])

    def _put(self, row: StoredTracklet) -> None:
        key = row.tracklet.tracklet_id
        if key in self._rows:
            self._take(self._rows[key])
        self._rows[key] = row
        self._by_time.add(_order(row))
        if row.identity_id is not None:
            self._owned[row.identity_id].add(key)

    def _take(self, row: StoredTracklet) -> None:
        """Take a row out of its places in time and under its identity."""
        self._by_time.remove(_order(row))
        if row.identity_id is not None:
            self._owned[row.identity_id].discard(row.tracklet.tracklet_id)
            if not self._owned[row.identity_id]:
                del self._owned[row.identity_id]

    def _drop(self, number: int) -> None:
        self._identities.pop(number, None)
        self._prototypes.pop(number, None)
        self._faded.pop(number, None)

    def _forget(self, tracklet_ids: Sequence[str]) -> None:
        for tracklet_id in tracklet_ids:
            self._take(self._rows.pop(tracklet_id))
            self._crops.pop(tracklet_id, None)
            self._why.pop(tracklet_id, None)

    def confirm(self, seq: int) -> None:
        """Mark all events up to `seq` as published."""
        with self._lock:
            self._published = max(self._published, min(seq, self._seq))

    def save_progress(self, progress: Sequence[StoredProgress]) -> None:
        """Save the last progress of cameras."""
        with self._lock:
            self._progress.update({stored.progress.camera_id: stored for stored in progress})

    def progress(self) -> dict[str, StoredProgress]:
        """Return the last progress of every camera."""
        with self._lock:
            return dict(self._progress)

    def forget_camera(self, camera_id: str) -> None:
        """Delete the progress of a camera."""
        with self._lock:
            self._progress.pop(camera_id, None)

    def identities(self, after: int, limit: int) -> list[Identity]:
        """Return up to `limit` identities with a larger number, by number."""
        with self._lock:
            numbers = self._identities.irange(minimum=after, inclusive=(False, True))
            return [self._identities[number] for number in islice(numbers, max(0, limit))]

    def people(self, query: PeopleQuery) -> People:
        """Return a page of the identities of a query."""
        with self._lock:
            return page_of(in_order(self._identities.values(), query), query)

    def latest(self, numbers: Sequence[int], count: int) -> list[list[str]]:
        """Return the ids of the newest tracklets of each identity, newest first."""
        with self._lock:
            owned = [[self._rows[key] for key in self._owned.get(number, ())] for number in numbers]
        return [[r.tracklet.tracklet_id for r in sorted(rows, key=_order, reverse=True)[:count]] for rows in owned]

    def identity(self, number: int) -> Identity | None:
        """Return an identity, or the one it was merged into."""
        with self._lock:
            known = self._identities.get(number)
            return cast("Identity | None", known or self._identities.get(self._aliases.get(number, number)))

    def faded(self, numbers: Sequence[int]) -> list[Faded]:
        """Return those of the given identities that have faded."""
        with self._lock:
            return [Faded(self._identities[n], self._faded[n]) for n in numbers if n in self._faded]

    def faded_after(self, number: int, limit: int) -> list[Faded]:
        """Return up to `limit` faded identities with a larger number, by number."""
        with self._lock:
            numbers = self._faded.irange(minimum=number, inclusive=(False, True))
            return [Faded(self._identities[n], self._faded[n]) for n in islice(numbers, max(0, limit))]

    def faded_longest(self, limit: int) -> list[Identity]:
        """Return those who have faded among the identities seen longest ago."""
        with self._lock:
            ordered = in_order(self._identities.values(), PeopleQuery(by_last=True))
        return [one for one in ordered[::-1][:limit] if one.faded]

    def sightings(self, numbers: Sequence[int]) -> list[int]:
        """Return the number of sightings of each identity."""
        with self._lock:
            owned = [[self._rows[key] for key in self._owned.get(number, ())] for number in numbers]
        return [len(sightings(rows)) for rows in owned]

    def tracklets(self, tracklet_ids: Sequence[str]) -> list[StoredTracklet]:
        """Return those of the given tracklets that are stored, in the given order."""
        with self._lock:
            return [self._rows[key] for key in tracklet_ids if key in self._rows]

    def find(self, query: TrackQuery) -> list[StoredTracklet]:
        """Return the tracklets of a query, newest first."""
        with self._lock:
            rows = [row for row in self._rows.values() if matches(row, query)]
        return sorted(rows, key=_order, reverse=True)[: query.limit]

    def crop(self, tracklet_id: str) -> bytes | None:
        """Return the best crop of a tracklet."""
        with self._lock:
            return self._crops.get(tracklet_id)

    def why(self, tracklet_ids: Sequence[str]) -> dict[str, Why]:
        """Return why tracklets were given to their identities."""
        with self._lock:
            return {key: self._why[key] for key in tracklet_ids if key in self._why}

    def journal(self, after: int, limit: int) -> list[JournalEntry]:
        """Return up to `limit` later events, oldest first."""
        with self._lock:
            return [entry for entry in self._journal if entry.seq > after][:limit]

    def last_event(self) -> int:
        """Return the sequence number of the last event of the journal."""
        with self._lock:
            return self._journal[-1].seq if self._journal else 0

    def words(self, after: int, limit: int) -> list[JournaledWord]:
        """Return up to `limit` later words, oldest first."""
        with self._lock:
            return list(islice((entry for entry in self._words.values() if entry.seq > after), max(0, limit)))

    def word(self, word_id: str) -> StoredWord | None:
        """Return a word."""
        with self._lock:
            known = self._words.get(word_id)
        return None if known is None else known.said

    def former(self, word_id: str) -> list[Former]:
        """Return what undoing a word needs."""
        with self._lock:
            return list(self._formers.get(word_id, ()))

    def counts(self) -> Counts:
        """Return the sizes of the store."""
        with self._lock:
            hidden = sum(identity.hidden for identity in self._identities.values())
            sizes = len(self._identities), len(self._rows), len(self._crops), len(self._journal)
            return Counts(*sizes, hidden, len(self._faded))

    def ping(self) -> None:
        """Return immediately."""


def matches(row: StoredTracklet, query: TrackQuery) -> bool:
    """Return whether a row meets every condition of a query, apart from its limit."""
    tracklet = row.tracklet
    return (
        (query.camera_id is None or tracklet.camera_id == query.camera_id)
        and (query.identity_id is None or row.identity_id == query.identity_id)
        and (query.from_ns is None or tracklet.last_ns >= query.from_ns)
        and (query.to_ns is None or tracklet.first_ns <= query.to_ns)
    )


def _owned(row: StoredTracklet, owner: int | None) -> StoredTracklet:
    return StoredTracklet(row.tracklet, owner, row.probability, row.event)


def _order(row: StoredTracklet) -> tuple[int, str]:
    return microseconds(row.tracklet.last_ns), row.tracklet.tracklet_id
