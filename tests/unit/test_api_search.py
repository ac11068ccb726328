"""Searches over the API, with a gallery that answers and a worker that the test plays, over a bus in memory."""

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from prometheus_client import CollectorRegistry

from gallery import asking
from gallery.api.app import create_app
from gallery.asking import Asker
from gallery.config import ApiSettings, GallerySettings
from gallery.errors import NoAnswer
from gallery.handler import build_service
from gallery.store.memory import MemoryStore
from reid_worker.detectors.detection import Detections
from reid_worker.picture_queries import answered
from tests.gallery_tools import Gallery
from tests.words_tools import several_people
from wire import codec
from wire.bus import PICTURE_QUERIES, QUERY_ANSWERS
from wire.memory import MemoryBus
from wire.messages import LookalikeQuery, PictureQuery
from wire.metrics import ServiceMetrics
from wire.queries import MAX_PICTURE_BYTES, refusal


class Looks:
    """The networks of a worker: somebody in the middle of every picture who looks like the track of the test."""

    def __init__(self, store: MemoryStore) -> None:
        row = store.tracklets([store.latest([2], 1)[0][0]])[0]
        self.model_id = row.tracklet.model_id
        self._look = row.tracklet.embedding

    def detect_still(self, image: np.ndarray[Any, Any]) -> Detections:
        height, width = image.shape[:2]
        return Detections(np.array([[width / 4, 0, width / 2, height]], np.float32), np.array([0.9], np.float32))

    def embed_stills(self, people: Sequence[object]) -> np.ndarray[Any, np.dtype[np.float16]]:
        return np.stack([self._look] * len(people))


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with three people: 1, 2 and 3, each on cameras a and b."""
    store = several_people().store
    assert isinstance(store, MemoryStore)
    return store


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus()
    bus.ensure_topics()
    yield bus
    bus.close()


@pytest.fixture
def running(store: MemoryStore, bus: MemoryBus) -> Iterator[None]:
    """Run a gallery, and a worker that does nothing but look at pictures."""
    registry, stop = CollectorRegistry(), threading.Event()
    gallery = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    looks = Looks(store)

    def work() -> None:
        consumer, producer = bus.consumer("reid_worker", [PICTURE_QUERIES.name]), bus.producer()
        while not stop.is_set():
            for record in consumer.poll(8, 0.05):
                query = codec.decode(record.value or b"")
                assert isinstance(query, PictureQuery)
                sent = answered(query, looks)
                producer.send(sent.topic, sent.key, codec.encode(sent.message))
        consumer.close()

    threads = [threading.Thread(target=gallery.run, args=(stop,)), threading.Thread(target=work)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def client(store: MemoryStore, bus: MemoryBus) -> Iterator[TestClient]:
    with TestClient(create_app(store, bus, ApiSettings())) as client:
        yield client


def picture(kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 40), "red").save(out, kind)
    return out.getvalue()


def search(client: TestClient, data: bytes, kind: str = "image/jpeg", **query: int) -> Any:
    return client.post("/v1/search", content=data, headers={"Content-Type": kind}, params=query)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_the_person_of_a_picture_is_found(client: TestClient, kind: str) -> None:
    answer = search(client, picture(kind), f"image/{kind}; charset=binary", limit=2)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["width"], found["height"], found["known"]) == (80, 40, 3)
    (person,) = found["people"]
    assert (person["box"], person["score"]) == ([20, 0, 40, 40], 0.9)
    first, second = person["lookalikes"]
    assert first["identity"]["id"] == 2
    assert first["identity"]["cameras"] == ["a", "b"]
    assert first["probability"] > 0.9 > second["probability"]
    assert first["strangers"] < 0.1


@pytest.mark.usefixtures("running")
def test_the_people_who_look_like_a_track_are_found(client: TestClient, store: MemoryStore) -> None:
    track = store.latest([3], 1)[0][0]
    found = client.get(f"/v1/tracks/{track}/lookalikes", params={"limit": 3}).json()
    assert found["lookalikes"][0]["identity"]["id"] == 3
    assert found["known"] == 3


@pytest.mark.usefixtures("running")
def test_hidden_people_are_not_found(client: TestClient) -> None:
    assert client.post("/v1/identities/2/hide", json={}).status_code == 200
    (person,) = search(client, picture()).json()["people"]
    assert {one["identity"]["id"] for one in person["lookalikes"]} == {1, 3}


@pytest.mark.usefixtures("running")
def test_what_the_worker_refuses_is_said(client: TestClient) -> None:
    answer = search(client, b"<html>502 Bad Gateway</html>")
    assert answer.status_code == 422
    assert "not a JPEG, PNG or WebP" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("data", "kind", "status", "told"),
    [
        (b"", "image/jpeg", 422, "empty"),
        (b"x", "text/plain", 415, "image/jpeg, image/png, image/webp"),
        (b"x", "", 415, "image/jpeg"),
        (b"x" * (MAX_PICTURE_BYTES + 1), "image/png", 413, "6 MiB"),
    ],
)
def test_what_is_no_picture_never_reaches_a_worker(
    client: TestClient, bus: MemoryBus, data: bytes, kind: str, status: int, told: str
) -> None:
    answer = search(client, data, kind)
    assert answer.status_code == status
    assert told in answer.json()["detail"]
    assert not bus.backlog(PICTURE_QUERIES.name, "reid_worker", "any")


def test_a_track_that_does_not_exist_is_404(client: TestClient) -> None:
    assert client.get("/v1/tracks/a/s/99.0/0/lookalikes").status_code == 404


def test_without_a_worker_the_answer_names_what_to_look_at(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WAIT_S", 0.05)
    answer = search(client, picture())
    assert answer.status_code == 504
    assert "is a worker running" in answer.json()["detail"]


def query_of(asker: Asker, number: int) -> PictureQuery:
    return PictureQuery(query_id=str(number), asker=asker.name, site_id="site", time_ns=0, picture=b"x")


@pytest.fixture
def asker(bus: MemoryBus) -> Iterator[Asker]:
    asker = Asker(bus)
    yield asker
    asker.close()


@pytest.fixture
def told(bus: MemoryBus) -> Callable[[str, str, str], None]:
    producer = bus.producer()

    def tell(asker: str, query_id: str, problem: str) -> None:
        producer.send(QUERY_ANSWERS.name, asker, codec.encode(refusal(query_id, asker, problem)))

    return tell


def test_each_of_several_askers_gets_its_own_answers(
    bus: MemoryBus, asker: Asker, told: Callable[[str, str, str], None]
) -> None:
    other = Asker(bus)
    consumer = bus.consumer("reid_worker", [PICTURE_QUERIES.name])
    with ThreadPoolExecutor(4) as pool:
        asked = {(one.name, str(n)): pool.submit(one.ask, query_of(one, n)) for one in (asker, other) for n in (1, 2)}
        seen = 0
        while seen < 4:
            for record in consumer.poll(8, 0.05):
                query = codec.decode(record.value or b"")
                assert isinstance(query, PictureQuery)
                told(query.asker, "unknown", "nobody asked this")
                told(query.asker, query.query_id, f"to {query.asker}, {query.query_id}")
                told(query.asker, query.query_id, "again")
                seen += 1
        assert {name: answer.result().problem for name, answer in asked.items()} == {
            (name, number): f"to {name}, {number}" for name, number in asked
        }
    consumer.close()
    other.close()


def test_beyond_the_most_searches_at_once_the_next_is_refused_until_one_ends(
    client: TestClient, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST", 0)
    answer = search(client, picture())
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    monkeypatch.setattr(asking, "MOST", 1)
    monkeypatch.setattr(asking, "WAIT_S", 0.01)
    for number in range(2):
        with pytest.raises(NoAnswer):
            asker.ask(query_of(asker, number))


def test_an_old_search_is_not_answered_any_more(store: MemoryStore) -> None:
    row = store.tracklets([store.latest([2], 1)[0][0]])[0].tracklet
    old = LookalikeQuery(
        query_id="q",
        asker="me",
        site_id="site",
        time_ns=1,
        model_id=row.model_id,
        embeddings=row.embedding[None],
        boxes=row.boxes[-1:],
        scores=row.scores[-1:],
    )
    gallery = Gallery(MemoryStore("site"), [old])
    gallery.run(1)
    assert not gallery.events
    assert gallery.committed == 1
