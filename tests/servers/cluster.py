"""climbtrack as it runs on a cluster: every service its own process, on one real Kafka and one real Redis."""

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.announce import announce
from gallery.export import write_mot
from gallery.handler import NAME as GALLERY
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from reid_worker.handler import NAME as WORKER
from tests.conftest import PATIENCE_S
from wire.bus import FRAMES, TRACKLETS
from wire.errors import TransientError
from wire.kafka.bus import KafkaBus
from wire.messages import CameraProgress, CameraSpec
from wire.settings import KafkaSettings, RedisSettings

START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class SiteOnDisk:
    """A generated site: videos and truth."""

    folder: Path
    cameras: tuple[str, ...]

    @property
    def truth(self) -> Path:
        """Return the folder with the truth."""
        return self.folder / "gt"

    def specs(self, site_id: str, *, start_ns: int = START_NS, take: str = "") -> list[CameraSpec]:
        """Return the cameras as files that are read whole, all starting at the same moment."""
        return [
            CameraSpec(
                camera_id=name + take,
                site_id=site_id,
                url=str(self.folder / f"{name}.mp4"),
                mode="complete",
                start_ns=start_ns,
            )
            for name in self.cameras
        ]


@dataclass(frozen=True, slots=True)
class EmbeddedRun:
    """What one run in one process left: the folder of its MOTChallenge files, and its last line."""

    out: Path
    summary: dict[str, Any]


@dataclass
class Cluster:
    """Services as processes; `kill` is `kill -9`."""

    folder: Path
    kafka: KafkaSettings
    redis_url: str
    free_port: Callable[[], int]
    detector: Path
    site_id: str = field(default_factory=lambda: f"site-{uuid.uuid4().hex[:8]}")
    ports: dict[str, int] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.bus = KafkaBus(self.kafka)
        self._open.callback(self.bus.close)
        self.bus.ensure_topics()
        client = self._open.enter_context(closing(connect(RedisSettings(url=self.redis_url))))
        self.store = RedisStore(client, self.site_id)

    def start(self, service: str, name: str | None = None) -> None:
        """Start `ingest`, `worker`, `gallery` or `api`, and return when it answers its probe."""
        name = name or service
        port = self.ports[name] = self.free_port()
        log = self._open.enter_context((self.folder / f"{name}-{port}.log").open("wb"))
        command = [sys.executable, "-m", "deploy.cli", service, "--config", str(self._config(service, name, port))]
        self._running[name] = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait(lambda: self._answers(name), f"{name} to answer")

    def kill(self, name: str) -> None:
        """End a service as a power cut would."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End everything, politely."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
        self._open.close()

    def add_cameras(self, specs: Sequence[CameraSpec]) -> None:
        """Put cameras on the `cameras` topic."""
        announce(self.bus, specs)

    def progress(self) -> dict[str, CameraProgress]:
        """Return how far every camera is, as the gallery has decided it; nothing while Redis is away."""
        try:
            return {name: stored.progress for name, stored in self.store.progress().items()}
        except TransientError:
            return {}

    def wait_until_done(self, specs: Sequence[CameraSpec]) -> None:
        """Return when every camera has ended and everything of it is decided."""

        def done() -> bool:
            progress = self.progress()
            ended = all(spec.camera_id in progress and progress[spec.camera_id].ended for spec in specs)
            backlogs = [self.bus.backlog(FRAMES.name, WORKER, spec.camera_id) for spec in specs] if ended else [1]
            return not any(backlogs) and self.bus.backlog(TRACKLETS.name, GALLERY, self.site_id) == 0

        self.wait(done, "all cameras to end")

    def wait_until_seen(self, share: float, seconds: float) -> None:
        """Return when the first camera has been followed through a share of its length."""
        wanted_ns = START_NS + share * seconds * 1e9

        def far() -> bool:
            return any(p.time_ns >= wanted_ns for p in self.progress().values())

        self.wait(far, f"{share:.0%} of the videos")
        assert not all(p.ended for p in self.progress().values()), "the run ended before it could be disturbed"

    def results(self, name: str) -> Path:
        """Write MOTChallenge files and return their folder."""
        out = self.folder / name
        write_mot(self.store, out)
        return out

    def metric(self, service: str, line: str) -> float:
        """Return the value of one metric line of a service, 0 when it is not there."""
        text = httpx.get(f"http://127.0.0.1:{self.ports[service]}/metrics", timeout=PATIENCE_S).text
        found = [row.rsplit(" ", 1)[1] for row in text.splitlines() if row.startswith(line + " ")]
        return float(found[0]) if found else 0.0

    def wait(self, true: Callable[[], bool], what: str, timeout_s: float = 540) -> None:
        """Return when `true` says so; fail, with the end of every log, when it never does or a process has died."""
        deadline = time.monotonic() + timeout_s
        while not true():
            for name, process in self._running.items():
                assert process.poll() is None, f"{name} died while waiting for {what}:\n{self._logs()}"
            assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}:\n{self._logs()}"
            time.sleep(0.1)

    def _answers(self, name: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[name]}/healthz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _config(self, service: str, name: str, port: int) -> Path:
        """Write the settings of one process: the shared ones, and its own port."""
        own = {"port": port} if service == "api" else {"health_port": port}
        gallery: dict[str, object] = {"complete_wait_s": 120.0}  # longer than any restart below, so nobody is left out
        content: dict[str, object] = {
            "site": self.site_id,
            "kafka": self.kafka.model_dump(mode="json", exclude_none=True),
            "redis": {"url": self.redis_url},
        }
        section = "recording" if service == "recorder" else service
        content[section] = (gallery if service == "gallery" else {}) | own
        if service == "recorder":
            content[section] = {"cameras": "all", "folder": str(self.folder / "recordings"), "min_free_gb": 0, **own}
        if service == "worker":
            content[service] = {"threads": 1, "detector": str(self.detector), **own}
        path = self.folder / f"{name}-{port}.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    def _logs(self) -> str:
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in files)


def rows_by_person(folder: Path) -> set[frozenset[tuple[str, int, str]]]:
    """Return, for every identity, where it was: (camera, frame, box). Numbers may differ, people may not."""
    people: dict[str, set[tuple[str, int, str]]] = {}
    for path in folder.glob("*.txt"):
        for line in path.read_text().splitlines():
            frame, identity, *rest = line.split(",")
            people.setdefault(identity, set()).add((path.stem, int(frame), ",".join(rest[:4])))
    return {frozenset(rows) for rows in people.values()}
