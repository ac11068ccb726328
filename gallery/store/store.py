"""The contract of a site's store. `memory.MemoryStore` is the reference; `redis.RedisStore` must behave the same.

One store holds one site, and is its source of truth: the state of a gallery process can be reloaded from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gallery.store.accounts import Accounts
from gallery.store.alerting import AlertStore
from gallery.store.recordings import RecordingNotes
from gallery.store.retained import RetainedNotes
from gallery.store.said import Former, StoredWord
from gallery.store.why import Why
from wire.messages import CameraProgress, IdentityEvent, Tracklet

JOURNAL_LENGTH = 10_000  # events kept for the history of identities: at 300 bytes each, 3 MB a site
EXPIRE_LIMIT = 1_000  # tracklets deleted by one write, so that no write blocks the server for long

Outcome = Literal["applied", "already"]


@dataclass(frozen=True, slots=True)
class Identity:
    """One person of a site.

    Attributes:
        number: From 1, never reused.
        first_ns, last_ns: Capture times of the first and of the last box.
        cameras: Sorted names of the cameras that saw the person.
        tracklets: Number of its tracklets.
        previous_ids: Numbers that were merged into this one, sorted.
        apart: Numbers of people visible at the same time as this one in one camera, hence different people; the
            highest ones, at most `site.MAX_APART`, and only from before the horizon of rows kept in memory.
        name: As a person said; empty without one.
        hidden: A person said that this one is of no interest.
        picture: Tracklet whose crop a person chose; empty without a choice.
        tags: What people call this one beside the name, sorted; at most `MAX_PERSON_TAGS`.
        faded: Not seen for so long that a gallery keeps this one in the store only.
    """

    number: int
    first_ns: int
    last_ns: int
    cameras: tuple[str, ...]
    tracklets: int
    previous_ids: tuple[int, ...] = ()
    apart: tuple[int, ...] = ()
    name: str = ""
    hidden: bool = False
    picture: str = ""
    tags: tuple[str, ...] = ()
    faded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Prototype:
    """One appearance prototype of an identity.

    Attributes:
        kind: `mean`: the weighted sum of all tracklets of a camera; `hard`: one tracklet far from that mean.
        vector: `(d,)` float32; for `mean`, a sum that is not normalised.
        weight: Sum of the weights in the vector, > 0.
        tracklet_id: Of a `hard` prototype; empty for a `mean`.
    """

    kind: Literal["mean", "hard"]
    camera_id: str
    model_id: str
    vector: NDArray[np.float32]
    weight: float
    tracklet_id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Faded:
    """Somebody whom a gallery does not keep in memory, as stored."""

    identity: Identity
    prototypes: tuple[Prototype, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StoredTracklet:
    """The latest decided revision of a tracklet.

    Attributes:
        tracklet: Without its crop; see `Store.crop`.
        identity_id: None while there is too little evidence.
        probability: Of being the same person as its identity, when it was decided.
        event: The event published about this revision; None while pending.
    """

    tracklet: Tracklet
    identity_id: int | None
    probability: float
    event: IdentityEvent | None


@dataclass(frozen=True, slots=True, eq=False)
class StoredProgress:
    """The last progress of a camera, the offset of its record in the site's partition, and when it was sent.

    Attributes:
        reports: Offsets and times of the last reports that were news, each later than the one before.
    """

    progress: CameraProgress
    offset: int
    sent_ns: int
    reports: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class JournalEntry:
    """One event of the journal; `seq` counts from 1."""

    seq: int
    event: IdentityEvent


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """All changes of one window of decisions.

    Attributes:
        version: Version of the site that the decisions were made on; the write increments it.
        now_ns: Event time up to which the site is decided.
        tracklets: New revisions, with their identities.
        crops: JPEG by tracklet_id; the others are unchanged.
        moved: Older rows with a new identity: tracklet_id -> identity.
        revised: Older rows with another probability or event, the tracklet as stored; they keep their identity, but
            for `moved` and `merged`. Rows that are not stored are ignored.
        identities: New and changed identities, with those that fade and that come back.
        prototypes: By identity, replacing all its prototypes; those of faded identities are kept apart.
        merged: Merged number -> surviving number, which takes over its rows.
        expired: Identities to delete, with all their rows and previous numbers.
        expire_before_ns: Rows last seen before this are deleted, at most `EXPIRE_LIMIT` per write.
        next_identity: The next unused number.
        calibration: As `calibrate.encode` serialises it.
        events: Appended to the journal.
        words: Appended to the journal of words, in place of the entry with the same `word_id` if there is one.
        formers: By `word_id`, what undoing a word needs; an empty sequence deletes it.
        erased: Tracklets that are never decided again, as `said.digests_of` gives them -> the `word_id` of the erasure.
        lifted: Tracklets, in the same form, that may be decided again.
        forgotten: Events to delete from the journal, by `seq`.
        why: By tracklet, why it was given to its identity; kept as long as the tracklet.
    """

    version: int
    now_ns: int
    next_identity: int
    calibration: bytes = b""
    tracklets: Sequence[StoredTracklet] = ()
    crops: Mapping[str, bytes] = field(default_factory=dict)
    moved: Mapping[str, int] = field(default_factory=dict)
    revised: Sequence[StoredTracklet] = ()
    identities: Sequence[Identity] = ()
    prototypes: Mapping[int, Sequence[Prototype]] = field(default_factory=dict)
    merged: Mapping[int, int] = field(default_factory=dict)
    expired: Sequence[Identity] = ()
    expire_before_ns: int = 0
    events: Sequence[IdentityEvent] = ()
    words: Sequence[StoredWord] = ()
    formers: Mapping[str, Sequence[Former]] = field(default_factory=dict)
    erased: Mapping[str, str] = field(default_factory=dict)
    lifted: Sequence[str] = ()
    forgotten: Sequence[int] = ()
    why: Mapping[str, Why] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What a gallery process needs to continue a site; attributes as in `Write`, `seq` is that of the last event.

    `words` are all of them, oldest first; `holders` the identities of the tracklets that they mention. `erased_as` is
    the name of the site in the digests of `erased`, if it has been restored under another name since. `faded` are the
    numbers of those who have faded; nothing else of them is here.
    """

    version: int
    seq: int
    now_ns: int
    next_identity: int
    calibration: bytes
    identities: Sequence[Identity]
    prototypes: Mapping[int, Sequence[Prototype]]
    tracklets: Sequence[StoredTracklet]
    unpublished: Sequence[JournalEntry]
    words: Sequence[StoredWord] = ()
    holders: Mapping[str, int] = field(default_factory=dict)
    erased: Mapping[str, str] = field(default_factory=dict)
    erased_as: str = ""
    faded: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a site has learnt, and as of when; attributes as in `Write`."""

    version: int
    now_ns: int
    next_identity: int
    calibration: bytes


@dataclass(frozen=True, slots=True)
class TrackQuery:
    """Conditions for tracklets; None omits a condition.

    Attributes:
        from_ns, to_ns: Tracklets that overlap this closed interval.
        limit: Maximum number of tracklets, newest (by last box) first.
    """

    camera_id: str | None = None
    identity_id: int | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class PeopleQuery:
    """Conditions for identities; None, or an empty name, omits a condition.

    Attributes:
        name: Part of the name, in any case.
        tag: One of the tags, in any case; empty omits it.
        from_ns, to_ns: Identities last seen at or after, and first seen at or before.
        by_last: Order by when they were seen last, latest first; else by number.
        after: The last identity of the page before: microseconds of its last box (if `by_last`), and its number.
    """

    name: str = ""
    hidden: bool | None = None
    camera_id: str | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    by_last: bool = False
    after: tuple[int, int] | None = None
    limit: int = 100
    tag: str = ""


@dataclass(frozen=True, slots=True)
class People:
    """A page of identities, and the `after` of the next one; None on the last."""

    identities: list[Identity]
    next: tuple[int, int] | None


@dataclass(frozen=True, slots=True, eq=False)
class JournaledWord:
    """One word of the journal; `seq` counts from 1."""

    seq: int
    said: StoredWord


@dataclass(frozen=True, slots=True)
class Counts:
    """Sizes of a site's store; `identities` includes the hidden ones and the faded ones."""

    identities: int
    tracklets: int
    crops: int
    events: int
    hidden: int = 0
    faded: int = 0


