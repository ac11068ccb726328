"""Links between cameras: who was seen on two cameras, and was shown under one number on both?

A *link* is a person and two cameras that both saw this person; the results claim one for every number that they show
on two cameras. For somebody who walked past three cameras these are three links, however long they stayed, so that a
person who sits in one room all day does not outweigh everybody else.

recall      Of a link that exists: take a box of the person on each of the two cameras, among those that were matched.
            The probability that both have the same number; 0 if one of the cameras never found the person.
precision   Of a link that is claimed: take a box of the number on each of the two cameras, among those that were
            matched. The probability that both are the same person; 0 if the number matches nobody on one of them.

Both are averaged over links. A number kept throughout is 1, a different number on each camera 0, a change in the middle
of a visit in between; boxes that were missed do not matter as long as some were found.

These are the pairwise precision and recall of clustering (E. Amigo et al., "A Comparison of Extrinsic Clustering
Evaluation Metrics Based on Formal Constraints", Information Retrieval 12, 2009), restricted to pairs across cameras
and averaged over links. IDF1 and HOTA do not tell how well cameras are linked: both depend most on long stays, and on
how well boxes are found. Counting mismatched handovers (MCTA: W. Chen et al., "An Equalized Global Graph Model-Based
Approach for Multicamera Object Tracking", IEEE TCSVT 27, 2017) has no precision, and no meaning where cameras overlap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gallery.score.presence import Matched


@dataclass(frozen=True, slots=True)
class Links:
    """Precision and recall of the links between two cameras, or between all.

    Attributes:
        true: Links that exist: people seen by both cameras.
        claimed: Links of the results: numbers shown on both cameras.
        precision, recall: Fractions; 0 for the mean of no links, and None if there are none on either side.
    """

    true: int
    claimed: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """The matches of one camera.

    Attributes:
        sides: `(N,)` and `(P,)` bool; which of all numbers and of all people the camera has.
        boxes: `(P, N)` number of matched boxes of each person and number.
    """

    sides: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    boxes: csr_array


def links(cameras: Mapping[str, Matched]) -> tuple[Links, dict[tuple[str, str], Links]]:
    """Return the links between all cameras, and those of each two cameras that have any."""
    counts = _counts(list(cameras.values()))
    of_pairs: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for (one, a), (other, b) in combinations(zip(cameras, counts, strict=True), 2):
        of_pairs[one, other] = [_agreement(a, b, axis) for axis in (0, 1)]
    none = np.empty(0)
    precisions, recalls = zip((none, none), *of_pairs.values(), strict=True)
    pairs = {pair: _links(*values) for pair, values in of_pairs.items() if any(map(len, values))}
    return _links(np.concatenate(precisions), np.concatenate(recalls)), pairs


def _links(precisions: NDArray[np.float64], recalls: NDArray[np.float64]) -> Links:
    if not len(precisions) + len(recalls):
        return Links(0, 0, None, None)
    means = [float(values.mean()) if len(values) else 0.0 for values in (precisions, recalls)]
    return Links(len(recalls), len(precisions), *means)


def _agreement(one: _Counts, other: _Counts, axis: int) -> NDArray[np.float64]:
    """Return, for each number (axis 0) or person (1) on both cameras, the share of pairs of boxes that agree.

    Counts are whole numbers, so that a share never exceeds 1.
    """
    both = one.sides[axis] & other.sides[axis]
    agreed, *boxes = (
        np.asarray(of.sum(axis=axis)).ravel()[both] for of in (one.boxes * other.boxes, one.boxes, other.boxes)
    )
    return np.asarray(agreed / np.maximum(1, boxes[0] * boxes[1]), np.float64)


def _counts(cameras: Sequence[Matched]) -> list[_Counts]:
    empty = np.empty(0, np.int64)
    people = np.unique(np.concatenate([empty, *(one.scene.truth.ids for one in cameras)]))
    numbers = np.unique(np.concatenate([empty, *(one.scene.found.ids for one in cameras)]))
    counts = []
    for one in cameras:
        places = np.searchsorted(people, one.people), np.searchsorted(numbers, one.numbers)
        boxes = csr_array((np.ones(len(one.rows), np.int64), places), (len(people), len(numbers)))
        sides = np.isin(numbers, one.scene.found.ids), np.isin(people, one.scene.truth.ids)
        counts.append(_Counts(sides, boxes))
    return counts
