"""Trackers are independent of each other, and a restored one goes on as if nothing had happened."""

import numpy as np
import pytest

from reid_worker.detectors.detection import Detections
from reid_worker.track import Tracker, TrackerOptions

OPTIONS = TrackerOptions()


def _walkers(frame: int, rng: np.random.Generator) -> Detections:
    """Return three people who cross each other's ways; every now and then one is missed."""
    starts = np.array([[20 + 8 * frame, 50], [420 - 8 * frame, 60], [200, 20 + 5 * frame]], np.float32)
    noise = rng.normal(0, 1.5, (3, 2)).astype(np.float32)
    seen = rng.random(3) > 0.15
    corners = (starts + noise)[seen]
    scores = rng.uniform(0.3, 0.95, 3).astype(np.float32)[seen]
    return Detections(np.concatenate((corners, corners + np.array([40, 100], np.float32)), axis=1), scores)


@pytest.mark.parametrize("cut", [1, 7, 20, 38])
def test_a_restored_tracker_gives_the_same_ids(cut: int) -> None:
    rng = np.random.default_rng(11)
    frames = [_walkers(n, rng) for n in range(40)]
    whole, first = Tracker(OPTIONS, 10.0), Tracker(OPTIONS, 10.0)
    expected = [whole.update(found, n / 10).tolist() for n, found in enumerate(frames)]

    ids = [first.update(found, n / 10).tolist() for n, found in enumerate(frames[:cut])]
    second = Tracker(OPTIONS, 10.0, first.save())
    ids += [second.update(found, n / 10).tolist() for n, found in enumerate(frames[cut:], cut)]

    assert ids == expected
    assert second.save() == whole.save()
    assert second.alive() == whole.alive()


def test_two_cameras_do_not_share_ids() -> None:
    found = Detections(np.array([[0, 0, 20, 60]], np.float32), np.array([0.9], np.float32))
    first, second = Tracker(OPTIONS, 10.0), Tracker(OPTIONS, 10.0)
    for n in range(3):
        first.update(found, n / 10)
    second.update(found, 0.0)
    assert first.update(found, 0.3).tolist() == second.update(found, 0.1).tolist() == [0]


def test_a_track_is_waited_for_a_second_and_then_gone() -> None:
    found = Detections(np.array([[0, 0, 20, 60]], np.float32), np.array([0.9], np.float32))
    nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    tracker = Tracker(OPTIONS, 10.0)
    tracker.update(found, 0.0)
    tracker.update(found, 0.1)
    tracker.update(nobody, 1.0)
    assert tracker.alive() == {0}
    tracker.update(nobody, 1.2)
    assert tracker.alive() == set()


def test_weak_detections_continue_tracks_and_never_start_one() -> None:
    weak = Detections(np.array([[0, 0, 20, 60]], np.float32), np.array([0.3], np.float32))
    strong = Detections(weak.boxes, np.array([0.9], np.float32))
    tracker = Tracker(OPTIONS, 10.0)
    for n in range(3):
        assert tracker.update(weak, n / 10).tolist() == [-1]
    for n in range(3, 5):
        tracker.update(strong, n / 10)
    assert tracker.update(weak, 0.5).tolist() == [0]
