"""The audit log: every look at and change of a person is in it, once, without the person's data."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from gallery.access import users
from gallery.access.audit import AGAIN_NS, AuditLog
from gallery.access.passwords import hash_password
from gallery.api.app import create_app
from gallery.config import ApiSettings, GallerySettings
from gallery.errors import StoreUnavailable
from gallery.handler import build_service
from gallery.store.accounts import Deed
from gallery.store.memory import MemoryStore
from gallery.store.memory_accounts import MemoryAccounts
from tests.words_tools import several_people
from wire.memory import MemoryBus
from wire.metrics import ServiceMetrics

PASSWORD = "correct horse battery"
LOG_LOOK = "read the audit log"


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with three people: 1, 2 and 3, each on cameras a and b, and the admin anna."""
    store = several_people().store
    assert isinstance(store, MemoryStore)
    hashed = hash_password(PASSWORD)
    store.accounts.change_users(lambda known: users.added(known, "anna", "admin", hashed, 0, must_change=False))
    store.accounts.change_users(lambda known: users.added(known, "vera", "viewer", hashed, 0, must_change=False))
    return store


@pytest.fixture
def client(store: MemoryStore) -> Iterator[TestClient]:
    bus, registry, stop = MemoryBus(), CollectorRegistry(), threading.Event()
    bus.ensure_topics()
    service = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    with TestClient(create_app(store, bus, ApiSettings())) as client:
        client.post("/v1/session", json={"user": "anna", "password": PASSWORD})
        yield client
    stop.set()
    thread.join()
    bus.close()


def entries(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/audit", params=query).json()["entries"]
    return [entry for entry in reversed(found) if entry["what"] != LOG_LOOK]


def deeds(client: TestClient, **query: Any) -> list[tuple[str, list[int]]]:
    return [(entry["what"], entry["identities"]) for entry in entries(client, **query)]


def test_looks_and_changes_say_who_when_what_whom_and_from_where(client: TestClient) -> None:
    client.get("/v1/identities/2")
    client.get("/v1/tracks/a/s/0.0/0/why")
    client.get("/v1/tracks", params={"identity": 3})
    client.post("/v1/identities/2/name", json={"name": "Zoë"})
    client.post("/v1/identities/1/merge", json={"with": [3]})
    client.post("/v1/cameras/attic/pause")

    found = entries(client)

    assert [(one["what"], one["identities"], one["status"]) for one in found] == [
        ("signed in", [], 204),
        ("looked at a person", [2], 200),
        ("asked why", [1], 200),
        ("listed tracks", [3], 200),
        ("named a person", [2], 200),
        ("merged people", [1, 3], 200),
    ]
    assert {(one["who"], one["way"], one["address"]) for one in found} == {("anna", "password", "testclient")}
    assert client.get("/v1/words").json()["words"][0]["author"] == "anna"


def test_a_person_is_followed_through_the_numbers_that_were_merged(client: TestClient) -> None:
    client.get("/v1/identities/3")
    client.get("/v1/identities/2")
    client.post("/v1/identities/1/merge", json={"with": [3]})

    assert deeds(client, identity=1) == [("looked at a person", [3]), ("merged people", [1, 3])]


def test_an_erased_person_stays_in_the_log_as_a_number_only(client: TestClient, store: MemoryStore) -> None:
    client.post("/v1/identities/2/name", json={"name": "Ada Lovelace"})
    tracks = [track["tracklet_id"] for track in client.get("/v1/identities/2").json()["tracks"]]
    client.post("/v1/identities/2/split", json={"tracklets": tracks[:1]})
    for track in tracks:
        client.get(f"/v1/tracks/{track}/why")

    assert client.delete("/v1/identities/2").status_code == 200

    kept = repr(store.accounts.audit(2**53, 1000))
    assert "erased a person" in kept
    assert "Ada" not in kept
    assert not [track for track in tracks if track in kept]
    assert ("erased a person", [2]) in deeds(client, identity=2)


def test_looks_that_are_repeated_are_recorded_once_in_five_minutes_and_changes_always() -> None:
    accounts, clock = MemoryAccounts(), [0]
    audit = AuditLog(accounts, days=1, entries=100, clock=lambda: clock[0])
    look = Deed(time_ns=0, who="anna", way="password", what="looked at a person", identities=(1,))
    for clock[0] in (0, AGAIN_NS - 1, AGAIN_NS, 2 * AGAIN_NS + 5, AGAIN_NS):  # at last, the clock goes back
        audit.record_look(look)
    audit.record(look)
    audit.record(look)

    times = [entry.deed.time_ns for entry in reversed(accounts.audit(2**53, 10))]
    assert times == [0, AGAIN_NS, 2 * AGAIN_NS + 5, AGAIN_NS, AGAIN_NS, AGAIN_NS]


def test_a_wall_of_crops_is_one_entry_a_person(client: TestClient) -> None:
    for _ in range(2):
        for track in ("a/s/0.0/0", "b/s/0.0/0", "a/s/1.0/0"):
            client.get(f"/v1/tracks/{track}/why")

    assert deeds(client, what="asked why") == [("asked why", [1]), ("asked why", [2])]


def test_what_a_role_was_refused_and_failed_attempts_are_recorded(client: TestClient) -> None:
    admin = client.cookies
    client.post("/v1/session", json={"user": "vera", "password": "wrong horse battery"})
    client.cookies.clear()
    client.get("/v1/identities/1")
    client.post("/v1/session", json={"user": "vera", "password": PASSWORD})
    client.delete("/v1/identities/1")
    client.get("/v1/identities/77")
    assert client.get("/v1/audit").status_code == 403
    client.cookies = admin
    client.post("/v1/session", json={"user": "anna", "password": PASSWORD})

    found = [(one["who"], one["what"], one["about"], one["status"]) for one in entries(client)[1:]]

    assert found == [
        ("", "signed in", "vera", 401),
        ("vera", "signed in", "vera", 204),
        ("vera", "erased a person", "", 403),
        ("anna", "signed in", "anna", 204),
    ]


def test_a_password_typed_as_a_name_is_not_kept(client: TestClient) -> None:
    client.post("/v1/session", json={"user": PASSWORD, "password": "anna"})

    assert PASSWORD not in json.dumps(entries(client))


def test_the_log_is_read_in_pages_by_who_what_and_when(client: TestClient) -> None:
    for number in (1, 2, 3):
        client.get(f"/v1/identities/{number}")

    first = client.get("/v1/audit", params={"limit": 2, "what": "looked"}).json()
    second = client.get("/v1/audit", params={"limit": 2, "what": "looked", "before": first["next"]}).json()

    assert [entry["identities"] for page in (first, second) for entry in page["entries"]] == [[3], [2], [1]]
    assert second["next"] is None
    assert deeds(client, who="vera") == []
    assert deeds(client, to="2020-01-01") == []
    assert len(deeds(client, **{"from": "2020-01-01"})) == 4


def test_nothing_is_shown_without_a_record_of_it(client: TestClient, store: MemoryStore) -> None:
    class Full(MemoryAccounts):
        def record(self, deed: Deed, *, oldest_ns: int, most: int) -> None:
            raise StoreUnavailable("Redis at 127.0.0.1:1 has reached its maxmemory")

    store.accounts.record = Full().record  # type: ignore[method-assign]

    answer = client.get("/v1/identities/1")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"].startswith("not recorded in the audit log: ")
    assert "presences" not in answer.text
