"""All stores behave the same: the reference in memory, and Redis."""

import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import redis

from gallery.errors import StoreConflict, StoreUnavailable
from gallery.store.layout import LAYOUT
from gallery.store.names import name_entry
from gallery.store.people import is_wanted
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.sites import RedisSites
from gallery.store.store import (
    Identity,
    Learnt,
    PeopleQuery,
    Prototype,
    Store,
    StoredProgress,
    StoredTracklet,
    TrackQuery,
    Write,
)
from gallery.zones.zone import Zone
from wire.messages import CameraProgress, IdentityEvent, Tracklet
from wire.settings import RedisSettings
from wire.tracklet_id import TrackletId

S = 1_000_000_000


def tracklet(name: str = "door/s/1/0", *, first_s: float = 0, last_s: float = 1, revision: int = 0) -> Tracklet:
    times = np.array([first_s * S, last_s * S], np.int64)
    return Tracklet(
        tracklet_id=name,
        camera_id=TrackletId.parse(name).camera_id,
        site_id="site",
        revision=revision,
        closed=False,
        times_ns=times,
        frames=np.array([1, 2]),
        boxes=np.ones((2, 4), np.float32),
        scores=np.ones(2, np.float32),
        embedding=np.eye(1, 8, dtype=np.float16)[0],
        model_id="m",
        quality=0.5,
        frames_used=2,
        crop=b"jpeg",
    )


def row(name: str = "door/s/1/0", owner: int | None = 1, **times: Any) -> StoredTracklet:
    return StoredTracklet(tracklet(name, **times), owner, 0.75, None if owner is None else event(owner))


def event(number: int, kind: Any = "created") -> IdentityEvent:
    return IdentityEvent(
        event_id=f"{kind}-{number}",
        kind=kind,
        site_id="site",
        identity_id=number,
        previous_ids=(),
        tracklet_id="door/s/1/0",
        camera_id="door",
        probability=1.0,
        reason="because",
        time_ns=S,
    )


def person(number: int, *, previous: tuple[int, ...] = ()) -> Identity:
    return Identity(number, 0, S, ("door",), 1, previous)


def write(version: int, **changes: Any) -> Write:
    return Write(**{"version": version, "now_ns": 2 * S, "next_identity": 2, **changes})


def written_by_the_first_version(store: Store, client: "redis.Redis") -> None:
    """Reduce a site in Redis to its first layout."""
    prefix = f"climbtrack:{{{store.site_id}}}:"
    found: Any = client
    for key in found.keys(f"{prefix}sightings*"):
        found.delete(key)
    for name, head in found.hgetall(f"{prefix}heads").items():
        revision, owner, _, camera = head.split(b"|")
        found.hset(f"{prefix}heads", name, b"|".join((revision, owner, camera)))
    found.hdel(f"{prefix}meta", "layout")


def names(rows: list[StoredTracklet]) -> list[str]:
    return [row.tracklet.tracklet_id for row in rows]


def test_a_site_that_was_never_written_is_empty(store: Store) -> None:
    snapshot = store.load(S)

    assert (snapshot.version, snapshot.next_identity, snapshot.now_ns) == (0, 1, 0)
    assert not snapshot.identities
    assert not snapshot.tracklets
    assert store.find(TrackQuery()) == []
    assert store.identity(1) is None
    assert store.crop("door/s/1/0") is None
    assert store.progress() == {}


def test_a_written_site_can_be_loaded(store: Store) -> None:
    look = Prototype("mean", "door", "m", np.arange(8, dtype=np.float32), 2.5)
    hard = Prototype("hard", "door", "m", np.ones(8, np.float32), 1.0, "door/s/1/0")
    change = write(
        0,
        tracklets=[row()],
        crops={"door/s/1/0": b"\xff\xd8\x00|binary"},
        identities=[person(1)],
        prototypes={1: (look, hard)},
        calibration=b"\x00\xff|",
        events=[event(1)],
    )

    assert store.write(change) == "applied"

    snapshot = store.load(10 * S)
    assert (snapshot.version, snapshot.now_ns, snapshot.next_identity) == (1, 2 * S, 2)
    assert snapshot.calibration == b"\x00\xff|"
    assert list(snapshot.identities) == [person(1)]
    first, second = snapshot.prototypes[1]
    np.testing.assert_array_equal(first.vector, look.vector)
    assert (first.kind, first.weight, second.kind, second.tracklet_id) == ("mean", 2.5, "hard", "door/s/1/0")
    (stored,) = snapshot.tracklets
    assert (stored.identity_id, stored.probability) == (1, 0.75)
    assert stored.event is not None
    assert stored.event.event_id == "created-1"
    np.testing.assert_array_equal(stored.tracklet.boxes, np.ones((2, 4)))
    assert stored.tracklet.crop == b""
    assert store.crop("door/s/1/0") == b"\xff\xd8\x00|binary"
    assert [entry.event.event_id for entry in snapshot.unpublished] == ["created-1"]


