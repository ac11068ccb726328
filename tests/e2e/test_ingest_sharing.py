"""Ingest workers share the cameras of an installation, on every bus."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, Recipe, is_shared_out, make_video, spec_of
from wire.bus import Bus
from wire.kafka.bus import KafkaBus
from wire.memory import MemoryBus
from wire.settings import KafkaSettings


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def site_bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    """A bus of each kind, with all topics; on a machine so busy that heartbeats stop, nobody is taken for lost."""
    bus: Bus = MemoryBus()
    if request.param == "kafka":
        settings: KafkaSettings = request.getfixturevalue("kafka_settings")
        bus = KafkaBus(settings.model_copy(update={"session_timeout_ms": 60_000}))
    bus.ensure_topics()
    yield bus
    bus.close()


def test_two_workers_share_eight_cameras_and_one_takes_over_from_the_other(site_bus: Bus, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", Recipe(frames=100))
    specs = [spec_of(video, f"camera{number}", realtime=True, loop=True) for number in range(8)]
    everything = {spec.camera_id for spec in specs}

    with IngestWorker(site_bus) as second, IngestWorker(site_bus) as first:
        for spec in specs:
            first.add(spec)
        wait_until(lambda: is_shared_out(everything, first.cameras, second.cameras))

        first.leave()
        wait_until(lambda: second.cameras == everything)
        already = len(first.reader.read())
        wait_until(lambda: {chunk.camera_id for chunk in first.reader.read()[already:]} == everything)
        first.reader.close()


def test_files_at_full_speed_arrive_whole_and_in_order(site_bus: Bus, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", Recipe(frames=300))
    names = [f"camera{number}" for number in range(4)]

    with IngestWorker(site_bus, max_backlog_chunks=5) as worker:
        for name in names:
            worker.add(spec_of(video, name))
        wait_until(lambda: all(worker.reader.ended(name) for name in names))
        worker.reader.close()

    for name in names:
        chunks = worker.reader.of(name)
        assert [chunk.seq for chunk in chunks] == list(range(60))
        assert sum(len(chunk.packets) for chunk in chunks) == 300
