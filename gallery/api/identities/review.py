"""`/v1/review`: what a person can best be asked about."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from gallery.api.encoding import new_router
from gallery.api.schemas import IdentityOut, TrackOut, identity_out, track_out
from gallery.review import Doubt, Pair, doubts_of, pairs_of
from gallery.store.said import MAX_WORDS, StoredWord
from gallery.store.store import Identity, Store, StoredTracklet, TrackQuery
from gallery.store.why import Why

MAX_ROWS = 1_000  # newest tracks that are looked at
NEWEST = 16
SOME = 4  # tracks by which an identity in a word is found again


class PairOut(BaseModel):
    """Two people who may be one: `probability` that `track`, one of theirs, shows the other; a match needed `least`."""

    a: IdentityOut
    b: IdentityOut
    probability: float
    least: float
    track: str


class DoubtOut(BaseModel):
    """A track that may not show the person it was given to; `other` is who else it may be, null if nobody known."""

    track: TrackOut
    identity: int
    probability: float
    least: float
    other: int | None


class ReviewOut(BaseModel):
    """What to ask a person, the most useful first."""

    pairs: list[PairOut]
    doubts: list[DoubtOut]


def review_router(store: Store) -> APIRouter:
    """Return the route for the review queue."""
    router = new_router(prefix="/v1", tags=["words"])

    @router.get("/review")
    def list_questions(limit: Annotated[int, Query(ge=1, le=200)] = 50) -> ReviewOut:
        """List people who may be one and tracks that may show somebody else, those nearest to the limit first.

        Looks at the newest tracks. What people said, and whoever was seen at the same time, is not asked about; answer
        by `merge` or `different`, and by `move` or `split`.
        """
        rows = [row for row in store.find(TrackQuery(limit=MAX_ROWS)) if row.identity_id is not None]
        whys = store.why([row.tracklet.tracklet_id for row in rows])
        people = _people_of(store, rows, whys.values())
        present = {number: one.number for number, one in people.items() if not one.hidden}
        words = [entry.said for entry in store.words(0, MAX_WORDS) if entry.said.holds]
        pairs = pairs_of(rows, whys, present, _different(store, words))[:limit]
        answered = {key for said in words for key in said.chosen}
        doubts = [doubt for doubt in doubts_of(rows, whys, present) if doubt.track not in answered][:limit]
        return ReviewOut(pairs=_pairs_out(store, people, pairs), doubts=_doubts_out(store, rows, doubts))

    return router


def _people_of(store: Store, rows: Iterable[StoredTracklet], whys: Iterable[Why]) -> dict[int, Identity]:
    """Return the present identity of every number in decisions."""
    numbers = {row.identity_id for row in rows} | {one.number for why in whys for one in why.candidates}
    numbers |= {why.number for why in whys}
    found = {number: store.identity(number) for number in sorted(number for number in numbers if number)}
    return {number: identity for number, identity in found.items() if identity is not None}


def _different(store: Store, words: Iterable[StoredWord]) -> frozenset[tuple[int, int]]:
    """Return the pairs of identities that people said are two."""
    apart = [said for said in words if said.word.kind in {"different", "split", "move"}]
    sides = [(said.sides[:2] if said.word.kind == "different" else (said.chosen, said.sides[0])) for said in apart]
    keys = dict.fromkeys(key for pair in sides for side in pair for key in side[:SOME])
    owners = {row.tracklet.tracklet_id: row.identity_id for row in store.tracklets(list(keys))}
    found = set()
    for one, other in sides:
        for mine in {owners.get(key) for key in one[:SOME]} - {None}:
            for theirs in {owners.get(key) for key in other[:SOME]} - {None, mine}:
                found.add((min(mine or 0, theirs or 0), max(mine or 0, theirs or 0)))
    return frozenset(found)


def _pairs_out(store: Store, people: dict[int, Identity], pairs: list[Pair]) -> list[PairOut]:
    numbers = list(dict.fromkeys(number for pair in pairs for number in (pair.one, pair.other)))
    found = zip(numbers, store.sightings(numbers), store.latest(numbers, NEWEST), strict=True)
    shown = {number: identity_out(store.site_id, people[number], count, newest) for number, count, newest in found}
    return [
        PairOut(
            a=shown[pair.one],
            b=shown[pair.other],
            probability=round(pair.probability, 4),
            least=round(pair.least, 4),
            track=pair.track,
        )
        for pair in pairs
    ]


def _doubts_out(store: Store, rows: Iterable[StoredTracklet], doubts: list[Doubt]) -> list[DoubtOut]:
    progress = store.progress()
    known = {row.tracklet.tracklet_id: row for row in rows}
    return [
        DoubtOut(
            track=track_out(known[doubt.track], progress),
            identity=doubt.number,
            probability=round(doubt.probability, 4),
            least=round(doubt.least, 4),
            other=doubt.other,
        )
        for doubt in doubts
    ]
