"""The verdict of `climbtrack doctor`."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import redis
from rich.console import Console

from deploy.cli.main import main
from deploy.doctor import Check, State, print_checks, verdict
from tests.conftest import need
from tests.servers.redis_server import RealRedis

READY = "Ready: `climbtrack run` works on this machine."


def checks(weights: State = "ok", redis: State = "ok", kafka: State = "ok") -> tuple[Check, ...]:
    return (
        Check("CLIMB weights", weights, "x.safetensors", "train some"),
        Check("GPU", "optional", "none that torch can use", "install a driver"),
        Check("Redis server", redis, "refused"),
        Check("Kafka", kafka, "refused"),
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(checks(), READY, id="everything is there"),
        pytest.param(
            checks(redis="optional", kafka="optional"),
            f"{READY} For many machines, Kafka and Redis are still to be configured.",
            id="no servers",
        ),
        pytest.param(
            checks(kafka="optional"), f"{READY} For many machines, Kafka is still to be configured.", id="no Kafka"
        ),
        pytest.param(
            checks("missing", kafka="optional"),
            "Not ready: CLIMB weights missing. Do this first: train some",
            id="something is missing",
        ),
        pytest.param(
            (Check("Redis for one machine", "missing", "no redis-server"), *checks("missing")),
            "Not ready: Redis for one machine and CLIMB weights missing. Do this first: no redis-server",
            id="two are missing, and the first says itself what it needs",
        ),
    ],
)
def test_the_verdict_is_one_line_that_says_what_to_do(found: tuple[Check, ...], said: str) -> None:
    assert verdict(found) == said


def test_the_verdict_is_the_last_line() -> None:
    said = StringIO()
    print_checks(Console(file=said), checks())
    assert said.getvalue().splitlines()[-1] == READY


@pytest.fixture
def redis_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]) -> Iterator[str]:
    """A real Redis that the environment names, and no Kafka; what is slow to look at is taken for fine."""
    for slow in ("_weights", "_detector", "_gpu"):
        monkeypatch.setattr(f"deploy.doctor.{slow}", lambda _: Check("something slow", "ok", "fine"))
    monkeypatch.setenv("CLIMBTRACK_KAFKA_SERVERS", f"127.0.0.1:{free_port()}")
    need(found=shutil.which("redis-server") is not None, what="redis-server")
    with RealRedis(tmp_path) as server:
        monkeypatch.setenv("CLIMBTRACK_REDIS_URL", server.url)
        yield server.url


def tell(url: str, *command: str) -> None:
    with closing(redis.Redis.from_url(url)) as client:
        ask: Any = client.execute_command
        ask(*command)


def examined(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Return the exit code of `climbtrack doctor`, and its checks by name with the verdict among them."""
    code = main(["doctor", "--json"])
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    return code, {"verdict": said["verdict"]} | {check["name"]: check for check in said["checks"]}


def test_a_redis_that_evicts_keys_is_rejected(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    tell(redis_url, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    code, found = examined(capsys)
    assert code == 1
    assert found["Redis server"]["state"] == "refused"
    assert found["verdict"] == (
        f"Not ready: Redis at {redis_url.removeprefix('unix://')} has the maxmemory-policy allkeys-lru: when its "
        "memory is full it deletes people; set maxmemory-policy noeviction in its configuration"
    )


def test_a_device_that_is_not_on_this_machine_is_rejected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLIMBTRACK_WORKER_DEVICE", "cuda:99")
    code, found = examined(capsys)
    assert (code, found["GPU"]["state"]) == (1, "refused")
    assert "worker.device = 'cuda:99' cannot be used on this machine" in found["verdict"]
    assert found["GPU"]["advice"].startswith("set it to auto")


def test_a_redis_that_rejects_the_login_is_rejected(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    tell(redis_url, "CONFIG", "SET", "requirepass", "open sesame")
    code, found = examined(capsys)
    assert (code, found["Redis server"]["state"]) == (1, "refused")
    assert "asks for a password (NOAUTH); set redis.password" in found["verdict"]


def test_a_redis_that_takes_no_writes_is_named_with_its_remedy(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(redis_url, "REPLICAOF", "127.0.0.1", "1")
    code, found = examined(capsys)
    assert (code, found["Redis server"]["state"]) == (0, "optional")
    assert "is a replica and takes no writes (READONLY); wait for the failover" in found["Redis server"]["found"]


def test_a_redis_that_forgets_when_it_crashes_is_named_with_its_remedy(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(redis_url, "CONFIG", "SET", "appendonly", "no")
    code, found = examined(capsys)
    assert (code, found["Redis server"]["state"]) == (0, "optional")
    assert "set appendonly yes and appendfsync always" in found["Redis server"]["found"]


def test_doctor_leaves_nothing_in_a_working_redis(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    tell(redis_url, "CONFIG", "SET", "appendfsync", "always", "appendonly", "yes")
    code, found = examined(capsys)
    assert (code, found["Redis server"]["state"]) == (0, "ok")
    with closing(redis.Redis.from_url(redis_url)) as client:
        assert [client.pttl(key) <= 1000 for key in client.scan_iter()] in ([], [True])


def test_an_unreachable_kafka_is_named_by_its_address(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, found = examined(capsys)
    assert found["Kafka"]["state"] == "optional"
    assert found["Kafka"]["found"].startswith("Kafka: nothing listens at 127.0.0.1:")
    assert found["Kafka"]["found"].endswith("; start it or set kafka.servers (CLIMBTRACK_KAFKA_SERVERS)")


def test_an_unconfigured_server_does_not_make_a_machine_unready(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CLIMBTRACK_REDIS_URL")
    monkeypatch.setattr(
        "gallery.store.server.eviction_risk", lambda _: "Redis at r has the maxmemory-policy allkeys-lru"
    )
    monkeypatch.setattr("gallery.store.server.check_writes", lambda _: None)
    code, found = examined(capsys)
    assert (code, found["Redis server"]["state"]) == (0, "optional")
    assert found["verdict"].startswith(READY)
