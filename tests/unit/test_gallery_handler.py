"""The gallery's handler: what it publishes, what it pins, and how it recovers."""

from collections.abc import Sequence

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from gallery.config import GallerySettings
from gallery.errors import StoreConflict, StoreUnavailable
from gallery.handler import GalleryHandler, build_service
from gallery.index import BruteForceIndex
from gallery.metrics import GalleryMetrics
from gallery.site_worker import SiteWorker, plan_of
from gallery.store.memory import MemoryStore
from gallery.store.store import Outcome, TrackQuery, Write
from tests.gallery_tools import FixedCameras, axis, owners, progress, tracklet
from wire import codec
from wire.bus import CAMERAS, TRACKLETS, Record, TopicPartition
from wire.cameras import ListedCamera
from wire.memory import MemoryBus
from wire.messages import AnyMessage, CameraSpec, IdentityEvent
from wire.metrics import ServiceMetrics
from wire.service import Outgoing, Received, Rejected

PARTITION = TopicPartition("tracklets", 0)


class Bench:
    """A handler with a store, a fake clock, and a log written by the test."""

    def __init__(self, store: MemoryStore | None = None, *, first_offset: int = 0, listed_ns: int = 0) -> None:
        self.store = store or MemoryStore("site")
        self.registry = CollectorRegistry()
        self.now_s = 0.0
        self.next_offset = first_offset
        specs = [CameraSpec(camera_id=c, site_id="site", url="x.mp4", mode="complete") for c in "ab"]
        metrics, shared = GalleryMetrics(self.registry), ServiceMetrics(self.registry)
        plan = plan_of(GallerySettings())
        self.handler = GalleryHandler(
            lambda _: SiteWorker(self.store, plan, BruteForceIndex, metrics, shared),
            FixedCameras([ListedCamera(spec, listed_ns) for spec in specs]),
            metrics,
            clock=lambda: self.now_s,
        )

    def batch(self, *messages: AnyMessage) -> list[Received]:
        first, self.next_offset = self.next_offset, self.next_offset + len(messages)
        return [
            Received(Record("tracklets", 0, offset, "site", codec.encode(message), 1), message)
            for offset, message in enumerate(messages, first)
        ]

    def send(self, *messages: AnyMessage) -> list[str]:
        """Run one round of the service loop; return its events as `kind number`."""
        events = self.handle(self.batch(*messages))
        self.handler.flushed()
        return events

    def handle(self, batch: Sequence[Received]) -> list[str]:
        found = [item.message for item in self.handler.handle(batch) if isinstance(item, Outgoing)]
        return [f"{event.kind} {event.identity_id}" for event in found if isinstance(event, IdentityEvent)]


def both_at(time_s: float) -> tuple[AnyMessage, AnyMessage]:
    return progress("a", time_s), progress("b", time_s)


def test_a_tracklet_is_decided_once_all_cameras_are_past_it() -> None:
    bench = Bench()

    assert bench.send(tracklet("a/s/1.0/0", 0, 3), progress("a", 3.5), progress("a", 9)) == []
    assert bench.send(progress("b", 9)) == ["created 1"]
    assert bench.send() == []


def test_undecided_tracklets_are_needed_again_after_a_restart() -> None:
    bench = Bench(first_offset=40)
    bench.handle(bench.batch(*both_at(1), tracklet("a/s/1.0/0", 0, 3), progress("a", 3.5)))
    assert bench.handler.needed_from() == {PARTITION: 40}

    bench.handle(bench.batch(*both_at(9)))
    assert bench.handler.needed_from() == {}


def test_a_decided_tracklet_received_again_gives_the_same_event_and_nothing_else() -> None:
    bench = Bench()
    sent = tracklet("a/s/1.0/0", 0, 3)
    bench.send(sent, *both_at(3.5), *both_at(9))
    before = bench.store.load(0)

    again = [item for item in bench.handler.handle(bench.batch(sent, sent, *both_at(10))) if isinstance(item, Outgoing)]

    assert {item.message.event_id for item in again if isinstance(item.message, IdentityEvent)} == {
        entry.event.event_id for entry in bench.store.journal(0, 10)
    }
    assert bench.store.load(0).version == before.version
    assert len(bench.store.journal(0, 10)) == 1


