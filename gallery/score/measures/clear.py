"""CLEAR MOT: MOTA, MOTP, switches and fragments.

K. Bernardin and R. Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics", EURASIP JIVP
2008, section 2, as TrackEval computes it: boxes match at an IoU of 0.5, and a match of the frame before is kept while
it holds. Mostly tracked and lost: B. Wu and R. Nevatia, "Tracking of Multiple, Partially Occluded Humans", CVPR 2006.
With cameras laid one after the other, a number that changes from one camera to the next is a switch, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.score.measures.assign import Frame, best_in_frame, frames_with_choice
from gallery.score.overlap import EPS, Rows
from gallery.score.scene import SAME_BOX, Groups, Scene

_KEPT = 1000.0  # value of keeping a match; more than any gain in overlap
_MOSTLY, _HARDLY = 0.8, 0.2


@dataclass(frozen=True, slots=True)
class ClearScore:
    """Counts, and the measures derived from them, as fractions.

    Attributes:
        true_positives, false_negatives, false_positives: Boxes matched, missed, and found where nobody was.
        switches: How often a person's number changed (IDSW).
        fragments: How often a person was lost and found again (Frag).
        mostly_tracked, partly_tracked, mostly_lost:
            People found in more than 80 % of their boxes, 20 % to 80 %, and less.
        overlap: Sum of the overlaps of the boxes matched.
    """

    true_positives: int
    false_negatives: int
    false_positives: int
    switches: int
    fragments: int
    mostly_tracked: int
    partly_tracked: int
    mostly_lost: int
    overlap: float

    @property
    def mota(self) -> float:
        """Return (TP - FP - IDSW) / (TP + FN), which may be negative; 0 if there is nobody to find, as in TrackEval."""
        boxes = self.true_positives + self.false_negatives
        return (self.true_positives - self.false_positives - self.switches) / boxes if boxes else 0.0

    @property
    def motp(self) -> float:
        """Return the mean overlap of the boxes matched."""
        return self.overlap / max(1, self.true_positives)


def matches(scene: Scene, groups: Groups) -> Rows:
    """Return the boxes that are matched, as rows of the scene's pairs."""
    possible = scene.iou >= SAME_BOX - EPS
    chosen = possible.copy()
    earlier = _Earlier(scene, groups)
    for frame in frames_with_choice(scene, possible):
        value = scene.iou[frame.pairs] + _KEPT * earlier.continued(frame, chosen)
        chosen[frame.pairs] &= best_in_frame(scene, frame, np.where(possible[frame.pairs], value, 0.0))
    return np.flatnonzero(chosen)


class _Earlier:
    """Tells which pairs continue a match of the frame before: the last one that had boxes on both sides."""

    def __init__(self, scene: Scene, groups: Groups) -> None:
        both = _frames_of_both(scene)
        starts = np.searchsorted(scene.truth.places[scene.true], both).tolist()
        self._before = dict(zip(both[1:].tolist(), starts[:-1], strict=True))
        self._ids = groups.of

    def continued(self, frame: Frame, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which pairs of a frame have the ids of a pair chosen in the frame before."""
        before = slice(self._before.get(frame.place, frame.pairs.start), frame.pairs.start)
        return np.asarray((self._ids[frame.pairs, None] == self._ids[before][chosen[before]]).any(axis=1))


def score_clear(scene: Scene, matched: Rows) -> ClearScore:
    """Return the score of a scene, given its `matches`."""
    found, true = len(matched), len(scene.truth.ids)
    tracked = _tracked(scene, matched)
    return ClearScore(
        found,
        true - found,
        len(scene.found.ids) - found,
        *_changes(scene, matched),
        int((tracked > _MOSTLY).sum()),
        int(((tracked >= _HARDLY) & (tracked <= _MOSTLY)).sum()),
        int((tracked < _HARDLY).sum()),
        float(scene.iou[matched].sum()),
    )


def added(scores: Sequence[ClearScore]) -> ClearScore:
    """Return the score of sequences with ids of their own: the sums of their counts."""
    return ClearScore(*(sum(getattr(one, name) for one in scores) for name in ClearScore.__slots__))


def _tracked(scene: Scene, matched: Rows) -> NDArray[np.float64]:
    """Return the share of each person's boxes that is matched."""
    people, person = np.unique(scene.truth.ids, return_inverse=True)
    there = np.bincount(person, minlength=len(people))
    return np.asarray(np.bincount(person[scene.true[matched]], minlength=len(people)) / there)


def _changes(scene: Scene, matched: Rows) -> tuple[int, int]:
    """Return how often people's numbers changed, and how often they were lost and found again."""
    people, numbers = scene.truth.ids[scene.true[matched]], scene.found.ids[scene.other[matched]]
    places = np.searchsorted(_frames_of_both(scene), scene.truth.places[scene.true[matched]])
    order = np.lexsort((places, people))
    same = np.diff(people[order]) == 0
    changed, missed = np.diff(numbers[order]) != 0, np.diff(places[order]) != 1
    return int((same & changed).sum()), int((same & missed).sum())


def _frames_of_both(scene: Scene) -> Rows:
    """Return the places of frames with boxes on both sides; TrackEval passes over the others."""
    return np.intersect1d(scene.truth.places, scene.found.places)
