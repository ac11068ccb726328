"""Homographies are those of OpenCV, and hold in spite of wrong pairs."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.decision.homography import homography_of

GRID = np.stack(np.meshgrid(np.linspace(100, 1100, 6), np.linspace(300, 700, 4)), -1).reshape(-1, 2)


def drawn(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a homography that a camera may have, from feet in another one."""
    made = np.array([[1.0, 0.2, 40.0], [-0.1, 1.1, -30.0], [1e-4, 3e-4, 1.0]])
    return np.asarray(made * (1 + rng.uniform(-0.3, 0.3, (3, 3))))


def moved(way: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.perspectiveTransform(points[None], way)[0])


def places(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return pairs of four places each, of bodies that are 150 px high."""
    high = np.full((len(a), 1), 150.0)
    return np.hstack([a, high, b, high]).reshape(-1, 4, 6)


@given(st.integers(0, 2**32 - 1))
def test_of_feet_that_are_a_little_off_the_homography_is_that_of_opencv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    there = moved(drawn(rng), GRID) + rng.normal(0, 1.0, GRID.shape)
    theirs, _ = cv2.findHomography(GRID, there, 0)
    ours = homography_of(places(GRID, there))
    assert np.abs(moved(ours, GRID) - moved(np.asarray(theirs), GRID)).max() < 1.0


@given(st.integers(0, 2**32 - 1))
def test_a_third_of_wrong_pairs_changes_little(seed: int) -> None:
    rng = np.random.default_rng(seed)
    there = moved(drawn(rng), GRID)
    told = there + rng.normal(0, 1.0, GRID.shape)
    told[:8] = rng.uniform(0, 1200, (8, 2))
    found = homography_of(places(GRID, told))
    assert np.median(np.linalg.norm(moved(found, GRID) - there, axis=1)) < 15.0
