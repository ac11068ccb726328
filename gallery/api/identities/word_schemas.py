"""Schemas of what people say."""

from typing import Literal

from pydantic import BaseModel

from gallery.api.schemas import iso
from gallery.store.recordings import RecordingsErased
from gallery.store.retained import RetainedErased
from gallery.store.said import Erasure, StoredWord
from gallery.words.wording import people_of
from wire.messages import WordKind

NOT_REACHED = (
    "the files of the Kafka broker: what was deleted cannot be read any more, and its file goes once it is complete",
    "videos and files written by --out, what others record, and crops in the folder worker.keep_crops where "
    "recording.kept_crops does not name it",
    "backups of Redis, and its append-only file until it is rewritten",
)


class DeletedOut(BaseModel):
    """A time of a camera whose recordings were deleted: `segments` is how many files that were."""

    camera_id: str
    since: str
    until: str
    segments: int


class RecordingsErasedOut(BaseModel):
    """Proof that recordings of an erased person were deleted.

    `digest` is the SHA-256 of the names of the files, sorted, each followed by a newline. `kept_crops` are tracks of
    those times whose crops were deleted from `recording.kept_crops`.
    """

    time: str
    segments: int
    kept_crops: int
    bytes: int
    digest: str
    cameras: list[DeletedOut]


class RetainedOut(BaseModel):
    """Records of one Kafka topic that may show an erased person: how many were deleted, and how many are still there.

    `waits_for` says why they are, and `until` is when they go at the latest; null where there are none, or where it
    depends on the cameras.
    """

    topic: str
    deleted: int
    kept: int
    waits_for: str | None
    until: str | None


class RetainedErasedOut(BaseModel):
    """Proof that records of Kafka that may show an erased person were deleted; `time` is null while some are left."""

    time: str | None
    topics: list[RetainedOut]


class ErasureOut(BaseModel):
    """Proof of an erasure: when it was done, how much was deleted, and the digest of what.

    `digest` is the SHA-256 of the ids of the tracks, sorted, each followed by a newline. `not_reached` lists
    copies that climbtrack does not delete, and how long they last. `recordings` is null until the recorder has deleted
    what shows the person, and where there is no recorder. `retained` is null until the gallery has looked at what Kafka
    retains, a second later.
    """

    time: str
    identities: list[int]
    digest: str
    tracklets: int
    crops: int
    prototypes: int
    events: int
    words: int
    recordings: RecordingsErasedOut | None
    retained: RetainedErasedOut | None
    not_reached: list[str]


class WordOut(BaseModel):
    """What somebody said, and what became of it.

    `identity` is the person that it resulted in; `state` is `sent` until the gallery confirms it.
    """

    id: str
    kind: WordKind
    state: Literal["sent", "applied", "undone", "refused"]
    time: str
    author: str
    identity: int | None
    about: list[int]
    tracklets: list[str]
    to: int | None
    name: str | None
    tags: list[str] | None
    hidden: bool | None
    undoes: str | None
    undone_by: str | None
    reason: str
    erasure: ErasureOut | None


class WordsOut(BaseModel):
    """A page of what people said; `next` is the `after` of the next page, null on the last."""

    words: list[WordOut]
    next: int | None


def word_out(
    said: StoredWord,
    *,
    sent: bool = False,
    unrecorded: RecordingsErased | None = None,
    unretained: RetainedErased | None = None,
) -> WordOut:
    """Return a word in the API's form; `sent` until the gallery has confirmed it."""
    word = said.word
    state: Literal["sent", "applied", "undone", "refused"] = "sent" if sent else "applied"
    if said.refused or said.undone_by:
        state = "refused" if said.refused else "undone"
    return WordOut(
        id=word.word_id,
        kind=word.kind,
        state=state,
        time=iso(word.time_ns),
        author=word.author,
        identity=said.identity_id or None,
        about=[number for number in people_of(word) if number],
        tracklets=list(said.chosen or word.tracklets),
        to=word.to,
        name=word.name if word.kind == "name" else None,
        tags=list(word.tags) if word.kind == "tag" else None,
        hidden=word.hidden if word.kind == "hide" else None,
        undoes=word.undoes or None,
        undone_by=said.undone_by or None,
        reason=said.refused,
        erasure=None if said.erasure is None else erasure_out(said.erasure, unrecorded, unretained),
    )


def erasure_out(
    erasure: Erasure, unrecorded: RecordingsErased | None = None, unretained: RetainedErased | None = None
) -> ErasureOut:
    """Return the proof of an erasure in the API's form."""
    return ErasureOut(
        time=iso(erasure.done_ns),
        identities=list(erasure.numbers),
        digest=erasure.digest,
        tracklets=erasure.tracklets,
        crops=erasure.crops,
        prototypes=erasure.prototypes,
        events=erasure.events,
        words=erasure.words,
        recordings=None if unrecorded is None else _recordings_out(unrecorded),
        retained=None if unretained is None or not unretained.topics else _retained_out(unretained),
        not_reached=list(NOT_REACHED),
    )


def _retained_out(proof: RetainedErased) -> RetainedErasedOut:
    return RetainedErasedOut(
        time=iso(proof.done_ns) if proof.done_ns and not proof.again else None,
        topics=[
            RetainedOut(
                topic=one.topic,
                deleted=one.deleted,
                kept=one.kept,
                waits_for=one.waits_for or None,
                until=iso(one.until_ns) if one.until_ns else None,
            )
            for one in proof.topics
        ],
    )


def _recordings_out(proof: RecordingsErased) -> RecordingsErasedOut:
    return RecordingsErasedOut(
        time=iso(proof.done_ns),
        segments=proof.segments,
        kept_crops=proof.crops,
        bytes=proof.size_bytes,
        digest=proof.digest,
        cameras=[
            DeletedOut(camera_id=one.camera_id, since=iso(one.first_ns), until=iso(one.last_ns), segments=one.segments)
            for one in proof.cameras
        ],
    )
