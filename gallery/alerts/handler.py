"""The message handler of alerts: identity events in, alerts into the store, from where they are sent."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry

from gallery.alerts.occupancy import occupancy_of
from gallery.alerts.site_watch import Heard, Place, SiteWatch
from gallery.outputs.config import AlertSettings
from gallery.outputs.frames import FramePublisher
from gallery.outputs.metrics import AlertMetrics
from gallery.outputs.mqtt import Broker
from gallery.outputs.posts import no_broker, webhook_post
from gallery.outputs.reporter import Reporter
from gallery.outputs.sender import Post, Sender
from gallery.store.store import Store
from gallery.zones.alert import Alert
from gallery.zones.output import MQTT
from wire.bus import IDENTITIES, Bus, TopicPartition
from wire.health import ServiceMonitor
from wire.messages import IdentityEvent
from wire.metrics import ServiceMetrics
from wire.service import Monitor, Outgoing, Received, Rejected, Service

NAME = "alerts"
LOOK_AGAIN_S = 1.0


class AlertHandler:
    """Watches all sites of its partitions; see `wire.service.Handler`.

    What a batch raises is in the store when `handle` returns, so nothing is published, and a batch that is delivered
    again raises nothing twice.
    """

    def __init__(
        self,
        open_store: Callable[[str], Store],
        metrics: AlertMetrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_store = open_store
        self._metrics = metrics
        self._clock = clock
        self._watches: dict[str, SiteWatch] = {}
        self._looked_s = 0.0

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        """Raise what the rules find in a batch, and what is due by time."""
        rejected: list[Rejected] = []
        by_site: dict[str, list[Heard]] = {}
        for received in batch:
            if isinstance(received.message, IdentityEvent):
                heard = Heard(received.message, Place(received.record.source, received.record.offset))
                by_site.setdefault(received.message.site_id, []).append(heard)
            else:
                rejected.append(Rejected(received.record, "alerts are about identity events only"))
        for site_id, events in by_site.items():
            self._count(self._watch(site_id).hear(events))
        if self._clock() - self._looked_s >= LOOK_AGAIN_S:
            self._looked_s = self._clock()
            for watch in self._watches.values():
                self._count(watch.look_again())
        return rejected

    def flushed(self) -> None:
        """Do nothing: there is no output."""

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Return the first record about somebody of whom it is not known yet whether they have left."""
        needed: dict[TopicPartition, int] = {}
        for watch in self._watches.values():
            for place in watch.needed_from():
                needed[place.source] = min(place.offset, needed.get(place.source, place.offset))
        return needed

    def waiting(self) -> int:
        """Return 0: everything is dealt with at once."""
        return 0

    def busy(self) -> bool:
        """Return False: something is due by a record or by the clock."""
        return False

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Do nothing: a site is watched from its first record on."""

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Leave the people of these partitions to another process."""
        for watch in self._watches.values():
            watch.leave(partitions)

    def sites(self) -> tuple[str, ...]:
        """Return the sites of which something was heard; from any thread."""
        return tuple(self._watches)

    def _watch(self, site_id: str) -> SiteWatch:
        if site_id not in self._watches:
            store = self._open_store(site_id)
            self._watches[site_id] = SiteWatch(store, store.alerting)
        return self._watches[site_id]

    def _count(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            self._metrics.raised.labels(when=alert.when).inc()


class AlertService(Service):
    """The service loop, beside which alerts are sent: each of `beside` runs in a thread of its own."""

    def __init__(
        self, bus: Bus, handler: AlertHandler, beside: Sequence[Callable[[threading.Event], None]], monitor: Monitor
    ) -> None:
        super().__init__(NAME, bus, handler, topics=[IDENTITIES.name], monitor=monitor)
        self._beside = beside

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set; see `Service.run`."""
        ended = threading.Event()
        threads = [threading.Thread(target=run, args=(ended,), name="alerts") for run in self._beside]
        for thread in threads:
            thread.start()
        try:
            super().run(stop)
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def build_service(
    settings: AlertSettings,
    bus: Bus,
    metrics: ServiceMetrics,
    registry: CollectorRegistry,
    open_store: Callable[[str], Store],
    *,
    site_names: Callable[[], Iterable[str]],
    monitor: Monitor | None = None,
) -> Service:
    """Return the service of alerts over a bus.

    Args:
        open_store: Returns the store of a site.
        site_names: Returns the sites that have zones, rules or outputs.

    Raises:
        SettingsError: A file of the settings cannot be used.
    """
    own = AlertMetrics(registry)
    handler = AlertHandler(open_store, own)

    def sites() -> list[Store]:
        return [open_store(name) for name in sorted({*site_names(), *handler.sites()})]

    posts: dict[str, Post] = {"": webhook_post(settings.webhook_hosts), MQTT: no_broker}
    beside: list[Callable[[threading.Event], None]] = []
    if settings.mqtt_url:
        reporter = Reporter(settings, Broker(settings), sites, counts_of)
        posts[MQTT] = reporter.post
        beside.append(reporter.run)
    if settings.nvschema:
        beside.append(FramePublisher(bus, open_store).run)
    beside.append(Sender(sites, posts, own).run)
    return AlertService(bus, handler, beside, monitor or ServiceMonitor(NAME, metrics))


def counts_of(store: Store) -> tuple[int, Mapping[str, int]]:
    """Return how many people are in a site now, and in each of its zones."""
    found = occupancy_of(store)
    return len(found.people), {zone_id: len(people) for zone_id, people in found.zones.items()}
