"""What cameras, workers and stores do that they should not: decided as if they had not, or said aloud."""

from collections import defaultdict

import pytest
from msgspec.structs import replace

from gallery.store.store import TrackQuery
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
