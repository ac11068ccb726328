"""Server-sent events over a real HTTP server."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from gallery.api.app import create_app
from gallery.api.identities import events as api_events
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from gallery.store.store import Write
from wire.memory import MemoryBus
from wire.messages import IdentityEvent


class ForgetfulStore(MemoryStore):
    """A store whose data can be lost."""

    def lose_everything(self) -> None:
        self.__init__(self.site_id)  # type: ignore[misc]


@contextmanager
def serving(store: MemoryStore) -> Iterator[httpx.Client]:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    bus = MemoryBus()
    app = create_app(store, bus, ApiSettings())
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([taken],))
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=20) as client:
        yield client
    server.should_exit = True
    thread.join()
    taken.close()
    bus.close()


@pytest.fixture
def store() -> ForgetfulStore:
    return ForgetfulStore("site")


def happen(store: MemoryStore, *numbers: int) -> None:
    events = [
        IdentityEvent(
            event_id=f"e{number}",
            kind="created",
            site_id="site",
            identity_id=number,
            previous_ids=(),
            tracklet_id="door/s/1/0",
            camera_id="door",
            probability=1.0,
            reason="looks like nobody known",
            time_ns=0,
        )
        for number in numbers
    ]
    store.write(Write(version=store.load(0).version, now_ns=0, next_identity=1, events=events))


class Listener:
    """A client's connection: what it hears, line by line."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()
        while next(self._lines) != ": connected":
            pass

    def hear(self, count: int) -> list[tuple[str, str, int]]:
        """Return kind, id and identity of the next events."""
        found, kind, place = [], "", ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind, place = value, ""
            elif name == "id":
                place = value
            elif name == "data":
                found.append((kind, place, json.loads(value).get("identity", 0)))
            if len(found) == count:
                break
        return found


@contextmanager
def listening(client: httpx.Client, **options: str) -> Iterator[Listener]:
    headers = {"Last-Event-ID": options["last"]} if "last" in options else {}
    query = {"after": options["after"]} if "after" in options else {}
    with client.stream("GET", "/v1/events", headers=headers, params=query) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Listener(answer)


def test_every_client_hears_what_happens_after_it_came(store: ForgetfulStore) -> None:
    happen(store, 1)
    with serving(store) as client, listening(client) as one, listening(client) as other:
        happen(store, 3)
        happen(store, 4)
        assert one.hear(2) == other.hear(2) == [("created", "2", 3), ("created", "3", 4)]


@pytest.mark.parametrize("how", [{"last": "2"}, {"after": "2"}, {"last": "2", "after": "1"}])
def test_a_client_that_comes_back_goes_on_after_the_last_event_it_had(
    store: ForgetfulStore, how: dict[str, str]
) -> None:
    happen(store, 1, 2, 3)
    with serving(store) as client, listening(client, **how) as back:
        happen(store, 4)
        assert back.hear(2) == [("created", "3", 3), ("created", "4", 4)]


def test_a_client_far_behind_gets_everything_once_and_in_order(
    store: ForgetfulStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_events, "KEPT", 4)
    monkeypatch.setattr(api_events, "PAGE", 3)
    happen(store, *range(1, 30))
    with serving(store) as client, listening(client, last="5") as back:
        heard = back.hear(20)
        happen(store, *range(30, 41))
        heard += back.hear(15)
    assert [number for _, _, number in heard] == list(range(6, 41))


def test_events_that_are_not_kept_any_more_are_named_as_missed(
    store: ForgetfulStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.store.memory.JOURNAL_LENGTH", 2)
    happen(store, 1, 2, 3, 4)
    with serving(store) as client:
        with listening(client, last="1") as back:
            assert back.hear(3) == [("missed", "", 0), ("created", "3", 3), ("created", "4", 4)]
        with listening(client, last="2") as back:
            assert back.hear(2) == [("created", "3", 3), ("created", "4", 4)]


@pytest.mark.parametrize("last", ["site/door/s/1/0/created/3", "99", "", "9" * 400])
def test_an_id_that_is_no_place_begins_now_and_says_so(store: ForgetfulStore, last: str) -> None:
    happen(store, 1)
    with serving(store) as client, listening(client, last=last) as back:
        happen(store, 2)
        assert back.hear(2) == [("missed", "", 0), ("created", "2", 2)]


def test_a_store_that_lost_its_data_is_followed_from_where_it_is(store: ForgetfulStore) -> None:
    happen(store, 1, 2, 3, 4, 5)
    with serving(store) as client, listening(client) as one:
        store.lose_everything()
        assert one.hear(1) == [("missed", "", 0)]
        happen(store, 6)
        assert one.hear(1) == [("created", "1", 6)]


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "99999999999999999999"])
def test_a_place_that_is_no_number_is_refused(store: ForgetfulStore, after: str) -> None:
    with serving(store) as client:
        assert client.get("/v1/events", params={"after": after}).status_code == 422
