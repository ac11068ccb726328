"""Match the boxes of every frame one to one. Only frames where that leaves a choice need an assignment of their own."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gallery.score.overlap import Rows
from gallery.score.scene import Scene


@dataclass(frozen=True, slots=True)
class Frame:
    """Where one frame of a scene lies.

    Attributes:
        place: Place in the sequence.
        true, found, pairs: Rows of the scene's truth, results and overlapping boxes.
    """

    place: int
    true: slice
    found: slice
    pairs: slice


def frames_with_choice(scene: Scene, possible: NDArray[np.bool_]) -> Iterator[Frame]:
    """Yield the frames, in order, in which a box has more than one possible partner.

    Args:
        scene: The scene.
        possible: `(p,)` which overlapping boxes may be matched.
    """
    true, other = scene.true[possible], scene.other[possible]
    crowded = (np.bincount(true)[true] > 1) | (np.bincount(other)[other] > 1)
    starts = [
        np.searchsorted(places, np.arange(len(scene.frames) + 1)).tolist()
        for places in (scene.truth.places, scene.found.places, scene.truth.places[scene.true])
    ]
    for place in np.unique(scene.truth.places[true[crowded]]).tolist():
        yield Frame(place, *(slice(of[place], of[place + 1]) for of in starts))


def best_in_frame(scene: Scene, frame: Frame, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which overlapping boxes of a frame are matched when the sum of `values`, one for each, is largest."""
    rows, columns = scene.true[frame.pairs] - frame.true.start, scene.other[frame.pairs] - frame.found.start
    matrix = np.zeros((frame.true.stop - frame.true.start, frame.found.stop - frame.found.start))
    matrix[rows, columns] = -values
    taken = np.zeros(matrix.shape, np.bool_)
    taken[linear_sum_assignment(matrix)] = True
    return np.asarray(taken[rows, columns])


def best(scene: Scene, values: NDArray[np.float64]) -> Rows:
    """Return the rows of the pairs that are matched so that the sum of their values is largest in each frame.

    Args:
        scene: The scene.
        values: `(p,)` value of matching each two overlapping boxes, 0 or more; boxes that do not overlap have 0.
    """
    chosen = values > 0
    for frame in frames_with_choice(scene, chosen):
        chosen[frame.pairs] &= best_in_frame(scene, frame, values[frame.pairs])
    return np.flatnonzero(chosen)
