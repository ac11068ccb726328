"""Cameras come and go with the records of the `cameras` topic and with its partitions."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ingest.config import IngestSettings
from ingest.handler import IngestHandler
from ingest.source import Source, SourcePacket
from ingest.state import State
from ingest.supervisor import Supervisor
from ingest.trial import Trials
from ingest.writer import name_of_file
from tests.conftest import wait_until
from tests.ingest_tools import (
    ChunkReader,
    FakeClock,
    FakeSource,
    IngestWorker,
    around,
    make_video,
    packets,
    spec_of,
)
from wire import codec
from wire.bus import Record, TopicPartition
from wire.memory import MemoryBus
from wire.messages import CameraHealth, CameraProgress, CameraSpec, WorkerState
from wire.metrics import ServiceMetrics
from wire.service import Outgoing, Received, Rejected

SENT_NS = 5
HOME = TopicPartition("cameras", 0)
OTHER_HOME = TopicPartition("cameras", 1)


@dataclass
class OpenSource(FakeSource):
    """A live source that gives one packet, and the next when it is told to."""

    more: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def packets(self) -> Iterator[SourcePacket]:
        for packet in packets(1000, every=1):
            self.more.acquire()
            if self.clock is not None:
                self.clock.seconds += 0.1
            yield packet


class Desk:
    """A handler without a loop, and sources that count how often they were opened."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.reader = ChunkReader(self.bus)
        self.clock = FakeClock()
        self.sent_ns = SENT_NS
        self.opened: list[str] = []
        self.sources: list[OpenSource] = []
        self.told: list[CameraHealth] = []
        self.registry = CollectorRegistry()
        surroundings = around(self.bus, self.clock, self._open, registry=self.registry)
        self.supervisor, trials = Supervisor(surroundings), Trials(surroundings)
        metrics = ServiceMetrics(self.registry)
        self.handler = IngestHandler(self.supervisor, trials, self.bus, metrics, self.clock, "blurred")
        self.handler.assigned([HOME, OTHER_HOME])

    def _open(self, spec: CameraSpec, settings: IngestSettings) -> Source:
        self.opened.append(spec.url)
        if spec.url.endswith(".mp4"):
            return FakeSource(packets(5))
        self.sources.append(OpenSource([], finite=False, clock=self.clock))
        return self.sources[-1]

    def tell(self, camera_id: str, spec: CameraSpec | None, home: TopicPartition = HOME) -> None:
        """Hand the handler a record, and the quiet behind it."""
        record = Record(home.topic, home.partition, 0, camera_id, b"", self.sent_ns)
        self.round(Received(record, spec))
        self.round()

    def round(self, *items: Received) -> None:
        """Run one round of the loop."""
        for item in self.handler.handle(items):
            assert isinstance(item, Outgoing)
            assert isinstance(item.message, CameraHealth)
            self.told.append(item.message)

    def state(self, camera_id: str) -> State:
        return {status.camera_id: status.state for status in self.supervisor.statuses()}[camera_id]

    def sample(self, name: str, camera_id: str) -> float | None:
        return self.registry.get_sample_value(name, {"camera": camera_id})

    def up(self, camera_id: str) -> float | None:
        return self.sample("climbtrack_camera_up", camera_id)

    def close(self) -> None:
        for source in self.sources:
            source.more.release(1000)
        self.supervisor.stop(self.supervisor.ids(), None)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr("ingest.supervisor.STOP_S", 0.6)
    made = Desk()
    yield made
    made.close()


def test_a_record_starts_its_camera_and_the_same_record_again_does_nothing(desk: Desk) -> None:
    desk.tell("door", spec_of("rtsp://host/a"))
    desk.tell("door", spec_of("rtsp://host/a"))
    wait_until(lambda: desk.state("door") is State.LIVE)

    assert desk.opened == ["rtsp://host/a"]


def test_every_state_that_a_camera_enters_is_told_once(desk: Desk) -> None:
    desk.tell("door", spec_of("rtsp://host/a"))
    wait_until(lambda: desk.state("door") is State.LIVE)
    for _ in range(3):
        desk.round()

    states = [(health.camera_id, health.state) for health in desk.told]
    assert states[-1] == ("door", "live")
    assert {health.site_privacy for health in desk.told} == {"blurred"}
    assert len(states) == len(set(states))


