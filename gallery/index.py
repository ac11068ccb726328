"""Nearest neighbours by inner product: the protocol, its reference, and the exact index of sites of common size.

`index_sketch` has the index of larger sites, and `index_faiss` that on a GPU.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PART = 32  # scores of which only the maximum is considered first


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Search results, best first; ties are in ascending order of id.

    Attributes:
        ids: `(m, k)` int64, -1 where there are fewer than k vectors.
        scores: `(m, k)` float32 inner products, -inf there.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


class VectorIndex(Protocol):
    """Vectors of one dimension under ids chosen by the caller; not thread-safe."""

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add `(n, d)` vectors under `(n,)` unused ids.

        Raises:
            ValueError: The dimension of the vectors differs from that of the index.
        """

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove the vectors of `(n,)` ids; unknown ids are ignored."""

    def purge(self) -> None:
        """Leave nothing of removed vectors in memory."""

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best for each of `(m, d)` queries."""

    def __len__(self) -> int:
        """Return the number of vectors."""


class BruteForceIndex:
    """Searches with a single matrix product; see `VectorIndex`."""

    def __init__(self, dimension: int) -> None:
        self._ids = np.empty(0, np.int64)
        self._vectors = np.empty((0, dimension), np.float32)

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Append vectors."""
        check_dimension(vectors, self._vectors.shape[1])
        self._ids = np.concatenate([self._ids, ids])
        self._vectors = np.concatenate([self._vectors, vectors])

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove vectors."""
        keep = ~np.isin(self._ids, ids)
        self._ids, self._vectors = self._ids[keep], self._vectors[keep]

    def purge(self) -> None:
        """Do nothing: removed vectors are gone."""

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best for each query."""
        scores = queries @ self._vectors.T
        return best(np.broadcast_to(self._ids, scores.shape), scores, k)

    def __len__(self) -> int:
        return len(self._ids)


class FlatIndex:
    """Searches with a matrix product over rows that are reused once removed; see `VectorIndex`.

    As fast as FAISS's exact index on a CPU, where a removal moves all later rows; here it takes constant time.
    """

    def __init__(self, dimension: int) -> None:
        self._ids = np.empty(0, np.int64)  # of each row
        self._vectors = np.empty((0, dimension), np.float32)
        self._used = 0  # rows from here on were never used
        self._rows: dict[int, int] = {}
        self._free: list[int] = []  # rows before `used` whose vector was removed

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Put vectors into free rows."""
        check_dimension(vectors, self._vectors.shape[1])
        reused = [self._free.pop() for _ in range(min(len(ids), len(self._free)))]
        end = self._used + len(ids) - len(reused)
        if end > len(self._ids):
            self._grow(end)
        rows = [*reused, *range(self._used, end)]
        self._used = end
        self._ids[rows], self._vectors[rows] = ids, vectors
        self._rows.update(zip(ids.tolist(), rows, strict=True))

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Free the rows of vectors, and overwrite them: somebody who is erased must not stay in memory."""
        gone = [self._rows.pop(one) for one in ids.tolist() if one in self._rows]
        self._vectors[gone] = 0.0
        self._free += gone

    def purge(self) -> None:
        """Do nothing: removed vectors are overwritten."""

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best for each query."""
        scores = queries @ self._vectors[: self._used].T
        scores[:, self._free] = -np.inf
        ids = self._ids[: self._used].copy()
        ids[self._free] = -1
        if not len(queries) or self._used <= k:
            return best(np.broadcast_to(ids, scores.shape), scores, k)
        rows = [np.flatnonzero(row >= least) for row, least in zip(scores, least_of(scores, k), strict=True)]
        found = [best(ids[None, row], one[None, row], k) for row, one in zip(rows, scores, strict=True)]
        return Hits(np.concatenate([one.ids for one in found]), np.concatenate([one.scores for one in found]))

    def all(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the `(n,)` ids and `(n, d)` vectors, in no particular order."""
        rows = np.fromiter(self._rows.values(), np.int64, len(self._rows))
        return self._ids[rows], self._vectors[rows]

    def __len__(self) -> int:
        return len(self._rows)

    def _grow(self, least: int) -> None:
        """Make room for this many rows, and for half as many again, so that additions take constant time on average."""
        more = least + least // 2 - len(self._ids)
        self._ids = np.concatenate([self._ids, np.full(more, -1, np.int64)])
        self._vectors = np.concatenate([self._vectors, np.zeros((more, self._vectors.shape[1]), np.float32)])


def least_of(scores: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return for each row of `(m, n)` scores, n > k, a value that k or more reach, if few more: `(m,)`.

    That is the k-th best of the maxima of parts, which is found much faster than the k-th best of all.
    """
    m, n = scores.shape
    parts = n // PART
    if parts < k:
        return np.asarray(np.partition(scores, n - k, axis=1)[:, n - k])
    maxima = scores[:, : parts * PART].reshape(m, PART, parts).max(1)
    return np.asarray(np.partition(maxima, parts - k, axis=1)[:, parts - k])


def best(ids: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Hits:
    """Return the k best of `(m, n)` candidates, in the order of `Hits`."""
    order = np.lexsort((ids, -scores), axis=1)[:, :k]
    if order.shape[1] == k:
        return Hits(np.take_along_axis(ids, order, 1), np.take_along_axis(scores, order, 1).astype(np.float32))
    missing = ((0, 0), (0, k - order.shape[1]))
    return Hits(
        np.pad(np.take_along_axis(ids, order, 1), missing, constant_values=-1),
        np.pad(np.take_along_axis(scores, order, 1), missing, constant_values=-np.inf).astype(np.float32),
    )


def check_dimension(vectors: NDArray[np.float32], dimension: int) -> None:
    """Raise ValueError unless vectors are `(n, dimension)`."""
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise ValueError(f"vectors must be (n, {dimension}), got {vectors.shape}")
