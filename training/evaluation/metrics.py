"""CMC, mAP and mINP by the standard protocol: gallery items with the query's identity and camera are ignored.

Junk is ignored too, and distractors never match. The full matrix of queries by gallery items is never held in memory:
scores are computed in blocks of queries, and the ranks of matches are counted rather than sorted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import JUNK

Scores = Callable[[int, int], NDArray[np.float32]]
"""Scores of queries `start` to `stop` for all gallery items, `(stop - start, items)`; higher is more similar."""

_BLOCK_BYTES = 64 * 2**20  # per block of scores; intermediate results need the same again


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Ranking metrics over a set of queries.

    Attributes:
        mean_ap: Mean average precision, 0 to 1.
        mean_inp: Mean inverse negative penalty, 0 to 1: number of matches over the rank of the last one (Ye et al.
            2021, "Deep learning for person re-identification: a survey and outlook", section 3.3).
        cmc: `(r,)` share of queries with a match among the first 1..r.
        queries: Number of queries with at least one match in the gallery; others are excluded.
        left_out: Number of queries without a match in the gallery.
    """

    mean_ap: float
    mean_inp: float
    cmc: NDArray[np.float64]
    queries: int
    left_out: int

    def rank(self, r: int) -> float:
        """Return the share of queries with a match among the first r."""
        return float(self.cmc[min(r, len(self.cmc)) - 1])


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Identities and cameras of n items.

    Attributes:
        identities: `(n,)` int64, 0 or more, or JUNK or DISTRACTOR.
        cameras: `(n,)` int64.
    """

    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """n features with their identities and cameras.

    Attributes:
        features: `(n, dim)` float32, rows of length 1.
        identities: `(n,)` int64.
        cameras: `(n,)` int64.
    """

    features: NDArray[np.float32]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]

    @property
    def labels(self) -> Labels:
        """Identities and cameras, without the features."""
        return Labels(self.identities, self.cameras)


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Result of one query.

    Attributes:
        average_precision: Mean precision at its matches, 0 to 1; 0 if there are none.
        inverse_penalty: Number of matches over the rank of the last one, 0 to 1; 0 if there are none.
        first: Rank of the first match, from 1; 0 if there is none.
    """

    average_precision: float
    inverse_penalty: float
    first: int


def rank_all(items: Labelled, *, ranks: int = 10) -> Ranking:
    """Use every item as a query against all items from other cameras.

    Raises:
        ValueError: No item has its identity in another camera.
    """
    return rank(items, items, ranks=ranks)


def rank(queries: Labelled, gallery: Labelled, *, ranks: int = 10) -> Ranking:
    """Rank the gallery by cosine for every query.

    Raises:
        ValueError: No query has its identity in the gallery under another camera, or a feature is not finite.
    """
    scores = cosine_scores(queries.features, gallery.features)
    return summarise(query_results(scores, queries.labels, gallery.labels), ranks=ranks)


def cosine_scores(queries: NDArray[np.float32], gallery: NDArray[np.float32]) -> Scores:
    """Return a function that computes the cosines of unit rows `(n, dim)` and `(m, dim)` block by block.

    Raises:
        ValueError: A feature is not finite.
    """
    for name, features in (("query", queries), ("gallery", gallery)):
        broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if len(broken):
            raise ValueError(f"{len(broken)} of {len(features)} {name} features are not finite, first row {broken[0]}")
    turned = gallery.T

    def block(start: int, stop: int) -> NDArray[np.float32]:
        return np.asarray(queries[start:stop] @ turned, np.float32)

    return block