def test_events_are_published_again_until_the_loop_has_flushed_them() -> None:
    bench = Bench()
    bench.send(tracklet("a/s/1.0/0", 0, 3), *both_at(3.5))
    last = bench.batch(*both_at(9))

    assert bench.handle(last) == ["created 1"]
    assert bench.handle(last) == ["created 1"]
    bench.handler.flushed()
    assert bench.handle([]) == []


def test_asking_what_is_needed_changes_nothing() -> None:
    bench = Bench()
    bench.send(tracklet("a/s/1.0/0", 0, 3), *both_at(3.5))
    bench.handle(bench.batch(*both_at(9), tracklet("a/s/2.0/0", 9.5, 11)))

    needed = [bench.handler.needed_from() for _ in range(3)]

    assert needed == [{PARTITION: 3}] * 3
    assert bench.handle([]) == ["created 1"]


def test_events_of_a_killed_gallery_are_published_by_the_next_one() -> None:
    bench = Bench()
    bench.handle(bench.batch(tracklet("a/s/1.0/0", 0, 3), *both_at(3.5), *both_at(9)))

    after = Bench(bench.store, first_offset=bench.next_offset)

    assert after.send(*both_at(10)) == ["created 1"]
    assert after.send(*both_at(11)) == []
    assert Bench(bench.store, first_offset=after.next_offset).send(*both_at(12)) == []


def test_a_restart_does_not_wait_for_a_camera_that_had_ended() -> None:
    bench = Bench()
    bench.send(*both_at(1), progress("b", 2, ended=True))

    after = Bench(bench.store, first_offset=bench.next_offset)

    assert after.send(tracklet("a/s/1.0/0", 2, 5), progress("a", 5.5), progress("a", 7)) == ["created 1"]


@pytest.mark.parametrize(
    ("first_offset", "listed_ns"),
    [
        pytest.param(100, 2, id="listed again since"),
        pytest.param(0, 0, id="on another log, which begins anew"),
    ],
)
def test_a_new_run_waits_for_the_cameras_of_the_last_one(first_offset: int, listed_ns: int) -> None:
    bench = Bench()
    bench.send(progress("b", 2, ended=True))

    after = Bench(bench.store, first_offset=first_offset, listed_ns=listed_ns)

    assert after.send(tracklet("a/s/1.0/0", 2, 5), progress("a", 5.5), progress("a", 7)) == []
    after.now_s = 31.0
    assert after.send() == ["created 1"]


class Broken(MemoryStore):
    """Fails a write, before or after it takes effect."""

    def __init__(self, *, after: bool) -> None:
        super().__init__("site")
        self.after = after
        self.failures = 1

    def write(self, write: Write) -> Outcome:
        if self.failures:
            self.failures -= 1
            if self.after:
                super().write(write)
            raise StoreUnavailable("Redis at 127.0.0.1:1 is away")
        return super().write(write)


@pytest.mark.parametrize("after", [pytest.param(False, id="not written"), pytest.param(True, id="written, no answer")])
def test_a_batch_that_failed_in_the_store_is_applied_once_when_repeated(*, after: bool) -> None:
    bench = Bench(Broken(after=after))
    bench.send(tracklet("a/s/1.0/0", 0, 3), *both_at(3.5))
    batch = bench.batch(tracklet("a/s/2.0/0", 4, 5, axis(1)), *both_at(9), *both_at(11))

    with pytest.raises(StoreUnavailable):
        bench.handle(batch)
    events = bench.handle(batch)

    assert events == ["created 1", "created 2"]
    assert len(bench.store.journal(0, 10)) == 2
    assert bench.handler.needed_from() == {}


