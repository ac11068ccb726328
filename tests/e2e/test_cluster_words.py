"""What people say reaches the gallery over a real Kafka, whether it runs at that moment or not."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from tests.conftest import PATIENCE_S
from tests.gallery_tools import CAMERAS, axis, progress, tracklet
from tests.servers.cluster import Cluster
from wire import codec
from wire.bus import TRACKLETS
from wire.messages import AnyMessage, CameraProgress, Tracklet

pytestmark = pytest.mark.kafka


def three_people() -> Iterator[AnyMessage]:
    """Yield the tracklets of three people, one after the other on cameras a and b, and how far the cameras are."""
    for person in range(3):
        start = 20 * person
        yield tracklet(f"a/s/{person}.0/0", start, start + 5, axis(person))
        yield tracklet(f"b/s/{person}.0/0", start + 7, start + 12, axis(person))
        yield from (progress(camera, start + 15) for camera in CAMERAS)
    yield from (progress(camera, 80) for camera in CAMERAS)


def send(cluster: Cluster, messages: Iterator[AnyMessage]) -> None:
    producer = cluster.bus.producer()
    for message in messages:
        assert isinstance(message, Tracklet | CameraProgress)
        own = replace(message, site_id=cluster.site_id)
        producer.send(TRACKLETS.name, cluster.site_id, codec.encode(own))
    producer.flush(30.0)
    producer.close()


def test_words_are_carried_out_at_once_or_when_a_gallery_is_back(cluster: Cluster) -> None:
    # Given three people
    cluster.start("gallery")
    cluster.start("api")
    send(cluster, three_people())
    cluster.wait(lambda: len(cluster.store.identities(0, 10)) == 3, "three people")
    with httpx.Client(base_url=f"http://127.0.0.1:{cluster.ports['api']}/v1", timeout=PATIENCE_S) as client:
        # When two of them are merged, the answer is what became of it
        merged = client.post("identities/1/merge", json={"with": [2]})
        assert (merged.status_code, merged.json()["state"]) == (200, "applied")
        assert [one["id"] for one in client.get("identities").json()["identities"]] == [1, 3]
        # And when something is said while no gallery runs, it is sent,
        cluster.kill("gallery")
        sent = client.post("identities/3/name", json={"name": "Anna"})
        assert (sent.status_code, sent.json()["state"]) == (202, "sent")
        # and carried out by the next gallery, once
        cluster.start("gallery")
        path = f"words/{sent.json()['id']}"
        cluster.wait(lambda: client.get(path).status_code == 200, "the word to be heard")
        assert client.get(path).json()["state"] == "applied"
        assert client.get("identities/3").json()["name"] == "Anna"
        undone: Any = client.post(f"words/{merged.json()['id']}/undo").json()
        assert undone["state"] == "applied"
        assert [one["id"] for one in client.get("identities").json()["identities"]] == [1, 2, 3]
        assert len(client.get("words").json()["words"]) == 3
