"""Measure the speed of the whole pipeline in one process, and whether its memory stays flat."""

import io
import os
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from rich.console import Console

from deploy.bench.memory import memory_mb
from deploy.errors import RunError
from deploy.local.api_server import bind
from deploy.local.embedded import Embedded
from deploy.local.probe import length_of
from deploy.local.run import RunOptions, follow_cameras
from deploy.local.settings import EmbeddedSettings
from deploy.local.watch import Watch
from wire.messages import CameraSpec

SITE = "bench"
STAGES = ("decode", "detect", "track", "embed", "decide")
GROWTH_FPS = 2.0  # enough to exercise every stage often; the other frames are only decoded
WARM_MINUTES = 5.0  # simulated time after which models, caches and the bus have reached their full size
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Speed:
    """Speed of one run over some files.

    Attributes:
        analysed_per_s: Frames analysed per second of wall-clock time, over all cameras.
        stages_per_s: Frames per second that each stage could analyse by itself.
        memory_mb: Resident memory after the run; known only when everything runs in one process.
    """

    analysed: int
    seconds: float
    analysed_per_s: float
    stages_per_s: Mapping[str, float]
    memory_mb: float | None


@dataclass(frozen=True, slots=True)
class Growth:
    """Resident memory while one camera plays a file in a loop."""

    simulated_minutes: float
    analysed: int
    memory_mb_warm: float
    memory_mb_end: float
    growth_mb: float


def machine() -> dict[str, str | int]:
    """Return a description of this machine, to record with the figures."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def file_cameras(videos: Sequence[Path]) -> tuple[CameraSpec, ...]:
    """Return one camera per video, in `complete` mode."""
    return tuple(CameraSpec(camera_id=video.stem, site_id=SITE, url=str(video), mode="complete") for video in videos)


def measure_embedded(videos: Sequence[Path], folder: Path) -> Speed:
    """Process videos in this process, as `climbtrack run` does.

    Raises:
        RunError: A video could not be read to its end.
    """
    with bind("127.0.0.1", 0) as taken:
        system = Embedded(EmbeddedSettings.load(None), folder, SITE, taken)
        outcome = follow_cameras(system, RunOptions(file_cameras(videos)), Console(file=io.StringIO()))
    if outcome.failed:
        raise RunError("a video could not be read to its end")
    analysed = sum(camera.analysed for camera in outcome.report.cameras.values())
    seconds = outcome.report.seconds
    stages = stage_speeds(system.registry, analysed)
    return Speed(analysed, round(seconds, 2), round(analysed / seconds, 2), stages, memory_mb())


def measure_growth(video: Path, folder: Path, minutes: float) -> Growth:
    """Play a video in a loop, as fast as possible, for the given number of minutes of video time.

    Raises:
        RunError: A component stopped, or the duration of the video is unknown.
    """
    length = length_of(str(video))
    if not length.frames or not length.seconds:
        raise RunError(
            f"{video} does not declare its duration: remux it, for example with `ffmpeg -i IN -c copy OUT.mp4`"
        )
    fps = length.frames / length.seconds
    warm = 0.0
    with (
        bind("127.0.0.1", 0) as taken,
        Embedded(EmbeddedSettings.load(None), folder, SITE, taken) as system,
        closing(Watch(system.bus)) as watch,
    ):
        (camera,) = file_cameras([video])
        system.start_cameras([replace(camera, loop=True, analysed_fps=GROWTH_FPS, start_ns=time.time_ns())])
        while True:
            system.check()
            totals = watch.poll(POLL_S).get(video.stem)
            played = totals.frames / fps / 60 if totals else 0.0
            if not warm and played >= min(WARM_MINUTES, minutes / 2):
                warm = memory_mb()
            if totals and played >= minutes:
                break
        end = memory_mb()
    return Growth(round(played, 1), totals.analysed, warm, end, round(end - warm, 1))


def stage_speeds(registry: CollectorRegistry, analysed: int) -> dict[str, float]:
    """Return the frames per second of each stage, computed from its own duration metric."""
    speeds = {}
    for stage in STAGES:
        spent_s = registry.get_sample_value("climbtrack_stage_duration_seconds_sum", {"stage": stage})
        if spent_s:
            speeds[stage] = round(analysed / spent_s, 1)
    return speeds
