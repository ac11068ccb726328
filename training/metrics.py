"""CMC and mAP, the way the field counts them: a gallery item of the query's identity and camera is not there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """How well queries found their identity.

    Attributes:
        mean_ap: Mean average precision, 0 to 1.
        cmc: `(r,)` share of queries with a right item among the first 1..r.
        queries: Queries that had anything to find; the others do not count.
    """

    mean_ap: float
    cmc: NDArray[np.float64]
    queries: int

    def rank(self, r: int) -> float:
        """Return the share of queries with a right item among the first r."""
        return float(self.cmc[min(r, len(self.cmc)) - 1])


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """n features with who and where.

    Attributes:
        features: `(n, dim)` float32, rows of length 1.
        identities: `(n,)` int64.
        cameras: `(n,)` int64.
    """

    features: NDArray[np.float32]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]


def rank_all(items: Labelled, *, ranks: int = 10) -> Ranking:
    """Use every item as a query against all others in other cameras.

    Raises:
        ValueError: No item has its identity in another camera.
    """
    return rank(items, items, ranks=ranks)


def rank(queries: Labelled, gallery: Labelled, *, ranks: int = 10) -> Ranking:
    """Rank the gallery by cosine for every query; mAP by the precision at every right item.

    Raises:
        ValueError: No query has its identity in another camera of the gallery.
    """
    order = np.argsort(-(queries.features @ gallery.features.T), axis=1, kind="stable")
    right = gallery.identities[order] == queries.identities[:, None]
    allowed = ~(right & (gallery.cameras[order] == queries.cameras[:, None]))
    hits = right & allowed
    found = hits.any(axis=1)
    if not found.any():
        raise ValueError("no query has its identity in another camera")
    hits, allowed = hits[found], allowed[found]
    place = np.cumsum(allowed, axis=1)  # rank of every item once the forbidden ones are gone
    precision = np.cumsum(hits, axis=1) / np.maximum(place, 1)
    average = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    first = np.where(hits, place, np.iinfo(np.int64).max).min(axis=1)
    cmc = np.array([(first <= r).mean() for r in range(1, ranks + 1)])
    return Ranking(float(average.mean()), cmc, int(found.sum()))


@dataclass(frozen=True, slots=True)
class CosineGap:
    """Mean cosine of pairs from different cameras: one person, two people, and the difference."""

    same: float
    different: float

    @property
    def gap(self) -> float:
        """How much more alike one person is to itself than to others."""
        return self.same - self.different


def cosine_gap(items: Labelled) -> CosineGap:
    """Return the mean cosine over all pairs of different cameras."""
    cosine = items.features @ items.features.T
    across = items.cameras[:, None] != items.cameras[None, :]
    same = items.identities[:, None] == items.identities[None, :]
    return CosineGap(float(cosine[across & same].mean()), float(cosine[across & ~same].mean()))
