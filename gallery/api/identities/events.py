"""Live events: one thread reads the site's journal, and every client reads on from where it is.

An event's id is its place in the journal, so that a client that comes back goes on after the last one it had.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator
from itertools import dropwhile
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from gallery.api.access.auth import Access
from gallery.api.schemas import event_out
from gallery.errors import StoreRefused
from gallery.store.store import JournalEntry, Store
from wire.errors import TransientError
from wire.message import MAX_TIME_NS
from wire.outage import Outage

log = logging.getLogger(__name__)

KEPT = 1_000  # events kept for all clients together; one further behind reads from the store
PAGE = 256
KEEP_ALIVE_S = 15.0  # proxies close connections that are idle for a minute
POLL_S = 0.2
RETRY_S = 1.0
RETRY_MS = 2_000  # after which a client that lost its connection comes back


class EventFeed:
    """The events of one site, for any number of clients."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._listen, name="api-events", daemon=True)
        # What follows belongs to the event loop.
        self._kept: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._complete_from = self._position = -1  # everything after the one, up to the other, is kept; -1: unknown
        self._news = asyncio.Event()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start reading; clients are served in this event loop."""
        self._loop = loop
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()

    async def stream(self, after: int | None) -> AsyncIterator[str]:
        """Yield server-sent events after a place in the journal, None for now; a comment at the start and in silence.

        No event after the first comment is missed. Those that are not kept any more are named by an event `missed`.
        """
        while self._position < 0:
            await self._wait()
        place = self._position if after is None else min(after, self._position)
        yield f"retry: {RETRY_MS}\n: connected\n\n"
        oldest = [] if after is None else await asyncio.to_thread(self._store.journal, 0, 1)
        if after is not None and (after > place or (oldest and after < oldest[0].seq - 1)):
            yield _missed(after)
        while True:
            if place > self._position:  # of another journal: the store has lost its data
                yield _missed(place)
                place = self._position
            news = self._news
            behind = place < self._complete_from
            texts = await self._stored(place) if behind else self._since(place)
            for number, text in texts:
                place = number
                yield text
            if behind and not texts:
                place = self._complete_from
            elif not texts and not await self._wait(news):
                yield ": still here\n\n"

    async def _stored(self, place: int) -> list[tuple[int, str]]:
        found = await asyncio.to_thread(self._store.journal, place, PAGE)
        return [(entry.seq, _text(entry)) for entry in found]

    def _since(self, place: int) -> list[tuple[int, str]]:
        return list(dropwhile(lambda one: one[0] <= place, self._kept))

    async def _wait(self, news: asyncio.Event | None = None) -> bool:
        """Wait until there is news; return False if there is none for a while."""
        try:
            await asyncio.wait_for((news or self._news).wait(), KEEP_ALIVE_S)
        except TimeoutError:
            return False
        return True

    def _listen(self) -> None:
        outage, place = Outage(log, "events"), -1
        while not self._stop.is_set():
            try:
                last = self._store.last_event()
                entries = self._store.journal(place, PAGE) if 0 <= place < last else []
            except (TransientError, StoreRefused) as error:  # the rest of the API keeps working
                outage.met(error)
                self._stop.wait(RETRY_S)
                continue
            outage.over()
            if place < 0 or last < place or entries:
                place = entries[-1].seq if entries else last
                self._hand_over(place, entries)
            if len(entries) < PAGE:
                self._stop.wait(POLL_S)

    def _hand_over(self, place: int, entries: list[JournalEntry]) -> None:
        assert self._loop is not None, "started before"
        texts = [(entry.seq, _text(entry)) for entry in entries]
        try:
            self._loop.call_soon_threadsafe(self._take, place, texts)
        except RuntimeError:  # the event loop is closed: the process is shutting down
            self._stop.set()

    def _take(self, place: int, texts: list[tuple[int, str]]) -> None:
        if not texts:
            self._kept.clear()
            self._complete_from = place
        for one in texts:
            if len(self._kept) == KEPT:
                self._complete_from = self._kept[0][0]
            self._kept.append(one)
        self._position = place
        news, self._news = self._news, asyncio.Event()
        news.set()


def events_router(feed: EventFeed, access: Access) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/v1", tags=["events"])

    @router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def events(
        request: Request,
        after: Annotated[int | None, Query(ge=0, le=MAX_TIME_NS)] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        """Stream changes to identities as server-sent events, from now on or after an event's id.

        Browsers that reconnect send the id of the last event they had in the header `Last-Event-ID`.
        """
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        place = _number(last_event_id) if last_event_id is not None else after
        stream = access.until_refused(request, feed.stream(place))
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    return router


def _number(text: str) -> int:
    """Return the place that an id names; one that is no place is after all events, and so names what was missed."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_TIME_NS)) else MAX_TIME_NS


def _missed(place: int) -> str:
    return f'event: missed\ndata: {{"after": {place}}}\n\n'


def _text(entry: JournalEntry) -> str:
    event = entry.event
    return f"event: {event.kind}\nid: {entry.seq}\ndata: {event_out(event).model_dump_json()}\n\n"
