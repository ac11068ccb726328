"""A Redis primary with a replica, watched by a real Sentinel: the store follows whichever is the primary."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gallery.errors import StoreUnavailable
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.store import Write
from tests.conftest import need
from tests.servers.redis_server import PRIMARY, RealRedis, RealSentinel, wait_for
from wire.errors import SettingsError
from wire.settings import RedisSettings

NOBODY = "127.0.0.1:1"  # a Sentinel that is away


@dataclass(frozen=True)
class Watched:
    """A primary, its replica and the address of their Sentinel."""

    primary: RealRedis
    replica: RealRedis
    sentinel: str

    def settings(self) -> RedisSettings:
        """Return settings that know one Sentinel that is away, too."""
        return RedisSettings(url=f"redis://{PRIMARY}/0", sentinels=f"{NOBODY},{self.sentinel}")


@pytest.fixture
def watched(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Watched]:
    need(found=shutil.which("redis-server") is not None, what="redis-server")
    ports = free_port(), free_port(), free_port()
    for name in ("primary", "replica"):
        (tmp_path / name).mkdir()
    with ExitStack() as running:
        primary = running.enter_context(RealRedis(tmp_path / "primary", port=ports[0]))
        follows = ["--replicaof", "127.0.0.1", str(ports[0]), "--repl-diskless-sync-delay", "0"]
        replica = running.enter_context(RealRedis(tmp_path / "replica", *follows, port=ports[1]))
        sentinel = running.enter_context(RealSentinel(tmp_path / "sentinel", ports[2], ("127.0.0.1", ports[0])))
        yield Watched(primary, replica, sentinel.address)


def test_the_store_goes_on_at_the_replica_when_the_primary_dies(watched: Watched) -> None:
    # Given a decision that has reached the replica
    with closing(connect(watched.settings())) as client:
        store = RedisStore(client, "site")
        assert store.write(Write(version=0, now_ns=1, next_identity=2)) == "applied"
        wait_for(lambda: watched.replica.say("HGET", "climbtrack:{site}:meta", "version") == "1")
        # When the primary dies
        watched.primary.end()
        # Then the same store soon writes where the replica was, after what it had decided
        wait_for(lambda: applied(store, Write(version=1, now_ns=2, next_identity=2)))
        assert store.learnt().version == 2
    assert watched.replica.say("ROLE")[0] == "master"


def applied(store: RedisStore, write: Write) -> bool:
    try:
        return store.write(write) in {"applied", "already"}
    except StoreUnavailable:
        return False


def test_a_store_without_a_primary_says_which_one_no_sentinel_names(watched: Watched) -> None:
    settings = RedisSettings(url="redis://other/0", sentinels=f"{NOBODY},{watched.sentinel}")
    with (
        closing(connect(settings)) as client,
        pytest.raises(StoreUnavailable, match="no Sentinel names the primary other"),
    ):
        RedisStore(client, "site").learnt()


@pytest.mark.parametrize(
    ("url", "sentinels", "why"),
    [
        pytest.param("redis://10.0.0.1:6379/0", "a:26379", "without a port", id="the address of a server"),
        pytest.param("unix:///run/redis.sock", "a:26379", "without a port", id="a socket"),
        pytest.param("redis://people/0", "a:0", "ports are 1 to 65535", id="a port that cannot be"),
        pytest.param("redis://people/0", "redis://a", "expected host:port", id="a URL as Sentinel"),
    ],
)
def test_an_address_that_no_sentinel_can_follow_is_refused(url: str, sentinels: str, why: str, tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(f"redis: {{url: '{url}', sentinels: '{sentinels}'}}")
    with pytest.raises(SettingsError, match=why):
        RedisSettings.load(config)
