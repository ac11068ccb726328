"""A simulated site: people walk past overlapping cameras, tracklets arrive in any order, the gallery may be killed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from gallery.config import GallerySettings
from gallery.handler import GalleryHandler
from gallery.index import BruteForceIndex, FaissIndex
from gallery.metrics import GalleryMetrics
from gallery.site_worker import ListedCamera, SiteWorker, plan_of
from gallery.store import Store, TrackQuery
from gallery.store_memory import MemoryStore
from wire import codec
from wire.bus import Record
from wire.messages import AnyMessage, CameraProgress, CameraSpec, Tracklet
from wire.metrics import ServiceMetrics
from wire.service import Outgoing, Received

S = 1_000_000_000
START = 1_700_000_000 * S
CAMERAS = ("a", "b", "c")


@dataclass(frozen=True)
class World:
    """Who really is who, and what every camera sends, in its order."""

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
    from scipy.optimize import linear_sum_assignment

    people = sorted({person for person, _ in shared})
    numbers = sorted({number for _, number in shared})
    table = np.array([[shared[person, number] for number in numbers] for person in people])
    return int(table[linear_sum_assignment(table, maximize=True)].sum())


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


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
                track = f"{camera}/s/{len(owners)}/0"
                owners[track] = person
                look = unit(faces[person] + common + unit(rng.normal(size=dimension)) * noise)
                streams[camera] += _revisions(rng, track, first, min(first + length, seconds), look)
            clock += length + float(rng.uniform(2, 20))
    return World({camera: _with_progress(camera, sent, seconds) for camera, sent in streams.items()}, owners)


def _revisions(
    rng: np.random.Generator, track: str, first_s: float, last_s: float, look: np.ndarray
) -> Iterator[tuple[float, AnyMessage]]:
    """Yield a tracklet after one second, every two seconds, and closed one second after its end."""
    ends = [*np.arange(first_s + 1, last_s, 2.0), last_s]
    for revision, end in enumerate(ends):
        n = max(1, int((end - first_s) * 5))
        blur = unit(rng.normal(size=len(look))) * 0.6 / np.sqrt(revision + 1)
        closed = revision == len(ends) - 1
        yield (
            end + (1.0 if closed else 0.0),
            Tracklet(
                tracklet_id=track,
                camera_id=track[0],
                site_id="site",
                revision=revision,
                closed=closed,
                times_ns=START + ((first_s + np.arange(n) / 5) * S).astype(np.int64),
                frames=np.arange(1, n + 1),
                boxes=np.tile(np.array([0, 0, 10, 20], np.float32), (n, 1)),
                scores=np.ones(n, np.float32),
                embedding=unit(look + blur).astype(np.float16),
                model_id="m",
                quality=min(1.0, 0.3 + 0.1 * revision),
                frames_used=min(8, n),
                crop=b"jpeg",
            ),
        )


def _with_progress(camera: str, sent: list[tuple[float, AnyMessage]], seconds: int) -> list[AnyMessage]:
    ticks = np.arange(0.5, seconds + 3, 0.5)
    for tick in ticks:
        progress = CameraProgress(
            camera_id=camera,
            site_id="site",
            stream_id="s",
            time_ns=START + int(tick * S),
            frames=0,
            analysed=0,
            dropped=0,
            tracklets=0,
            mode="complete",
            ended=bool(tick == ticks[-1]),
        )
        sent.append((float(tick) + 1e-6, progress))
    return [message for _, message in sorted(sent, key=lambda entry: entry[0])]


def interleaved(world: World, seed: int) -> list[AnyMessage]:
    """Return all messages in one order; every camera keeps its own, and none is far ahead of the others."""
    rng = np.random.default_rng(seed)
    left = {camera: list(stream) for camera, stream in world.streams.items()}
    merged: list[AnyMessage] = []
    while any(left.values()):
        camera = rng.choice([camera for camera, stream in left.items() if stream])
        count = int(rng.integers(1, 40))
        merged += left[camera][:count]
        del left[camera][:count]
    return merged


class Gallery:
    """The handler on a log, run as the service loop runs it; can be killed at any record."""

    def __init__(self, store: Store, messages: Sequence[AnyMessage], *, index: type = FaissIndex) -> None:
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
            needed = handler.needed_from()
            self.committed = min([end, *needed.values()])
            position = end

    def _handler(self) -> GalleryHandler:
        metrics = GalleryMetrics(CollectorRegistry())
        shared = ServiceMetrics(CollectorRegistry())
        plan = plan_of(GallerySettings())
        specs = [CameraSpec(camera_id=c, site_id="site", url="x.mp4", mode="complete") for c in CAMERAS]
        return GalleryHandler(
            lambda _: SiteWorker(self.store, plan, self.index, metrics, shared),
            lambda: [ListedCamera(spec, 0) for spec in specs],
            metrics,
            clock=lambda: 0.0,
        )

    def _record(self, offset: int) -> Received:
        message = self.messages[offset]
        return Received(Record("tracklets", 0, offset, "site", codec.encode(message), 1), message)


def owners(store: Store) -> dict[str, int | None]:
    return {row.tracklet.tracklet_id: row.identity_id for row in store.find(TrackQuery(limit=100_000))}


def run_whole(world: World, order: int = 0, **options: type) -> Gallery:
    messages = interleaved(world, order)
    gallery = Gallery(MemoryStore("site"), messages, **options)
    gallery.run(len(messages))
    return gallery


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_people_keep_their_identity_over_cameras_and_time(seed: int) -> None:
    world = make_world(seed)

    assert world.score(run_whole(world).store) >= 0.90


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_order_in_which_cameras_arrive_decides_nothing(order: int) -> None:
    world = make_world(11)

    assert owners(run_whole(world, order).store) == owners(run_whole(world).store)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_size_of_batches_decides_nothing(batch: int) -> None:
    world = make_world(12)
    messages = interleaved(world, 5)
    gallery = Gallery(MemoryStore("site"), messages)
    gallery.run(len(messages), batch)

    assert owners(gallery.store) == owners(run_whole(world, 5).store)


@pytest.mark.parametrize("seed", range(6))
def test_a_gallery_that_is_killed_anywhere_goes_on_as_if_it_had_not_been(seed: int) -> None:
    # Given a run without a kill
    world = make_world(13)
    expected = run_whole(world, 3)
    # When one is killed at three places, with or without its last flush
    messages = interleaved(world, 3)
    gallery = Gallery(MemoryStore("site"), messages)
    rng = np.random.default_rng(seed)
    for place in sorted(rng.integers(1, len(messages), 3)):
        gallery.run(int(place), flush_last=bool(rng.integers(2)))
    gallery.run(len(messages))
    # Then every tracklet has the same identity, and no event is lost
    assert owners(gallery.store) == owners(expected.store)
    assert set(gallery.events) == set(expected.events)
    assert gallery.store.counts() == expected.store.counts()


def test_the_index_decides_nothing() -> None:
    world = make_world(14)

    assert owners(run_whole(world).store) == owners(run_whole(world, index=BruteForceIndex).store)
