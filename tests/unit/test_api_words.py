"""What people say over the API, with a gallery that listens, over a store and a bus in memory."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from gallery.api.app import create_app
from gallery.api.identities.words import Asking
from gallery.config import ApiSettings, GallerySettings
from gallery.handler import build_service
from gallery.store.memory import MemoryStore
from tests.words_tools import several_people
from wire.memory import MemoryBus
from wire.metrics import ServiceMetrics


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
def listening(store: MemoryStore, bus: MemoryBus) -> Iterator[None]:
    registry = CollectorRegistry()
    service = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    stop = threading.Event()
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def client(store: MemoryStore, bus: MemoryBus) -> Iterator[TestClient]:
    with TestClient(create_app(store, bus, ApiSettings())) as client:
        yield client


@pytest.fixture(scope="module")
def unheard() -> Iterator[TestClient]:
    """Return a client of an API whose site has three people, and no gallery."""
    bus = MemoryBus()
    with TestClient(create_app(several_people().store, bus, ApiSettings())) as client:
        yield client
    bus.close()


def said(client: TestClient, path: str, body: object = None, status: int = 200) -> Any:
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def said_of(client: TestClient, number: int) -> list[Any]:
    words: list[Any] = client.get("/v1/words", params={"identity": number}).json()["words"]
    return words


def numbers(client: TestClient, **query: str) -> list[int]:
    return [person["id"] for person in client.get("/v1/identities", params=query).json()["identities"]]


@pytest.mark.usefixtures("listening")
class TestListening:
    """With a gallery."""

    def test_a_name_is_shown_found_and_taken_away_again(self, client: TestClient) -> None:
        word = said(client, "identities/2/name", {"name": "  Zoë "})

        assert (word["state"], word["kind"], word["identity"], word["author"]) == ("applied", "name", 2, "operator")
        assert client.get("/v1/identities/2").json()["name"] == "Zoë"
        assert numbers(client, name="ZO") == [2]
        said(client, f"words/{word['id']}/undo")
        assert client.get("/v1/identities/2").json()["name"] == ""
        assert client.get(f"/v1/words/{word['id']}").json()["state"] == "undone"

    def test_names_of_all_scripts_are_taken(self, client: TestClient) -> None:
        persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
        for name in ("Ада", "\u05d0\u05d3\u05d4\u200e", persian, "👩\u200d💻", "Zoë", "陳"):
            assert said(client, "identities/1/name", {"name": name})["name"] == name

    def test_tags_are_shown_found_in_any_case_and_taken_away_again(self, client: TestClient) -> None:
        said = client.post("/v1/identities/2/tags", json={"tags": [" Staff ", "morning", "staff"]})
        assert said.json()["tags"] == ["Staff", "morning"]
        found = client.get("/v1/identities", params={"tag": "STAFF"}).json()["identities"]
        assert [(person["id"], person["tags"]) for person in found] == [(2, ["Staff", "morning"])]
        assert client.get("/v1/identities", params={"tag": "sta"}).json()["identities"] == []
        times = {"from": "0", "to": "4e9"}
        seen = client.get("/v1/visits", params={**times, "tag": "staff"}).json()["visits"]
        assert {visit["identity"] for visit in seen} == {2}
        client.post(f"/v1/words/{said.json()['id']}/undo")
        assert client.get("/v1/identities", params={"tag": "staff"}).json()["identities"] == []

    def test_hidden_people_are_in_no_list_and_in_no_count_unless_asked_for(self, client: TestClient) -> None:
        said(client, "identities/1/hide", {})

        assert numbers(client) == [2, 3]
        assert numbers(client, hidden="true") == [1]
        assert numbers(client, hidden="any") == [1, 2, 3]
        assert client.get("/v1/stats").json()["identities"] == 2
        said(client, "identities/1/hide", {"hidden": False})
        assert numbers(client) == [1, 2, 3]

    def test_merged_people_are_one_with_the_chosen_picture_until_that_is_undone(self, client: TestClient) -> None:
        before = client.get("/v1/identities").json()

        word = said(client, "identities/1/merge", {"with": [2, 3], "keep_picture": 3})

        person = client.get("/v1/identities/1").json()
        assert (person["previous_ids"], person["tracklets"]) == ([2, 3], 6)
        assert "/2.0/" in person["picture"]
        said(client, f"words/{word['id']}/undo")
        assert client.get("/v1/identities").json() == before

    def test_a_merge_that_names_somebody_twice_says_so_once(self, client: TestClient) -> None:
        assert said(client, "identities/1/merge", {"with": [1, 3, 3]})["about"] == [1, 3]

        refused = said(client, "identities/3/different", {"from": 1}, 409)
        assert "1 and 3 were said to be one person on " in refused["detail"]

    def test_a_track_is_split_off_and_moved(self, client: TestClient) -> None:
        word = said(client, "identities/1/split", {"tracklets": ["a/s/0.0/0"]})
        assert word["identity"] == 4
        assert [track["tracklet_id"] for track in client.get("/v1/identities/4").json()["tracks"]] == ["a/s/0.0/0"]

        said(client, "tracks/a/s/0.0/0/move", {"to": 2})

        assert client.get("/v1/identities/4").json()["id"] == 2
        back = said(client, "tracks/a/s/0.0/0/move", {"to": 1}, 409)
        assert "track a/s/0.0/0 was said not to be person 1 on" in back["detail"]
        assert "by operator: undo that first" in back["detail"]

    def test_what_contradicts_an_earlier_word_is_refused_with_that_word(self, client: TestClient) -> None:
        word = said(client, "identities/1/different", {"from": 3})

        refused = said(client, "identities/3/merge", {"with": [1]}, 409)
        assert refused["detail"].startswith("1 and 3 were said to be different people on ")
        said(client, f"words/{word['id']}/undo")
        merged = said(client, "identities/3/merge", {"with": [1]})
        assert merged["identity"] == 3
        refused = said(client, "identities/1/different", {"from": 3}, 409)
        assert "3 and 1 were said to be one person on " in refused["detail"]

    def test_what_makes_no_sense_is_refused_with_the_reason(self, client: TestClient) -> None:
        for path, body, complaint in (
            ("identities/1/merge", {"with": [1]}, "1 cannot be merged with themselves"),
            ("identities/1/different", {"from": 1}, "1 cannot be different from themselves"),
            ("identities/1/split", {"tracklets": ["a/s/1.0/0"]}, "not one of person 1"),
            ("identities/1/split", {"tracklets": ["a/s/0.0/0", "b/s/0.0/0"]}, "nothing would be left"),
            ("tracks/a/s/0.0/0/move", {"to": 1}, "one of person 1 already"),
        ):
            assert complaint in said(client, path, body, 409)["detail"]
        assert {word["state"] for word in client.get("/v1/words").json()["words"]} == {"refused"}

    def test_an_erased_person_leaves_a_proof_and_nothing_else(self, client: TestClient, store: MemoryStore) -> None:
        said(client, "identities/2/name", {"name": "Anna"})

        answer = client.delete("/v1/identities/2").json()

        proof = answer["erasure"]
        assert (proof["identities"], proof["tracklets"], proof["crops"], proof["events"]) == ([2], 2, 2, 3)
        assert len(proof["digest"]) == 64
        assert client.get("/v1/identities/2").status_code == 404
        assert client.get("/v1/tracks/a/s/1.0/0/crop").status_code == 404
        assert numbers(client) == [1, 3]
        assert "Anna" not in client.get("/v1/words").text
        assert {entry.event.kind for entry in store.journal(0, 100) if entry.event.identity_id == 2} == {"erased"}

    def test_the_journal_has_pages(self, client: TestClient) -> None:
        for name in ("A", "B", "C"):
            said(client, "identities/1/name", {"name": name})
        first = client.get("/v1/words", params={"limit": 2}).json()
        second = client.get("/v1/words", params={"limit": 2, "after": first["next"]}).json()

        assert [word["name"] for page in (first, second) for word in page["words"]] == ["A", "B", "C"]
        assert second["next"] is None

    def test_the_journal_is_read_backwards_by_pages(self, client: TestClient) -> None:
        for name in ("A", "B", "C"):
            said(client, "identities/1/name", {"name": name})
        first = client.get("/v1/words", params={"limit": 2, "sort": "newest"}).json()
        second = client.get("/v1/words", params={"limit": 2, "sort": "newest", "after": first["next"]}).json()

        assert [word["name"] for page in (first, second) for word in page["words"]] == ["C", "B", "A"]
        assert second["next"] is None

    def test_what_was_said_of_a_person_is_found_by_any_number_they_had(self, client: TestClient) -> None:
        said(client, "identities/1/name", {"name": "A"})
        said(client, "identities/2/name", {"name": "B"})
        said(client, "identities/2/merge", {"with": [3]})
        said(client, "identities/1/different", {"from": 2})

        told = {n: [word["kind"] for word in said_of(client, n)] for n in (1, 2, 3)}

        assert told == {1: ["name", "different"], 2: ["name", "merge", "different"], 3: ["name", "merge", "different"]}

    def test_a_track_that_was_moved_is_in_the_journal_of_both_people(
        self, client: TestClient, store: MemoryStore
    ) -> None:
        (track,) = store.latest([1], 1)[0]
        said(client, f"tracks/{track}/move", {"to": 2})
        assert [[word["kind"] for word in said_of(client, n)] for n in (1, 2)] == [["move"], ["move"]]

    def test_of_nobody_nothing_was_said(self, client: TestClient) -> None:
        assert client.get("/v1/words", params={"identity": 9}).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("identities/9/name", {"name": "A"}, 404, id="nobody"),
        pytest.param("identities/1/merge", {"with": [9]}, 404, id="with nobody"),
        pytest.param("tracks/a/s/9.0/0/move", {"to": 1}, 404, id="no such track"),
        pytest.param("words/none/undo", None, 404, id="no such word"),
        pytest.param("identities/1/name", {"name": "A\nB"}, 422, id="a line feed in a name"),
        pytest.param("identities/1/name", {"name": "A" * 101}, 422, id="an endless name"),
        pytest.param("identities/1/name", {"name": "\u202eannA"}, 422, id="a name that turns the text around it"),
        pytest.param("identities/1/name", {"name": "\u200b"}, 422, id="a name that nobody sees"),
        pytest.param("identities/1/tags", {"tags": ["staff\ufeff"]}, 422, id="a tag that only looks like another"),
        pytest.param("identities/9/tags", {"tags": ["A"]}, 404, id="tags of nobody"),
        pytest.param("identities/1/tags", {"tags": ["A\tB"]}, 422, id="a tabulator in a tag"),
        pytest.param("identities/1/tags", {"tags": [" "]}, 422, id="an empty tag"),
        pytest.param("identities/1/tags", {"tags": ["A" * 41]}, 422, id="an endless tag"),
        pytest.param("identities/1/tags", {"tags": [f"{n}" for n in range(17)]}, 422, id="too many tags"),
        pytest.param("identities/1/merge", {"with": []}, 422, id="with no one"),
        pytest.param("identities/1/split", {"tracklets": []}, 422, id="no tracks"),
        pytest.param("identities/0/name", {"name": "A"}, 422, id="number zero"),
        pytest.param("identities/1/different", {"to": 2}, 422, id="a wrong field"),
    ],
)
def test_a_wrong_request_never_reaches_the_gallery(unheard: TestClient, path: str, body: object, status: int) -> None:
    said(unheard, path, body, status)


def test_the_length_of_a_name_is_told_in_characters(unheard: TestClient) -> None:
    refused = said(unheard, "identities/1/name", {"name": "A" * 101}, 422)
    assert refused["detail"] == "name: must have at most 100 characters, got 101"
    refused = said(unheard, "identities/1/tags", {"tags": [" "]}, 422)
    assert refused["detail"] == "tags.0: must have at least 1 character"


def test_without_a_gallery_the_answer_is_that_it_was_sent(
    store: MemoryStore, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.api.identities.words.Asking", lambda store, bus: Asking(store, bus, wait_s=0.0))
    with TestClient(create_app(store, bus, ApiSettings())) as client:
        word = said(client, "identities/1/name", {"name": "A"}, 202)

        assert word["state"] == "sent"
        assert client.get(f"/v1/words/{word['id']}").status_code == 404


def test_people_and_tracks_are_listed_by_how_sure_it_is_who_they_are(unheard: TestClient) -> None:
    tracks = unheard.get("/v1/tracks").json()["tracks"]
    sure: dict[int, float] = {}
    for track in tracks:
        sure[track["identity"]] = min(track["probability"], sure.get(track["identity"], 1.0))
    for bound in (0.0, *sorted(sure.values()), 1.0):
        found = unheard.get("/v1/identities", params={"probability": bound}).json()["identities"]
        assert {person["id"] for person in found} == {number for number, least in sure.items() if least >= bound}
        listed = unheard.get("/v1/tracks", params={"probability": bound}).json()["tracks"]
        assert listed == [track for track in tracks if track["probability"] >= bound]


@pytest.mark.parametrize("wrong", ["-0.1", "1.1", "nan", "surely"])
def test_a_probability_is_from_0_to_1(unheard: TestClient, wrong: str) -> None:
    for path in ("/v1/identities", "/v1/tracks"):
        assert unheard.get(path, params={"probability": wrong}).status_code == 422


def test_people_are_listed_by_when_they_were_seen_last_and_where(unheard: TestClient) -> None:
    client = unheard
    assert numbers(client, sort="last") == [3, 2, 1]
    first = client.get("/v1/identities", params={"sort": "last", "limit": 2}).json()
    second = client.get("/v1/identities", params={"sort": "last", "limit": 2, "after": first["next"]}).json()
    assert [person["id"] for page in (first, second) for person in page["identities"]] == [3, 2, 1]
    assert second["next"] is None
    assert numbers(client, camera="c") == []
    assert numbers(client, **{"from": "2023-11-14T22:13:45Z", "to": "2023-11-14T22:13:50Z"}) == [2]
    assert client.get("/v1/identities", params={"after": "5", "sort": "last"}).status_code == 422
    assert client.get("/v1/identities", params={"after": first["next"]}).status_code == 422


def test_the_document_names_every_answer_of_a_correction(unheard: TestClient) -> None:
    paths = unheard.get("/openapi.json").json()["paths"]

    corrections = [one for path, kinds in paths.items() for one in kinds.values() if "202" in one["responses"]]

    assert len(corrections) == 10
    usual = {"200", "202", "401", "403", "404", "409", "422", "429", "503"}
    for one in corrections:
        assert set(one["responses"]) == (usual | {"413"} if "requestBody" in one else usual)
