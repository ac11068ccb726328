"""Measure how fast the gallery decides, by how many people it knows.

Each row is measured in a process of its own with one thread, as `python -m deploy.bench.gallery`: memory is that of
this number of people only.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from prometheus_client import CollectorRegistry

from deploy.bench.crowd import NOW_NS, SITE, Crowd
from deploy.bench.memory import memory_mb
from deploy.errors import RunError
from gallery.config import GallerySettings
from gallery.index_faiss import index_for
from gallery.metrics import GalleryMetrics
from gallery.site_worker import SiteWorker, plan_of
from gallery.store.store import Store, Write
from wire.bus import TRACKLETS, Record
from wire.messages import Tracklet
from wire.metrics import ServiceMetrics
from wire.service import Received

StoreKind = Literal["memory", "redis"]

STORES: tuple[StoreKind, ...] = ("memory", "redis")
IDENTITIES = (100, 1_000, 10_000, 100_000)
WARM_S = 30  # of event time: everyone has left who was there when it began
LOADED_AT_ONCE = 500
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Row:
    """Speed with one number of known people, on one core.

    Attributes:
        identities: People known when the measurement begins.
        tracklets: Revisions of tracklets decided meanwhile.
        tracklets_per_s: Of these, per second of wall-clock time, with writing them to the store.
        tracklets_per_cpu_s: The same per second of this process's processor time; other processes do not affect it.
        window_p50_ms, window_p99_ms: Time that the tracklets of one second of event time take.
        rss_mb: Resident memory of the process afterwards; that of a Redis is not included.
        load_s: Time until a gallery that starts has loaded the people and built its index.
    """

    store: StoreKind
    identities: int
    tracklets: int
    tracklets_per_s: float
    tracklets_per_cpu_s: float
    window_p50_ms: float
    window_p99_ms: float
    rss_mb: float
    load_s: float


def rows(identities: Sequence[int], store: StoreKind, tracklets: int) -> Iterator[Row]:
    """Yield a row for each number of known people, each measured in a process of its own.

    Raises:
        RunError: A process failed.
    """
    for known in identities:
        yield Row(**figures_of("deploy.bench.gallery", known, store, tracklets))


def figures_of(module: str, *arguments: object, told: bool = False) -> dict[str, Any]:
    """Return the figures that a module prints, run in a process of its own with one thread.

    If `told`, what it says meanwhile goes to the standard error of this one.

    Raises:
        RunError: It failed.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    said = None if told else subprocess.PIPE
    done = subprocess.run(
        command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, stderr=said, text=True, check=False
    )
    if done.returncode:
        raise RunError(f"{' '.join(command[2:])} failed:\n{(done.stderr or '')[-2000:]}".rstrip())
    return dict(json.loads(done.stdout))


def table(found: Sequence[Row]) -> list[str]:
    """Return rows as lines of text."""
    head = (
        f"{'store':>6} {'identities':>10} {'tracklets/s':>11} {'per CPU s':>9} {'p50 ms':>7} {'p99 ms':>7} {'MB':>6}"
        f" {'load s':>6}"
    )
    lines = [
        f"{row.store:>6} {row.identities:>10} {row.tracklets_per_s:>11.1f} {row.tracklets_per_cpu_s:>9.1f}"
        f" {row.window_p50_ms:>7.1f} {row.window_p99_ms:>7.1f} {row.rss_mb:>6.0f} {row.load_s:>6.1f}"
        for row in found
    ]
    return [head, *lines]


def measure(known: int, store: Store, kind: StoreKind, tracklets: int) -> Row:
    """Let a gallery that knows some people decide at least this many revisions of tracklets."""
    crowd = Crowd(known)
    remember(store, crowd, known)
    registry = CollectorRegistry()
    begun_s = time.perf_counter()
    worker = SiteWorker(
        store, plan_of(GallerySettings()), index_for, GalleryMetrics(registry), ServiceMetrics(registry)
    )
    load_s = round(time.perf_counter() - begun_s, 2)
    windows_s: list[float] = []
    decided, cpu_s, offsets = 0, 0.0, count()
    for second in count():
        batch = received(crowd, second, offsets)
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        worker.receive(batch, 0.0)
        worker.decide_due(0.0)
        worker.published()
        if second >= WARM_S:
            windows_s.append(time.perf_counter() - begun_s)
            cpu_s += time.process_time() - begun_cpu_s
            decided += sum(isinstance(received.message, Tracklet) for received in batch)
        if decided >= tracklets:
            break
    p50_ms, p99_ms = (1000 * np.quantile(windows_s, (0.5, 0.99))).round(2).tolist()
    per_s, per_cpu_s = round(decided / sum(windows_s), 1), round(decided / cpu_s, 1)
    return Row(kind, known, decided, per_s, per_cpu_s, p50_ms, p99_ms, memory_mb(), load_s)


def received(crowd: Crowd, second: int, offsets: Iterator[int]) -> list[Received]:
    """Return the messages of one second of event time as they come from the bus."""
    messages = crowd.second(second)
    return [Received(Record(TRACKLETS.name, 0, next(offsets), SITE, b"", 0), message) for message in messages]


def remember(store: Store, crowd: Crowd, known: int) -> None:
    """Write the people of the time before, as a gallery would have."""
    people_before = crowd.known()
    for version in count():
        some = list(islice(people_before, LOADED_AT_ONCE))
        if not some:
            break
        people = {one.identity.number: one.prototypes for one in some}
        store.write(
            Write(
                version,
                NOW_NS,
                known + 1,
                tracklets=[one.row for one in some],
                identities=[one.identity for one in some],
                prototypes=people,
            )
        )


@contextmanager
def opened(kind: StoreKind) -> Iterator[Store]:
    """Yield an empty store: in this process, or in a Redis that is started for it, with its append-only file."""
    from gallery.store.memory import MemoryStore

    if kind == "memory":
        yield MemoryStore(SITE)
        return
    from deploy.local.private_redis import PrivateRedis
    from gallery.store.redis import RedisStore
    from gallery.store.server import connect
    from wire.settings import RedisSettings

    with tempfile.TemporaryDirectory() as folder, PrivateRedis(Path(folder)) as server:
        yield RedisStore(connect(RedisSettings(url=server.url)), SITE)


def main() -> None:
    """Measure one row, and print it as JSON."""
    known, tracklets = int(sys.argv[1]), int(sys.argv[3])
    kind: StoreKind = "redis" if sys.argv[2] == "redis" else "memory"
    with opened(kind) as store:
        print(json.dumps(asdict(measure(known, store, kind, tracklets))))


if __name__ == "__main__":
    main()
