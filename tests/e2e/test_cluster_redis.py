"""A Redis that is down at the start, and one that goes away in the middle, cost time and nothing else."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import PATIENCE_S, need
from tests.servers.cluster import Cluster, EmbeddedRun, SiteOnDisk, rows_by_person
from wire.settings import KafkaSettings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

SECONDS = 30


class MortalRedis:
    """A Redis that a test starts and ends, over one folder with an append-only file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder / 'socket'}"

    def start(self) -> None:
        """Start it, or start it again over what it knew."""
        program = shutil.which("redis-server")
        need(found=program is not None, what="redis-server")
        options = ["--port", "0", "--unixsocket", str(self._folder / "socket"), "--appendonly", "yes"]
        command = [str(program), *options, "--appendfsync", "always", "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def end(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def mortal(
    tmp_path: Path, kafka_settings: KafkaSettings, free_port: Callable[[], int], detector: Path
) -> Iterator[tuple[Cluster, MortalRedis]]:
    """A cluster whose Redis is not running yet."""
    redis = MortalRedis(tmp_path / "redis")
    cluster = Cluster(tmp_path, kafka_settings, redis.url, free_port, detector)
    yield cluster, redis
    cluster.stop()
    redis.end()


def is_not_ready(cluster: Cluster, redis: MortalRedis) -> bool:
    answer = httpx.get(f"http://127.0.0.1:{cluster.ports['gallery']}/readyz", timeout=PATIENCE_S)
    return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and redis.url.removeprefix("unix://") in answer.text


def test_a_redis_that_is_down_and_comes_and_goes_loses_nothing(
    mortal: tuple[Cluster, MortalRedis], site: SiteOnDisk, embedded: EmbeddedRun
) -> None:
    # Given a site that is watched while Redis is down
    cluster, redis = mortal
    for service in ("gallery", "worker", "ingest"):
        cluster.start(service)
    specs = site.specs(cluster.site_id)
    cluster.add_cameras(specs)
    cluster.wait(lambda: is_not_ready(cluster, redis), "the gallery to say which Redis it waits for")
    # When it comes, goes in the middle, and comes again
    redis.start()
    cluster.wait_until_seen(0.3, SECONDS)
    redis.end()
    cluster.wait(lambda: is_not_ready(cluster, redis), "the gallery to miss its Redis")
    redis.start()
    cluster.wait_until_done(specs)
    # Then the same people were in the same places
    assert rows_by_person(cluster.results("out")) == rows_by_person(embedded.out)
