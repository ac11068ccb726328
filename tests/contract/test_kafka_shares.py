"""Members of a real group share cameras evenly, whether these come before or after them."""

import threading
from collections import Counter
from collections.abc import Collection, Iterator

import pytest

from tests.conftest import wait_until
from wire import codec
from wire.bus import CAMERAS, FRAMES, Consumer, TopicPartition
from wire.kafka import camera_counts
from wire.kafka.bus import KafkaBus
from wire.messages import CameraSpec
from wire.settings import KafkaSettings

pytestmark = pytest.mark.kafka

NAMES = tuple(f"camera-{number}" for number in range(1, 9))  # two of them share a partition


class Worker:
    """A member in a thread of its own, as a service is, that remembers what it owns and what was taken from it."""

    def __init__(self, bus: KafkaBus, topic: str = FRAMES.name) -> None:
        self.owned: set[TopicPartition] = set()
        self.taken: set[TopicPartition] = set()
        self.read: list[str] = []
        self.polls = 0
        self._stop = threading.Event()
        self._consumer: Consumer = bus.consumer(
            f"reads-{topic}", [topic], on_assigned=self.owned.update, on_revoked=self._lose
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.read += [record.key for record in self._consumer.poll(100, 0.2)]
            self.polls += 1
        self._consumer.close()

    def _lose(self, partitions: Collection[TopicPartition]) -> None:
        self.owned.difference_update(partitions)
        self.taken.update(partitions)


@pytest.fixture
def bus(kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaBus]:
    monkeypatch.setattr(camera_counts, "AGE_S", 0.5)
    made = KafkaBus(kafka_settings, (CAMERAS, FRAMES))
    made.ensure_topics()
    yield made
    made.close()


@pytest.fixture
def workers(bus: KafkaBus) -> Iterator[list[Worker]]:
    yield from members(bus, FRAMES.name)


@pytest.fixture
def instances(bus: KafkaBus) -> Iterator[list[Worker]]:
    """Members that read the table itself, as instances of ingest do."""
    yield from members(bus, CAMERAS.name)


def members(bus: KafkaBus, topic: str) -> Iterator[list[Worker]]:
    made = [Worker(bus, topic) for _ in range(3)]
    yield made
    for worker in made:
        worker.stop()


def announce(bus: KafkaBus, names: Collection[str], *, enabled: bool = True) -> None:
    producer = bus.producer()
    for name in names:
        spec = CameraSpec(camera_id=name, site_id="site", url="door.mp4", enabled=enabled)
        producer.send(CAMERAS.name, name, codec.encode(spec))
    producer.flush(10)
    producer.close()


def cameras(bus: KafkaBus, workers: list[Worker]) -> list[int]:
    """Return how many cameras each worker has, the fewest first."""
    parts = Counter(record.partition for record in bus.table(CAMERAS.name).values())
    return sorted(sum(parts[part.partition] for part in worker.owned) for worker in workers)


def settled(workers: list[Worker]) -> bool:
    return all(worker.owned for worker in workers) and sum(len(worker.owned) for worker in workers) == FRAMES.partitions


def crowd_the_first(bus: KafkaBus, workers: list[Worker]) -> list[str]:
    """Announce six cameras, all in partitions of the first worker, once all have their shares."""
    wait_until(lambda: settled(workers))
    of_the_first = {part.partition for part in workers[0].owned}
    names = (f"lobby-{number}" for number in range(1_000))
    crowded = [name for name in names if bus._partition_of(FRAMES.name, name) in of_the_first][:6]
    for worker in workers:
        worker.taken.clear()  # what moved while they joined one after another
    announce(bus, crowded)
    return crowded


def test_cameras_that_are_known_are_shared_evenly_from_the_start(bus: KafkaBus, workers: list[Worker]) -> None:
    announce(bus, NAMES)
    wait_until(lambda: settled(workers) and cameras(bus, workers) == [2, 3, 3])


def test_cameras_that_come_later_move_until_they_are_shared_evenly_and_no_further(
    bus: KafkaBus, workers: list[Worker]
) -> None:
    crowded = crowd_the_first(bus, workers)
    wait_until(lambda: settled(workers) and cameras(bus, workers)[-1] <= 3)

    busy = {bus._partition_of(FRAMES.name, name) for name in crowded}
    moved = [part.partition for worker in workers for part in worker.taken]
    assert 0 < len(busy & set(moved)) <= 4  # the first worker keeps two cameras or more
    assert len(moved) <= 8  # and gets empty partitions for them


def test_cameras_of_ingest_move_only_when_a_member_comes_or_goes(bus: KafkaBus, instances: list[Worker]) -> None:
    crowded = crowd_the_first(bus, instances)
    wait_until(lambda: set(instances[0].read) == set(crowded))
    polls = [instance.polls for instance in instances]
    wait_until(
        lambda: all(now.polls > before + 10 for now, before in zip(instances, polls, strict=True)), timeout_s=120
    )

    assert not any(instance.taken for instance in instances)
    assert cameras(bus, instances) == [0, 0, 6]
