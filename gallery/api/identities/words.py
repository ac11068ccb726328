"""What people say: names, merges, splits, moves, erasures, undo. The gallery decides; the API asks and waits."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from gallery.api.access.auth import caller_of
from gallery.api.encoding import new_router
from gallery.api.identities.word_schemas import WordOut, WordsOut, word_out
from gallery.api.said import CHARACTER, shown_text
from gallery.api.schemas import MAX_NUMBER, Number, ProblemOut, whole
from gallery.store.said import MAX_SIDE, MAX_WORDS, StoredWord
from gallery.store.store import JournaledWord, Store
from wire import codec
from wire.bus import TRACKLETS, GrouplessBus
from wire.messages import MAX_PERSON_TAGS, MAX_SAID, Word, WordKind

WAIT_S = 5.0  # for the gallery; after that the answer is 202
SAID_SCHEMA = {"type": "string", "maxLength": MAX_SAID, "pattern": f"^{CHARACTER}*$", "title": "Name"}
POLL_S = 0.03
FLUSH_S = 10.0
MAX_MERGED = 100
MAX_TAG = 40  # characters of a tag
MAX_TRACKS = 1_000

Positive = Annotated[int, Path(ge=1, le=MAX_NUMBER)]
TrackPath = Annotated[str, Path(max_length=512)]
REFUSALS: dict[int | str, dict[str, Any]] = {
    202: {"model": WordOut, "description": "Sent, but not confirmed yet: look at `/v1/words/{id}`"},
    404: {"model": ProblemOut, "description": "There is no such person, track or word"},
    409: {"model": ProblemOut, "description": "It contradicts what was said before, or cannot be done"},
}


def without_repetitions(tags: list[str]) -> list[str]:
    """Return tags sorted, each once in whatever case it was written first."""
    return sorted({tag.casefold(): tag for tag in reversed(tags)}.values())


Tag = Annotated[
    str,
    AfterValidator(shown_text),
    Field(min_length=1, max_length=MAX_TAG),
    WithJsonSchema({**SAID_SCHEMA, "minLength": 1, "maxLength": MAX_TAG, "title": "Tag"}),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NameIn(_Body):
    """A person's name; empty takes it away."""

    name: Annotated[str, AfterValidator(shown_text), Field(max_length=MAX_SAID), WithJsonSchema(SAID_SCHEMA)]


class TagsIn(_Body):
    """All tags of a person from now on; equal ones count once."""

    tags: Annotated[list[Tag], AfterValidator(without_repetitions), Field(max_length=MAX_PERSON_TAGS)]


class HideIn(_Body):
    """Whether to hide a person from lists and counts."""

    hidden: bool = True


class MergeIn(_Body):
    """People who are the same as this one, and the one of them whose picture is kept."""

    others: Annotated[list[Number], Field(alias="with", min_length=1, max_length=MAX_MERGED)]
    keep_picture: Number | None = None


class SplitIn(_Body):
    """Tracks of a person that show somebody else."""

    tracklets: Annotated[list[Annotated[str, Field(max_length=512)]], Field(min_length=1, max_length=MAX_TRACKS)]


class ConfirmIn(_Body):
    """The person whom the track shows, by the number it has."""

    identity: Annotated[int, Field(ge=1, le=MAX_NUMBER), BeforeValidator(whole)]


class MoveIn(_Body):
    """The person whom a track shows; null is somebody who is not known yet."""

    to: Number | None


class DifferentIn(_Body):
    """Somebody who is not this person."""

    other: Annotated[Number, Field(alias="from")]


