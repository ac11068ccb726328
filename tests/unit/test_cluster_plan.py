"""What `climbtrack cluster up` makes of settings: addresses, programs, notes, and refusals that name the remedy."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.cluster.logs import LogFollower, tail
from deploy.cluster.plan import ClusterOptions, Plan, make_plan
from deploy.cluster.ports import Address, take
from deploy.cluster.servers import scrape_config
from deploy.cluster.up import up
from deploy.errors import RunError, UsageError
from deploy.kafka_server import check_tools
from deploy.local.data_dir import DataDir
from wire.errors import WireError

FREE = """\
ingest: {health_port: 0}
worker: {health_port: 0}
gallery: {health_port: 0}
alerts: {health_port: 0}
api: {port: 0}
"""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CLIMBTRACK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    def make(text: str = FREE, *, workers: int = 2, kafka_port: int = 0, prometheus_port: int | None = None) -> Plan:
        config = tmp_path / "site.yaml"
        config.write_text(text)
        return make_plan(ClusterOptions(config, workers, kafka_port, prometheus_port))

    return make


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port: int = listener.getsockname()[1]
        yield port


def test_every_process_gets_a_port_of_its_own(plan: Callable[..., Plan]) -> None:
    made = plan(workers=3)
    assert list(made.addresses) == ["kafka", "api", "gallery", "alerts", "worker-1", "worker-2", "worker-3", "ingest"]
    assert len({address.port for address in made.addresses.values()} - {0}) == 8


@pytest.mark.parametrize("cameras", ["all", "chosen"])
def test_a_recorder_runs_where_cameras_are_recorded_and_its_folder_is_that_of_the_api(
    cameras: str, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    made = plan(f"{FREE}recording: {{health_port: 0, cameras: {cameras}}}\n")
    (recorder,) = [one for one in made.services() if one.name == "recorder"]
    assert recorder.environment == {"CLIMBTRACK_RECORDING_HEALTH_PORT": str(made.addresses["recorder"].port)}
    assert made.environment("", tmp_path)["CLIMBTRACK_RECORDING_FOLDER"] == str(tmp_path / "recordings")
    targets: Any = scrape_config(made)["scrape_configs"]
    assert {"service": "recorder"} in [target["labels"] for target in targets[0]["static_configs"]]


def test_a_folder_of_recordings_in_the_settings_is_kept(plan: Callable[..., Plan], tmp_path: Path) -> None:
    made = plan(f"{FREE}recording: {{cameras: all, health_port: 0, folder: /mnt/disk}}\n")
    assert made.environment("", tmp_path)["CLIMBTRACK_RECORDING_FOLDER"] == "/mnt/disk"


def test_more_workers_listen_ten_ports_further(free_port: Callable[[], int], plan: Callable[..., Plan]) -> None:
    base = free_port()
    made = plan(FREE.replace("worker: {health_port: 0}", f"worker: {{health_port: {base}}}"))
    assert [made.addresses[name].port for name in ("worker-1", "worker-2")] == [base, base + 10]


def test_a_port_in_use_is_named_with_the_process_and_its_setting(plan: Callable[..., Plan], taken: int) -> None:
    text = FREE.replace("gallery: {health_port: 0}", f"gallery: {{health_port: {taken}}}")
    with pytest.raises(UsageError, match=rf"port {taken} of 127.0.0.1 \(gallery\): Address already in use; .* another "
                                         r"with gallery.health_port, where 0 picks a free one"):  # fmt: skip
        plan(text)
    with pytest.raises(UsageError, match=rf"port {taken} .*\(kafka\): .* another with --kafka-port"):
        plan(kafka_port=taken)


def test_one_port_for_two_processes_is_refused(free_port: Callable[[], int]) -> None:
    port = free_port()
    addresses = [Address(name, "127.0.0.1", port, f"{name}.health_port") for name in ("gallery", "ingest")]
    with pytest.raises(UsageError, match=r"\(ingest\): gallery has it already"):
        take(addresses)


@pytest.mark.parametrize(
    ("host", "reachable"),
    [
        pytest.param("0.0.0.0", "127.0.0.1:1", id="all addresses"),
        pytest.param("::", "[::1]:1", id="all addresses, IPv6"),
        pytest.param("::1", "[::1]:1", id="IPv6"),
        pytest.param("10.0.0.7", "10.0.0.7:1", id="one address"),
    ],
)
def test_an_address_is_reached_where_it_was_bound(host: str, reachable: str) -> None:
    assert Address("api", host, 1, "api.port").reachable == reachable


def test_servers_of_the_settings_are_not_used_and_that_is_said(plan: Callable[..., Plan]) -> None:
    made = plan(f"{FREE}kafka: {{servers: 'kafka-1:9092'}}\nredis: {{url: 'redis://redis:6379/0'}}\n")
    assert [note.partition(" ")[0] for note in made.notes] == ["kafka.servers", "redis.url"]
    shared = made.environment("unix:///r", Path("/data"))
    assert shared["CLIMBTRACK_KAFKA_SERVERS"] == made.addresses["kafka"].reachable
    assert shared["CLIMBTRACK_REDIS_URL"] == "unix:///r"


@pytest.mark.parametrize(
    ("section", "key"),
    [
        pytest.param("redis: {password: abc}", "redis.password", id="a password of Redis"),
        pytest.param("redis: {url: 'rediss://r:1/0', ssl_check_hostname: false}", "redis.ssl_", id="TLS of Redis"),
        pytest.param("kafka: {security_protocol: SSL}", "kafka.security_protocol", id="TLS of Kafka"),
    ],
)
def test_logins_of_other_servers_are_refused_with_the_remedy(section: str, key: str, plan: Callable[..., Plan]) -> None:
    with pytest.raises(UsageError, match=rf"{key}.*servers of its own, without logins and TLS: leave it out"):
        plan(FREE + section)


def test_workers_share_the_cores_unless_the_settings_say_how_many_threads(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert plan(workers=3).environment("", Path("/data"))["CLIMBTRACK_WORKER_THREADS"] == "2"
    text = FREE.replace("health_port: 0}\ngallery", "health_port: 0, threads: 5}\ngallery")
    assert plan(text, workers=3).environment("", Path("/data"))["CLIMBTRACK_WORKER_THREADS"] == "5"


def test_prometheus_scrapes_every_worker(plan: Callable[..., Plan]) -> None:
    made = plan(workers=2)
    config: Any = scrape_config(made)
    (job,) = config["scrape_configs"]
    targets = {(target["labels"]["service"], *target["targets"]) for target in job["static_configs"]}
    names = {
        "ingest": "ingest",
        "worker-1": "reid_worker",
        "worker-2": "reid_worker",
        "gallery": "gallery",
        "alerts": "alerts",
        "api": "api",
    }
    assert targets == {(label, made.addresses[name].reachable) for name, label in names.items()}


def test_without_prometheus_the_rest_runs_and_that_is_said(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    made = plan(prometheus_port=0)
    assert "prometheus" not in made.addresses
    assert made.notes == (
        "Prometheus is not installed (Debian: apt-get install prometheus); everything else runs without",
    )


def test_a_folder_in_use_is_named_before_its_ports(tmp_path: Path, taken: int) -> None:
    with DataDir(tmp_path), pytest.raises(RunError, match="in use by another climbtrack run"):
        up(ClusterOptions(None, kafka_port=taken), tmp_path, Console())


def test_a_missing_java_is_named_with_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(WireError, match=r"needs java and mvn: .*apt-get install default-jre-headless maven"):
        check_tools()


def test_an_old_java_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("java", "mvn"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WireError, match=r'needs Java 17 or newer, and `java -version` says: openjdk version "11.0.2"'):
        check_tools()


def test_new_lines_of_a_log_are_followed_through_its_rotation(tmp_path: Path) -> None:
    path = tmp_path / "worker-1.log"
    path.write_text("of before\n")
    follower = LogFollower(tmp_path, ["worker-1", "api"])
    with path.open("a") as file:
        file.write("one\ntw")
    assert list(follower.lines()) == [("worker-1", "one")]
    with path.open("a") as file:
        file.write("o\n")
    path.rename(tmp_path / "worker-1.log.1")
    path.write_text("three\n")
    (tmp_path / "api.log").write_text("hello\n")
    assert list(follower.lines()) == [("worker-1", "two"), ("worker-1", "three"), ("api", "hello")]
    follower.close()
    assert tail(tmp_path, "worker-1") == "three"
    assert tail(tmp_path, "gallery") == "(no log)"
