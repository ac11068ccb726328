"""Live events: one listener thread on the `identities` topic, one bounded queue per client."""

import asyncio
import logging
import threading
import uuid
from collections.abc import AsyncIterator

from gallery.api.schemas import event_out
from wire import codec
from wire.bus import IDENTITIES, Bus
from wire.errors import DecodeError, WireError
from wire.messages import IdentityEvent
from wire.outage import Outage

log = logging.getLogger(__name__)

QUEUE_LENGTH = 1_000  # a client further behind loses its oldest events
KEEP_ALIVE_S = 15.0  # proxies close connections that are idle for a minute
POLL_S = 0.2
RETRY_S = 1.0


class EventFeed:
    """Distributes the events of one site to its clients, starting when each connects."""

    def __init__(self, bus: Bus, site_id: str) -> None:
        self._bus = bus
        self._site_id = site_id
        self._stop = threading.Event()
        self._listening = threading.Event()
        self._clients: set[asyncio.Queue[IdentityEvent]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._listen, name="api-events", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start listening; clients are served in this event loop."""
        self._loop = loop
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join()

    async def stream(self) -> AsyncIterator[str]:
        """Yield server-sent events, and a comment at the start and whenever there is no event for a while.

        No event after the first comment is missed.
        """
        queue: asyncio.Queue[IdentityEvent] = asyncio.Queue(QUEUE_LENGTH)
        self._clients.add(queue)
        try:
            await asyncio.to_thread(self._listening.wait, KEEP_ALIVE_S)
            yield ": connected\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), KEEP_ALIVE_S)
                except TimeoutError:
                    yield ": still here\n\n"
                else:
                    yield f"event: {event.kind}\nid: {event.event_id}\ndata: {event_out(event).model_dump_json()}\n\n"
        finally:
            self._clients.discard(queue)

    def _listen(self) -> None:
        outage = Outage(log, "events")
        while not self._stop.is_set():
            try:
                self._follow(outage)
            except WireError as error:  # even if the broker refuses access, the rest of the API keeps working
                outage.met(error)
                self._stop.wait(RETRY_S)

    def _follow(self, outage: Outage) -> None:
        group = f"api-events-{uuid.uuid4().hex}"  # a group per process, so that each receives all events
        consumer = self._bus.consumer(group, [IDENTITIES.name], start="end")
        try:
            while not self._stop.is_set():
                records = consumer.poll(256, POLL_S)
                outage.over()
                self._listening.set()  # the first poll sets the position to the end of the topic
                for record in records:
                    try:
                        message = codec.decode(record.value or b"")
                    except DecodeError:
                        continue
                    if isinstance(message, IdentityEvent) and message.site_id == self._site_id:
                        self._hand_over(message)
        finally:
            consumer.close()

    def _hand_over(self, event: IdentityEvent) -> None:
        assert self._loop is not None, "started before"
        try:
            self._loop.call_soon_threadsafe(self._offer, event)
        except RuntimeError:  # the event loop is closed: the process is shutting down
            self._stop.set()

    def _offer(self, event: IdentityEvent) -> None:
        for queue in self._clients:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)
