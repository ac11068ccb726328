"""How many cameras each partition has, as a member of a group learns it from the table of cameras."""

from collections.abc import Callable

import pytest

from wire import codec
from wire.bus import CAMERAS, Record
from wire.errors import SettingsError, TransientError, WireError
from wire.kafka import camera_counts
from wire.kafka.camera_counts import CameraCounts
from wire.kafka.client import Names
from wire.messages import CameraSpec
from wire.settings import KafkaSettings


class FakeFollower:
    """A follower whose polls give the records, or raise the error, of a script."""

    def __init__(self, *_: object) -> None:
        self.script: list[list[Record] | WireError] = []
        self.polls = 0

    def poll(self, timeout_s: float) -> list[Record]:
        self.polls += 1
        found = self.script.pop(0) if self.script else []
        if isinstance(found, WireError):
            raise found
        return found

    def at_end(self) -> bool:
        return not self.script

    def close(self) -> None:
        self.script = []
        raise TransientError("away")


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> FakeFollower:
    made = FakeFollower()
    monkeypatch.setattr(camera_counts, "KafkaBusFollower", lambda *_: made)
    return made


@pytest.fixture
def counts(follower: FakeFollower) -> CameraCounts:
    return CameraCounts(KafkaSettings(), Names("", {CAMERAS.name: CAMERAS}))


def record(name: str, partition: int, value: bytes | None = None, *, enabled: bool = True) -> Record:
    spec = CameraSpec(camera_id=name, site_id="site", url="door.mp4", enabled=enabled)
    return Record(CAMERAS.name, partition, 0, name, codec.encode(spec) if value is None else value, 0)


def removed(name: str, partition: int) -> Record:
    return Record(CAMERAS.name, partition, 1, name, None, 0)


@pytest.mark.parametrize(
    ("last", "left"),
    [
        pytest.param(lambda: removed("door", 3), {3: 1, 7: 1}, id="removed"),
        pytest.param(lambda: record("door", 3, enabled=False), {3: 1, 7: 1}, id="disabled"),
        pytest.param(lambda: record("door", 3, b"nonsense"), {3: 1, 7: 1}, id="unreadable"),
        pytest.param(lambda: record("door", 3), {3: 2, 7: 1}, id="written again"),
    ],
)
def test_cameras_that_run_are_counted(
    counts: CameraCounts, follower: FakeFollower, last: Callable[[], Record], left: dict[int, int]
) -> None:
    follower.script = [[record("door", 3), record("yard", 3)], [record("hall", 7), last()]]
    assert counts.read_all() == left


def test_what_is_new_is_read_only_now_and_then(
    counts: CameraCounts, follower: FakeFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts.read_all()
    follower.script = [[record("door", 3)]]
    assert counts.read_new() is None
    monkeypatch.setattr(camera_counts, "AGE_S", 0.0)
    assert counts.read_new() == {3: 1}


def test_while_the_broker_is_away_cameras_are_those_known_before(counts: CameraCounts, follower: FakeFollower) -> None:
    follower.script = [[record("door", 3)], TransientError("away"), [record("hall", 7)]]
    assert counts.read_all() == {3: 1}
    assert counts.read_all() == {3: 1, 7: 1}


def test_who_may_not_read_the_cameras_says_so_once_and_asks_no_more(
    counts: CameraCounts, follower: FakeFollower, caplog: pytest.LogCaptureFixture
) -> None:
    follower.script = [SettingsError("kafka.servers refused access")]
    assert counts.read_all() == {}
    polls = follower.polls
    assert counts.read_all() == {}
    assert counts.read_new() is None
    assert follower.polls == polls
    assert [one.message for one in caplog.records] == [
        "partitions are shared out by their number, not by their cameras: kafka.servers refused access"
    ]


def test_a_broker_that_is_away_does_not_keep_a_member_from_leaving(
    counts: CameraCounts, follower: FakeFollower
) -> None:
    follower.script = [[record("door", 3)]]
    counts.read_all()
    counts.close()
    polls = follower.polls
    assert counts.read_all() == {3: 1}
    assert follower.polls == polls
