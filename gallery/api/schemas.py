"""Request and response schemas of the API. Times are ISO 8601 in UTC; boxes are xyxy px of the source frame."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from gallery.iso import iso as iso  # noqa: PLC0414 - of schemas, too
from gallery.store.presence import Sighting, is_here
from gallery.store.store import Identity, StoredProgress, StoredTracklet
from wire.areas import Detail
from wire.camera_spec import MAX_CLOCK_OFFSET_MS, MAX_FPS, MAX_TAG, MAX_TAGS
from wire.message import PRIORITIES, Mode, check_name
from wire.messages import CameraHealth, CameraSpec, IdentityEvent
from wire.privacy import Privacy
from wire.tracklet_id import TrackletId
from wire.url import check_source

MAX_NUMBER = 2**53 - 1  # the largest integer that JSON parsers and Redis scores represent exactly


def name_of(text: str) -> str:
    """Validate the name of a camera or site and return it.

    Raises:
        ValueError: The name is invalid.
    """
    check_name("name", text)
    return text


def source_url(text: str) -> str:
    """Validate the source of a camera and return it.

    Raises:
        UrlError: The source is invalid.
    """
    check_source(text)
    return text


def whole(value: object) -> object:
    """Return a number without its fraction if that is 0, since JSON does not tell `1.0` from `1`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


SOURCE_SCHEMA = {"type": "string", "minLength": 1, "title": "Url", "examples": ["rtsp://10.0.0.7/stream", "hall.mp4"]}
_TAG_SCHEMA: dict[str, Any] = {"type": "string", "maxLength": MAX_TAG, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}
TAGS_SCHEMA: dict[str, Any] = {
    "maxProperties": MAX_TAGS,
    "propertyNames": _TAG_SCHEMA,
    "additionalProperties": _TAG_SCHEMA,
}
NAME_SCHEMA = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", "title": "Name"}
Name = Annotated[str, AfterValidator(name_of), Field(max_length=64), WithJsonSchema(NAME_SCHEMA)]
Number = Annotated[int, Field(ge=0, le=MAX_NUMBER), BeforeValidator(whole)]
# Bounds that are only in the document: `wire.areas` refuses the others, in better words.
Corner = Annotated[
    list[Annotated[float, Field(json_schema_extra={"minimum": 0, "maximum": 1})]], Field(min_length=2, max_length=2)
]
Polygons = list[Annotated[list[Corner], Field(json_schema_extra={"minItems": 3})]]


