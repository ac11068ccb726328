"""Re-ranking by k-reciprocal neighbours, with neighbour lists and sparse rows in place of dense matrices.

Zhong et al. 2017, "Re-ranking person re-identification with k-reciprocal encoding", section 3. Letters: q queries, g
gallery items, n = q + g. A float matrix of MSMT17's n x n distances takes 35 GB; its lists of k1 + 1 neighbours take
8 MB, and only the nonzero entries of an item's encoding (section 3.3) are kept, a few hundred numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, diags_array

from training.evaluation.metrics import blocks, cosine_scores

_PAIRS = 2**15  # pairs whose distances are computed at once: 100 MB per side at 768 features
_NO_DISTANCE = 1e-12  # largest distance if all items coincide


@dataclass(frozen=True, slots=True, eq=False)
class Reranked:
    """Queries and gallery, encoded by their neighbours.

    Attributes:
        queries: `(q, dim)` float32, rows of length 1.
        gallery: `(g, dim)` float32, rows of length 1.
        farthest: `(q,)` largest squared Euclidean distance of each query to any query or gallery item.
        of_queries: `(q, n)` encodings; rows sum to 1.
        of_gallery: `(g, n)` encodings, by columns.
        weight: λ of the original distance, 0 to 1.
    """

    queries: NDArray[np.float32]
    gallery: NDArray[np.float32]
    farthest: NDArray[np.float32]
    of_queries: csr_array
    of_gallery: csc_array
    weight: float

    def scores(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the negated final distances (equation 12) of queries `start:stop`, `(stop - start, g)`, -1 to 0."""
        block = np.asarray(self.queries[start:stop] @ self.gallery.T, np.float32)
        for query, row in zip(range(start, stop), block, strict=True):
            shared = _shared(self.of_queries, query, self.of_gallery)
            original = np.maximum(2 - 2 * row, 0) / self.farthest[query]
            row[:] = (1 - self.weight) * (shared / (2 - shared) - 1) - self.weight * original
        return block


def reranked(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    *,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
) -> Reranked:
    """Encode queries and gallery by their k-reciprocal neighbours among both.

    As in the authors' code, the original distance is the squared Euclidean distance over the largest of its row.

    Args:
        queries: `(q, dim)`, rows of length 1.
        gallery: `(g, dim)`, rows of length 1.
        k1: Size of the neighbourhood within which neighbours must be mutual.
        k2: Number of neighbours whose encodings are averaged (local query expansion, section 3.4).
        weight: λ, weight of the original distance against the Jaccard distance, 0 to 1.

    Raises:
        ValueError: A parameter is out of range, queries or gallery are empty, or a feature is not finite.
    """
    if k1 < 1 or k2 < 1 or not 0 <= weight <= 1:
        raise ValueError(f"k1 and k2 must be 1 or more and weight 0 to 1, got k1={k1}, k2={k2}, weight={weight}")
    if not len(queries) or not len(gallery):
        raise ValueError(f"nothing to re-rank: {len(queries)} queries, {len(gallery)} gallery items")
    every = np.concatenate([queries, gallery])
    found = _neighbours(every, max(k1 + 1, k2))
    encodings = _expanded(_encodings(every, found, k1), found.nearest[:, :k2])
    q = len(queries)
    return Reranked(queries, gallery, found.farthest[:q], encodings[:q], encodings[q:].tocsc(), weight)


def jaccard_distances(features: NDArray[np.float32], *, k1: int, k2: int) -> NDArray[np.float32]:
    """Return the Jaccard distances (equation 10) of all pairs of n items, `(n, n)`, 0 to 1; for a few thousand items.

    Args:
        features: `(n, dim)`, rows of length 1.
        k1: Size of the neighbourhood within which neighbours must be mutual.
        k2: Number of neighbours whose encodings are averaged.

    Raises:
        ValueError: A feature is not finite.
    """
    found = _neighbours(features, max(k1 + 1, k2))
    rows = _expanded(_encodings(features, found, k1), found.nearest[:, :k2])
    columns = rows.tocsc()
    distances = np.empty((len(features), len(features)), np.float32)
    for place, row in enumerate(distances):
        shared = _shared(rows, place, columns)
        row[:] = 1 - shared / (2 - shared)
    return np.clip(distances, 0, 1, out=distances)


