"""What the measures are computed from: boxes of a frame brought together, and what is refused or left out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gallery.errors import ScoreError
from gallery.score import Boxes, score_site
from gallery.score.figures import figures_of
from gallery.score.mot import NO_BOXES
from gallery.score.overlap import batches, overlap
from gallery.score.scene import joined, make_scene
from tests.score_tools import TrackRow, boxes


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param([0.1, 0.2, 0.3, 0.7], [0.1, 0.2, 0.3, 0.7], 1.0, id="equal boxes, exactly"),
        pytest.param([0, 0, 2, 2], [1, 0, 2, 2], 1 / 3, id="half of each"),
        pytest.param([0, 0, 2, 2], [2, 0, 2, 2], 0.0, id="touching edges"),
        pytest.param([0, 0, 0, 2], [0, 0, 2, 2], 0.0, id="no area"),
        pytest.param([0, 0, 0, 0], [0, 0, 0, 0], 0.0, id="two equal points"),
    ],
)
def test_overlap_of_boxes(one: list[float], other: list[float], expected: float) -> None:
    assert overlap(np.array([one], np.float64), np.array([other], np.float64))[0, 0] == expected


def test_frames_of_one_shape_come_together_and_frames_of_one_side_not_at_all() -> None:
    one, other = np.array([3, 1, 1, 2, 9]), np.array([1, 2, 3, 1, 8])
    found = [(a.tolist(), b.tolist()) for a, b in batches(one, other)]
    assert found == [([[3], [0]], [[1], [2]]), ([[1, 2]], [[0, 3]])]


def test_pairs_are_in_the_order_of_frames_whatever_the_order_of_rows() -> None:
    truth = boxes((2, 1, 0, 0, 10, 20), (1, 1, 5, 0, 10, 20), (1, 2, 0, 0, 10, 20))
    scene = make_scene(truth, boxes((1, 7, 5, 0, 10, 20), (2, 7, 0, 0, 10, 20)))
    pairs = [
        (int(scene.truth.ids[t]), int(scene.truth.places[t]), float(i))
        for t, i in zip(scene.true, scene.iou, strict=True)
    ]
    assert pairs == [(1, 0, 1.0), (2, 0, pytest.approx(1 / 3)), (1, 1, 1.0)]


def test_cameras_laid_one_after_the_other_share_ids_and_not_frames() -> None:
    scene = make_scene(boxes((1, 1, 0, 0, 10, 20)), boxes((1, 7, 0, 0, 10, 20)))
    both = joined([scene, scene])
    assert both.truth.ids.tolist() == [1, 1]
    assert both.truth.places.tolist() == both.found.places.tolist() == [0, 1]
    assert (both.true.tolist(), both.other.tolist(), both.cameras.tolist()) == ([0, 1], [0, 1], [0, 1])


@pytest.mark.parametrize("side", ["truth", "results"])
def test_an_id_twice_in_a_frame_is_refused(side: str) -> None:
    once, twice = boxes((1, 1, 0, 0, 10, 20)), boxes((1, 1, 0, 0, 10, 20), (1, 1, 50, 0, 10, 20))
    sides = (twice, once) if side == "truth" else (once, twice)
    with pytest.raises(ScoreError, match=f"the {side} have id 1 twice in frame 1"):
        score_site({"a": sides[0]}, {"a": sides[1]})


@pytest.mark.parametrize(
    ("truth", "results", "said"),
    [
        pytest.param({}, {}, "no truth for any camera", id="no camera"),
        pytest.param({"a": NO_BOXES}, {"b": NO_BOXES, "c": NO_BOXES}, "no truth for b, c", id="other cameras"),
    ],
)
def test_results_without_truth_are_refused(truth: dict[str, Boxes], results: dict[str, Boxes], said: str) -> None:
    with pytest.raises(ScoreError, match=said):
        score_site(truth, results)


def zeros(*names: str) -> dict[str, float]:
    return dict.fromkeys(names, 0.0)


def test_a_camera_where_nobody_is_counts_every_box_as_wrong() -> None:
    table = score_site({"a": boxes((1, 1, 0, 0, 10, 20)), "b": NO_BOXES}, {"b": boxes((1, 7, 0, 0, 10, 20))})
    figures = figures_of(table.cameras["b"])
    expected = zeros("IDF1", "HOTA", "DetA", "AssA", "MOTA", "MT", "PT", "ML", "IDSW") | {"CLR_FP": 1, "LocA": 1.0}
    assert {name: figures[name] for name in expected} == expected


def test_a_camera_that_found_nobody_has_lost_everybody() -> None:
    figures = figures_of(score_site({"a": boxes((1, 1, 0, 0, 10, 20))}, {}).overall)
    expected = zeros("IDF1", "HOTA", "DetA", "AssA", "MOTA", "MT", "PT") | {"CLR_FN": 1, "ML": 1, "LocA": 1.0}
    assert {name: figures[name] for name in expected} == expected


def test_boxes_without_area_match_nothing_and_count() -> None:
    point = boxes((1, 1, 5, 5, 0, 0))
    figures = figures_of(score_site({"a": point}, {"a": point}).overall)
    assert (figures["CLR_TP"], figures["CLR_FP"], figures["CLR_FN"], figures["IDF1"]) == (0, 1, 1, 0.0)


def test_equal_boxes_of_two_people_are_told_apart_by_who_was_there_before() -> None:
    """Both stand at the same place in frame 2; nobody's number changes."""
    rows: list[TrackRow] = [(1, 1, 0, 0, 10, 20), (1, 2, 90, 0, 10, 20), (2, 1, 50, 0, 10, 20), (2, 2, 50, 0, 10, 20)]
    results = [(frame, 9 - number, *box) for (frame, number), box in ((row[:2], row[2:]) for row in reversed(rows))]
    figures = figures_of(score_site({"a": boxes(*rows)}, {"a": boxes(*results)}).overall)
    assert (figures["IDSW"], figures["MOTA"], figures["IDF1"], figures["HOTA"]) == (0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("numbers", "switches", "fragments"),
    [
        pytest.param([7, 7, 7, 7], 0, 0, id="kept"),
        pytest.param([7, 7, 8, 8], 1, 0, id="changed"),
        pytest.param([7, 0, 0, 7], 0, 1, id="lost and found"),
        pytest.param([7, 0, 8, 7], 2, 1, id="lost and changed twice"),
    ],
)
def test_switches_and_fragments(numbers: list[int], switches: int, fragments: int) -> None:
    truth = boxes(*((frame, 1, 0.0, 0.0, 10.0, 20.0) for frame in range(4)))
    # Somebody else is found in every frame: TrackEval passes over frames without any result.
    found: NDArray[np.int64] = np.array(numbers)
    results = boxes(
        *((frame, 99, 500.0, 0.0, 10.0, 20.0) for frame in range(4)),
        *((int(frame), int(found[frame]), 0.0, 0.0, 10.0, 20.0) for frame in np.flatnonzero(found)),
    )
    clear = score_site({"a": truth}, {"a": results}).overall.clear
    assert (clear.switches, clear.fragments) == (switches, fragments)


def test_a_number_that_changes_from_one_camera_to_the_next_is_a_switch_over_all_cameras_only() -> None:
    row = (1, 1, 0.0, 0.0, 10.0, 20.0)
    results = {"a": boxes((1, 7, 0, 0, 10, 20)), "b": boxes((1, 8, 0, 0, 10, 20))}
    table = score_site({"a": boxes(row), "b": boxes(row)}, results)
    assert (table.overall.clear.switches, table.separate.clear.switches) == (1, 0)
