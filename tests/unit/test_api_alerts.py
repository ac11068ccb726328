"""Zones, alert rules, outputs and alerts over the API."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from gallery.api.alerting.outputs import outputs_router
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.store.alerting_memory import MemoryAlertStore
from tests.alert_tools import WatchedSite, rule, standing
from wire import codec
from wire.bus import CAMERAS
from wire.memory import MemoryBus
from wire.messages import CameraSpec

AREA: dict[str, Any] = {"name": "Entrance", "camera_id": "a", "points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
LINE: dict[str, Any] = {"name": "Door", "camera_id": "a", "kind": "line", "points": [[0.5, 0], [0.5, 1]]}
RULE: dict[str, Any] = {"name": "Somebody at the entrance", "when": "enters", "zones": ["entrance"]}
HOOK: dict[str, Any] = {"name": "Shop", "url": "https://me:pw@shop.example/hook/T0KEN?k=1", "secret": "s" * 32}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[WatchedSite, TestClient]]:
    """Return a site with cameras a and b, and a client of its API; starting one takes most of a test's time."""
    site, bus = WatchedSite(zones=[]), MemoryBus()
    bus.ensure_topics()
    for camera in ("a", "b"):
        spec = CameraSpec(camera_id=camera, site_id="site", url="0")
        bus.producer().send(CAMERAS.name, camera, codec.encode(spec))
    with TestClient(create_app(site.store, bus, ApiSettings())) as client:
        yield site, client
    bus.close()


@pytest.fixture
def client(served: tuple[WatchedSite, TestClient]) -> Iterator[TestClient]:
    """Return a client of a site with one zone and one output, and nothing of earlier tests."""
    site, client = served
    client.put("/v1/zones/entrance", json=AREA).raise_for_status()
    client.put("/v1/alert-outputs/shop", json=HOOK).raise_for_status()
    yield client
    for one in site.alerts.rules():
        site.alerts.delete_rule(one.rule_id)
    for zone in site.alerts.zones():
        site.alerts.delete_zone(zone.zone_id)
    site.alerts.delete_output("shop")
    site.alerts.forget([0, 1, 2])


@pytest.fixture
def site(served: tuple[WatchedSite, TestClient]) -> WatchedSite:
    return served[0]


def test_a_zone_is_set_shown_changed_and_deleted(client: TestClient) -> None:
    assert client.get("/v1/zones/entrance").json()["points"] == AREA["points"]
    moved = {**AREA, "points": [[0, 0], [1, 0], [1, 1]], "colour": 3}
    changed = client.put("/v1/zones/entrance", json=moved).json()
    assert changed == {**moved, "zone_id": "entrance", "kind": "area", "version": changed["version"]}
    assert client.get("/v1/zones", params={"camera": "b"}).json() == {"zones": []}
    assert client.delete("/v1/zones/entrance").status_code == 204
    assert client.get("/v1/zones/entrance").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param({"points": [[0, 0], [1, 1], [1, 0], [0, 1]]}, "crosses itself", id="crossing itself"),
        pytest.param({"points": [[0, 0], [1, 1]]}, "2 corners", id="too few corners"),
        pytest.param({"points": [[0, 0], [1, 0], [1, 1.5]]}, "divide pixels", id="outside of the picture"),
        pytest.param({"points": [[i / 9999, 0] for i in range(9999)]}, "at most 64", id="thousands of corners"),
        pytest.param({"points": [[0, 0], [0.5, 0.5], [1, 1]]}, "no area", id="flat"),
        pytest.param({"points": [[0, 0, 1], [1, 0], [1, 1]]}, "at most 2", id="three coordinates"),
        pytest.param({"kind": "line", "points": [[0, 0]]}, "needs two", id="a line with one end"),
        pytest.param({"kind": "line", "points": [[0, 0], [0, 0]]}, "equal points", id="a line of no length"),
        pytest.param({"name": " "}, "without spaces", id="no name"),
        pytest.param({"name": "a\nb"}, "control characters", id="two lines"),
        pytest.param({"camera_id": "nowhere"}, "no camera 'nowhere'", id="unknown camera"),
        pytest.param({"corners": []}, "corners", id="unknown field"),
    ],
)
def test_a_zone_that_cannot_be_is_refused_in_words(client: TestClient, wrong: dict[str, Any], words: str) -> None:
    answer = client.put("/v1/zones/other", json={**AREA, "name": "Other", **wrong})
    assert (answer.status_code, words in answer.text) == (422, True), answer.text


