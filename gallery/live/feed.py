"""What viewers of a camera get: its chunks since the last keyframe, then every new one, and the people in them.

One thread a watched camera reads the bus; it ends with the last viewer.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from gallery.store.store import Store
from wire import codec
from wire.bus import BOXES, FRAMES, GrouplessBus, Record
from wire.errors import DecodeError, WireError
from wire.messages import FrameChunk, SeenPeople
from wire.outage import Outage

_Kind = TypeVar("_Kind", FrameChunk, SeenPeople)

log = logging.getLogger(__name__)

SINCE_S = 20.0  # how far back a new feed looks for a keyframe
POLL_S = 0.1
RETRY_S = 1.0
MAX_WAITING = 256  # chunks and boxes for a viewer of one camera; one further behind goes on from the next keyframe
MAX_KEPT_BYTES = 16 * 1024 * 1024  # chunks since the last keyframe


@dataclass(frozen=True, slots=True, eq=False)
class PeopleInView:
    """The boxes of one chunk, and the identity of each tracklet as far as it is decided."""

    seen: SeenPeople
    identities: dict[str, int]


Item = FrameChunk | PeopleInView
Offer = Callable[[Item], None]


class Backlog:
    """The chunks since the last keyframe, from which a new viewer's decoder can start; bounded."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self.chunks: list[FrameChunk] = []

    def add(self, chunk: FrameChunk) -> None:
        """Add the next chunk; a keyframe makes all earlier ones needless, a gap makes them useless."""
        size = sum(len(packet.data) for packet in chunk.packets)
        if chunk.starts_with_keyframe:
            self.chunks, self._bytes = [chunk], size
        elif self.chunks and follows(self.chunks[-1], chunk) and self._bytes + size <= self._max_bytes:
            self.chunks.append(chunk)
            self._bytes += size
        else:
            self.chunks, self._bytes = [], 0


def follows(earlier: FrameChunk, chunk: FrameChunk) -> bool:
    """Tell whether a decoder that has had `earlier` can go on with `chunk`."""
    return (chunk.stream_id, chunk.seq, chunk.dropped_before) == (earlier.stream_id, earlier.seq + 1, 0)


@dataclass(slots=True, eq=False)
class _Feed:
    """The thread of one camera, and its viewers."""

    stop: threading.Event = field(default_factory=threading.Event)
    viewers: list[Offer] = field(default_factory=list)
    backlog: Backlog = field(default_factory=Backlog)


class LiveFeeds:
    """The feeds of all cameras that somebody watches. Thread-safe."""

    def __init__(self, bus: GrouplessBus, store: Store) -> None:
        self._bus = bus
        self._store = store
        self._lock = threading.Lock()  # guards everything below, and every feed's viewers and backlog
        self._feeds: dict[str, _Feed] = {}

    def join(self, camera_id: str, offer: Offer) -> None:
        """Call `offer`, from another thread, with the chunks since the last keyframe and everything new."""
        with self._lock:
            feed = self._feeds.get(camera_id)
            if feed is None:
                feed = self._feeds[camera_id] = _Feed()
                args = (camera_id, feed)
                threading.Thread(target=self._run, args=args, name=f"live-{camera_id}", daemon=True).start()
            for chunk in feed.backlog.chunks:
                offer(chunk)
            feed.viewers.append(offer)

    def leave(self, camera_id: str, offer: Offer) -> None:
        """Stop calling `offer`; the thread ends with the last viewer."""
        with self._lock:
            feed = self._feeds.get(camera_id)
            if feed is None or offer not in feed.viewers:
                return
            feed.viewers.remove(offer)
            if not feed.viewers:
                feed.stop.set()
                del self._feeds[camera_id]

    def _run(self, camera_id: str, feed: _Feed) -> None:
        outage = Outage(log, f"live view of {camera_id}")
        while not feed.stop.is_set():
            try:
                self._follow(camera_id, feed, outage)
            except WireError as error:
                outage.met(error)
                feed.stop.wait(RETRY_S)

    def _follow(self, camera_id: str, feed: _Feed, outage: Outage) -> None:
        frames = self._bus.watch(FRAMES.name, camera_id, SINCE_S)
        boxes = self._bus.watch(BOXES.name, camera_id, 0.0)
        with closing(frames), closing(boxes):
            while not feed.stop.is_set():
                chunks = _messages(frames.poll(POLL_S), FrameChunk)
                people = [self._known(seen) for seen in _messages(boxes.poll(POLL_S), SeenPeople)]
                outage.over()
                with self._lock:
                    for chunk in chunks:
                        feed.backlog.add(chunk)
                    items: list[Item] = [*chunks, *people]
                    for item in items:
                        for offer in feed.viewers:
                            offer(item)

    def _known(self, seen: SeenPeople) -> PeopleInView:
        rows = self._store.tracklets(seen.tracklet_ids) if seen.site_id == self._store.site_id else []
        known = {row.tracklet.tracklet_id: row.identity_id for row in rows if row.identity_id is not None}
        return PeopleInView(seen, known)


def _messages(records: Iterable[Record], kind: type[_Kind]) -> list[_Kind]:
    found = []
    for record in records:
        try:
            message = codec.decode(record.value or b"")
        except DecodeError:
            continue
        if isinstance(message, kind):
            found.append(message)
    return found


class Viewer:
    """One viewer's queue in an event loop, bounded: a viewer that is too slow loses the oldest items."""

    def __init__(self, loop: asyncio.AbstractEventLoop, cameras: int) -> None:
        self._loop = loop
        self._queue: asyncio.Queue[tuple[int, Item]] = asyncio.Queue(MAX_WAITING * cameras)

    def offer(self, camera: int, item: Item) -> None:
        """Queue an item of one of the viewer's cameras, from any thread."""
        with suppress(RuntimeError):  # the event loop is closed: the process is shutting down
            self._loop.call_soon_threadsafe(self._put, (camera, item))

    async def next(self) -> tuple[int, Item]:
        """Return the next item, and the number of its camera."""
        return await self._queue.get()

    def waiting(self) -> int:
        """Return how many items are queued."""
        return self._queue.qsize()

    def _put(self, entry: tuple[int, Item]) -> None:
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(entry)
