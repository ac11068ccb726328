"""The service of alerts over a bus in memory, and who is where now."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from gallery.alerts.handler import AlertHandler, build_service
from gallery.alerts.occupancy import occupancy_of
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.errors import StoreUnavailable
from gallery.outputs.config import AlertSettings
from gallery.outputs.metrics import AlertMetrics
from gallery.store.alerting import AlertQuery
from gallery.zones.alert import Alert, Delivery
from tests.alert_tools import WatchedSite, rule, standing, walk
from tests.conftest import wait_until
from tests.gallery_tools import progress
from wire import codec
from wire.bus import CAMERAS, IDENTITIES, Record, TopicPartition
from wire.memory import MemoryBus
from wire.messages import AnyMessage, CameraSpec
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
    wait_until(lambda: told(site) == [1, 2])
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


def rule_over_the_api(site: WatchedSite, bus: MemoryBus, **fields: Any) -> str:
    """Make a rule, or change one, as the page does; return its id."""
    body = {"name": "Rule", "when": "enters", **fields}
    with TestClient(create_app(site.store, bus, ApiSettings())) as client:
        answer = client.put("/v1/alert-rules/r", json=body)
    answer.raise_for_status()
    return str(answer.json()["rule_id"])


def test_a_new_rule_tells_nothing_of_the_time_before_it_and_everything_after(bus: MemoryBus) -> None:
    site = WatchedSite()
    handler = handler_of(site)
    for number, end_s in ((1, 100), (2, 298)):  # who has gone, and who goes on standing there
        handler.handle([received(site.stored(standing(f"a/s/{number}.0/0", 0, end_s, owner=number)).event)])
    site.reach("a", 300)

    rule_over_the_api(site, bus)
    for second in range(300, 1200, 8):
        row = standing(f"a/s/2.0/{second}", second, second + 8, owner=2)
        handler.handle([received(site.stored(row).event)])
    handler.handle([received(site.stored(standing("a/s/1.0/9", 90, 101, owner=1)).event)])
    assert told(site) == []

    handler.handle([received(site.stored(standing("a/s/3.0/0", 301, 310, owner=3)).event)])
    handler.handle([received(site.stored(standing("a/s/1.1/0", 400, 410, owner=1)).event)])
    assert told(site) == [1, 3]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"when": "stays", "seconds": 60}, [2], id="who was there stays on"),
        pytest.param({"when": "stays", "seconds": 20}, [], id="who had stayed before"),
        pytest.param({"when": "leaves"}, [2], id="who was there leaves"),
        pytest.param({"when": "count", "people": 0}, [], id="who was there was counted before"),
        pytest.param({"who": "new"}, [], id="who was there is not new"),
    ],
)
def test_whoever_is_there_when_a_rule_is_made(bus: MemoryBus, fields: dict[str, Any], expected: list[int]) -> None:
    site = WatchedSite()
    handler = handler_of(site)
    handler.handle([received(site.stored(standing("a/s/2.0/0", 0, 30, owner=2)).event)])
    site.reach("a", 30)

    rule_over_the_api(site, bus, **fields)
    handler.handle([received(site.stored(standing("a/s/2.0/1", 30, 70, owner=2)).event)])
    site.reach("a", 120)
    site.watch.hear([])
    for watch in (handler, AlertHandler(lambda _: site.store, AlertMetrics(CollectorRegistry()), clock=lambda: 9.0)):
        watch.handle([received(site.stored(standing("a/s/2.0/1", 30, 70, owner=2)).event)])
    assert told(site) == expected


def test_a_recording_of_long_ago_is_told_of_though_the_rule_is_of_today(bus: MemoryBus) -> None:
    site = WatchedSite()
    site.reach("a", 10_000)  # another camera is far ahead
    rule_over_the_api(site, bus)
    handler_of(site).handle([received(site.stored(standing("b/s/1.0/0", 0, 5, owner=1)).event)])
    assert told(site) == [1]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"name": "Another name", "quiet": {"begin": "22:00", "end": "06:00"}}, [1], id="name and quiet"),
        pytest.param({"cameras": ["a"]}, [], id="its place"),
        pytest.param({"who": "unnamed"}, [], id="its people"),
    ],
)
def test_a_rule_that_is_changed_is_new_if_it_asks_something_else(
    bus: MemoryBus, change: dict[str, Any], expected: list[int]
) -> None:
    bus.producer().send(CAMERAS.name, "a", codec.encode(CameraSpec(camera_id="a", site_id="site", url="0")))
    site = WatchedSite()
    rule_over_the_api(site, bus)
    site.reach("a", 100)
    rule_over_the_api(site, bus, **change)

    handler_of(site).handle([received(site.stored(standing("a/s/1.0/0", 50, 60, owner=1)).event)])
    assert told(site) == expected


def test_a_rule_that_was_off_says_nothing_of_that_time(bus: MemoryBus) -> None:
    site = WatchedSite()
    rule_over_the_api(site, bus)
    rule_over_the_api(site, bus, enabled=False)
    site.reach("a", 100)
    rule_over_the_api(site, bus)

    handler = handler_of(site)
    for number, second in ((1, 50), (2, 101)):
        row = standing(f"a/s/{number}.0/0", second, second + 5, owner=number)
        handler.handle([received(site.stored(row).event)])
    assert told(site) == [2]
