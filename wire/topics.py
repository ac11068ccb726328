"""How the topics should be on a broker, and what is to be done about those that are different. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from wire.bus import (
    BOXES,
    CAMERAS,
    FRAMES,
    IDENTITIES,
    MAX_RECORD_BYTES,
    NVSCHEMA,
    TOPICS,
    TRACKLETS,
    WORKER_STATE,
    TopicSpec,
)
from wire.settings import KafkaSettings

BY_CAMERA = (CAMERAS, FRAMES, WORKER_STATE, BOXES, NVSCHEMA)  # keyed by camera: as many workers can share them
BY_SITE = (TRACKLETS, IDENTITIES)
FIXED = ("max.message.bytes", "cleanup.policy")  # without these values messages are lost

BY_BROKER = ("message.timestamp.type", "LogAppendTime")  # or a sender whose clock is wrong decides what is kept
REPLACED_MS = 600_000  # what was replaced in a table is dropped about so soon: states of workers hold crops of people
COMPACTED_BY = ("max.compaction.lag.ms", str(REPLACED_MS))  # whatever share of the table that is
# Changed where asked for; services work without, as on topics of earlier versions.
ADVISED = (BY_BROKER[0], COMPACTED_BY[0])

Action = Literal["create", "grow", "configure", "advise", "refuse", "keep"]


DOABLE: frozenset[Action] = frozenset({"create", "grow", "configure", "advise"})


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is on a broker; `configs` is None where we may not read them."""

    partitions: int
    replicas: int
    configs: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about one topic.

    Attributes:
        topic: Without the prefix.
        action: `create`, `grow`, `configure` and `advise` can be done, and services can work before the last of them
            is; `refuse` cannot; `keep` is a difference that is left as it is, since whoever runs the broker may have
            wanted it.
        what: One clause for people, with the values that are and that should be.
        config: The key of the broker's configuration that it is about, or empty.
    """

    topic: str
    action: Action
    what: str
    config: str = ""

    @property
    def blocks(self) -> bool:
        """Return whether services cannot work before something is done."""
        return self.action not in {"keep", "advise"}

    def __str__(self) -> str:
        """Return a sentence without a full stop, with the remedy."""
        remedy = "; `climbtrack topics apply` changes that" if self.action in DOABLE else ""
        return f"topic {self.topic} {self.what}{remedy}"


def sized(settings: KafkaSettings) -> tuple[TopicSpec, ...]:
    """Return all topics, with the partitions of the settings."""
    counts = dict.fromkeys(BY_CAMERA, settings.camera_partitions) | dict.fromkeys(BY_SITE, settings.site_partitions)
    return tuple(replace(spec, partitions=counts.get(spec, spec.partitions)) for spec in TOPICS)


def configuration(spec: TopicSpec) -> dict[str, str]:
    """Return the broker's configuration of a topic."""
    configs = {"max.message.bytes": str(MAX_RECORD_BYTES), BY_BROKER[0]: BY_BROKER[1]}
    if spec.retention_s is None:
        # Small segments, compacted early: a table is read from its beginning whenever a partition moves.
        return configs | {
            "cleanup.policy": "compact",
            "segment.bytes": str(8 * MAX_RECORD_BYTES),
            "segment.ms": str(REPLACED_MS),
            "min.cleanable.dirty.ratio": "0.1",
            COMPACTED_BY[0]: COMPACTED_BY[1],
        }
    retention_ms = 1000 * spec.retention_s
    # Kafka deletes whole segments only, so a segment spans a fraction of the retention time.
    return configs | {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_ms),
        "segment.ms": str(max(60_000, retention_ms // 8)),
    }


def steps(spec: TopicSpec, found: TopicState | None, replicas: int) -> Iterator[Step]:
    """Yield what is to be done so that a topic is as it should be; `found` is None where it is missing."""
    if found is None:
        kept = "compacted" if spec.retention_s is None else f"kept {spec.retention_s} s"
        yield Step(spec.name, "create", f"is missing: {spec.partitions} partitions, {replicas} replicas, {kept}")
        return
    if found.partitions < spec.partitions:
        yield Step(spec.name, "grow", f"has {found.partitions} partitions, {spec.partitions} are wanted")
    elif found.partitions > spec.partitions:
        yield Step(
            spec.name,
            "refuse",
            f"has {found.partitions} partitions, {spec.partitions} are wanted, and partitions cannot be removed: "
            f"{_remedy(spec, found.partitions)}use another kafka.topic_prefix",
        )
    if found.replicas < replicas:
        yield Step(spec.name, "keep", f"has {found.replicas} replicas, kafka.replication_factor is {replicas}")
    yield from _configs(spec, found.configs or {})


def _configs(spec: TopicSpec, found: Mapping[str, str]) -> Iterator[Step]:
    for key, wanted in configuration(spec).items():
        value = found.get(key, wanted)
        larger = key == "max.message.bytes" and value.isdigit() and int(value) >= int(wanted)
        if value != wanted and not larger:
            action: Action = "configure" if key in FIXED else "advise" if key in ADVISED else "keep"
            yield Step(spec.name, action, f"has {key} {value}, climbtrack's is {wanted}", key)


def _remedy(spec: TopicSpec, partitions: int) -> str:
    for key, specs in (("camera", BY_CAMERA), ("site", BY_SITE)):
        if spec.name in {known.name for known in specs}:
            return f"set kafka.{key}_partitions to {partitions}, or "
    return ""
