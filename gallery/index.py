"""Nearest neighbours by inner product: the protocol, its reference, and the exact index of sites of common size.

`index_faiss` has the exact index on a GPU, and the approximate one of larger sites.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best for each query."""
        scores = queries @ self._vectors.T
        return best(np.broadcast_to(self._ids, scores.shape), scores, k)

    def __len__(self) -> int:
        return len(self._ids)


class FlatIndex:
    """Searches with a matrix product over rows that are reused once removed; see `VectorIndex`.

    As fast as FAISS's exact index on a CPU, and removals take constant time there.
    """

    def __init__(self, dimension: int) -> None:
        self._ids = np.empty(0, np.int64)  # of each row; -1 if it is free
        self._vectors = np.empty((0, dimension), np.float32)
        self._rows: dict[int, int] = {}
        self._free: list[int] = []

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Put vectors into free rows."""
        check_dimension(vectors, self._vectors.shape[1])
        if len(ids) > len(self._free):
            self._grow(len(ids) - len(self._free))
        rows = [self._free.pop() for _ in ids]
        self._ids[rows], self._vectors[rows] = ids, vectors
        self._rows.update(zip(ids.tolist(), rows, strict=True))

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Free the rows of vectors."""
        rows = [self._rows.pop(one) for one in ids.tolist() if one in self._rows]
        self._ids[rows] = -1
        self._free += rows

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best for each query."""
        scores = queries @ self._vectors.T
        scores[:, self._ids < 0] = -np.inf
        if k >= len(self._ids):
            return best(np.broadcast_to(self._ids, scores.shape), scores, k)
        kth = np.partition(scores, -k, axis=1)[:, -k] if len(scores) else np.empty(0, np.float32)
        return _reaching(self._ids, scores, kth, k)

    def all(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the `(n,)` ids and `(n, d)` vectors, in no particular order."""
        rows = np.flatnonzero(self._ids >= 0)
        return self._ids[rows], self._vectors[rows]

    def __len__(self) -> int:
        return len(self._rows)

    def _grow(self, least: int) -> None:
        """Add free rows: at least as many as there are, so that additions take constant time on average."""
        rows, more = len(self._ids), max(least, len(self._ids))
        self._ids = np.concatenate([self._ids, np.full(more, -1, np.int64)])
        self._vectors = np.concatenate([self._vectors, np.zeros((more, self._vectors.shape[1]), np.float32)])
        self._free += reversed(range(rows, rows + more))


def _reaching(ids: NDArray[np.int64], scores: NDArray[np.float32], kth: NDArray[np.float32], k: int) -> Hits:
    """Return the k best of `(m, n)` scores, given the k-th best of each row; ties at its end are among them."""
    rows = [np.flatnonzero(row >= least) for row, least in zip(scores, kth, strict=True)]
    found = [best(ids[None, row], one[None, row], k) for row, one in zip(rows, scores, strict=True)]
    shape = len(scores), k
    found_ids = np.array([one.ids[0] for one in found], np.int64).reshape(shape)
    return Hits(found_ids, np.array([one.scores[0] for one in found], np.float32).reshape(shape))


def best(ids: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Hits:
    """Return the k best of `(m, n)` candidates, in the order of `Hits`."""
    order = np.lexsort((ids, -scores), axis=1)[:, :k]
    missing = ((0, 0), (0, k - order.shape[1]))
    return Hits(
        np.pad(np.take_along_axis(ids, order, 1), missing, constant_values=-1),
        np.pad(np.take_along_axis(scores, order, 1), missing, constant_values=-np.inf).astype(np.float32),
    )


def check_dimension(vectors: NDArray[np.float32], dimension: int) -> None:
    """Raise ValueError unless vectors are `(n, dimension)`."""
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise ValueError(f"vectors must be (n, {dimension}), got {vectors.shape}")
