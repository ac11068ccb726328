"""`/v1/visits` and `/v1/statistics`: who was where over a time, to be downloaded or added up."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, HTTPException, Query, Response, status
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, BaseModel

from gallery import visits
from gallery.api.encoding import new_router
from gallery.api.moment import QueryTime
from gallery.api.schemas import Name, iso
from gallery.errors import TooManyVisits
from gallery.parquet import Column, parquet_of
from gallery.store.store import Store
from gallery.visits import Step, Visit, visits_of
from wire.messages import MAX_SAID

HOUR_NS = 3_600_000_000_000
MAX_PERIODS = 1_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins with one of these
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
COLUMNS = (
    Column("identity", "integer"),
    Column("name", "text"),
    Column("camera_id", "text"),
    Column("first", "time"),
    Column("last", "time"),
    Column("seconds", "number"),
    Column("live", "flag"),
    Column("tracklets", "integer"),
    Column("new", "flag"),
)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name; raise ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone such as Europe/Berlin or UTC") from None


Zone = Annotated[str, Query(max_length=64), AfterValidator(lambda name: zone_of(name).key)]
Since = Annotated[QueryTime | None, Query(alias="from")]
Until = Annotated[QueryTime | None, Query(alias="to")]


class VisitOut(BaseModel):
    """One uninterrupted presence of a person in a camera, cut to the time asked for.

    `new`: nobody saw the person before. `tracklets`: their number.
    """

    identity: int
    name: str
    camera_id: str
    first: str
    last: str
    seconds: float
    live: bool
    tracklets: int
    new: bool


class VisitsOut(BaseModel):
    """Visits, by their begin."""

    visits: list[VisitOut]


class PeriodOut(BaseModel):
    """What happened in the hour or day from `start` on; somebody who stays longer counts in each."""

    start: str
    people: int
    new: int
    visits: int


class CameraVisitsOut(BaseModel):
    """What one camera saw; `median_s` and `most_s` (of nine in ten) say how long visits lasted."""

    camera_id: str
    people: int
    visits: int
    median_s: float
    most_s: float
    now: int


class WayOut(BaseModel):
    """How many people went from one camera to another next, within half an hour, and the median time between."""

    origin: str
    destination: str
    times: int
    median_s: float


class StatisticsOut(BaseModel):
    """People and visits of a time, by hour or day, by camera, and the ways between cameras."""

    since: str
    until: str
    people: int
    new: int
    visits: int
    now: int
    periods: list[PeriodOut]
    cameras: list[CameraVisitsOut]
    ways: list[WayOut]


def asked(since: int | None, until: int | None, now_ns: int) -> tuple[int, int]:
    """Return the time that a request is about: the day up to its end, which is now, unless it says otherwise.

    Raises:
        HTTPException: 422, it ends before it begins.
    """
    end = now_ns if until is None else until
    begin = max(0, end - 24 * HOUR_NS) if since is None else since
    if begin > end:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "from: must not be later than to")
    return begin, end


def check_periods(begin_ns: int, end_ns: int, by: Step) -> None:
    """Raise HTTPException if a time has too many hours or days for one answer."""
    if (end_ns - begin_ns) / (HOUR_NS if by == "hour" else 24 * HOUR_NS) > MAX_PERIODS:
        detail = f"there are more than {MAX_PERIODS} periods in this time: ask for a shorter one, or by=day"
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, detail)


def visits_router(store: Store, now_ns: Callable[[], int] = time.time_ns) -> APIRouter:
    """Return the routes; without `from` and `to` they are about the 24 hours up to now."""
    router = new_router(prefix="/v1", tags=["visits"])

    def found(since: int | None, until: int | None, camera: str | None, tag: str = "") -> tuple[int, int, list[Visit]]:
        begin, end = asked(since, until, now_ns())
        try:
            return begin, end, visits_of(store, begin, end, camera, tag.strip())
        except TooManyVisits as error:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error

    @router.get(
        "/visits",
        response_model=VisitsOut,
        responses={200: {"content": {media.partition(";")[0]: {} for media in MEDIA.values()}}},
    )
    def list_visits(
        since: Since = None,
        until: Until = None,
        camera: Name | None = None,
        format: Literal["json", "csv", "jsonl", "parquet"] = "json",  # noqa: A002 - a query parameter
        tag: Annotated[str, Query(max_length=MAX_SAID)] = "",
    ) -> VisitsOut | Response:
        """Return who was where and how long, as JSON, CSV, one JSON object a line, or Apache Parquet."""
        _, _, ones = found(since, until, camera, tag)
        if format == "json":
            return VisitsOut(visits=[_visit_out(visit) for visit in ones])
        headers = {"Content-Disposition": f'attachment; filename="visits.{format}"', "Cache-Control": "no-store"}
        if format == "parquet":
            return Response(parquet_of(COLUMNS, [_row(one) for one in ones]), media_type=MEDIA[format], headers=headers)
        lines = csv_lines(ones) if format == "csv" else _json_lines(ones)
        return StreamingResponse(lines, media_type=MEDIA[format], headers=headers)

    @router.get("/statistics")
    def count(
        since: Since = None, until: Until = None, camera: Name | None = None, by: Step = "hour", zone: Zone = "UTC"
    ) -> StatisticsOut:
        """Count people and visits by hour or day and by camera, and the ways between cameras, without hidden people."""
        begin, end, ones = found(since, until, camera)
        check_periods(begin, end, by)
        return _statistics_out(ones, begin, end, by, zone_of(zone))

    return router


def _statistics_out(ones: Sequence[Visit], begin_ns: int, end_ns: int, by: Step, zone: ZoneInfo) -> StatisticsOut:
    return StatisticsOut(
        since=iso(begin_ns),
        until=iso(end_ns),
        people=visits.people_of(ones),
        new=sum(one.new for one in ones),
        visits=len(ones),
        now=visits.people_of(one for one in ones if one.live),
        periods=[
            PeriodOut(start=one.start.isoformat(), people=one.people, new=one.new, visits=one.visits)
            for one in visits.periods(ones, begin_ns, end_ns, by, zone)
        ],
        cameras=[
            CameraVisitsOut(
                camera_id=one.camera_id,
                people=one.people,
                visits=one.visits,
                median_s=round(one.seconds[0], 2),
                most_s=round(one.seconds[1], 2),
                now=one.now,
            )
            for one in visits.cameras(ones)
        ],
        ways=[
            WayOut(origin=one.origin, destination=one.destination, times=one.times, median_s=round(one.seconds, 2))
            for one in visits.ways(ones)
        ],
    )


def _visit_out(visit: Visit) -> VisitOut:
    return VisitOut(
        identity=visit.person.number,
        name=visit.person.name,
        camera_id=visit.camera_id,
        first=iso(visit.first_ns),
        last=iso(visit.last_ns),
        seconds=round(visit.seconds, 3),
        live=visit.live,
        tracklets=visit.tracklets,
        new=visit.new,
    )


def _row(visit: Visit) -> tuple[int | float | str, ...]:
    """Return what a visit has in each of the `COLUMNS`: the values of `VisitOut`, with times as numbers."""
    out = _visit_out(visit)
    times = {"first": visit.first_ns // 1000, "last": visit.last_ns // 1000}
    return tuple((out.model_dump() | times).values())


def _json_lines(ones: Iterable[Visit]) -> Iterator[str]:
    return (json.dumps(_visit_out(visit).model_dump(), ensure_ascii=False) + "\n" for visit in ones)


def csv_lines(ones: Iterable[Visit]) -> Iterator[str]:
    """Yield the lines of a table of visits."""
    return csv_of(COLUMNS, (tuple(_visit_out(visit).model_dump().values()) for visit in ones))


def csv_of(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield lines as RFC 4180 wants them; a name that a spreadsheet would take for a formula begins with `'`."""
    line = io.StringIO()
    writer = csv.writer(line)
    for row in ([column.name for column in columns], *rows):
        writer.writerow([f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in row])
        yield line.getvalue()
        line.seek(0)
        line.truncate()
