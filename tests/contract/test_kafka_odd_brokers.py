"""Brokers that answer late, tell addresses nobody reaches, make topics by themselves, or have no room left."""

import gc
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from deploy import kafka_server
from tests.conftest import PATIENCE_S, need, wait_until
from tests.servers.slow_proxy import SlowProxy
from wire.bus import CAMERAS, FRAMES, Consumer, Producer, TopicSpec
from wire.errors import SettingsError, TransientError
from wire.kafka.bus import KafkaBus
from wire.kafka.client import connection_options
from wire.settings import KafkaSettings

pytestmark = [
    pytest.mark.kafka,
    # The client leaves sockets that were refused to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]

TOPICS = (TopicSpec("frames", partitions=1, retention_s=600), TopicSpec("cameras", partitions=2, retention_s=None))


@pytest.fixture(autouse=True)
def _no_refused_sockets_for_the_next_test() -> Iterator[None]:
    yield
    gc.collect()


@dataclass(frozen=True, slots=True)
class OddBroker:
    """Addresses of one node: behind a proxy that is late, and one that tells where nobody listens."""

    proxy: SlowProxy
    late: str
    lost: str


@pytest.fixture(scope="module")
def broker() -> Iterator[OddBroker]:
    missing = kafka_server.missing_tools()
    need(found=not missing, what=f"{' and '.join(missing)}, to start Kafka")
    behind, front, lost, nowhere = (kafka_server.free_port() for _ in range(4))
    plain = "PLAINTEXT://127.0.0.1:{port}"
    more = (
        f"listeners={plain},CONTROLLER://127.0.0.1:{{controller_port}},"
        f"LATE://127.0.0.1:{behind},LOST://127.0.0.1:{lost}\n"
        f"advertised.listeners={plain},LATE://127.0.0.1:{front},LOST://127.0.0.1:{nowhere}\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LATE:PLAINTEXT,LOST:PLAINTEXT\n"
        "inter.broker.listener.name=PLAINTEXT\n"
    )
    with kafka_server.start(more=more), SlowProxy(front, behind) as proxy:
        yield OddBroker(proxy, f"127.0.0.1:{front}", f"127.0.0.1:{lost}")


@pytest.fixture
def late(broker: OddBroker) -> Iterator[SlowProxy]:
    yield broker.proxy
    broker.proxy.delay_s = 0.0
    broker.proxy.silent.clear()


def at(servers: str, patience_ms: int = 5000) -> KafkaSettings:
    prefix = f"test-{uuid.uuid4().hex[:8]}-"
    return KafkaSettings(
        servers=servers, topic_prefix=prefix, request_timeout_ms=patience_ms, connect_timeout_ms=patience_ms
    )


def values(consumer: Consumer, last: bytes) -> list[bytes]:
    """Return what is read up to a last value."""
    found: list[bytes] = []

    def is_complete() -> bool:
        found.extend(record.value or b"" for record in consumer.poll(1, 1.0))
        return last in found

    wait_until(is_complete)
    return found


def test_a_broker_whose_every_answer_is_late_is_worked_with(broker: OddBroker, late: SlowProxy) -> None:
    late.delay_s = 0.7
    with closing(KafkaBus(at(broker.late), TOPICS)) as bus:
        bus.ensure_topics()
        with closing(bus.producer()) as producer, closing(bus.consumer("workers", ["frames"])) as consumer:
            producer.send("frames", "door", b"x")
            producer.flush(PATIENCE_S)
            assert values(consumer, b"x") == [b"x"]


def test_a_broker_that_answers_later_than_one_waits_is_named_and_used_again(broker: OddBroker, late: SlowProxy) -> None:
    settings = at(broker.late, patience_ms=1000)
    with closing(KafkaBus(settings, TOPICS)) as bus:
        # Given a service that starts while no answer comes
        late.silent.set()
        with pytest.raises(TransientError, match=broker.late):
            bus.ensure_topics()
        # When answers come, then it can work
        late.silent.clear()
        wait_until(lambda: succeeds(bus.ensure_topics))
        with closing(bus.producer()) as producer:
            send(producer, "cameras", b"before")
            # And when none come again, then what is being sent fails, and is sent again later
            late.silent.set()
            with pytest.raises(TransientError, match=broker.late):
                send(producer, "cameras", b"meanwhile")
            late.silent.clear()
            wait_until(lambda: succeeds(lambda: send(producer, "cameras", b"after")))
        assert {"before", "after"} <= set(bus.table("cameras"))


def send(producer: Producer, topic: str, value: bytes) -> None:
    """Send a record whose key is its beginning."""
    producer.send(topic, value[:6].decode().strip("\0"), value)
    producer.flush(30)


def send_once(bus: KafkaBus) -> None:
    with closing(bus.producer()) as producer:
        send(producer, "frames", b"x")


def succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except TransientError:
        return False
    return True


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda bus: bus.ensure_topics(), id="ensure_topics"),
        pytest.param(send_once, id="send"),
        pytest.param(lambda bus: bus.table("cameras"), id="table"),
    ],
)
def test_a_broker_that_tells_an_address_nobody_reaches_is_named_with_the_setting(
    broker: OddBroker, call: Callable[[KafkaBus], object]
) -> None:
    settings = at(broker.lost, patience_ms=1000)
    with closing(KafkaBus(settings, TOPICS)) as bus, pytest.raises(TransientError) as caught:
        call(bus)
    assert broker.lost in str(caught.value)
    assert "advertised.listeners" in str(caught.value)


