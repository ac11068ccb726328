"""`/v1/identities`, `/v1/tracks` and `/v1/stats`: where people are and have been."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Response, status

from gallery.api.encoding import new_router
from gallery.api.moment import QueryTime
from gallery.api.schemas import (
    IdentitiesOut,
    IdentityDetail,
    Name,
    Number,
    ProblemOut,
    StatsOut,
    TracksOut,
    identity_out,
    sighting_out,
    track_out,
)
from gallery.store.presence import going_on, is_here, sightings
from gallery.store.store import Identity, PeopleQuery, Store, TrackQuery
from wire.cameras import Cameras
from wire.messages import MAX_SAID

MAX_ROWS = 1_000  # per response
MOST_EXAMINED = 100  # people of a page whose tracks are read to tell how sure they are

NEWEST = 16  # tracks of a person among which a list looks for one of each camera
Limit = Annotated[int, Query(ge=1, le=MAX_ROWS)]
Probability = Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)]
After = Annotated[str, Query(pattern=r"^[0-9]{1,16}(-[0-9]{1,16})?$")]


def people_router(store: Store, cameras: Cameras) -> APIRouter:
    """Return the routes for people."""
    router = new_router(prefix="/v1", tags=["people"])
    _add_identities(router, store)

    @router.get("/stats")
    def stats() -> StatsOut:
        """Return the number of identities, tracklets, crops, events and cameras."""
        counts = store.counts()
        own = [listed for listed in cameras.cameras().values() if listed.spec.site_id == store.site_id]
        return StatsOut(
            site_id=store.site_id,
            identities=counts.identities - counts.hidden,
            hidden=counts.hidden,
            faded=counts.faded,
            tracklets=counts.tracklets,
            crops=counts.crops,
            events=counts.events,
            cameras=len(own),
        )

    return router


def _add_identities(router: APIRouter, store: Store) -> None:
    @router.get("/identities", responses={404: {"model": ProblemOut}})
    def list_identities(  # noqa: PLR0913, PLR0917 - query parameters
        after: After = "0",
        limit: Limit = 100,
        site: Name | None = None,
        name: Annotated[str, Query(max_length=MAX_SAID)] = "",
        hidden: Literal["false", "true", "any"] = "false",
        camera: Name | None = None,
        since: Annotated[QueryTime | None, Query(alias="from")] = None,
        until: Annotated[QueryTime | None, Query(alias="to")] = None,
        sort: Literal["number", "last"] = "number",
        tag: Annotated[str, Query(max_length=MAX_SAID)] = "",
        probability: Probability = 0.0,
    ) -> IdentitiesOut:
        """List people in pages, by number or by when they were seen last, the latest first.

        `name`: part of the name, in any case. `tag`: one of their tags, in any case. `camera`: seen there. `from`,
        `to`: last seen at or after, first seen at or before. `probability`: each of the newest 16 tracks is theirs with
        at least this probability; pages may be shorter then, and `next` says whether there are more. People whom
        somebody hid are listed with `hidden=true` (only these) or `hidden=any`.
        """
        _check_site(store, site)
        limit = min(limit, MOST_EXAMINED) if probability else limit
        chosen = None if hidden == "any" else hidden == "true"
        page = store.people(
            PeopleQuery(
                name.strip(), chosen, camera, since, until, sort == "last", _cursor(after, sort), limit, tag.strip()
            )
        )
        listed = page.identities
        if probability:
            listed = _sure(store, listed, probability)
        numbers = [identity.number for identity in listed]
        found = zip(listed, store.sightings(numbers), store.latest(numbers, NEWEST), strict=True)
        following = page.next
        return IdentitiesOut(
            identities=[identity_out(store.site_id, i, count, newest) for i, count, newest in found],
            next=following if following is None else _next(following, sort),
        )

    @router.get("/identities/{number}", responses={404: {"model": ProblemOut}})
    def show_identity(number: Number) -> IdentityDetail:
        """Show one person; a number that was merged shows the person it was merged into."""
        identity = store.identity(number)
        if identity is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no identity {number}")
        rows = store.find(TrackQuery(identity_id=identity.number, limit=MAX_ROWS))
        (seen,), progress = store.sightings([identity.number]), store.progress()
        best = sorted(rows, key=lambda row: row.tracklet.quality, reverse=True)
        return IdentityDetail(
            **identity_out(store.site_id, identity, seen, [row.tracklet.tracklet_id for row in best]).model_dump(),
            presences=[sighting_out(going_on(sighting, progress)) for sighting in sightings(rows)],
            tracks=[track_out(row, progress) for row in rows[:100]],
        )


def tracks_router(store: Store) -> APIRouter:
    """Return the routes for tracks."""
    router = new_router(prefix="/v1/tracks", tags=["tracks"])

    @router.get("")
    def list_tracks(  # noqa: PLR0913, PLR0917 - query parameters
        camera: Name | None = None,
        identity: Number | None = None,
        since: Annotated[QueryTime | None, Query(alias="from")] = None,
        until: Annotated[QueryTime | None, Query(alias="to")] = None,
        live: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query parameter
        boxes: Annotated[bool, Query()] = False,  # noqa: FBT002
        limit: Limit = 100,
        probability: Probability = 0.0,
    ) -> TracksOut:
        """List tracks, newest first; times are ISO 8601 or seconds since 1970. `live`: only people visible now.

        `probability`: given to a person with at least this probability, among the newest 1000 that meet the rest.
        """
        progress = store.progress()
        if live:
            newest = max((stored.progress.time_ns for stored in progress.values()), default=0)
            since = max(since or 0, newest - 60_000_000_000)
        if identity is not None:
            known = store.identity(identity)
            identity = identity if known is None else known.number
        rows = store.find(TrackQuery(camera, identity, since, until, MAX_ROWS if live or probability else limit))
        if live:
            rows = [row for row in rows if is_here(row, progress)]
        if probability:
            rows = [row for row in rows if row.identity_id is not None and row.probability >= probability]
        return TracksOut(tracks=[track_out(row, progress, boxes=boxes) for row in rows[:limit]])

    @router.get(
        "/{tracklet_id:path}/crop", responses={200: {"content": {"image/jpeg": {}}}, 404: {"model": ProblemOut}}
    )
    def show_crop(tracklet_id: Annotated[str, Path(max_length=512)]) -> Response:
        """Return the best picture of a track as JPEG."""
        crop = store.crop(tracklet_id)
        if crop is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no picture of track {tracklet_id!r}")
        return Response(crop, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    return router


def _sure(store: Store, people: Sequence[Identity], probability: float) -> list[Identity]:
    """Return the people each of whose newest tracks is theirs with at least a probability."""
    latest = store.latest([person.number for person in people], NEWEST)
    rows = store.tracklets([key for keys in latest for key in keys])
    doubtful = {row.tracklet.tracklet_id for row in rows if row.probability < probability}
    return [person for person, keys in zip(people, latest, strict=True) if doubtful.isdisjoint(keys)]


def _check_site(store: Store, site: str | None) -> None:
    if site is not None and site != store.site_id:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"this API serves site {store.site_id!r}, not {site!r}")


def _cursor(after: str, sort: str) -> tuple[int, int] | None:
    """Return the place after which a page begins: a number, or for those seen last `microseconds-number`."""
    first, _, second = after.partition("-")
    if sort == "number" and second:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "after: this is one of a list with sort=last")
    if sort == "last" and not second:
        if int(first):
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "after: take the `next` of the page before")
        return None
    return (int(first), int(second)) if second else (0, int(first))


def _next(place: tuple[int, int], sort: str) -> int | str:
    return place[1] if sort == "number" else f"{place[0]}-{place[1]}"
