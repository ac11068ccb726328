"""Topics on a broker: reading how they are, creating, growing and configuring them. Part of `wire.kafka`.

A key belongs to another partition once a topic has grown. Topics that are deleted by age heal by themselves; in a table
the last record of a key has to move, or a camera would be read from its old partition for ever.
"""

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, errors
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.partitioner.default import murmur2

from wire.bus import TopicSpec
from wire.errors import PermanentError, TransientError
from wire.kafka.client import PAUSE_S, Names, connection_options, named_errors, reading_options
from wire.settings import KafkaSettings
from wire.topics import DOABLE, Action, Step, TopicState, configuration, steps

TABLE_S = 60.0
IDLE = {"Empty", "Dead"}


class KafkaTopics:
    """Our topics on one broker, as they are."""

    def __init__(self, admin: KafkaAdminClient, names: Names, settings: KafkaSettings) -> None:
        self._admin = admin
        self._names = names
        self._settings = settings

    def plan(self) -> list[Step]:
        """Return what is to be done about every topic."""
        with named_errors(self._settings):
            return list(_steps(self._admin, self._names, self._settings))

    def apply(self, groups: Collection[str]) -> list[Step]:
        """Do what can be done, and return it; `groups` are those that must not run while partitions are added.

        Raises:
            PermanentError: Partitions are to be added, and a group runs.
        """
        found = self.plan()
        growing = [step.topic for step in found if step.action == "grow"]
        with named_errors(self._settings):
            if growing:
                self._check_idle({self._names.group(name) for name in groups})
            create_missing(self._admin, self._names, self._settings)
            for topic in growing:
                self._grow(self._names.specs[topic])
            self._configure([step for step in found if step.action in {"configure", "advise"}])
            self._wait({"configure", "advise"}, self._names.specs)
        return [step for step in found if step.action in DOABLE]

    def _check_idle(self, groups: Collection[str]) -> None:
        for group in self._admin.list_groups():
            if group["group_id"] in groups and group["group_state"] not in IDLE:
                raise PermanentError(
                    f"group {group['group_id']} runs: partitions are added while `climbtrack ingest`, `worker` and "
                    "`gallery` are stopped, since cameras and sites move to other partitions"
                )

    def _configure(self, wrong: Collection[Step]) -> None:
        for step in wrong:
            values = {step.config: configuration(self._names.specs[step.topic])[step.config]}
            name = self._names.outside(step.topic)
            self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, values)])

    def _grow(self, spec: TopicSpec) -> None:
        name = self._names.outside(spec.name)
        self._admin.create_partitions({name: spec.partitions}, timeout_ms=self._settings.request_timeout_ms)
        self._wait({"grow"}, [spec.name])
        if spec.retention_s is None:
            self._move_keys(spec)

    def _wait(self, actions: Collection[Action], topics: Collection[str]) -> None:
        """Return when the brokers know what was changed, which may take seconds while they make partitions."""
        deadline = time.monotonic() + self._settings.request_timeout_ms / 1000
        while left := [
            step
            for step in _steps(self._admin, self._names, self._settings)
            if step.action in actions and step.topic in topics
        ]:
            if time.monotonic() > deadline:
                raise TransientError(f"Kafka at {self._settings.servers} has not done it in time: {left[0]}")
            time.sleep(PAUSE_S)

    def _move_keys(self, spec: TopicSpec) -> None:
        """Write the last record of every key that now belongs elsewhere there, and remove it where it was."""
        name = self._names.outside(spec.name)
        producer = KafkaProducer(**connection_options(self._settings), acks="all", max_request_size=2**25)
        try:
            for part, values in _tables(self._settings, self._names, spec).items():
                for key, value in values.items():
                    belongs = int(murmur2(key) & 0x7FFFFFFF) % spec.partitions
                    if belongs != part:
                        producer.send(name, key=key, value=value, partition=belongs).get(TABLE_S)
                        producer.send(name, key=key, value=None, partition=part).get(TABLE_S)
        finally:
            producer.close()


def create_missing(admin: KafkaAdminClient, names: Names, settings: KafkaSettings) -> list[Step]:
    """Create the topics that are missing; return what is wrong with the others, so that services cannot work."""
    wanted = {names.outside(spec.name): _creation(spec, settings) for spec in names.specs.values()}
    done = admin.create_topics(wanted, timeout_ms=settings.request_timeout_ms, raise_errors=False)
    for topic in done["topics"]:
        error = errors.for_code(topic["error_code"])
        if error not in {errors.NoError, errors.TopicAlreadyExistsError}:
            raise error(f"topic {topic['name']}: {topic.get('error_message')}")
    admin.wait_for_topics(list(wanted))
    return [step for step in _steps(admin, names, settings) if step.blocks and step.action != "create"]


def _steps(admin: KafkaAdminClient, names: Names, settings: KafkaSettings) -> Iterator[Step]:
    found = _states(admin, [names.outside(topic) for topic in names.specs])
    for spec in names.specs.values():
        yield from steps(spec, found.get(names.outside(spec.name)), settings.replication_factor)


def _states(admin: KafkaAdminClient, topics: list[str]) -> dict[str, TopicState]:
    """Return the state of every topic that exists."""
    known = {topic["name"]: topic["partitions"] for topic in admin.describe_topics(topics) if topic["partitions"]}
    configs = _configs(admin, list(known))
    return {
        name: TopicState(len(parts), min(len(part["replica_nodes"]) for part in parts), configs.get(name))
        for name, parts in known.items()
    }


def _configs(admin: KafkaAdminClient, topics: list[str]) -> Mapping[str, Mapping[str, str]]:
    """Return the values that were set for each topic; nothing where we may not read them."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    try:
        found = admin.describe_configs(resources, config_filter="all") if resources else {}
    except (errors.TopicAuthorizationFailedError, errors.ClusterAuthorizationFailedError):
        return {}
    return {
        name: {key: entry["value"] for key, entry in values.items()} for name, values in found.get("topic", {}).items()
    }


def _tables(settings: KafkaSettings, names: Names, spec: TopicSpec) -> dict[int, dict[bytes, bytes]]:
    """Return the last record of every key, by partition; keys without one, or removed, are left out."""
    parts = names.partitions(spec.name)
    tables: dict[int, dict[bytes, bytes]] = {part.partition: {} for part in parts}
    client = KafkaConsumer(**connection_options(settings), **reading_options(), group_id=None)
    try:
        client.assign(parts)
        client.seek_to_beginning(*parts)
        ends = client.end_offsets(parts, timeout_ms=int(1000 * TABLE_S))
        while any(client.position(part) < ends[part] for part in parts):
            for part, items in client.poll(timeout_ms=500).items():
                for item in items:
                    _note(tables[part.partition], item)
    finally:
        client.close(autocommit=False)
    return tables


def _note(table: dict[bytes, bytes], item: Any) -> None:
    if item.value is None:
        table.pop(item.key, None)
    else:
        table[item.key] = item.value


def _creation(spec: TopicSpec, settings: KafkaSettings) -> dict[str, Any]:
    return {
        "num_partitions": spec.partitions,
        "replication_factor": settings.replication_factor,
        "configs": configuration(spec),
    }