class Asking:
    """Sends words to the gallery of a site, and waits for what became of them."""

    def __init__(self, store: Store, bus: GrouplessBus, wait_s: float = WAIT_S) -> None:
        self._store = store
        self._bus = bus
        self._wait_s = wait_s

    async def ask(self, kind: WordKind, request: Request, response: Response, **fields: Any) -> WordOut:
        """Say something in somebody's name.

        Raises:
            HTTPException: 404, what it is about does not exist; 409, the gallery refused it.
        """
        word = Word(
            word_id=uuid.uuid4().hex[:16],
            kind=kind,
            site_id=self._store.site_id,
            author=caller_of(request).name,
            time_ns=time.time_ns(),
            **fields,
        )
        await run_in_threadpool(self._check, word, request)
        await run_in_threadpool(self._send, word)
        said = await self._outcome(word.word_id)
        if said is None:
            response.status_code = status.HTTP_202_ACCEPTED
            return word_out(StoredWord(word), sent=True)
        if said.refused:
            raise HTTPException(status.HTTP_409_CONFLICT, said.refused)
        return word_out(said)

    def _check(self, word: Word, request: Request) -> None:
        """Raise HTTPException unless everything that a word names exists; note whom it is about."""
        undone = self._store.word(word.undoes) if word.undoes else None
        named = [word.identity_id, *word.others, word.to or 0, word.picture_of]
        for number in dict.fromkeys(number for number in named if number):
            if self._store.identity(number) is None:
                raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no identity {number}")
        known = {row.tracklet.tracklet_id for row in self._store.tracklets(word.tracklets)}
        for key in word.tracklets:
            if key not in known:
                raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no track {key!r}")
        request.state.people = [number for number in (*named, *_of_word(undone)) if number]
        if word.undoes and undone is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no word {word.undoes!r}")
        if undone is not None and undone.word.kind == "erase" and caller_of(request).role != "admin":
            raise HTTPException(status.HTTP_403_FORBIDDEN, "undoing an erasure needs the role admin")

    def _send(self, word: Word) -> None:
        producer = self._bus.producer()
        try:
            producer.send(TRACKLETS.name, word.site_id, codec.encode(word))
            producer.flush(FLUSH_S)
        finally:
            producer.close()

    async def _outcome(self, word_id: str) -> StoredWord | None:
        deadline = time.monotonic() + self._wait_s
        while (said := await run_in_threadpool(self._store.word, word_id)) is None:
            if time.monotonic() >= deadline:
                return None
            await asyncio.sleep(POLL_S)
        return said


def words_router(store: Store, bus: GrouplessBus) -> APIRouter:
    """Return the routes by which people correct the gallery, and read what they said."""
    router = new_router(prefix="/v1", tags=["words"])
    asking = Asking(store, bus)
    _add_corrections(router, asking)
    _add_journal(router, asking, store)
    return router


def _add_corrections(router: APIRouter, asking: Asking) -> None:
    @router.post("/identities/{number}/name", responses=REFUSALS)
    async def name_identity(number: Positive, body: NameIn, request: Request, response: Response) -> WordOut:
        """Name a person; equal names merge nobody, and people with different names are merged by people only."""
        return await asking.ask("name", request, response, identity_id=number, name=body.name)

    @router.post("/identities/{number}/tags", responses=REFUSALS)
    async def tag_identity(number: Positive, body: TagsIn, request: Request, response: Response) -> WordOut:
        """Give a person tags, in place of those they had; of people who are merged, all are kept."""
        return await asking.ask("tag", request, response, identity_id=number, tags=tuple(body.tags))

    @router.post("/identities/{number}/hide", responses=REFUSALS)
    async def hide_identity(number: Positive, body: HideIn, request: Request, response: Response) -> WordOut:
        """Hide a person from lists and counts, or show them again."""
        return await asking.ask("hide", request, response, identity_id=number, hidden=body.hidden)

    @router.post("/identities/{number}/merge", responses=REFUSALS)
    async def merge_identities(number: Positive, body: MergeIn, request: Request, response: Response) -> WordOut:
        """Say that others are this person; they get this number, for good."""
        return await asking.ask(
            "merge", request, response, identity_id=number, others=tuple(body.others), picture_of=body.keep_picture or 0
        )

    @router.post("/identities/{number}/split", responses=REFUSALS)
    async def split_identity(number: Positive, body: SplitIn, request: Request, response: Response) -> WordOut:
        """Say that some tracks do not show this person; they become a person of their own."""
        return await asking.ask(
            "split", request, response, identity_id=number, tracklets=tuple(dict.fromkeys(body.tracklets))
        )

    @router.post("/identities/{number}/different", responses=REFUSALS)
    async def tell_apart(number: Positive, body: DifferentIn, request: Request, response: Response) -> WordOut:
        """Say that somebody else is not this person; they are never merged."""
        return await asking.ask("different", request, response, identity_id=number, others=(body.other,))

    @router.delete("/identities/{number}", responses=REFUSALS)
    async def erase_identity(number: Positive, request: Request, response: Response) -> WordOut:
        """Erase a person, and return the proof; recordings that are read again do not bring them back."""
        return await asking.ask("erase", request, response, identity_id=number)

    @router.post("/tracks/{tracklet_id:path}/move", responses=REFUSALS)
    async def move_track(tracklet_id: TrackPath, body: MoveIn, request: Request, response: Response) -> WordOut:
        """Say whom a track shows."""
        return await asking.ask("move", request, response, tracklets=(tracklet_id,), to=body.to)

    @router.post("/tracks/{tracklet_id:path}/confirm", responses=REFUSALS)
    async def confirm_track(tracklet_id: TrackPath, body: ConfirmIn, request: Request, response: Response) -> WordOut:
        """Say that a track shows the person whose number it has: the two are never separated again."""
        return await asking.ask("confirm", request, response, tracklets=(tracklet_id,), to=body.identity)


