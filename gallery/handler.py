"""The gallery's message handler: tracklets and progress in, identity events out."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry

from gallery.config import GallerySettings
from gallery.index_faiss import index_for
from gallery.metrics import GalleryMetrics
from gallery.retained import RetainedRecords
from gallery.site_worker import SiteWorker, plan_of
from gallery.store.store import Store
from gallery.weights import EVERYBODY
from wire.bus import IDENTITIES, QUERY_ANSWERS, TRACKLETS, Bus, TopicPartition
from wire.cameras import Cameras, CameraTable, ListedCamera
from wire.health import ServiceMonitor
from wire.messages import CameraProgress, LookalikeQuery, Tracklet, WeightsChoice, Word
from wire.metrics import ServiceMetrics
from wire.queries import is_awaited
from wire.service import Monitor, Outgoing, Received, Rejected, Service

NAME = "gallery"
COUNT_S = 15.0  # between counts of who is known under which weights, as often as Prometheus asks


class GalleryHandler:
    """Decides the identities of all sites of its partitions; see `wire.service.Handler`.

    Events are in the store's journal before they are published, and are republished until the loop has flushed them,
    so none is lost; an event that is sent again has the same content and id.
    """

    def __init__(
        self,
        open_site: Callable[[str], SiteWorker],
        cameras: Cameras,
        metrics: GalleryMetrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
        look_at_retained: Callable[[str, Collection[str]], None] | None = None,
    ) -> None:
        """Keep what is needed.

        Args:
            look_at_retained: Told of sites where somebody may have been erased, and by which words those were of whom
                more has come.
        """
        self._now_ns = now_ns
        self._look_at_retained = look_at_retained or _nobody
        self._erased: set[str] = set()  # sites where the last batch erased somebody
        self._looked_at: set[str] = set()
        self._open_site = open_site
        self._cameras = cameras
        self._metrics = metrics
        self._clock = clock
        self._sites: dict[str, SiteWorker] = {}
        self._sources: dict[str, TopicPartition] = {}
        self._listed: Mapping[str, ListedCamera] = {}
        self._counted_s = -math.inf

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        """Distribute a batch to its sites, and decide all windows that are due."""
        rejected: list[Rejected] = []
        by_site: dict[str, list[Received]] = {}
        queries: list[Received] = []
        for received in batch:
            if isinstance(received.message, LookalikeQuery):
                queries.append(received)
            if isinstance(received.message, Tracklet | CameraProgress | Word | LookalikeQuery | WeightsChoice):
                by_site.setdefault(received.message.site_id, []).append(received)
            else:
                rejected.append(
                    Rejected(received.record, f"the gallery has no use for a {type(received.message).__name__}")
                )
        self._expect_cameras(new_site=not by_site.keys() <= self._sites.keys())
        for site_id, received_ones in by_site.items():
            self._open(site_id, received_ones[0])
        outgoing: list[Outgoing] = []
        for site_id, site in self._sites.items():
            rejected += site.receive(by_site.get(site_id, ()), self._clock())
            if site.came_again:
                self._look_at_retained(site_id, site.came_again)
            site.decide_due(self._clock())
            events = site.outgoing()
            self._erased.update(site_id for event in events if event.kind == "erased")
            outgoing += [Outgoing(IDENTITIES.name, f"{site_id}/{event.identity_id}", event) for event in events]
        outgoing += self._answers(queries)
        self._metrics.identities.set(sum(site.identities() for site in self._sites.values()))
        self._metrics.faded.set(sum(site.faded() for site in self._sites.values()))
        self._count_known()
        return [*rejected, *outgoing]

    def _count_known(self) -> None:
        """Export now and then which weights know the people who were seen lately."""
        if self._clock() - self._counted_s < COUNT_S:
            return
        self._counted_s = self._clock()
        known: Counter[str] = Counter()
        for site in self._sites.values():
            known.update(site.known())
        self._metrics.known_under(known.pop(EVERYBODY, 0), known)

    def _answers(self, queries: Sequence[Received]) -> list[Outgoing]:
        """Answer the searches for which somebody still waits."""
        now_ns = self._now_ns()
        awaited = [received.message for received in queries if is_awaited(received.record.time_ns, now_ns)]
        return [
            Outgoing(QUERY_ANSWERS.name, query.asker, self._sites[query.site_id].lookalikes(query))
            for query in awaited
            if isinstance(query, LookalikeQuery)
        ]

    def flushed(self) -> None:
        """Mark all events as published; each site's store is updated with the next batch."""
        for site in self._sites.values():
            site.published()
        for site_id in self._erased:
            self._look_at_retained(site_id, ())
        self._erased.clear()

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Return the first undecided offset of every partition."""
        needed: dict[TopicPartition, int] = {}
        for site_id, site in self._sites.items():
            offset = site.needed_from()
            if offset is not None:
                source = self._sources[site_id]
                needed[source] = min(offset, needed.get(source, offset))
        return needed

    def waiting(self) -> int:
        """Return how many tracklets are not decided yet."""
        return sum(site.waiting() for site in self._sites.values())

    def busy(self) -> bool:
        """Return False: a window is due by a record or by the clock."""
        return False

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Do nothing: a site is loaded with its first record."""

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Drop the sites of these partitions."""
        for site_id in [site_id for site_id, source in self._sources.items() if source in partitions]:
            del self._sites[site_id]
            del self._sources[site_id]

    def _open(self, site_id: str, first: Received) -> None:
        if site_id in self._sites:
            return
        site = self._open_site(site_id)
        site.restore(self._of_site(site_id), first.record.offset, self._clock())
        self._sites[site_id] = site
        self._sources[site_id] = first.record.source

    def _expect_cameras(self, *, new_site: bool) -> None:
        """Pass the list of cameras on to the sites; for a new site, first read it up to its end."""
        listed = self._cameras.catch_up() if new_site else self._cameras.cameras()
        if listed is self._listed:
            return
        self._listed = listed
        for site_id in {camera.spec.site_id for camera in listed.values()} - self._looked_at:
            self._look_at_retained(site_id, ())  # a gallery that was stopped may have left something
            self._looked_at.add(site_id)
        for site_id, site in self._sites.items():
            site.expect(self._of_site(site_id), self._clock())

    def _of_site(self, site_id: str) -> list[ListedCamera]:
        return [camera for camera in self._listed.values() if camera.spec.site_id == site_id]


class GalleryService(Service):
    """The service loop, which also follows the list of cameras, and deletes what the bus retains of erased people."""

    def __init__(
        self, bus: Bus, handler: GalleryHandler, cameras: CameraTable, retained: RetainedRecords, monitor: Monitor
    ) -> None:
        super().__init__(NAME, bus, handler, topics=[TRACKLETS.name], monitor=monitor)
        self._cameras = cameras
        self._retained = retained

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set; see `Service.run`."""
        with self._cameras, self._retained:
            super().run(stop)


def build_service(
    settings: GallerySettings,
    bus: Bus,
    metrics: ServiceMetrics,
    registry: CollectorRegistry,
    open_store: Callable[[str], Store],
    *,
    monitor: Monitor | None = None,
    persistence: Callable[[], float] | None = None,
) -> Service:
    """Return the gallery's service over a bus.

    Args:
        open_store: Returns the store of a site.
        persistence: Returns the value of the metric of this name at every scrape.
    """
    own, plan = GalleryMetrics(registry), plan_of(settings)
    if persistence is not None:
        own.persistence_failing.set_function(persistence)

    def open_site(site_id: str) -> SiteWorker:
        return SiteWorker(open_store(site_id), plan, index_for, own, metrics)

    cameras = CameraTable(bus)
    retained = RetainedRecords(bus, open_store, settings.erase_wait_s)
    handler = GalleryHandler(open_site, cameras, own, now_ns=bus.now_ns, look_at_retained=retained.look)
    return GalleryService(bus, handler, cameras, retained, monitor or ServiceMonitor(NAME, metrics))


def _nobody(_: str, __: Collection[str]) -> None:
    """Stand in for who deletes records about erased people."""
