"""`/v1/zones/history`: how many people were in each area and crossed each line, by hour or day."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Response, status
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from gallery.api.encoding import new_router
from gallery.api.identities.visits import MEDIA, Since, Until, Zone, asked, check_periods, csv_of, zone_of
from gallery.api.schemas import Name, iso
from gallery.errors import TooManyVisits
from gallery.parquet import Column, parquet_of
from gallery.store.store import Store
from gallery.visits import Step
from gallery.zone_history import ZoneHistory, zone_histories
from gallery.zones.zone import Kind

COLUMNS = (
    Column("zone_id", "text"),
    Column("name", "text"),
    Column("camera_id", "text"),
    Column("kind", "text"),
    Column("start", "time"),
    Column("people", "integer"),
    Column("visits", "integer"),
    Column("average", "number"),
    Column("most", "integer"),
    Column("forward", "integer"),
    Column("backward", "integer"),
)


class ZonePeriodOut(BaseModel):
    """What happened in the hour or day from `start` on; somebody who stays longer counts in each.

    In an area `people` were there, `visits` times, `average` of them at once in the mean and `most` at most. A line was
    crossed `visits` times by `people`, `forward` from its left to its right.
    """

    start: str
    people: int
    visits: int
    average: float
    most: int
    forward: int
    backward: int


class ZoneHistoryOut(BaseModel):
    """One area or line over a time; `median_s` is how long visits to an area lasted."""

    zone_id: str
    name: str
    camera_id: str
    kind: Kind
    people: int
    visits: int
    median_s: float
    periods: list[ZonePeriodOut]


class ZoneHistoriesOut(BaseModel):
    """All areas and lines over a time."""

    since: str
    until: str
    zones: list[ZoneHistoryOut]


def zone_history_router(store: Store, now_ns: Callable[[], int] = time.time_ns) -> APIRouter:
    """Return the route; without `from` and `to` it is about the 24 hours up to now."""
    router = new_router(prefix="/v1/zones", tags=["alerts"])

    @router.get(
        "/history",
        response_model=ZoneHistoriesOut,
        responses={200: {"content": {MEDIA[kind].partition(";")[0]: {} for kind in ("csv", "parquet")}}},
    )
    def show_history(
        since: Since = None,
        until: Until = None,
        camera: Name | None = None,
        by: Step = "hour",
        zone: Zone = "UTC",
        format: Literal["json", "csv", "parquet"] = "json",  # noqa: A002 - a query parameter
    ) -> ZoneHistoriesOut | Response:
        """Count who was in each area and who crossed each line, by hour or day of a time zone, without hidden people.

        It is read from stored tracks, so an area has a history before it was drawn, as far back as tracks are kept.
        """
        begin, end = asked(since, until, now_ns())
        zones = [one for one in store.alerting.zones() if camera in {None, one.camera_id}]
        check_periods(begin, end, by)
        try:
            found = zone_histories(store, zones, begin, end, by, zone_of(zone))
        except TooManyVisits as error:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
        if format == "json":
            return ZoneHistoriesOut(since=iso(begin), until=iso(end), zones=[_history_out(one) for one in found])
        headers = {"Content-Disposition": f'attachment; filename="zones.{format}"', "Cache-Control": "no-store"}
        if format == "parquet":
            rows = [(*row[:4], _microseconds(row[4]), *row[5:]) for row in _rows(found)]
            return Response(parquet_of(COLUMNS, rows), media_type=MEDIA[format], headers=headers)
        return StreamingResponse(csv_of(COLUMNS, _rows(found)), media_type=MEDIA[format], headers=headers)

    return router


def _history_out(one: ZoneHistory) -> ZoneHistoryOut:
    return ZoneHistoryOut(
        zone_id=one.zone.zone_id,
        name=one.zone.name,
        camera_id=one.zone.camera_id,
        kind=one.zone.kind,
        people=one.people,
        visits=one.visits,
        median_s=round(one.seconds, 2),
        periods=[
            ZonePeriodOut(
                start=period.start.isoformat(),
                people=period.people,
                visits=period.visits,
                average=round(period.average, 3),
                most=period.most,
                forward=period.forward,
                backward=period.backward,
            )
            for period in one.periods
        ],
    )


def _rows(found: Sequence[ZoneHistory]) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each zone and period: what `COLUMNS` says."""
    for one in map(_history_out, found):
        of_zone = (one.zone_id, one.name, one.camera_id, one.kind)
        yield from ((*of_zone, *period.model_dump().values()) for period in one.periods)


def _microseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1e6)