def test_of_two_people_who_change_a_zone_the_later_one_is_told(client: TestClient) -> None:
    opened = client.get("/v1/zones/entrance").json()
    mine, theirs = ({**AREA, "version": opened["version"], "colour": colour} for colour in (2, 3))

    saved = client.put("/v1/zones/entrance", json=theirs)
    refused = client.put("/v1/zones/entrance", json=mine)

    assert (saved.status_code, refused.status_code) == (200, 409)
    assert refused.json()["detail"].startswith(f"somebody has changed '{AREA['name']}' since you opened it")
    assert client.get("/v1/zones/entrance").json() == saved.json()
    again = {**mine, "version": saved.json()["version"]}
    assert client.put("/v1/zones/entrance", json=again).json()["colour"] == 2
    client.delete("/v1/zones/entrance")
    assert "somebody has deleted" in client.put("/v1/zones/entrance", json=again).json()["detail"]


def test_of_two_people_who_change_a_rule_the_later_one_is_told(client: TestClient) -> None:
    opened = client.post("/v1/alert-rules", json=RULE).json()
    path = f"/v1/alert-rules/{opened.pop('rule_id')}"

    assert client.put(path, json={**opened, "enabled": False}).status_code == 200
    refused = client.put(path, json={**opened, "people": 0, "name": "Mine"})

    assert (refused.status_code, "load it again" in refused.text) == (409, True)
    assert client.get(path).json()["enabled"] is False
    assert client.put(path, json={**RULE, "name": "Whatever it is now"}).status_code == 200


@pytest.mark.parametrize("corner", ["NaN", "Infinity", "1e999"])
def test_corners_are_numbers(client: TestClient, corner: str) -> None:
    body = f'{{"name": "x", "camera_id": "a", "points": [[0, 0], [1, 0], [1, {corner}]]}}'
    assert client.put("/v1/zones/x", content=body, headers={"Content-Type": "application/json"}).status_code == 422


def test_two_zones_cannot_have_one_name(client: TestClient) -> None:
    answer = client.put("/v1/zones/other", json={**AREA, "name": "eNTRANCE"})
    assert (answer.status_code, "another name" in answer.text) == (409, True)


def test_a_zone_that_a_rule_is_about_stays_what_it_is(client: TestClient) -> None:
    assert client.post("/v1/alert-rules", json=RULE).status_code == 201
    answer = client.delete("/v1/zones/entrance")
    assert (answer.status_code, RULE["name"] in answer.text) == (409, True)
    assert client.put("/v1/zones/entrance", json={**LINE, "name": "Entrance"}).status_code == 422


def test_a_rule_is_added_changed_and_deleted(client: TestClient) -> None:
    night = {"begin": "22:00", "end": "06:00", "days": ["fri"], "time_zone": "Europe/Vienna"}
    added = client.post("/v1/alert-rules", json={**RULE, "active": night, "outputs": ["shop"]}).json()
    assert added["active"] == night
    path = f"/v1/alert-rules/{added['rule_id']}"
    changed = client.put(path, json={**RULE, "when": "stays", "seconds": 300}).json()
    assert client.get("/v1/alert-rules").json() == {"rules": [changed]}
    assert client.get(path).json()["seconds"] == 300
    assert client.delete(path).status_code == 204
    assert (client.get(path).status_code, client.post(f"{path}/try").status_code) == (404, 404)
    assert client.put("/v1/alert-rules/mine", json=RULE).json()["rule_id"] == "mine"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param({"zones": ["exit"]}, "there is no 'exit'; known are entrance", id="unknown zone"),
        pytest.param({"cameras": ["c"]}, "known are a, b", id="unknown camera"),
        pytest.param({"outputs": ["mail"]}, "known are mqtt, shop", id="unknown output"),
        pytest.param({"when": "stays"}, "needs from 1", id="a stay of no length"),
        pytest.param({"seconds": 5}, "leave it out", id="a length without a stay"),
        pytest.param({"when": "crosses"}, "needs a line", id="crossing an area"),
        pytest.param({"when": "crosses", "zones": []}, "needs a line", id="crossing nothing"),
        pytest.param({"when": "count", "who": "named"}, "leave out who", id="a count of somebody"),
        pytest.param({"active": {"begin": "25:00", "end": "06:00"}}, "time of day", id="no time of day"),
        pytest.param({"quiet": {"begin": "22:00", "end": "06:00", "time_zone": "Mars"}}, "Europe/Vienna", id="no zone"),
        pytest.param({"quiet": {"begin": "22:00", "end": "06:00", "time_zone": "../x"}}, "unknown", id="a path"),
        pytest.param({"active": {"begin": "22:00", "end": "06:00", "days": []}}, "some of mon", id="no day"),
        pytest.param({"identities": [0]}, "from 1", id="nobody"),
    ],
)
def test_a_rule_that_cannot_apply_is_refused_in_words(client: TestClient, wrong: dict[str, Any], words: str) -> None:
    answer = client.post("/v1/alert-rules", json={**RULE, **wrong})
    assert (answer.status_code, words in answer.text) == (422, True), answer.text


