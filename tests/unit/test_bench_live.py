"""Delays of live cameras, from the times at which records were sent."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from deploy.bench.live import live_cameras
from deploy.bench.live_delays import Delays, Spread
from gallery.score.mot import Boxes
from tests.bench.live_capacity import Trial, cameras_of, largest
from tests.bench.live_rtsp import NOBODY, numbers_of
from tests.gallery_tools import START, S, progress, tracklet
from wire.bus import Record
from wire.messages import AnyMessage, CameraProgress, IdentityEvent


def sent(at_s: float) -> Record:
    return Record("tracklets", 0, 0, "site", b"", START + round(at_s * S))


def event(tracklet_id: str, kind: str = "created", *, version: int = 0) -> IdentityEvent:
    return IdentityEvent(
        event_id=f"site/{tracklet_id}/0/{kind}/1/v{version}",
        kind=kind,  # type: ignore[arg-type]
        site_id="site",
        identity_id=1,
        previous_ids=(),
        tracklet_id=tracklet_id,
        camera_id="a",
        probability=1.0,
        reason="",
        time_ns=0,
    )


def merge(kept: int, *gone: int) -> IdentityEvent:
    return replace(event("", "merged"), identity_id=kept, previous_ids=gone)


def delays(*said: tuple[AnyMessage, float]) -> Delays:
    found = Delays()
    for message, at_s in said:
        found.add(message, sent(at_s))
    return found


def test_a_first_identity_counts_from_the_first_box_and_every_one_from_the_latest() -> None:
    name = "a/s/1/0"
    found = delays(
        (tracklet(name, 1.0, 2.0, closed=False), 2.5),
        (event(name), 3.0),
        (tracklet(name, 1.0, 4.0, revision=1, closed=False), 4.25),
        (event(name, "updated"), 4.5),
    )

    assert found.first_tracklet == [1.5]
    assert found.first_identity == [2.0]
    assert found.identity == [1.0, 0.5]
    assert found.decision() == [0.5, 0.25]
    assert found.people == 1


def live(camera: str, time_s: float) -> CameraProgress:
    return progress(camera, time_s, mode="latency", round_s=time_s)


def test_a_glimpse_that_waits_until_somebody_like_that_is_seen_again_is_no_slow_decision() -> None:
    """The longest of all decisions took 26 s: a glimpse, and one turn of the same video later another."""
    found = delays(
        (tracklet("a/s/1/0", 1.0, 1.2), 2.0),
        (live("a", 2.0), 2.0),
        (tracklet("a/s/2/0", 27.8, 28.0), 28.4),
        (live("a", 28.3), 28.4),
        (event("a/s/1/0", version=7), 28.5),
        (event("a/s/2/0", "matched", version=7), 28.5),
    )

    assert found.second_sighting() == [26.5]
    assert found.decision() == [pytest.approx(0.1)]


def test_a_gallery_that_stood_still_is_slow_by_every_window_that_waited() -> None:
    found = delays(
        (tracklet("a/s/1/0", 1.0, 2.0), 2.0),
        (live("a", 2.0), 2.0),
        (tracklet("a/s/2/0", 27.0, 28.0), 28.4),
        (live("a", 28.3), 28.4),
        (event("a/s/1/0", version=7), 28.5),
        (event("a/s/2/0", version=8), 28.5),
    )

    assert found.second_sighting() == []
    assert found.decision() == [26.5, pytest.approx(0.1)]


def test_a_camera_that_is_behind_the_others_is_decided_by_its_own_window_after_theirs() -> None:
    found = delays(
        (tracklet("a/s/1/0", 8.0, 9.0), 9.5),
        (live("a", 9.5), 9.5),
        (event("a/s/1/0", version=1), 11.5),
        (tracklet("b/s/1/0", 5.0, 6.0), 12.0),
        (live("b", 6.5), 12.0),
        (event("b/s/1/0", version=2), 12.1),
    )

    assert found.second_sighting() == []
    assert found.decision() == [2.0, pytest.approx(0.1)]


def test_the_end_of_a_track_is_no_delay_of_somebody_in_sight() -> None:
    name = "a/s/1/0"
    found = delays((tracklet(name, 1.0, 2.0), 9.0), (event(name), 9.5), (event("b/s/7/0"), 9.5))

    assert found.identity == []
    assert found.first_identity == [8.5]


def test_the_analysed_share_is_that_of_all_streams_of_a_camera() -> None:
    first = replace(progress("a", 1.0), stream_id="one", frames=10, analysed=10)
    again = replace(first, stream_id="two", frames=30, analysed=10)

    assert delays((first, 1.0), (again, 2.0)).analysed_share() == {"a": 0.5}


def test_a_spread_has_the_usual_percentiles() -> None:
    assert Spread.of([]) is None
    assert Spread.of([n / 100 for n in range(101)]) == Spread(101, 0.5, 0.95, 0.99, 1.0)


def test_videos_are_played_as_live_cameras_again_and_again() -> None:
    (camera,) = live_cameras([Path("site/door.mp4")])

    assert (camera.camera_id, camera.mode_in_use, camera.loop) == ("door", "latency", True)


def test_a_tracklet_has_the_number_that_its_identity_has_at_the_end() -> None:
    found = delays(
        (tracklet("a/s/1/0", 1.0, 2.0), 2.5),
        (tracklet("b/s/1/0", 1.0, 2.0), 2.5),
        (event("a/s/1/0"), 3.0),
        (replace(event("b/s/1/0"), identity_id=2), 3.0),
        (merge(2, 1), 4.0),
    )

    assert {shown.tracklet_id: number for shown, number in found.numbered()} == {"a/s/1/0": 2, "b/s/1/0": 2}


def test_each_person_of_the_truth_has_the_numbers_of_the_tracklets_that_mostly_show_them() -> None:
    boxes = np.tile(np.array([[10, 20, 40, 110]], np.float32), (3, 1))
    person = replace(
        tracklet("a/s/1/0", 1.0, 2.0),
        times_ns=np.array([1, 2, 3], np.int64),
        frames=np.array([5, 6, 7], np.int64),  # of a video of four frames: its frames 1, 2 and 3
        boxes=boxes,
        scores=np.ones(3, np.float32),
    )
    chair = replace(person, boxes=boxes + 500)
    truth = Boxes(
        frames=np.array([1, 2, 3], np.int64),
        ids=np.array([8, 8, 9], np.int64),
        boxes=np.tile(np.array([[10.0, 20.0, 30.0, 90.0]]), (3, 1)),
        counted=np.ones(3, np.bool_),
    )

    found = numbers_of([(person, 4), (chair, 5)], {"a": truth}, {"a": 4})

    assert found == {"8": {"4": 1}, NOBODY: {"5": 1}}


@pytest.mark.parametrize("most", [1, 5, 8])
def test_the_largest_number_of_cameras_that_holds_is_found(most: int) -> None:
    for limit in range(10):
        asked: list[int] = []
        assert largest(lambda n: asked.append(n) or n <= limit, most) == min(limit, most)  # type: ignore[func-returns-value]  # noqa: B023
        assert len(asked) == len(set(asked))
        assert max(asked) <= most


def test_more_cameras_than_videos_play_them_again_under_names_of_their_own() -> None:
    cameras = cameras_of([Path("a.mp4"), Path("b.mp4")], 3)
    assert [(camera.camera_id, camera.url, camera.loop) for camera in cameras] == [
        ("a-0", "a.mp4", True),
        ("b-1", "b.mp4", True),
        ("a-2", "a.mp4", True),
    ]


@pytest.mark.parametrize(
    ("p95_s", "share", "holds"), [(1.9, 0.96, True), (2.1, 1.0, False), (1.0, 0.9, False), (None, 1.0, False)]
)
def test_cameras_hold_if_all_are_analysed_and_people_are_known_in_time(
    p95_s: float | None, share: float, *, holds: bool
) -> None:
    assert Trial(4, p95_s, share, 1.0).holds(2.0) is holds
