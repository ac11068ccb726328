"""Fixtures for tests of the gallery: tracklets, simulated sites, and a handler driven as by the service loop."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from scipy.optimize import linear_sum_assignment

from gallery.config import GallerySettings
from gallery.handler import GalleryHandler
from gallery.index import FlatIndex
from gallery.metrics import GalleryMetrics
from gallery.site_worker import SiteWorker, plan_of
from gallery.store.memory import MemoryStore
from gallery.store.store import Store, TrackQuery
from wire import codec
from wire.bus import Record
from wire.cameras import ListedCamera
from wire.message import Mode
from wire.messages import AnyMessage, CameraProgress, CameraSpec, IdentityEvent, Tracklet
from wire.metrics import ServiceMetrics
from wire.service import Outgoing, Received
from wire.tracklet_id import TrackletId

S = 1_000_000_000
START = 1_700_000_000 * S
CAMERAS = ("a", "b", "c")


def tracklet(
    name: str,
    first_s: float,
    last_s: float,
    look: NDArray[np.floating] | None = None,
    *,
    revision: int = 0,
    closed: bool = True,
    quality: float = 0.8,
    model_id: str = "m",
) -> Tracklet:
    """Return a tracklet `camera/stream/track.leg/part` with five boxes a second; by default it looks like axis 0."""
    n = max(1, int((last_s - first_s) * 5) + 1)
    return Tracklet(
        tracklet_id=name,
        camera_id=TrackletId.parse(name).camera_id,
        site_id="site",
        revision=revision,
        closed=closed,
        times_ns=START + ((first_s + np.arange(n) / 5) * S).astype(np.int64),
        frames=np.arange(1, n + 1) + int(first_s * 5),
        boxes=np.tile(np.array([0, 0, 10, 20], np.float32), (n, 1)),
        scores=np.full(n, 0.9, np.float32),
        embedding=unit(axis(0) if look is None else look).astype(np.float16),
        model_id=model_id,
        quality=quality,
        frames_used=min(8, n),
        crop=b"jpeg",
    )


def progress(
    camera: str, time_s: float, *, ended: bool = False, mode: Mode = "complete", round_s: float | None = None
) -> CameraProgress:
    """Return a report that a camera is analysed up to a time, of a live one in a round."""
    return CameraProgress(
        camera_id=camera,
        site_id="site",
        stream_id="s",
        time_ns=START + int(time_s * S),
        frames=0,
        analysed=0,
        dropped=0,
        tracklets=0,
        mode=mode,
        ended=ended,
        round_ns=0 if round_s is None else START + int(round_s * S),
    )


def axis(number: int, dimension: int = 16) -> NDArray[np.float64]:
    """Return a unit vector; different numbers give different people."""
    return np.asarray(np.eye(dimension)[number])


def unit(vector: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the L2-normalised vector."""
    return np.asarray(vector / np.linalg.norm(vector), np.float64)


@dataclass(frozen=True, repr=False)
class World:
    """The true identities, and the messages of each camera in order."""

    streams: dict[str, list[AnyMessage]]
    people: dict[str, int]  # tracklet_id -> person

    def score(self, store: Store) -> float:
        """Return the IDF1 of the stored tracklets, counted in seconds of presence."""
        shared: Counter[tuple[int, int]] = Counter()
        truth: Counter[int] = Counter()
        found: Counter[int] = Counter()
        for row in store.find(TrackQuery(limit=100_000)):
            seconds = len(row.tracklet.times_ns)
            truth[self.people[row.tracklet.tracklet_id]] += seconds
            if row.identity_id is not None:
                found[row.identity_id] += seconds
                shared[self.people[row.tracklet.tracklet_id], row.identity_id] += seconds
        return 2 * _best_total(shared) / (sum(truth.values()) + sum(found.values()))


def _best_total(shared: Counter[tuple[int, int]]) -> int:
    people = sorted({person for person, _ in shared})
    numbers = sorted({number for _, number in shared})
    table = np.array([[shared[person, number] for number in numbers] for person in people])
    return int(table[linear_sum_assignment(table, maximize=True)].sum())


