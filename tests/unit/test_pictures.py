"""Pictures: the numbers they show, and what of them can be seen in their pixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.evaluation.pictures import (
    RankedItem,
    RankedRow,
    Shown,
    Verdict,
    identity_map,
    ranked_lists,
    similarity_histograms,
)
from training.evaluation.pictures_figures import equal_error, map_rows


def unit_rows(people: int, each: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    features = np.repeat(rng.normal(size=(people, 8)), each, axis=0) + 0.1 * rng.normal(size=(people * each, 8))
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float32)


def shown(height: int = 20, width: int = 10) -> Shown:
    return Shown(np.zeros((height, width, 3), np.uint8), identity=7, camera=2)


def picture(path: Path) -> NDArray[np.uint8]:
    read = cv2.imread(str(path))
    assert read is not None
    return np.asarray(read, np.uint8)


def pixels_like(image: NDArray[np.uint8], rgb: tuple[int, int, int]) -> int:
    return int((np.abs(image.astype(int) - rgb[::-1]).max(axis=-1) < 12).sum())


@pytest.mark.parametrize(
    ("verdict", "colour"),
    [(Verdict.RIGHT, (31, 138, 76)), (Verdict.WRONG, (192, 57, 43)), (Verdict.JUNK, (154, 154, 154))],
)
def test_a_frame_is_coloured_by_its_verdict(tmp_path: Path, verdict: Verdict, colour: tuple[int, int, int]) -> None:
    def drawn(*verdicts: Verdict) -> NDArray[np.uint8]:
        found = tuple(RankedItem(shown(), one, 0.5) for one in verdicts)
        ranked_lists(tmp_path / "lists.png", [RankedRow(shown(33, 9), found)])
        return picture(tmp_path / "lists.png")

    other = Verdict.WRONG if verdict is Verdict.RIGHT else Verdict.RIGHT
    assert pixels_like(drawn(verdict), colour) > pixels_like(drawn(other), colour) + 500


def test_a_list_shows_no_more_places_than_asked_for(tmp_path: Path) -> None:
    row = RankedRow(shown(), tuple(RankedItem(shown(), Verdict.WRONG, 0.1) for _ in range(6)))
    widths = []
    for places in (4, 6, 10):
        ranked_lists(tmp_path / "lists.png", [row], places=places)
        widths.append(picture(tmp_path / "lists.png").shape[1])
    assert widths[0] < widths[1] == widths[2]


def test_no_list_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one query"):
        ranked_lists(tmp_path / "lists.png", [])


def test_the_equal_error_point_is_in_the_middle_between_separate_kinds() -> None:
    found = equal_error(np.array([0.6, 0.9], np.float32), np.array([0.0, 0.2], np.float32))
    assert found.rate == 0.0
    assert found.threshold == pytest.approx(0.4)


@settings(max_examples=40, deadline=None)
@given(
    same=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30),
    different=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30),
)
def test_no_other_threshold_has_errors_more_equal(same: list[float], different: list[float]) -> None:
    one, two = np.array(same, np.float32), np.array(different, np.float32)

    def errors(threshold: float) -> tuple[float, float]:
        return float((one < threshold).mean()), float((two >= threshold).mean())

    found = equal_error(one, two)
    best = min(abs(missed - confused) for missed, confused in map(errors, [*same, *different]))
    assert any(
        abs(missed - confused) == pytest.approx(best) and (missed + confused) / 2 == pytest.approx(found.rate)
        for missed, confused in map(errors, [*same, *different])
    )


def test_a_histogram_shows_its_equal_error_rate(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    same, different = (rng.normal(mean, 0.2, 500).astype(np.float32) for mean in (0.6, 0.0))
    found = similarity_histograms(tmp_path / "histograms.png", same, different)
    assert found == equal_error(same, different)
    assert picture(tmp_path / "histograms.png").std() > 10


@pytest.mark.parametrize("same", [[], [np.nan]])
def test_cosines_that_are_missing_or_not_finite_are_an_error(tmp_path: Path, same: list[float]) -> None:
    with pytest.raises(ValueError, match="pairs of the same identity"):
        similarity_histograms(tmp_path / "histograms.png", np.array(same, np.float32), np.zeros(2, np.float32))


def test_a_map_has_thirty_identities_at_most_and_none_that_is_unknown() -> None:
    identities = np.repeat(np.arange(-2, 38), 2)
    rows = map_rows(identities)
    assert len(np.unique(identities[rows])) == 30
    assert identities[rows].min() >= 0
    assert len(rows) == 60
    np.testing.assert_array_equal(rows, map_rows(identities))


def test_a_map_is_drawn_for_more_cameras_than_there_are_marks(tmp_path: Path) -> None:
    identities = np.repeat(np.arange(5), 4)
    identity_map(tmp_path / "map.png", unit_rows(5, 4), identities, np.arange(20))
    image = picture(tmp_path / "map.png").astype(int)
    assert (np.ptp(image, axis=-1) > 60).sum() > 20 * 30  # twenty coloured marks of more than thirty pixels


def test_a_map_of_three_items_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got 3"):
        identity_map(tmp_path / "map.png", unit_rows(3, 1), np.arange(3), np.arange(3))
