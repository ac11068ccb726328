"""How well parts of clusters fit the rest of them, and clusters that one track goes through. Pure.

A worker cuts a track into legs wherever its tracker may have gone on with somebody else: where two people come near
each other, or one was lost. Mostly it has not: of 257 pairs of legs that follow each other on generated sites, 247
show one person. So that a track goes on is one more likelihood, but no certainty, as looks of two legs can say more.
"""

from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gallery.decision.calibrate import MAX_LOGIT, Calibration
from gallery.decision.cluster import Besides
from gallery.decision.normalise import stacked
from wire.messages import Tracklet
from wire.tracklet_id import TrackletId

CONTINUED = 2.0  # log odds of one person that legs which follow each other add to their looks


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """An item to cluster: a tracklet, or an identity's prototypes of tracklets that are no longer in memory."""

    number: int
    vector: NDArray[np.floating]
    weight: float
    tracklet: Tracklet | None


class Fit:
    """Log odds that parts of clusters belong to the rest of them.

    Attributes:
        labels: `(n,)` the cluster of each member.
        vectors, weights: `(n, d)` float64 and `(n,)`, of the members.
    """

    def __init__(self, calibration: Calibration, members: Sequence[Member], besides: Besides | None) -> None:
        self.labels = np.arange(len(members))
        self._logit = calibration.logit
        self._besides = besides
        self._follow = following([member.tracklet for member in members])
        self._numbers = np.array([member.number for member in members])
        self.weights = np.array([member.weight for member in members])
        self.vectors = stacked([member.vector for member in members]).astype(np.float64, copy=False)

    def to(self, labels: NDArray[np.int64]) -> Self:
        """Return the same for these clusters."""
        found = copy(self)
        found.labels = labels
        return found

    def with_tracks_joined(self, rivals: NDArray[np.bool_], threshold: float) -> Self:
        """Return the same for clusters that are one where a track goes on from one to the other, the likeliest first.

        They are joined last: the legs that follow are often seen badly, and would make a cluster less like its others.

        Args:
            rivals: `(n, n)`, symmetric: pairs of members that cannot be the same person.
            threshold: Log odds from which on clusters are joined.
        """
        found = self
        while (pair := found._likeliest_by_track(rivals, threshold)) is not None:
            found = found.to(np.where(found.labels == pair[1], pair[0], found.labels))
        return found

    def _likeliest_by_track(self, rivals: NDArray[np.bool_], threshold: float) -> tuple[int, int] | None:
        found: list[tuple[float, int, int]] = []
        sides = np.sort(self.labels[np.argwhere(np.triu(self._follow))], axis=1)
        for one, other in np.unique(sides, axis=0).tolist():
            inside = self.labels == one, self.labels == other
            if one != other and not rivals[np.ix_(*inside)].any():
                found.append((self._between(*inside), one, other))
        likelihood, one, other = max(found, key=lambda pair: pair[0], default=(-np.inf, 0, 0))  # the first one on ties
        return (one, other) if likelihood >= threshold and found else None

    def of_member(self, place: int, label: int) -> float:
        """Return the log odds of a member belonging to the others of a cluster; the maximum if there are none."""
        rest = self.labels == label
        rest[place] = False
        return self._between(np.arange(len(rest)) == place, rest)

    def has_others(self, place: int, label: int) -> bool:
        """Return whether a cluster has other members."""
        return bool((self.labels == label).sum() > (self.labels[place] == label))

    def of_number(self, number: int, label: int) -> float:
        """Return the log odds of an identity's part of a cluster belonging to the rest."""
        inside = self.labels == label
        return self._between(inside & (self._numbers == number), inside & (self._numbers != number))

    def of_whole(self, number: int, label: int) -> float:
        """Return the log odds of an identity, whichever clusters it is in, belonging to the rest of a cluster."""
        return self._between(self._numbers == number, (self.labels == label) & (self._numbers != number))

    def _between(self, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
        if not other.any():
            return MAX_LOGIT
        shares = [self.weights[part] / self.weights[part].sum() for part in (one, other)]
        means = [share @ self.vectors[part] for share, part in zip(shares, (one, other), strict=True)]
        similar = float(means[0] @ means[1])
        if self._besides is not None:
            both = np.ix_(one, other)
            similar += float(shares[0] @ self._besides.means[both] @ shares[1])
            similar += float(self._besides.bounded(self._besides.sums[both].sum()))
        goes_on = CONTINUED if self._follow[np.ix_(one, other)].any() else 0.0
        return min(MAX_LOGIT, self._logit(round(similar, 5)) + goes_on)


def following(tracklets: Sequence[Tracklet | None]) -> NDArray[np.bool_]:
    """Return `(n, n)` which pairs of tracklets are of legs that follow each other in one track."""
    names = [None if tracklet is None else TrackletId.parse(tracklet.tracklet_id) for tracklet in tracklets]
    tracks: dict[tuple[str, str, int], list[tuple[int, int]]] = defaultdict(list)
    for place, name in enumerate(names):
        if name is not None:
            tracks[name.camera_id, name.stream_id, name.track].append((place, name.leg))
    found = np.zeros((len(names), len(names)), np.bool_)
    for legs in (legs for legs in tracks.values() if len(legs) > 1):
        places, numbers = np.array(legs).T
        found[np.ix_(places, places)] = np.abs(np.subtract.outer(numbers, numbers)) == 1
    return found
