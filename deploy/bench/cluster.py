"""Process the same videos over Kafka and Redis, with each stage in a separate process."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import yaml

from deploy import kafka_server
from deploy.bench.pipeline import SITE, Speed
from deploy.errors import RunError
from deploy.kafka_server import free_port
from deploy.local.private_redis import PrivateRedis
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.store import Store
from wire.settings import RedisSettings

START_S = 120.0
RUN_S = 3600.0
POLL_S = 0.2


def measure_cluster(videos: Sequence[Path], folder: Path) -> Speed:
    """Process videos with one ingest, one worker and one gallery process; time from the start of ingest.

    The worker and the gallery are already running when the clock starts.

    Raises:
        RunError: Kafka cannot be started on this machine, or a service exited or stalled.
    """
    if missing := kafka_server.missing_tools():
        raise RunError(f"Kafka needs {' and '.join(missing)}")
    with ExitStack() as parts:
        node = parts.enter_context(kafka_server.start())
        redis = parts.enter_context(PrivateRedis(folder))
        store = RedisStore(parts.enter_context(closing(connect(RedisSettings(url=redis.url)))), SITE)
        services = Services(folder, _config(videos, node.servers, redis.url))
        parts.callback(services.stop)
        services.start("gallery")
        services.start("worker")
        began_s = time.monotonic()
        services.start("ingest", wait=False)
        names = {video.stem for video in videos}
        wait_until(lambda: _ended(store, names), services.check, RUN_S)
        seconds = time.monotonic() - began_s
        analysed = sum(stored.progress.analysed for stored in store.progress().values())
    return Speed(analysed, round(seconds, 2), round(analysed / seconds, 2), {}, None)


class Services:
    """The service processes that share one configuration."""

    def __init__(self, folder: Path, config: dict[str, object]) -> None:
        self._folder = folder
        self._config = config
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *, wait: bool = True) -> None:
        """Start a service and wait until it is ready."""
        port = free_port()
        path = self._folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**self._config, name: {"health_port": port}}))
        with (self._folder / f"{name}.log").open("wb") as out:
            command = [sys.executable, "-m", "deploy.cli", name, "--config", str(path)]
            self._running[name] = subprocess.Popen(command, stdout=out, stderr=out)
        if wait:
            wait_until(lambda: _ready(port), self.check, START_S)

    def check(self) -> None:
        """Raise `RunError` if any process has exited."""
        for name, process in self._running.items():
            if process.poll() is not None:
                tail = (self._folder / f"{name}.log").read_text(errors="replace")[-2000:]
                raise RunError(f"{name} exited with code {process.returncode}:\n{tail}")

    def stop(self) -> None:
        """Terminate all processes."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            process.wait(60)


def _config(videos: Sequence[Path], servers: str, redis_url: str) -> dict[str, object]:
    start_ns = time.time_ns()
    cameras = {video.stem: {"url": str(video), "mode": "complete", "start_ns": start_ns} for video in videos}
    return {"site": SITE, "cameras": cameras, "kafka": {"servers": servers}, "redis": {"url": redis_url}}


def _ended(store: Store, names: set[str]) -> bool:
    known = store.progress()
    return names <= set(known) and all(known[name].progress.ended for name in names)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2.0).is_success
    except httpx.HTTPError:
        return False


def wait_until(true: Callable[[], bool], check: Callable[[], None], patience_s: float) -> None:
    """Return once something is true, and until then check that it can become so.

    Raises:
        RunError: It took too long.
    """
    deadline = time.monotonic() + patience_s
    while not true():
        check()
        if time.monotonic() > deadline:
            raise RunError(f"timed out after {patience_s:g} s")
        time.sleep(POLL_S)
