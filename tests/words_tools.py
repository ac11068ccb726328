"""A gallery that people talk to: tracklets and words in, identities and the journal of words out."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from gallery.config import GallerySettings
from gallery.handler import GalleryHandler
from gallery.index import FlatIndex
from gallery.metrics import GalleryMetrics
from gallery.site_worker import SiteWorker, plan_of
from gallery.store.memory import MemoryStore
from gallery.store.said import StoredWord
from gallery.store.store import Store, TrackQuery
from tests.gallery_tools import CAMERAS, START, FixedCameras, S, axis, progress, tracklet
from wire import codec
from wire.bus import Record
from wire.cameras import ListedCamera
from wire.messages import AnyMessage, CameraSpec, IdentityEvent, Tracklet, Word
from wire.metrics import ServiceMetrics
from wire.service import Outgoing, Received


class Talk:
    """A gallery over a store, to which messages and words are sent; `restart` forgets what it has in memory."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        first_offset: int = 0,
        look_at_retained: Callable[[str, Collection[str]], None] | None = None,
        **settings: Any,
    ) -> None:
        self.store: Store = store or MemoryStore("site")
        self._look_at_retained = look_at_retained
        self.events: list[IdentityEvent] = []
        self._offset = first_offset
        self._words = 0
        self._workers: list[SiteWorker] = []
        self._settings = GallerySettings(**settings)
        self._handler = self._new_handler()

    def restart(self) -> None:
        """Begin again with what is stored."""
        self._handler = self._new_handler()

    @property
    def worker(self) -> SiteWorker:
        """Return the worker of the site, which exists once something was sent."""
        return self._workers[-1]

    def _new_handler(self) -> GalleryHandler:
        metrics, shared = GalleryMetrics(CollectorRegistry()), ServiceMetrics(CollectorRegistry())
        specs = [CameraSpec(camera_id=c, site_id="site", url="x.mp4", mode="complete") for c in CAMERAS]

        def open_site(_: str) -> SiteWorker:
            self._workers.append(SiteWorker(self.store, plan_of(self._settings), FlatIndex, metrics, shared))
            return self._workers[-1]

        return GalleryHandler(
            open_site,
            FixedCameras([ListedCamera(spec, 0) for spec in specs]),
            metrics,
            clock=lambda: 0.0,
            look_at_retained=self._look_at_retained,
        )

    def send(self, *messages: AnyMessage) -> None:
        """Have a batch handled and published."""
        batch = []
        for message in messages:
            batch.append(Received(Record("tracklets", 0, self._offset, "site", codec.encode(message), 1), message))
            self._offset += 1
        sent = [item.message for item in self._handler.handle(batch) if isinstance(item, Outgoing)]
        self.events += [event for event in sent if isinstance(event, IdentityEvent)]
        self._handler.flushed()

    def see(self, *tracklets: Tracklet, until_s: float) -> None:
        """Send tracklets, and that all cameras were analysed up to a time."""
        self.send(*tracklets, *(progress(camera, until_s) for camera in CAMERAS))

    def say(self, kind: Any, **fields: Any) -> StoredWord:
        """Send a word, and return what the journal says of it."""
        self._words += 1
        word = Word(
            word_id=f"w{self._words}", kind=kind, site_id="site", author="Eve", time_ns=START + 3600 * S, **fields
        )
        self.send(word)
        found = self.store.word(word.word_id)
        assert found is not None
        return found

    def owners(self) -> dict[str, int | None]:
        """Return the identity of every tracklet."""
        return {row.tracklet.tracklet_id: row.identity_id for row in self.store.find(TrackQuery(limit=100_000))}

    def groups(self) -> list[set[str]]:
        """Return the tracklets of each identity, sorted."""
        by_number: dict[int | None, set[str]] = {}
        for key, number in self.owners().items():
            by_number.setdefault(number, set()).add(key)
        return sorted(by_number.values(), key=sorted)


def several_people(make: Callable[[], Talk] = Talk) -> Talk:
    """Return a gallery that has seen three people, one after the other on cameras a and b; identities 1, 2 and 3."""
    talk = make()
    for person in range(3):
        start = 20 * person
        seen = [
            tracklet(f"{camera}/s/{person}.0/0", start + later, start + later + 5, axis(person))
            for camera, later in (("a", 0), ("b", 7))
        ]
        talk.see(*seen, until_s=start + 15)
    talk.see(until_s=80)
    return talk


def alike(one: int, other: int, share: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a look between those of two people."""
    return np.asarray(np.sqrt(1 - share**2) * axis(one) + share * axis(other))
