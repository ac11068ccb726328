"""Search for nearest identities, in an index of one site's prototypes that is updated with its decisions."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from gallery.decision.normalise import NO_SHIFTS, Shifts, units
from gallery.index import VectorIndex
from gallery.recall import RecallWatch
from gallery.store.store import Prototype

NEAREST = 64  # prototypes that are searched for: a dozen identities with all their cameras
MAX_PEOPLE = 32  # nearest identities that a search returns; comparing with everyone decides the same


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
        self._ids: dict[int, list[tuple[str, int]]] = {}  # identity -> (model_id, vector id)
        self._next_id = 0

    def replace(self, prototypes: Mapping[int, Sequence[Prototype]], shifts: Shifts = NO_SHIFTS) -> None:
        """Replace the prototypes of identities; an empty sequence removes the identity.

        Vectors are kept without the shifts of their cameras as these are known now. Shifts that are learnt later differ
        little from them, and it is only the order of the nearest that they affect.
        """
        gone: dict[str, list[int]] = {}
        for number in prototypes:
            for model_id, vector_id in self._ids.pop(number, []):
                gone.setdefault(model_id, []).append(vector_id)
                self.watch.remove(vector_id)
                del self._owners[vector_id]
        for model_id, old in gone.items():
            self._indexes[model_id].remove(np.array(old, np.int64))
        added: dict[str, list[Prototype]] = {}
        ids: dict[str, list[int]] = {}
        for number, owned in prototypes.items():
            for prototype in _distinct(owned):
                added.setdefault(prototype.model_id, []).append(prototype)
                ids.setdefault(prototype.model_id, []).append(self._claim(number, prototype))
        for model_id, new in added.items():
            vectors = units(np.stack([p.vector for p in new]))
            vectors = shifts.without_each(vectors, model_id, [p.camera_id for p in new])
            self._add(model_id, np.array(ids[model_id], np.int64), vectors)

    def _add(self, model_id: str, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
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
        owners = (dict.fromkeys(self._owners[found] for found in row if found >= 0) for row in hits.ids.tolist())
        return [set(islice(people, MAX_PEOPLE)) for people in owners]

    def __len__(self) -> int:
        return len(self._owners)

    def _claim(self, number: int, prototype: Prototype) -> int:
        vector_id = self._next_id
        self._next_id += 1
        self._owners[vector_id] = number
        self._ids.setdefault(number, []).append((prototype.model_id, vector_id))
        return vector_id


def _distinct(prototypes: Sequence[Prototype]) -> list[Prototype]:
    """Return the prototypes without the hard ones that are all of their camera's mean: most people pass once."""
    hard = Counter((p.camera_id, p.model_id) for p in prototypes if p.kind == "hard")
    weights = {(p.camera_id, p.model_id): p.weight for p in prototypes if p.kind == "mean"}

    def is_mean(p: Prototype) -> bool:
        place = p.camera_id, p.model_id
        return p.kind == "hard" and hard[place] == 1 and p.weight == weights.get(place)

    return [p for p in prototypes if not is_mean(p)]
