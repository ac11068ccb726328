"""People who were not seen for long leave a gallery's memory, and come back under their number."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from gallery.backup.file import Reader
from gallery.backup.make import back_up
from gallery.backup.restore import restore
from gallery.config import GallerySettings
from gallery.decision.sweep import Sweep
from gallery.errors import StoreConflict
from gallery.site_worker import plan_of
from gallery.store.redis import RedisStore
from gallery.store.store import Faded, PeopleQuery, Prototype, Store
from tests.contract.test_gallery_store import person, write
from tests.gallery_tools import axis, tracklet
from tests.unit.test_gallery_handler import ForgetfulStore
from tests.words_tools import Talk, alike

FADING: dict[str, Any] = {"horizon_s": 60.0, "fade_after_s": 100.0}
LONG_S = 400.0
Make = Callable[..., Talk]


@pytest.fixture
def make(store: Store) -> Make:
    """Return a function that makes a gallery in which people fade."""

    def made(**settings: Any) -> Talk:
        return Talk(store, **(FADING | settings))

    return made


def passes(talk: Talk, name: str, first_s: float, look: Any) -> None:
    """Let somebody pass a camera, and time go on until that is decided."""
    talk.see(tracklet(name, first_s, first_s + 5, look), until_s=first_s + 20)
    talk.see(until_s=first_s + 40)


def three_who_faded(make: Make, **settings: Any) -> Talk:
    """Return a gallery that saw persons 1, 2 and 3 a while ago, and 4 just now."""
    talk = make(**settings)
    for number in range(3):
        passes(talk, f"a/s/{number}.0/0", 50.0 * number, axis(number))
    passes(talk, "a/s/9.0/0", LONG_S, axis(9))
    return talk


def faded(talk: Talk) -> set[int]:
    return {one.number for one in talk.store.identities(0, 100) if one.faded}


def test_whoever_was_not_seen_for_long_leaves_memory_and_stays_in_the_store(make: Make) -> None:
    talk = three_who_faded(make)

    assert faded(talk) == {1, 2, 3}
    assert (talk.worker.identities(), talk.worker.faded()) == (1, 3)
    assert talk.store.counts().identities == 4
    assert [one.number for one in talk.store.people(PeopleQuery(by_last=True)).identities] == [4, 3, 2, 1]
    assert set(talk.store.load(0).prototypes) == {4}


def test_deciding_forgetting_and_looking_for_the_faded_walk_over_no_set_of_keys_or_people(redis_url: str) -> None:
    client: Any = redis.Redis.from_url(redis_url)
    store = RedisStore(client, f"site-{uuid.uuid4().hex[:8]}")
    talk = Talk(store, **FADING, retention_s=500.0)
    passes(talk, "a/s/0.0/0", 0, axis(0))
    client.config_resetstat()
    for number, look in enumerate((1, 2, 1, 3), 1):  # the first of them fades and comes back
        passes(talk, f"a/s/{number}.0/0", 200.0 * number, axis(look))

    used = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
    assert {"evalsha", "zrangebyscore"} <= used
    assert (talk.worker.identities(), talk.worker.faded()) == (1, 2)  # and whoever was first has expired
    assert used & {"keys", "scan", "hscan", "sscan", "zscan", "hgetall", "hkeys", "hvals", "smembers", "sort"} == set()
    client.close()


def test_nobody_fades_by_default(make: Make) -> None:
    talk = three_who_faded(make, fade_after_s=0)

    assert faded(talk) == set()
    assert talk.worker.identities() == 4


@pytest.mark.parametrize("restarted", [False, True], ids=["going on", "restarted"])
def test_whoever_is_seen_again_has_the_number_they_had(make: Make, *, restarted: bool) -> None:
    talk = three_who_faded(make)
    if restarted:
        talk.restart()
    passes(talk, "b/s/7.0/0", LONG_S + 60, axis(1))

    assert talk.owners()["b/s/7.0/0"] == 2
    assert faded(talk) == {1, 3}
    assert talk.store.counts().identities == 4
    assert not [event for event in talk.events if event.identity_id > 4]


def test_whoever_comes_back_fades_again_with_what_was_seen_since(make: Make) -> None:
    talk = three_who_faded(make)
    passes(talk, "b/s/7.0/0", LONG_S + 60, axis(1))
    passes(talk, "a/s/8.0/0", 2 * LONG_S, axis(8))

    (again,) = talk.store.faded([2])
    assert (again.identity.cameras, again.identity.tracklets) == (("a", "b"), 2)
    assert {one.camera_id for one in again.prototypes} == {"a", "b"}


def test_a_stranger_brings_nobody_back(make: Make) -> None:
    talk = three_who_faded(make)
    passes(talk, "b/s/7.0/0", LONG_S + 60, axis(5))

    assert talk.owners()["b/s/7.0/0"] == 5
    assert faded(talk) == {1, 2, 3}


def test_a_window_is_compared_with_a_page_and_a_pass_finds_everybody(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given pages of one person, and somebody who comes back and is on none of the first pages
    monkeypatch.setattr("gallery.absent.page_of", lambda _: 1)
    read: list[int] = []
    talk = three_who_faded(make)
    after = talk.store.faded_after

    def counted(number: int, limit: int) -> list[Faded]:
        read.append(limit)
        return after(number, limit)

    monkeypatch.setattr(talk.store, "faded_after", counted)
    # When windows go on
    talk.see(tracklet("b/s/7.0/0", LONG_S + 60, LONG_S + 65, axis(2)), until_s=LONG_S + 70)
    for second in range(12):
        start = LONG_S + 70 + second
        talk.see(tracklet("c/s/8.0/0", LONG_S + 66, start, axis(8), revision=second, closed=False), until_s=start + 1)
    # Then each looked at one person at most, and the number they got at first is the old one now
    assert set(read) == {1}
    assert talk.owners()["b/s/7.0/0"] == 3
    merged = [event for event in talk.events if event.kind == "merged"]
    assert [(event.identity_id, event.previous_ids) for event in merged] == [(3, (5,))]
    assert talk.store.identity(5) == talk.store.identity(3)


def test_nothing_is_read_while_nobody_is_new(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = three_who_faded(make)
    passes(talk, "c/s/8.0/0", LONG_S + 60, axis(8))

    def followed(revision: int, last_s: float) -> None:
        talk.see(tracklet("c/s/8.0/0", LONG_S + 60, last_s, axis(8), revision=revision), until_s=last_s + 5)
        talk.see(until_s=last_s + 10)

    followed(1, LONG_S + 110)  # they are new, and looked for among all who faded
    monkeypatch.setattr(talk.store, "faded_after", lambda *_: pytest.fail("somebody was looked for"))
    followed(2, LONG_S + 130)

    assert talk.owners()["c/s/8.0/0"] == 5


def test_a_name_is_given_to_somebody_who_has_faded_and_found(make: Make) -> None:
    talk = three_who_faded(make)

    assert talk.say("name", identity_id=2, name="Anna").refused == ""
    assert [one.number for one in talk.store.people(PeopleQuery(name="ann")).identities] == [2]
    assert faded(talk) == {1, 2, 3}
    talk.restart()
    passes(talk, "b/s/7.0/0", LONG_S + 60, axis(1))
    named = talk.store.identity(2)
    assert named is not None
    assert (named.name, named.faded, named.tracklets) == ("Anna", False, 2)


def test_a_merge_by_a_person_brings_somebody_back(make: Make) -> None:
    talk = three_who_faded(make)

    assert talk.say("merge", identity_id=2, others=(4,)).refused == ""
    assert talk.owners()["a/s/9.0/0"] == 2
    assert faded(talk) == {1, 3}
    assert talk.worker.identities() == 1


def test_what_people_said_of_somebody_holds_when_they_come_back(make: Make) -> None:
    # Given a person who said that somebody like 2 is not 2
    talk = three_who_faded(make)
    passes(talk, "b/s/7.0/0", LONG_S + 60, alike(9, 1, 0.3))
    assert talk.owners()["b/s/7.0/0"] == 4
    assert talk.say("different", identity_id=4, others=(2,)).refused == ""
    talk.restart()
    # When the same leg is seen again, looking like 2 by now
    part = tracklet("b/s/7.0/1", LONG_S + 110, LONG_S + 120, axis(1))
    talk.see(part, until_s=LONG_S + 140)
    talk.see(until_s=LONG_S + 160)
    # Then it is not 2
    assert talk.owners()["b/s/7.0/1"] != 2


def test_a_tracklet_that_people_gave_to_somebody_brings_them_back(make: Make) -> None:
    talk = make()
    passes(talk, "a/s/0.0/0", 0, axis(0))
    passes(talk, "b/s/1.0/0", 50, axis(1))
    assert talk.say("merge", identity_id=1, others=(2,)).refused == ""
    passes(talk, "a/s/9.0/0", LONG_S, axis(9))
    assert faded(talk) == {1}

    passes(talk, "b/s/1.0/1", LONG_S + 60, axis(5))  # the leg goes on, in other clothes
    assert talk.owners()["b/s/1.0/1"] == 1
    assert faded(talk) == set()


def test_a_late_revision_of_somebody_who_has_faded_counts_once(make: Make) -> None:
    talk = three_who_faded(make)
    talk.see(tracklet("a/s/1.0/0", 50, 58, axis(1), revision=1), until_s=LONG_S + 60)
    talk.see(until_s=LONG_S + 80)

    (known,) = talk.store.faded([2])
    assert known.identity.tracklets == 1
    assert talk.owners()["a/s/1.0/0"] == 2


def test_somebody_who_has_faded_can_be_erased_and_does_not_come_back(make: Make) -> None:
    talk = three_who_faded(make)

    assert talk.say("erase", identity_id=2).refused == ""
    assert faded(talk) == {1, 3}
    assert talk.store.faded([2]) == []
    assert talk.store.identity(2) is None
    talk.restart()
    passes(talk, "b/s/7.0/0", LONG_S + 60, axis(1))
    assert talk.owners()["b/s/7.0/0"] == 5


def test_whoever_has_faded_expires_by_age(make: Make) -> None:
    talk = three_who_faded(make, retention_s=380.0)
    passes(talk, "b/s/7.0/0", LONG_S + 60, axis(9))

    assert faded(talk) == {3}
    assert {(event.identity_id, event.kind) for event in talk.events if event.kind == "expired"} == {
        (1, "expired"),
        (2, "expired"),
    }
    assert "a/s/0.0/0" not in talk.owners()


def test_of_too_many_people_those_who_faded_expire_first(make: Make) -> None:
    talk = three_who_faded(make, max_identities=2)

    assert {one.number for one in talk.store.identities(0, 9)} == {3, 4}
    assert faded(talk) == {3}
    passes(talk, "b/s/7.0/0", LONG_S + 60, axis(5))
    assert {one.number for one in talk.store.identities(0, 9)} == {4, 5}
    assert talk.worker.faded() == 0


def test_a_gallery_that_is_killed_at_any_window_decides_as_one_that_is_not(store: Store) -> None:
    def decided(talk: Talk, *, killed: bool) -> tuple[Any, ...]:
        for number in range(12):
            passes(talk, f"{'abc'[number % 3]}/s/{number}.0/0", 90.0 * number, axis(number % 5))
            if killed:
                talk.restart()
        people = [(one.number, one.faded, one.tracklets) for one in talk.store.identities(0, 99)]
        return talk.owners(), people, {event.event_id.partition("/")[2] for event in talk.events}

    assert decided(Talk(store, **FADING), killed=True) == decided(Talk(**FADING), killed=False)


def test_whoever_has_faded_is_in_a_backup_and_comes_back_where_it_is_restored(redis_url: str, tmp_path: Path) -> None:
    client: Any = redis.Redis.from_url(redis_url)
    site = f"site-{uuid.uuid4().hex[:8]}"
    three_who_faded(lambda: Talk(RedisStore(client, site), **FADING))
    back_up(client, site, tmp_path / "b")
    restore(client, Reader(tmp_path / "b"), f"{site}-copy", plan_of(GallerySettings(**FADING)).rules)

    talk = Talk(RedisStore(client, f"{site}-copy"), first_offset=1_000, **FADING)
    passes(talk, "b/s/7.0/0", LONG_S + 60, axis(1))
    assert talk.owners()["b/s/7.0/0"] == 2
    assert faded(talk) == {1, 3}
    client.close()


def goes_on(talk: Talk, name: str, first_s: float, look: Any) -> None:
    """Let somebody pass before a gallery that finds out that its store has lost data."""
    with pytest.raises(StoreConflict):
        passes(talk, name, first_s, look)
    passes(talk, name, first_s, look)


def test_whoever_faded_in_a_write_that_the_store_has_lost_is_not_deleted() -> None:
    store = ForgetfulStore("site")
    talk = Talk(store, **FADING)
    passes(talk, "a/s/0.0/0", 0, axis(0))
    kept = len(store.writes)
    passes(talk, "a/s/9.0/0", LONG_S, axis(9))
    assert faded(talk) == {1}

    store.forget(kept)
    assert faded(talk) == set()
    goes_on(talk, "b/s/7.0/0", LONG_S + 60, axis(0))
    assert talk.owners()["b/s/7.0/0"] == 1
    assert [one.number for one in store.identities(0, 9)] == [1, 2]


def test_whoever_came_back_in_a_write_that_the_store_has_lost_is_back() -> None:
    store = ForgetfulStore("site")
    talk = three_who_faded(lambda: Talk(store, **FADING))
    kept = len(store.writes)
    passes(talk, "b/s/7.0/0", LONG_S + 60, axis(1))

    store.forget(kept)
    assert faded(talk) == {1, 2, 3}
    goes_on(talk, "c/s/9.0/0", LONG_S + 110, axis(9))
    assert faded(talk) == {1, 3}
    assert talk.owners()["b/s/7.0/0"] == 2


def test_whoever_was_erased_in_a_write_that_the_store_has_lost_stays_erased() -> None:
    store = ForgetfulStore("site")
    talk = three_who_faded(lambda: Talk(store, **FADING))
    kept = len(store.writes)
    assert talk.say("erase", identity_id=2).refused == ""

    store.forget(kept)
    assert faded(talk) == {1, 2, 3}
    goes_on(talk, "c/s/9.0/0", LONG_S + 110, axis(9))
    assert faded(talk) == {1, 3}
    assert store.identity(2) is None


def test_prototypes_of_the_faded_are_kept_apart_and_come_back_with_them(store: Store) -> None:
    look = Prototype("mean", "door", "m", np.arange(8, dtype=np.float32), 2.5)
    gone = type(person(1))(1, 0, 10**9, ("door",), 1, faded=True)
    store.write(write(0, identities=[person(1)], prototypes={1: (look,)}))
    store.write(write(1, identities=[gone], prototypes={1: (look,)}))

    snapshot = store.load(0)
    assert (list(snapshot.identities), dict(snapshot.prototypes), list(snapshot.faded)) == ([], {}, [1])
    assert store.identity(1) == gone
    assert store.faded([1, 2])[0].prototypes[0].vector.tolist() == look.vector.tolist()
    assert [one.identity.number for one in store.faded_after(0, 5)] == [1]
    assert store.faded_after(1, 5) == []
    assert store.counts().faded == 1
    store.write(write(2, identities=[person(1)], prototypes={1: (look,)}))
    assert store.faded([1]) == []
    assert set(store.load(0).prototypes) == {1}
    assert store.counts().faded == 0


def test_a_pass_goes_through_all_pages_and_the_next_one_looks_for_whoever_is_new_since() -> None:
    sweep = Sweep(5, 5).begun(8)
    assert sweep == Sweep(5, 8)
    sweep = sweep.moved(40, 9)
    assert sweep == Sweep(5, 8, 40)
    assert sweep.begun(9) == sweep
    assert sweep.moved(None, 9) == Sweep(8, 9)
    assert Sweep(0, 0).begun(1_000_000).end <= 512


def test_nobody_may_fade_whose_tracklets_are_in_memory() -> None:
    with pytest.raises(ValueError, match=r"fade_after_s is 60: it must be 0, or at least horizon_s, 900"):
        GallerySettings(fade_after_s=60)
    assert plan_of(GallerySettings(fade_after_s=900)).rules.fade_ns == 900 * 10**9
