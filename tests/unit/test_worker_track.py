"""Trackers are independent of each other, a restored one goes on as if nothing had happened, and looks keep people
apart where boxes do not."""

from collections.abc import Sequence
from typing import get_args

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from reid_worker.detectors.detection import Detections
from reid_worker.trackers.choose import new_tracker
from reid_worker.trackers.interface import Describer, Tracker, TrackerName, TrackerOptions, TrackerState, View
from reid_worker.trackers.looks import Look, Looks
from wire.similarity import SimilarityPrior

NAMES: tuple[TrackerName, ...] = get_args(TrackerName)
OPTIONS = TrackerOptions()
RED, BLUE = (0, 0, 250), (250, 0, 0)  # BGR
PRIOR = SimilarityPrior(same_mean=0.58, same_std=0.2, different_mean=0.0, different_std=0.2)

each_tracker = pytest.mark.parametrize("name", NAMES)


def _tracker(name: TrackerName = "appearance") -> Tracker:
    return new_tracker(TrackerOptions(name), 10.0)


def _found(*boxes: tuple[float, float, float, float], score: float = 0.9) -> Detections:
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32))


class Colours:
    """Embeds crops by their mean colours, and counts them."""

    def __init__(self) -> None:
        self.crops = 0

    def __call__(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return one row of 3 per RGB crop, of length 1."""
        self.crops += len(crops)
        rows = np.array([crop.reshape(-1, 3).mean(0) + 1 for crop in crops], np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _view(embed: Colours, *people: tuple[tuple[float, float, float, float], tuple[int, int, int]]) -> View:
    """Return a grey picture in which boxes are filled with colours, later ones in front."""
    image = np.full((200, 600, 3), 90, np.uint8)
    for (left, top, right, bottom), colour in people:
        image[int(top) : int(bottom), int(left) : int(right)] = colour
    return View(image, Describer(embed, PRIOR))


def _walkers(frame: int, rng: np.random.Generator) -> Detections:
    """Return three people who cross each other's ways; every now and then one is missed."""
    starts = np.array([[20 + 8 * frame, 50], [420 - 8 * frame, 60], [200, 20 + 5 * frame]], np.float32)
    noise = rng.normal(0, 1.5, (3, 2)).astype(np.float32)
    seen = rng.random(3) > 0.15
    corners = (starts + noise)[seen]
    scores = rng.uniform(0.3, 0.95, 3).astype(np.float32)[seen]
    return Detections(np.concatenate((corners, corners + np.array([40, 100], np.float32)), axis=1), scores)


def _picture(embed: Colours, found: Detections) -> View:
    """Return a picture of the people found; colour depends on where they are."""
    boxes = [(float(a), float(b), float(c), float(d)) for a, b, c, d in found.boxes]
    return _view(embed, *((box, RED if box[1] < 55 else BLUE) for box in boxes))


@each_tracker
@pytest.mark.parametrize("cut", [1, 7, 20, 38])
def test_a_restored_tracker_gives_the_same_ids(name: TrackerName, cut: int) -> None:
    rng, embed = np.random.default_rng(11), Colours()
    options = TrackerOptions(name)
    steps = [(found, n / 10, _picture(embed, found)) for n in range(40) for found in [_walkers(n, rng)]]
    whole, first = new_tracker(options, 10.0), new_tracker(options, 10.0)
    expected = [whole.update(*step).tolist() for step in steps]

    ids = [first.update(*step).tolist() for step in steps[:cut]]
    second = new_tracker(options, 10.0, first.save())
    ids += [second.update(*step).tolist() for step in steps[cut:]]

    assert ids == expected
    assert second.save() == whole.save()
    assert second.alive() == whole.alive()
    assert second.remembered() == whole.remembered()


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
def test_whoever_changes_the_tracker_keeps_the_tracks(before: TrackerName, after: TrackerName) -> None:
    found = _found((0, 0, 40, 120), (300, 0, 340, 120))
    old = _tracker(before)
    for n in range(4):
        old.update(found, n / 10)

    new = new_tracker(TrackerOptions(after), 10.0, old.save())

    assert new.update(found, 0.4).tolist() == old.update(found, 0.4).tolist() == [0, 1]


@each_tracker
def test_a_state_from_before_there_was_a_choice_is_one_of_bytetrack(name: TrackerName) -> None:
    found = _found((0, 0, 40, 120))
    old = _tracker("bytetrack")
    for n in range(4):
        old.update(found, n / 10)
    state = old.save()
    stored = [state.next_id, state.last_s, [msgspec.structs.astuple(track)[:7] for track in state.tracks]]

    read = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=TrackerState)

    assert new_tracker(TrackerOptions(name), 10.0, read).update(found, 0.4).tolist() == [0]


