"""The API as a process of its own, beside a bus and a store of this one."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from deploy.errors import RunError
from deploy.local.api_process import ApiProcess, ServedSite
from deploy.local.api_server import bind
from gallery.api.others import NO_OTHERS
from gallery.config import ApiSettings
from tests.conftest import PATIENCE_S, wait_until
from wire.memory import MemoryBus
from wire.served.server import BusServer

CAMERA = {"camera_id": "hall", "url": "rtsp://10.0.0.1/1"}


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    with closing(MemoryBus()) as made:
        yield made


@pytest.fixture
def server(bus: MemoryBus) -> Iterator[BusServer]:
    with BusServer(bus, lambda: b"climbtrack_seen_total 1.0\n") as made:
        yield made


@pytest.fixture
def site(redis_url: str) -> ServedSite:
    return ServedSite("site", redis_url, ApiSettings(token="open sesame"), NO_OTHERS)  # type: ignore[arg-type]


def test_the_api_of_another_process_reads_and_changes_what_this_one_holds(
    site: ServedSite, bus: MemoryBus, server: BusServer
) -> None:
    with ApiProcess(site, server, bind("127.0.0.1", 0)) as api:
        api.wait_until_ready()
        with httpx.Client(
            base_url=api.url, headers={"Authorization": "Bearer open sesame"}, timeout=PATIENCE_S
        ) as client:
            assert client.get("/readyz").json()["status"] == "ok"
            assert client.post("/v1/cameras", json=CAMERA).status_code == 201
            assert set(bus.table("cameras")) == {"hall"}
            assert [one["camera_id"] for one in client.get("/v1/cameras").json()["cameras"]] == ["hall"]
            assert client.get("/metrics").text == "climbtrack_seen_total 1.0\n"
            assert client.get("/v1/stats", headers={"Authorization": ""}).status_code == 401
        assert api.alive()
    assert not api.alive()


def test_packages_come_from_where_this_process_has_them(
    site: ServedSite, server: BusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "redis.py").write_text("raise SystemExit('a file of the user')")
    monkeypatch.chdir(tmp_path)
    with ApiProcess(site, server, bind("127.0.0.1", 0)) as api:
        api.wait_until_ready()


def test_an_api_that_does_not_start_is_an_error(server: BusServer) -> None:
    site = ServedSite("site", "nonsense://here", ApiSettings(), NO_OTHERS)
    with (
        ApiProcess(site, server, bind("127.0.0.1", 0)) as api,
        pytest.raises(RunError, match="the API did not start; the log says why"),
    ):
        api.wait_until_ready()


def test_it_ends_when_the_process_that_started_it_is_gone(site: ServedSite, server: BusServer) -> None:
    with ApiProcess(site, server, bind("127.0.0.1", 0)) as api:
        api.wait_until_ready()
        assert api.process.stdin is not None
        api.process.stdin.close()  # as the system does for a process that was killed
        wait_until(lambda: not api.alive())


def test_one_that_was_killed_is_noticed_and_its_address_is_free(site: ServedSite, server: BusServer) -> None:
    with ApiProcess(site, server, bind("127.0.0.1", 0)) as api:
        api.wait_until_ready()
        os.kill(api.process.pid, signal.SIGKILL)
        wait_until(lambda: not api.alive())
        host, port = httpx.URL(api.url).host, httpx.URL(api.url).port or 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port))
