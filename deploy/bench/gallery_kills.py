"""Kill a gallery and its Redis at random moments under load, and compare what is left with a gallery nobody killed.

Both are real processes, killed as by a power cut (`kill -9`): `climbtrack gallery` over Kafka, and a Redis with an
append-only file that is synchronised with every write. The load is `deploy.bench.crowd`.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal, Self

import numpy as np
import yaml
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from deploy import kafka_server
from deploy.announce import announce
from deploy.bench.crowd import CAMERAS, SITE, Crowd
from deploy.bench.gallery_audit import Audit, audited
from deploy.errors import RunError
from deploy.local.private_redis import find_binary
from gallery.config import GallerySettings
from gallery.handler import NAME as GROUP
from gallery.index_faiss import index_for
from gallery.metrics import GalleryMetrics
from gallery.site_worker import SiteWorker, plan_of
from gallery.store.memory import MemoryStore
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from wire import codec
from wire.bus import IDENTITIES, TRACKLETS, Bus, Record
from wire.cameras import ListedCamera
from wire.errors import TransientError
from wire.kafka.bus import KafkaBus
from wire.messages import CameraProgress, CameraSpec, IdentityEvent, Tracklet
from wire.metrics import ServiceMetrics
from wire.service import Received
from wire.settings import KafkaSettings, RedisSettings

Victim = Literal["gallery", "redis", "both"]

PEOPLE = 60  # who may return although nobody of them was seen before
WAIT_S = 3600.0  # for cameras
MAX_IDENTITIES = 300  # so that people expire
AGAIN_S = 300.0  # until decisions go on after a kill
AT_MOST_S = 2.0  # of decisions between two kills
EARLY = 5  # every fifth kill does not wait until decisions go on
SPECS = tuple(CameraSpec(camera_id=name, site_id=SITE, url="x.mp4", mode="complete") for name in CAMERAS)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was done to a gallery, and what of it was left.

    Attributes:
        gallery_kills, redis_kills: How often each was killed; both at once count for both.
        seconds: From the first report to the last decision.
        reports: Reports of tracklets that were sent.
        audit: What is wrong with the result; all of its figures but the sizes should be 0.
    """

    gallery_kills: int
    redis_kills: int
    seconds: float
    reports: int
    audit: Audit


def measure(
    folder: Path,
    kills: int,
    *,
    seed: int,
    speed: float,
    fade_after_s: float = 0.0,
    servers: str | None = None,
    prefix: str = "",
) -> Figures:
    """Kill the parts of a gallery that decides `speed` seconds of event time per second, and audit the result.

    People fade after `fade_after_s` of event time, unless it is 0. `servers` are those of a running Kafka, whose topics
    get a prefix; without them a node is started.

    Raises:
        RunError: Kafka or Redis cannot be started here, or decisions did not go on after a kill.
    """
    settings = _settings(fade_after_s)
    if servers is None and (missing := kafka_server.missing_tools()):
        raise RunError(f"Kafka needs {' and '.join(missing)}")
    with ExitStack() as parts:
        servers = servers or parts.enter_context(kafka_server.start()).servers
        kafka = KafkaSettings(servers=servers, topic_prefix=prefix, session_timeout_ms=2000, heartbeat_interval_ms=300)
        bus = parts.enter_context(closing(KafkaBus(kafka)))
        bus.ensure_topics()
        announce(bus, SPECS)
        scene = parts.enter_context(_scene(folder, kafka, settings))
        load = parts.enter_context(_Load(bus, seed, speed))
        began_s = time.monotonic()
        killed = _kill(scene, kills, np.random.default_rng(seed))
        seconds = load.finish()
        scene.wait_for(lambda: _is_all_decided(scene.store, bus), "the last decision")
        took_s = round(time.monotonic() - began_s, 1)
        scene.end()
        found = audited(scene.store, _events(bus), _reference(seed, seconds, settings))
    return Figures(
        sum(victim != "redis" for victim in killed),
        sum(victim != "gallery" for victim in killed),
        took_s,
        load.reports,
        found,
    )


def _settings(fade_after_s: float) -> GallerySettings:
    horizon_s = fade_after_s or GallerySettings().horizon_s
    return GallerySettings(
        complete_wait_s=WAIT_S, max_identities=MAX_IDENTITIES, horizon_s=horizon_s, fade_after_s=fade_after_s
    )