@each_tracker
def test_two_cameras_do_not_share_ids(name: TrackerName) -> None:
    found = _found((0, 0, 20, 60))
    first, second = _tracker(name), _tracker(name)
    for n in range(3):
        first.update(found, n / 10)
    second.update(found, 0.0)
    assert first.update(found, 0.3).tolist() == second.update(found, 0.1).tolist() == [0]


@each_tracker
def test_a_track_is_open_for_a_second_after_its_person_disappears(name: TrackerName) -> None:
    found = _found((0, 0, 20, 60))
    tracker = _tracker(name)
    tracker.update(found, 0.0)
    tracker.update(found, 0.1)
    tracker.update(_found(), 1.0)
    assert tracker.alive() == {0}
    tracker.update(_found(), 1.2)
    assert tracker.alive() == set()


@each_tracker
def test_weak_detections_never_start_a_track(name: TrackerName) -> None:
    tracker = _tracker(name)
    for n in range(3):
        assert tracker.update(_found((0, 0, 20, 60), score=0.3), n / 10).tolist() == [-1]


@pytest.mark.parametrize("name", ["appearance", "bytetrack", "botsort", "mcbyte"])
def test_weak_detections_continue_tracks(name: TrackerName) -> None:
    tracker = _tracker(name)
    for n in range(2):
        tracker.update(_found((0, 0, 20, 60)), n / 10)
    assert tracker.update(_found((0, 0, 20, 60), score=0.3), 0.2).tolist() == [0]


@pytest.mark.parametrize("fps", [2.0, 5.0, 10.0, 30.0])
def test_a_walker_is_one_track_at_any_frame_rate(fps: float) -> None:
    """1.4 m/s at a height of 150 px is 120 px a second: at 2 fps, two boxes of 50 px do not touch."""
    tracker = _tracker()
    ids = []
    for n in range(round(4 * fps)):
        left = 120 * n / fps
        ids += tracker.update(_found((left, 20, left + 50, 170)), n / fps).tolist()
    assert set(ids) == {0}


def test_a_walker_is_one_track_while_the_frame_rate_changes() -> None:
    times_s = np.cumsum([0.1] * 10 + [0.5] * 5 + [0.033] * 20 + [0.2] * 10)
    tracker = _tracker()
    ids = [tracker.update(_found((90 * t, 20, 90 * t + 50, 170)), float(t)).tolist() for t in times_s]
    assert ids == [[0]] * len(times_s)


@pytest.mark.parametrize(
    ("behind", "in_front", "ids"),
    [pytest.param(RED, BLUE, [0, 1], id="as before"), pytest.param(BLUE, RED, [1, 0], id="swapped")],
)
def test_looks_decide_between_boxes_that_overlap(
    behind: tuple[int, int, int], in_front: tuple[int, int, int], ids: list[int]
) -> None:
    """Somebody walks in front of somebody who stands; then either may be in either box."""
    stands = (100.0, 20.0, 160.0, 180.0)
    tracker, embed = _tracker(), Colours()
    for n in range(6):
        walks = (200.0 - 17 * n, 20.0, 260.0 - 17 * n, 180.0)
        tracker.update(_found(stands, walks), n / 10, _view(embed, (stands, RED), (walks, BLUE)))

    view = _view(embed, (stands, behind), (walks, in_front))

    assert tracker.update(_found(stands, walks), 0.6, view).tolist() == ids


@pytest.mark.parametrize(
    ("seen", "ids"),
    [pytest.param(RED, [1, 0], id="like itself"), pytest.param(BLUE, [1, -1], id="like who walks past")],
)
def test_a_weak_detection_beside_somebody_tracked_continues_only_who_it_looks_like(
    seen: tuple[int, int, int], ids: list[int]
) -> None:
    stands, near = (100.0, 20.0, 160.0, 180.0), (115.0, 20.0, 175.0, 180.0)
    tracker, embed = _tracker(), Colours()
    for n in range(6):
        walks = (205.0 - 18 * n, 20.0, 265.0 - 18 * n, 180.0)
        tracker.update(_found(stands, walks), n / 10, _view(embed, (stands, RED), (walks, BLUE)))
    both = Detections(np.array([near, stands], np.float32), np.array([0.9, 0.3], np.float32))

    view = _view(embed, (stands, BLUE), (near, BLUE), ((100.0, 20.0, 130.0, 180.0), seen))  # what is left in sight

    assert tracker.update(both, 0.6, view).tolist() == ids


