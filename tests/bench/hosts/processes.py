"""The processes on the hosts: servers, services and a camera, each started in the network of its host."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import redis
import yaml

from deploy import kafka_server
from tests.bench.hosts.network import HUB, address_of, name_of
from tests.servers.redis_server import PRIMARY, sentinel_config
from tests.servers.rtsp import PYTHON, SCRIPT
from wire.settings import KafkaSettings, RedisSettings

SERVICES = ("gallery-1", "gallery-2", "api", "worker-1", "worker-2", "worker-3", "ingest-1", "ingest-2")  # upgraded so
REDIS = ("redis-1", "redis-2")
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
SERVERS = ("broker", *REDIS, *SENTINELS)
KAFKA_PORT, REDIS_PORT, SENTINEL_PORT, RTSP_PORT = 9092, 6379, 26379, 8554
HEALTH_PORT, API_PORT = 9100, 8080
DOWN_AFTER_MS = 5000  # a primary on a busy machine is not taken for dead
FAILOVER_S = 90.0
ANSWER_S = 2.0
KAFKA = KafkaSettings(
    servers=f"{address_of('broker')}:{KAFKA_PORT}", session_timeout_ms=6000, heartbeat_interval_ms=1000
)
FOLLOWED = RedisSettings(
    url=f"redis://{PRIMARY}/0", sentinels=",".join(f"{address_of(one)}:{SENTINEL_PORT}" for one in SENTINELS)
)
FIXED = RedisSettings(url=f"redis://{address_of('redis-1')}:{REDIS_PORT}/0")  # for versions without Sentinels


class Hosts:
    """The processes, each on its host."""

    def __init__(self, folder: Path, detector: Path, tree: Path, video: Path | None = None) -> None:
        self.tree = tree  # whose code the services that are started run
        self._folder = folder
        self._detector = detector
        self._video = video
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for host in SERVERS:
            (folder / host).mkdir()
        listen = (
            f"listeners=PLAINTEXT://0.0.0.0:{{port}},CONTROLLER://127.0.0.1:{{controller_port}}\n"
            f"advertised.listeners=PLAINTEXT://{address_of('broker')}:{{port}}\n"
        )
        self._kafka = kafka_server.prepare(folder / "broker", kafka_server.fetch(), (KAFKA_PORT, 9093), listen)
        for host in REDIS:
            (folder / host / "redis.conf").write_text(_redis_config(folder / host, replica=host != REDIS[0]))
        watched = sentinel_config(
            SENTINEL_PORT, (address_of(REDIS[0]), REDIS_PORT), quorum=2, down_after_ms=DOWN_AFTER_MS
        )
        for host in SENTINELS:
            (folder / host / "sentinel.conf").write_text(watched)

    def start(self, host: str) -> None:
        """Start what runs on a host."""
        with (self._folder / f"{host}.log").open("ab") as log:
            network = HUB if host == "prometheus" else name_of(host)
            command = ["ip", "netns", "exec", network, *self._command(host)]
            where = self._folder / host if host in SERVERS else self._folder
            code = {**os.environ, "PYTHONPATH": str(self.tree)}
            self._running[host] = subprocess.Popen(command, cwd=where, stdout=log, stderr=log, env=code)

    def end(self, host: str, how: int = signal.SIGKILL) -> None:
        """End what runs on a host."""
        process = self._running.pop(host)
        process.send_signal(how)
        process.wait(60)

    def check(self) -> None:
        """Check that nothing ended by itself.

        Raises:
            SystemExit: Something did.
        """
        for host, process in self._running.items():
            if process.poll() is not None:
                tail = (self._folder / f"{host}.log").read_text(errors="replace")[-3000:]
                raise SystemExit(f"{host} ended by itself with {process.returncode}:\n{tail}")

    def ready(self, service: str) -> list[str]:
        """Return the instances of a service that say that they can work."""
        return [host for host in SERVICES if host.startswith(service) and is_ready(host)]

    def close(self) -> None:
        """End everything."""
        for host in list(self._running):
            with suppress(ProcessLookupError):
                self.end(host)

    def primary(self) -> str:
        """Return which Redis is the primary, as most Sentinels say; empty while they do not agree."""
        said = [_named_by(sentinel) for sentinel in SENTINELS]
        return next((host for host in REDIS if said.count(address_of(host)) > len(SENTINELS) / 2), "")

    def wait_for_replica(self) -> str:
        """Return the primary, once its replica has all that it has.

        Raises:
            SystemExit: There is none.
        """
        until_s = time.monotonic() + FAILOVER_S
        while time.monotonic() < until_s:
            self.check()
            primary = self.primary()
            if primary and _is_copied(primary):
                return primary
            time.sleep(0.2)
        raise SystemExit("the replica of Redis did not come back")

    def wait_for_failover(self, before: str) -> None:
        """Return when another Redis is the primary.

        Raises:
            SystemExit: There is none.
        """
        until_s = time.monotonic() + FAILOVER_S
        while self.primary() in {"", before}:
            if time.monotonic() > until_s:
                raise SystemExit(f"no other Redis took the place of {before}")
            time.sleep(0.2)

    def _command(self, host: str) -> list[str]:
        kind = host.partition("-")[0]
        match kind:
            case "broker":
                return self._kafka
            case "redis":
                return ["redis-server", str(self._folder / host / "redis.conf")]
            case "sentinel":
                return ["redis-server", str(self._folder / host / "sentinel.conf"), "--sentinel"]
            case "camera":
                return [PYTHON, str(SCRIPT), str(self._video), "--port", str(RTSP_PORT), "--address", "0.0.0.0"]
            case "prometheus":
                places = [
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'tsdb'}",
                ]
                return ["prometheus", *places, "--web.listen-address=127.0.0.1:9090"]
            case service:
                path = self._folder / f"{host}.yaml"
                path.write_text(yaml.safe_dump(self._settings(service)))
                return [sys.executable, "-m", "deploy.cli", service, "--config", str(path)]

    def _settings(self, service: str) -> dict[str, object]:
        """Return the settings of a service; an earlier version gets none that it does not know."""
        own: dict[str, object] = {"port": API_PORT, "host": "0.0.0.0"} if service == "api" else {}
        if service != "api":
            own = {"health_port": HEALTH_PORT, "health_host": "0.0.0.0"}
        if service == "worker":
            own |= {"threads": 1, "detector": str(self._detector)}
        if service == "gallery":
            own |= {"complete_wait_s": 600.0}
        follows = (self.tree / "gallery" / "store" / "sentinel.py").exists()
        return {
            "kafka": KAFKA.model_dump(mode="json", exclude_unset=True),
            "redis": (FOLLOWED if follows else FIXED).model_dump(mode="json", exclude_unset=True),
            service: own,
        }


def health_of(host: str) -> str:
    """Return where a service tells how it is."""
    return f"{address_of(host)}:{API_PORT if host == 'api' else HEALTH_PORT}"


def is_ready(host: str) -> bool:
    """Tell whether a service says that it can work."""
    try:
        return httpx.get(f"http://{health_of(host)}/readyz", timeout=ANSWER_S).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _redis_config(folder: Path, *, replica: bool) -> str:
    follows = f"replicaof {address_of(REDIS[0])} {REDIS_PORT}\n" if replica else ""
    kept = 'save ""\nappendonly yes\nappendfsync always\nrepl-diskless-sync-delay 0\n'
    return f"bind 0.0.0.0\nprotected-mode no\nport {REDIS_PORT}\ndir {folder}\n{kept}{follows}"


def _named_by(sentinel: str) -> str:
    """Return the address that a Sentinel calls the primary, empty while it does not answer."""
    with closing(redis.Redis(address_of(sentinel), SENTINEL_PORT, socket_timeout=1.0)) as client:
        try:
            ask: Any = client.sentinel_get_master_addr_by_name
            found = ask(PRIMARY)
        except redis.RedisError:
            return ""
    return "" if found is None else str(found[0] if isinstance(found[0], str) else found[0].decode())


def _is_copied(primary: str) -> bool:
    with closing(redis.Redis(address_of(primary), REDIS_PORT, socket_timeout=1.0)) as client:
        try:
            known: Any = client.info("replication")
        except redis.RedisError:
            return False
    behind = known.get("slave0", {"state": "none"})
    return bool(behind["state"] == "online" and known["master_repl_offset"] - int(behind["offset"]) < 1 << 16)
