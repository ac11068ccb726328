"""What one bad camera among eight costs the seven others: `python -m tests.bench.bad_camera`.

Eight live cameras play the videos of a folder before a worker's own handler, with its real networks, and then again
with a bad one in the place of the eighth. Time is the processor time that this process takes, so that the worker has a
core of its own however busy the machine is. Prints a JSON line for each kind of bad camera: the share of their wanted
frames that the seven were analysed at beside it, and beside a good one.
"""

import argparse
import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from reid_worker.appearance.choose import load_networks
from reid_worker.config import WorkerSettings
from reid_worker.detectors.choose import load_detector
from reid_worker.handler import Clocks, HandlerOptions, WorkerHandler
from reid_worker.networks import Networks
from reid_worker.pace import PaceOptions
from reid_worker.pipeline import Pipeline
from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, spec_of
from tests.worker_tools import START_NS, reporting
from wire.bus import FRAMES, Record
from wire.memory import MemoryBus
from wire.messages import CameraProgress, FrameChunk
from wire.service import Outgoing, Received

Picture = NDArray[np.uint8]

CAMERAS = 8
SETTLED_S = 8.0
SETTINGS = {"detector": "bundled", "device": "cpu", "threads": 1}
LARGE_FRAMES, LARGE_FPS = 30, 20  # of 8K: some 40 MB
LARGE = (7680, 4320)
FAST_FPS = 120
BAD = "bad"


def large(videos: Sequence[Path], path: Path) -> None:
    """Write a second and a half of 8K."""
    _write(path, (_resized(picture) for picture in _first(videos[0], LARGE_FRAMES)), LARGE_FPS)


def fast(videos: Sequence[Path], path: Path) -> None:
    """Write a video of 120 frames a second."""
    _write(path, iter(_first(videos[0], 240)), FAST_FPS)


def frozen(videos: Sequence[Path], path: Path) -> None:
    """Write ten seconds of one picture."""
    _write(path, iter(_first(videos[0], 1) * 100), 10)


def corrupt(videos: Sequence[Path], path: Path) -> None:
    """Copy a video with a few wrong bytes in every second packet."""
    random = np.random.default_rng(0)
    with av.open(str(videos[0])) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.dts is None:
                continue
            data = bytearray(bytes(packet))
            if number % 2:
                for at in random.integers(min(40, len(data) - 1), len(data), 8):
                    data[at] ^= 0xFF
            copy = av.Packet(bytes(data))
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.is_keyframe, copy.stream = packet.is_keyframe, stream
            target.mux(copy)


KINDS: dict[str, Callable[[Sequence[Path], Path], None]] = {
    "8K": large,
    "120 fps": fast,
    "corrupt": corrupt,
    "frozen": frozen,
}


class Watched:
    """A worker whose clock is the processor time that it takes, and leaps ahead while it has nothing to do."""

    def __init__(self) -> None:
        settings = WorkerSettings.model_validate(SETTINGS)
        load, metrics, report = reporting(CollectorRegistry())
        pipeline = Pipeline(
            load_detector(settings.detector, settings.detector_options(1)),
            Networks(*load_networks(settings, 1)),
            load,
            metrics,
            threads=1,
            embed_batch=settings.embed_batch,
        )
        pipeline.warm_up()
        options = HandlerOptions(settings.stream_options(8), 10_000_000_000, PaceOptions())
        self._ahead_s = -time.process_time()
        clocks = Clocks(lambda: START_NS + round(self._now_s() * 1e9), self._now_s)
        self._handler = WorkerHandler(pipeline, MemoryBus(), options, report, clocks=clocks)
        self._analysed: dict[str, list[tuple[float, str, int]]] = {}

    def watch(self, sent: Sequence[tuple[float, FrameChunk]]) -> None:
        """Handle each chunk once its time has come."""
        due = deque(sent)
        taken = 0
        while due or self._handler.busy():
            if due and not self._handler.busy():
                self._ahead_s += max(0.0, due[0][0] - self._now_s())
            batch: list[Received] = []
            while due and due[0][0] <= self._now_s() and len(batch) < self._handler.wanted():
                at_s, chunk = due.popleft()
                record = Record(FRAMES.name, 0, taken, chunk.camera_id, b"", START_NS + round(at_s * 1e9))
                batch.append(Received(record, chunk))
                taken += 1
            for said in self._handler.handle(batch):
                if isinstance(said, Outgoing) and isinstance(said.message, CameraProgress):
                    progress = said.message
                    told = (self._now_s(), progress.stream_id, progress.analysed)
                    self._analysed.setdefault(progress.camera_id, []).append(told)
            self._handler.flushed()

    def shares(self, fps: float, seconds: float) -> dict[str, float]:
        """Return the analysed frames of each camera by those that were wanted, once the rates had settled."""
        wanted = fps * (seconds - SETTLED_S)
        return {name: _gained(said, seconds) / wanted for name, said in self._analysed.items()}

    def _now_s(self) -> float:
        return time.process_time() + self._ahead_s