def test_a_site_written_by_another_process_is_reloaded() -> None:
    one, other = Bench(), Bench()
    other.store = one.store
    one.send(*both_at(1))
    other.send(*both_at(1))
    one.send(tracklet("a/s/1.0/0", 0, 3), *both_at(3.5), *both_at(9))
    late = other.batch(tracklet("a/s/2.0/0", 4, 5), *both_at(5.5), *both_at(9))

    with pytest.raises(StoreConflict):
        other.handle(late)

    assert "matched 1" in other.handle(late)
    assert len(one.store.find(TrackQuery(identity_id=1))) == 2


def test_the_sites_of_a_revoked_partition_are_dropped() -> None:
    bench = Bench()
    bench.handle(bench.batch(tracklet("a/s/1.0/0", 0, 3)))

    bench.handler.revoked([PARTITION])

    assert bench.handler.needed_from() == {}


def test_what_is_not_a_tracklet_goes_to_the_dead_letters() -> None:
    bench = Bench()

    (rejected,) = bench.handler.handle(bench.batch(CameraSpec(camera_id="a", site_id="site", url="x")))

    assert isinstance(rejected, Rejected)
    assert rejected.record.offset == 0


def test_decisions_are_counted() -> None:
    bench = Bench()
    flicker = tracklet("a/s/9.0/0", 2, 2, axis(3))
    bench.send(tracklet("a/s/1.0/0", 0, 3), tracklet("b/s/1.0/0", 0, 3), flicker, *both_at(3.5), *both_at(9))

    def value(name: str, **labels: str) -> float | None:
        return bench.registry.get_sample_value(name, labels)

    assert value("climbtrack_gallery_identities") == 1
    for decision in ("created", "matched", "pending"):
        assert value("climbtrack_assignments_total", decision=decision) == 1, decision
    assert value("climbtrack_match_probability_count") == 1


def test_a_service_decides_the_tracklets_on_the_bus() -> None:
    bus = MemoryBus()
    bus.ensure_topics()
    producer = bus.producer()
    spec = CameraSpec(camera_id="a", site_id="site", url="x.mp4", mode="complete")
    producer.send(CAMERAS.name, "a", codec.encode(spec))
    producer.send(CAMERAS.name, "b", b"garbage")
    for message in (tracklet("a/s/1.0/0", 0, 3), progress("a", 9, ended=True)):
        producer.send(TRACKLETS.name, "site", codec.encode(message))
    store, registry = MemoryStore("site"), CollectorRegistry()

    class StopWhenDecided:
        def is_set(self) -> bool:
            return store.counts().identities > 0

        def wait(self, timeout: float) -> None:
            raise AssertionError("nothing should fail")

    service = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    service.run(StopWhenDecided())  # type: ignore[arg-type]

    assert store.find(TrackQuery(identity_id=1))[0].tracklet.tracklet_id == "a/s/1.0/0"
    bus.close()


def test_embeddings_of_another_model_are_kept_apart_and_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.send(tracklet("a/s/1.0/0", 0, 3, model_id="old"), *both_at(3.5), *both_at(9))
    assert not caplog.records

    seen = [tracklet(f"b/s/{n}.0/0", 10 * n, 10 * n + 3, model_id="new") for n in (1, 2)]
    assert bench.send(seen[0], *both_at(13.5), *both_at(19)) == ["created 2"]
    assert bench.send(seen[1], *both_at(23.5), *both_at(29)) == ["matched 2"]
    (record,) = caplog.records
    assert "model new arrive, but the known identities have those of old" in record.message


