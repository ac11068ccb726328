"""What cameras, workers and stores do that they should not: decided as if they had not, or said aloud."""

from collections import defaultdict
from dataclasses import replace as replaced

import numpy as np
import pytest
from msgspec.structs import replace

from gallery.decision.scale_state import decode_scale
from gallery.store.memory import MemoryStore
from gallery.store.store import TrackQuery, Write
from tests.gallery_tools import LiveSite, axis, progress, tracklet
from wire.messages import CameraProgress, Tracklet

MINUTE = 60


def live(camera: str, time_s: float) -> CameraProgress:
    return progress(camera, time_s, mode="latency")


def passes(site: LiveSite, name: str, first_s: float, last_s: float, look: int, now_s: float | None = None) -> None:
    """Let somebody pass a camera, whose tracklet arrives at a time, at once by default."""
    camera = name.partition("/")[0]
    now_s = last_s + 1 if now_s is None else now_s
    site.show(tracklet(name, first_s, last_s, axis(look)), live(camera, now_s))


def together_in_one_camera(site: LiveSite) -> list[tuple[str, str]]:
    """Return the pairs of tracklets of one identity that one camera saw at the same time for over a second."""
    rows: dict[tuple[int, str], list[Tracklet]] = defaultdict(list)
    for row in site.store.find(TrackQuery(limit=100_000)):
        if row.identity_id is not None:
            rows[row.identity_id, row.tracklet.camera_id].append(row.tracklet)
    return [
        (one.tracklet_id, other.tracklet_id)
        for owned in rows.values()
        for place, one in enumerate(owned)
        for other in owned[:place]
        if min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns) > 1_000_000_000
    ]


def disjoint_cameras(site: LiveSite) -> dict[str, tuple[str, ...]]:
    """Return what a site has learnt about cameras that never see one person at the same time."""
    return dict(decode_scale(site.store.learnt().calibration)[2].disjoint_from)


@pytest.mark.parametrize("late_s", [5 * MINUTE, 40 * MINUTE], ids=["minutes", "beyond the horizon"])
def test_a_tracklet_that_comes_late_is_the_person_it_shows_and_not_one_seen_beside_it(late_s: float) -> None:
    # Given two people in camera a at the same time, of whom the tracklet of one is late
    site = LiveSite()
    passes(site, "b/s/1.0/0", 0, 10, look=0)
    passes(site, "b/s/2.0/0", 2, 12, look=1)
    passes(site, "a/s/1.0/0", 20, 30, look=0)
    passes(site, "b/s/3.0/0", late_s, late_s + 10, look=5)
    # When it comes, and another one that looks like the person seen beside it
    passes(site, "a/s/2.0/0", 20, 30, look=1, now_s=late_s + 20)
    passes(site, "a/s/3.0/0", 21, 29, look=0, now_s=late_s + 22)
    # Then the late one is the person it looks like, and nobody is in one camera twice at the same time
    assert site.identity_of("a/s/2.0/0") == site.identity_of("b/s/2.0/0")
    assert together_in_one_camera(site) == []


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_the_end_of_a_tracklet_that_comes_after_an_hour_replaces_its_beginning(*, restarted: bool) -> None:
    # Given a tracklet whose worker dies before its end, and an hour of other people
    site = LiveSite()
    site.show(tracklet("a/s/1.0/0", 0, 10, closed=False), live("a", 10))
    before = site.store.load(0)
    for minute in range(5, 65, 5):
        passes(site, f"b/s/{minute}.0/0", 60 * minute, 60 * minute + 5, look=2)
    if restarted:
        site.restart()
    # When another worker reads the same frames again, and sends its end
    site.show(tracklet("a/s/1.0/0", 0, 12, revision=1), live("a", 3700))
    # Then it counts once, with its last revision
    after = site.store.load(0)
    (identity,) = [one for one in after.identities if "a" in one.cameras]
    assert identity.number == before.identities[0].number
    assert identity.tracklets == 1
    assert [row.tracklet.revision for row in site.store.tracklets(["a/s/1.0/0"])] == [1]
    (mean,) = [p for p in after.prototypes[identity.number] if p.kind == "mean"]
    (old,) = [p for p in before.prototypes[identity.number] if p.kind == "mean"]
    assert mean.weight == pytest.approx(old.weight, rel=0.2)


def test_cameras_an_hour_apart_know_the_same_people_and_count_each_tracklet_once() -> None:
    # Given camera b, whose clock is an hour ahead, and three people who walk from a to b
    site = LiveSite()
    for person in range(3):
        for part, end_s in enumerate((8, 16, 20)):
            sent = tracklet(f"a/s/{person}.0/0", 5 * person, 5 * person + end_s, axis(person), revision=part)
            now_s = 5 * person + end_s + 1
            site.show(replace(sent, closed=part == 2), live("a", now_s), live("b", now_s + 3600))
        passes(site, f"b/s/{person}.0/0", 3630 + 5 * person, 3640 + 5 * person, look=person)
    # Then they are three people, of two tracklets each, and none is in camera a twice at the same time
    found = site.store.load(0).identities
    assert [one.tracklets for one in found] == [2, 2, 2]
    assert [one.cameras for one in found] == [("a", "b")] * 3
    assert together_in_one_camera(site) == []


