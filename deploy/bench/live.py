"""Measure how long after its capture a person is known, with live cameras, and how evenly cameras are analysed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy import kafka_server
from deploy.bench.cluster import Services
from deploy.bench.live_delays import Delays, Spread
from deploy.bench.pipeline import SITE
from deploy.errors import RunError
from deploy.local.api_server import bind
from deploy.local.embedded import Embedded
from deploy.local.private_redis import PrivateRedis
from deploy.local.settings import EmbeddedSettings
from wire import codec
from wire.bus import IDENTITIES, TRACKLETS, Bus
from wire.kafka.bus import KafkaBus
from wire.messages import CameraSpec
from wire.settings import KafkaSettings

GROUP = "bench-live"
MAX_RECORDS = 256
POLL_S = 0.5
BURN = "while True: pass"


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """The delays of `live_delays.Delays`, and what was analysed.

    Attributes:
        load: Runnable processes of the machine, on average over the last minute of the run.
        analysed_share: Analysed share of the frames of each camera.
    """

    cameras: int
    seconds: float
    load: float
    first_identity_s: Spread | None
    identity_s: Spread | None
    first_tracklet_s: Spread | None
    decision_s: Spread | None
    second_sighting_s: Spread | None
    analysed_share: Mapping[str, float]
    people: int


def live_cameras(videos: Sequence[Path]) -> tuple[CameraSpec, ...]:
    """Return one camera per video that is played at its own speed, again and again."""
    return tuple(
        CameraSpec(camera_id=video.stem, site_id=SITE, url=str(video), realtime=True, loop=True) for video in videos
    )


def measure_live(cameras: Sequence[CameraSpec], folder: Path, seconds: float, *, burners: int = 0) -> LiveFigures:
    """Watch live cameras in one process, as `climbtrack run` does.

    Args:
        burners: Processes that take the processor's time in the middle third.

    Raises:
        RunError: A component stopped.
    """
    with bind("127.0.0.1", 0) as taken, Embedded(EmbeddedSettings.load(None), folder, SITE, taken) as system:
        watched = _Watched(system.bus, partial(system.start_cameras, cameras), system.check, Delays())
        return _watch(watched, len(cameras), seconds, burners)


def measure_live_cluster(
    cameras: Sequence[CameraSpec], folder: Path, seconds: float, *, burners: int = 0, delays: Delays | None = None
) -> LiveFigures:
    """Watch live cameras with one process for each service, over Kafka and Redis; otherwise as `measure_live`.

    Args:
        delays: Gets what was watched.
    """
    delays = Delays() if delays is None else delays
    if missing := kafka_server.missing_tools():
        raise RunError(f"Kafka needs {' and '.join(missing)}")
    with ExitStack() as parts:
        node = parts.enter_context(kafka_server.start())
        redis = parts.enter_context(PrivateRedis(folder))
        services = Services(folder, _config(cameras, node.servers, redis.url))
        parts.callback(services.stop)
        services.start("gallery")
        services.start("worker")
        bus = KafkaBus(KafkaSettings(servers=node.servers))
        watched = _Watched(bus, partial(services.start, "ingest", wait=False), services.check, delays)
        return _watch(watched, len(cameras), seconds, burners)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A system that runs: its bus, what starts its cameras, what raises if a part of it has ended, what is learnt."""

    bus: Bus
    start: Callable[[], None]
    check: Callable[[], None]
    delays: Delays


def _watch(watched: _Watched, cameras: int, seconds: float, burners: int) -> LiveFigures:
    delays = watched.delays
    with ExitStack() as parts:
        consumer = parts.enter_context(
            closing(watched.bus.consumer(GROUP, [TRACKLETS.name, IDENTITIES.name], start="end"))
        )
        consumer.poll(1, POLL_S)  # joins the group, so that everything published from here on is seen
        watched.start()
        began_s, load = time.monotonic(), ExitStack()
        parts.enter_context(load)
        while (passed_s := time.monotonic() - began_s) < seconds:
            watched.check()
            if burners and seconds / 3 < passed_s < 2 * seconds / 3:
                load.enter_context(_burning(burners))
                burners = 0
            elif passed_s > 2 * seconds / 3:
                load.close()
            for record in consumer.poll(MAX_RECORDS, POLL_S):
                delays.add(codec.decode(record.value or b""), record)
    return LiveFigures(
        cameras,
        round(seconds, 1),
        round(os.getloadavg()[0], 1),
        Spread.of(delays.first_identity),
        Spread.of(delays.identity),
        Spread.of(delays.first_tracklet),
        Spread.of(delays.decision()),
        Spread.of(delays.second_sighting()),
        delays.analysed_share(),
        delays.people,
    )


@contextmanager
def _burning(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _config(cameras: Sequence[CameraSpec], servers: str, redis_url: str) -> dict[str, object]:
    listed = {
        camera.camera_id: {"url": camera.url, "realtime": camera.realtime, "loop": camera.loop} for camera in cameras
    }
    return {"site": SITE, "cameras": listed, "kafka": {"servers": servers}, "redis": {"url": redis_url}}