def test_a_stalled_camera_is_told_once_though_its_cause_counts_seconds(desk: Desk) -> None:
    desk.tell("door", spec_of("rtsp://host/a"))
    wait_until(lambda: desk.state("door") is State.LIVE)
    for _ in range(5):
        desk.clock.seconds += 60
        desk.round()

    assert [health.state for health in desk.told].count("stalled") == 1


def test_a_changed_record_restarts_its_camera(desk: Desk) -> None:
    desk.tell("door", spec_of("rtsp://host/a"))
    wait_until(lambda: len(desk.opened) == 1)
    desk.tell("door", spec_of("rtsp://host/b"))
    wait_until(lambda: len(desk.opened) == 2)

    assert desk.opened == ["rtsp://host/a", "rtsp://host/b"]
    assert desk.supervisor.ids() == {"door"}


@pytest.mark.parametrize(
    "last", [pytest.param(None, id="removed"), pytest.param(spec_of("rtsp://host/a", enabled=False), id="disabled")]
)
def test_a_camera_is_stopped_when_it_is(last: CameraSpec | None, desk: Desk) -> None:
    desk.tell("door", spec_of("rtsp://host/a"))
    desk.tell("door", last)

    assert desk.supervisor.ids() == frozenset()


def test_a_table_that_is_read_from_its_beginning_starts_only_what_it_says_last(desk: Desk) -> None:
    records = [
        Received(Record("cameras", 0, 0, "door", b"", 0), spec_of("rtsp://host/old")),
        Received(Record("cameras", 0, 1, "gone", b"", 0), spec_of("rtsp://host/gone", "gone")),
        Received(Record("cameras", 0, 2, "gone", None, 0), None),
    ]

    desk.handler.handle(records)
    desk.tell("door", spec_of("rtsp://host/new"))
    wait_until(lambda: bool(desk.opened))

    assert desk.opened == ["rtsp://host/new"]


def test_changes_are_not_put_off_for_ever_by_more_changes(desk: Desk) -> None:
    record = Record("cameras", 0, 0, "door", b"", 0)

    for _ in range(3):
        desk.handler.handle([Received(record, spec_of("rtsp://host/a"))])
        desk.clock.seconds += 0.6

    assert desk.supervisor.ids() == {"door"}


def test_an_ended_file_is_not_read_again_when_its_record_is(desk: Desk) -> None:
    desk.tell("door", spec_of("a.mp4"))
    wait_until(lambda: desk.state("door") is State.ENDED)

    desk.handler.revoked([HOME])
    desk.handler.assigned([HOME])
    desk.tell("door", spec_of("a.mp4"))

    assert desk.opened == ["a.mp4"]
    assert desk.state("door") is State.ENDED


@pytest.mark.parametrize(
    ("part", "ended", "fields", "read_again"),
    [
        pytest.param("0", True, {}, False, id="was finished"),
        pytest.param("1", True, {}, False, id="was finished, with a change of size on the way"),
        pytest.param("0", False, {}, True, id="was in the middle"),
        pytest.param("none", True, {}, True, id="could not be opened"),
        pytest.param("0", True, {"start_ns": 6}, True, id="starts at another time now"),
        pytest.param("0", True, {"loop": True}, True, id="is a loop"),
    ],
)
def test_a_file_is_taken_over_from_a_worker_where_it(
    part: str, fields: dict[str, Any], *, ended: bool, read_again: bool, desk: Desk
) -> None:
    stream_id = f"{name_of_file(spec_of('a.mp4'), SENT_NS, 0)}-{part}"
    state = WorkerState(
        camera_id="door",
        site_id="site",
        stream_id=stream_id,
        next_offset=9,
        ended=ended,
        blob=b"" if ended else b"tracks",
    )
    desk.bus.producer().send("worker-state", "door", codec.encode(state))

    desk.tell("door", spec_of("a.mp4", **fields))

    assert (desk.supervisor.ids() == {"door"}) is read_again


def test_a_finished_file_is_read_again_when_it_was_added_again_since(desk: Desk) -> None:
    desk.sent_ns = 2**62
    stream_id = f"{name_of_file(spec_of('a.mp4', start_ns=1), 1, 0)}-0"
    state = WorkerState(camera_id="door", site_id="site", stream_id=stream_id, next_offset=9, ended=True)
    desk.bus.producer().send("worker-state", "door", codec.encode(state))

    desk.tell("door", spec_of("a.mp4", start_ns=1))

    assert desk.supervisor.ids() == {"door"}