def blocks(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Split `rows` into runs whose scores for `columns` items take at most 64 MB, but at least one row each."""
    step = max(_BLOCK_BYTES // (4 * max(columns, 1)), 1)
    return ((start, min(start + step, rows)) for start in range(0, rows, step))


def query_results(scores: Scores, queries: Labels, gallery: Labels) -> list[QueryResult]:
    """Return the result of each query; items with equal scores keep the gallery's order."""
    results = []
    order = np.argsort(gallery.identities, kind="stable")
    sorted_identities = gallery.identities[order]
    for start, stop in blocks(len(queries.identities), len(gallery.identities)):
        block = -scores(start, stop)
        block[:, gallery.identities == JUNK] = np.inf
        for row, identity, camera in zip(
            block, queries.identities[start:stop], queries.cameras[start:stop], strict=True
        ):
            low, high = np.searchsorted(sorted_identities, [identity, identity + 1])
            same = order[low:high] if identity >= 0 else order[:0]
            elsewhere = gallery.cameras[same] != camera
            row[same[~elsewhere]] = np.inf
            results.append(_result(places(row, same[elsewhere])))
    return results


def places(distances: NDArray[np.float32], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the 1-based ranks, ascending, of the items `right` `(h,)` among all items sorted by distance `(m,)`.

    Items at infinite distance are ignored. Equal distances keep their order. Counting what precedes a few items takes
    one pass, whereas sorting all of them takes several.
    """
    if len(right) == 0:
        return np.empty(0, np.int64)
    right = right[np.lexsort((right, distances[right]))]
    of_right = distances[right]
    near = np.flatnonzero(distances <= of_right[-1])
    low = np.searchsorted(of_right, distances[near], side="left")
    high = np.searchsorted(of_right, distances[near], side="right")
    for tied in np.flatnonzero(low != high):  # the matches themselves, and items at exactly the same distance
        equals = right[low[tied] : high[tied]]
        high[tied] = low[tied] + np.searchsorted(equals, near[tied], side="left")
    # An item precedes the matches from index `high` on; a match is counted among those preceding the next one.
    before = np.cumsum(np.bincount(high, minlength=len(right) + 1))[: len(right)]
    return np.asarray(before, np.int64)


def _result(found: NDArray[np.int64]) -> QueryResult:
    if len(found) == 0:
        return QueryResult(0.0, 0.0, 0)
    precision = np.arange(1, len(found) + 1) / found
    return QueryResult(float(precision.mean()), float(precision[-1]), int(found[0]))


def summarise(results: Sequence[QueryResult], *, ranks: int = 10) -> Ranking:
    """Average over the queries that have a match.

    Raises:
        ValueError: No query has one.
    """
    counted = [one for one in results if one.first]
    if not counted:
        raise ValueError("no query has its identity in another camera")
    first = np.array([one.first for one in counted])
    return Ranking(
        mean_ap=float(np.mean([one.average_precision for one in counted])),
        mean_inp=float(np.mean([one.inverse_penalty for one in counted])),
        cmc=np.array([(first <= r).mean() for r in range(1, ranks + 1)]),
        queries=len(counted),
        left_out=len(results) - len(counted),
    )


def average(rankings: Sequence[Ranking]) -> Ranking:
    """Return the mean of the rankings of several splits; query counts are summed."""
    return Ranking(
        mean_ap=float(np.mean([one.mean_ap for one in rankings])),
        mean_inp=float(np.mean([one.mean_inp for one in rankings])),
        cmc=np.asarray(np.mean([one.cmc for one in rankings], axis=0)),
        queries=sum(one.queries for one in rankings),
        left_out=sum(one.left_out for one in rankings),
    )


@dataclass(frozen=True, slots=True)
class CosineGap:
    """Mean and standard deviation of the cosine over cross-camera pairs of the same person and of different people."""

    same: float
    different: float
    same_std: float
    different_std: float

    @property
    def gap(self) -> float:
        """Difference between the mean cosines of the same person and of different people."""
        return self.same - self.different


def cosine_gap(items: Labelled) -> CosineGap:
    """Return mean and deviation over all cross-camera pairs, NaN if there are none; distractors never match."""
    cosine = items.features @ items.features.T
    across = items.cameras[:, None] != items.cameras[None, :]
    same = (items.identities[:, None] == items.identities[None, :]) & (items.identities >= 0)
    one, two = cosine[across & same], cosine[across & ~same]
    return CosineGap(_mean(one), _mean(two), _scatter(one), _scatter(two))


def _mean(values: NDArray[np.float32]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _scatter(values: NDArray[np.float32]) -> float:
    return float(values.std(dtype=np.float64)) if values.size else float("nan")
