"""Watch how much of what an exact search finds an approximate one returns, on a sample. No I/O."""

import numpy as np
from numpy.typing import NDArray

from gallery.index import Hits

WATCHED = 1_024  # vectors; comparing a query with them takes 0.2 ms
BEST = 8  # hits; decisions depend on the first few
EVERY = 16  # searches; of those the first query is checked


class RecallWatch:
    """Compares some searches of one index with an exact search of a sample of its vectors; not thread-safe.

    Attributes:
        expected: How many vectors of the sample were at least as similar to a query as the `BEST`-th one returned.
        missed: How many of these were not returned.
    """

    def __init__(self) -> None:
        self.expected = 0
        self.missed = 0
        self._sample: dict[int, NDArray[np.float32]] = {}
        self._period = 1  # ids divisible by this are in the sample
        self._searches = 0

    def add(self, vector_id: int, vector: NDArray[np.float32]) -> None:
        """Consider a vector for the sample."""
        if vector_id % self._period == 0:
            self._sample[vector_id] = vector.copy()  # of the array of all that were added with it
        while len(self._sample) > WATCHED:
            self._period *= 2
            self._sample = {key: kept for key, kept in self._sample.items() if key % self._period == 0}

    def remove(self, vector_id: int) -> None:
        """Remove a vector from the sample."""
        self._sample.pop(vector_id, None)

    def check(self, queries: NDArray[np.float32], hits: Hits) -> None:
        """Check one query of some searches."""
        self._searches += 1
        if self._searches % EVERY or not len(queries) or not self._sample:
            return
        ids = np.fromiter(self._sample, np.int64, len(self._sample))
        scores = np.stack(list(self._sample.values())) @ queries[0]
        near = ids[scores >= hits.scores[0, :BEST].min()]
        self.expected += len(near)
        self.missed += int(np.isin(near, hits.ids[0], invert=True).sum())
