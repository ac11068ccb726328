"""Exact nearest neighbours by inner product. `BruteForceIndex` is the reference for those of `index_faiss`."""

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