def test_a_store_that_contradicts_itself_is_said_aloud_and_gives_no_number_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a store where somebody restored some keys: numbers start again, 2 is also a number merged into 1, and
    # prototypes of a ninth person have nobody
    store = MemoryStore("site")
    site = LiveSite(store)
    for person in range(3):
        passes(site, f"a/s/{person}.0/0", 20 * person, 20 * person + 10, look=person)
    one = store.load(0).identities[0]
    prototypes = store.load(0).prototypes[1]
    version = store.learnt().version
    broken = replaced(one, previous_ids=(2,))
    store.write(
        Write(version, store.learnt().now_ns, 2, identities=[broken], prototypes={1: prototypes, 9: prototypes})
    )
    # When the gallery starts, and somebody new comes, and the second person again
    site.restart()
    passes(site, "a/s/7.0/0", 100, 110, look=7)
    passes(site, "b/s/2.0/0", 120, 130, look=1)
    # Then each number is one person, and what was wrong was said
    assert [identity.number for identity in store.load(0).identities] == [1, 2, 3, 4]
    assert site.identity_of("a/s/7.0/0") == 4
    assert site.identity_of("b/s/2.0/0") == site.identity_of("a/s/1.0/0") == 2
    second = store.identity(2)
    assert second is not None
    assert second.number == 2
    for said in (
        "prototypes of 9, who do not exist",
        "2 exist, or were merged, more than once",
        "numbers go on from 4",
    ):
        assert said in caplog.text


def test_everybody_in_one_uniform_is_never_in_one_camera_twice_at_the_same_time() -> None:
    # Given six people who look alike to the last number, in two cameras, again and again
    site = LiveSite()
    rng = np.random.default_rng(1)
    for visit in range(6):
        for camera in "ab":
            firsts = 60 * visit + 20 * (camera == "b") + rng.uniform(0, 4, 6)
            sent = [tracklet(f"{camera}/s/{6 * visit + n}.0/0", first, first + 9) for n, first in enumerate(firsts)]
            site.show(*sent, live("a", firsts.max() + 12), live("b", firsts.max() + 12))
    # Then nobody is in two places at once, and there are no more people than were ever seen together
    assert together_in_one_camera(site) == []
    assert len(site.store.load(0).identities) == 6


def test_a_thousand_people_a_minute_are_a_thousand_people() -> None:
    # Given 300 people in 18 seconds, in four cameras
    rng = np.random.default_rng(2)
    looks = rng.normal(size=(300, 512))
    site = LiveSite()
    for second in range(18):
        sent = []
        for person in range(300 * second // 18, 300 * (second + 1) // 18):
            name = f"{'abcd'[person % 4]}/s/{person}.0/0"
            first = second + 0.9 * (person % 16) / 16
            look = looks[person] + 0.1 * rng.normal(size=512)
            sent.append(tracklet(name, first, first + 3, look))
        site.show(*sent, *(live(camera, second + 4.5) for camera in "abcd"))
    # Then each of them is somebody
    assert len(site.store.load(0).identities) == 300


def test_a_camera_that_is_moved_overnight_soon_sees_the_people_of_its_new_place() -> None:
    # Given two cameras that saw different places for a day, so that whoever both see at once is two people
    site = LiveSite()
    rng = np.random.default_rng(3)
    looks = rng.normal(size=(12, 32))

    def seen(person: int, camera: str, first_s: float) -> str:
        name = f"{camera}/s/{int(first_s * 10)}.0/0"
        look = looks[person] + 0.3 * rng.normal(size=32)
        now_s = first_s + (7 if camera == "a" else 8)
        site.show(tracklet(name, first_s, first_s + 6, look), live("a", now_s), live("b", now_s))
        return name

    for visit in range(48):
        seen(visit % 12, "a", 20 * visit)
        seen((visit + 6) % 12, "b", 20 * visit)
    assert disjoint_cameras(site) == {"a": ("b",), "b": ("a",)}
    # When one is moved, and both see the same people at the same time
    night = 12 * 3600
    both = [(seen(n % 12, "a", night + 20 * n), seen(n % 12, "b", night + 20 * n)) for n in range(60)]
    # Then it is known, and those who came last are one person in both
    assert disjoint_cameras(site) == {}
    assert all(site.identity_of(one) == site.identity_of(other) for one, other in both[-12:])


def test_whoever_is_in_sight_when_weights_change_keeps_their_number_and_is_known_by_both() -> None:
    # Given somebody known by the old weights, whose track goes on while workers get new ones
    site = LiveSite()
    site.show(tracklet("a/s/1.0/0", 0, 10), live("a", 11))
    site.show(tracklet("a/s/1.0/1", 10, 20, axis(3, 24), model_id="new"), live("a", 21))
    number = site.identity_of("a/s/1.0/0")
    assert number is not None
    # When they are seen elsewhere, by a worker with the new weights, and by one that still has the old ones
    site.show(tracklet("b/s/1.0/0", 40, 50, axis(3, 24), model_id="new"), live("b", 51))
    site.show(tracklet("c/s/1.0/0", 70, 80), live("c", 81))
    # Then they are the same person
    assert site.identity_of("a/s/1.0/1") == site.identity_of("b/s/1.0/0") == site.identity_of("c/s/1.0/0") == number
    assert {p.model_id for p in site.store.load(0).prototypes[number]} == {"m", "new"}
