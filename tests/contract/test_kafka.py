"""What only Kafka can do: be away, come back, lose a member without a word, and be shared with others."""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from deploy.kafka_server import KafkaNode
from tests.conftest import wait_until
from wire.bus import FRAMES, MAX_RECORD_BYTES, WORKER_STATE, Bus, TopicPartition, TopicSpec
from wire.errors import SettingsError, TransientError
from wire.kafka.bus import KafkaBus
from wire.kafka.consumer import KafkaBusConsumer
from wire.settings import KafkaSettings

pytestmark = [
    pytest.mark.kafka,
    # The client leaves sockets that were refused to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]

TOPICS = (TopicSpec("frames", partitions=4, retention_s=600), TopicSpec("cameras", partitions=4, retention_s=None))


@pytest.fixture(autouse=True)
def _no_refused_sockets_for_the_next_test() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def settings(kafka_settings: KafkaSettings) -> KafkaSettings:
    """Settings that give up quickly."""
    return kafka_settings.model_copy(
        update={"connect_timeout_ms": 1000, "request_timeout_ms": 1000, "session_timeout_ms": 2000}
    )


@pytest.fixture
def kafka_bus(settings: KafkaSettings) -> Iterator[KafkaBus]:
    made = KafkaBus(settings, TOPICS)
    made.ensure_topics()
    yield made
    made.close()


@pytest.fixture
def paused(kafka_node: KafkaNode) -> Iterator[Callable[[bool], None]]:
    """Return a function that stops and continues the broker's process; it runs again afterwards."""

    def pause(yes: bool) -> None:
        os.kill(kafka_node.process.pid, signal.SIGSTOP if yes else signal.SIGCONT)
        wait_until(lambda: _stopped(kafka_node.process.pid) is yes)

    yield pause
    pause(False)


def _stopped(pid: int) -> bool:
    """Tell whether every thread of a process has stopped, which takes them a moment on a busy machine."""
    try:
        stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):  # a thread has just ended, so they run
        return False
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda bus: bus.ensure_topics(), id="ensure_topics"),
        pytest.param(lambda bus: bus.table("cameras"), id="table"),
        pytest.param(lambda bus: bus.backlog("frames", "workers", "door"), id="backlog"),
        pytest.param(lambda bus: bus.producer().send("frames", "door", b"x"), id="send"),
        pytest.param(lambda bus: bus.consumer("workers", ["frames"]).poll(1, 0.1), id="poll"),
    ],
)
def test_a_broker_that_is_away_is_named(call: Callable[[Bus], object], free_port: Callable[[], int]) -> None:
    servers = f"127.0.0.1:{free_port()}"
    bus = KafkaBus(KafkaSettings(servers=servers, connect_timeout_ms=200), TOPICS)

    with pytest.raises(TransientError, match=servers):
        call(bus)

    bus.close()


def test_a_record_that_the_broker_does_not_take_fails_the_flush_and_the_next_one_is_fine(
    kafka_bus: KafkaBus, paused: Callable[[bool], None], settings: KafkaSettings
) -> None:
    producer = kafka_bus.producer()
    producer.send("cameras", "before", b"x")
    producer.flush(10)

    paused(True)
    producer.send("cameras", "meanwhile", b"x")
    with pytest.raises(TransientError, match=settings.servers):
        producer.flush(10)
    paused(False)
    producer.send("cameras", "after", b"x")
    producer.flush(30)
    producer.close()

    assert {"before", "after"} <= set(kafka_bus.table("cameras"))


def test_after_a_lost_record_one_send_is_refused_so_that_nothing_overtakes_it(
    kafka_bus: KafkaBus, paused: Callable[[bool], None], settings: KafkaSettings
) -> None:
    producer = kafka_bus.producer()
    producer.send("cameras", "before", b"x")
    producer.flush(10)

    def refused() -> bool:
        try:
            producer.send("cameras", "behind", b"x")
        except TransientError as error:
            return settings.servers in str(error)
        return False

    paused(True)
    producer.send("cameras", "lost", b"x")
    wait_until(refused)
    paused(False)
    producer.send("cameras", "lost", b"again")
    with pytest.raises(TransientError, match=settings.servers):
        producer.flush(10)
    producer.send("cameras", "after", b"x")
    producer.flush(30)
    producer.close()

    assert {"before", "lost", "after"} <= set(kafka_bus.table("cameras"))