def main(site: Path, seconds: float, fps: float, kinds: Sequence[str]) -> None:
    """Measure each kind, and print a line as soon as it is known."""
    videos = sorted(site.glob("*.mp4"))
    recorded = {str(video): _chunks(video) for video in videos}
    names = {f"{videos[n % len(videos)].stem}-{n}": recorded[str(videos[n % len(videos)])] for n in range(CAMERAS)}
    beside_good = _shares(names, fps, seconds)
    *others, last = names
    with tempfile.TemporaryDirectory(prefix="climbtrack-bench-") as folder:
        for kind in kinds:
            path = Path(folder) / f"{BAD}.mp4"
            KINDS[kind](videos, path)
            beside_bad = _shares({name: names[name] for name in others} | {BAD: _chunks(path)}, fps, seconds)
            shares = [sum(shown[name] for name in others) / len(others) for shown in (beside_good, beside_bad)]
            line = {
                "bad": kind,
                "others_beside_good": round(shares[0], 3),
                "others_beside_bad": round(shares[1], 3),
                "ratio": round(shares[1] / shares[0], 3),
                "least_beside_bad": round(min(beside_bad[name] for name in others), 3),
                "own_share": round(beside_bad[BAD], 3),
                "replaced_share": round(beside_good[last], 3),
                "load": round(os.getloadavg()[0], 1),
            }
            print(json.dumps(line), flush=True)


def _shares(cameras: dict[str, Sequence[FrameChunk]], fps: float, seconds: float) -> dict[str, float]:
    watched = Watched()
    sent = [one for number, name in enumerate(cameras) for one in _played(name, cameras[name], number, fps, seconds)]
    watched.watch(sorted(sent, key=lambda one: one[0]))
    return watched.shares(fps, seconds)


def _played(
    name: str, chunks: Sequence[FrameChunk], number: int, fps: float, seconds: float
) -> Iterator[tuple[float, FrameChunk]]:
    """Yield the chunks of a video that is played again and again, and when each is over."""
    begin_s, turn = number * 0.5 / CAMERAS, 0
    length_s = max(packet.pts_ns for chunk in chunks for packet in chunk.packets) / 1e9 + 0.1
    while begin_s < seconds:
        for seq, chunk in enumerate(chunks):
            end_s = begin_s + max(packet.pts_ns for packet in chunk.packets) / 1e9
            at_ns = START_NS + round(begin_s * 1e9)
            packets = tuple(replace(packet, time_ns=at_ns + packet.pts_ns) for packet in chunk.packets)
            stream = f"turn{turn}"
            yield (
                end_s,
                replace(
                    chunk,
                    camera_id=name,
                    stream_id=stream,
                    seq=seq,
                    packets=packets,
                    mode="latency",
                    analysed_fps=fps,
                ),
            )
        begin_s, turn = begin_s + length_s, turn + 1


def _chunks(video: Path) -> Sequence[FrameChunk]:
    with IngestWorker() as worker:
        worker.add(spec_of(video, mode="complete"))
        wait_until(lambda: worker.reader.ended("door"))
        return [chunk for chunk in worker.reader.of("door") if chunk.packets]


def _gained(said: Sequence[tuple[float, str, int]], seconds: float) -> int:
    """Return how many frames were analysed between `SETTLED_S` and the end; each stream counts from 0."""
    before: dict[str, int] = {}
    total = 0
    for at_s, stream, analysed in said:
        if SETTLED_S <= at_s <= seconds:
            total += analysed - before.get(stream, 0)
        before[stream] = analysed
    return total


def _first(video: Path, count: int) -> list[Picture]:
    with av.open(str(video)) as container:
        frames = (frame.to_ndarray(format="bgr24") for frame in container.decode(video=0))
        return [picture for picture, _ in zip(frames, range(count), strict=False)]


def _resized(picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, LARGE), np.uint8)


def _write(path: Path, pictures: Iterator[Picture], fps: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "32"})
        stream.pix_fmt = "yuv420p"
        first = next(pictures)
        stream.height, stream.width = first.shape[:2]
        for number, picture in enumerate(chain([first], pictures)):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", type=Path, default=Path(".cache/sample-site"), help="folder of videos with people")
    parser.add_argument("--seconds", type=float, default=24.0, help="of processor time and idleness, of each kind")
    parser.add_argument("--fps", type=float, default=5.0, help="analysed frames a second of each camera")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="bad cameras")
    given = parser.parse_args()
    main(given.site, given.seconds, given.fps, given.kinds)