@pytest.mark.parametrize(
    ("neighbour", "learns"),
    [
        pytest.param((300.0, 20.0, 360.0, 180.0), True, id="apart"),
        pytest.param((150.0, 20.0, 210.0, 180.0), True, id="touching"),
        pytest.param((115.0, 20.0, 175.0, 180.0), False, id="in front"),
    ],
)
def test_a_look_learns_only_from_crops_that_show_one_person(
    neighbour: tuple[float, float, float, float], learns: bool
) -> None:
    box = (100.0, 20.0, 160.0, 180.0)
    look, embed = Look(np.array([0, 0, 1], np.float16)), Colours()
    looks = Looks(_found(box, neighbour), _view(embed, (box, RED), (neighbour, BLUE)))

    looks.remember(look, 0, 1.0, every_s=0.5)

    assert (look.waiting is not None) == learns


def test_who_nothing_is_known_of_is_learnt_even_beside_a_neighbour() -> None:
    boxes = (100.0, 20.0, 160.0, 180.0), (115.0, 20.0, 175.0, 180.0)
    look = Look(np.zeros(0, np.float16))

    Looks(_found(*boxes), _view(Colours(), (boxes[0], RED))).remember(look, 0, 1.0, every_s=0.5)

    assert look.waiting is not None


def test_who_comes_back_within_seconds_is_the_same_track_if_they_look_alike() -> None:
    before, behind = (100.0, 20.0, 150.0, 180.0), (230.0, 20.0, 280.0, 180.0)
    for colour, expected in ((RED, [0]), (BLUE, [1])):
        tracker, embed = _tracker(), Colours()
        for n in range(5):
            tracker.update(_found(before), n / 10, _view(embed, (before, RED)))
        for n in range(5, 25):
            tracker.update(_found(), n / 10, _view(embed))
        assert tracker.alive() == set()
        assert tracker.remembered() == {0}

        assert tracker.update(_found(behind), 2.5, _view(embed, (behind, colour))).tolist() == expected


def test_who_comes_back_too_far_away_or_too_late_is_another_track() -> None:
    before = (10.0, 20.0, 60.0, 180.0)
    for box, time_s in (((540.0, 20.0, 590.0, 180.0), 1.0), (before, 6.0)):
        tracker, embed = _tracker(), Colours()
        tracker.update(_found(before), 0.0, _view(embed, (before, RED)))
        assert tracker.update(_found(box), time_s, _view(embed, (box, RED))).tolist() == [1]


def test_a_second_box_on_somebody_tracked_starts_no_track() -> None:
    tracker = _tracker()
    whole, upper = (100.0, 0.0, 160.0, 180.0), (100.0, 0.0, 160.0, 110.0)
    tracker.update(_found(whole), 0.0)
    assert tracker.update(_found(whole, upper), 0.1).tolist() == [0, -1]


def test_people_apart_are_embedded_by_nobody() -> None:
    tracker, embed = _tracker(), Colours()
    for n in range(20):
        boxes = ((10.0 + 5 * n, 20.0, 60.0 + 5 * n, 180.0), (400.0, 20.0, 450.0, 180.0))
        tracker.update(_found(*boxes), n / 10, _view(embed, (boxes[0], RED), (boxes[1], BLUE)))
    assert embed.crops == 0


def test_without_a_description_of_looks_boxes_decide() -> None:
    left, right = (100.0, 20.0, 160.0, 180.0), (140.0, 20.0, 200.0, 180.0)
    tracker = _tracker()
    ids = [tracker.update(_found(left, right), n / 10).tolist() for n in range(5)]
    assert ids == [[0, 1]] * 5


def test_a_look_of_another_network_is_not_compared() -> None:
    """After a restart with other weights, the saved vectors have another size."""
    left, right = (100.0, 20.0, 160.0, 180.0), (140.0, 20.0, 200.0, 180.0)
    old, embed = _tracker(), Colours()
    for n in range(5):
        old.update(_found(left, right), n / 10, _view(embed, (left, RED), (right, BLUE)))
    new = new_tracker(OPTIONS, 10.0, old.save())

    def wider(crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.concatenate((embed(crops), np.zeros((len(crops), 5), np.float32)), axis=1)

    image = _view(embed, (left, RED), (right, BLUE)).image
    assert new.update(_found(left, right), 0.5, View(image, Describer(wider, PRIOR))).tolist() == [0, 1]