def make_world(seed: int, *, people: int = 8, seconds: int = 90, noise: float = 0.55, bias: float = 0.5) -> World:
    """Simulate a site. Two tracklets of one person have a mean cosine of about 1 / (1 + noise²)."""
    rng = np.random.default_rng(seed)
    dimension = 128
    faces = [unit(rng.normal(size=dimension)) for _ in range(people)]
    common = unit(rng.normal(size=dimension)) * bias
    streams: dict[str, list[tuple[float, AnyMessage]]] = {camera: [] for camera in CAMERAS}
    owners: dict[str, int] = {}
    for person in range(people):
        clock = float(rng.uniform(0, seconds / 3))
        while clock < seconds - 5:
            length = float(rng.uniform(5, 15))
            for camera in rng.permutation(CAMERAS)[: rng.integers(1, 4)]:
                first = clock + float(rng.uniform(0, 2))
                track = f"{camera}/s/{len(owners)}.0/0"
                owners[track] = person
                look = unit(faces[person] + common + unit(rng.normal(size=dimension)) * noise)
                streams[camera] += _revisions(rng, track, first, min(first + length, seconds), look)
            clock += length + float(rng.uniform(2, 20))
    return World({camera: _with_progress(camera, sent, seconds) for camera, sent in streams.items()}, owners)


def world_with_a_stranger() -> World:
    """Return a site where a person is split in two, because a stranger seen with them was assigned to them."""
    stranger = 0.4 * axis(0) + np.sqrt(1 - 0.4**2) * axis(5)
    sent: dict[str, list[tuple[float, AnyMessage]]] = {
        "a": [
            (12.0, tracklet("a/s/9.0/0", 0, 12, stranger)),
            (12.0, tracklet("a/s/8.0/0", 5, 12, axis(3), closed=False)),
            (18.0, tracklet("a/s/8.0/0", 5, 18, revision=1)),
        ],
        "b": [(4.0, tracklet("b/s/1.0/0", 0, 4))],
        "c": [(22.0, tracklet("c/s/1.0/0", 19, 22))],
    }
    owners = {"a/s/9.0/0": 1, "a/s/8.0/0": 0, "b/s/1.0/0": 0, "c/s/1.0/0": 0}
    return World({camera: _with_progress(camera, items, 25) for camera, items in sent.items()}, owners)


def _revisions(
    rng: np.random.Generator, track: str, first_s: float, last_s: float, look: NDArray[np.float64]
) -> Iterator[tuple[float, AnyMessage]]:
    """Yield a tracklet after one second, every two seconds, and closed one second after its end."""
    ends = [*np.arange(first_s + 1, last_s, 2.0), last_s]
    for revision, end in enumerate(ends):
        blur = unit(rng.normal(size=len(look))) * 0.6 / np.sqrt(revision + 1)
        closed = revision == len(ends) - 1
        quality = min(1.0, 0.3 + 0.1 * revision)
        sent_s = end + (1.0 if closed else 0.0)
        yield sent_s, tracklet(track, first_s, end, look + blur, revision=revision, closed=closed, quality=quality)


def _with_progress(camera: str, sent: list[tuple[float, AnyMessage]], seconds: int) -> list[AnyMessage]:
    ticks = np.arange(0.5, seconds + 3, 0.5)
    sent += [(float(tick) + 1e-6, progress(camera, float(tick), ended=bool(tick == ticks[-1]))) for tick in ticks]
    return [message for _, message in sorted(sent, key=lambda entry: entry[0])]


def interleaved(world: World, seed: int) -> list[AnyMessage]:
    """Return all messages interleaved; each camera keeps its order, and none is far ahead of the others."""
    rng = np.random.default_rng(seed)
    left = {camera: list(stream) for camera, stream in world.streams.items()}
    merged: list[AnyMessage] = []
    while any(left.values()):
        camera = rng.choice([camera for camera, stream in left.items() if stream])
        count = int(rng.integers(1, 40))
        merged += left[camera][:count]
        del left[camera][:count]
    return merged


