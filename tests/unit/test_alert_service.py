"""The service of alerts over a bus in memory, and who is where now."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gallery.alerts.handler import AlertHandler, build_service
from gallery.alerts.occupancy import occupancy_of
from gallery.errors import StoreUnavailable
from gallery.outputs.config import AlertSettings
from gallery.outputs.metrics import AlertMetrics
from gallery.store.alerting import AlertQuery
from gallery.zones.alert import Alert, Delivery
from tests.alert_tools import WatchedSite, rule, standing, walk
from tests.conftest import wait_until
from tests.gallery_tools import progress
from wire import codec
from wire.bus import IDENTITIES, Record, TopicPartition
from wire.memory import MemoryBus
from wire.messages import AnyMessage
from wire.metrics import ServiceMetrics
from wire.service import Received, Rejected

PART = TopicPartition(IDENTITIES.name, 0)


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus()
    bus.ensure_topics()
    yield bus
    bus.close()


def received(message: AnyMessage, offset: int = 0) -> Received:
    return Received(Record(PART.topic, PART.partition, offset, "site/1", codec.encode(message), 1), message)


def handler_of(site: WatchedSite) -> AlertHandler:
    return AlertHandler(lambda _: site.store, AlertMetrics(CollectorRegistry()), clock=lambda: 0.0)


def told(site: WatchedSite) -> list[int]:
    return sorted(alert.identity_id for alert in site.alerts.alerts(AlertQuery()).alerts)


def test_events_on_the_bus_become_alerts_and_metrics(bus: MemoryBus) -> None:
    site, registry = WatchedSite(rule()), CollectorRegistry()
    metrics = ServiceMetrics(registry)
    service = build_service(AlertSettings(), bus, metrics, registry, lambda _: site.store, site_names=lambda: ["site"])
    stop = threading.Event()
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    producer = bus.producer()
    for number in (1, 2):
        event = site.stored(standing(f"a/s/{number}.0/0", 0, 5, owner=number)).event
        producer.send(IDENTITIES.name, f"site/{number}", codec.encode(event))
    wait_until(lambda: told(site) == [1, 2], timeout_s=20)
    stop.set()
    thread.join()
    assert registry.get_sample_value("climbtrack_alerts_total", {"when": "enters"}) == 2


def test_a_record_of_another_kind_is_refused_and_the_others_are_not() -> None:
    site = WatchedSite(rule())
    event = site.stored(standing("a/s/1.0/0", 0, 5)).event
    (refused,) = handler_of(site).handle([received(progress("a", 1)), received(event, 1)])
    assert isinstance(refused, Rejected)
    assert told(site) == [1]


def test_a_batch_that_failed_half_way_is_given_again_and_tells_nobody_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    site = WatchedSite(rule())
    batch = [received(site.stored(standing(f"a/s/{n}.0/0", 0, 5, owner=n)).event, n) for n in (1, 2, 3)]
    record, handler = site.alerts.record, handler_of(site)

    def fail_at_two(alerts: Sequence[Alert], marks: Any, deliveries: Sequence[Delivery]) -> None:
        if alerts[0].identity_id == 2:
            raise StoreUnavailable("Redis is away")
        record(alerts, marks, deliveries)

    monkeypatch.setattr(site.alerts, "record", fail_at_two)
    with pytest.raises(StoreUnavailable):
        handler.handle(batch)
    monkeypatch.undo()
    handler.handle(batch)
    assert told(site) == [1, 2, 3]


def test_who_may_have_left_holds_back_the_commit_until_it_is_known() -> None:
    site = WatchedSite(rule("leaves"))
    site.reach("a", 5)
    handler = handler_of(site)
    handler.handle([received(site.stored(standing("a/s/1.0/0", 0, 5)).event, 7)])
    assert handler.needed_from() == {PART: 7}
    handler.revoked([PART])
    assert handler.needed_from() == {}


def test_who_is_here_is_counted_once_and_where_their_feet_are() -> None:
    site = WatchedSite()
    rows = [
        standing("a/s/1.0/0", 0, 10, 0.25, owner=1),
        standing("b/s/1.0/0", 0, 10, 0.25, owner=1),
        walk("a/s/2.0/0", [(8, 0.25, 0.9), (9, 0.75, 0.9)], 2),
        standing("a/s/3.0/0", 0, 1, 0.25, owner=3),
        standing("a/s/4.0/0", 8, 10, 0.25, owner=None),  # type: ignore[arg-type]
    ]
    for row in rows:
        site.stored(row)
    site.stored(standing("a/s/5.0/0", 8, 10, 0.25, owner=5), hidden=True)
    site.reach("a", 12)
    site.reach("b", 12)
    found = occupancy_of(site.store)
    assert (sorted(found.people), {zone: sorted(own) for zone, own in found.zones.items()}) == ([1, 2], {"left": [1]})
    site.reach("a", 13, ended=True)
    assert occupancy_of(site.store).zones == {"left": frozenset()}
