"""Measure how many cameras one core can ingest, publishing to the memory bus."""

import time
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from deploy.errors import RunError
from ingest.camera import Camera
from ingest.config import IngestSettings
from ingest.metrics import IngestMetrics
from ingest.state import CameraJob, State, Surroundings
from wire.bus import FRAMES
from wire.memory import MemoryBus
from wire.messages import CameraSpec

CAMERA_FPS = 30


@dataclass(frozen=True, slots=True)
class Passthrough:
    """Throughput of one core: demuxing, timestamping, chunking, encoding and publishing to the memory bus.

    Attributes:
        frames, megabytes, cpu_s: Totals over all passes; CPU time is that of the whole process.
        frames_per_cpu_s: Throughput.
        cameras_30fps: Number of 30 fps cameras that one core can ingest at that rate.
    """

    frames: int
    megabytes: float
    cpu_s: float
    frames_per_cpu_s: float
    cameras_30fps: int


def measure_passthrough(path: Path, min_cpu_s: float = 2.0) -> Passthrough:
    """Ingest a video repeatedly until at least `min_cpu_s` of CPU time has been used.

    Raises:
        RunError: The video cannot be read to its end.
    """
    frames = size = 0
    began_s = time.process_time()
    while time.process_time() - began_s < min_cpu_s:
        passed = _pass_once(path)
        frames += passed.frames
        size += passed.size_bytes
    cpu_s = time.process_time() - began_s
    speed = frames / cpu_s
    return Passthrough(frames, round(size / 1e6, 1), round(cpu_s, 3), round(speed), int(speed / CAMERA_FPS))


@dataclass(frozen=True, slots=True)
class _Pass:
    frames: int
    size_bytes: int


def _pass_once(path: Path) -> _Pass:
    bus = MemoryBus()
    registry = CollectorRegistry()
    spec = CameraSpec(camera_id="bench", site_id="bench", url=str(path), start_ns=0)
    camera = Camera(CameraJob(spec, 0), Surroundings(bus, IngestSettings(), IngestMetrics(registry)))
    camera.start()
    camera.wait()
    if camera.status().state is not State.ENDED:
        raise RunError(f"{path}: {camera.status().cause}")
    frames = registry.get_sample_value("climbtrack_ingest_frames_total", {"camera": spec.camera_id})
    return _Pass(int(frames or 0), bus.size_bytes(FRAMES.name))