def _add_journal(router: APIRouter, asking: Asking, store: Store) -> None:
    @router.get("/words", responses={404: {"model": ProblemOut}})
    def list_words(
        after: Number = 0,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        identity: Number | None = None,
        sort: Literal["oldest", "newest"] = "oldest",
    ) -> WordsOut:
        """List what people said, with what became of it. `identity`: about this person, by any number they had."""
        if identity is None and sort == "oldest":
            return _page(store.words(after, limit), limit)
        found = store.words(0, MAX_WORDS)
        if identity is not None:
            person = store.identity(identity)
            if person is None:
                raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no identity {identity}")
            numbers, tracks = {person.number, *person.previous_ids}, set(store.latest([person.number], MAX_SIDE)[0])
            found = [entry for entry in found if _concerns(entry.said, numbers, tracks)]
        if sort == "newest":
            found = [entry for entry in reversed(found) if not after or entry.seq < after]
        else:
            found = [entry for entry in found if entry.seq > after]
        return _page(found[:limit], limit)

    @router.get("/words/{word_id}", responses={404: {"model": ProblemOut}})
    def show_word(word_id: Annotated[str, Path(max_length=64)]) -> WordOut:
        """Show one thing that somebody said."""
        said = store.word(word_id)
        if said is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no word {word_id!r}")
        if said.erasure is None:
            return word_out(said)
        return word_out(said, unrecorded=store.recordings.erased(word_id), unretained=store.retained.of(word_id))

    @router.post("/words/{word_id}/undo", responses=REFUSALS)
    async def undo_word(word_id: Annotated[str, Path(max_length=64)], request: Request, response: Response) -> WordOut:
        """Undo what somebody said: what it changed goes back, where nothing said later forbids that."""
        return await asking.ask("undo", request, response, undoes=word_id)


def _of_word(said: StoredWord | None) -> list[int]:
    """Return the people that a word is about, and the one that it resulted in; 0 for none."""
    return [] if said is None else [said.word.identity_id, *said.word.others, said.word.to or 0, said.identity_id]


def _concerns(said: StoredWord, numbers: AbstractSet[int], tracks: AbstractSet[str]) -> bool:
    """Return whether a word is about a person; one that moved a track does not name whom it was taken from."""
    return not (numbers.isdisjoint(_of_word(said)) and tracks.isdisjoint(said.mentioned()))


def _page(found: Sequence[JournaledWord], limit: int) -> WordsOut:
    return WordsOut(
        words=[word_out(entry.said) for entry in found], next=found[-1].seq if len(found) == limit else None
    )
