"""What the service loop promises on every bus, whatever fails between handling a batch and committing it."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry

from tests.bus_tools import FlakyBus
from tests.conftest import PATIENCE_S
from wire import codec
from wire.bus import Bus, TopicPartition
from wire.errors import TransientError
from wire.health import ServiceMonitor
from wire.memory import MemoryBus
from wire.messages import CameraProgress
from wire.metrics import ServiceMetrics
from wire.service import Outgoing, Received, Service

CAMERAS = tuple(f"camera-{number}" for number in range(6))
AWAY = "the broker is away"


class Stage:
    """Answers every record with one that names it; stops the loop in the first idle round after all were handled."""

    def __init__(self, expected: int) -> None:
        self.stop = threading.Event()
        self.handled: list[tuple[TopicPartition, int]] = []
        self.flushed_after: list[int] = []
        self._expected = expected
        self._idle = True

    def handle(self, batch: Sequence[Received]) -> list[Outgoing]:
        self._idle = not batch
        self.handled += [(item.record.source, item.record.offset) for item in batch]
        return [Outgoing("tracklets", item.record.key, item.message) for item in batch if item.message is not None]

    def flushed(self) -> None:
        self.flushed_after.append(len(self.handled))
        if self._idle and len(self.handled) >= self._expected:
            self.stop.set()

    def waiting(self) -> int:
        return 0

    def busy(self) -> bool:
        return False

    def needed_from(self) -> Mapping[TopicPartition, int]:
        return {}

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Need nothing."""

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Keep nothing."""


def run(bus: Bus | FlakyBus, expected: int = len(CAMERAS)) -> Stage:
    stage, registry = Stage(expected), CollectorRegistry()
    monitor = ServiceMonitor("stage", ServiceMetrics(registry))
    Service("stage", bus, stage, topics=["frames"], monitor=monitor).run(stage.stop)
    return stage


def feed(bus: Bus) -> list[bytes]:
    """Send one record of every camera; return what a stage should make of them."""
    producer = bus.producer()
    sent = []
    for number, name in enumerate(CAMERAS):
        message = CameraProgress(
            camera_id=name, site_id="s", stream_id="x", time_ns=number, frames=0, analysed=0, dropped=0, tracklets=0
        )
        sent.append(codec.encode(message))
        producer.send("frames", name, sent[-1])
    producer.flush(10)
    producer.close()
    return sent


def published(bus: Bus, at_least: int) -> list[bytes]:
    consumer = bus.consumer("reader", ["tracklets"])
    found: list[bytes] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < at_least and time.monotonic() < deadline:
        found += [record.value or b"" for record in consumer.poll(100, 0.2)]
    found += [record.value or b"" for record in consumer.poll(100, 0.2)]
    consumer.close()
    return sorted(found)


@pytest.mark.parametrize("call", ["send", "flush"])
@pytest.mark.parametrize("took_effect", [False, True])
def test_a_batch_is_handled_once_however_often_publishing_fails(bus: Bus, call: str, *, took_effect: bool) -> None:
    sent, flaky = feed(bus), FlakyBus(bus)
    (flaky.after if took_effect else flaky.before)[call] = [TransientError(AWAY) for _ in range(3)]

    stage = run(flaky)

    assert sorted(stage.handled) == sorted(set(stage.handled))
    assert len(stage.handled) == len(CAMERAS)
    assert set(published(bus, len(CAMERAS))) == set(sent)


def test_a_handler_is_told_only_after_the_flush_that_succeeded() -> None:
    bus = MemoryBus()
    feed(bus)
    flaky = FlakyBus(bus)
    flaky.before["flush"] = [TransientError(AWAY), TransientError(AWAY)]

    assert set(run(flaky).flushed_after) == {len(CAMERAS)}


def test_what_was_not_committed_is_published_again_by_the_next_one_under_the_same_names(bus: Bus) -> None:
    sent, flaky = feed(bus), FlakyBus(bus)
    flaky.before["commit"] = [RuntimeError("a power cut between flush and commit")]
    with pytest.raises(RuntimeError, match="power cut"):
        run(flaky)

    successor = run(bus)

    assert set(published(bus, len(CAMERAS))) == set(sent)
    assert len(successor.handled) == len(CAMERAS)


def test_a_commit_that_failed_is_made_good_and_nothing_is_handled_again(bus: Bus) -> None:
    sent, flaky = feed(bus), FlakyBus(bus)
    flaky.before["commit"] = [TransientError(AWAY)]
    run(flaky)

    later = feed(bus)
    successor = run(bus)

    assert published(bus, 2 * len(CAMERAS)) == sorted([*sent, *later])
    assert len(successor.handled) == len(CAMERAS)
