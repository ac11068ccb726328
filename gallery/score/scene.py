"""Truth and results of a camera as every measure reads them: boxes in order of frames, and which boxes overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gallery.errors import ScoreError
from gallery.score.mot import Boxes
from gallery.score.overlap import EPS, Rows, batches, overlap

SAME_BOX = 0.5  # intersection over union from which two boxes match; the standard threshold


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The boxes of one side, sorted by frame.

    Attributes:
        ids: `(n,)` person or result number of each box.
        places: `(n,)` place of each box's frame in the sequence, ascending from 0.
    """

    ids: NDArray[np.int64]
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One camera, or several laid one after the other as if they were one sequence.

    Attributes:
        truth: Boxes of people who must be found.
        found: Boxes of the results, without those that are neither right nor wrong.
        frames: `(f,)` number of each frame that has a box on either side, in the order of the sequence.
        true, other: `(p,)` rows in `truth` and `found` of the boxes that overlap in a frame, sorted by both.
        iou: `(p,)` their intersection over union, more than 0.
        alignment: `(p,)` the same, divided by the overlap of the two boxes with all boxes of the frame.
        cameras: `(c,)` first pair of each camera.
    """

    truth: Side
    found: Side
    frames: NDArray[np.int64]
    true: Rows
    other: Rows
    iou: NDArray[np.float64]
    alignment: NDArray[np.float64]
    cameras: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Pairs of a person and a number, for counting.

    Attributes:
        people, numbers: Those that occur, ascending.
        person_boxes, number_boxes: How many boxes each of them has.
        of: `(p,)` pair that each pair of boxes belongs to.
        person, number: `(u,)` places in `people` and `numbers` of each pair that occurs.
    """

    people: NDArray[np.int64]
    numbers: NDArray[np.int64]
    person_boxes: NDArray[np.int64]
    number_boxes: NDArray[np.int64]
    of: Rows
    person: Rows
    number: Rows

    def table(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(people, numbers)` values of the pairs, 0 where there is none."""
        table = np.zeros((len(self.people), len(self.numbers)))
        table[self.person, self.number] = values
        return np.asarray(table)


def make_scene(truth: Boxes, results: Boxes) -> Scene:
    """Bring the boxes of one camera together.

    Results on neutral rows of the truth are left out, see `Boxes.neutral`.

    Raises:
        ScoreError: An id occurs twice in a frame.
    """
    for side, boxes in (("truth", truth), ("results", results)):
        _refuse_repeated(side, boxes)
    results = results.chosen(~_on_neutral(truth, results))
    truth = truth.chosen(truth.counted)
    frames = np.union1d(truth.frames, results.frames)
    true, other, iou, alignment = _pairs(truth, results)
    orders = [np.argsort(boxes.frames, kind="stable") for boxes in (truth, results)]
    sides = [
        Side(boxes.ids[order], np.searchsorted(frames, boxes.frames[order]))
        for boxes, order in zip((truth, results), orders, strict=True)
    ]
    true, other = np.argsort(orders[0])[true], np.argsort(orders[1])[other]
    sort = np.lexsort((other, true))
    return Scene(sides[0], sides[1], frames, true[sort], other[sort], iou[sort], alignment[sort], np.array([0]))


def joined(scenes: Sequence[Scene]) -> Scene:
    """Return scenes laid one after the other, with ids shared by all."""
    if len(scenes) == 1:
        return scenes[0]
    starts = np.cumsum([[0, 0, 0], *([len(s.frames), len(s.truth.ids), len(s.found.ids)] for s in scenes)], axis=0)
    sides = [
        Side(
            np.concatenate([side.ids for side in of_scenes]),
            np.concatenate([side.places + start for side, start in zip(of_scenes, starts[:, 0], strict=False)]),
        )
        for of_scenes in ([s.truth for s in scenes], [s.found for s in scenes])
    ]
    return Scene(
        sides[0],
        sides[1],
        np.concatenate([s.frames for s in scenes]),
        np.concatenate([s.true + start for s, start in zip(scenes, starts[:, 1], strict=False)]),
        np.concatenate([s.other + start for s, start in zip(scenes, starts[:, 2], strict=False)]),
        np.concatenate([s.iou for s in scenes]),
        np.concatenate([s.alignment for s in scenes]),
        np.cumsum([0, *(len(s.true) for s in scenes[:-1])]),
    )


def group(scene: Scene) -> Groups:
    """Group the overlapping boxes of a scene by person and number."""
    people, person, person_boxes = np.unique(scene.truth.ids, return_inverse=True, return_counts=True)
    numbers, number, number_boxes = np.unique(scene.found.ids, return_inverse=True, return_counts=True)
    width = max(1, len(numbers))
    known, of = np.unique(person[scene.true] * width + number[scene.other], return_inverse=True)
    return Groups(people, numbers, person_boxes, number_boxes, of, known // width, known % width)


def _pairs(truth: Boxes, results: Boxes) -> tuple[Rows, Rows, NDArray[np.float64], NDArray[np.float64]]:
    """Return rows of both sides that overlap in a frame, their overlap, and its share of the overlaps of the frame."""
    parts: list[tuple[Rows, Rows, NDArray[np.float64], NDArray[np.float64]]] = []
    for true, found in batches(truth.frames, results.frames):
        iou = overlap(truth.boxes[true], results.boxes[found])
        whole = iou.sum(axis=1)[:, None, :] + iou.sum(axis=2)[:, :, None] - iou
        share = np.divide(iou, whole, out=np.zeros_like(iou), where=whole > EPS)
        frame, row, column = np.nonzero(iou)
        parts.append((true[frame, row], found[frame, column], iou[frame, row, column], share[frame, row, column]))
    empty = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0)
    columns = zip(*([empty, *parts]), strict=True)
    true, found, iou, share = (np.concatenate(column) for column in columns)
    return true, found, iou, share


def _on_neutral(truth: Boxes, results: Boxes) -> NDArray[np.bool_]:
    """Return `(m,)` which results are neither right nor wrong.

    As in TrackEval, these are the results that are assigned to neutral rows when all rows of the truth in a frame are
    assigned with maximum total overlap.
    """
    ignored, neutral = np.zeros(len(results.ids), np.bool_), truth.neutral
    if not neutral.any():
        return ignored
    for true, found in batches(truth.frames, results.frames):
        iou = overlap(truth.boxes[true], results.boxes[found])
        possible = np.where(iou >= SAME_BOX - EPS, iou, 0.0)
        for frame in np.flatnonzero((possible.any(axis=2) & neutral[true]).any(axis=1)):
            rows, columns = linear_sum_assignment(possible[frame], maximize=True)
            taken = neutral[true[frame, rows]] & (possible[frame, rows, columns] > 0)
            ignored[found[frame, columns[taken]]] = True
    return ignored


def _refuse_repeated(side: str, boxes: Boxes) -> None:
    order = np.lexsort((boxes.ids, boxes.frames))
    frames, ids = boxes.frames[order], boxes.ids[order]
    same = np.flatnonzero((frames[1:] == frames[:-1]) & (ids[1:] == ids[:-1]))
    if len(same):
        raise ScoreError(f"the {side} have id {ids[same[0]]} twice in frame {frames[same[0]]}: an id is one person")