def test_what_a_site_has_learnt_can_be_read_alone(store: Store) -> None:
    assert store.learnt() == Learnt(version=0, now_ns=0, next_identity=1, calibration=b"")
    store.write(Write(version=0, now_ns=5 * S, next_identity=4, calibration=b"what was learnt", tracklets=[row()]))
    assert store.learnt() == Learnt(version=1, now_ns=5 * S, next_identity=4, calibration=b"what was learnt")


def test_a_write_that_is_repeated_changes_nothing(store: Store) -> None:
    change = write(0, tracklets=[row()], identities=[person(1)], events=[event(1)])
    store.write(change)

    assert store.write(change) == "already"

    assert store.load(S).version == 1
    assert store.counts().events == 1


def test_a_write_on_another_version_is_refused_and_changes_nothing(store: Store) -> None:
    store.write(write(0, tracklets=[row()]))

    with pytest.raises(StoreConflict):
        store.write(write(0, tracklets=[row("door/s/1/0", revision=1), row("hall/s/1/0")], identities=[person(1)]))

    assert store.load(S).version == 1
    assert names(store.find(TrackQuery())) == ["door/s/1/0"]
    assert store.identity(1) is None


def test_a_write_without_tracklets_is_never_mistaken_for_a_repeated_one(store: Store) -> None:
    assert store.write(write(0)) == "applied"
    with pytest.raises(StoreConflict):
        store.write(write(0))


def test_a_later_revision_replaces_the_row_and_its_owner(store: Store) -> None:
    store.write(write(0, tracklets=[row(owner=None)]))
    assert store.find(TrackQuery())[0].identity_id is None

    store.write(write(1, tracklets=[row(owner=3, revision=1, last_s=5)]))

    (stored,) = store.find(TrackQuery(identity_id=3))
    assert (stored.tracklet.revision, stored.tracklet.last_ns) == (1, 5 * S)


def test_a_merged_number_leads_to_the_surviving_one_with_all_its_rows(store: Store) -> None:
    store.write(write(0, tracklets=[row("a/s/1/0", 1), row("b/s/1/0", 2)], identities=[person(1), person(2)]))
    store.write(write(1, tracklets=[row("c/s/1/0", 3)], identities=[person(3)], prototypes={3: ()}))

    store.write(write(2, merged={3: 2}, identities=[person(2, previous=(3,))]))
    store.write(write(3, merged={2: 1}, identities=[person(1, previous=(2, 3))]))

    assert store.identity(3) == store.identity(2) == store.identity(1) == person(1, previous=(2, 3))
    assert store.identities(0, 10) == [person(1, previous=(2, 3))]
    assert sorted(names(store.find(TrackQuery(identity_id=1)))) == ["a/s/1/0", "b/s/1/0", "c/s/1/0"]
    assert store.find(TrackQuery(identity_id=3)) == []
    assert list(store.load(S).prototypes) == []


def test_a_row_moves_to_another_identity(store: Store) -> None:
    store.write(write(0, tracklets=[row("a/s/1/0", 1), row("b/s/1/0", 1)]))
    store.write(write(1, moved={"b/s/1/0": 2, "unknown/s/1/0": 2}))

    assert names(store.find(TrackQuery(identity_id=1))) == ["a/s/1/0"]
    assert names(store.find(TrackQuery(identity_id=2))) == ["b/s/1/0"]
    assert store.tracklets(["b/s/1/0", "unknown/s/1/0"])[0].identity_id == 2


