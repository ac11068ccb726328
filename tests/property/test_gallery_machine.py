"""A gallery over Redis in random histories is what comparing each pair, and never stopping, makes of them.

The gallery has an index whose blocks hold a few vectors, is killed, loses its connection to Redis in the middle of a
write, gets messages twice, late ones, and ones of before the horizon. The model is the state of the site in memory: it
keeps every row, compares each pair separately, and searches by comparing with everybody.
"""

import uuid
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from prometheus_client import CollectorRegistry

from gallery.config import GallerySettings
from gallery.decision.site import Site
from gallery.decision.table import Table
from gallery.errors import StoreUnavailable
from gallery.handler import GalleryHandler
from gallery.index import BruteForceIndex
from gallery.index_sketch import ScalingIndex
from gallery.metrics import GalleryMetrics
from gallery.searcher import Searcher
from gallery.site_worker import SiteWorker, plan_of
from gallery.store import records
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.store import Outcome, StoredTracklet, TrackQuery, Write
from tests.gallery_tools import START, FixedCameras, S, axis, progress, tracklet, unit
from tests.per_pair_decide import decide_per_pair
from wire import codec
from wire.bus import Record
from wire.cameras import ListedCamera
from wire.messages import AnyMessage, CameraSpec, IdentityEvent, Tracklet
from wire.metrics import ServiceMetrics
from wire.service import Outgoing, Received
from wire.settings import RedisSettings

CAMERAS = "ab"
# no limit of people: whoever expires in the window that created them would be decided again if the connection is cut
SETTINGS = GallerySettings(complete_wait_s=3600.0, horizon_s=25.0, retention_s=400.0)
SMALL = {
    "gallery.decision.decide.MAX_EXHAUSTIVE": 2,
    "gallery.decision.draft_view.MAX_LATELY": 2,
    "gallery.searcher.NEAREST": 4,
    "gallery.searcher.MAX_PEOPLE": 3,
    "gallery.index_sketch.MAX_FLAT": 4,
    "gallery.index_sketch.BLOCK": 8,
    "gallery.index_sketch.SAMPLE": 8,
    "gallery.index_sketch.MAX_DIRECTIONS": 3,
}


class UnreliableStore(RedisStore):
    """A Redis whose connection can be cut before or after the next write takes effect."""

    cut = ""

    def write(self, write: Write) -> Outcome:
        cut, self.cut = self.cut, ""
        if cut == "before":
            raise StoreUnavailable("cut")
        outcome = super().write(write)
        if cut == "after":
            raise StoreUnavailable("cut")
        return outcome


class Subject:
    """A gallery that reads a log as the service loop does, and can be killed at any record."""

    def __init__(self, store: UnreliableStore) -> None:
        self.store = store
        self.log: list[AnyMessage] = []
        self.events: set[str] = set()
        self._committed = 0
        self.kill()

    def kill(self) -> None:
        """Forget everything that is not stored, and start again where the last commit was."""
        metrics, shared = GalleryMetrics(CollectorRegistry()), ServiceMetrics(CollectorRegistry())
        specs = [CameraSpec(camera_id=name, site_id="site", url="x.mp4", mode="complete") for name in CAMERAS]
        self._handler = GalleryHandler(
            lambda _: SiteWorker(self.store, plan_of(SETTINGS), ScalingIndex, metrics, shared),
            FixedCameras([ListedCamera(spec, 0) for spec in specs]),
            metrics,
            clock=lambda: 0.0,
        )
        self._position = self._committed

    def read(self, *, until: int | None = None, flush: bool = True) -> None:
        """Read the log, or a part of it, in one round of the loop."""
        end = len(self.log) if until is None else max(until, self._position)
        batch = [self._received(offset) for offset in range(self._position, end)]
        items = self._handled(batch)
        if not flush:
            return
        self.events |= {one.message.event_id for one in items if isinstance(one.message, IdentityEvent)}
        self._handler.flushed()
        self._position = end
        self._committed = min([end, *self._handler.needed_from().values()])

    def _handled(self, batch: list[Received]) -> list[Outgoing]:
        for _ in range(3):
            try:
                return [item for item in self._handler.handle(batch) if isinstance(item, Outgoing)]
            except StoreUnavailable:
                continue
        raise AssertionError("the connection was cut once only")

    def _received(self, offset: int) -> Received:
        message = self.log[offset]
        return Received(Record("tracklets", 0, offset, "site", codec.encode(message), 1), message)


