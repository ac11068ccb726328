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
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from wire import codec
from wire.bus import IDENTITIES
from wire.memory import MemoryBus
from wire.messages import IdentityEvent


@contextmanager
def serving(bus: MemoryBus) -> Iterator[str]:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    app = create_app(MemoryStore("site"), bus, ApiSettings())
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([taken],))
    thread.start()
    yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    taken.close()


def event(number: int, site: str = "site") -> IdentityEvent:
    return IdentityEvent(
        event_id=f"e{number}",
        kind="created",
        site_id=site,
        identity_id=number,
        previous_ids=(),
        tracklet_id="door/s/1/0",
        camera_id="door",
        probability=1.0,
        reason="looks like nobody known",
        time_ns=0,
    )


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus()
    bus.ensure_topics()
    yield bus
    bus.close()


def events_of(lines: Iterator[str], count: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for line in lines:
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
        if len(found) == count:
            break
    return found


def test_every_client_hears_what_happens_on_its_site_after_it_came(bus: MemoryBus) -> None:
    def publish(*events: IdentityEvent) -> None:
        producer = bus.producer()
        for message in events:
            producer.send(IDENTITIES.name, f"{message.site_id}/{message.identity_id}", codec.encode(message))
        producer.close()

    publish(event(1))
    with (
        serving(bus) as url,
        httpx.Client(base_url=url, timeout=20) as client,
        client.stream("GET", "/v1/events") as one,
        client.stream("GET", "/v1/events") as other,
    ):
        lines = [stream.iter_lines() for stream in (one, other)]
        for stream in lines:
            assert next(stream).startswith(":")
        publish(event(2, "elsewhere"), event(3), event(4))
        heard = [events_of(stream, 2) for stream in lines]

    assert one.headers["content-type"].startswith("text/event-stream")
    assert [sorted(int(str(e["identity"])) for e in events) for events in heard] == [[3, 4], [3, 4]]