class CameraIn(BaseModel):
    """A camera to add or change; fields as in `CameraSpec`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    camera_id: Name
    url: Annotated[str, AfterValidator(source_url), Field(repr=False), WithJsonSchema(SOURCE_SCHEMA)]
    site_id: Name | None = None
    enabled: bool = True
    analysed_fps: float = Field(default=10.0, gt=0, le=MAX_FPS, allow_inf_nan=False)
    mode: Mode | None = None
    clock_offset_ms: float = Field(default=0.0, ge=-MAX_CLOCK_OFFSET_MS, le=MAX_CLOCK_OFFSET_MS, allow_inf_nan=False)
    realtime: bool = False
    loop: bool = False
    tags: dict[str, str] = Field(default_factory=dict, json_schema_extra=TAGS_SCHEMA)
    priority: float = Field(default=1.0, ge=PRIORITIES[0], le=PRIORITIES[1], allow_inf_nan=False)
    detail: Detail = "fast"
    regions: Polygons = []
    ignore: Polygons = []
    privacy: Privacy | None = None
    record: bool | None = None


class CameraState(BaseModel):
    """How far a camera has been analysed.

    `degraded` says why `analysed_fps` is below `wanted_fps`, both of the last seconds; null if it is not.
    """

    stream_id: str
    time: str
    frames: int
    analysed: int
    dropped: int
    tracklets: int
    ended: bool
    reason: str
    analysed_fps: float
    wanted_fps: float
    degraded: str | None


class SourceOut(BaseModel):
    """The state in which ingest has a camera, since when, and why; `cause` is empty if all is well."""

    state: str
    cause: str
    reconnects: int
    since: str


class CameraOut(BaseModel):
    """A camera, its password masked.

    `source` is null until ingest has taken it on, and while it is paused, `state` until its first frames are analysed.
    `privacy` is null if the site's applies, and `record` too; `privacy_in_use` is what applies, null until ingest has
    said so. `not_recorded` says why a camera that should be recorded is not; null if it is.
    """

    camera_id: str
    site_id: str
    url: str
    enabled: bool
    analysed_fps: float
    priority: float
    detail: Detail
    regions: Polygons
    ignore: Polygons
    privacy: Privacy | None
    privacy_in_use: Privacy | None
    record: bool | None
    not_recorded: str | None
    mode: Mode
    tags: dict[str, str]
    source: SourceOut | None
    state: CameraState | None


class CamerasOut(BaseModel):
    """All cameras, by name."""

    cameras: list[CameraOut]


class SightingOut(BaseModel):
    """One uninterrupted presence of a person in a camera."""

    camera_id: str
    first: str
    last: str
    seconds: float
    live: bool
    tracklets: list[str]


class IdentityOut(BaseModel):
    """One person.

    `sightings` is their number. `faded`: not seen for so long that the gallery keeps the person in the store only until
    somebody like that is seen. `picture` is the track whose crop shows the person: the one that somebody chose, or the
    latest; `crops` are the tracks with the best crop of each camera (in lists, the latest one).
    """

    id: int
    site_id: str
    name: str
    tags: list[str]
    hidden: bool
    faded: bool
    cameras: list[str]
    first: str
    last: str
    tracklets: int
    sightings: int
    previous_ids: list[int]
    picture: str | None
    crops: list[str]


class IdentitiesOut(BaseModel):
    """A page of people; `next` is the `after` of the next page, null on the last."""

    identities: list[IdentityOut]
    next: int | str | None


class TrackOut(BaseModel):
    """One tracklet: a person followed by one camera without a gap. `times` and `boxes` are null unless requested."""

    tracklet_id: str
    camera_id: str
    identity: int | None
    probability: float
    first: str
    last: str
    live: bool
    frames: int
    quality: float
    last_box: list[float]
    times: list[str] | None = None
    boxes: list[list[float]] | None = None


class TracksOut(BaseModel):
    """Tracklets, newest first."""

    tracks: list[TrackOut]


class IdentityDetail(IdentityOut):
    """One person with every presence, and the newest tracklets."""

    presences: list[SightingOut]
    tracks: list[TrackOut]


class EventOut(BaseModel):
    """A change to an identity; the data of one server-sent event."""

    event_id: str
    kind: str
    site_id: str
    identity: int
    previous_ids: list[int]
    tracklet_id: str
    camera_id: str
    probability: float
    reason: str
    time: str


class StatsOut(BaseModel):
    """Sizes of a site's store, and its number of cameras; `identities` are those that are not `hidden`."""

    site_id: str
    identities: int
    hidden: int
    faded: int
    tracklets: int
    crops: int
    events: int
    cameras: int


class ProblemOut(BaseModel):
    """Why a request failed, as problem details (RFC 9457); `detail` says it to people."""

    type: str
    title: str
    status: int
    detail: str


class StatusOut(BaseModel):
    """Response of the probes."""

    status: Literal["ok", "unavailable"]
    reason: str = ""


