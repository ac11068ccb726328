"""`/v1/tracks/{id}/why`: why a tracklet was given to its identity, with the people it was compared with."""

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, status
from pydantic import BaseModel

from gallery.api.encoding import new_router
from gallery.api.identities.word_schemas import WordOut, word_out
from gallery.api.schemas import ProblemOut, iso
from gallery.store.said import MAX_WORDS, leg_of
from gallery.store.store import Store
from gallery.store.why import Candidate, Excluded
from wire.tracklet_id import TrackletId

NEWEST = 16  # tracks of a candidate among which one of each camera is shown
REMARKS: dict[Excluded, str] = {
    "": "",
    "seen_at_once": "seen at the same time in the same camera",
    "seen_elsewhere": "seen at the same time in a camera that sees another place",
    "said": "a person said that this is somebody else",
    "unlikely": "less likely than a match needs to be",
    "other_fits_better": "somebody else fits better",
}


class CandidateOut(BaseModel):
    """A person whom the track was compared with.

    `identity` is their number at the time, `now` their present one, null if they are no longer known; `crop` is their
    latest track, `crops` the latest of each camera. `excluded` says why the track was not given to them, empty for the
    one it was given to; `rule` is the same as a word for programs, and `by` the track that excluded them.
    """

    identity: int
    now: int | None
    name: str
    probability: float
    excluded: str
    rule: Excluded
    by: str | None
    crop: str | None
    crops: list[str]


class WhyOut(BaseModel):
    """Why a track has its identity; null while it is pending.

    `decided` is the time in the recording at which the gallery gave it to `chosen`, null if that is not stored; `least`
    is the probability that a match needed then; `candidates` are the most similar people, the most likely first.
    `words` are those that mention the track and hold.
    """

    tracklet_id: str
    identity: int | None
    probability: float
    state: Literal["decided", "pending"]
    reason: str
    decided: str | None
    chosen: int | None
    least: float | None
    candidates: list[CandidateOut]
    words: list[WordOut]


def why_router(store: Store) -> APIRouter:
    """Return the route that explains decisions."""
    router = new_router(prefix="/v1/tracks", tags=["tracks"])

    @router.get("/{tracklet_id:path}/why", responses={404: {"model": ProblemOut}})
    def explain_track(tracklet_id: Annotated[str, Path(max_length=512)]) -> WhyOut:
        """Explain why a track has its identity: the people it was compared with, and what excluded the others."""
        rows = store.tracklets([tracklet_id])
        if not rows:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no track {tracklet_id!r}")
        (row,), why = rows, store.why([tracklet_id]).get(tracklet_id)
        return WhyOut(
            tracklet_id=tracklet_id,
            identity=row.identity_id,
            probability=round(row.probability, 4),
            state="pending" if row.identity_id is None else "decided",
            reason=why.reason if why is not None else "" if row.event is None else row.event.reason,
            decided=None if why is None else iso(why.decided_ns),
            chosen=None if why is None else why.number or None,
            least=None if why is None else round(why.least, 4),
            candidates=[] if why is None else [_candidate_out(store, one) for one in why.candidates],
            words=_words_about(store, tracklet_id),
        )

    return router


def _candidate_out(store: Store, candidate: Candidate) -> CandidateOut:
    identity = store.identity(candidate.number)
    crops: dict[str, str] = {}
    if identity is not None:
        for key in store.latest([identity.number], NEWEST)[0]:
            crops.setdefault(TrackletId.parse(key).camera_id, key)
    return CandidateOut(
        identity=candidate.number,
        now=None if identity is None else identity.number,
        name="" if identity is None else identity.name,
        probability=round(candidate.probability, 4),
        excluded=REMARKS[candidate.excluded],
        rule=candidate.excluded,
        by=candidate.track or None,
        crop=next(iter(crops.values()), None),
        crops=list(crops.values()),
    )


def _words_about(store: Store, tracklet_id: str) -> list[WordOut]:
    """Return the words about who a track is, and those about the identities it was in, that hold."""
    leg = leg_of(tracklet_id)
    words = [entry.said for entry in store.words(0, MAX_WORDS)]
    return [word_out(said) for said in words if said.holds and leg in set(map(leg_of, said.mentioned()))]