class _Process:
    """A process that can be killed and started again."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self._log = command, log
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as out:
            self._running = subprocess.Popen(self._command, stdout=out, stderr=out)

    def kill(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def check(self) -> None:
        """Raise `RunError` if the process has exited by itself."""
        if self._running is not None and self._running.poll() is not None:
            raise RunError(f"{self._command[0]} exited with {self._running.returncode}:\n{self._tail()}")

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


@dataclass(frozen=True, slots=True)
class _Scene:
    """The processes that are killed, and a look at what they store."""

    gallery: _Process
    redis: _Process
    store: RedisStore

    def strike(self, victim: Victim) -> None:
        """Kill, and start again."""
        struck = [self.redis] * (victim != "gallery") + [self.gallery] * (victim != "redis")
        for process in struck:
            process.kill()
        for process in struck:
            process.start()

    def version(self) -> int:
        """Return the version of the site; -1 while Redis is away."""
        try:
            return self.store.learnt().version
        except TransientError:
            return -1

    def wait_for(self, true: Callable[[], bool], what: str) -> None:
        """Wait until something is true.

        Raises:
            RunError: It does not become true, or a process exited by itself.
        """
        began_s, version = time.monotonic(), -1
        while not true():
            self.gallery.check()
            self.redis.check()
            if (now := self.version()) != version:
                began_s, version = time.monotonic(), now
            if time.monotonic() - began_s > AGAIN_S:
                raise RunError(f"waited {AGAIN_S:g} s for {what}, and nothing was decided meanwhile")
            time.sleep(0.05)

    def end(self) -> None:
        """End the gallery, so that the store stays as it is."""
        self.gallery.kill()


@contextmanager
def _scene(folder: Path, kafka: KafkaSettings, settings: GallerySettings) -> Iterator[_Scene]:
    folder.mkdir(exist_ok=True)
    options = {"port": "0", "unixsocket": str(folder / "redis.sock"), "dir": str(folder), "save": ""}
    options |= {"appendonly": "yes", "appendfsync": "always"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    redis = _Process([str(find_binary().path), *words], folder / "redis.log")
    url = f"unix://{folder / 'redis.sock'}"
    config = folder / "gallery.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "kafka": kafka.model_dump(mode="json", exclude_none=True),
                "redis": {"url": url},
                "gallery": settings.model_dump(mode="json") | {"health_port": 0},
            }
        )
    )
    gallery = _Process([sys.executable, "-m", "deploy.cli", "gallery", "--config", str(config)], folder / "gallery.log")
    client = connect(RedisSettings(url=url))
    try:
        redis.start()
        gallery.start()
        yield _Scene(gallery, redis, RedisStore(client, SITE))
    finally:
        gallery.kill()
        client.close()
        redis.kill()


def _kill(scene: _Scene, kills: int, rng: np.random.Generator) -> list[Victim]:
    """Kill at random moments; return who was killed."""
    victims: list[Victim] = ["gallery", "redis", "both"]
    killed: list[Victim] = []
    version = 0
    for number in range(kills):
        if number % EARLY != EARLY - 1:
            scene.wait_for(lambda least=version: scene.version() > least, f"decisions after {number} kills")  # type: ignore[misc]
        time.sleep(float(rng.uniform(0, AT_MOST_S)))
        version = max(version, scene.version())
        killed.append(victims[int(rng.integers(len(victims)))])
        scene.strike(killed[-1])
    scene.wait_for(lambda: scene.version() > version, "decisions after the last kill")
    return killed


class _Load:
    """Sends the messages of a crowd to the `tracklets` topic, in a thread, at a multiple of their own pace."""

    def __init__(self, bus: Bus, seed: int, speed: float) -> None:
        self.reports = 0
        self._bus, self._crowd, self._pause_s = bus, Crowd(PEOPLE, seed), 1 / speed
        self._seconds = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def finish(self) -> int:
        """End all cameras; return how many seconds of event time were sent."""
        self.__exit__()
        return self._seconds

    def _run(self) -> None:
        with closing(self._bus.producer()) as producer:
            due_s = time.monotonic()
            ending = False
            while not ending:
                due_s += self._pause_s
                ending = self._stop.wait(max(0.0, due_s - time.monotonic()))
                for message in _messages(self._crowd, self._seconds, ending=ending):
                    producer.send(TRACKLETS.name, SITE, codec.encode(message))
                    self.reports += isinstance(message, Tracklet)
                self._seconds += 1
            producer.flush(60.0)


def _messages(crowd: Crowd, second: int, *, ending: bool) -> Iterator[Tracklet | CameraProgress]:
    for message in crowd.second(second):
        yield replace(message, ended=ending) if isinstance(message, CameraProgress) else message


def _is_all_decided(store: RedisStore, bus: Bus) -> bool:
    progress = store.progress()
    ended = set(CAMERAS) <= set(progress) and all(stored.progress.ended for stored in progress.values())
    return ended and bus.backlog(TRACKLETS.name, GROUP, SITE) == 0


def _events(bus: Bus) -> list[IdentityEvent]:
    """Return all events on the topic, repetitions included."""
    found: list[IdentityEvent] = []
    with closing(bus.consumer("gallery-kills-audit", [IDENTITIES.name], start="beginning")) as consumer:
        silent = 0
        while silent < 5:
            records = consumer.poll(1000, 1.0)
            silent = 0 if records else silent + 1
            found += [message for r in records if isinstance(message := codec.decode(r.value or b""), IdentityEvent)]
    return found


def _reference(seed: int, seconds: int, settings: GallerySettings) -> tuple[MemoryStore, list[IdentityEvent]]:
    """Return what a gallery that nobody kills stores and publishes."""
    store, registry, crowd = MemoryStore(SITE), CollectorRegistry(), Crowd(PEOPLE, seed)
    worker = SiteWorker(store, plan_of(settings), index_for, GalleryMetrics(registry), ServiceMetrics(registry))
    worker.expect([ListedCamera(spec, 0) for spec in SPECS], 0.0)
    events: list[IdentityEvent] = []
    offsets = count()
    for second in range(seconds):
        messages = _messages(crowd, second, ending=second == seconds - 1)
        batch = [Received(Record(TRACKLETS.name, 0, next(offsets), SITE, b"", 0), message) for message in messages]
        worker.receive(batch, 0.0)
        worker.decide_due(0.0)
        events += worker.outgoing()
        worker.published()
    return store, events