def test_a_file_that_is_removed_and_added_again_is_read_again(desk: Desk) -> None:
    for _ in range(2):
        desk.tell("door", spec_of("a.mp4"))
        wait_until(lambda: desk.state("door") is State.ENDED)
        desk.tell("door", None)

    assert desk.opened == ["a.mp4", "a.mp4"]


def test_a_rebalance_that_gives_a_camera_back_does_not_interrupt_it(desk: Desk) -> None:
    desk.tell("door", spec_of("rtsp://host/a"))
    wait_until(lambda: bool(desk.sources))
    desk.handler.revoked([HOME, OTHER_HOME])
    desk.sources[0].more.release(30)
    wait_until(lambda: desk.sample("climbtrack_ingest_frames_total", "door") == 30)
    while_revoked = len(desk.reader.read())

    desk.handler.assigned([HOME])
    desk.clock.seconds += 1
    desk.sources[0].more.release(30)
    wait_until(lambda: len(desk.reader.read()) > 30)

    assert while_revoked == 0
    assert len(desk.opened) == 1


def test_a_rebalance_that_moves_a_camera_stops_it(desk: Desk) -> None:
    desk.tell("door", spec_of("rtsp://host/a"))
    desk.tell("gate", spec_of("rtsp://host/b", "gate"), OTHER_HOME)

    desk.handler.revoked([HOME, OTHER_HOME])
    desk.handler.assigned([OTHER_HOME])

    assert desk.supervisor.ids() == {"gate"}


def test_a_revoked_camera_that_nobody_speaks_of_any_more_is_stopped_after_a_while(desk: Desk) -> None:
    desk.tell("door", spec_of("rtsp://host/a"))
    desk.handler.revoked([HOME])

    desk.handler.handle([])
    assert desk.supervisor.ids() == {"door"}
    desk.clock.seconds += 60
    desk.handler.handle([])

    assert desk.supervisor.ids() == frozenset()


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        pytest.param("door", "is not a camera", id="another message"),
        pytest.param("gate", "under the key", id="wrong key"),
    ],
)
def test_what_is_no_camera_is_rejected(key: str, reason: str, desk: Desk) -> None:
    progress = CameraProgress(
        camera_id="door", site_id="s", stream_id="x", time_ns=0, frames=0, analysed=0, dropped=0, tracklets=0
    )
    message = progress if key == "door" else spec_of("a.mp4")

    (rejected,) = desk.handler.handle([Received(Record("cameras", 0, 0, key, b"", 0), message)])

    assert isinstance(rejected, Rejected)
    assert reason in rejected.reason


def test_a_service_that_stops_leaves_no_camera_running(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4")
    before = threading.active_count()

    with IngestWorker() as worker:
        worker.add(spec_of(video, realtime=True, loop=True))
        worker.add(spec_of("rtsp://127.0.0.1:1/x", "gate"))
        wait_until(lambda: worker.cameras == {"door", "gate"})

    assert threading.active_count() == before


def test_bad_cameras_end_with_their_cause_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video " * 100)
    make_video(tmp_path / "good.mp4")

    with IngestWorker() as worker:
        for camera_id, name in (("a", "none.mp4"), ("b", "notes.mp4"), ("c", "good.mp4")):
            worker.add(spec_of(tmp_path / name, camera_id))
        wait_until(lambda: all(worker.reader.ended(camera_id) for camera_id in "abc"))

    assert "does not exist" in worker.reader.of("a")[-1].reason
    assert "not a video" in worker.reader.of("b")[-1].reason
    assert worker.reader.of("c")[-1].reason == ""
    assert sum(len(chunk.packets) for chunk in worker.reader.of("c")) == 30
    assert worker.registry.get_sample_value("climbtrack_ingest_frames_total", {"camera": "c"}) == 30


def test_camera_up_follows_the_state(desk: Desk) -> None:
    desk.tell("door", spec_of("rtsp://host/a"))
    desk.tell("gate", spec_of("a.mp4", "gate"))
    wait_until(lambda: desk.state("door") is State.LIVE)
    wait_until(lambda: desk.state("gate") is State.ENDED)
    desk.handler.handle([])
    assert (desk.up("door"), desk.up("gate")) == (1, None)  # a file that was read is not a camera that is down

    desk.clock.seconds += 5
    desk.handler.handle([])
    assert desk.up("door") == 0

    desk.tell("door", None)
    assert desk.up("door") is None