def test_an_expired_identity_takes_its_rows_crops_and_old_numbers_with_it(store: Store) -> None:
    store.write(write(0, tracklets=[row("a/s/1/0", 1), row("b/s/1/0", 2)], crops={"a/s/1/0": b"a", "b/s/1/0": b"b"}))
    store.write(write(1, merged={9: 1}, identities=[person(1, previous=(9,)), person(2)], prototypes={1: (), 2: ()}))

    store.write(write(2, expired=[person(1, previous=(9,))]))

    assert store.identity(1) is None
    assert store.identity(9) is None
    assert names(store.find(TrackQuery())) == ["b/s/1/0"]
    assert store.crop("a/s/1/0") is None
    assert store.crop("b/s/1/0") == b"b"
    assert list(store.load(S).prototypes) == [2]


def test_rows_that_are_too_old_are_deleted(store: Store) -> None:
    store.write(write(0, tracklets=[row("a/s/1/0", last_s=1), row("a/s/2/0", last_s=2), row("a/s/3/0", last_s=3)]))
    store.write(write(1, expire_before_ns=3 * S))

    assert names(store.find(TrackQuery())) == ["a/s/3/0"]
    assert store.counts().tracklets == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(TrackQuery(), ["a/s/2/0", "b/s/1/0", "a/s/1/0"], id="everything, newest first"),
        pytest.param(TrackQuery(limit=1), ["a/s/2/0"], id="the newest"),
        pytest.param(TrackQuery(limit=0), [], id="nothing"),
        pytest.param(TrackQuery(camera_id="a"), ["a/s/2/0", "a/s/1/0"], id="one camera"),
        pytest.param(TrackQuery(camera_id="a", identity_id=1), ["a/s/1/0"], id="one person in one camera"),
        pytest.param(TrackQuery(from_ns=6 * S), ["a/s/2/0", "b/s/1/0"], id="not over before"),
        pytest.param(TrackQuery(to_ns=4 * S), ["b/s/1/0", "a/s/1/0"], id="begun by then"),
        pytest.param(TrackQuery(from_ns=5 * S, to_ns=5 * S), ["b/s/1/0", "a/s/1/0"], id="at one moment"),
        pytest.param(TrackQuery(from_ns=21 * S), [], id="after everything"),
        pytest.param(TrackQuery(camera_id="c"), [], id="a camera without tracklets"),
    ],
)
def test_queries_find_by_camera_identity_and_time(store: Store, query: TrackQuery, expected: list[str]) -> None:
    rows = [row("a/s/1/0", 1, first_s=0, last_s=5), row("b/s/1/0", 1, first_s=2, last_s=9)]
    store.write(write(0, tracklets=[*rows, row("a/s/2/0", 2, first_s=8, last_s=20)]))

    assert names(store.find(query)) == expected


def test_only_recent_tracklets_are_loaded(store: Store) -> None:
    rows = [row("a/s/2/0", last_s=50), row("a/s/1/0", last_s=90), row("a/s/3/0", last_s=89)]
    store.write(write(0, now_ns=100 * S, tracklets=rows))

    assert names(list(store.load(20 * S).tracklets)) == ["a/s/3/0", "a/s/1/0"]


def test_identities_come_in_pages(store: Store) -> None:
    store.write(write(0, identities=[person(3), person(1), person(12), person(7)]))

    assert [identity.number for identity in store.identities(0, 2)] == [1, 3]
    assert [identity.number for identity in store.identities(3, 10)] == [7, 12]
    assert store.identities(12, 10) == []


