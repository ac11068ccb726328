"""`/v1/alerts/stream`: alerts as they are raised; one thread looks for news, every client reads on from where it is."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from gallery.api.access.auth import Access
from gallery.api.alerting.alert_schemas import alert_out
from gallery.api.alerting.alerts import AFTER
from gallery.api.encoding import new_router
from gallery.api.listener import Listener
from gallery.api.streams import EventStream, News, OpenStreams, Part, Parts, missed
from gallery.outputs.posts import whom
from gallery.store.alerting import AlertQuery
from gallery.store.alerting_memory import place_of
from gallery.store.store import Store

POLL_S = 0.5
MOST = 1_000  # alerts that a client who comes back gets; of more, the oldest are named as missed
Place = tuple[int, str]  # microseconds when an alert was raised, and its id
BEGIN: Place = (0, "")


class AlertFeed:
    """The alerts of one site, for any number of clients."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listener = Listener("alerts", self._look)
        self._known: Place | None = None  # by the listener
        self._reading = asyncio.Lock()
        # What follows belongs to the event loop.
        self._newest: Place | None = None
        self._latest: tuple[Place, Place, list[Part]] = (BEGIN, BEGIN, [])  # what most clients read next
        self._news = News()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start looking; clients are served in this event loop."""
        self._listener.start(loop)

    def close(self) -> None:
        """Stop looking."""
        self._listener.close()

    async def stream(self, after: Place | None) -> Parts:
        """Yield the alerts raised after a place, None for now; none is missed after the first None."""
        while self._newest is None:
            await self._news.wait(self._news.now())
        place = self._newest if after is None else after
        yield None
        while True:
            news, newest = self._news.now(), self._newest
            if place < newest:
                yield await self._between(place, newest)
                place = newest
            elif not await self._news.wait(news):
                yield None

    async def _between(self, place: Place, newest: Place) -> list[Part]:
        """Return the alerts after a place; clients who wait at the same one share what is read."""
        async with self._reading:
            if self._latest[:2] != (place, newest):
                parts = await asyncio.to_thread(self._read, place, newest)
                self._latest = (place, newest, parts)
            return self._latest[2]

    def _read(self, place: Place, newest: Place) -> list[Part]:
        """Return the alerts after a place up to another, in the order in which they were raised."""
        found: list[tuple[Place, Part]] = []
        cursor: Place | None = None
        while len(found) <= MOST:
            page = self._store.alerting.alerts(AlertQuery(after=cursor, limit=100))
            for alert in page.alerts:
                at = place_of(alert)
                if place < at <= newest:
                    data = alert_out(alert, *whom(self._store, alert)).model_dump_json()
                    found.append((at, Part("alert", f"{at[0]}-{at[1]}", data)))
            if page.next is None or page.next <= place:
                break
            cursor = page.next
        parts = [part for _, part in reversed(found[:MOST])]
        return parts if len(found) <= MOST else [missed(f'"{place[0]}-{place[1]}"'), *parts]

    def _look(self) -> float:
        page = self._store.alerting.alerts(AlertQuery(limit=1))
        newest = place_of(page.alerts[0]) if page.alerts else BEGIN
        if newest != self._known:
            self._known = newest
            self._listener.hand_over(partial(self._take, newest))
        return POLL_S

    def _take(self, newest: Place) -> None:
        self._newest = newest
        self._latest = (BEGIN, BEGIN, [])  # who was erased meanwhile is not remembered here
        self._news.tell()


def alert_stream_router(feed: AlertFeed, access: Access, streams: OpenStreams) -> APIRouter:
    """Return the route."""
    router = new_router(prefix="/v1", tags=["alerts"])

    @router.get(
        "/alerts/stream", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}}
    )
    async def follow_alerts(
        request: Request,
        after: Annotated[str | None, Query(pattern=AFTER)] = None,
        last_event_id: Annotated[str | None, Header(pattern=AFTER)] = None,
    ) -> EventStream:
        """Stream alerts as server-sent events, from now on or after the id of an alert that was streamed.

        Browsers that reconnect send the id of the last alert they had in the header `Last-Event-ID`.
        """
        micros, _, alert_id = (last_event_id or after or "").partition("-")
        place = (int(micros), alert_id) if alert_id else None
        return EventStream(access.until_refused(request, feed.stream(place)), streams)

    return router
