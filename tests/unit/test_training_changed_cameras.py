"""People are found again through simulated cameras by what they wear, and not by what the camera adds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.training_tools import coloured_noise
from training.evaluation.changed_cameras import FIRST_AND_LAST, FRAMES, Lens, found_again
from training.evaluation.real_people import LABELS, tracklet_names

SIZE = (64, 32)
Crops = NDArray[np.uint8]


def people(count: int, camera: int) -> Crops:
    return np.stack([coloured_noise(person, camera, 0, FRAMES, SIZE) for person in range(count)])


def mean_colour(tracklets: Sequence[Sequence[Crops]], cameras: Sequence[int] | None = None) -> NDArray[np.float32]:
    """Embed tracklets as the mean colour of their halves, less grey."""
    halves = [np.concatenate([np.mean(h, (0, 1)) for c in t for h in np.array_split(c, 2)]) for t in tracklets]
    rows = np.array([h - h.mean() for h in halves], np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_people_of_clear_colours_are_found_and_chance_is_not() -> None:
    early, late = people(6, 0), people(6, 1)
    found, first = found_again(mean_colour, early, late, pairs=4)
    shuffled, _ = found_again(mean_colour, early, late[[3, 4, 5, 0, 1, 2]], pairs=4)
    assert 0 <= first <= found <= 1
    assert found > shuffled


def test_a_lens_is_the_same_for_everybody_and_another_one_differs() -> None:
    crops = people(1, 0)[0]
    lens = Lens.draw(np.random.default_rng(1))
    np.testing.assert_array_equal(lens.show(crops), lens.show(crops))
    assert lens.show(crops).shape == crops.shape
    assert (lens.show(crops) != Lens.draw(np.random.default_rng(2)).show(crops)).any()


def test_those_who_are_compared_have_labels_and_are_strangers_of_hall_and_shop() -> None:
    names = tracklet_names(LABELS)
    assert {str(n) for pair in FIRST_AND_LAST for n in pair} <= set(names)
    assert min(first for first, _ in FIRST_AND_LAST) >= 40  # the studio's are below, and are never chosen by