@pytest.mark.parametrize("by_last", [False, True], ids=["by number", "last seen first"])
@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param({"name": "ann"}, id="name"),
        pytest.param({"tag": "STAFF"}, id="tag"),
        pytest.param({"hidden": True}, id="hidden"),
        pytest.param({"hidden": False}, id="not hidden"),
        pytest.param({"camera_id": "b"}, id="camera"),
        pytest.param({"from_ns": 20 * S, "to_ns": 70 * S}, id="time"),
    ],
)
def test_pages_of_people_together_are_all_of_them_in_order(
    store: Store, chosen: dict[str, Any], *, by_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.store.people.PAGE", 4)  # fewer than there are, so that they are read in parts
    people = [
        Identity(number, (number % 5) * S, (10 * (number % 7) + 10) * S, ("a", "b")[: number % 2 + 1], 1,
                 name=("", "Anna", "Joanna")[number % 3], hidden=number % 4 == 0, tags=((), ("a", "Staff"))[number % 2])
        for number in range(1, 31)
    ]  # fmt: skip
    store.write(write(0, identities=people))
    wanted = [one for one in people if is_wanted(one, PeopleQuery(**chosen))]
    if by_last:
        wanted.sort(key=lambda one: (one.last_ns, str(one.number)), reverse=True)

    found: list[Identity] = []
    query: PeopleQuery | None = PeopleQuery(**chosen, by_last=by_last, limit=3)
    while query is not None:
        page = store.people(query)
        found += page.identities
        query = None if page.next is None else replace(query, after=page.next)

    assert found == wanted
    assert len(wanted) > 6


def test_events_stay_unpublished_until_they_are_confirmed(store: Store) -> None:
    store.write(write(0, events=[event(1), event(1, "updated"), event(2)]))
    store.confirm(2)
    store.confirm(1)

    (left,) = store.load(S).unpublished
    assert (left.seq, left.event.event_id) == (3, "created-2")
    assert [entry.seq for entry in store.journal(0, 2)] == [1, 2]
    assert store.last_event() == 3
    assert [entry.event.kind for entry in store.journal(1, 5)] == ["updated", "created"]


def test_a_journal_without_events_ends_at_0(store: Store) -> None:
    assert store.last_event() == 0
    store.write(write(0))
    assert store.last_event() == 0


def test_events_that_do_not_exist_yet_are_not_confirmed(store: Store) -> None:
    store.write(write(0, events=[event(1)]))
    store.confirm(7)
    store.write(write(1, events=[event(2)]))

    assert [entry.seq for entry in store.load(S).unpublished] == [2]


def test_a_number_that_exists_is_nobody_else_whoever_claims_it(store: Store) -> None:
    store.write(write(0, identities=[person(1, previous=(2, 3)), person(2)]))

    assert [store.identity(number) for number in (2, 3)] == [person(2), person(1, previous=(2, 3))]


def test_the_journal_drops_its_oldest_events(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.store.memory.JOURNAL_LENGTH", 3)
    monkeypatch.setattr("gallery.store.write_arguments.JOURNAL_LENGTH", 3)
    store.write(write(0, events=[event(number) for number in range(1, 6)]))

    assert [entry.seq for entry in store.journal(0, 10)] == [3, 4, 5]


def test_the_progress_of_a_camera_is_kept_until_it_is_forgotten(store: Store) -> None:
    def progress(camera: str, time_s: int) -> StoredProgress:
        message = CameraProgress(
            camera_id=camera,
            site_id="site",
            stream_id="s",
            time_ns=time_s * S,
            frames=1,
            analysed=1,
            dropped=0,
            tracklets=0,
        )
        return StoredProgress(message, 100 + time_s, 7, ((98, S), (100 + time_s, time_s * S)))

    store.save_progress([progress("a", 1), progress("b", 2)])
    store.save_progress([progress("a", 3)])
    store.save_progress([])
    store.forget_camera("b")

    (known,) = store.progress().values()
    assert (known.progress.camera_id, known.progress.time_ns, known.offset, known.sent_ns) == ("a", 3 * S, 103, 7)
    assert known.reports == ((98, S), (103, 3 * S))


def test_sites_share_nothing(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    one, other = (RedisStore(client, f"site-{uuid.uuid4().hex[:8]}") for _ in range(2))
    one.write(write(0, tracklets=[row()], identities=[person(1)]))

    assert other.load(S).version == 0
    assert other.find(TrackQuery()) == []
    client.close()


def test_the_sites_that_were_written_are_known_by_name(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    RedisStore(client, "written").write(Write(version=0, now_ns=S, next_identity=1))
    RedisStore(client, "only-read").load(S)
    names = RedisSites(client).names()
    assert "written" in names
    assert "only-read" not in names
    client.close()


DOOR = Zone(zone_id="z", name="Door", camera_id="a", kind="area", points=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))


def test_the_sites_with_alerts_are_known_and_looked_for_again_only_after_a_while(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    now = [0.0]
    sites = RedisSites(client, clock=lambda: now[0])
    one, other = (RedisStore(client, f"site-{uuid.uuid4().hex[:8]}") for _ in range(2))
    one.write(Write(version=0, now_ns=S, next_identity=1))
    one.alerting.save_zone(DOOR)
    assert one.site_id in sites.with_alerts()
    other.alerting.save_zone(DOOR)
    now[0] = 29.0
    assert other.site_id not in sites.with_alerts()
    now[0] = 30.0
    assert {one.site_id, other.site_id} <= set(sites.with_alerts())
    client.close()


def test_every_key_of_a_site_carries_its_hash_tag(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    site = f"site-{uuid.uuid4().hex[:8]}"
    store = RedisStore(client, site)
    before = set(client.scan_iter("*", count=1000))
    store.write(write(0, tracklets=[row()], identities=[person(1)], prototypes={1: ()}, events=[event(1)]))

    new = {key.decode() for key in set(client.scan_iter("*", count=1000)) - before if site.encode() in key}
    assert len(new) >= 8
    assert all(key.startswith(f"climbtrack:{{{site}}}:") for key in new)
    client.close()


def test_an_unreachable_redis_is_named_without_its_password() -> None:
    settings = RedisSettings(url="redis://someone:topsecret@127.0.0.1:1/0")
    store = RedisStore(connect(settings), "site")

    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1") as caught:
        store.ping()
    assert "topsecret" not in str(caught.value)


def test_presences_without_a_long_gap_are_one_sighting_per_camera(store: Store) -> None:
    store.write(
        write(
            0,
            tracklets=[row("door/s/1/0", last_s=4), row("hall/s/1/0", first_s=1, last_s=2), row("gate/s/1/0", owner=2)],
        )
    )
    assert store.sightings([1, 2, 3]) == [2, 1, 0]

    store.write(write(1, tracklets=[row("door/s/2/0", first_s=6, last_s=7), row("door/s/3/0", first_s=9.1, last_s=10)]))

    assert store.sightings([1]) == [3]


def test_a_sighting_is_split_when_the_tracklet_that_joined_it_moves_to_another_person(store: Store) -> None:
    spans = {"door/s/1/0": (0, 2), "door/s/2/0": (3, 5), "door/s/3/0": (6, 8)}
    store.write(write(0, tracklets=[row(name, first_s=first, last_s=last) for name, (first, last) in spans.items()]))
    assert store.sightings([1, 2]) == [1, 0]

    store.write(write(1, moved={"door/s/2/0": 2}))
    assert store.sightings([1, 2]) == [2, 1]

    store.write(write(2, merged={2: 1}))
    assert store.sightings([1, 2]) == [1, 0]


def test_sightings_are_deleted_with_their_rows_and_with_their_person(store: Store) -> None:
    store.write(
        write(
            0,
            tracklets=[
                row("door/s/1/0", last_s=2),
                row("hall/s/2/0", first_s=9, last_s=10),
                row("gate/s/1/0", owner=2),
            ],
        )
    )

    store.write(write(1, expire_before_ns=3 * S))
    assert store.sightings([1, 2]) == [1, 0]

    store.write(write(2, expired=[person(1)]))
    assert store.sightings([1]) == [0]


def test_sightings_of_a_site_that_an_earlier_version_wrote_are_counted(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    store = RedisStore(client, f"site-{uuid.uuid4().hex[:8]}")
    rows = [
        row("door/s/1/0", last_s=2),
        row("door/s/2/0", first_s=3, last_s=5),
        row("hall/s/1/0"),
        row("hall/s/9/0", None),
    ]
    store.write(write(0, tracklets=rows))
    written_by_the_first_version(store, client)

    # Then the API counts them although no gallery runs, nothing is written on top of the old layout,
    assert store.sightings([1, 2]) == [2, 0]
    with pytest.raises(StoreConflict):
        store.write(write(1, moved={"door/s/2/0": 2}))
    # and the gallery that starts brings the site up to date
    store.load(0)
    assert store.sightings([1, 2]) == [2, 0]
    store.write(write(1, moved={"door/s/2/0": 2}))
    assert store.sightings([1, 2]) == [2, 1]
    client.close()


def test_people_of_a_site_that_an_earlier_version_wrote_are_listed_by_when_they_were_seen_last(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    store = RedisStore(client, f"site-{uuid.uuid4().hex[:8]}")
    people = [replace(person(number), last_ns=last_s * S) for number, last_s in ((1, 5), (2, 9), (3, 7))]
    store.write(write(0, identities=people))
    client.delete(f"climbtrack:{{{store.site_id}}}:by-last")
    client.hset(f"climbtrack:{{{store.site_id}}}:meta", "layout", 2)

    store.load(0)

    assert [one.number for one in store.people(PeopleQuery(by_last=True)).identities] == [2, 3, 1]
    client.close()


@pytest.mark.parametrize("by_last", [False, True], ids=["by number", "last seen first"])
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param({"name": "ann"}, [1, 3], id="any case, and inside a name"),
        pytest.param({"name": "STRASSE"}, [4], id="letters that fold into two"),
        pytest.param({"name": "n*a"}, [5], id="a star means itself"),
        pytest.param({"name": "[a]?\\"}, [6], id="and so do other signs"),
        pytest.param({"name": "1"}, [], id="a number is no name"),
        pytest.param({"name": "staff"}, [2], id="a tag is no name"),
        pytest.param({"tag": "staff"}, [1], id="a name is no tag"),
        pytest.param({"tag": "taff"}, [], id="a part of a tag is none"),
        pytest.param({"tag": "VIP", "name": "o"}, [3], id="both"),
        pytest.param({"name": "\udcff"}, [], id="bytes that are no text"),
    ],
)
def test_people_are_found_by_what_they_are_called(
    store: Store, chosen: dict[str, Any], expected: list[int], *, by_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.store.candidates.WALKED", 2)  # fewer than there are
    called = ("Anna", "Staff"), ("Staff",), ("Johanna", "vip"), ("Straße 7",), ("N*A", "vip"), ("[A]?\\",), ("Nina",)
    people = [replace(person(number), name=name, tags=tuple(tags)) for number, (name, *tags) in enumerate(called, 1)]
    store.write(write(0, identities=people))

    found = store.people(PeopleQuery(**chosen, by_last=by_last)).identities

    assert sorted(one.number for one in found) == expected


def test_who_is_called_otherwise_merged_or_gone_is_not_found_under_the_old_name(store: Store) -> None:
    store.write(write(0, identities=[replace(person(number), name="Anna") for number in (1, 2, 3, 4)]))
    store.write(write(1, identities=[replace(person(1), name="Berta"), replace(person(2), tags=("Anna",))]))
    store.write(write(2, merged={3: 1}, expired=[person(4)]))

    assert store.people(PeopleQuery(name="anna")).identities == []
    assert [one.number for one in store.people(PeopleQuery(name="berta")).identities] == [1]


def test_a_site_that_is_written_while_it_is_brought_up_to_date_has_nobody_whom_that_erased(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = redis.Redis.from_url(redis_url)
    store = RedisStore(client, f"site-{uuid.uuid4().hex[:8]}")
    prefix = f"climbtrack:{{{store.site_id}}}:"
    store.write(write(0, identities=[replace(person(number), name=f"Anna {number}") for number in (1, 2)]))
    client.delete(f"{prefix}names")
    client.hset(f"{prefix}meta", "layout", 3)

    def erased_meanwhile(identity: Identity) -> str:
        monkeypatch.setattr("gallery.store.layout.name_entry", name_entry)
        client.hdel(f"{prefix}identities", "1", "2")  # as a gallery of layout 3 does
        client.hincrby(f"{prefix}meta", "version", 1)
        return name_entry(identity)

    monkeypatch.setattr("gallery.store.layout.name_entry", erased_meanwhile)
    store.load(0)

    assert client.zrange(f"{prefix}names", 0, -1) == []
    assert client.hget(f"{prefix}meta", "layout") == str(LAYOUT).encode()
    client.close()


def test_tracklets_of_a_camera_whose_clock_is_before_1970_are_kept(store: Store) -> None:
    rows = [row("door/s/1/0", first_s=-9, last_s=-5), row("door/s/2/0", first_s=-4, last_s=3)]
    store.write(write(0, tracklets=rows, expire_before_ns=-99 * S))
    assert store.sightings([1]) == [1]

    store.write(write(1, moved={"door/s/2/0": 2}, expire_before_ns=-99 * S))

    assert store.sightings([1, 2]) == [1, 1]
    assert names(store.find(TrackQuery(to_ns=-5 * S))) == ["door/s/1/0"]
