"""Machines whose clocks differ from Kafka's, by minutes and hours: on a real broker, everybody goes by its clock."""

import math
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from kafka import KafkaAdminClient

from deploy.kafka_server import KafkaNode
from gallery.store.server import ahead_of
from tests.conftest import wait_until
from wire.bus import CAMERAS, FRAMES
from wire.kafka.bus import KafkaBus
from wire.kafka.client import connection_options
from wire.settings import KafkaSettings, RedisSettings
from wire.topics import configuration

pytestmark = pytest.mark.kafka

TOPICS = tuple(replace(spec, partitions=1) for spec in (FRAMES, CAMERAS))
APART_S = [pytest.param(-7200, id="two hours behind"), pytest.param(300, id="five minutes ahead")]
DAYS_S = 3 * 86_400


def shifted(seconds: float) -> Callable[[], int]:
    """Return the clock of a machine that is ahead by so much."""
    return lambda: time.time_ns() + round(seconds * 1e9)


@pytest.fixture
def settings(kafka_node: KafkaNode) -> KafkaSettings:
    return KafkaSettings(servers=kafka_node.servers, topic_prefix=f"test-{uuid.uuid4().hex[:8]}-")


@pytest.fixture
def small(settings: KafkaSettings) -> KafkaSettings:
    """Settings for all topics, with few partitions."""
    return settings.model_copy(update={"camera_partitions": 1, "site_partitions": 1})


def send(bus: KafkaBus, key: str) -> None:
    with closing(bus.producer()) as producer:
        producer.send(FRAMES.name, key, b"x")
        producer.send(CAMERAS.name, key, b"x")
        producer.flush(30)


@pytest.mark.parametrize("ahead_s", [*APART_S, pytest.param(DAYS_S, id="days ahead")])
def test_whoever_has_sent_something_knows_the_time_of_the_broker(settings: KafkaSettings, ahead_s: float) -> None:
    with closing(KafkaBus(settings, TOPICS, time_ns=shifted(ahead_s))) as bus:
        bus.ensure_topics()
        assert math.isnan(bus.clock.ahead_s())
        send(bus, "door")
        assert bus.clock.ahead_s() == pytest.approx(ahead_s, abs=60)
        assert bus.now_ns() / 1e9 == pytest.approx(time.time(), abs=60)


def test_a_service_knows_the_time_of_the_broker_before_it_reads_anything(small: KafkaSettings) -> None:
    with closing(KafkaBus(small, time_ns=shifted(300))) as bus:
        bus.ensure_topics()
        assert bus.clock.ahead_s() == pytest.approx(300, abs=60)


@pytest.mark.parametrize("ahead_s", [*APART_S, pytest.param(DAYS_S, id="days ahead")])
def test_records_have_the_time_of_the_broker_whoever_sends_them(settings: KafkaSettings, ahead_s: float) -> None:
    with (
        closing(KafkaBus(settings, TOPICS, time_ns=shifted(ahead_s))) as theirs,
        closing(KafkaBus(settings, TOPICS)) as ours,
    ):
        theirs.ensure_topics()
        send(theirs, "door")
        [record] = ours.table(CAMERAS.name).values()
        with closing(theirs.watch(FRAMES.name, "door", since_s=300)) as viewer:
            [seen] = viewer.poll(30) or viewer.poll(30)
    assert [record.time_ns / 1e9, seen.time_ns / 1e9] == pytest.approx([time.time()] * 2, abs=60)


def test_topics_of_an_earlier_version_work_as_before_until_they_are_changed(settings: KafkaSettings) -> None:
    # Given topics whose records are stamped by who sends them
    with closing(KafkaBus(settings, TOPICS, time_ns=shifted(300))) as bus:
        with closing(KafkaAdminClient(**connection_options(settings))) as admin:
            by_sender = {"message.timestamp.type": "CreateTime"}
            admin.create_topics(
                {
                    settings.topic_prefix + spec.name: {
                        "num_partitions": spec.partitions,
                        "replication_factor": 1,
                        "configs": configuration(spec) | by_sender,
                    }
                    for spec in TOPICS
                }
            )
        # Then services start, work, and know nothing of the broker's clock
        bus.ensure_topics()
        send(bus, "door")
        assert math.isnan(bus.clock.ahead_s())
        # When topics are applied, then it is done, and from then on they know
        done = bus.topics().apply(())
        assert {(step.topic, step.action, step.blocks) for step in done} == {
            (spec.name, "advise", False) for spec in TOPICS
        }
        assert bus.topics().plan() == []
        wait_until(lambda: knows(bus))  # the broker hears of the change a moment later
        assert bus.clock.ahead_s() == pytest.approx(300, abs=60)


def knows(bus: KafkaBus) -> bool:
    send(bus, "door")
    return not math.isnan(bus.clock.ahead_s())


def test_redis_tells_its_time(redis_url: str) -> None:
    assert ahead_of(RedisSettings(url=redis_url))() == pytest.approx(0, abs=60)


def test_a_redis_that_is_away_tells_none(free_port: Callable[[], int]) -> None:
    assert math.isnan(ahead_of(RedisSettings(url=f"redis://127.0.0.1:{free_port()}/0"))())
