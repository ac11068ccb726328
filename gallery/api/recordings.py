"""Recordings of cameras over HTTP: what is kept of a time, clips of it, and those of a person."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, status
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from gallery.api.encoding import new_router
from gallery.api.moment import QueryTime
from gallery.api.schemas import Name, Number, ProblemOut, iso
from gallery.errors import TooManyClips
from gallery.recording.config import RecordingSettings
from gallery.recording.sending import MAX_CLIP_NS, MAX_LISTED_NS, ClipMaker
from gallery.store.presence import Sighting, joined, sighting_of
from gallery.store.store import Store, TrackQuery

AROUND_NS = 2 * 10**9  # shown before and after a person's boxes
MOST_TRACKS = 1_000
LATER = "from: must not be later than to"
VIDEO = {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}
MP4: dict[int | str, dict[str, Any]] = {200: {"content": VIDEO}}
Since = Annotated[QueryTime, Query(alias="from")]
Until = Annotated[QueryTime, Query(alias="to")]


class ClipOut(BaseModel):
    """A time of a camera that can be played: `url` is that of its clip, relative to the API."""

    camera_id: str
    since: str
    until: str
    codec: str
    url: str


class ClipsOut(BaseModel):
    """Clips in order of time; where there are none, `reason` says why."""

    clips: list[ClipOut]
    reason: str | None


class PersonClipsOut(BaseModel):
    """The clips of a person, and why there are none of some cameras, if the recorder has said so."""

    clips: list[ClipOut]
    reason: str | None
    not_recorded: dict[str, str]


def recordings_router(store: Store, settings: RecordingSettings) -> APIRouter:
    """Return the routes over the recordings of a folder."""
    router = new_router(prefix="/v1", tags=["recordings"])
    maker = ClipMaker(settings.folder)

    @router.get("/cameras/{camera_id}/recordings")
    def list_recordings(camera_id: Name, since: Since, until: Until) -> ClipsOut:
        """List what is kept of a camera in a time of at most a day, in clips of at most five minutes."""
        _check(since, until, MAX_LISTED_NS, "a day")
        clips = _clips(settings, camera_id, since, until)
        return ClipsOut(clips=clips, reason=None if clips else _why_none(store, settings, camera_id))

    @router.get(
        "/cameras/{camera_id}/clip",
        response_class=StreamingResponse,
        responses={**MP4, 404: {"model": ProblemOut}, 503: {"model": ProblemOut}},
    )
    def show_clip(camera_id: Name, since: Since, until: Until) -> StreamingResponse:
        """Return a time of at most five minutes as MP4, as the camera sent it.

        It begins with the last keyframe before the time asked for, and ends where a recording has a gap or its picture
        format changes; the headers `Climbtrack-Since` and `Climbtrack-Until` have both times.
        """
        _check(since, until, MAX_CLIP_NS, "five minutes")
        try:
            clip = maker.make(camera_id, since, until)
        except TooManyClips as error:
            raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, str(error)) from error
        except OSError as error:
            detail = f"the clip cannot be cut ({error.strerror}): is there space in the API's temporary folder?"
            raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, detail) from error
        if clip is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, _why_none(store, settings, camera_id))
        headers = {
            "Content-Length": str(clip.size),
            "Content-Disposition": f'inline; filename="{camera_id}-{clip.cut.first_ns // 10**9}.mp4"',
            "Climbtrack-Since": iso(clip.cut.first_ns),
            "Climbtrack-Until": iso(clip.cut.last_ns),
            "Cache-Control": "no-store",  # what is erased must not be left in a browser
        }
        return StreamingResponse(clip.pieces(), media_type="video/mp4", headers=headers)

    @router.get("/identities/{number}/recordings", responses={404: {"model": ProblemOut}})
    def list_person(number: Number, since: Since = 0, until: Until | None = None) -> PersonClipsOut:
        """List the clips of a person's visits, of all cameras; of the latest thousand tracks."""
        if until is not None and since > until:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, LATER)
        identity = store.identity(number)
        if identity is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no person {number}")
        rows = store.find(TrackQuery(None, identity.number, since, until, MOST_TRACKS))
        visits = joined(map(sighting_of, rows))
        clips = [clip for visit in visits for clip in _clips_of(settings, visit)]
        known = store.recordings.states()
        reasons = {visit.camera_id: known[visit.camera_id] for visit in visits if known.get(visit.camera_id)}
        reason = None if clips else _why_none(store, settings, "")
        return PersonClipsOut(clips=sorted(clips, key=lambda clip: clip.since), reason=reason, not_recorded=reasons)

    return router


def _check(since: int, until: int, longest_ns: int, words: str) -> None:
    if since > until:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, LATER)
    if until - since > longest_ns:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"from and to: at most {words} apart")


def _clips_of(settings: RecordingSettings, visit: Sighting) -> Sequence[ClipOut]:
    since, until = visit.first_ns - AROUND_NS, visit.last_ns + AROUND_NS
    return _clips(settings, visit.camera_id, max(0, since), min(until, since + MAX_LISTED_NS))


def _clips(settings: RecordingSettings, camera_id: str, since: int, until: int) -> list[ClipOut]:
    from gallery.recording.clips import kept

    found = []
    for stretch in kept(settings.folder, camera_id, since, until):
        at, end = max(since, stretch.first_ns), min(until, stretch.last_ns)
        while at <= end:
            to = min(end, at + MAX_CLIP_NS)
            found.append(_clip_out(camera_id, at, to, stretch.codec))
            at = to + 1
    return found


def _clip_out(camera_id: str, since: int, until: int, codec: str) -> ClipOut:
    path = f"v1/cameras/{quote(camera_id, safe='')}/clip"
    seconds = f"from={since // 10**9}.{since % 10**9:09}&to={until // 10**9}.{until % 10**9:09}"
    return ClipOut(camera_id=camera_id, since=iso(since), until=iso(until), codec=codec, url=f"{path}?{seconds}")


def _why_none(store: Store, settings: RecordingSettings, camera_id: str) -> str:
    """Return why nothing of a time of a camera is kept."""
    if settings.cameras == "none":
        return "nothing is recorded: the setting recording.cameras is none"
    reason = store.recordings.states().get(camera_id)
    if reason:
        return f"camera {camera_id!r} is not recorded: {reason}"
    return (
        "nothing of this time is kept: it is not recorded yet, the camera sent nothing or is not recorded, or it was "
        f"deleted, which happens after {settings.days:g} days, beyond {settings.max_gb:g} GB, and with erased people"
    )