def microseconds(time_ns: int) -> int:
    """Return a time in whole microseconds, which the doubles of sorted sets represent exactly until the year 2255."""
    return time_ns // 1000


class Store(Protocol):
    """The stored state of one site. Thread-safe.

    Every method may raise `StoreUnavailable`; the call can then be repeated, even if it had taken effect.
    """

    @property
    def site_id(self) -> str:
        """Return the site."""

    @property
    def accounts(self) -> Accounts:
        """Return who may use the site."""

    @property
    def alerting(self) -> AlertStore:
        """Return the site's zones, rules and alerts."""

    @property
    def recordings(self) -> RecordingNotes:
        """Return what the recorder tells the rest of the site."""

    @property
    def retained(self) -> RetainedNotes:
        """Return what became of records about erased people."""

    def load(self, horizon_ns: int) -> Snapshot:
        """Return everything about identities, and the tracklets last seen at most `horizon_ns` before `now_ns`.

        A site that was never written has version 0, no identities, and 1 as its next number.
        """

    def write(self, write: Write) -> Outcome:
        """Apply all of a write, or nothing.

        Returns:
            `already` when every tracklet of the write (at least one) is stored with this or a later revision: the
            write was applied before, and nothing changes. Otherwise `applied`.

        Raises:
            StoreConflict: The site's version differs from the write's, and the write was not applied before.
        """

    def learnt(self) -> Learnt:
        """Return what the site has learnt, of any version that wrote it; version 0 if it was never written."""

    def confirm(self, seq: int) -> None:
        """Mark all events up to `seq` as published; a lower `seq` than before has no effect."""

    def save_progress(self, progress: Sequence[StoredProgress]) -> None:
        """Save the last progress of each given camera."""

    def progress(self) -> dict[str, StoredProgress]:
        """Return the last progress of every camera."""

    def forget_camera(self, camera_id: str) -> None:
        """Delete the progress of a removed camera; its tracklets are kept until they expire."""

    def identities(self, after: int, limit: int) -> list[Identity]:
        """Return up to `limit` identities with a number larger than `after`, by number."""

    def people(self, query: PeopleQuery) -> People:
        """Return a page of the identities of a query, in its order."""

    def latest(self, numbers: Sequence[int], count: int) -> list[list[str]]:
        """Return the ids of the `count` newest tracklets of each identity, newest first."""

    def identity(self, number: int) -> Identity | None:
        """Return an identity, or the one that its number was merged into."""

    def faded(self, numbers: Sequence[int]) -> list[Faded]:
        """Return those of the given identities that have faded, in the given order."""

    def faded_after(self, number: int, limit: int) -> list[Faded]:
        """Return up to `limit` faded identities with a number larger than `number`, by number."""

    def faded_longest(self, limit: int) -> list[Identity]:
        """Return those who have faded among the `limit` identities seen longest ago, the longest first."""

    def sightings(self, numbers: Sequence[int]) -> list[int]:
        """Return the number of sightings of each identity, as joined by `presence.sightings`."""

    def tracklets(self, tracklet_ids: Sequence[str]) -> list[StoredTracklet]:
        """Return those of the given tracklets that are stored, in the given order."""

    def find(self, query: TrackQuery) -> list[StoredTracklet]:
        """Return the tracklets of a query, newest (in whole microseconds) first, then by descending tracklet_id."""

    def crop(self, tracklet_id: str) -> bytes | None:
        """Return the best crop of a tracklet as JPEG."""

    def why(self, tracklet_ids: Sequence[str]) -> dict[str, Why]:
        """Return why tracklets were given to their identities, as far as that is known."""

    def journal(self, after: int, limit: int) -> list[JournalEntry]:
        """Return up to `limit` events with a sequence number larger than `after`, oldest first."""

    def last_event(self) -> int:
        """Return the sequence number of the last event of the journal; 0 if there is none."""

    def words(self, after: int, limit: int) -> list[JournaledWord]:
        """Return up to `limit` words with a sequence number larger than `after`, oldest first."""

    def word(self, word_id: str) -> StoredWord | None:
        """Return a word."""

    def former(self, word_id: str) -> list[Former]:
        """Return what undoing a word needs; empty if that is not known any more."""

    def counts(self) -> Counts:
        """Return the sizes of the store."""

    def ping(self) -> None:
        """Return once the store has answered."""
