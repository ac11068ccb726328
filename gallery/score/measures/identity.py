"""IDF1: one assignment of result numbers to true people over everything, so that each person has one number only.

E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", ECCV 2016 workshops,
section 3: the assignment maximises true positives over all cameras and frames at once. A person with a different number
in each camera therefore only counts in one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from gallery.score.scene import SAME_BOX, Groups, Scene


@dataclass(frozen=True, slots=True)
class IdentityScore:
    """Counts of boxes, and the measures derived from them, as fractions.

    Attributes:
        true_positives, false_positives, false_negatives: IDTP, IDFP, IDFN.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def idf1(self) -> float:
        """Return 2 IDTP / (2 IDTP + IDFP + IDFN)."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, 2 * self.true_positives + wrong)

    @property
    def idp(self) -> float:
        """Return IDTP / (IDTP + IDFP)."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def idr(self) -> float:
        """Return IDTP / (IDTP + IDFN)."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)


def score_identity(scene: Scene, groups: Groups) -> tuple[IdentityScore, dict[int, int]]:
    """Return the score of the best assignment of numbers to people, and that assignment."""
    same = np.bincount(groups.of[scene.iou >= SAME_BOX], minlength=len(groups.person))
    table = groups.table(same.astype(np.float64))
    people, numbers = linear_sum_assignment(table, maximize=True)
    right = int(table[people, numbers].sum())
    score = IdentityScore(right, len(scene.found.ids) - right, len(scene.truth.ids) - right)
    real = table[people, numbers] > 0
    people, numbers = groups.people[people[real]].tolist(), groups.numbers[numbers[real]].tolist()
    return score, dict(zip(people, numbers, strict=True))


def summed(scores: Sequence[IdentityScore]) -> IdentityScore:
    """Return the score of sequences with ids of their own: the sums of their counts."""
    return IdentityScore(
        sum(one.true_positives for one in scores),
        sum(one.false_positives for one in scores),
        sum(one.false_negatives for one in scores),
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