def test_secrets_and_tokens_of_an_output_are_never_shown(client: TestClient) -> None:
    shown = client.get("/v1/alert-outputs").text + client.put("/v1/alert-outputs/shop", json={"name": "Shop 2"}).text
    assert "shop.example" in shown
    assert not any(secret in shown for secret in ("pw", "T0KEN", "k=1", HOOK["secret"]))


def test_an_output_keeps_its_secret_and_address_when_it_is_renamed(client: TestClient, site: WatchedSite) -> None:
    client.put("/v1/alert-outputs/shop", json={"name": "Other"})
    (output,) = site.alerts.outputs()
    assert (output.name, output.url, output.secret) == ("Other", HOOK["url"], HOOK["secret"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param({"url": "file:///etc/passwd"}, "must start with https", id="a file"),
        pytest.param({"url": "https://a/ b"}, "percent-encode", id="spaces"),
        pytest.param({"url": "https://a:99999/"}, "cannot be read", id="no port"),
        pytest.param({"url": ""}, "must start with", id="no address"),
        pytest.param({"url": "http://10.0.0.5/T0KEN"}, "add 10.0.0.5 to alerts.webhook_hosts", id="of this network"),
        pytest.param({"url": "http://localhost:8123/T0KEN"}, "localhost (127.0.0.1) is not public", id="this machine"),
        pytest.param({"secret": "short"}, "16-256", id="a short secret"),
        pytest.param({"secret": None}, "16-256", id="no secret"),
        pytest.param({"certificate": "abc"}, "64 hexadecimal", id="no digest"),
    ],
)
def test_an_output_that_cannot_be_is_refused_in_words(client: TestClient, wrong: dict[str, Any], words: str) -> None:
    answer = client.put("/v1/alert-outputs/new", json={**HOOK, **wrong})
    assert (answer.status_code, words in answer.text) == (422, True), answer.text
    assert "T0KEN" not in answer.text


def test_an_output_of_this_network_is_taken_if_the_settings_of_alerts_list_it_and_kept_if_they_no_longer_do() -> None:
    kept = MemoryAlertStore("site")
    hook = {**HOOK, "url": "http://10.0.0.5/hook"}
    for hosts, given, expected in ((("10.0.0.0/8",), hook, 200), ((), hook, 422), ((), {"name": "Other"}, 200)):
        app = FastAPI()
        app.include_router(outputs_router(kept, hosts))
        assert TestClient(app).put("/v1/alert-outputs/home", json=given).status_code == expected
    (output,) = kept.outputs()
    assert (output.name, output.url) == ("Other", "http://10.0.0.5/hook")


def test_an_output_in_use_is_not_deleted(client: TestClient) -> None:
    added = client.post("/v1/alert-rules", json={**RULE, "outputs": ["shop"]}).json()
    assert client.delete("/v1/alert-outputs/shop").status_code == 409
    client.delete(f"/v1/alert-rules/{added['rule_id']}")
    assert client.delete("/v1/alert-outputs/shop").status_code == 204
    assert client.delete("/v1/alert-outputs/shop").status_code == 404


def test_trying_a_rule_raises_a_marked_alert_and_sends_it(client: TestClient, site: WatchedSite) -> None:
    added = client.post("/v1/alert-rules", json={**RULE, "outputs": ["shop"]}).json()
    tried = client.post(f"/v1/alert-rules/{added['rule_id']}/try").json()
    assert (tried["test"], tried["text"].startswith("Test: ")) == (True, True)
    assert client.get("/v1/alerts").json()["alerts"] == [tried]
    (delivery,) = site.alerts.deliveries()
    assert (delivery.output_id, delivery.alert.alert_id) == ("shop", tried["alert_id"])
    assert client.get("/v1/alert-outputs").json()["outputs"][0]["waiting"] == 1


def test_alerts_are_listed_with_todays_names_in_pages(client: TestClient, site: WatchedSite) -> None:
    site.alerts.save_rule(rule())
    site.decide(standing("a/s/1.0/0", 0, 5, owner=1), standing("b/s/2.0/0", 0, 5, owner=2), name="Ann")
    first = client.get("/v1/alerts", params={"limit": 1}).json()
    second = client.get("/v1/alerts", params={"limit": 1, "after": first["next"]}).json()
    found = {alert["identity"]: alert for page in (first, second) for alert in page["alerts"]}
    assert {number: alert["text"] for number, alert in found.items()} == {
        1: "Ann entered a",
        2: "Ann entered b",
    }
    site.merge(2, into=1)
    merged = client.get("/v1/alerts", params={"identity": 2}).json()["alerts"]
    assert {alert["text"] for alert in merged} == {"Ann entered a", "Ann entered b"}
    assert {alert["identity"] for alert in merged} == {1}
    assert [a["identity"] for a in client.get("/v1/alerts", params={"camera": "b"}).json()["alerts"]] == [1]
    assert client.get("/v1/alerts", params={"after": "1-x"}).status_code == 422
