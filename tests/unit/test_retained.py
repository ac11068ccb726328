"""What the bus retains of somebody who was erased: deleted once it was read, named as long as it is there."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gallery.handler import NAME as GALLERY
from gallery.retained import NEVER_OVERTAKEN, RetainedRecords
from gallery.store.retained import RetainedErased
from reid_worker.handler import NAME as WORKER
from tests.conftest import wait_until
from tests.gallery_tools import axis, tracklet
from tests.words_tools import Talk, several_people
from wire import codec
from wire.bus import BOXES, FRAMES, IDENTITIES, TOPICS, TRACKLETS, WORKER_STATE, Consumer
from wire.errors import TransientError
from wire.memory import MemoryBus
from wire.messages import IdentityEvent, WorkerState

S = 1_000_000_000
HOUR_S = 3_600.0


class Bus(MemoryBus):
    """A bus whose clock is set by the test, and which is away where it says so."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_700_003_600 * S
        self.away = False

    def now_ns(self) -> int:
        return self.now

    def ends(self, *args: Any) -> Any:
        if self.away:
            raise TransientError("Kafka is away")
        return super().ends(*args)

    def give(self, topic: str, *keys: str, value: bytes = b"record") -> None:
        for key in keys:
            self.append(topic, key, value)

    def held(self) -> dict[str, int]:
        """Return how many records each topic has, empty ones left out."""
        logs = {spec.name: self.topic(spec.name).logs for spec in TOPICS}
        counts = {name: sum(log.held(log.end) for log in found) for name, found in logs.items()}
        return {name: count for name, count in counts.items() if count}

    def reader(self, group: str, topic: str) -> Consumer:
        return self.consumer(group, [topic])

    def events(self) -> list[IdentityEvent]:
        records = [record for log in self.topic(IDENTITIES.name).logs for record in log.read(0, 1000)]
        return [found for one in records if isinstance(found := codec.decode(one.value or b""), IdentityEvent)]


@pytest.fixture
def bus() -> Iterator[Bus]:
    made = Bus()
    yield made
    made.close()


def commit_all(consumer: Consumer) -> None:
    records = []
    while found := consumer.poll(1000, 0.0):
        records += found
    consumer.commit({record.source: record.offset + 1 for record in records})


@pytest.fixture
def talk() -> Talk:
    """A gallery in which person 1 was erased by the word w1; cameras a and b had seen them."""
    talk = several_people()
    said = talk.say("erase", identity_id=1)
    assert said.erasure is not None
    assert [seen.camera_id for seen in said.erasure.seen] == ["a", "b"]
    return talk


def note_of(talk: Talk) -> RetainedErased:
    note = talk.store.retained.of("w1")
    assert note is not None
    return note


def waits(talk: Talk) -> dict[str, str]:
    return {one.topic: one.waits_for for one in note_of(talk).topics if one.waits_for}


def deleting(bus: Bus, talk: Talk, wait_s: float = HOUR_S) -> RetainedRecords:
    return RetainedRecords(bus, lambda _: talk.store, wait_s)


def test_those_who_are_never_overtaken_are_the_worker_and_the_gallery() -> None:
    assert {WORKER, GALLERY} == NEVER_OVERTAKEN


def test_what_everybody_has_read_is_deleted_at_once_and_the_erasure_is_told_once_more(bus: Bus, talk: Talk) -> None:
    # Given records of everything that a person may be in, of their cameras and of another one
    with_frames, with_tracklets = bus.reader(WORKER, FRAMES.name), bus.reader(GALLERY, TRACKLETS.name)
    late = bus.reader("late", IDENTITIES.name)  # which has committed nothing, and so is not known to Kafka either
    for topic in (FRAMES, BOXES):
        bus.give(topic.name, "a", "b", "c")
    bus.give(TRACKLETS.name, "site")
    bus.give(IDENTITIES.name, *(f"site/{number}" for number in range(1, 9)))
    with_frames.poll(100, 0.0)
    # When the worker has committed nothing of them yet, nor has the gallery
    with_frames.commit(dict.fromkeys(bus.ends(FRAMES.name), 0))
    with_tracklets.poll(100, 0.0)
    with_tracklets.commit(dict.fromkeys(bus.ends(TRACKLETS.name), 0))
    assert not deleting(bus, talk).round(talk.store)
    # Then what they have still to finish is there and named, with the time at which Kafka deletes it
    assert bus.held()[FRAMES.name] == 3
    assert waits(talk) == {
        FRAMES.name: "reid_worker has not finished with them",
        TRACKLETS.name: "gallery has not finished with them",
    }
    until = {one.topic: one.until_ns for one in note_of(talk).topics if one.waits_for}
    assert until == {FRAMES.name: bus.now + 600 * S, TRACKLETS.name: bus.now + 86_400 * S}
    # And everything else is gone, but for another camera's boxes and for the event that tells of the erasure
    assert bus.held()[BOXES.name] == 1
    assert [(one.kind, one.identity_id, one.tracklet_id) for one in bus.events()] == [("erased", 1, "")]
    assert bus.events()[0].event_id == next(one for one in talk.events if one.kind == "erased").event_id
    # And once they have finished, that goes too, and it is noted when
    with_frames.commit(bus.ends(FRAMES.name))
    with_tracklets.commit(bus.ends(TRACKLETS.name))
    assert deleting(bus, talk).round(talk.store)
    assert set(bus.held()) <= {BOXES.name, IDENTITIES.name}
    assert note_of(talk).done_ns == bus.now
    late.close()


