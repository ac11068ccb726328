"""Every kind of live source, good, damaged and bad, lost again and again: `python -m tests.bench.sources`.

Prints one JSON line per source; `--losses N` says how often each is lost. Servers are real: GStreamer's for RTSP,
sockets and a web server for the others. A library answers for a webcam, in a process of its own.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.kafka_server import free_port
from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, jpeg_of, spec_of
from tests.servers.live_hls import broadcasting
from tests.servers.scenes import BAD, DAMAGED, GOOD, BadScene, Scene, certify
from tests.servers.webcam import Pictures, plugged_in, reading
from wire.messages import FrameChunk

PATIENCE_S = 120.0
SETTINGS: dict[str, Any] = {"backoff_first_s": 0.1, "backoff_max_s": 0.2, "read_timeout_s": 1.2, "connect_timeout_s": 8}
BAD_SETTINGS = SETTINGS | {"connect_timeout_s": 1.2}


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one source.

    Attributes:
        connects_s: Until the first frames were on the bus; of a bad one, after it got well.
        connections, lost: Streams begun, and connections lost or refused.
        behind_s: Time from a chunk's last frame, as it is timed, to its arrival on the bus: median and most.
        uneven_ms: How far capture times are off the rhythm of the source: 95 % are not further.
        stops_s: Until nothing of the camera ran any more.
        threads: How many were left behind.
        cause: What the camera's state said; of bad ones alone.
    """

    source: str
    connects_s: float
    connections: int
    lost: int
    frames: int
    behind_s: tuple[float, float] | None
    uneven_ms: float | None
    stops_s: float
    threads: int
    cause: str = ""


def main(losses: int) -> None:
    """Measure every source, and print a line for each as soon as it is known."""
    good = [*GOOD.items(), ("HLS", _hls), *DAMAGED.items()]
    for source, scene in good:
        print(json.dumps(asdict(_good(source, scene, losses))), flush=True)
    print(json.dumps(asdict(_webcam(losses))), flush=True)
    for source, (bad, _) in BAD.items():
        print(json.dumps(asdict(_bad(source, bad, losses))), flush=True)


class _Watch:
    """Reads what ingest sends, and notes when each chunk arrived."""

    def __init__(self, worker: IngestWorker) -> None:
        self._worker = worker
        self._seen = 0
        self.behind_s: list[float] = []

    def streams(self) -> list[list[FrameChunk]]:
        """Return the streams so far."""
        fresh = self._worker.reader.of("door")[self._seen :]
        now_ns = time.time_ns()
        self._seen += len(fresh)
        self.behind_s += [(now_ns - chunk.packets[-1].time_ns) / 1e9 for chunk in fresh if chunk.packets]
        return list(self._worker.streams("door").values())


