"""What a site's store promises. `store_memory.MemoryStore` is the reference; `store_redis.RedisStore` must equal it.

One store holds one site. The store is the truth: whatever a gallery process knows can be loaded from it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from wire.messages import CameraProgress, IdentityEvent, Tracklet

JOURNAL_LENGTH = 10_000  # events kept for the history of identities: at 300 bytes each, 3 MB a site
EXPIRE_LIMIT = 1_000  # tracklets forgotten by one write, so that no write blocks the server for long

Outcome = Literal["applied", "already"]


@dataclass(frozen=True, slots=True)
class Identity:
    """One person of a site.

    Attributes:
        number: From 1, never used again.
        first_ns, last_ns: Capture times of the first and of the last box.
        cameras: Sorted names of the cameras that saw the person.
        tracklets: How many tracklets were given to it.
        previous_ids: Numbers that were merged into this one, sorted.
        apart: Numbers of people who were visible together with this one in one camera, so are somebody else; the
            highest ones, at most `site.MAX_APART`, and only of moments beyond the horizon of rows kept in memory.
    """

    number: int
    first_ns: int
    last_ns: int
    cameras: tuple[str, ...]
    tracklets: int
    previous_ids: tuple[int, ...] = ()
    apart: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Prototype:
    """One remembered look of an identity.

    Attributes:
        kind: `mean`: the weighted sum of all tracklets of a camera; `hard`: one tracklet far from that mean.
        vector: `(d,)` float32; for `mean` a sum and not normalised.
        weight: Sum of the weights behind the vector, > 0.
        tracklet_id: Of a `hard` one; empty for a `mean`.
    """

    kind: Literal["mean", "hard"]
    camera_id: str
    model_id: str
    vector: NDArray[np.float32]
    weight: float
    tracklet_id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class StoredTracklet:
    """The latest decided revision of a tracklet.

    Attributes:
        tracklet: Without its crop, which is asked for by `Store.crop`.
        identity_id: None while there is too little evidence.
        probability: That it is the same person as its identity, when it was decided.
        event: What was published about this revision; None while pending.
    """

    tracklet: Tracklet
    identity_id: int | None
    probability: float
    event: IdentityEvent | None


@dataclass(frozen=True, slots=True, eq=False)
class StoredProgress:
    """The last progress of a camera; offset of its record in the site's partition, and when that was sent."""

    progress: CameraProgress
    offset: int
    sent_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class JournalEntry:
    """One published event; `seq` grows by one, from 1."""

    seq: int
    event: IdentityEvent


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """Everything that one window of decisions changes.

    Attributes:
        version: Version of the site that the decisions were made on; the write makes it one larger.
        now_ns: Event time reached.
        tracklets: New revisions, with the identity given to them.
        crops: JPEG by tracklet_id; others keep theirs.
        moved: Older rows that change hands: tracklet_id -> identity.
        identities: New or changed ones.
        prototypes: By identity, replacing all it had.
        merged: Number that ends -> number that goes on; its rows follow.
        expired: People who are forgotten, with all their rows and all numbers they ever had.
        expire_before_ns: Rows last seen before are forgotten, at most `EXPIRE_LIMIT` a write.
        next_identity: The next number to give.
        calibration: The calibration's own encoding.
        events: Appended to the journal.
    """

    version: int
    now_ns: int
    next_identity: int
    calibration: bytes = b""
    tracklets: Sequence[StoredTracklet] = ()
    crops: Mapping[str, bytes] = field(default_factory=dict)
    moved: Mapping[str, int] = field(default_factory=dict)
    identities: Sequence[Identity] = ()
    prototypes: Mapping[int, Sequence[Prototype]] = field(default_factory=dict)
    merged: Mapping[int, int] = field(default_factory=dict)
    expired: Sequence[Identity] = ()
    expire_before_ns: int = 0
    events: Sequence[IdentityEvent] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What a gallery process needs to go on with a site; attributes as in `Write`, `seq` of the last event."""

    version: int
    seq: int
    now_ns: int
    next_identity: int
    calibration: bytes
    identities: Sequence[Identity]
    prototypes: Mapping[int, Sequence[Prototype]]
    tracklets: Sequence[StoredTracklet]
    unpublished: Sequence[JournalEntry]


@dataclass(frozen=True, slots=True)
class TrackQuery:
    """Which tracklets are asked for; None leaves a condition out.

    Attributes:
        from_ns, to_ns: Tracklets with at least one moment in this closed interval.
        limit: At most so many, newest (by last box) first.
    """

    camera_id: str | None = None
    identity_id: int | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Counts:
    """Sizes of a site's store."""

    identities: int
    tracklets: int
    crops: int
    events: int


def microseconds(time_ns: int) -> int:
    """Return a time as whole microseconds: what a sorted set's double keeps exactly until the year 2255."""
    return time_ns // 1000


class Store(Protocol):
    """One site's memory. Thread-safe.

    Every method may raise `StoreUnavailable`; the call can then be repeated, also when it had taken effect.
    """

    @property
    def site_id(self) -> str:
        """Return the site."""

    def load(self, horizon_ns: int) -> Snapshot:
        """Return everything about identities, and the tracklets last seen at most `horizon_ns` before `now_ns`.

        A site that was never written has version 0, no identities, and 1 as its next number.
        """

    def write(self, write: Write) -> Outcome:
        """Apply all of a write, or nothing.

        Returns:
            `already` when every tracklet of the write (at least one) is stored with this or a later revision: the
            write was applied before, and nothing changes. Else `applied`.

        Raises:
            StoreConflict: The site's version is not the write's, and the write was not applied before.
        """

    def confirm(self, seq: int) -> None:
        """Note that all events up to `seq` are safely published; never goes back."""

    def save_progress(self, progress: Sequence[StoredProgress]) -> None:
        """Remember the last progress of cameras, by camera."""

    def progress(self) -> dict[str, StoredProgress]:
        """Return the last progress of every camera."""

    def forget_camera(self, camera_id: str) -> None:
        """Forget the progress of a camera that was removed; its tracklets stay until they expire."""

    def identities(self, after: int, limit: int) -> list[Identity]:
        """Return up to `limit` identities with a number larger than `after`, by number."""

    def identity(self, number: int) -> Identity | None:
        """Return an identity; a number that was merged away gives the one that goes on."""

    def sightings(self, numbers: Sequence[int]) -> list[int]:
        """Return how many sightings each of some identities has, as `presence.sightings` joins them."""

    def tracklets(self, tracklet_ids: Sequence[str]) -> list[StoredTracklet]:
        """Return the stored ones among the given, in the given order."""

    def find(self, query: TrackQuery) -> list[StoredTracklet]:
        """Return the tracklets of a query, newest (in whole microseconds) first, then by descending tracklet_id."""

    def crop(self, tracklet_id: str) -> bytes | None:
        """Return the best crop of a tracklet as JPEG."""

    def journal(self, after: int, limit: int) -> list[JournalEntry]:
        """Return up to `limit` events with a sequence number larger than `after`, oldest first."""

    def counts(self) -> Counts:
        """Return how much is stored."""

    def ping(self) -> None:
        """Return when the store answers."""
