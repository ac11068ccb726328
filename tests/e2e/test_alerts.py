"""Alerts of a whole system: from pictures of people to a signed webhook, and over the death of the process."""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.api_server import bind
from deploy.local.embedded import Embedded
from deploy.local.settings import EmbeddedSettings
from gallery.store.store import Identity, Write
from gallery.zones.output import Output
from tests.alert_tools import LEFT_HALF, rule, standing
from tests.conftest import PATIENCE_S, wait_until
from tests.gallery_tools import START
from tests.servers.cluster import Cluster
from tests.servers.receiver import Receiver
from training.synthetic.site import write_site
from wire import codec
from wire.bus import IDENTITIES
from wire.messages import IdentityEvent

WAIT_S = 60.0
SECRET = "a secret of some length"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Return a web server of this machine, which the settings allow."""
    monkeypatch.setenv("CLIMBTRACK_ALERTS_WEBHOOK_HOSTS", "127.0.0.1")
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def system(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedded]:
    monkeypatch.setenv("CLIMBTRACK_WORKER_DETECTOR", "bundled")
    data_dir = tmp_path / "data"
    settings = EmbeddedSettings.load(None, api={"camera_folders": str(tmp_path)})
    with bind("127.0.0.1", 0) as taken, Embedded(settings, data_dir, "mall", taken) as running:
        yield running


def put(system: Embedded, path: str, body: Any) -> None:
    httpx.put(f"{system.api_url}/v1/{path}", json=body, timeout=PATIENCE_S).raise_for_status()


def test_somebody_who_walks_into_a_zone_is_one_signed_webhook_with_their_number(
    system: Embedded, receiver: Receiver, tmp_path: Path
) -> None:
    # Given a site whose people walk into a zone that was drawn over the API
    name = write_site(tmp_path / "site", seed=91, cameras=1, people=2, seconds=8).cameras[0]
    camera = {"camera_id": "door", "url": f"{tmp_path}/site/{name}.mp4", "enabled": False}
    httpx.post(f"{system.api_url}/v1/cameras", json=camera, timeout=PATIENCE_S).raise_for_status()
    area = [[0.02, 0.02], [0.98, 0.02], [0.98, 1], [0.02, 1]]
    put(system, "zones/floor", {"name": "Floor", "camera_id": "door", "points": area})
    put(system, "alert-outputs/shop", {"name": "Shop", "url": receiver.url, "secret": SECRET})
    wanted = {"name": "On the floor", "when": "enters", "zones": ["floor"], "outputs": ["shop"]}
    httpx.post(f"{system.api_url}/v1/alert-rules", json=wanted, timeout=PATIENCE_S).raise_for_status()
    # When its camera runs
    httpx.post(f"{system.api_url}/v1/cameras/door/resume", timeout=PATIENCE_S).raise_for_status()

    def ended() -> bool:
        (camera,) = httpx.get(f"{system.api_url}/v1/cameras", timeout=PATIENCE_S).json()["cameras"]
        return bool(camera["state"] and camera["state"]["ended"])

    wait_until(ended, timeout_s=WAIT_S)
    system.stop_stages()
    # Then each of them was told once, by the number that they have in the list of people
    said = [request.json() for request in receiver.requests]
    people = httpx.get(f"{system.api_url}/v1/identities", timeout=PATIENCE_S).json()["identities"]
    assert sorted(one["identity"] for one in said) == sorted(person["id"] for person in people)
    assert {(one["place"], one["camera_id"]) for one in said} == {("Floor", "door")}
    for request in receiver.requests:
        signed = request.headers["Climbtrack-Timestamp"].encode() + b"." + request.body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert request.headers["Climbtrack-Signature"] == f"v1={expected}"


@pytest.mark.kafka
def test_a_process_that_is_killed_tells_nobody_twice_and_nothing_is_lost(cluster: Cluster, receiver: Receiver) -> None:
    # Given a site with a rule, whose gallery this test plays
    kept = cluster.store.alerting
    kept.save_zone(LEFT_HALF)
    kept.save_output(Output(output_id="shop", name="Shop", url=receiver.url, secret=SECRET))
    kept.save_rule(rule(zones=("left",), outputs=("shop",)))
    events = [decided(cluster, number) for number in range(1, 7)]
    cluster.start("alerts")
    # When the process dies between decisions, and hears some of them again
    publish(cluster, events[:3])
    arrive(receiver, 3)
    cluster.kill("alerts")
    publish(cluster, [*events[:2], *events[3:], *events])
    cluster.start("alerts")
    arrive(receiver, 3)
    publish(cluster, [decided(cluster, 7)])
    arrive(receiver, 1)
    # Then everybody is told once
    assert sorted(request.json()["identity"] for request in receiver.requests) == [1, 2, 3, 4, 5, 6, 7]


def decided(cluster: Cluster, number: int) -> IdentityEvent:
    """Store somebody who stands in the zone, as the gallery does, and return its event."""
    row = standing(f"a/s/{number}.0/0", number, number + 3, owner=number)
    tracklet = row.tracklet
    person = Identity(number, tracklet.first_ns, tracklet.last_ns, ("a",), 1)
    write = Write(cluster.store.learnt().version, START, number + 1, tracklets=[row], identities=[person])
    cluster.store.write(write)
    return IdentityEvent(
        event_id=f"event-{number}",
        kind="created",
        site_id=cluster.site_id,
        identity_id=number,
        previous_ids=(),
        tracklet_id=tracklet.tracklet_id,
        camera_id="a",
        probability=1.0,
        reason="",
        time_ns=tracklet.last_ns,
    )


def publish(cluster: Cluster, events: list[IdentityEvent]) -> None:
    producer = cluster.bus.producer()
    for event in events:
        producer.send(IDENTITIES.name, f"{event.site_id}/{event.identity_id}", codec.encode(event))
    producer.flush(WAIT_S)
    producer.close()


def arrive(receiver: Receiver, count: int) -> None:
    for _ in range(count):
        assert receiver.arrived.acquire(timeout=WAIT_S)
