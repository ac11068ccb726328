"""The followed list of cameras when its bus is away, and when the list is too long."""

import threading
from collections.abc import Iterator

import pytest

from wire import cameras, codec
from wire.bus import CAMERAS, Record
from wire.cameras import CamerasUnknown, CameraTable
from wire.errors import TransientError
from wire.memory import MemoryBus
from wire.memory_reading import MemoryFollower
from wire.messages import CameraSpec


class Shaky(MemoryBus):
    """A bus whose followers fail while `away` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.away = threading.Event()

    def follow(self, topic: str) -> MemoryFollower:
        bus = self

        class Follower(MemoryFollower):
            def poll(self, timeout_s: float) -> list[Record]:
                records = super().poll(timeout_s)
                if bus.away.is_set():
                    raise TransientError("Kafka at 127.0.0.1:9092 is away")
                return records

        return Follower(self.changed, self.topic(topic).logs)

    def say(self, name: str, *, removed: bool = False) -> None:
        """List a camera, or remove it."""
        spec = CameraSpec(camera_id=name, site_id="site", url="0")
        self.append(CAMERAS.name, name, None if removed else codec.encode(spec))


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shaky]:
    monkeypatch.setattr(cameras, "RETRY_S", 0.01)
    monkeypatch.setattr(cameras, "POLL_S", 0.01)
    made = Shaky()
    yield made
    made.close()


def test_a_list_that_cannot_be_read_is_not_known_and_the_reason_is_said(bus: Shaky) -> None:
    bus.say("door")
    bus.away.set()
    with CameraTable(bus, wait_s=0.2) as table:
        with pytest.raises(CamerasUnknown, match=r"not available: Kafka at 127.0.0.1:9092 is away"):
            table.cameras()
        assert not table.loaded

        bus.away.clear()
        assert list(table.catch_up()) == ["door"]


def test_what_was_known_stays_while_the_bus_is_away_and_what_was_removed_meanwhile_goes(bus: Shaky) -> None:
    bus.say("door")
    bus.say("hall")
    with CameraTable(bus, wait_s=0.2) as table:
        assert list(table.cameras()) == ["door", "hall"]
        bus.away.set()
        bus.say("hall", removed=True)
        with pytest.raises(CamerasUnknown):
            table.catch_up()
        assert list(table.cameras()) == ["door", "hall"]

        bus.away.clear()
        assert list(table.catch_up()) == ["door"]


def test_a_list_beyond_its_bound_is_cut_with_a_warning_that_names_the_camera(
    bus: Shaky, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cameras, "MAX_CAMERAS", 2)
    for name in ("a", "b", "c"):
        bus.say(name)
    with CameraTable(bus) as table:
        assert len(table.cameras()) == 2
        assert "is ignored: the limit of 2 cameras is reached" in caplog.text
