"""Search for nearest identities, in an index of one site's prototypes that is updated with its decisions."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gallery.decision.normalise import units
from gallery.index import VectorIndex
from gallery.recall import RecallWatch
from gallery.store.store import Prototype

NEAREST = 64  # prototypes that are searched for: a dozen identities with all their cameras
AT_ONCE = 4_096  # vectors added at once, when a site is loaded
MAX_PEOPLE = 32  # nearest identities that a search returns; of 1000 people, comparing with everyone decided the same


class Searcher:
    """One index per model, filled from the store at the start and updated with every change; not thread-safe.

    Attributes:
        watch: How much of what exact searches find the indexes return.
    """

    def __init__(self, make_index: Callable[[int], VectorIndex]) -> None:
        self.watch = RecallWatch()
        self._make_index = make_index
        self._indexes: dict[str, VectorIndex] = {}
        self._owners: dict[int, int] = {}
        self._ids: dict[int, dict[int, tuple[int, Prototype]]] = {}  # identity -> id() of a prototype -> vector id
        self._next_id = 0

    def replace(self, prototypes: Mapping[int, Sequence[Prototype]]) -> None:
        """Replace the prototypes of identities; an empty sequence removes the identity.

        Vectors keep the shifts of their cameras. Subtracting them as known now would make searches depend on when a
        prototype last changed, so that a restarted gallery would find other people than one that was not.
        """
        gone: dict[str, list[int]] = {}
        added: dict[str, list[tuple[int, Prototype]]] = {}
        for number, owned in prototypes.items():
            known = self._ids.pop(number, {})
            kept = {id(p): p for p in _distinct(owned)}
            for key, (vector_id, old) in known.items():
                if key not in kept:
                    gone.setdefault(old.model_id, []).append(vector_id)
                    del self._owners[vector_id]
            for key, new in kept.items():
                if key not in known:
                    known[key] = self._claim(number), new
                    added.setdefault(new.model_id, []).append(known[key])
            if kept:
                self._ids[number] = {key: known[key] for key in kept}
        for model_id, old_ids in gone.items():
            self._remove(model_id, old_ids)
        for model_id, new_ones in added.items():
            for start in range(0, len(new_ones), AT_ONCE):
                self._add(model_id, new_ones[start : start + AT_ONCE])

    def purge(self) -> None:
        """Leave nothing of removed prototypes in memory."""
        for index in self._indexes.values():
            index.purge()

    def _remove(self, model_id: str, ids: Sequence[int]) -> None:
        self._indexes[model_id].remove(np.array(ids, np.int64))
        for vector_id in ids:
            self.watch.remove(vector_id)

    def _add(self, model_id: str, new_ones: Sequence[tuple[int, Prototype]]) -> None:
        """Add vectors as float16, as some indexes keep them, so that all of them find the same."""
        ids = np.array([vector_id for vector_id, _ in new_ones], np.int64)
        vectors = units(np.stack([p.vector for _, p in new_ones])).astype(np.float16).astype(np.float32)
        if model_id not in self._indexes:
            self._indexes[model_id] = self._make_index(vectors.shape[1])
        self._indexes[model_id].add(ids, vectors)
        for vector_id, vector in zip(ids.tolist(), vectors, strict=True):
            self.watch.add(vector_id, vector)

    def nearest(self, vectors: NDArray[np.float32], model_id: str) -> list[set[int]]:
        """Return the nearest identities, at most `MAX_PEOPLE`, for each of `(m, d)` unit vectors."""
        index = self._indexes.get(model_id)
        if index is None:
            return [set() for _ in vectors]
        hits = index.search(vectors, NEAREST)
        self.watch.check(vectors, hits)
        return [_first((self._owners[found] for found in row if found >= 0), MAX_PEOPLE) for row in hits.ids.tolist()]

    def __len__(self) -> int:
        return len(self._owners)

    def _claim(self, number: int) -> int:
        vector_id = self._next_id
        self._next_id += 1
        self._owners[vector_id] = number
        return vector_id


def _first(people: Iterable[int], count: int) -> set[int]:
    """Return the first different ones; nobody after them is looked at, as of many people few are in a cache."""
    found: set[int] = set()
    for number in people:
        found.add(number)
        if len(found) == count:
            break
    return found


def _distinct(prototypes: Sequence[Prototype]) -> list[Prototype]:
    """Return the prototypes without the hard ones that are all of their camera's mean: most people pass once."""
    weights = {(p.camera_id, p.model_id): p.weight for p in prototypes if p.kind == "mean"}
    return [p for p in prototypes if p.kind == "mean" or p.weight != weights.get((p.camera_id, p.model_id))]
