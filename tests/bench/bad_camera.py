"""What one bad camera among eight costs the seven others: `python -m tests.bench.bad_camera`.

Eight live cameras play the videos of a folder in one process, and beside it, at the same time, another process does the
same with a bad one in the place of the eighth: each gets the same share of the machine, however busy that is. Prints a
JSON line for each kind of bad camera: frames of the seven that were analysed beside it, by those beside a good one.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from multiprocessing.queues import Queue
from pathlib import Path

import av
import cv2
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from deploy.bench.live import live_cameras, measure_live
from tests.bench.live_capacity import cameras_of
from wire.messages import CameraSpec

Picture = NDArray[np.uint8]

CAMERAS = 8
FRAMES, FPS = 30, 20  # of 8K: some 40 MB
LARGE = (7680, 4320)
FAST_FPS = 120
BAD = "bad"


def large(videos: Sequence[Path], path: Path) -> None:
    """Write a second and a half of 8K."""
    _write(path, (_resized(picture) for picture in _first(videos[0], FRAMES)), FPS)


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


def main(site: Path, seconds: float, fps: float, kinds: Sequence[str]) -> None:
    """Measure each kind, and print a line as soon as it is known."""
    videos = sorted(site.glob("*.mp4"))
    cameras = [replace(camera, analysed_fps=fps) for camera in cameras_of(videos, CAMERAS)]
    with tempfile.TemporaryDirectory(prefix="climbtrack-bench-") as folder:
        for kind in kinds:
            path = Path(folder) / f"{BAD}.mp4"
            KINDS[kind](videos, path)
            bad = replace(live_cameras([path])[0], camera_id=BAD, analysed_fps=fps)
            beside_good, beside_bad = _together((cameras, [*cameras[:-1], bad]), seconds)
            others = [camera.camera_id for camera in cameras[:-1]]
            shares = [sum(shown.get(name, 0.0) for name in others) / len(others) for shown in (beside_good, beside_bad)]
            line = {
                "bad": kind,
                "others_beside_good": round(shares[0], 3),
                "others_beside_bad": round(shares[1], 3),
                "ratio": round(shares[1] / shares[0], 3) if shares[0] else None,
                "least_beside_bad": round(min(beside_bad.get(name, 0.0) for name in others), 3),
                "own_share": round(beside_bad.get(BAD, 0.0), 3),
                "load": round(os.getloadavg()[0], 1),
            }
            print(json.dumps(line), flush=True)


def _together(both: tuple[Sequence[CameraSpec], Sequence[CameraSpec]], seconds: float) -> list[dict[str, float]]:
    fresh = multiprocessing.get_context("spawn")
    answers: Queue[tuple[int, dict[str, float]]] = fresh.Queue()
    processes = [
        fresh.Process(target=_measure, args=(place, cameras, seconds, answers)) for place, cameras in enumerate(both)
    ]
    for process in processes:
        process.start()
    found = dict(answers.get() for _ in processes)
    for process in processes:
        process.join()
    return [found[place] for place in range(len(both))]


def _measure(
    place: int, cameras: Sequence[CameraSpec], seconds: float, answers: "Queue[tuple[int, dict[str, float]]]"
) -> None:
    with tempfile.TemporaryDirectory(prefix="climbtrack-bench-") as folder:
        answers.put((place, dict(measure_live(cameras, Path(folder), seconds).analysed_share)))


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
    parser.add_argument("--seconds", type=float, default=35.0, help="of each kind")
    parser.add_argument("--fps", type=float, default=2.0, help="analysed frames a second of each camera")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="bad cameras")
    given = parser.parse_args()
    main(given.site, given.seconds, given.fps, given.kinds)