def test_groups_of_others_are_waited_for_but_not_for_ever(bus: Bus, talk: Talk) -> None:
    shop = bus.reader("shop", IDENTITIES.name)
    bus.give(IDENTITIES.name, "site/1")
    shop.poll(10, 0.0)
    shop.commit(dict.fromkeys(bus.ends(IDENTITIES.name), 0))
    begun = bus.now
    assert not deleting(bus, talk).round(talk.store)
    assert waits(talk) == {
        IDENTITIES.name: "shop has not read them yet, and is waited for until 2023-11-15T00:13:20.000Z"
    }
    bus.now = begun + int((HOUR_S - 1) * S)
    assert not deleting(bus, talk).round(talk.store)
    bus.now = begun + int(HOUR_S * S)
    assert deleting(bus, talk).round(talk.store)
    assert [event.kind for event in bus.events()] == ["erased"]


def test_the_last_state_of_a_camera_is_named_until_another_replaces_it(bus: Bus, talk: Talk) -> None:
    state = WorkerState(camera_id="a", site_id="site", stream_id="s", next_offset=3, blob=b"crops")
    bus.give(WORKER_STATE.name, "a", value=codec.encode(state))
    ended = WorkerState(camera_id="b", site_id="site", stream_id="s", next_offset=3, ended=True)
    bus.give(WORKER_STATE.name, "b", value=codec.encode(ended))
    assert not deleting(bus, talk).round(talk.store)
    assert waits(talk) == {
        WORKER_STATE.name: "the last state of a holds what was in sight, until the camera is seen again"
    }
    bus.give(WORKER_STATE.name, "a", value=codec.encode(state))
    assert deleting(bus, talk).round(talk.store)
    assert bus.table(WORKER_STATE.name).keys() == {"a", "b"}


def test_whoever_goes_on_being_seen_has_what_came_later_deleted_as_well(bus: Bus, talk: Talk) -> None:
    retained = deleting(bus, talk)
    assert retained.round(talk.store)
    bus.give(TRACKLETS.name, "site")
    bus.give(IDENTITIES.name, "site/2", value=codec.encode(talk.events[0]))
    assert retained.round(talk.store)
    assert TRACKLETS.name in bus.held()  # whoever else that is
    retained.look("site", ["w1"])
    assert note_of(talk).again
    assert deleting(bus, talk).round(talk.store)  # by another process, if this one is killed
    assert TRACKLETS.name not in bus.held()
    assert not note_of(talk).again
    assert [one.kind for one in bus.events()].count("erased") == 1
    assert len(bus.events()) == 2  # of others, and so of no interest here
    with retained:
        pass


def test_a_bus_that_is_away_is_asked_again_and_the_thread_ends_once_nothing_is_left(
    bus: Bus, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.retained.PAUSES_S", (0.01,))
    bus.give(BOXES.name, "a")
    bus.away = True
    with deleting(bus, talk) as retained:
        retained.look("site")
        bus.away = False
        wait_until(lambda: BOXES.name not in bus.held())
        wait_until(lambda: not any(one.name == "retained" for one in threading.enumerate()))
        # And it begins anew when it is asked again
        bus.give(BOXES.name, "a")
        retained.look("site", ["w1"])
        wait_until(lambda: BOXES.name not in bus.held())


def test_an_erasure_of_long_ago_and_one_that_was_undone_delete_nothing(bus: Bus, talk: Talk) -> None:
    bus.give(BOXES.name, "a")
    bus.now += 8 * 86_400 * S
    assert deleting(bus, talk).round(talk.store)
    bus.now -= 8 * 86_400 * S
    talk.say("undo", undoes="w1")
    assert deleting(bus, talk).round(talk.store)
    assert BOXES.name in bus.held()
    assert talk.store.retained.of("w1") is None


def test_the_gallery_has_it_looked_at_when_somebody_was_erased_comes_back_or_may_have_been() -> None:
    asked: list[tuple[str, list[str]]] = []
    talk = several_people(lambda: Talk(look_at_retained=lambda site, words: asked.append((site, sorted(words)))))
    assert asked == [("site", [])]  # since it began: another one may have left something
    talk.say("erase", identity_id=1)
    assert asked[1:] == [("site", [])]
    talk.send(tracklet("a/s/0.0/1", 5, 9, axis(0)), tracklet("a/s/1.0/1", 25, 29, axis(1)))
    assert asked[2:] == [("site", ["w1"])]