def _good(source: str, scene: Scene, losses: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        trusted = certify(Path(folder))
        with scene(Path(folder), free_port()) as url, IngestWorker(tls_ca_file=trusted, **SETTINGS) as worker:
            watch, began_s = _Watch(worker), time.monotonic()
            worker.add(spec_of(url))
            wait_until(lambda: bool(watch.streams()), timeout_s=PATIENCE_S)
            connects_s = time.monotonic() - began_s
            wait_until(lambda: len(watch.streams()) > losses, timeout_s=PATIENCE_S)
            return _row(source, worker, watch, url, connects_s)


def _webcam(losses: int) -> Row:
    """Unplug a webcam after a second of video, and plug it in again, as often as it is to be lost."""
    with tempfile.TemporaryDirectory() as folder:
        webcam = plugged_in(Path(folder), Pictures([jpeg_of(number) for number in range(30)]))
        with reading(webcam, **SETTINGS) as camera:
            wait_until(lambda: bool(camera.said), timeout_s=PATIENCE_S)
            began_s = time.monotonic()
            wait_until(lambda: bool(camera.chunks()), timeout_s=PATIENCE_S)
            connects_s = time.monotonic() - began_s
            for number in range(1, losses + 1):
                time.sleep(1.0)
                webcam.is_now("unplugged")
                wait_until(lambda: camera.state == "backing off", timeout_s=PATIENCE_S)
                webcam.is_now("plugged")
                wait_until(lambda number=number: len(camera.streams()) > number, timeout_s=PATIENCE_S)  # type: ignore[misc]
            stopped_s = time.monotonic()
            left = camera.stopped()["threads"]
            stops_s = time.monotonic() - stopped_s
    chunks = [chunk for chunk in camera.chunks() if chunk["times"]]
    streams = [
        [at for chunk in chunks if chunk["stream"] == name for at in chunk["times"]] for name in camera.streams()
    ]
    behind_s = [(chunk["read_ns"] - chunk["times"][-1]) / 1e9 for chunk in chunks]
    return Row(
        source="webcam",
        connects_s=round(connects_s, 2),
        connections=len(streams),
        lost=max(line.get("reconnects", 0) for line in camera.said),
        frames=sum(map(len, streams)),
        behind_s=(round(statistics.median(behind_s), 2), round(max(behind_s), 2)),
        uneven_ms=round(1000 * statistics.median(_uneven_s(times) for times in streams if len(times) > 2), 1),
        stops_s=round(stops_s, 2),
        threads=len(left),
    )


def _bad(source: str, scene: BadScene, losses: int) -> Row:
    well = threading.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        scene(Path(folder), free_port(), well) as url,
        IngestWorker(**BAD_SETTINGS) as worker,
    ):
        watch = _Watch(worker)
        worker.add(spec_of(url))
        wait_until(lambda: worker.reconnects("door") >= losses, timeout_s=PATIENCE_S)
        cause = worker.cause("door")
        well.set()
        began_s = time.monotonic()
        wait_until(lambda: bool(watch.streams()), timeout_s=PATIENCE_S)
        return _row(source, worker, watch, url, time.monotonic() - began_s, cause)


def _row(source: str, worker: IngestWorker, watch: _Watch, url: str, connects_s: float, cause: str = "") -> Row:
    streams, lost = watch.streams(), worker.reconnects("door")
    began_s = time.monotonic()
    worker.add(spec_of(url, enabled=False))
    wait_until(lambda: not _threads(), timeout_s=PATIENCE_S)
    times_ns = [[packet.time_ns for chunk in stream for packet in chunk.packets] for stream in streams]
    uneven_s = [_uneven_s(times) for times in times_ns if len(times) > 2]
    return Row(
        source=source,
        connects_s=round(connects_s, 2),
        connections=len(streams),
        lost=lost,
        frames=sum(len(chunk.packets) for stream in streams for chunk in stream),
        behind_s=(round(statistics.median(watch.behind_s), 2), round(max(watch.behind_s), 2)),
        uneven_ms=round(1000 * statistics.median(uneven_s), 1) if uneven_s else None,
        stops_s=round(time.monotonic() - began_s, 2),
        threads=len(_threads()),
        cause=cause,
    )


def _uneven_s(times_ns: list[int]) -> float:
    """Return how far 95 % of the capture times of a stream are at most off the even rhythm that fits them best."""
    times_s = np.array(times_ns) / 1e9
    times_s -= times_s[0]
    numbers = np.arange(len(times_s))
    off_s = times_s - np.polyval(np.polyfit(numbers, times_s, 1), numbers)
    return float(np.percentile(np.abs(off_s), 95))


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("camera-door")]


@contextmanager
def _hls(folder: Path, _: int) -> Iterator[str]:
    """Run a camera whose playlist says now and then that nothing more will come, and grows again."""
    stop = threading.Event()
    with broadcasting(folder, 90) as (camera, url):

        def end_now_and_then() -> None:
            while not stop.wait(2.5):
                camera.end()
                stop.wait(1.5)
                camera.resume()

        thread = threading.Thread(target=end_now_and_then)
        thread.start()
        try:
            yield url
        finally:
            stop.set()
            thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--losses", type=int, default=10, help="how often each source is lost")
    main(parser.parse_args().losses)
