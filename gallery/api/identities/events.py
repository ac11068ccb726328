"""Live events: one thread reads the site's journal, and every client reads on from where it is.

An event's id is its place in the journal, so that a client that comes back goes on after the last one it had.
"""

import asyncio
from collections import deque
from functools import partial
from itertools import takewhile
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, WebSocket
from fastapi.responses import StreamingResponse

from gallery.api.access.auth import Access
from gallery.api.encoding import new_router
from gallery.api.listener import Listener
from gallery.api.schemas import event_out
from gallery.api.streams import EventStream, News, OpenStreams, Part, Parts, missed, serve_socket
from gallery.store.store import JournalEntry, Store
from wire.message import MAX_TIME_NS

KEPT = 1_000  # events kept for all clients together; one further behind reads from the store
PAGE = 256
AT_ONCE = 64  # events sent in one piece: a reader that stalls holds 25 kB of them
POLL_S = 0.2


class EventFeed:
    """The events of one site, for any number of clients."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listener = Listener("events", self._look)
        self._read_to = -1  # place in the journal, by the listener; -1: unknown
        # What follows belongs to the event loop.
        self._kept: deque[tuple[int, Part]] = deque(maxlen=KEPT)
        self._complete_from = self._position = -1  # everything after the one, up to the other, is kept; -1: unknown
        self._news = News()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start reading; clients are served in this event loop."""
        self._listener.start(loop)

    def close(self) -> None:
        """Stop reading."""
        self._listener.close()

    async def stream(self, after: int | None) -> Parts:
        """Yield the events after a place in the journal, None for now.

        No event after the first None is missed. Those that are not kept any more are named by a part `missed`.
        """
        while self._position < 0:
            await self._news.wait(self._news.now())
        place = self._position if after is None else min(after, self._position)
        yield None
        oldest = [] if after is None else await asyncio.to_thread(self._store.journal, 0, 1)
        if after is not None and (after > place or (oldest and after < oldest[0].seq - 1)):
            yield [missed(str(after))]
        while True:
            if place > self._position:  # of another journal: the store has lost its data
                yield [missed(str(place))]
                place = self._position
            news = self._news.now()
            behind = place < self._complete_from
            parts = await self._stored(place) if behind else self._since(place)
            if parts:
                sent = parts[:AT_ONCE]
                place = sent[-1][0]
                yield [part for _, part in sent]
            elif behind:
                place = self._complete_from
            elif not await self._news.wait(news):
                yield None

    async def _stored(self, place: int) -> list[tuple[int, Part]]:
        found = await asyncio.to_thread(self._store.journal, place, PAGE)
        return [(entry.seq, _part(entry)) for entry in found]

    def _since(self, place: int) -> list[tuple[int, Part]]:
        """Return what is kept after a place, from the end: nearly everybody is there."""
        found = list(takewhile(lambda one: one[0] > place, reversed(self._kept)))
        return found[::-1]

    def _look(self) -> float:
        place, last = self._read_to, self._store.last_event()
        entries = self._store.journal(place, PAGE) if 0 <= place < last else []
        if place < 0 or last < place or entries:
            self._read_to = entries[-1].seq if entries else last
            parts = [(entry.seq, _part(entry)) for entry in entries]
            self._listener.hand_over(partial(self._take, self._read_to, parts))
        return POLL_S if len(entries) < PAGE else 0.0

    def _take(self, place: int, parts: list[tuple[int, Part]]) -> None:
        if not parts or any(part.kind == "erased" for _, part in parts):  # the store has forgotten theirs, too
            self._kept.clear()
            self._complete_from = place
            parts = []
        for one in parts:
            if len(self._kept) == KEPT:
                self._complete_from = self._kept[0][0]
            self._kept.append(one)
        self._position = place
        self._news.tell()


def events_router(feed: EventFeed, access: Access, streams: OpenStreams) -> APIRouter:
    """Return the route of server-sent events."""
    router = new_router(prefix="/v1", tags=["events"])

    @router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def events(
        request: Request,
        after: Annotated[int | None, Query(ge=0, le=MAX_TIME_NS)] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> EventStream:
        """Stream changes to identities as server-sent events, from now on or after an event's id.

        Browsers that reconnect send the id of the last event they had in the header `Last-Event-ID`.
        """
        place = _number(last_event_id) if last_event_id is not None else after
        return EventStream(access.until_refused(request, feed.stream(place)), streams)

    return router


def event_sockets(feed: EventFeed, access: Access, streams: OpenStreams) -> APIRouter:
    """Return the route of the same events over a WebSocket."""
    router = new_router(prefix="/v1")

    @router.websocket("/events/ws")
    async def event_socket(socket: WebSocket, after: Annotated[int | None, Query(ge=0, le=MAX_TIME_NS)] = None) -> None:
        """Send what `/v1/events` streams as texts: JSON objects with `event`, `id` and `data`."""
        await serve_socket(socket, access, streams, lambda: feed.stream(after))

    return router


def _number(text: str) -> int:
    """Return the place that an id names; one that is no place is after all events, and so names what was missed."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_TIME_NS)) else MAX_TIME_NS


def _part(entry: JournalEntry) -> Part:
    return Part(entry.event.kind, str(entry.seq), event_out(entry.event).model_dump_json())