MEMBER = """
import sys
from wire.bus import TopicSpec
from wire.kafka.bus import KafkaBus
from wire.settings import KafkaSettings

settings = KafkaSettings.model_validate_json(sys.argv[1])
topics = (TopicSpec("frames", 4, 600), TopicSpec("cameras", 4, None))
consumer = KafkaBus(settings, topics).consumer("workers", ["frames"], on_assigned=lambda _: print("owns", flush=True))
while True:
    consumer.poll(100, 0.1)
"""


def test_the_partitions_of_a_killed_member_move_to_another(kafka_bus: KafkaBus, settings: KafkaSettings) -> None:
    command = [sys.executable, "-W", "ignore", "-c", MEMBER, settings.model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as member:
        assert member.stdout is not None
        assert member.stdout.readline() == b"owns\n"
        member.kill()
    owned: set[TopicPartition] = set()
    heir = kafka_bus.consumer("workers", ["frames"], on_assigned=owned.update)

    for _ in range(300):
        heir.poll(100, 0.1)
        if len(owned) == 4:
            break
    heir.close()

    assert len(owned) == 4


def test_topics_are_created_with_their_limits_and_how_long_they_are_kept(settings: KafkaSettings) -> None:
    bus = KafkaBus(settings, (FRAMES, WORKER_STATE))
    bus.ensure_topics()
    bus.ensure_topics()
    bus.close()
    names = [settings.topic_prefix + spec.name for spec in (FRAMES, WORKER_STATE)]
    admin = KafkaAdminClient(bootstrap_servers=settings.servers)
    described = admin.describe_topics(names)
    configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    admin.close()

    frames, states = (configs["topic"][name] for name in names)
    assert {len(topic["partitions"]) for topic in described} == {FRAMES.partitions}
    assert [config["max.message.bytes"]["value"] for config in (frames, states)] == [str(MAX_RECORD_BYTES)] * 2
    assert [config["cleanup.policy"]["value"] for config in (frames, states)] == ["delete", "compact"]
    assert frames["retention.ms"]["value"] == str(1000 * (FRAMES.retention_s or 0))


def test_two_installations_share_a_cluster_by_their_prefix(kafka_bus: KafkaBus, settings: KafkaSettings) -> None:
    other = KafkaBus(settings.model_copy(update={"topic_prefix": settings.topic_prefix + "other-"}), TOPICS)
    other.ensure_topics()
    producer = other.producer()
    producer.send("cameras", "door", b"theirs")
    producer.flush(10)
    producer.close()

    assert kafka_bus.table("cameras") == {}
    assert set(other.table("cameras")) == {"door"}
    other.close()


def test_a_member_that_works_on_another_store_is_refused_while_the_first_one_reads(
    kafka_settings: KafkaSettings,
) -> None:
    # Given an installation whose gallery reads
    ours, theirs, unnamed = (KafkaBus(kafka_settings, TOPICS, store=partial(str, name)) for name in ("a", "b", ""))
    first, standby, second = (bus.consumer("gallery", ["frames"]) for bus in (ours, ours, theirs))
    unknown = unnamed.consumer("gallery", ["frames"])
    ours.ensure_topics()
    first.poll(1, 0.1)
    # When another installation with the same prefix starts, then it is refused, and whoever may be of the first is not
    wait_until(lambda: "works on another Redis" in refusal(second))
    assert [refusal(one) for one in (standby, unknown)] == ["", ""]
    # When those have ended, then the other one may go on
    for one in (first, standby, unknown):
        one.close()
    wait_until(lambda: not refusal(second))
    second.close()
    ours.close()


def refusal(consumer: KafkaBusConsumer) -> str:
    try:
        consumer.poll(1, 0.1)
    except SettingsError as error:
        return str(error)
    return ""