@dataclass(frozen=True, slots=True, eq=False)
class _Neighbours:
    """Nearest neighbours of n items.

    Attributes:
        nearest: `(n, k)` int32, ascending by distance, starting with the item itself.
        farthest: `(n,)` largest squared Euclidean distance of each item to any other.
    """

    nearest: NDArray[np.int32]
    farthest: NDArray[np.float32]


def _neighbours(features: NDArray[np.float32], count: int) -> _Neighbours:
    n = len(features)
    count = min(count, n)
    nearest, farthest = np.empty((n, count), np.int32), np.empty(n, np.float32)
    cosines = cosine_scores(features, features)
    for start, stop in blocks(n, n):
        apart = cosines(start, stop)
        np.negative(apart, out=apart)
        farthest[start:stop] = np.maximum(2 + 2 * apart.max(axis=1), _NO_DISTANCE)
        apart[
            np.arange(stop - start), np.arange(start, stop)
        ] = -np.inf  # an item is its own nearest neighbour, regardless of rounding
        for row, distances in enumerate(apart, start=start):
            # Equal distances keep their order, as in a stable sort, also at the end of the list.
            chosen = np.flatnonzero(distances <= np.partition(distances, count - 1)[count - 1])
            nearest[row] = chosen[np.argsort(distances[chosen], kind="stable")[:count]]
    return _Neighbours(nearest, farthest)


def _encodings(features: NDArray[np.float32], found: _Neighbours, k1: int) -> csr_array:
    """Return each item's encoding `(n, n)`: weights of its k-reciprocal neighbours, which sum to 1."""
    n = len(features)
    reciprocal = _reciprocal(found.nearest[:, : k1 + 1])
    close = _reciprocal(found.nearest[:, : round(k1 / 2) + 1])
    # Equation 3: add a neighbour's closer neighbours if more than two thirds of them are already in the set.
    shared = (reciprocal @ close.T).multiply(reciprocal).tocoo()
    joins = 3 * shared.data > 2 * np.diff(close.indptr)[shared.col]
    joining = csr_array((shared.data[joins], (shared.row[joins], shared.col[joins])), shape=(n, n))
    members = csr_array(reciprocal + joining @ close)
    rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(members.indptr))
    weights = np.exp(-_squared(features, rows, members.indices) / found.farthest[rows])  # equation 7
    encodings = csr_array((weights, members.indices, members.indptr), shape=(n, n))
    return csr_array(diags_array(1 / encodings.sum(axis=1)) @ encodings)


def _reciprocal(lists: NDArray[np.int32]) -> csr_array:
    """Return which items are in each other's lists `(n, k)`, as ones in `(n, n)` (equation 2)."""
    names = _rows_of(lists, 1)
    return csr_array(names.multiply(names.T.tocsr()))


def _expanded(encodings: csr_array, lists: NDArray[np.int32]) -> csr_array:
    """Return the mean encoding of each item's nearest `(n, k2)` (equation 11)."""
    return csr_array(_rows_of(lists, 1 / lists.shape[1]) @ encodings)


def _rows_of(lists: NDArray[np.int32], value: float) -> csr_array:
    """Return a matrix `(n, n)` with `value` at the columns listed in each row of `(n, k)`."""
    n, k = lists.shape
    values = np.full(lists.size, value, np.float32)
    return csr_array((values, lists.ravel(), np.arange(n + 1, dtype=np.int32) * k), shape=(n, n))


def _squared(features: NDArray[np.float32], rows: NDArray[np.int32], columns: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return squared Euclidean distances of pairs of unit rows, `(pairs,)`."""
    out = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _PAIRS):
        pairs = slice(start, start + _PAIRS)
        out[pairs] = 2 - 2 * np.einsum("pd,pd->p", features[rows[pairs]], features[columns[pairs]])
    return np.maximum(out, 0)


def _shared(of_queries: csr_array, query: int, of_gallery: csc_array) -> NDArray[np.float32]:
    """Return the sums of element-wise minima of a query's and every gallery item's encodings, `(g,)`, for equation 10.

    Each encoding sums to 1, so the sum of maxima is 2 minus that.
    """
    out = np.zeros(of_gallery.shape[0], np.float32)
    for place in range(of_queries.indptr[query], of_queries.indptr[query + 1]):
        column = of_queries.indices[place]
        items = slice(of_gallery.indptr[column], of_gallery.indptr[column + 1])
        out[of_gallery.indices[items]] += np.minimum(of_gallery.data[items], of_queries.data[place])
    return out