def camera_out(
    spec: CameraSpec, stored: StoredProgress | None, health: CameraHealth | None, not_recorded: str | None
) -> CameraOut:
    """Return a camera in the API's form; `not_recorded` is why it is not, though it should be."""
    state = None
    if stored is not None:
        progress = stored.progress
        state = CameraState(
            stream_id=progress.stream_id,
            time=iso(progress.time_ns),
            frames=progress.frames,
            analysed=progress.analysed,
            dropped=progress.dropped,
            tracklets=progress.tracklets,
            ended=progress.ended,
            reason=progress.reason,
            analysed_fps=round(progress.analysed_fps, 2),
            wanted_fps=round(progress.wanted_fps, 2),
            degraded=progress.degraded or None,
        )
    return CameraOut(
        camera_id=spec.camera_id,
        site_id=spec.site_id,
        url=spec.safe_url,
        enabled=spec.enabled,
        analysed_fps=spec.analysed_fps,
        priority=spec.priority,
        detail=spec.detail,
        regions=[[list(corner) for corner in polygon] for polygon in spec.regions],
        ignore=[[list(corner) for corner in polygon] for polygon in spec.ignore],
        privacy=spec.privacy,
        privacy_in_use=spec.privacy or (None if health is None else health.site_privacy),
        record=spec.record,
        not_recorded=not_recorded or None,
        mode=spec.mode_in_use,
        tags=spec.tags,
        source=None if health is None or not spec.enabled else _source_out(health),
        state=state,
    )


def _source_out(health: CameraHealth) -> SourceOut:
    return SourceOut(state=health.state, cause=health.cause, reconnects=health.reconnects, since=iso(health.time_ns))


def identity_out(site_id: str, identity: Identity, seen: int, best: Sequence[str]) -> IdentityOut:
    """Return a person in the API's form, with the given number of sightings.

    Of the tracks in `best`, the best first, the first of each camera are its crops.
    """
    crops: dict[str, str] = {}
    for key in best:
        crops.setdefault(TrackletId.parse(key).camera_id, key)
    return IdentityOut(
        id=identity.number,
        site_id=site_id,
        name=identity.name,
        tags=list(identity.tags),
        hidden=identity.hidden,
        faded=identity.faded,
        cameras=list(identity.cameras),
        first=iso(identity.first_ns),
        last=iso(identity.last_ns),
        tracklets=identity.tracklets,
        sightings=seen,
        previous_ids=list(identity.previous_ids),
        picture=identity.picture or next(iter(best), None),
        crops=list(crops.values()),
    )


def sighting_out(sighting: Sighting) -> SightingOut:
    """Return a presence in the API's form."""
    return SightingOut(
        camera_id=sighting.camera_id,
        first=iso(sighting.first_ns),
        last=iso(sighting.last_ns),
        seconds=round((sighting.last_ns - sighting.first_ns) / 1e9, 3),
        live=sighting.live,
        tracklets=list(sighting.tracklets),
    )


def track_out(row: StoredTracklet, progress: Mapping[str, StoredProgress], *, boxes: bool = False) -> TrackOut:
    """Return a tracklet in the API's form, with all its boxes or only the last; `progress` tells whether it goes on."""
    tracklet = row.tracklet
    rounded = tracklet.boxes.astype(float).round(1).tolist()  # in float32, 161.7 would be printed as 161.6999969
    return TrackOut(
        tracklet_id=tracklet.tracklet_id,
        camera_id=tracklet.camera_id,
        identity=row.identity_id,
        probability=round(row.probability, 4),
        first=iso(tracklet.first_ns),
        last=iso(tracklet.last_ns),
        live=is_here(row, progress),
        frames=len(tracklet.times_ns),
        quality=round(tracklet.quality, 3),
        last_box=rounded[-1],
        times=[iso(int(time_ns)) for time_ns in tracklet.times_ns] if boxes else None,
        boxes=rounded if boxes else None,
    )


def event_out(event: IdentityEvent) -> EventOut:
    """Return an event in the API's form."""
    return EventOut(
        event_id=event.event_id,
        kind=event.kind,
        site_id=event.site_id,
        identity=event.identity_id,
        previous_ids=list(event.previous_ids),
        tracklet_id=event.tracklet_id,
        camera_id=event.camera_id,
        probability=round(event.probability, 4),
        reason=event.reason,
        time=iso(event.time_ns),
    )
