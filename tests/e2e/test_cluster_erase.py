"""Whoever is erased is in no record that a real Kafka retains, and does not get there when the video is read again."""

from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import ConfigResource, ConfigResourceType

from gallery.store.store import TrackQuery
from tests.conftest import PATIENCE_S
from tests.servers.cluster import START_NS, Cluster, SiteOnDisk
from wire import codec
from wire.bus import FRAMES, IDENTITIES, TOPICS, WORKER_STATE, Record
from wire.kafka.client import Names, connection_options, reading_options
from wire.messages import IdentityEvent, WorkerState
from wire.topics import sized

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

HOUR_NS = 3_600_000_000_000


def retained(cluster: Cluster) -> Iterator[Record]:
    """Yield every record that can be read from any topic."""
    names = Names(cluster.kafka.topic_prefix, {spec.name: spec for spec in sized(cluster.kafka)})
    client = KafkaConsumer(**connection_options(cluster.kafka), **reading_options(), group_id=None)
    try:
        parts = [part for spec in TOPICS for part in names.partitions(spec.name)]
        client.assign(parts)
        client.seek_to_beginning(*parts)
        ends = client.end_offsets(parts)
        while any(client.position(part) < ends[part] for part in parts):
            for items in client.poll(timeout_ms=500).values():
                yield from map(names.record, items)
    finally:
        client.close(autocommit=False)


def compact_soon(cluster: Cluster) -> None:
    """Have the broker complete a file of states after a second instead of ten minutes."""
    name = cluster.kafka.topic_prefix + WORKER_STATE.name
    with closing(KafkaAdminClient(**connection_options(cluster.kafka))) as admin:
        for key in ("segment.ms", "max.compaction.lag.ms"):
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {key: "1000"})])


def marks_of(cluster: Cluster, number: int) -> list[bytes]:
    """Return the ids, embeddings and crops of a person's tracklets."""
    rows = [row.tracklet for row in cluster.store.find(TrackQuery(identity_id=number, limit=10_000))]
    crops = [cluster.store.crop(one.tracklet_id) for one in rows]
    return [
        *(one.tracklet_id.encode() for one in rows),
        *(one.embedding.astype("<f2").tobytes() for one in rows),
        *(crop for crop in crops if crop),
    ]


def found(cluster: Cluster, marks: list[bytes]) -> set[str]:
    """Return the topics with a record in which one of the marks is."""
    return {record.topic for record in retained(cluster) if any(mark in (record.value or b"") for mark in marks)}


def proof_of(client: httpx.Client, word_id: str) -> Callable[[], bool]:
    def is_done() -> bool:
        proof = client.get(f"words/{word_id}").json()["erasure"]["retained"]
        return proof is not None and proof["time"] is not None

    return is_done


def test_an_erased_person_is_in_no_record_that_kafka_retains_whatever_is_read_again(
    cluster: Cluster, site: SiteOnDisk
) -> None:
    # Given a site that was followed
    compact_soon(cluster)
    for service in ("gallery", "worker", "ingest", "api", "alerts"):
        cluster.start(service)
    specs = site.specs(cluster.site_id)
    cluster.add_cameras(specs)
    cluster.wait_until_done(specs)
    number = max(cluster.store.identities(0, 100), key=lambda one: len(one.cameras)).number
    marks = marks_of(cluster, number)
    assert {"tracklets", "identities", "boxes"} <= found(cluster, marks)
    assert any(record.topic == FRAMES.name for record in retained(cluster))
    with httpx.Client(base_url=f"http://127.0.0.1:{cluster.ports['api']}/v1", timeout=PATIENCE_S) as client:
        # When somebody is erased
        said = client.delete(f"identities/{number}").json()
        others = {one.number for one in cluster.store.identities(0, 100)}
        cluster.wait(proof_of(client, said["id"]), "the records to be deleted")
        # Then no record has a trace of them, nor a state of a worker anybody, nor are there frames of the time
        assert found(cluster, marks) == set()
        left = list(retained(cluster))
        states = [codec.decode(one.value) for one in left if one.topic == WORKER_STATE.name and one.value]
        assert [one.stream_id for one in states if isinstance(one, WorkerState) and one.blob] == []
        assert FRAMES.name not in {one.topic for one in left}
        # And the proof says so, topic by topic
        topics = {
            one["topic"]: one for one in client.get(f"words/{said['id']}").json()["erasure"]["retained"]["topics"]
        }
        assert {one["kept"] for one in topics.values()} == {0}
        assert all(topics[name]["deleted"] for name in ("frames", "tracklets", "identities", "boxes"))
        # And whoever was away still hears of it
        events = [codec.decode(one.value or b"") for one in left if one.topic == IDENTITIES.name]
        assert [one.kind for one in events if isinstance(one, IdentityEvent)] == ["erased"]
        # When worker and gallery are killed, and the same videos are read again, as of another time
        for service in ("worker", "gallery"):
            cluster.kill(service)
            cluster.start(service)
        again = site.specs(cluster.site_id, start_ns=START_NS + HOUR_NS)
        cluster.add_cameras(again)
        cluster.wait(
            lambda: all(one.time_ns > START_NS + HOUR_NS and one.ended for one in cluster.progress().values()),
            "the videos to be read again",
        )
        cluster.wait(proof_of(client, said["id"]), "the records to be deleted again")
        # Then the person is not back, the others are, and no record has a picture or an embedding of the person
        assert cluster.store.identity(number) is None
        assert others <= {one.number for one in cluster.store.identities(0, 100)}
        assert found(cluster, [mark for mark in marks if len(mark) > 256]) == set()
