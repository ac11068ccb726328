"""HOTA: how well boxes are found, and how well they are linked to people, in one figure with both parts.

J. Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 129, 2021, section 5: at
one localisation threshold alpha, averaged over 19 of them, as TrackEval computes it. Several cameras are laid one after
the other as one sequence, with people and numbers shared by all, so that the association (AssA) is over everything that
a person did on any camera.

`reid_hota` is the variant of NIST's package of that name (M. Majurski; version 0.3.6): a person can be matched to one
number only, which is chosen once for the whole sequence, as in IDF1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gallery.score.measures.assign import best
from gallery.score.overlap import EPS, Rows
from gallery.score.scene import Groups, Scene

ALPHAS = np.arange(0.05, 0.99, 0.05)

Curve = NDArray[np.float64]  # (19,) one value for each alpha


@dataclass(frozen=True, slots=True, eq=False)
class HotaScore:
    """Counts and ratios at each of the 19 alphas, as fractions; the properties are their means.

    Attributes:
        true_positives, false_negatives, false_positives: Boxes matched, missed, and found where nobody was.
        associations, association_recalls, association_precisions: For the boxes matched, the mean share of the boxes of
            their person and of their number, of either, and of each, that are matched to each other.
        localisations: Mean overlap of the boxes matched; 1 where there are none, as in TrackEval.
    """

    true_positives: Curve
    false_negatives: Curve
    false_positives: Curve
    associations: Curve
    association_recalls: Curve
    association_precisions: Curve
    localisations: Curve

    @property
    def hota(self) -> float:
        """Return the mean of sqrt(DetA x AssA)."""
        found, missed, wrong = self.true_positives, self.false_negatives, self.false_positives
        return float(np.sqrt(_share(found, found + missed + wrong) * self.associations).mean())

    @property
    def det_a(self) -> float:
        """Return TP / (TP + FN + FP)."""
        whole = self.true_positives + self.false_negatives + self.false_positives
        return float(_share(self.true_positives, whole).mean())

    @property
    def det_re(self) -> float:
        """Return TP / (TP + FN)."""
        return float(_share(self.true_positives, self.true_positives + self.false_negatives).mean())

    @property
    def det_pr(self) -> float:
        """Return TP / (TP + FP)."""
        return float(_share(self.true_positives, self.true_positives + self.false_positives).mean())

    @property
    def ass_a(self) -> float:
        """Return TPA / (TPA + FNA + FPA), averaged over the boxes matched."""
        return float(self.associations.mean())

    @property
    def ass_re(self) -> float:
        """Return TPA / (TPA + FNA), averaged over the boxes matched."""
        return float(self.association_recalls.mean())

    @property
    def ass_pr(self) -> float:
        """Return TPA / (TPA + FPA), averaged over the boxes matched."""
        return float(self.association_precisions.mean())

    @property
    def loc_a(self) -> float:
        """Return the mean overlap of the boxes matched."""
        return float(self.localisations.mean())


def score_hota(scene: Scene, groups: Groups) -> HotaScore:
    """Return the HOTA of a scene, matching the boxes of each frame for the best association of the whole sequence."""
    potential = np.bincount(groups.of, scene.alignment, len(groups.person)).astype(np.float64)
    return _score(scene, groups, best(scene, _jaccard(groups, potential)[groups.of] * scene.iou))


def score_reid_hota(scene: Scene, groups: Groups) -> HotaScore:
    """Return the HOTA of a scene in which each person is matched to one number only."""
    weights = np.where(_alone(scene), scene.iou, scene.alignment)
    potential = np.zeros(len(groups.person))
    for of, weight in zip(*(np.split(rows, scene.cameras[1:]) for rows in (groups.of, weights)), strict=True):
        potential += np.bincount(of, weight, len(potential))
    table = groups.table(_jaccard(groups, potential))
    number_of = np.full(len(groups.people), -1)
    people, numbers = linear_sum_assignment(table, maximize=True)
    number_of[people] = numbers
    agreed = groups.number == number_of[groups.person]
    return _score(scene, groups, np.flatnonzero(agreed[groups.of]))


def combined(scores: Sequence[HotaScore]) -> HotaScore:
    """Return the score of sequences with ids of their own, as TrackEval combines them.

    Counts are added; ratios are averaged, weighted by the boxes matched.
    """
    found = np.sum([one.true_positives for one in scores], axis=0)

    def mean(curves: Sequence[Curve], of_nothing: float) -> Curve:
        total = np.sum([curve * one.true_positives for curve, one in zip(curves, scores, strict=True)], axis=0)
        return np.asarray(np.maximum(of_nothing, total) / np.maximum(of_nothing or 1.0, found))

    return HotaScore(
        found,
        np.sum([one.false_negatives for one in scores], axis=0),
        np.sum([one.false_positives for one in scores], axis=0),
        mean([one.associations for one in scores], 0.0),
        mean([one.association_recalls for one in scores], 0.0),
        mean([one.association_precisions for one in scores], 0.0),
        mean([one.localisations for one in scores], _OF_NOTHING),
    )


_OF_NOTHING = 1e-10  # TrackEval's: no matches at all have a localisation of 1


def _alone(scene: Scene) -> NDArray[np.bool_]:
    """Return which pairs are of frames with one box on either side; reid_hota takes their overlap as it is."""
    sizes = [np.bincount(side.places, minlength=len(scene.frames)) for side in (scene.truth, scene.found)]
    return np.asarray(((sizes[0] == 1) & (sizes[1] == 1))[scene.truth.places[scene.true]])


def _jaccard(groups: Groups, shared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(u,)` what each person and number have in common, as a share of the boxes of either."""
    return np.asarray(shared / (groups.person_boxes[groups.person] + groups.number_boxes[groups.number] - shared))


def _score(scene: Scene, groups: Groups, matched: Rows) -> HotaScore:
    """Return the score of boxes that are matched, as rows of pairs."""
    of, iou = groups.of[matched], scene.iou[matched]
    people, numbers = groups.person_boxes[groups.person], groups.number_boxes[groups.number]
    rows = []
    for alpha in ALPHAS:
        near = iou >= alpha - EPS
        together = np.bincount(of[near], minlength=len(groups.person))
        found = int(near.sum())
        ratios = [(together * together / whole).sum() for whole in (people + numbers - together, people, numbers)]
        ratios = [ratio / max(1, found) for ratio in ratios]
        where = max(_OF_NOTHING, iou[near].sum()) / max(_OF_NOTHING, found)
        rows.append((found, len(scene.truth.ids) - found, len(scene.found.ids) - found, *ratios, where))
    return HotaScore(*np.array(rows, np.float64).T)


def _share(part: Curve, whole: Curve) -> Curve:
    return part / np.maximum(1, whole)
