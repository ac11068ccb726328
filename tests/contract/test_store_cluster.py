"""Three real nodes of a Redis Cluster: a site lives on one of them, and whoever asks another is told so."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from gallery.errors import StoreUnavailable
from gallery.store.redis import RedisStore
from gallery.store.server import connect, installation_of
from gallery.store.store import Write
from tests.conftest import need
from tests.servers.redis_server import RealRedis, wait_for
from wire.settings import RedisSettings

SITE = "mall"
SLOTS = 16_384


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[list[RealRedis]]:
    """Start three nodes, each with a third of the slots."""
    need(found=shutil.which("redis-server") is not None, what="redis-server")
    with ExitStack() as running:
        found, ports = [], []
        for number in range(3):
            # Nodes speak to each other 10 000 ports above.
            ports.append(next(port for port in iter(free_port, 0) if port < 55_000 and port not in ports))
            folder: Path = tmp_path_factory.mktemp(f"node-{number}")
            found.append(running.enter_context(RealRedis(folder, "--cluster-enabled", "yes", port=ports[-1])))
            slots = range(number * SLOTS // 3, (number + 1) * SLOTS // 3)
            found[-1].say("CLUSTER", "ADDSLOTS", *map(str, slots))
            found[-1].say("CLUSTER", "MEET", "127.0.0.1", str(ports[0]))
        wait_for(lambda: all("cluster_state:ok" in str(node.say("CLUSTER", "INFO")) for node in found))
        yield found


def test_a_site_is_on_one_node_and_every_other_one_names_the_cause(nodes: list[RealRedis]) -> None:
    answers: list[str] = []
    for node in nodes:
        with closing(connect(RedisSettings(url=node.url))) as client:
            try:
                answers.append(RedisStore(client, SITE).write(Write(version=0, now_ns=1, next_identity=2)))
            except StoreUnavailable as error:
                answers.append(str(error))
    assert answers.count("applied") == 1
    assert sum("(MOVED); name the node that has them in redis.url" in answer for answer in answers) == 2


def test_only_one_node_can_keep_what_tells_an_installation_and_the_others_do_not_fail(nodes: list[RealRedis]) -> None:
    told = []
    for node in nodes:
        with closing(connect(RedisSettings(url=node.url))) as client:
            told.append(installation_of(client))
    assert len([one for one in told if one]) == 1
