"""Group unknown tracklets into new people. Pure.

Agglomerative clustering with average linkage: the two most similar groups are joined for as long as the mean log odds
between them reach a threshold.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gallery.decision.calibrate import Calibration
from gallery.decision.together import is_same_leg, together
from gallery.store.said import leg_of
from gallery.words.said import NOTHING_SAID, Said
from wire.messages import Tracklet

Group = list[Tracklet]


def grouped(
    tracklets: Sequence[Tracklet],
    calibration: Callable[[str], Calibration],
    vector: Callable[[Tracklet], NDArray[np.float32]],
    threshold: float,
    now_ns: int | None,
    said: Said = NOTHING_SAID,
) -> list[Group]:
    """Return tracklets grouped by person, in the order of the first members.

    `calibration` returns that of a `model_id`, `vector` the one that represents a tracklet in comparisons; without
    `now_ns`, tracklets visible at the same time may be one person. What people `said` comes first.
    """
    pairs = _Pairs(calibration, vector, now_ns, said)
    groups: dict[int, Group] = {place: [tracklet] for place, tracklet in enumerate(tracklets)}
    scores = _first_scores(groups, pairs)
    while len(groups) > 1:
        i, j = divmod(int(scores.argmax()), len(tracklets))  # the first pair on ties
        if scores[i, j] < threshold:
            break
        groups[i] += groups.pop(j)
        scores[j], scores[:, j] = -math.inf, -math.inf
        for one, other in ((min(i, k), max(i, k)) for k in groups if k != i):
            scores[one, other] = pairs.cohesion(groups[one], groups[other])
    return list(groups.values())


def _first_scores(groups: dict[int, Group], pairs: "_Pairs") -> NDArray[np.float64]:
    """Return `(n, n)` scores of pairs of groups, above the diagonal; -inf elsewhere."""
    scores = np.full((len(groups), len(groups)), -math.inf)
    for one, other in combinations(groups, 2):
        scores[one, other] = pairs.cohesion(groups[one], groups[other])
    return scores


class _Pairs:
    """Log odds of pairs of tracklets, each computed once."""

    def __init__(
        self,
        calibration: Callable[[str], Calibration],
        vector: Callable[[Tracklet], NDArray[np.float32]],
        now_ns: int | None,
        said: Said,
    ) -> None:
        self._calibration = calibration
        self._vector = vector
        self._now_ns = now_ns
        self._said = said
        self._found: dict[tuple[str, str], float] = {}
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def cohesion(self, one: Iterable[Tracklet], other: Iterable[Tracklet]) -> float:
        """Return the mean log odds over all pairs between two groups; -inf if they cannot be one person."""
        found = [self._pair(a, b) for a in one for b in other]
        return -math.inf if -math.inf in found else sum(found) / len(found)

    def _pair(self, a: Tracklet, b: Tracklet) -> float:
        """Return the log odds that two tracklets are one person: inf for parts of one track, -inf if impossible."""
        key = a.tracklet_id, b.tracklet_id
        if key not in self._found:
            self._found[key] = self._compare(a, b)
        return self._found[key]

    def _compare(self, a: Tracklet, b: Tracklet) -> float:
        if self._said.words:
            legs = leg_of(a.tracklet_id), leg_of(b.tracklet_id)
            if self._said.are_apart(*legs):
                return -math.inf
            if self._said.are_same(*legs):
                return math.inf
        if a.model_id != b.model_id or (self._now_ns is not None and together(a, b, self._now_ns) != "no"):
            return -math.inf
        if is_same_leg(a, b):
            return math.inf
        return self._calibration(a.model_id).logit(round(float(self._vector_of(a) @ self._vector_of(b)), 5))

    def _vector_of(self, tracklet: Tracklet) -> NDArray[np.float32]:
        if tracklet.tracklet_id not in self._vectors:
            self._vectors[tracklet.tracklet_id] = self._vector(tracklet)
        return self._vectors[tracklet.tracklet_id]