class FixedCameras:
    """A list of cameras that only the test changes; see `wire.cameras.Cameras`."""

    def __init__(self, listed: Sequence[ListedCamera]) -> None:
        self.replace(listed)

    def replace(self, listed: Sequence[ListedCamera]) -> None:
        self._listed = {camera.spec.camera_id: camera for camera in listed}

    def cameras(self) -> Mapping[str, ListedCamera]:
        return self._listed

    def catch_up(self) -> Mapping[str, ListedCamera]:
        return self._listed


class Gallery:
    """A handler reading a log as the service loop would; can be killed at any record."""

    def __init__(self, store: Store, messages: Sequence[AnyMessage], *, index: type = FlatIndex) -> None:
        self.store = store
        self.messages = messages
        self.index = index
        self.committed = 0
        self.events: list[str] = []

    def run(self, until: int, batch: int = 16, *, flush_last: bool = True) -> None:
        """Start at the committed offset and read up to `until`; a kill may come before the last flush."""
        handler = self._handler()
        position = self.committed
        while position < until:
            end = min(position + batch, until)
            records = [self._record(offset) for offset in range(position, end)]
            sent = [item for item in handler.handle(records) if isinstance(item, Outgoing)]
            if end == until and not flush_last:
                return
            self.events += [item.message.event_id for item in sent]  # type: ignore[union-attr]
            handler.flushed()
            needed = handler.needed_from()
            self.committed = min([end, *needed.values()])
            position = end

    def _handler(self) -> GalleryHandler:
        metrics = GalleryMetrics(CollectorRegistry())
        shared = ServiceMetrics(CollectorRegistry())
        plan = plan_of(GallerySettings())
        seen = sorted({(m.camera_id, m.site_id) for m in self.messages if isinstance(m, CameraProgress)})
        specs = [CameraSpec(camera_id=c, site_id=site_id, url="x.mp4", mode="complete") for c, site_id in seen]
        return GalleryHandler(
            lambda _: SiteWorker(self.store, plan, self.index, metrics, shared),
            FixedCameras([ListedCamera(spec, 0) for spec in specs]),
            metrics,
            clock=lambda: 0.0,
        )

    def _record(self, offset: int) -> Received:
        message = self.messages[offset]
        return Received(Record("tracklets", 0, offset, self.store.site_id, codec.encode(message), 1), message)


def owners(store: Store) -> dict[str, int | None]:
    return {row.tracklet.tracklet_id: row.identity_id for row in store.find(TrackQuery(limit=100_000))}


def run_whole(world: World, order: int = 0) -> Gallery:
    messages = interleaved(world, order)
    gallery = Gallery(MemoryStore("site"), messages)
    gallery.run(len(messages))
    return gallery


class LiveSite:
    """The gallery of one site with live cameras, which is shown messages one after the other."""

    def __init__(self, store: Store | None = None, **settings: float) -> None:
        self.store = store or MemoryStore("site")
        self._plan = plan_of(GallerySettings(latency_wait_s=0.0, **settings))  # type: ignore[arg-type]
        self._offset = 0
        self.restart()

    def restart(self) -> None:
        """Start again from what is stored."""
        metrics, shared = GalleryMetrics(CollectorRegistry()), ServiceMetrics(CollectorRegistry())
        self._worker = SiteWorker(self.store, self._plan, FlatIndex, metrics, shared)

    def show(self, *messages: AnyMessage) -> list[IdentityEvent]:
        """Let messages be decided; return the events."""
        batch = []
        for message in messages:
            self._offset += 1
            batch.append(Received(Record("tracklets", 0, self._offset, "site", b"", 1), message))
        self._worker.receive(batch, 0.0)
        self._worker.decide_due(0.0)
        events = self._worker.outgoing()
        self._worker.published()
        return events

    def identity_of(self, tracklet_id: str) -> int | None:
        """Return the identity that a tracklet has now."""
        return owners(self.store)[tracklet_id]
