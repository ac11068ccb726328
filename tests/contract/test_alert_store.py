"""All stores of alerts behave the same: the reference in memory, and Redis."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from gallery.store import alerting_memory, alerting_redis
from gallery.store.alerting import LEASE_S, MAX_AGE_S, AlertQuery, AlertStore
from gallery.store.alerting_memory import FULL, MemoryAlertStore
from gallery.store.alerting_redis import RedisAlertStore
from gallery.zones.alert import Alert, Delivery
from gallery.zones.output import Output
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone

S = 1_000_000_000
NOW = 1_700_000_000 * S


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[AlertStore]:
    site = f"site-{uuid.uuid4().hex[:8]}"
    if request.param == "memory":
        yield MemoryAlertStore(site, clock=lambda: NOW)
        return
    client = redis.Redis.from_url(request.getfixturevalue("redis_url"))
    yield RedisAlertStore(client, site, clock=lambda: NOW)
    client.close()


def zone(name: str = "gate") -> Zone:
    return Zone(zone_id=name, name=name, camera_id="a", kind="area", points=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))


def alert(number: int, **fields: Any) -> Alert:
    given = {"rule_id": "r", "identity_id": number, "camera_id": "a", "tracklet_id": f"a/s/{number}.0/0", **fields}
    return Alert(
        alert_id=f"alert-{number:03}",
        rule_name="rule",
        when="enters",
        site_id="site",
        time_ns=NOW + number * S,
        **{"raised_ns": NOW + number * S, **given},
    )


def delivery(number: int, **fields: Any) -> Delivery:
    return Delivery(output_id="shop", alert=alert(number), **{"due_ns": NOW + number * S, **fields})


def test_zones_rules_and_outputs_are_kept_by_id(store: AlertStore) -> None:
    rule = Rule(rule_id="r", name="rule", when="stays", seconds=5, zones=("gate",))
    output = Output(output_id="shop", name="Shop", url="https://shop.example/hook", secret="0123456789abcdef")
    store.save_zone(zone("gate"))
    store.save_zone(zone("door"))
    store.save_rule(rule)
    store.save_output(output)
    assert store.zones() == [zone("door"), zone("gate")]
    assert (store.rules(), store.outputs()) == ([rule], [output])
    assert (store.delete_zone("door"), store.delete_zone("door")) == (True, False)
    assert (store.delete_rule("r"), store.delete_output("shop")) == (True, True)
    assert (store.zones(), store.rules(), store.outputs()) == ([zone("gate")], [], [])


def test_what_is_recorded_is_found(store: AlertStore) -> None:
    store.record([alert(1)], {"r/enters/person/1": ((NOW, NOW + S),)}, [delivery(1)])
    assert store.alerts(AlertQuery()).alerts == [alert(1)]
    assert store.marks(["r/enters/person/1", "r/enters/person/2"]) == {"r/enters/person/1": ((NOW, NOW + S),)}
    assert store.deliveries() == [delivery(1)]


def test_recording_again_changes_nothing(store: AlertStore) -> None:
    for _ in range(2):
        store.record([alert(1)], {}, [delivery(1)])
    assert (len(store.alerts(AlertQuery()).alerts), len(store.deliveries())) == (1, 1)


def test_pages_of_alerts_are_complete_and_newest_first(store: AlertStore) -> None:
    store.record([replace(alert(number), raised_ns=NOW + number // 2) for number in range(9)], {}, [])
    found, after = [], None
    while True:
        page = store.alerts(AlertQuery(after=after, limit=2))
        found += [one.identity_id for one in page.alerts]
        after = page.next
        if after is None:
            break
    assert found == [8, 7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"rule_id": "other"}, [3], id="rule"),
        pytest.param({"identities": (2, 9)}, [2], id="person"),
        pytest.param({"camera_id": "b"}, [4], id="camera"),
        pytest.param({"from_ns": NOW + 2 * S, "to_ns": NOW + 3 * S}, [3, 2], id="time"),
    ],
)
def test_alerts_are_filtered(store: AlertStore, query: dict[str, Any], expected: list[int]) -> None:
    store.record([alert(1), alert(2), alert(3, rule_id="other"), alert(4, camera_id="b")], {}, [])
    assert [one.identity_id for one in store.alerts(AlertQuery(**query)).alerts] == expected


def test_old_alerts_are_deleted_by_age_and_by_number(store: AlertStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (alerting_memory, alerting_redis):
        monkeypatch.setattr(module, "MAX_ALERTS", 2)
    store.record([alert(0, raised_ns=NOW - MAX_AGE_S * S - S)], {}, [])
    assert store.alerts(AlertQuery()).alerts == []
    store.record([alert(1), alert(2), alert(3)], {}, [])
    assert store.alerts(AlertQuery()).alerts == [alert(3), alert(2)]


def test_a_delivery_that_is_taken_is_not_taken_twice_until_its_lease_ends(store: AlertStore) -> None:
    store.record([alert(1), alert(9)], {}, [delivery(1), delivery(9)])
    assert store.take_due(NOW + 5 * S, 10) == [delivery(1)]
    assert store.take_due(NOW + 6 * S, 10) == []
    again = store.take_due(NOW + 6 * S + int(LEASE_S * S), 10)
    assert [one.alert.identity_id for one in again] == [9, 1]


def test_a_settled_delivery_waits_again_is_dead_or_is_gone(store: AlertStore) -> None:
    store.record([alert(n) for n in (1, 2, 3)], {}, [delivery(n) for n in (1, 2, 3)])
    store.settle(delivery(1, state="sent"))
    later = delivery(2, due_ns=NOW + 100 * S, tries=1, error="refused")
    store.settle(later)
    dead = delivery(3, state="dead", error="gone")
    store.settle(dead)
    assert store.deliveries() == [later, dead]
    assert store.take_due(NOW + 101 * S, 10) == [later]


def test_nothing_waits_for_an_output_that_is_added_again_under_the_name_of_a_deleted_one(store: AlertStore) -> None:
    shop = Output(output_id="shop", name="Shop", url="https://shop.example/hook", secret="0123456789abcdef")
    store.save_output(shop)
    other = replace(delivery(3), output_id="office")
    store.record([alert(n) for n in (1, 2, 3)], {}, [delivery(1), delivery(2), other])
    store.settle(delivery(2, state="dead", error="refused"))
    assert store.delete_output("shop")

    store.save_output(shop)
    assert store.deliveries() == [other]


def test_too_many_waiting_deliveries_give_up_the_oldest(store: AlertStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (alerting_memory, alerting_redis):
        monkeypatch.setattr(module, "MAX_WAITING", 2)
        monkeypatch.setattr(module, "MAX_DEAD", 1)
    store.record([alert(n) for n in range(4)], {}, [delivery(n) for n in range(4)])
    assert store.deliveries() == [delivery(2), delivery(3), delivery(1, state="dead", error=FULL)]


def test_people_who_are_forgotten_leave_nothing(store: AlertStore) -> None:
    marks = {"r/enters/person/1": ((NOW, NOW),), "r/enters/tracklet/a/s/1.0/0": ((NOW, NOW),)}
    store.record([alert(1), alert(2)], marks, [delivery(1), delivery(2)])
    assert store.forget([1, 7]) == 1
    assert store.alerts(AlertQuery()).alerts == [alert(2)]
    assert store.deliveries() == [delivery(2)]
    assert store.marks(list(marks)) == {}
    store.settle(delivery(1, tries=1))  # a process was just sending it
    assert store.deliveries() == [delivery(2)]
