"""A Redis primary with a replica, watched by a real Sentinel: the store follows whichever is the primary."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gallery.errors import StoreRefused, StoreUnavailable
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.store import Write
from tests.conftest import need
from tests.servers.redis_server import PRIMARY, RealRedis, RealSentinel, wait_for
from wire.errors import SettingsError
from wire.settings import RedisSettings

NOBODY = "127.0.0.1:1"  # a Sentinel that is away
OF_REDIS, OF_SENTINELS, OF_THEIR_ADMIN = "open sesame", "hunter2 #[", "hush"
GUARDED = f"""
requirepass {OF_THEIR_ADMIN}
sentinel auth-pass {PRIMARY} "{OF_REDIS}"
user ann on ">{OF_SENTINELS}" +sentinel|masters +@connection
user bob on ">{OF_SENTINELS}" +@connection
"""


@dataclass(frozen=True)
class Watched:
    """A primary, its replica and the address of their Sentinel."""

    primary: RealRedis
    replica: RealRedis
    sentinel: str

    def settings(self, **login: Any) -> RedisSettings:
        """Return settings that know one Sentinel that is away, too."""
        return RedisSettings.load(url=f"redis://{PRIMARY}/0", sentinels=f"{NOBODY},{self.sentinel}", **login)


@pytest.fixture
def watched(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Watched]:
    with watching(tmp_path, free_port) as found:
        yield found


@contextmanager
def watching(
    folder: Path, free_port: Callable[[], int], *options: str, more: str = "", **login: str
) -> Iterator[Watched]:
    """Run the three, with options of the two servers, and with more lines in the Sentinel's configuration."""
    need(found=shutil.which("redis-server") is not None, what="redis-server")
    ports = free_port(), free_port(), free_port()
    for name in ("primary", "replica"):
        (folder / name).mkdir()
    with ExitStack() as running:
        primary = running.enter_context(RealRedis(folder / "primary", *options, port=ports[0]))
        follows = ["--replicaof", "127.0.0.1", str(ports[0]), "--repl-diskless-sync-delay", "0", *options]
        replica = running.enter_context(RealRedis(folder / "replica", *follows, port=ports[1]))
        watched = ("127.0.0.1", ports[0])
        sentinel = running.enter_context(RealSentinel(folder / "sentinel", ports[2], watched, more, **login))
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


def replicated(replica: RealRedis) -> bool:
    with replica.admin(password=OF_REDIS) as client:
        return client.hget("climbtrack:{site}:meta", "version") == b"1"


def applied(store: RedisStore, write: Write) -> bool:
    try:
        return store.write(write) in {"applied", "already"}
    except StoreUnavailable:
        return False


@pytest.fixture
def guarded(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Watched]:
    """Servers with a password, and a Sentinel with users and passwords of its own."""
    login = ("--requirepass", OF_REDIS, "--masterauth", OF_REDIS)
    with watching(tmp_path, free_port, *login, more=GUARDED, password=OF_THEIR_ADMIN) as found:
        yield found


def test_sentinels_have_a_login_of_their_own(guarded: Watched, tmp_path: Path) -> None:
    # Given a login at the servers, and another one at the Sentinels
    file = tmp_path / "sentinel-password"
    file.write_text(OF_SENTINELS)
    file.chmod(0o600)
    login = {"password": OF_REDIS, "sentinel_username": "ann", "sentinel_password_file": file}
    with closing(connect(guarded.settings(**login))) as client:
        store = RedisStore(client, "site")
        assert store.write(Write(version=0, now_ns=1, next_identity=2)) == "applied"
        wait_for(lambda: replicated(guarded.replica))
        # When the primary dies
        guarded.primary.end()
        # Then both let us in at the replica, too, and neither password is shown
        wait_for(lambda: applied(store, Write(version=1, now_ns=2, next_identity=2)))
        assert not [secret for secret in (OF_REDIS, OF_SENTINELS) if secret in repr(client)]


@pytest.mark.parametrize(
    "login",
    [
        pytest.param({}, id="none"),
        pytest.param({"sentinel_username": "ann", "sentinel_password": OF_REDIS}, id="the password of Redis"),
        pytest.param({"sentinel_password": OF_SENTINELS}, id="a password without its user"),
        pytest.param({"sentinel_username": "bob", "sentinel_password": OF_SENTINELS}, id="a user who may not ask"),
    ],
)
def test_a_login_that_sentinels_refuse_is_told_from_that_of_redis(login: dict[str, Any], guarded: Watched) -> None:
    url = f"redis://{PRIMARY}/0"
    settings = RedisSettings.load(url=url, sentinels=guarded.sentinel, password=OF_REDIS, **login)
    with closing(connect(settings)) as client, pytest.raises(StoreRefused) as refused:
        RedisStore(client, "site").learnt()
    assert "redis.sentinel_password" in str(refused.value)
    assert not [secret for secret in (OF_REDIS, OF_SENTINELS) if secret in str(refused.value)]


def test_a_login_at_sentinels_needs_sentinels() -> None:
    with pytest.raises(SettingsError, match="sentinel_password needs sentinels"):
        RedisSettings.load(sentinel_password="hunter2")


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
