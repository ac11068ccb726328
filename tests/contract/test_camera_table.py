"""The followed list of cameras is the same over every bus."""

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import wait_until
from wire import codec
from wire.bus import Bus, Producer
from wire.cameras import Cameras, CameraTable
from wire.messages import CameraSpec


def camera(name: str, url: str = "rtsp://10.0.0.1/1") -> bytes:
    return codec.encode(CameraSpec(camera_id=name, site_id="site", url=url))


@pytest.fixture
def producer(bus: Bus) -> Iterator[Producer]:
    made = bus.producer()
    yield made
    made.close()


@pytest.fixture
def send(producer: Producer) -> Callable[[str, bytes | None], None]:
    def send(name: str, value: bytes | None) -> None:
        producer.send("cameras", name, value)
        producer.flush(10)

    return send


def urls(cameras: Cameras) -> dict[str, str]:
    return {name: listed.spec.url for name, listed in cameras.cameras().items()}


def test_a_table_begins_with_what_was_listed_before_by_name(bus: Bus, send: Callable[..., None]) -> None:
    for name in ("hall", "door", "yard", "gone"):
        send(name, camera(name))
    send("hall", camera("hall", "rtsp://10.0.0.2/2"))
    send("gone", None)

    with CameraTable(bus) as table:
        assert list(urls(table)) == ["door", "hall", "yard"]
        assert urls(table)["hall"] == "rtsp://10.0.0.2/2"
        assert table.loaded


def test_a_table_of_no_cameras_is_loaded_too(bus: Bus) -> None:
    with CameraTable(bus) as table:
        assert table.cameras() == {}


def test_a_table_follows_what_is_added_changed_and_removed(bus: Bus, send: Callable[..., None]) -> None:
    send("door", camera("door"))
    with CameraTable(bus) as table:
        before = table.cameras()
        send("hall", camera("hall"))
        send("door", camera("door", "rtsp://10.0.0.2/2"))
        wait_until(lambda: urls(table) == {"door": "rtsp://10.0.0.2/2", "hall": "rtsp://10.0.0.1/1"})
        send("hall", None)
        wait_until(lambda: list(urls(table)) == ["door"])

        assert before["door"].spec.url == "rtsp://10.0.0.1/1", "what was handed out does not change"
        assert table.cameras()["door"].listed_ns >= before["door"].listed_ns > 0


def test_whoever_has_caught_up_sees_what_was_sent_before(bus: Bus, send: Callable[..., None]) -> None:
    with CameraTable(bus) as table:
        for number in range(20):
            send("door", camera("door", f"rtsp://10.0.0.1/{number}"))
            assert table.catch_up()["door"].spec.url == f"rtsp://10.0.0.1/{number}"


def test_what_is_no_camera_of_its_name_leaves_none(bus: Bus, send: Callable[..., None]) -> None:
    send("door", camera("door"))
    with CameraTable(bus) as table:
        send("garbage", b"\x01garbage")
        send("hall", camera("other"))
        send("door", b"\x63of a later version")
        assert table.catch_up() == {}
