"""How many live cameras this machine analyses in full within the latency budget: `python -m tests.bench.live_capacity`.

The videos of a folder are played again and again as live cameras at 10 analysed frames a second, in one process, as
`climbtrack run` does; a video is several cameras where there are more cameras than videos. Numbers of cameras are
doubled until one is too many, and then halved in between. Prints one JSON line: the largest number that held, what was
tried, and how many cameras of 30 frames a second one core ingests without analysing them.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from msgspec.structs import replace

from deploy.bench.ingest import measure_passthrough
from deploy.bench.live import live_cameras, measure_live
from wire.messages import CameraSpec

LEAST_SHARE = 0.95  # of a camera's frames; one that begins while others are analysed may lose some at its beginning


@dataclass(frozen=True, slots=True)
class Trial:
    """What a number of cameras came to.

    Attributes:
        identity_p95_s: From the capture of the latest box of an identity to its event; None if nobody was known.
        analysed_share: The smallest of all cameras.
        load: Runnable processes of the machine, on average over the last minute.
    """

    cameras: int
    identity_p95_s: float | None
    analysed_share: float
    load: float

    def holds(self, budget_s: float) -> bool:
        """Tell whether every camera was analysed, and people were known in time."""
        in_time = self.identity_p95_s is not None and self.identity_p95_s <= budget_s
        return in_time and self.analysed_share >= LEAST_SHARE


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", type=Path, default=Path(".cache/sample-site"), help="folder of videos with people")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each number of cameras")
    parser.add_argument("--budget-s", type=float, default=2.0, help="95 %% of identities must be known so soon")
    parser.add_argument("--most", type=int, default=64, help="cameras to try at most")
    options = parser.parse_args()
    videos, tried = sorted(options.site.glob("*.mp4")), []

    def holds(cameras: int) -> bool:
        with tempfile.TemporaryDirectory(prefix="climbtrack-bench-") as folder:
            figures = measure_live(cameras_of(videos, cameras), Path(folder), options.seconds)
        p95_s = None if figures.identity_s is None else figures.identity_s.p95
        tried.append(Trial(cameras, p95_s, min(figures.analysed_share.values(), default=0.0), figures.load))
        return tried[-1].holds(options.budget_s)

    found = largest(holds, options.most)
    passed = measure_passthrough(videos[0])
    result = {"benchmark": "live_capacity", "cameras": found, "tried": [asdict(trial) for trial in tried]}
    print(json.dumps(result | {"budget_s": options.budget_s, "ingested_cameras_30fps": passed.cameras_30fps}))


def cameras_of(videos: Sequence[Path], count: int) -> tuple[CameraSpec, ...]:
    """Return so many live cameras that play these videos in turn, each under its own name."""
    played = live_cameras([videos[n % len(videos)] for n in range(count)])
    return tuple(replace(camera, camera_id=f"{camera.camera_id}-{n}") for n, camera in enumerate(played))


def largest(holds: Callable[[int], bool], most: int) -> int:
    """Return the largest number from 1 to `most` that holds, 0 if none does; if one holds, so do all below it."""
    good, bad = 0, 1
    while bad <= most and holds(bad):
        good, bad = bad, 2 * bad
    bad = min(bad, most + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


if __name__ == "__main__":
    main()