def test_a_restarted_gallery_knows_the_models_of_known_people(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.send(tracklet("a/s/1.0/0", 0, 3, model_id="old"), *both_at(3.5), *both_at(9))

    after = Bench(bench.store, first_offset=bench.next_offset)
    after.send(tracklet("a/s/2.0/0", 10, 13, model_id="old"), *both_at(19))
    assert not caplog.records
    after.send(tracklet("a/s/3.0/0", 20, 23, model_id="new"), *both_at(29))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("kept", [False, True], ids=["of this run", "of a run before"])
def test_an_embedding_of_another_length_under_one_model_is_a_dead_letter_and_the_rest_is_decided(*, kept: bool) -> None:
    store = MemoryStore("site")
    first = Bench(store)
    first.send(tracklet("a/s/1.0/0", 0, 4, np.eye(8)[0]), *both_at(1), *both_at(9))
    bench = Bench(store, first_offset=first.next_offset) if kept else first

    batch = bench.batch(
        tracklet("a/s/2.0/0", 10, 14, np.eye(9)[0]),
        tracklet("b/s/2.0/0", 10, 14, np.eye(8)[1]),
        *both_at(11),
        *both_at(19),
    )
    items = list(bench.handler.handle(batch))

    rejected = [item for item in items if isinstance(item, Rejected)]
    assert [item.record for item in rejected] == [batch[0].record]
    assert "has 9 numbers, but those of model m have 8" in rejected[0].reason
    known = {row.tracklet.tracklet_id for row in store.tracklets(["a/s/1.0/0", "a/s/2.0/0", "b/s/2.0/0"])}
    assert known == {"a/s/1.0/0", "b/s/2.0/0"}


class ForgetfulStore(MemoryStore):
    """A store that can be set back to what it was after its first writes, as a Redis without fsync after a crash."""

    def __init__(self, site_id: str) -> None:
        super().__init__(site_id)
        self.writes: list[Write] = []

    def write(self, write: Write) -> Outcome:
        outcome = super().write(write)
        self.writes.append(write)
        return outcome

    def forget(self, kept: int) -> None:
        writes = self.writes[:kept]
        vars(self).update(vars(ForgetfulStore("site")))
        for write in writes:
            self.write(write)


def three_people(bench: Bench, *, kept: int | None = None) -> list[str]:
    """Show three people, one after the other, then the first again; return the events since the store forgot."""
    for start in (0, 10, 20):
        look = axis(start // 10)
        sent = (tracklet(f"{camera}/s/{start}.0/0", start, start + 3, look) for camera in "ab")
        bench.send(*sent, *both_at(start + 3.5), *both_at(start + 9))
    if kept is not None:
        assert isinstance(bench.store, ForgetfulStore)
        bench.store.forget(kept)
    batch = bench.batch(tracklet("a/s/30.0/0", 30, 33), *both_at(33.5), *both_at(39))
    try:
        events = bench.handle(batch)
    except StoreConflict:
        events = bench.handle(batch)
    bench.handler.flushed()
    return events


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_what_a_store_has_forgotten_is_put_back_by_the_gallery_that_knows_it(
    kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a store that forgets confirmed writes while the gallery runs
    whole, bench = Bench(), Bench(ForgetfulStore("site"))
    # When the first person comes again
    assert three_people(bench, kept=kept) == three_people(whole) == ["matched 1"]
    # Then everybody is known as before, numbers go on, and it was said aloud
    for store in (bench.store, whole.store):
        assert [identity.number for identity in store.identities(0, 10)] == [1, 2, 3]
    assert owners(bench.store) == owners(whole.store)
    assert bench.store.load(0).next_identity == 4
    assert "the store has lost data" in caplog.text


def test_progress_of_a_camera_that_has_ended_is_put_back_too() -> None:
    # Given a camera that has ended, which is the last that it reports
    store = ForgetfulStore("site")
    bench = Bench(store)
    three_people(bench)
    bench.send(progress("b", 40, ended=True))
    assert store.learnt().version > 0
    # When the store forgets everything
    store.forget(0)
    assert store.progress() == {}
    batch = bench.batch(
        tracklet("a/s/50.0/0", 50, 53), progress("a", 53.5), progress("a", 59), progress("a", 70, ended=True)
    )
    with pytest.raises(StoreConflict):
        bench.handle(batch)
    bench.handle(batch)
    # Then it is told again
    assert store.progress()["b"].progress.ended


@pytest.mark.parametrize(
    ("first_offset", "warned"), [pytest.param(0, False, id="new"), pytest.param(9, True, id="old")]
)
def test_a_store_that_knows_nothing_of_a_log_that_was_read_before_is_said_aloud(
    first_offset: int, caplog: pytest.LogCaptureFixture, *, warned: bool
) -> None:
    Bench(first_offset=first_offset).send(*both_at(1))

    assert ("restore a backup" in caplog.text) is warned
