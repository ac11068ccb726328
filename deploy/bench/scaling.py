"""Measure how the throughput of a group of workers grows with their number, where the work is a fixed cost.

Kafka, topics, group and loop are the real ones; the work of a frame is a wait (`deploy.bench.fixed_cost`), because
three workers that compute cannot be three times as fast as one on a machine with fewer cores than that.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from deploy import kafka_server
from deploy.bench.cluster import wait_until
from deploy.bench.pipeline import SITE
from deploy.capacity.figures import value
from deploy.errors import RunError
from ingest.config import IngestSettings
from wire import codec
from wire.bus import CAMERAS, FRAMES, Bus
from wire.kafka.bus import KafkaBus
from wire.messages import CameraSpec, FrameChunk, Packet
from wire.settings import KafkaSettings

FPS = 10
CHUNK_FRAMES = 2  # as a live camera's: a fifth of a second at 10 fps
FRAME_BYTES = 20_000  # 1.6 Mbit/s
SETTLE_S = 120.0
FLUSH_S = 60.0
S = 1_000_000_000
GROUP = IngestSettings().worker_group


@dataclass(frozen=True, slots=True)
class Row:
    """One number of workers that empty a backlog.

    Attributes:
        frames_per_s: Of all, from when the frames were there until the last worker was done.
        speed_up: That, relative to the first row.
        predicted_frames_per_s: What the arithmetic of `climbtrack plan` gives: work of all cameras divided by workers.
        planned_frames_per_s: What it plans with, since it uses only a share of each worker (figure `usable`).
        cameras: Of each worker, the fewest first.
        partitions: Of each worker, in the same order.
        frames: Done by each worker, in the same order.
        lag_at_half: Chunks of each worker that were not done when half of all were, in the same order.
        lag_of_partitions: The fewest and the most chunks of a partition with cameras at that moment.
    """

    workers: int
    seconds: float
    frames_per_s: float
    speed_up: float
    predicted_frames_per_s: float
    planned_frames_per_s: float
    cameras: tuple[int, ...]
    partitions: tuple[int, ...]
    frames: tuple[int, ...]
    lag_at_half: tuple[int, ...]
    lag_of_partitions: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """All rows, and what they have in common.

    Attributes:
        cost_ms: Of a frame.
        frames: In the backlog, equally many of each camera.
        load: Of the machine, averaged over a minute, at the end.
    """

    cameras: int
    cost_ms: float
    frames: int
    rows: tuple[Row, ...]
    load: float


@dataclass(frozen=True, slots=True)
class Work:
    """What each number of workers has to do."""

    cameras: tuple[str, ...]
    chunks: int  # of each camera
    cost_s: float

    @property
    def frames(self) -> int:
        """Return the frames of all cameras."""
        return len(self.cameras) * self.chunks * CHUNK_FRAMES


def measure(folder: Path, workers: Sequence[int], cameras: int, cost_ms: float, seconds: float) -> Figures:
    """Let each number of workers empty the same backlog, which takes one worker so many seconds.

    Raises:
        RunError: Kafka cannot be started on this machine, or a worker ended or stalled.
    """
    if missing := kafka_server.missing_tools():
        raise RunError(f"Kafka needs {' and '.join(missing)}")
    cost_s = cost_ms / 1000
    chunks = max(1, round(seconds / cost_s / CHUNK_FRAMES / cameras))
    work = Work(tuple(f"camera-{number}" for number in range(1, cameras + 1)), chunks, cost_s)
    rows: list[Row] = []
    with kafka_server.start() as node:
        for number in workers:
            settings = KafkaSettings(servers=node.servers, topic_prefix=f"workers-{number}-")
            rows.append(_row(folder, settings, number, work, rows[0].frames_per_s if rows else None))
    return Figures(cameras, cost_ms, work.frames, tuple(rows), round(os.getloadavg()[0], 1))


def _row(folder: Path, settings: KafkaSettings, number: int, work: Work, first: float | None) -> Row:
    with closing(KafkaBus(settings)) as bus, _workers(folder, settings, number, work.cost_s) as workers:
        bus.ensure_topics()
        _announce(bus, work.cameras)
        cameras_of = _cameras_of(bus)
        check = partial(_check, workers)
        wait_until(lambda: _is_settled(workers, settings, cameras_of), check, SETTLE_S)
        _fill(bus, work)
        began_s = time.monotonic()
        patience_s = SETTLE_S + 2 * work.frames * work.cost_s
        wait_until(lambda: _done(workers) >= work.frames / 2, check, patience_s)
        lag = {part: bus.backlog(FRAMES.name, GROUP, names[0]) for part, names in cameras_of.items()}
        wait_until(lambda: _done(workers) >= work.frames, check, patience_s)
        workers.sort(key=lambda worker: worker.cameras(cameras_of))
        seconds = max(worker.ended_s() for worker in workers) - began_s
        per_s = work.frames / seconds
        return Row(
            number,
            round(seconds, 2),
            round(per_s, 2),
            round(per_s / (first or per_s), 2),
            round(number / work.cost_s, 1),
            round(number * value("usable") / work.cost_s, 1),
            tuple(worker.cameras(cameras_of) for worker in workers),
            tuple(len(worker.owned()) for worker in workers),
            tuple(worker.frames() for worker in workers),
            tuple(sum(lag.get(part, 0) for part in worker.owned()) for worker in workers),
            (min(lag.values()), max(lag.values())),
        )


class _Worker:
    """A process of `deploy.bench.fixed_cost`, and what it has told."""

    def __init__(self, log: Path, settings: KafkaSettings, cost_s: float) -> None:
        self._log = log
        command = [sys.executable, "-m", "deploy.bench.fixed_cost", settings.model_dump_json(), GROUP, str(cost_s)]
        with log.open("wb") as out, log.with_suffix(".err").open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=out, stderr=errors)

    def check(self) -> None:
        """Raise RunError if it has ended."""
        if self.process.poll() is not None:
            said = self._log.with_suffix(".err").read_text(errors="replace")[-2000:]
            raise RunError(f"a worker ended with code {self.process.returncode}:\n{said}")

    def frames(self) -> int:
        """Return how many frames it is done with."""
        return sum(said["frames"] for said in self._said() if "frames" in said)

    def ended_s(self) -> float:
        """Return when it was done with its last ones."""
        return max((said["ended_s"] for said in self._said() if "frames" in said), default=0.0)

    def owned(self) -> list[int]:
        """Return the partitions that it has."""
        return next((list(said["owned"]) for said in reversed(self._said()) if "owned" in said), [])

    def cameras(self, cameras_of: Mapping[int, Sequence[str]]) -> int:
        """Return how many cameras it has."""
        return sum(len(cameras_of.get(part, ())) for part in self.owned())

    def _said(self) -> list[dict[str, Any]]:
        lines = self._log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]


def _done(workers: Sequence[_Worker]) -> int:
    return sum(worker.frames() for worker in workers)


def _check(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.check()


@contextmanager
def _workers(folder: Path, settings: KafkaSettings, number: int, cost_s: float) -> Iterator[list[_Worker]]:
    with ExitStack() as parts:
        workers = []
        for index in range(number):
            worker = _Worker(folder / f"{settings.topic_prefix}{index}.log", settings, cost_s)
            parts.callback(worker.process.wait, 60)
            parts.callback(worker.process.send_signal, signal.SIGTERM)
            workers.append(worker)
        yield workers


def _announce(bus: Bus, cameras: Sequence[str]) -> None:
    with closing(bus.producer()) as producer:
        for name in cameras:
            spec = CameraSpec(camera_id=name, site_id=SITE, url=f"{name}.mp4", analysed_fps=FPS)
            producer.send(CAMERAS.name, name, codec.encode(spec))
        producer.flush(FLUSH_S)


def _cameras_of(bus: Bus) -> dict[int, list[str]]:
    """Return the cameras of each partition that has some."""
    found: dict[int, list[str]] = {}
    for name, record in bus.table(CAMERAS.name).items():
        found.setdefault(record.partition, []).append(name)
    return found


def _is_settled(workers: Sequence[_Worker], settings: KafkaSettings, cameras_of: Mapping[int, Sequence[str]]) -> bool:
    """Tell whether every partition has a worker, and cameras are as even as their partitions allow."""
    owned = [len(worker.owned()) for worker in workers]
    cameras = [worker.cameras(cameras_of) for worker in workers]
    most = max(len(names) for names in cameras_of.values())
    return sum(owned) == settings.camera_partitions and max(cameras) - min(cameras) <= most


def _fill(bus: Bus, work: Work) -> None:
    """Send the frames of all cameras in turn, as they would come."""
    data = bytes(FRAME_BYTES)
    with closing(bus.producer()) as producer:
        for seq in range(work.chunks):
            for name in work.cameras:
                producer.send(FRAMES.name, name, codec.encode(_chunk(name, seq, data)))
        producer.flush(FLUSH_S)


def _chunk(camera: str, seq: int, data: bytes) -> FrameChunk:
    first = seq * CHUNK_FRAMES
    times_ns = [(first + index) * S // FPS for index in range(CHUNK_FRAMES)]
    return FrameChunk(
        camera_id=camera,
        site_id=SITE,
        stream_id="bench",
        seq=seq,
        codec="mjpeg",
        width=640,
        height=360,
        extradata=b"",
        packets=tuple(Packet(time_ns, time_ns, keyframe=True, data=data) for time_ns in times_ns),
        first_index=first,
        analysed_fps=FPS,
        mode="complete",
    )