class Model:
    """A site that is never stopped, and decides by comparing each pair."""

    def __init__(self, site_id: str) -> None:
        self.site = Site(site_id, 0, 0, 1)
        self.rows: dict[str, StoredTracklet] = {}
        self.events: set[str] = set()

    def decide(self, sent: list[Tracklet], end_ns: int) -> None:
        """Decide what came in one window."""
        rows = self.rows
        updates = [t for t in sent if t.tracklet_id not in rows or rows[t.tracklet_id].tracklet.revision < t.revision]
        if not updates:
            return
        searcher = Searcher(BruteForceIndex)
        searcher.replace(self.site.prototypes)
        site = replace(self.site, rows=Table({**self.site.rows, **dict(self._older(updates))}))
        decision = decide_per_pair(site, updates, end_ns, plan_of(SETTINGS).rules, searcher.nearest)
        self.site = decision.site
        self._apply(decision.write)

    def _older(self, updates: list[Tracklet]) -> Iterator[tuple[str, StoredTracklet]]:
        """Yield the rows that memory has lost, but late updates revise or overlap."""
        horizon_ns = self.site.now_ns - plan_of(SETTINGS).rules.horizon_ns
        late = [t for t in updates if t.first_ns < horizon_ns]
        own = {t.tracklet_id for t in updates}
        for key, row in self.rows.items():
            beside = late and not (
                row.tracklet.last_ns < min(t.first_ns for t in late)
                or row.tracklet.first_ns > max(t.last_ns for t in late)
            )
            if key not in self.site.rows and (key in own or beside):
                yield key, row

    def _apply(self, write: Write) -> None:
        self.events |= {event.event_id for event in write.events}
        rows = self.rows
        owner = {key: write.merged.get(row.identity_id or 0, row.identity_id) for key, row in rows.items()}
        owner |= {row.tracklet.tracklet_id: row.identity_id for row in write.tracklets} | dict(write.moved)
        rows.update({row.tracklet.tracklet_id: row for row in [*write.revised, *write.tracklets]})
        gone = {identity.number for identity in write.expired}
        for key, row in list(rows.items()):
            rows[key] = replace(row, identity_id=owner[key])
            if owner[key] in gone or row.tracklet.last_ns // 1000 < write.expire_before_ns // 1000:
                del rows[key]


