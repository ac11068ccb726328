"""Let a gallery decide many tracklets while it forgets whom it saw longest ago: is its last tenth as fast as the first?

Run in a process of its own with one thread, as `python -m deploy.bench.gallery_soak`.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import count

import numpy as np
from prometheus_client import CollectorRegistry

from deploy.bench.crowd import Crowd
from deploy.bench.gallery import StoreKind, opened, received, remember
from deploy.bench.memory import memory_mb
from gallery.config import GallerySettings
from gallery.index_faiss import index_for
from gallery.metrics import GalleryMetrics
from gallery.site_worker import SiteWorker, plan_of
from gallery.store.store import Store
from wire.messages import Tracklet
from wire.metrics import ServiceMetrics

PARTS = 10
WARM = 100  # tracklets
RETENTION_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Figures:
    """A soak on one core: seconds of event time, each decided as one window.

    Attributes:
        tracklets, reports: What was decided, and how many reports of it came.
        identities: People kept, from the beginning to the end.
        forgotten: People that were deleted meanwhile.
        hours: Of event time.
        tracklets_per_s: Over all, per second of wall-clock time.
        p99_ms: 99 % of the windows of each tenth took at most this long by the clock.
        p99_cpu_ms: The same of this process's processor time, which other processes hardly affect.
        p99_ratio, p99_cpu_ratio: Of the last tenth to the first.
        rss_mb: Resident memory at the end of each tenth.
        stored: Tracklets and events in the store at the end of the first tenth and of the last.
    """

    store: StoreKind
    tracklets: int
    reports: int
    identities: int
    forgotten: int
    hours: float
    tracklets_per_s: float
    p99_ms: list[float]
    p99_cpu_ms: list[float]
    p99_ratio: float
    p99_cpu_ratio: float
    rss_mb: list[float]
    stored: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Part:
    """One tenth of a soak: times of its windows in ms, and what it left."""

    clock_ms: list[float]
    cpu_ms: list[float]
    reports: int
    tracklets: int
    forgotten: int
    rss_mb: float
    stored: tuple[int, int]


def measure(tracklets: int, people: int, store: Store, kind: StoreKind) -> Figures:
    """Decide this many tracklets with at most so many people kept."""
    crowd = Crowd(people, lasting=people)
    remember(store, crowd, people)
    registry, settings = CollectorRegistry(), GallerySettings(max_identities=people, retention_s=RETENTION_S)
    worker = SiteWorker(store, plan_of(settings), index_for, GalleryMetrics(registry), ServiceMetrics(registry))
    soak = _Soak(worker, store, crowd)
    soak.part(WARM)
    parts = []
    for number in range(PARTS):
        parts.append(soak.part(tracklets // PARTS))
        print(_told(number, parts[-1]), file=sys.stderr, flush=True)
    clock, cpu = [_p99(part.clock_ms) for part in parts], [_p99(part.cpu_ms) for part in parts]
    decided = sum(part.tracklets for part in parts)
    return Figures(
        kind,
        decided,
        sum(part.reports for part in parts),
        worker.identities(),
        sum(part.forgotten for part in parts),
        round(sum(len(part.clock_ms) for part in parts) / 3600, 2),
        round(1000 * decided / sum(sum(part.clock_ms) for part in parts), 1),
        clock,
        cpu,
        round(clock[-1] / clock[0], 2),
        round(cpu[-1] / cpu[0], 2),
        [part.rss_mb for part in parts],
        (parts[0].stored, parts[-1].stored),
    )


class _Soak:
    """A gallery and the crowd that it watches."""

    def __init__(self, worker: SiteWorker, store: Store, crowd: Crowd) -> None:
        self._worker, self._store, self._crowd = worker, store, crowd
        self._seconds, self._offsets = count(), count()

    def part(self, tracklets: int) -> _Part:
        """Decide at least this many tracklets."""
        clock_ms: list[float] = []
        cpu_ms: list[float] = []
        reports = begun = forgotten = 0
        while begun < tracklets:
            batch = received(self._crowd, next(self._seconds), self._offsets)
            sent = [one.message for one in batch if isinstance(one.message, Tracklet)]
            begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
            self._worker.receive(batch, 0.0)
            self._worker.decide_due(0.0)
            forgotten += sum(event.kind == "expired" for event in self._worker.outgoing())
            self._worker.published()
            clock_ms.append(1000 * (time.perf_counter() - begun_s))
            cpu_ms.append(1000 * (time.process_time() - begun_cpu_s))
            reports += len(sent)
            begun += sum(tracklet.revision == 0 for tracklet in sent)
        counts = self._store.counts()
        return _Part(clock_ms, cpu_ms, reports, begun, forgotten, memory_mb(), (counts.tracklets, counts.events))


def _told(number: int, part: _Part) -> str:
    """Return a line about a tenth that has ended: a soak may take hours, and be ended before."""
    return (
        f"tenth {number + 1}: {part.tracklets} tracklets, {part.forgotten} people forgotten, 99 % of the windows"
        f" {_p99(part.clock_ms)} ms, {_p99(part.cpu_ms)} ms of processor time, {part.rss_mb:.0f} MB"
    )


def _p99(times_ms: list[float]) -> float:
    return round(float(np.quantile(times_ms, 0.99)), 1)


def main() -> None:
    """Measure a soak, and print one line of JSON."""
    tracklets, people = int(sys.argv[1]), int(sys.argv[2])
    kind: StoreKind = "redis" if sys.argv[3] == "redis" else "memory"
    with opened(kind) as store:
        print(json.dumps(asdict(measure(tracklets, people, store, kind))))


if __name__ == "__main__":
    main()
