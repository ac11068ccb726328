"""Topics on a real Kafka: compared with what services need, created, grown, never shrunk."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from deploy.cli.main import main
from tests.conftest import wait_until
from wire.bus import CAMERAS, TOPICS
from wire.errors import PermanentError, SettingsError
from wire.kafka.bus import KafkaBus
from wire.kafka.client import connection_options
from wire.settings import KafkaSettings
from wire.topics import BY_CAMERA, BY_SITE, TopicState, configuration, sized, steps

pytestmark = pytest.mark.kafka


@pytest.fixture
def small(kafka_servers: str) -> KafkaSettings:
    """Settings with few partitions and topics that no other test sees."""
    prefix = f"test-{uuid.uuid4().hex[:8]}-"
    return KafkaSettings(servers=kafka_servers, topic_prefix=prefix, camera_partitions=2, site_partitions=2)


@pytest.fixture
def config(small: KafkaSettings, tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    kafka = small.model_dump(mode="json", exclude_defaults=True)
    path.write_text(yaml.safe_dump({"kafka": kafka}))
    return path


@pytest.fixture
def admin(small: KafkaSettings) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(**connection_options(small))) as client:
        yield client


def grown(settings: KafkaSettings) -> KafkaSettings:
    return settings.model_copy(update={"camera_partitions": 8})


def actions(settings: KafkaSettings) -> set[tuple[str, str]]:
    with closing(KafkaBus(settings)) as bus:
        return {(step.topic, step.action) for step in bus.topics().plan()}


def test_every_topic_has_its_key_or_a_fixed_number_of_partitions() -> None:
    few = {spec.name: spec.partitions for spec in sized(KafkaSettings(camera_partitions=3, site_partitions=5))}
    assert {few[spec.name] for spec in BY_CAMERA} == {3}
    assert {few[spec.name] for spec in BY_SITE} == {5}
    assert sized(KafkaSettings()) == TOPICS


def test_topics_are_planned_created_and_then_as_they_should_be(
    small: KafkaSettings, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert actions(small) == {(spec.name, "create") for spec in TOPICS}
    assert main(["topics", "check", "--config", str(config)]) == 1
    assert "topic cameras is missing: 2 partitions, 1 replicas, compacted; `climbtrack topics apply` changes that" in (
        capsys.readouterr().err
    )
    assert main(["topics", "apply", "--config", str(config)]) == 0
    assert main(["topics", "check", "--config", str(config)]) == 0
    assert "all topics are as they should be" in capsys.readouterr().out
    assert actions(small) == set()


def test_partitions_grow_and_never_shrink(small: KafkaSettings) -> None:
    # Given cameras in a table of two partitions, one of which was removed
    with closing(KafkaBus(small)) as bus:
        bus.ensure_topics()
        with closing(bus.producer()) as producer:
            for number in range(20):
                producer.send(CAMERAS.name, f"cam{number}", b"old")
                producer.send(CAMERAS.name, f"cam{number}", f"spec {number}".encode())
            producer.send(CAMERAS.name, "cam3", None)
            producer.flush(20)
        before = {key: record.value for key, record in bus.table(CAMERAS.name).items()}
    # When a service asks for more partitions, it is refused with the remedy
    with closing(KafkaBus(grown(small))) as bus:
        wrong = "cameras has 2 partitions, 8 are wanted; `climbtrack topics apply` changes that"
        with pytest.raises(SettingsError, match=wrong):
            bus.ensure_topics()
        # And when they are added
        done = bus.topics().apply(())
        # Then exactly the topics of cameras have grown
        assert {(step.topic, step.action) for step in done} == {(spec.name, "grow") for spec in BY_CAMERA}
        # And every camera is once in the table, where its next record will be
        bus.ensure_topics()
        after = bus.table(CAMERAS.name)
        assert {key: record.value for key, record in after.items()} == before
        assert len({record.partition for record in after.values()}) > 2
        with closing(bus.producer()) as producer:
            for key in after:
                producer.send(CAMERAS.name, key, b"new")
            producer.flush(20)
        assert {key: record.partition for key, record in bus.table(CAMERAS.name).items()} == {
            key: record.partition for key, record in after.items()
        }
    # And fewer are refused, with both ways out
    with (
        closing(KafkaBus(small)) as bus,
        pytest.raises(
            SettingsError, match=r"has 8 partitions, 2 are wanted, .*set kafka.camera_partitions to 8, or use "
        ),
    ):
        bus.ensure_topics()


def test_partitions_are_not_added_while_a_service_runs(small: KafkaSettings) -> None:
    with closing(KafkaBus(small)) as bus:
        bus.ensure_topics()
        with closing(bus.consumer("ingest", [CAMERAS.name])) as consumer:
            consumer.poll(1, 5.0)
            with (
                closing(KafkaBus(grown(small))) as more,
                pytest.raises(PermanentError, match=r"group test-.*-ingest runs: .* are stopped"),
            ):
                more.topics().apply(("ingest",))
    assert (CAMERAS.name, "grow") in actions(grown(small))


def test_size_limits_are_named_and_set_and_retention_is_left_alone(
    small: KafkaSettings, config: Path, admin: KafkaAdminClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(KafkaBus(small)) as bus:
        bus.ensure_topics()
        values = {"max.message.bytes": "1000", "retention.ms": "3600000"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{small.topic_prefix}frames", values)])
        wait_until(lambda: ("frames", "configure") in actions(small))
        with pytest.raises(SettingsError, match=r"topic frames has max.message.bytes 1000, climbtrack's is 8388608; "):
            bus.ensure_topics()
    assert main(["topics", "apply", "--config", str(config)]) == 0
    assert "configure  frames has max.message.bytes 1000" in capsys.readouterr().out
    assert actions(small) == {("frames", "keep")}
    assert main(["topics", "check", "--config", str(config)]) == 0


@pytest.mark.parametrize(
    ("key", "value", "action"),
    [
        pytest.param("max.message.bytes", "1048588", "configure", id="a smaller limit"),
        pytest.param("max.message.bytes", "99999999", None, id="a larger limit"),
        pytest.param("cleanup.policy", "delete", "configure", id="a table that forgets"),
        pytest.param("segment.ms", "1000", "keep", id="other segments"),
    ],
)
def test_only_what_loses_messages_has_to_be_changed(key: str, value: str, action: str | None) -> None:
    found = TopicState(CAMERAS.partitions, 1, {**configuration(CAMERAS), key: value})
    assert [step.action for step in steps(CAMERAS, found, 1)] == ([action] if action else [])
