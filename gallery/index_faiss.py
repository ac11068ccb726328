"""FAISS's indexes: exact on a GPU with the results of `index.BruteForceIndex`, approximate on a CPU."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gallery.index import FlatIndex, Hits, VectorIndex, best, check_dimension

MAX_REMOVED = 256  # a search must request this many extra hits, and a GPU returns 2048 at most
MAX_EXACT = 8_192  # vectors, of about 4 000 people; comparing the 34 queries of a busy second takes 6 ms on one core
REDUCED = 64  # numbers, which hold 98 % of the variance of the embeddings of the shipped weights
MAX_FLAT = 100_000  # reduced vectors; comparing 34 queries takes 10 ms
SHARE = 0.05  # of the lists that are searched; finds 93 % of the best hits, in 5 ms with 150 000 vectors
GROWTH = 4  # lists are made for this many times the vectors there are
ROUNDS, PER_LIST = 5, 24  # of k-means, and the vectors for each list that it sees


def index_for(dimension: int) -> VectorIndex:
    """Return an empty index: exact on a GPU if the installed faiss has one, else `ScalingIndex`."""
    import faiss

    on_gpu = getattr(faiss, "get_num_gpus", lambda: 0)() > 0
    return GpuFaissIndex(dimension) if on_gpu else ScalingIndex(dimension)


class ScalingIndex:
    """Exact up to `MAX_EXACT` vectors, then over reduced vectors, and then approximate; see `index.VectorIndex`.

    Vectors are reduced by projection on the directions in which the first ones vary most, which nearly preserves inner
    products.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._directions: NDArray[np.float32] | None = None
        self._index: FlatIndex | InvertedIndex = FlatIndex(dimension)

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors; the index changes its form when there are many."""
        check_dimension(vectors, self._dimension)
        self._index.add(ids, self._reduced(vectors))
        if isinstance(self._index, FlatIndex):
            if self._directions is None and len(self) > MAX_EXACT:
                self._reduce(*self._index.all())
            if self._directions is not None and len(self) > MAX_FLAT:
                known, reduced = self._index.all()
                self._index = InvertedIndex(reduced)
                self._index.add(known, reduced)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove vectors."""
        self._index.remove(ids)

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best for each query, or nearly so."""
        return self._index.search(self._reduced(queries), k)

    def __len__(self) -> int:
        return len(self._index)

    def _reduced(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return vectors if self._directions is None else vectors @ self._directions

    def _reduce(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        directions = np.linalg.eigh(vectors.T @ vectors)[1][:, -REDUCED:]
        self._directions = np.ascontiguousarray(directions, np.float32)
        self._index = FlatIndex(self._directions.shape[1])
        self._index.add(ids, self._reduced(vectors))


class InvertedIndex:
    """FAISS's inverted lists: a query is compared with the vectors around the nearest centroids; see `VectorIndex`.

    The lists are made again whenever there are `GROWTH` times as many vectors, which takes seconds for some 100 000.
    """

    def __init__(self, typical: NDArray[np.float32]) -> None:
        """Learn the centroids from `(n, d)` vectors like those to be added; about as many should be added at first."""
        import faiss

        self._faiss: Any = faiss
        self._dimension = typical.shape[1]
        self._index = self._trained(typical)

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors to the lists around them."""
        check_dimension(vectors, self._dimension)
        if len(self) + len(ids) > self._room:
            known, old = self._all()
            ids, vectors = np.concatenate([known, ids]), np.concatenate([old, vectors])
            self._index = self._trained(vectors)
        if len(ids):
            self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64))

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove vectors from their lists."""
        if len(ids):
            self._index.remove_ids(self._faiss.IDSelectorArray(np.ascontiguousarray(ids, np.int64)))

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best of the lists around each query."""
        if len(queries) == 0:
            return best(np.empty((0, 0), np.int64), np.empty((0, 0), np.float32), k)
        scores, ids = self._index.search(np.ascontiguousarray(queries, np.float32), k)
        return best(ids, np.where(ids < 0, -np.inf, scores), k)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def _trained(self, vectors: NDArray[np.float32]) -> Any:
        """Return an empty index with lists for `GROWTH` times as many vectors."""
        faiss = self._faiss
        self._room = GROWTH * len(vectors)
        lists = max(1, min(2 * int(self._room**0.5), len(vectors) // 2))
        quantiser = faiss.IndexFlatIP(self._dimension)
        index = faiss.IndexIVFFlat(quantiser, self._dimension, lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.spherical, index.cp.min_points_per_centroid = ROUNDS, True, 1
        index.train(np.ascontiguousarray(vectors[:: max(1, len(vectors) // (PER_LIST * lists))], np.float32))
        index.set_direct_map_type(faiss.DirectMap.Hashtable)  # removals without a walk over all lists
        index.nprobe = max(1, round(SHARE * lists))
        return index

    def _all(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        lists = self._index.invlists
        sizes = [lists.list_size(number) for number in range(self._index.nlist)]
        parts = [self._faiss.rev_swig_ptr(lists.get_ids(n), size).copy() for n, size in enumerate(sizes) if size]
        ids = np.concatenate([np.empty(0, np.int64), *parts])
        return ids, self._index.reconstruct_batch(ids)


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
        self._ids[gone] = -1
        self._alive -= len(gone)
        if self._rows - self._alive > MAX_REMOVED:
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
