"""The gallery's stage: tracklets and progress in, identity events out."""

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry

from gallery.config import GallerySettings
from gallery.index_faiss import exact_index
from gallery.metrics import GalleryMetrics
from gallery.site_worker import ListedCamera, SiteWorker, plan_of
from gallery.store import Store
from wire import codec
from wire.bus import CAMERAS, IDENTITIES, TRACKLETS, Bus, TopicPartition
from wire.errors import DecodeError
from wire.health import ServiceMonitor
from wire.messages import CameraProgress, CameraSpec, Tracklet
from wire.metrics import ServiceMetrics
from wire.service import Monitor, Outgoing, Received, Rejected, Service

NAME = "gallery"
LIST_CAMERAS_S = 5.0  # so long a camera that was just added may be missing from the ones that are waited for


class GalleryHandler:
    """Decides the identities of all sites of its partitions; see `wire.service.Handler`.

    Events stand in the store's journal before they are published, and are published again until the loop has flushed
    them, so none is lost; they are the same ones whenever they are sent.
    """

    def __init__(
        self,
        open_site: Callable[[str], SiteWorker],
        list_cameras: Callable[[], Sequence[ListedCamera]],
        metrics: GalleryMetrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_site = open_site
        self._list_cameras = list_cameras
        self._metrics = metrics
        self._clock = clock
        self._sites: dict[str, SiteWorker] = {}
        self._sources: dict[str, TopicPartition] = {}
        self._listed: Sequence[ListedCamera] = ()
        self._listed_s = -math.inf

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        """Sort a batch into its sites and decide all windows that are due."""
        rejected: list[Rejected] = []
        by_site: dict[str, list[Received]] = {}
        for received in batch:
            if isinstance(received.message, Tracklet | CameraProgress):
                by_site.setdefault(received.message.site_id, []).append(received)
            else:
                rejected.append(Rejected(received.record, "the gallery reads tracklets and progress only"))
        self._expect_cameras(at_once=not by_site.keys() <= self._sites.keys())
        for site_id, received_ones in by_site.items():
            self._open(site_id, received_ones[0])
        outgoing: list[Outgoing] = []
        for site_id, site in self._sites.items():
            site.receive(by_site.get(site_id, ()), self._clock())
            site.decide_due(self._clock())
            outgoing += [Outgoing(IDENTITIES.name, f"{site_id}/{e.identity_id}", e) for e in site.outgoing()]
        self._metrics.identities.set(sum(site.identities() for site in self._sites.values()))
        return [*rejected, *outgoing]

    def flushed(self) -> None:
        """Note that all events are published; each site's store hears of it with the next batch."""
        for site in self._sites.values():
            site.published()

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Return the first undecided offset of every partition."""
        needed: dict[TopicPartition, int] = {}
        for site_id, site in self._sites.items():
            offset = site.needed_from()
            if offset is not None:
                source = self._sources[site_id]
                needed[source] = min(offset, needed.get(source, offset))
        return needed

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Do nothing: a site is loaded with its first record."""

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Forget the sites of partitions."""
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

    def _expect_cameras(self, *, at_once: bool) -> None:
        now_s = self._clock()
        if not at_once and now_s - self._listed_s < LIST_CAMERAS_S:
            return
        self._listed, self._listed_s = self._list_cameras(), now_s
        for site_id, site in self._sites.items():
            site.expect(self._of_site(site_id), now_s)

    def _of_site(self, site_id: str) -> list[ListedCamera]:
        return [camera for camera in self._listed if camera.spec.site_id == site_id]


def listed_cameras(bus: Bus) -> list[ListedCamera]:
    """Return the cameras that should run, as the `cameras` topic says; what is no camera is skipped."""
    found = []
    for record in bus.table(CAMERAS.name).values():
        try:
            message = codec.decode(record.value or b"")
        except DecodeError:
            continue  # whoever reads the topic as a stream sends it to the dead letters
        if isinstance(message, CameraSpec):
            found.append(ListedCamera(message, record.time_ns))
    return found


def build_service(
    settings: GallerySettings,
    bus: Bus,
    metrics: ServiceMetrics,
    registry: CollectorRegistry,
    open_store: Callable[[str], Store],
    *,
    monitor: Monitor | None = None,
) -> Service:
    """Return the gallery's service over a bus; `open_store` returns the store of a site."""
    own, plan = GalleryMetrics(registry), plan_of(settings)

    def open_site(site_id: str) -> SiteWorker:
        return SiteWorker(open_store(site_id), plan, exact_index, own, metrics)

    handler = GalleryHandler(open_site, lambda: listed_cameras(bus), own)
    return Service(NAME, bus, handler, topics=[TRACKLETS.name], monitor=monitor or ServiceMonitor(NAME, metrics))
