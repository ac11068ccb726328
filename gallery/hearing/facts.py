"""What is stored about the subjects of a word: the only part of hearing that reads the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gallery.store.said import Former, StoredWord
from gallery.store.store import Faded, Identity, JournalEntry, Store, StoredTracklet, TrackQuery
from wire.messages import Word

MAX_ROWS = 10_000  # tracklets of an identity that a word moves, and that undoing it brings back; the latest ones
EVERYTHING = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What a word is about, as stored.

    Attributes:
        people: By the numbers in the word, each as it is called now; numbers of nobody are missing.
        rows: Tracklets of each of these identities, newest first, by their present numbers.
        chosen: The tracklets that the word names, and those that undoing it brings back, as far as they are stored.
        undone: The word to undo.
        former: What undoing it needs.
        events: Of an identity to erase.
        words: That mention an identity to erase, or are about it, with those that were undone or refused.
        crops: Of an identity to erase, how many there are.
        faded: Those of `people` who have faded.
    """

    people: Mapping[int, Identity]
    rows: Mapping[int, Sequence[StoredTracklet]]
    chosen: Sequence[StoredTracklet] = ()
    undone: StoredWord | None = None
    former: Sequence[Former] = ()
    events: Sequence[JournalEntry] = ()
    words: Sequence[StoredWord] = ()
    crops: int = 0
    faded: Sequence[Faded] = ()


def facts_of(store: Store, word: Word) -> Facts:
    """Read what a word is about."""
    undone = store.word(word.undoes) if word.kind == "undo" else None
    former = store.former(word.undoes) if undone is not None else []
    chosen = store.tracklets([*word.tracklets, *(key for one in former for key in one.tracklets)])
    owners = [row.identity_id for row in chosen if row.identity_id is not None]
    named = [word.identity_id, *word.others, word.to or 0, word.picture_of, *(one.number for one in former)]
    numbers = dict.fromkeys(number for number in [*named, *_of(undone), *owners] if number)
    found = {number: store.identity(number) for number in numbers}
    people = {number: identity for number, identity in found.items() if identity is not None}
    limit = EVERYTHING if word.kind == "erase" else MAX_ROWS
    rows = {
        number: store.find(TrackQuery(identity_id=number, limit=limit))
        for number in dict.fromkeys(identity.number for identity in people.values())
    }
    if word.kind == "erase" and word.identity_id in people:
        return _of_erasure(store, people, rows, people[word.identity_id])
    return Facts(people, rows, chosen, undone, former, faded=_faded(store, people))


def _faded(store: Store, people: Mapping[int, Identity]) -> list[Faded]:
    return store.faded(sorted({identity.number for identity in people.values() if identity.faded}))


def _of(undone: StoredWord | None) -> list[int]:
    return [] if undone is None else [undone.identity_id, undone.word.identity_id]


def _of_erasure(
    store: Store, people: Mapping[int, Identity], rows: Mapping[int, Sequence[StoredTracklet]], erased: Identity
) -> Facts:
    numbers = {erased.number, *erased.previous_ids}
    keys = [row.tracklet.tracklet_id for row in rows[erased.number]]
    own = set(keys)
    events = [
        entry
        for entry in store.journal(0, EVERYTHING)
        if entry.event.identity_id in numbers or entry.event.tracklet_id in own
    ]
    words = [
        entry.said
        for entry in store.words(0, EVERYTHING)
        if entry.said.identity_id in numbers or not own.isdisjoint(entry.said.mentioned())
    ]
    crops = sum(store.crop(key) is not None for key in keys)
    return Facts(people, rows, events=events, words=words, crops=crops, faded=_faded(store, people))