def test_topics_that_a_broker_has_made_by_itself_are_refused_and_mended(kafka_settings: KafkaSettings) -> None:
    # Given topics as a broker makes them when somebody asks for them first
    with closing(KafkaAdminClient(**connection_options(kafka_settings))) as admin:
        admin.create_topics(
            {
                kafka_settings.topic_prefix + spec.name: {"num_partitions": 1, "replication_factor": 1}
                for spec in (FRAMES, CAMERAS)
            }
        )
    # Then services refuse them, naming the first difference and the remedy
    with closing(KafkaBus(kafka_settings)) as bus:
        with pytest.raises(SettingsError, match=r"topic cameras has 1 partitions, 32 are wanted; `climbtrack topics"):
            bus.ensure_topics()
        # When they are applied, then partitions, sizes and what a table forgets are as they should be
        done = {(step.topic, step.config) for step in bus.topics().apply(()) if step.topic in {"frames", "cameras"}}
        assert done >= {("cameras", ""), ("frames", ""), ("cameras", "cleanup.policy")}
        bus.ensure_topics()
        assert {step.action for step in bus.topics().plan()} <= {"keep"}


class SmallDisk:
    """A file system of some megabytes, in a namespace of its own, which needs no rights here."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder = folder
        made = f"mount -t tmpfs -o size={megabytes}m disk {folder} && echo made && exec sleep infinity"
        self._holder = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", made], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self.exists = self._holder.stdout.readline() == b"made\n"

    def inside(self, *words: str) -> list[str]:
        """Return the command that runs another one where this file system is."""
        space = ["nsenter", "--target", str(self._holder.pid), "--user", "--mount", "--preserve-credentials"]
        return [*space, "sh", "-c", 'cd "$0" && exec "$@"', str(self._folder.parent), *words]

    def grow(self, megabytes: int) -> None:
        """Make room."""
        subprocess.run(self.inside("mount", "-o", f"remount,size={megabytes}m", str(self._folder)), check=True)

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "node" / "data"
    folder.mkdir(parents=True)
    with closing(SmallDisk(folder, megabytes=70)) as made:
        if not made.exists:  # a machine that forbids namespaces to its users: no change of ours can mend that
            pytest.skip("file systems in namespaces: missing")
        yield made


def test_a_broker_without_room_is_waited_for_and_nothing_that_was_confirmed_is_lost(
    disk: SmallDisk, tmp_path: Path
) -> None:
    missing = kafka_server.missing_tools()
    need(found=not missing, what=f"{' and '.join(missing)}, to start Kafka")
    port, controller = kafka_server.free_port(), kafka_server.free_port()
    folder, out = tmp_path / "node", tmp_path / "out"
    command = kafka_server.prepare(folder, kafka_server.fetch(), (port, controller))
    properties = (folder / "data" / "meta.properties").read_text()
    subprocess.run(disk.inside("tee", str(folder / "data" / "meta.properties")), input=properties.encode(), check=True)
    settings = at(f"127.0.0.1:{port}")
    confirmed = 0
    with closing(KafkaBus(settings, TOPICS)) as bus, closing(bus.producer()) as producer:
        # Given a broker whose disk fills up
        with out.open("wb") as log, subprocess.Popen(disk.inside(*command), cwd=folder, stdout=log, stderr=log) as node:
            wait_until(lambda: succeeds(bus.ensure_topics))
            while succeeds(lambda: send(producer, "frames", bytes(800_000))):
                confirmed += 1
                assert confirmed < 200
            # Then it ends itself, and says why
            node.wait(PATIENCE_S)
        assert "No space left on device" in out.read_text()
        assert confirmed > 0
        with pytest.raises(TransientError, match=f"nothing listens at 127.0.0.1:{port}"):
            KafkaBus(settings, TOPICS).ensure_topics()
        # When there is room and it is started again, then what waited is sent, and nothing that was confirmed is lost
        disk.grow(300)
        with out.open("wb") as log, subprocess.Popen(disk.inside(*command), cwd=folder, stdout=log, stderr=log) as node:
            wait_until(lambda: succeeds(lambda: send(producer, "frames", b"last")))
            with closing(bus.consumer("workers", ["frames"])) as consumer:
                assert len(values(consumer, b"last")) > confirmed
            node.kill()
