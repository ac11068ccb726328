"""Live RTSP cameras over Kafka and Redis while another process takes a core: `python -m tests.bench.live_rtsp DIR`.

The videos of the folder, each some times over, are served by GStreamer's RTSP server as cameras that never end. Prints
one JSON line: that of `climbtrack bench live`, and if the folder has truth in `gt/`, the numbers that each person got.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from deploy.bench.live import measure_live_cluster
from deploy.bench.live_delays import Delays
from deploy.bench.pipeline import SITE
from gallery.score.mot import Boxes, read_boxes
from gallery.score.overlap import overlap
from tests.servers.rtsp import serving
from wire.messages import CameraSpec, Tracklet

SAME_IOU = 0.5
NOBODY = "nobody"  # whom the truth does not show where a tracklet is


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, help="folder of videos, and of truth in gt/")
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--burners", type=int, default=1, help="busy processes in the middle third of the time")
    options = parser.parse_args()
    videos = sorted(options.site.glob("*.mp4"))
    with tempfile.TemporaryDirectory(prefix="climbtrack-bench-") as name, ExitStack() as servers:
        folder, frames, cameras = Path(name), {}, []
        for video in videos:
            frames[video.stem] = repeat(video, folder / video.name, options.seconds + 60)
            url = servers.enter_context(serving(folder / video.name)).url()
            cameras.append(CameraSpec(camera_id=video.stem, site_id=SITE, url=url))
        delays = Delays()
        figures = measure_live_cluster(cameras, folder, options.seconds, burners=options.burners, delays=delays)
    truth = {camera: read_boxes(path) for camera in frames if (path := options.site / "gt" / f"{camera}.txt").exists()}
    numbers = numbers_of(delays.numbered(), truth, frames) if truth else None
    print(json.dumps({"benchmark": "live_rtsp", **asdict(figures), "numbers": numbers}))


def repeat(video: Path, target: Path, seconds: float) -> int:
    """Write a video over and over, without decoding it, until it lasts so long; return the frames of one turn."""
    written, turns = 0.0, 0
    with av.open(str(target), "w") as out:
        stream, frames = None, 0
        while written < seconds:
            with av.open(str(video)) as source:
                given = source.streams.video[0]
                stream = out.add_stream_from_template(given) if stream is None else stream
                packets = [packet for packet in source.demux(given) if packet.size]
                step = round(1 / (Fraction(given.average_rate or 10) * Fraction(given.time_base or 1)))
                frames = len(packets)
                for packet in packets:
                    packet.pts = (packet.pts or 0) + turns * frames * step
                    packet.dts = (packet.dts or 0) + turns * frames * step
                    packet.stream = stream
                    out.mux(packet)
            turns += 1
            written = turns * frames / float(given.average_rate or 10)
    return frames


def numbers_of(
    seen: Sequence[tuple[Tracklet, int]], truth: Mapping[str, Boxes], frames: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Return how many tracklets each person of the truth has under each number, by whom most of the boxes show."""
    counts: dict[str, Counter[str]] = {}
    for tracklet, number in seen:
        shown: Counter[str] = Counter()
        for frame, box in zip(tracklet.frames.tolist(), tracklet.boxes, strict=True):
            shown[_person(truth[tracklet.camera_id], (frame - 1) % frames[tracklet.camera_id] + 1, box)] += 1
        counts.setdefault(shown.most_common(1)[0][0], Counter())[str(number)] += 1
    return {person: dict(found.most_common()) for person, found in sorted(counts.items())}


def _person(truth: Boxes, frame: int, box: NDArray[np.float32]) -> str:
    rows = np.flatnonzero(truth.frames == frame)
    if not len(rows):
        return NOBODY
    left, top, right, bottom = box.tolist()
    alike = overlap(truth.boxes[rows], np.array([[left, top, right - left, bottom - top]]))[:, 0]
    best = int(alike.argmax())
    return str(int(truth.ids[rows[best]])) if alike[best] >= SAME_IOU else NOBODY


if __name__ == "__main__":
    main()