class GalleryMachine(RuleBasedStateMachine):
    """Histories of a site, in windows of a second."""

    def __init__(self, store: UnreliableStore) -> None:
        super().__init__()
        self.subject, self.model = Subject(store), Model(store.site_id)
        self._now_s = 0.5
        self._waiting: list[Tracklet] = []  # for the next reports of progress
        self._sealed: list[Tracklet] = []  # of the window that is decided when cameras have passed it
        self._open: dict[str, tuple[float, int]] = {}  # track -> first second and last revision
        self._tracks = 0
        self._last_round = 0  # offset from which messages may come again

    @initialize()
    def begin(self) -> None:
        self.time_passes(1)

    @rule(
        camera=st.sampled_from(CAMERAS),
        person=st.integers(0, 5),
        like=st.integers(0, 5),
        share=st.sampled_from([0.6, 0.75, 0.9, 1.0]),
        length_s=st.floats(0.25, 9, width=16),
        late_s=st.sampled_from([0, 0, 0, 5, 40]),
        closed=st.booleans(),
    )
    def somebody_passes(
        self, camera: str, person: int, like: int, share: float, length_s: float, late_s: float, *, closed: bool
    ) -> None:
        last_s = self._now_s - late_s
        self._tracks += 1
        name = f"{camera}/s/{self._tracks}.0/0"
        self._send(name, last_s - length_s, last_s, (person, like, share), 0, closed=closed)

    @rule(data=st.data(), like=st.integers(0, 5), closed=st.booleans())
    def somebody_is_followed_further(self, data: st.DataObject, like: int, *, closed: bool) -> None:
        if self._open:
            name = data.draw(st.sampled_from(sorted(self._open)))
            first_s, revision = self._open[name]
            self._send(name, first_s, max(self._now_s, first_s + 1), (like, like, 1.0), revision + 1, closed=closed)

    def _send(
        self, name: str, first_s: float, last_s: float, look: tuple[int, int, float], revision: int, *, closed: bool
    ) -> None:
        one, other, share = look
        noise = np.random.default_rng(7919 * self._tracks + revision).normal(size=16)
        vector = unit(share * axis(one) + (1 - share) * axis(other) + 0.08 * noise)
        sent = tracklet(name, first_s, last_s, vector, revision=revision, closed=closed)
        self._open.pop(name, None)
        if not closed:
            self._open[name] = first_s, revision
        self._waiting.append(sent)
        self.subject.log.append(sent)

    @rule(seconds=st.integers(1, 20))
    def time_passes(self, seconds: int) -> None:
        """Let the cameras report; what came before is decided when they report the next time."""
        self._last_round = len(self.subject.log)
        end_s = int(self._now_s) + 1
        self._now_s += seconds
        self.subject.log += [progress(camera, self._now_s) for camera in CAMERAS]
        self.subject.read()
        self.model.decide(self._sealed, START + end_s * S)
        self._sealed, self._waiting = self._waiting, []

    @rule(count=st.integers(1, 12))
    def messages_come_again(self, count: int) -> None:
        start = max(self._last_round, len(self.subject.log) - count)
        self.subject.log += self.subject.log[start:]

    @rule(share=st.floats(0, 1), flush=st.booleans())
    def the_gallery_is_killed(self, share: float, *, flush: bool) -> None:
        self.subject.read(until=int(share * len(self.subject.log)), flush=flush)
        self.subject.kill()

    @rule(when=st.sampled_from(["before", "after"]))
    def the_connection_will_be_cut(self, when: str) -> None:
        self.subject.store.cut = when

    @invariant()
    def the_site_is_that_of_the_model(self) -> None:
        """Compare all that is stored, once nothing is left to decide."""
        snapshot = self.subject.store.load(0)
        if snapshot.version != self.model.site.version:
            return  # messages have come of a window that is not read yet
        site = self.model.site
        found = self.subject.store.find(TrackQuery(limit=1_000))
        assert {row.tracklet.tracklet_id: (row.tracklet.revision, row.identity_id) for row in found} == {
            key: (row.tracklet.revision, row.identity_id) for key, row in self.model.rows.items()
        }
        assert {one.number: one for one in snapshot.identities} == dict(site.identities)
        looks = {number: records.encode_prototypes(owned) for number, owned in snapshot.prototypes.items()}
        assert looks == {number: records.encode_prototypes(owned) for number, owned in site.prototypes.items()}
        assert snapshot.next_identity == site.next_identity

    def teardown(self) -> None:
        """Decide the rest; nothing that was published is unexplained, and nothing is missing."""
        for _ in range(2):
            self.time_passes(2)
        self.subject.read()
        assert self.subject.store.learnt().version == self.model.site.version
        self.the_site_is_that_of_the_model()
        assert self.subject.events == self.model.events


def test_a_gallery_over_redis_is_what_brute_force_makes_of_any_history(redis_url: str) -> None:
    client = connect(RedisSettings(url=redis_url))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setattr(name, value)
        run_state_machine_as_test(
            lambda: GalleryMachine(UnreliableStore(client, f"site-{uuid.uuid4().hex[:8]}")),  # type: ignore[arg-type]
            settings=settings(max_examples=50, stateful_step_count=25, deadline=None),
        )
    client.close()
