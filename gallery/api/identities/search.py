"""`/v1/search` and `/v1/tracks/{id}/lookalikes`: who looks like somebody in a picture, or like a track."""

import time
import uuid
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, status
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from gallery.api.encoding import new_router
from gallery.api.schemas import IdentityOut, ProblemOut, identity_out
from gallery.asking import Asker
from gallery.errors import NoAnswer, TooManySearches
from gallery.store.store import Store
from wire.messages import LookalikeQuery, PictureQuery, QueryAnswer
from wire.queries import MAX_LOOKALIKES, MAX_PICTURE_BYTES, Lookalike

KINDS = ("image/jpeg", "image/png", "image/webp")
NEWEST = 16  # tracks of a person among which one of each camera is shown
TOO_LARGE = f"the picture has more than {MAX_PICTURE_BYTES // 1024**2} MiB: shrink it, or cut the person out"
REFUSALS: dict[int | str, dict[str, Any]] = {
    429: {"model": ProblemOut, "description": "Too many searches are waiting for their answers"},
    504: {"model": ProblemOut, "description": "No worker or no gallery answered in time"},
}
REFUSED_PICTURES: dict[int | str, dict[str, Any]] = REFUSALS | {
    413: {"model": ProblemOut, "description": "The picture is too large"},
    415: {"model": ProblemOut, "description": "Not a kind of picture that is read"},
    422: {"model": ProblemOut, "description": "Nobody was found in the picture, or it cannot be read"},
}
PICTURE_BODY = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in KINDS},
    }
}

Limit = Annotated[int, Query(ge=1, le=MAX_LOOKALIKES)]


class LookalikeOut(BaseModel):
    """A person who looks like the one searched for.

    `probability`: of being the same person, with everybody else known as alternatives. `strangers`: how many of the
    people known would be expected to look as alike if the one searched for were a stranger.
    """

    identity: IdentityOut
    probability: float
    similarity: float
    strangers: float


class SoughtOut(BaseModel):
    """A person found in the picture, in pixels of it, and who they look like; `score` is 0 for the whole picture."""

    box: list[float]
    score: float
    lookalikes: list[LookalikeOut]


class SearchOut(BaseModel):
    """The people of a picture, the largest first; `known` is the number of people that were compared."""

    width: int
    height: int
    known: int
    people: list[SoughtOut]


class LookalikesOut(BaseModel):
    """Who looks like a track, the most similar first; its own identity is among them."""

    known: int
    lookalikes: list[LookalikeOut]


def search_router(store: Store, asker: Asker) -> APIRouter:
    """Return the routes."""
    router = new_router(prefix="/v1", tags=["search"])

    @router.post("/search", responses=REFUSED_PICTURES, openapi_extra=PICTURE_BODY)
    async def search_by_picture(request: Request, limit: Limit = 10) -> SearchOut:
        """Find the people of a picture among those who are known. The body is the picture: JPEG, PNG or WebP."""
        query = PictureQuery(
            query_id=uuid.uuid4().hex,
            asker=asker.name,
            site_id=store.site_id,
            time_ns=time.time_ns(),
            picture=await _picture_of(request),
            limit=limit,
        )
        found = await run_in_threadpool(_answer_to, asker, query)
        people = zip(found.boxes.tolist(), found.scores.tolist(), found.lookalikes, strict=True)
        return SearchOut(
            width=found.width,
            height=found.height,
            known=found.known,
            people=[
                SoughtOut(box=[round(side, 1) for side in box], score=round(score, 3), lookalikes=_people(store, alike))
                for box, score, alike in people
            ],
        )

    @router.get("/tracks/{tracklet_id:path}/lookalikes", responses=REFUSALS | {404: {"model": ProblemOut}})
    def find_lookalikes(tracklet_id: Annotated[str, Path(max_length=512)], limit: Limit = 10) -> LookalikesOut:
        """Find the people who look like a track."""
        rows = store.tracklets([tracklet_id])
        if not rows:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no track {tracklet_id!r}")
        tracklet = rows[0].tracklet
        query = LookalikeQuery(
            query_id=uuid.uuid4().hex,
            asker=asker.name,
            site_id=store.site_id,
            time_ns=time.time_ns(),
            model_id=tracklet.model_id,
            camera_id=tracklet.camera_id,
            embeddings=tracklet.embedding[None],
            boxes=tracklet.boxes[-1:],
            scores=tracklet.scores[-1:],
            limit=limit,
        )
        found = _answer_to(asker, query)
        return LookalikesOut(known=found.known, lookalikes=_people(store, found.lookalikes[0]))

    return router


async def _picture_of(request: Request) -> bytes:
    """Return the body of a request, without reading more than is allowed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in KINDS:
        detail = f"send the picture as the body, with one of these as Content-Type: {', '.join(KINDS)}"
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, detail)
    picture = bytearray()
    async for part in request.stream():
        picture += part
        if len(picture) > MAX_PICTURE_BYTES:
            raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, TOO_LARGE)
    if not picture:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "the body is empty: send the picture")
    return bytes(picture)


def _answer_to(asker: Asker, query: PictureQuery | LookalikeQuery) -> QueryAnswer:
    try:
        found = asker.ask(query)
    except TooManySearches as error:
        raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, str(error), headers={"Retry-After": "1"}) from error
    except NoAnswer as error:
        raise HTTPException(status.HTTP_504_GATEWAY_TIMEOUT, str(error)) from error
    if found.problem:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, found.problem)
    return found


def _people(store: Store, lookalikes: Sequence[Lookalike]) -> list[LookalikeOut]:
    """Return lookalikes with what is known of them; those that are gone by now are left out."""
    known = [(one, identity) for one in lookalikes if (identity := store.identity(one.number)) is not None]
    numbers = [identity.number for _, identity in known]
    found = zip(known, store.sightings(numbers), store.latest(numbers, NEWEST), strict=True)
    return [
        LookalikeOut(
            identity=identity_out(store.site_id, identity, seen, newest),
            probability=round(one.probability, 4),
            similarity=round(one.similarity, 4),
            strangers=round(one.strangers, 3),
        )
        for (one, identity), seen, newest in found
    ]
