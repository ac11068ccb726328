"""The distributed form equals the embedded one, and neither kills nor rebalances change who is who."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest

from gallery.score import score_folder
from tests.conftest import PATIENCE_S, settings_of_its_own
from tests.ingest_tools import is_shared_out
from tests.servers.cluster import START_NS, Cluster, EmbeddedRun, SiteOnDisk, rows_by_person

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

SECONDS = 30
HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class Watched:
    """A cluster that has watched the site once, and goes on: its tracks and numbers as they were then."""

    cluster: Cluster
    tracks: Path
    numbers: frozenset[int]


@pytest.fixture(scope="module")
def watched(
    site: SiteOnDisk,
    detector: Path,
    kafka_servers: str,
    redis_url: str,
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    cluster = Cluster(folder, settings_of_its_own(kafka_servers), redis_url, free_port, detector)
    try:
        for service in ("gallery", "worker", "ingest", "api"):
            cluster.start(service)
        specs = site.specs(cluster.site_id)
        cluster.add_cameras(specs)
        cluster.wait_until_done(specs)
        yield Watched(cluster, cluster.results("out"), numbers_in(cluster))
    finally:
        cluster.stop()


def numbers_in(cluster: Cluster) -> frozenset[int]:
    return frozenset(identity.number for identity in cluster.store.identities(0, 100))


def test_people_never_seen_in_training_keep_one_identity_over_all_cameras(
    site: SiteOnDisk, embedded: EmbeddedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    table = score_folder(site.truth, embedded.out)
    with capsys.disabled():
        print(f"\ngenerated site, embedded: {table.overall.identity}, {table.numbers} numbers")
    assert table.overall.identity.idf1 >= 0.80


def test_separate_processes_over_kafka_find_the_same_people_as_one_process(
    watched: Watched, embedded: EmbeddedRun
) -> None:
    assert rows_by_person(watched.tracks) == rows_by_person(embedded.out)


def test_killing_worker_and_gallery_in_the_middle_changes_nothing(
    cluster: Cluster, site: SiteOnDisk, embedded: EmbeddedRun
) -> None:
    for service in ("gallery", "worker", "ingest"):
        cluster.start(service)
    specs = site.specs(cluster.site_id)
    cluster.add_cameras(specs)
    cluster.wait_until_seen(0.3, SECONDS)
    cluster.kill("worker")
    cluster.start("worker")
    cluster.wait_until_seen(0.6, SECONDS)
    cluster.kill("gallery")
    cluster.start("gallery")
    cluster.wait_until_done(specs)
    assert rows_by_person(cluster.results("out")) == rows_by_person(embedded.out)


def test_a_second_run_over_the_same_redis_recognises_the_people_of_the_first(
    watched: Watched, site: SiteOnDisk
) -> None:
    # Given a site that was watched once
    cluster = watched.cluster
    # When the same people come again an hour later
    again = site.specs(cluster.site_id, start_ns=START_NS + HOUR_NS)
    cluster.add_cameras(again)
    cluster.wait(lambda: any(not p.ended for p in cluster.progress().values()), "the second visit to begin")
    cluster.wait_until_done(again)
    # Then most of them are the people known already
    new = numbers_in(cluster) - watched.numbers
    assert len(new) <= len(watched.numbers) // 4, f"{sorted(new)} are new beside {sorted(watched.numbers)}"


def test_the_api_of_a_cluster_answers_who_where_and_when(watched: Watched, site: SiteOnDisk) -> None:
    base = f"http://127.0.0.1:{watched.cluster.ports['api']}/v1"
    people = httpx.get(f"{base}/identities", timeout=PATIENCE_S).json()["identities"]
    assert {person["id"] for person in people} == numbers_in(watched.cluster)
    assert {
        camera["camera_id"] for camera in httpx.get(f"{base}/cameras", timeout=PATIENCE_S).json()["cameras"]
    } == set(site.cameras)
    tracks = httpx.get(f"{base}/tracks", params={"camera": site.cameras[0]}, timeout=PATIENCE_S).json()["tracks"]
    assert tracks
    assert {track["camera_id"] for track in tracks} == {site.cameras[0]}
    # And who somebody is, by a picture that a worker embeds and a gallery compares
    known = max(people, key=lambda person: person["tracklets"])
    crop = httpx.get(f"{base}/tracks/{known['picture']}/crop", timeout=PATIENCE_S).content
    found = httpx.post(
        f"{base}/search", content=crop, headers={"Content-Type": "image/jpeg"}, timeout=PATIENCE_S
    ).json()
    alike = httpx.get(f"{base}/tracks/{known['picture']}/lookalikes", timeout=PATIENCE_S).json()
    assert found["people"][0]["lookalikes"][0]["identity"]["id"] == known["id"]
    assert alike["lookalikes"][0]["identity"]["id"] == known["id"]


def test_two_ingest_workers_share_eight_cameras_and_one_takes_over(cluster: Cluster, site: SiteOnDisk) -> None:
    # Given eight cameras that never end, and two workers that share them
    video = site.folder / f"{site.cameras[0]}.mp4"
    for name in ("left", "right"):
        cluster.start("ingest", name)
    spec = site.specs(cluster.site_id)[0]
    specs = [
        msgspec.structs.replace(spec, camera_id=f"cam{number}", url=str(video), loop=True, realtime=True)
        for number in range(8)
    ]
    cluster.add_cameras(specs)

    def running(name: str) -> set[str]:
        return {s.camera_id for s in specs if cluster.metric(name, f'climbtrack_camera_up{{camera="{s.camera_id}"}}')}

    everything = {spec.camera_id for spec in specs}
    cluster.wait(
        lambda: is_shared_out(everything, running("left"), running("right")), "each of eight cameras to run once"
    )
    # When one dies
    cluster.kill("left")
    # Then the other reads them all
    cluster.wait(lambda: running("right") == everything, "the other to take over")
