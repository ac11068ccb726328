"""Measure the gallery's index with many prototypes: how it grows, searches and forgets, and what a search finds.

Run in a process of its own with one thread, as `python -m deploy.bench.gallery_index`.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.bench.crowd import DIMENSION, FREE, NOISE
from deploy.bench.memory import memory_mb
from gallery.index import VectorIndex
from gallery.index_faiss import index_for
from gallery.searcher import NEAREST

Vectors = NDArray[np.float32]

AT_ONCE = 25  # prototypes that a busy second changes
QUERIES = 34  # searches of a busy second
SEARCHES, CHANGES, CHECKED = 100, 400, 3
CONSIDERED = 10  # nearest vectors of which the recall is measured


@dataclass(frozen=True, slots=True)
class Figures:
    """An index of generated people, on one core. Times are of the processor, which other processes hardly affect.

    Attributes:
        prototypes: Vectors in the index.
        grow_ms: What adding the 25 prototypes of a busy second took from none on: median, 99 % and longest.
        add_ms, remove_ms: The same with all in the index, and for removing 25.
        search_ms: The same for 34 searches for the 64 nearest.
        recall_at_10: Share of the ten nearest vectors, by comparing with all, that a search returns.
        kb_each: Resident memory of a prototype in the index.
    """

    prototypes: int
    grow_ms: list[float]
    add_ms: list[float]
    remove_ms: list[float]
    search_ms: list[float]
    recall_at_10: float
    kb_each: float


class _People:
    """Generated people, of whom only what tells them apart is kept in memory."""

    def __init__(self, count: int) -> None:
        self._rng = np.random.default_rng(7)
        basis = np.linalg.qr(self._rng.normal(size=(DIMENSION, FREE)))[0]
        self._basis = np.asarray(basis.T, np.float32)
        self._codes = self._drawn(count).astype(np.float16)

    def __len__(self) -> int:
        return len(self._codes)

    def looks(self, people: NDArray[np.int64] | slice, noise: float = 0.0) -> Vectors:
        """Return `(n, d)` unit vectors as a searcher adds them, or queries with noise."""
        codes = self._codes[people].astype(np.float32)
        drawn = (codes + noise * self._drawn(len(codes)) if noise else codes) @ self._basis
        units = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return np.asarray(units if noise else units.astype(np.float16), np.float32)

    def seen_again(self) -> Vectors:
        """Return `(QUERIES, d)` vectors of random people."""
        return self.looks(self._rng.integers(0, len(self), QUERIES), NOISE)

    def _drawn(self, count: int) -> Vectors:
        drawn = self._rng.standard_normal((count, FREE), np.float32)
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def measure(count: int) -> Figures:
    """Measure an index while it grows to this many vectors, and then with them."""
    people, index = _People(count), index_for(DIMENSION)
    before_mb = memory_mb()
    grown = [_added(index, people, start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE)]
    kb_each = round(1000 * (memory_mb() - before_mb) / count, 2)
    searched = [_timed(lambda: index.search(people.seen_again(), NEAREST)) for _ in range(SEARCHES)]
    recall = float(np.mean([_recall(index, people) for _ in range(CHECKED)]))
    removed, added = [], []
    for start in range(0, min(count, CHANGES * AT_ONCE), AT_ONCE):
        end = min(start + AT_ONCE, count)
        removed.append(_removed(index, start, end))
        added.append(_added(index, people, start, end))
    return Figures(
        len(index),
        _quantiles(grown),
        _quantiles(added),
        _quantiles(removed),
        _quantiles(searched),
        round(recall, 4),
        kb_each,
    )


def _added(index: VectorIndex, people: _People, start: int, end: int) -> float:
    vectors, ids = people.looks(slice(start, end)), np.arange(start, end)
    return _timed(lambda: index.add(ids, vectors))


def _removed(index: VectorIndex, start: int, end: int) -> float:
    ids = np.arange(start, end)
    return _timed(lambda: index.remove(ids))


def _recall(index: VectorIndex, people: _People) -> float:
    """Return the share of the nearest vectors, by comparing with all, that some searches return."""
    queries = people.seen_again()
    scores = [queries @ people.looks(slice(at, at + 10_000)).T for at in range(0, len(people), 10_000)]
    nearest = np.argsort(-np.concatenate(scores, 1), axis=1)[:, :CONSIDERED]
    found = index.search(queries, NEAREST).ids
    return float(np.mean([np.isin(*pair) for pair in zip(nearest, found, strict=True)]))


def _quantiles(times_s: list[float]) -> list[float]:
    return [round(1000 * float(value), 3) for value in np.quantile(times_s, (0.5, 0.99, 1.0))]


def _timed(call: Callable[[], object]) -> float:
    begun_s = time.process_time()
    call()
    return time.process_time() - begun_s


def main() -> None:
    """Measure an index, and print one line of JSON."""
    print(json.dumps(asdict(measure(int(sys.argv[1])))))


if __name__ == "__main__":
    main()
