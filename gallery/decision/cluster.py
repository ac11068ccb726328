"""Constrained agglomerative clustering of tracklets with average linkage. Pure.

The two most similar clusters are joined for as long as the mean similarity between their members reaches a threshold.
Unlike decisions made one tracklet after the other, where an early mistake attracts later ones, the most similar pairs
come first, whenever they were seen. Parts of one leg start in one cluster; clusters with two members that cannot be the
same person are never joined.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEVER = -np.inf  # similarity of clusters that cannot be joined


@dataclass(frozen=True, slots=True, eq=False)
class Besides:
    """What is added to the similarities of n members.

    Attributes:
        means: `(n, n)`, symmetric: of two clusters the mean counts.
        sums: `(n, n)`, symmetric: of two clusters the sum counts, since of most pairs nothing is known.
        most: The largest absolute value of a sum.
    """

    means: NDArray[np.float64]
    sums: NDArray[np.float64]
    most: float

    def bounded(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums within the bound."""
        return np.asarray(np.clip(sums, -self.most, self.most))


def clusters(
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    legs: Sequence[object],
    rivals: NDArray[np.bool_],
    least: float,
    besides: Besides | None = None,
) -> NDArray[np.int64]:
    """Return the cluster of each of n members, as the index of its first member.

    Args:
        vectors: `(n, d)`; the similarity of two members is their inner product.
        weights: `(n,)`, > 0.
        legs: n hashable values; members with equal values are the same person.
        rivals: `(n, n)`, symmetric: pairs that cannot be the same person.
        least: Clusters are joined from this mean similarity on, or from -1 on if that is higher.
        besides: What is added to the similarities.
    """
    state = _Clusters(vectors, weights, legs, rivals, besides)
    while state.best >= max(least, -1.0):
        state.join()
    return state.labels


def clusters_in_turn(
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    legs: Sequence[object],
    rivals: NDArray[np.bool_],
    later: NDArray[np.bool_],
    least: float,
    besides: Besides | None = None,
) -> NDArray[np.int64]:
    """Return clusters as `clusters` does, but members of the first turn first, and then those of `later`, `(n,)`.

    Two clusters of the first turn stay two, even if a later member is like both: it joins the one that it is more like.
    Members with equal `legs` belong to one turn.
    """
    if later.all() or not later.any():
        return clusters(vectors, weights, legs, rivals, least, besides)
    first = clusters(vectors, weights, legs, rivals | later[:, None] | later[None, :], least, besides)
    settled = (first[:, None] != first[None, :]) & ~later[:, None] & ~later[None, :]
    return clusters(vectors, weights, first.tolist(), rivals | settled, least, besides)


class _Clusters:
    """The remaining clusters, their means, and the most similar partner of each."""

    def __init__(
        self,
        vectors: NDArray[np.float64],
        weights: NDArray[np.float64],
        legs: Sequence[object],
        rivals: NDArray[np.bool_],
        besides: Besides | None,
    ) -> None:
        firsts: dict[object, int] = {}
        self.labels = np.array([firsts.setdefault(leg, place) for place, leg in enumerate(legs)], np.int64)
        gone = np.flatnonzero(self.labels != np.arange(len(legs)))
        sums, self._weights, self._apart = vectors * weights[:, None], weights.copy(), rivals.copy()
        nothing = np.zeros(rivals.shape)
        self._besides = besides or Besides(nothing, nothing, 0.0)
        self._sums = self._besides.sums.copy()
        for place, label in zip(gone.tolist(), self.labels[gone].tolist(), strict=True):
            self._add_up(label, place)
            sums[label] += sums[place]
            self._weights[label] += weights[place]
            self._apart[label] |= self._apart[place]
            self._apart[:, label] |= self._apart[:, place]
        sums[gone], self._weights[gone] = 0.0, 1.0
        self._apart[gone] = self._apart[:, gone] = True
        np.fill_diagonal(self._apart, val=True)
        means = sums / self._weights[:, None]
        self._products = means @ means.T
        if besides is not None:
            self._products += self._between(besides.means, weights) if len(gone) else besides.means
        similar = self._products + self._besides.bounded(self._sums)
        self._similar = np.where(self._apart, NEVER, np.round(similar, 6))
        self._partners = self._similar.argmax(1)
        self._tops = self._similar[np.arange(len(legs)), self._partners]

    def _between(self, means: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of what is added to the similarities of the members of each two clusters."""
        shares = np.zeros(means.shape)
        places = np.arange(len(weights))
        shares[self.labels, places] = weights / self._weights[self.labels]
        return np.asarray(shares @ means @ shares.T)

    @property
    def best(self) -> float:
        """Return the similarity of the two most similar clusters that may be joined; -inf if there are none."""
        return float(self._tops.max(initial=NEVER))

    def join(self) -> None:
        """Join the two most similar clusters, under the lower label."""
        row = int(self._tops.argmax())
        kept, gone = sorted((row, int(self._partners[row])))
        self.labels[self.labels == gone] = kept
        self._unite_products(kept, gone)
        self._add_up(kept, gone)
        self._apart[kept] |= self._apart[gone]
        self._apart[gone] = True
        self._apart[:, kept], self._apart[:, gone] = self._apart[kept], True
        self._compare_again(kept, gone)

    def _add_up(self, kept: int, gone: int) -> None:
        """Add what is known of a cluster beside others to that of another one."""
        self._sums[kept] += self._sums[gone]
        self._sums[:, kept] += self._sums[:, gone]

    def _unite_products(self, kept: int, gone: int) -> None:
        """Replace the inner products of two means by those of their common mean, which are linear in it."""
        weight = self._weights[kept] + self._weights[gone]
        shares = self._weights[kept] / weight, self._weights[gone] / weight
        products = shares[0] * self._products[kept] + shares[1] * self._products[gone]
        products[kept] = shares[0] * products[kept] + shares[1] * products[gone]
        self._products[kept], self._products[:, kept] = products, products
        self._weights[kept] = weight

    def _compare_again(self, kept: int, gone: int) -> None:
        found = self._products[kept] + self._besides.bounded(self._sums[kept])
        similar = np.where(self._apart[kept], NEVER, np.round(found, 6))
        self._similar[kept], self._similar[:, kept] = similar, similar
        self._similar[gone] = self._similar[:, gone] = NEVER
        stale = (self._partners == kept) | (self._partners == gone) | (similar > self._tops)
        stale[[kept, gone]] = True
        rows = np.flatnonzero(stale)
        self._partners[rows] = self._similar[rows].argmax(1)
        self._tops[rows] = self._similar[rows, self._partners[rows]]
