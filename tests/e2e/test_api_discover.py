"""Cameras are found over the API: fake ONVIF cameras on the loopback, over real multicast and HTTP."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from fastapi.testclient import TestClient

from deploy.onvif.finding import find_cameras
from gallery.api.app import create_app
from gallery.api.discovery import PAUSE_S, FoundCamera
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from tests.servers.onvif import PASSWORD, USER, FakeCamera
from wire.memory import MemoryBus

ON_LOOPBACK = partial(find_cameras, names=["lo"], wait_s=0.4)
PATH = "/v1/cameras/discover"


@pytest.fixture(autouse=True)
def _without_pause(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "pause" not in request.node.name:
        monkeypatch.setattr("gallery.api.discovery.PAUSE_S", 0.0)


@contextmanager
def client_of(find: Any = ON_LOOPBACK, **settings: Any) -> Iterator[TestClient]:
    bus = MemoryBus()
    bus.ensure_topics()
    with TestClient(create_app(MemoryStore("site"), bus, ApiSettings.model_validate(settings), find=find)) as client:
        yield client
    bus.close()


def test_cameras_of_the_network_are_listed_with_their_streams() -> None:
    with FakeCamera() as camera, client_of() as client:
        (found,) = client.post(PATH, json={}).json()["cameras"]

    assert (found["name"], found["host"], found["login"], found["problem"]) == ("axis-p3245", "127.0.0.1", False, "")
    assert found["streams"][0]["url"] == "rtsp://127.0.0.1:8554/live/main?channel=1&unicast=true"
    assert [(one["codec"], one["width"], one["height"]) for one in found["streams"]] == [
        ("H264", 1920, 1080),
        ("H264", 640, 360),
    ]
    assert "GetStreamUri" in camera.asked


def test_a_camera_that_wants_a_login_says_so_and_is_opened_with_it_without_giving_it_back() -> None:
    with FakeCamera(login="token"), client_of() as client:
        (closed,) = client.post(PATH, json={}).json()["cameras"]
        answer = client.post(PATH, json={"user": USER, "password": PASSWORD})
    (opened,) = answer.json()["cameras"]

    assert (closed["login"], closed["streams"], closed["problem"]) == (True, [], "it wants a user and a password")
    assert opened["streams"][0]["url"].startswith("rtsp://USER:PASSWORD@127.0.0.1:8554/")
    assert PASSWORD not in answer.text


def test_a_camera_that_may_not_be_added_is_neither_asked_nor_listed() -> None:
    with FakeCamera() as camera, client_of(camera_hosts="10.0.0.0/8") as client:
        assert client.post(PATH, json={}).json() == {"cameras": []}
    assert camera.asked == []


def test_where_it_is_switched_off_nothing_is_sent() -> None:
    def never(*_: object) -> list[FoundCamera]:
        raise AssertionError("asked")

    with client_of(never, camera_discovery=False) as client:
        refused = client.post(PATH, json={})
    with client_of(None) as client:
        nobody = client.post(PATH, json={})

    assert (refused.status_code, nobody.status_code) == (409, 409)
    assert "api.camera_discovery" in refused.json()["detail"]


def test_a_network_that_takes_nothing_is_named() -> None:
    with client_of(partial(find_cameras, names=[])) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr("socket.if_nameindex", lambda: [(1, "lo")])
        refused = client.post(PATH, json={})

    assert refused.status_code == 409
    assert "multicast cannot be sent" in refused.json()["detail"]


def test_one_search_runs_at_a_time() -> None:
    begun, end = threading.Event(), threading.Event()

    def slow(user: str, password: str, allowed: Callable[[str], bool]) -> list[FoundCamera]:
        begun.set()
        end.wait(10)
        return []

    with client_of(slow) as client:
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(client.post(PATH, json={}).status_code))
        thread.start()
        begun.wait(10)
        refused = client.post(PATH, json={})
        end.set()
        thread.join()

    assert (refused.status_code, answers) == (429, [200])


def test_after_a_search_there_is_a_pause() -> None:
    with client_of(lambda *_: []) as client:
        assert client.post(PATH, json={}).status_code == 200
        refused = client.post(PATH, json={})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, f"{PAUSE_S:.0f}")


@pytest.mark.parametrize("body", [{"user": "a\nb"}, {"password": "p" * 257}, {"host": "10.0.0.1"}, {"user": 5}])
def test_what_makes_no_sense_is_refused(body: dict[str, Any]) -> None:
    with client_of() as client:
        assert client.post(PATH, json=body).status_code == 422
