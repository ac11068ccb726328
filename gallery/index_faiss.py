"""FAISS's exact index on a GPU, with the results of `index.BruteForceIndex`, and the choice of an index."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gallery.index import Hits, VectorIndex, best, check_dimension
from gallery.index_sketch import ScalingIndex

MAX_REMOVED = 256  # a search must request this many extra hits, and a GPU returns 2048 at most


def index_for(dimension: int) -> VectorIndex:
    """Return an empty index: on a GPU if the installed faiss has one, else `ScalingIndex`."""
    import faiss

    on_gpu = getattr(faiss, "get_num_gpus", lambda: 0)() > 0
    return GpuFaissIndex(dimension) if on_gpu else ScalingIndex(dimension)


class GpuFaissIndex:
    """FAISS's exact index in GPU memory; see `index.VectorIndex`.

    FAISS cannot remove rows on a GPU, so searches skip removed rows. Once more than `MAX_REMOVED` rows are removed, the
    index is rebuilt from the copy in main memory, so that all rows are uploaded only once per that many removals.
    """

    def __init__(self, dimension: int) -> None:
        import faiss

        self._dimension = dimension
        self._index: Any = faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), dimension)
        self._rows = 0
        self._alive = 0
        self._ids = np.empty(0, np.int64)  # of row i < rows, -1 if it was removed
        self._vectors = np.empty((0, dimension), np.float32)

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Append vectors."""
        check_dimension(vectors, self._dimension)
        if not len(ids):
            return
        end = self._rows + len(ids)
        if end > len(self._ids):  # doubling the capacity makes additions amortised O(1)
            room = max(end, 2 * len(self._ids))
            self._ids = np.concatenate([self._ids, np.full(room - len(self._ids), -1, np.int64)])
            empty = np.empty((room - len(self._vectors), self._dimension), np.float32)
            self._vectors = np.concatenate([self._vectors, empty])
        self._ids[self._rows : end], self._vectors[self._rows : end] = ids, vectors
        self._rows, self._alive = end, self._alive + len(ids)
        self._index.add(np.ascontiguousarray(vectors, np.float32))

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Mark vectors as removed."""
        gone = np.flatnonzero(np.isin(self._ids[: self._rows], ids[ids >= 0]))
        self._ids[gone], self._vectors[gone] = -1, 0.0
        self._alive -= len(gone)
        if self._rows - self._alive > MAX_REMOVED:
            self._rebuild()

    def purge(self) -> None:
        """Upload the rows anew if any was removed: whoever is erased must not stay in the GPU's memory."""
        if self._rows > self._alive:
            self._rebuild()

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best for each query."""
        if len(queries) == 0 or len(self) == 0:
            return best(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32), k)
        wanted = min(k + self._rows - self._alive, self._rows)
        scores, rows = self._index.search(np.ascontiguousarray(queries, np.float32), wanted)
        ids = self._ids[rows]
        return best(ids, np.where(ids < 0, -np.inf, scores), k)

    def __len__(self) -> int:
        return self._alive

    def _rebuild(self) -> None:
        alive = np.flatnonzero(self._ids[: self._rows] >= 0)
        self._ids, self._vectors, self._rows = self._ids[alive], self._vectors[alive], len(alive)
        self._index.reset()
        if self._rows:
            self._index.add(self._vectors)
