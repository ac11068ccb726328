"""Re-ranking with neighbour lists in place of matrices.

The method is k-reciprocal encoding, Zhong et al. 2017, "Re-ranking person re-identification with k-reciprocal
encoding", section 3. Letters: q queries, g gallery items, n = q + g. An n x n matrix of MSMT17 has 35 GB; its lists of
k1 + 1 neighbours have 8 MB, and the encodings of section 3.3, of which only what is not zero is kept, some hundred
numbers a row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, diags_array

from training.metrics import Scores, blocks, cosine_scores

_PAIRS = 2**17  # pairs whose distances are computed together


@dataclass(frozen=True, slots=True)
class RerankPlan:
    """Parameters, the paper's by default.

    Attributes:
        k1: Neighbours that must name each other.
        k2: Neighbours whose encodings are averaged (local query expansion).
        original: λ, weight of the original distance beside the Jaccard distance, 0 to 1.
    """

    k1: int = 20
    k2: int = 6
    original: float = 0.3

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.original <= 1:
            raise ValueError(f"k1 and k2 must be at least 1 and lambda between 0 and 1, got {self}")


@dataclass(frozen=True, slots=True, eq=False)
class _Neighbours:
    """The nearest items of each of n, itself first.

    Attributes:
        nearest: `(n, k)` int32.
        farthest: `(n,)` largest squared Euclidean distance of each item to any.
    """

    nearest: NDArray[np.int32]
    farthest: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Reranked:
    """What the distances of queries to gallery items are computed from, block by block.

    Attributes:
        cosines: Of queries and gallery items.
        farthest: `(q,)` largest squared Euclidean distance of each query to any item.
        of_queries: Encodings `(q, n)`.
        of_gallery: Encodings `(g, n)`, by columns.
        original: λ.
    """

    cosines: Scores
    farthest: NDArray[np.float32]
    of_queries: csr_array
    of_gallery: csc_array
    original: float

    def scores(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return one minus the distance of queries `start` to `stop` to all items (equation 12), `(stop - start, g)`."""
        out = self.cosines(start, stop)
        for row, score in zip(range(start, stop), out, strict=True):
            shared = _shared(self.of_queries, row, self.of_gallery)
            distance = (2 - 2 * score) / self.farthest[row]
            score[:] = 1 - (1 - self.original) * (1 - shared / (2 - shared)) - self.original * distance
        return out


def reranked(queries: NDArray[np.float32], gallery: NDArray[np.float32], plan: RerankPlan | None = None) -> Reranked:
    """Find the k-reciprocal neighbours of features `(q, dim)` and `(g, dim)`, rows of length 1.

    As in the authors' programs the original distance is the squared Euclidean one over the largest of its row.

    Raises:
        ValueError: A feature is not finite.
    """
    plan = plan or RerankPlan()
    cosines = cosine_scores(queries, gallery)  # refuses what is not finite
    every = np.concatenate([queries, gallery])
    found = _neighbours(every, max(plan.k1 + 1, plan.k2))
    weights = _encoded(every, found, plan)
    q = len(queries)
    return Reranked(cosines, found.farthest[:q], weights[:q], weights[q:].tocsc(), plan.original)


def _neighbours(features: NDArray[np.float32], count: int) -> _Neighbours:
    n = len(features)
    count = min(count, n)
    nearest, farthest = np.empty((n, count), np.int32), np.empty(n, np.float32)
    cosines = cosine_scores(features, features)
    for start, stop in blocks(n, n):
        apart = -cosines(start, stop)
        farthest[start:stop] = np.maximum(2 + 2 * apart.max(axis=1), 1e-12)
        apart[np.arange(stop - start), np.arange(start, stop)] = -np.inf  # its own nearest, whatever rounding says
        for row, distances in enumerate(apart, start=start):
            # Equal distances stand in order, as in a stable sort, also where they end the list.
            chosen = np.flatnonzero(distances <= np.partition(distances, count - 1)[count - 1])
            nearest[row] = chosen[np.argsort(distances[chosen], kind="stable")[:count]]
    return _Neighbours(nearest, farthest)


def _encoded(features: NDArray[np.float32], found: _Neighbours, plan: RerankPlan) -> csr_array:
    """Return the encoding of every item `(n, n)`: weights of its k-reciprocal neighbours that sum to 1."""
    n = len(features)
    reciprocal = _reciprocal(found.nearest[:, : plan.k1 + 1])
    close = _reciprocal(found.nearest[:, : round(plan.k1 / 2) + 1])
    # Equation 3: a neighbour's own closer neighbours join if more than two thirds of them are mine already.
    shared = (reciprocal @ close.T).multiply(reciprocal).tocoo()
    joins = shared.data > 2 / 3 * close.sum(axis=1)[shared.col]
    joining = csr_array((shared.data[joins], (shared.row[joins], shared.col[joins])), shape=(n, n))
    members = csr_array(reciprocal + joining @ close)
    rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(members.indptr))
    members.data = np.exp(-_squared(features, rows, members.indices) / found.farthest[rows])  # equation 7
    chosen = found.nearest[:, : plan.k2]  # equation 11
    mean = csr_array(
        (np.full(chosen.size, 1 / chosen.shape[1], np.float32), chosen.ravel(), np.arange(n + 1) * chosen.shape[1]),
        shape=(n, n),
    )
    return csr_array(mean @ (diags_array(1 / members.sum(axis=1)) @ members))


def _reciprocal(lists: NDArray[np.int32]) -> csr_array:
    """Return who name each other in their lists `(n, k)`, 1 where two do, `(n, n)` (equation 2)."""
    n, k = lists.shape
    names = csr_array((np.ones(lists.size, np.float32), lists.ravel(), np.arange(n + 1) * k), shape=(n, n))
    return csr_array(names.multiply(names.T.tocsr()))


def _squared(features: NDArray[np.float32], rows: NDArray[np.int32], columns: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return squared Euclidean distances of pairs of unit rows, `(pairs,)`."""
    out = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _PAIRS):
        pairs = slice(start, start + _PAIRS)
        out[pairs] = 2 - 2 * np.einsum("pd,pd->p", features[rows[pairs]], features[columns[pairs]])
    return np.maximum(out, 0)


def _shared(of_queries: csr_array, row: int, of_gallery: csc_array) -> NDArray[np.float32]:
    """Return the sum of minima of a query's encoding and every gallery item's, `(g,)`, for equation 10.

    Both sum to 1, so their sum of maxima is 2 less that.
    """
    out = np.zeros(of_gallery.shape[0], np.float32)
    for place in range(of_queries.indptr[row], of_queries.indptr[row + 1]):
        column = of_queries.indices[place]
        items = slice(of_gallery.indptr[column], of_gallery.indptr[column + 1])
        out[of_gallery.indices[items]] += np.minimum(of_gallery.data[items], of_queries.data[place])
    return out
