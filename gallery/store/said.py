"""What people said, as it is stored: each word with what it was said about. Pure."""

from dataclasses import dataclass
from hashlib import blake2b

from wire.messages import Tracklet, Word
from wire.tracklet_id import TrackletId

MAX_WORDS = 10_000  # of a site; the oldest are dropped, with their effect on later decisions
MAX_SIDE = 256  # tracklets by which an identity is remembered in a word, the latest ones


@dataclass(frozen=True, slots=True)
class Seen:
    """When a camera saw an erased person, in ns since the Unix epoch: its recordings of that time are deleted."""

    camera_id: str
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """Proof of an erasure: when it was done, how much was deleted, and the digest of what.

    Attributes:
        numbers: Of the identity and of those merged into it.
        digest: SHA-256 of the ids of its tracklets, sorted, each ended by a newline; in hexadecimal.
        events: Deleted from the journal of events; `words` lost their names and tracklets.
        seen: Where recordings are to be deleted, which the recorder does.
    """

    done_ns: int
    numbers: tuple[int, ...]
    digest: str
    tracklets: int
    crops: int
    prototypes: int
    events: int
    words: int
    seen: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class StoredWord:
    """A word in the journal.

    Attributes:
        identity_id: The identity that it resulted in; 0 without one.
        chosen: Ids of the tracklets that it is about, if it is about some of an identity's.
        sides: Ids of the latest tracklets of each identity that it is about, at most `MAX_SIDE`. `merge`: those of
            both, which are one person; `different`: those of each; `split`: of the rest; `move`: of the rest, and of
            the identity that it was moved to.
        refused: Why it had no effect; empty if it had.
        undone_by: The `word_id` of the word that undid it; empty while it holds.
        erasure: Of an `erase`.
    """

    word: Word
    identity_id: int = 0
    chosen: tuple[str, ...] = ()
    sides: tuple[tuple[str, ...], ...] = ()
    refused: str = ""
    undone_by: str = ""
    erasure: Erasure | None = None

    @property
    def holds(self) -> bool:
        """Return whether it applies to later decisions."""
        return not self.refused and not self.undone_by

    def mentioned(self) -> list[str]:
        """Return the ids of all tracklets that it mentions."""
        return [*self.chosen, *(key for side in self.sides for key in side)]


@dataclass(frozen=True, slots=True)
class Former:
    """An identity as it was before a word; `tracklets` are the ids of those that the word moved away from it."""

    number: int
    name: str = ""
    hidden: bool = False
    picture: str = ""
    previous_ids: tuple[int, ...] = ()
    tracklets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def leg_of(tracklet_id: str) -> str:
    """Return the leg of a tracklet, whose parts are one person: its id without the number of the part."""
    name = TrackletId.parse(tracklet_id)
    return f"{name.camera_id}/{name.stream_id}/{name.track}.{name.leg}"


def digests_of(site_id: str, tracklet: Tracklet) -> tuple[str, str]:
    """Return two texts of 32 digits by which an erased tracklet is recognised, and which tell neither camera nor time.

    The first is that of its leg, in this stream. The second is that of its number and its first box, in any stream: of
    the same recording from another start time.
    """
    name = TrackletId.parse(tracklet.tracklet_id)
    number = f"{name.camera_id}/{name.stream_id.rpartition('-')[2]}/{name.track}.{name.leg}/{name.part}"
    begin = f"{number}\n{int(tracklet.frames[0])}\n{tracklet.boxes[0].tolist()}"
    return _digest(site_id, leg_of(tracklet.tracklet_id)), _digest(site_id, begin)


def _digest(site_id: str, text: str) -> str:
    return blake2b(f"{site_id}\n{text}".encode(), digest_size=16, person=b"climbtrack").hexdigest()
