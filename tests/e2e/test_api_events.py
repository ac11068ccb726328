"""Events over a real HTTP server: server-sent, and over a WebSocket; alerts as they are raised."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from gallery.api import streams as api_streams
from gallery.api.alerting import alert_stream
from gallery.api.app import create_app
from gallery.api.identities import events as api_events
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from gallery.store.store import Write
from gallery.zones.alert import Alert
from tests.conftest import PATIENCE_S, wait_until
from wire.memory import MemoryBus
from wire.messages import IdentityEvent


class ForgetfulStore(MemoryStore):
    """A store whose data can be lost."""

    def lose_everything(self) -> None:
        self.__init__(self.site_id)  # type: ignore[misc]


@contextmanager
def serving(store: MemoryStore, settings: ApiSettings | None = None) -> Iterator[httpx.Client]:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    bus = MemoryBus()
    app = create_app(store, bus, settings or ApiSettings())
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([taken],))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=PATIENCE_S) as client:
            yield client
    finally:
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
def socket_of(client: httpx.Client, query: str = "") -> Iterator[Connection]:
    address = f"{client.base_url.copy_with(scheme='ws')}/v1/events/ws{query}"
    with connect(address, open_timeout=PATIENCE_S) as connection:
        assert json.loads(connection.recv(20))["event"] == "connected"
        yield connection


def heard(connection: Connection, count: int) -> list[tuple[str, str | None, int]]:
    """Return kind, id and identity of the next events."""
    messages = [json.loads(connection.recv(20)) for _ in range(count)]
    return [(one["event"], one["id"], one["data"].get("identity", 0)) for one in messages]


@contextmanager
def listening(client: httpx.Client, **options: str) -> Iterator[Listener]:
    headers = {"Last-Event-ID": options["last"]} if "last" in options else {}
    query = {"after": options["after"]} if "after" in options else {}
    with client.stream("GET", options.get("path", "/v1/events"), headers=headers, params=query) as answer:
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


def test_a_websocket_has_the_same_events_and_goes_on_after_the_last_one_it_had(store: ForgetfulStore) -> None:
    happen(store, 1, 2, 3)
    with serving(store) as client, socket_of(client) as now, socket_of(client, "?after=2") as back:
        happen(store, 4)
        assert heard(now, 1) == [("created", "4", 4)]
        assert heard(back, 2) == [("created", "3", 3), ("created", "4", 4)]


def test_what_a_websocket_missed_is_named_and_nobody_is_let_in_without_signing_in(
    store: ForgetfulStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.store.memory.JOURNAL_LENGTH", 2)
    happen(store, 1, 2, 3, 4)
    with serving(store) as client, socket_of(client, "?after=1") as back:
        assert heard(back, 3) == [("missed", None, 0), ("created", "3", 3), ("created", "4", 4)]
    locked = ApiSettings(token=SecretStr("open sesame"))
    with serving(store, locked) as client, pytest.raises(InvalidStatus), socket_of(client):
        pass


def raise_alerts(store: MemoryStore, *numbers: int) -> list[str]:
    """Raise alerts about people, and return the ids under which they are streamed."""
    now_ns = time.time_ns() // 1000 * 1000
    alerts = [
        Alert(
            alert_id=f"{number:024x}",
            rule_id="r",
            rule_name="Door",
            when="enters",
            site_id="site",
            time_ns=now_ns,
            raised_ns=now_ns + 1000 * number,
            reason="is there",
            identity_id=number,
        )
        for number in numbers
    ]
    store.alerting.record(alerts, {}, [])
    return [f"{alert.raised_ns // 1000}-{alert.alert_id}" for alert in alerts]


def test_alerts_are_streamed_once_and_a_client_that_comes_back_goes_on(store: ForgetfulStore) -> None:
    path = "/v1/alerts/stream"
    before = raise_alerts(store, 1, 2)
    with (
        serving(store) as client,
        listening(client, path=path) as now,
        listening(client, path=path, last=before[0]) as back,
    ):
        later = raise_alerts(store, 3)
        assert now.hear(1) == [("alert", later[0], 3)]
        assert back.hear(2) == [("alert", before[1], 2), ("alert", later[0], 3)]
        assert client.get(path, params={"after": "yesterday"}).status_code == 422


def test_a_client_that_missed_more_alerts_than_are_sent_is_told_so(
    store: ForgetfulStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_stream, "MOST", 2)
    places = raise_alerts(store, 1, 2, 3, 4)
    with serving(store) as client, listening(client, path="/v1/alerts/stream", after=places[0]) as back:
        assert back.hear(3) == [("missed", "", 0), ("alert", places[2], 3), ("alert", places[3], 4)]


def test_events_of_an_erased_person_are_not_kept_in_memory(store: ForgetfulStore) -> None:
    feed = api_events.EventFeed(store)
    happen(store, 1, 2)
    erased = store.journal(1, 1)[0]
    feed._take(2, [(1, api_streams.Part("created", "1", "{}")), (2, api_streams.Part("erased", "2", "{}"))])

    assert erased.seq == 2
    assert list(feed._kept) == []


def test_more_streams_than_a_process_serves_are_asked_to_come_back(
    store: ForgetfulStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_streams.OpenStreams.__init__, "__defaults__", (2,))
    with serving(store) as client:
        with listening(client) as _held, socket_of(client):
            refused = client.get("/v1/events")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
            with pytest.raises(InvalidStatus), socket_of(client):
                pass
        wait_until(lambda: is_served(client))


def is_served(client: httpx.Client) -> bool:
    with client.stream("GET", "/v1/events") as answer:
        return answer.status_code == 200


def test_what_happens_at_once_is_sent_in_one_piece() -> None:
    sent: list[bytes] = []

    async def events() -> api_streams.Parts:
        yield None
        yield [api_streams.Part("created", str(number), "{}") for number in (1, 2)]

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    asyncio.run(api_streams.EventStream(events(), api_streams.OpenStreams(1)).stream_response(send))
    assert b"event: created\nid: 1\ndata: {}\n\nevent: created\nid: 2\ndata: {}\n\n" in sent


def test_a_client_that_takes_nothing_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_streams, "STALLED_S", 0.01)
    sent: list[object] = []

    async def events() -> api_streams.Parts:
        yield None
        while True:
            yield [api_streams.Part("created", "1", "{}")]

    async def send(message: object) -> None:
        sent.append(message)
        if len(sent) > 3:
            await asyncio.Event().wait()  # as a server does when the buffers on the way are full

    async def stream() -> bool:
        streams = api_streams.OpenStreams(1)
        await api_streams.EventStream(events(), streams).stream_response(send)
        return streams.enter()

    assert asyncio.run(stream()), "there is room for another one"
    assert len(sent) == 4
