"""FAISS's indexes: exact on a GPU with the results of `index.BruteForceIndex`, approximate on a CPU."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gallery.index import FlatIndex, Hits, VectorIndex, best, check_dimension

MAX_REMOVED = 256  # a search must request this many extra hits, and a GPU returns 2048 at most
MAX_EXACT = (
    10_000  # vectors: 3 000 people or so; 34 queries then take 7 ms on one core, and twice that for twice as many
)
REDUCED = 64  # numbers that hold 98 % of the variance of embeddings of the shipped weights
SAMPLED = 8_192  # vectors from which these are learnt
SCANNED = 10_000  # vectors that a query is compared with while there are up to 20 times as many, beyond that a 20th
MIN_SHARE = 0.05
GROWTH = 4  # an index is trained for this many times the vectors it has
ROUNDS, PER_LIST = 5, 24  # of k-means, and the vectors of each list that it sees


def index_for(dimension: int) -> VectorIndex:
    """Return an empty index: exact on a GPU if the installed faiss has one, else `ScalingIndex`."""
    import faiss

    on_gpu = getattr(faiss, "get_num_gpus", lambda: 0)() > 0
    return GpuFaissIndex(dimension) if on_gpu else ScalingIndex(dimension)


class ScalingIndex:
    """Exact up to `MAX_EXACT` vectors, and approximate from then on; see `index.VectorIndex`."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._index: FlatIndex | InvertedIndex = FlatIndex(dimension)

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors; the index becomes approximate when there are many."""
        check_dimension(vectors, self._dimension)
        self._index.add(ids, vectors)
        if isinstance(self._index, FlatIndex) and len(self._index) > MAX_EXACT:
            known, all_vectors = self._index.all()
            self._index = InvertedIndex(all_vectors)
            self._index.add(known, all_vectors)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove vectors."""
        self._index.remove(ids)

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best for each query, or nearly so."""
        return self._index.search(queries, k)

    def __len__(self) -> int:
        return len(self._index)


class InvertedIndex:
    """FAISS's inverted lists over vectors of reduced dimension; see `index.VectorIndex`.

    Vectors are projected on the directions in which those of a sample vary most, which about preserves inner products,
    and kept in lists around centroids; a query is compared with the lists around it. The lists are made again, from the
    reduced vectors, whenever there are `GROWTH` times as many.
    """

    def __init__(self, sample: NDArray[np.float32]) -> None:
        """Learn the directions from `(n, d)` vectors that are typical of those to be added."""
        import faiss

        self._faiss: Any = faiss
        chosen = sample[:: max(1, len(sample) // SAMPLED)]
        directions = np.linalg.eigh(chosen.T @ chosen)[1][:, ::-1][:, :REDUCED]
        self._directions = np.ascontiguousarray(directions, np.float32)
        self._index = self._trained(chosen @ self._directions, len(sample))

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors to the lists around them."""
        check_dimension(vectors, len(self._directions))
        if len(ids):
            self._add_reduced(ids, vectors @ self._directions)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove vectors from their lists."""
        if len(ids):
            self._index.remove_ids(self._faiss.IDSelectorArray(np.ascontiguousarray(ids, np.int64)))

    def search(self, queries: NDArray[np.float32], k: int) -> Hits:
        """Return the k best of the lists around each query."""
        if len(queries) == 0:
            return best(np.empty((0, 0), np.int64), np.empty((0, 0), np.float32), k)
        share = max(MIN_SHARE, SCANNED / max(1, len(self)))
        self._index.nprobe = max(1, round(min(1.0, share) * self._index.nlist))
        scores, ids = self._index.search(queries @ self._directions, k)
        return best(ids, np.where(ids < 0, -np.inf, scores), k)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def _add_reduced(self, ids: NDArray[np.int64], reduced: NDArray[np.float32]) -> None:
        if len(self) + len(ids) > self._room:
            known, old = self._all_reduced()
            ids, reduced = np.concatenate([known, ids]), np.concatenate([old, reduced])
            self._index = self._trained(reduced, len(reduced))
        self._index.add_with_ids(np.ascontiguousarray(reduced, np.float32), np.ascontiguousarray(ids, np.int64))

    def _trained(self, reduced: NDArray[np.float32], size: int) -> Any:
        """Return an empty index with lists for up to `GROWTH` times `size` vectors, from typical ones."""
        faiss, dimension = self._faiss, reduced.shape[1]
        self._room = GROWTH * size
        lists = max(1, min(4 * int(self._room**0.5), len(reduced) // 2))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimension), dimension, lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.spherical, index.cp.min_points_per_centroid = ROUNDS, True, 1
        index.train(np.ascontiguousarray(reduced[:: max(1, len(reduced) // (PER_LIST * lists))], np.float32))
        index.set_direct_map_type(faiss.DirectMap.Hashtable)  # removals without a walk over all lists
        return index

    def _all_reduced(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        lists, ids = self._index.invlists, [np.empty(0, np.int64)]
        for number in range(self._index.nlist):
            if size := lists.list_size(number):
                ids.append(self._faiss.rev_swig_ptr(lists.get_ids(number), size).copy())
        known = np.concatenate(ids)
        return known, self._index.reconstruct_batch(known)


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
