"""Sites are shared among gallery processes, and move when one dies or joins: nobody becomes anybody else."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest
from kafka.partitioner.default import murmur2
from msgspec.structs import replace

from gallery.store.memory import MemoryStore
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.store import Store
from tests.gallery_tools import CAMERAS, Gallery, interleaved, make_world, owners
from tests.servers.cluster import Cluster
from wire import codec
from wire.bus import TRACKLETS
from wire.messages import AnyMessage, CameraProgress, CameraSpec, Tracklet
from wire.settings import KafkaSettings, RedisSettings
from wire.tracklet_id import TrackletId

pytestmark = pytest.mark.kafka

SITES = 6


def of_site(message: AnyMessage, site_id: str) -> AnyMessage:
    """Return a message of the simulated site as one of a site with its own cameras."""
    if isinstance(message, CameraProgress):
        return replace(message, site_id=site_id, camera_id=f"{site_id}-{message.camera_id}")
    assert isinstance(message, Tracklet)
    name = TrackletId.parse(message.tracklet_id)
    camera = f"{site_id}-{message.camera_id}"
    moved = TrackletId(camera, name.stream_id, name.track, name.leg, name.part)
    return replace(message, site_id=site_id, camera_id=camera, tracklet_id=str(moved))


def names_of_sites(partitions: int) -> list[str]:
    """Return new names whose records lie in evenly spaced partitions, so that each of two galleries gets some."""
    run = uuid.uuid4().hex[:8]
    wanted = [number * partitions // SITES for number in range(SITES)]
    found: dict[int, str] = {}
    for name in (f"site-{run}-{number}" for number in count()):
        found.setdefault(int(murmur2(name.encode()) & 0x7FFFFFFF) % partitions, name)
        if found.keys() >= set(wanted):
            return [found[partition] for partition in wanted]
    raise AssertionError


@pytest.fixture
def sites(kafka_settings: KafkaSettings) -> dict[str, list[AnyMessage]]:
    """The messages of several sites, each with people of its own."""
    names = names_of_sites(kafka_settings.site_partitions)
    worlds = {name: make_world(100 + seed, people=4, seconds=40) for seed, name in enumerate(names)}
    return {
        site_id: [of_site(message, site_id) for message in interleaved(world, 1)] for site_id, world in worlds.items()
    }


@pytest.fixture
def machines(
    tmp_path: Path, kafka_settings: KafkaSettings, redis_url: str, free_port: Callable[[], int]
) -> Iterator[Cluster]:
    made = Cluster(tmp_path, kafka_settings, redis_url, free_port, tmp_path / "no detector")
    yield made
    made.stop()


def send(machines: Cluster, sites: Mapping[str, Sequence[AnyMessage]], start: float, end: float) -> None:
    """Send a share of the messages of every site."""
    with closing(machines.bus.producer()) as producer:
        for site_id, messages in sites.items():
            for message in messages[int(start * len(messages)) : int(end * len(messages))]:
                producer.send(TRACKLETS.name, site_id, codec.encode(message))
        producer.flush(30.0)


def decided_by_one(messages: Sequence[AnyMessage], site_id: str) -> Store:
    alone = Gallery(MemoryStore(site_id), messages)
    alone.run(len(messages))
    return alone.store


def test_galleries_that_share_sites_and_die_and_join_decide_what_one_alone_decides(
    machines: Cluster, sites: dict[str, list[AnyMessage]], redis_url: str
) -> None:
    names = [f"{site_id}-{camera}" for site_id in sites for camera in CAMERAS]
    machines.add_cameras(
        [CameraSpec(camera_id=name, site_id=name.rpartition("-")[0], url="x.mp4", mode="complete") for name in names]
    )

    def people(name: str) -> float:
        return machines.metric(name, "climbtrack_gallery_identities")

    with ExitStack() as opened:
        client = opened.enter_context(closing(connect(RedisSettings(url=redis_url))))
        stores = {site_id: RedisStore(client, site_id) for site_id in sites}
        # Given two galleries that share six sites
        for name in ("left", "right"):
            machines.start("gallery", name)
        send(machines, sites, 0.0, 0.3)
        machines.wait(lambda: people("left") > 0 and people("right") > 0, "both galleries to know people")
        # When one of them is killed amid its work, and another one joins
        send(machines, sites, 0.3, 0.6)
        machines.kill("left")
        machines.start("gallery", "third")
        send(machines, sites, 0.6, 0.8)
        machines.wait(lambda: people("third") > 0, "the new gallery to take over sites")
        send(machines, sites, 0.8, 1.0)

        def is_done(site_id: str) -> bool:
            progress = stores[site_id].progress()
            ended = len(progress) == len(CAMERAS) and all(one.progress.ended for one in progress.values())
            return ended and machines.bus.backlog(TRACKLETS.name, "gallery", site_id) == 0

        machines.wait(lambda: all(map(is_done, sites)), "all sites to be decided")
        # Then every site is what one gallery alone would have made of it
        for site_id, messages in sites.items():
            alone = decided_by_one(messages, site_id)
            assert owners(stores[site_id]) == owners(alone)
            assert stores[site_id].counts() == alone.counts()
