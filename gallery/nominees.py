"""The vectors that may be among the best of a search, given bounds of their scores. Pure."""

import numpy as np
from numpy.typing import NDArray

from gallery.index import least_of

MOST = 2_048  # for one query; only vectors without preferred directions would need more
ROUNDING = 1e-5  # of scores in float32

Vectors = NDArray[np.float32]
Whole = NDArray[np.int64]


class Nominees:
    """The rows that may be among the k best of each of m queries, as far as rows were read."""

    def __init__(self, queries: int, k: int) -> None:
        self._k = k
        self._floors = np.full(queries, np.finfo(np.float32).min, np.float32)  # scores that k rows reach
        self._held: list[tuple[Whole, Whole, Vectors, Vectors]] = []  # queries, rows, upper and lower bounds
        self._most = 4 * k * queries

    def read(self, bounds: Vectors, rests: Vectors, query_rests: Vectors, first_row: int) -> None:
        """Read n rows, from `first_row` on.

        Args:
            bounds: `(n, m)` upper bounds of the scores.
            rests, query_rests: `(n,)` and `(m,)`; a score is lower than its bound by at most twice their product.
        """
        if not self._held:
            lowest = bounds.T - 2 * np.outer(query_rests, rests) - np.float32(ROUNDING)
            self._floors = np.maximum(self._floors, least_of(lowest, self._k))
        places = np.flatnonzero(bounds >= self._floors)
        rows, queries = np.divmod(places, bounds.shape[1])
        upper = bounds.ravel()[places]
        lower = upper - 2 * rests[rows] * query_rests[queries] - np.float32(ROUNDING)
        self._held.append((queries, rows + first_row, upper, lower))
        if sum(len(held[0]) for held in self._held) > self._most:
            self._tighten()

    def by_query(self) -> tuple[list[Whole], list[Vectors]]:
        """Return the rows of each query, and the upper bounds of their scores, the highest first."""
        self._tighten()
        ((queries, rows, upper, _),) = self._held
        ends = np.searchsorted(queries, np.arange(1, len(self._floors)))
        return np.split(rows, ends), np.split(upper, ends)

    def _tighten(self) -> None:
        """Raise the floors to the k-th best lower bounds, and leave out what is below."""
        queries, rows, upper, lower = (np.concatenate(part) for part in zip(*self._held, strict=True))
        order = _by_query(queries, lower)
        last = order[_ranks(queries[order]) == self._k - 1]
        self._floors[queries[last]] = np.maximum(self._floors[queries[last]], lower[last])
        order = _by_query(queries, upper)
        kept = (upper[order] >= self._floors[queries[order]]) & (_ranks(queries[order]) < MOST)
        order = order[kept]
        self._held = [(queries[order], rows[order], upper[order], lower[order])]
        self._most = max(self._most, 2 * len(order))


def _by_query(queries: Whole, values: Vectors) -> Whole:
    """Return the order by query, and from the highest value on."""
    falling = np.argsort(-values)
    return np.asarray(falling[np.argsort(queries[falling].astype(np.int16), kind="stable")])


def _ranks(queries: Whole) -> Whole:
    """Return the position of each entry among those of its query, given queries in ascending order."""
    return np.arange(len(queries)) - np.searchsorted(queries, queries)
