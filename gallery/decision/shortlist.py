"""Upper bounds of similarities, to select the identities that need an exact comparison; vectorised.

A matrix product costs a hundredth of as many calls of `compare.similarity`. It sums in another order, though, so its
last digits differ; decisions therefore use `compare` only, and the bounds only rule out pairs.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.decision.compare import PrototypeSet, prototype_sets_of, vector_of
from gallery.decision.normalise import Shifts, stacked
from gallery.store.store import Prototype
from wire.messages import Tracklet

SLACK = 1e-4  # float32 products of unit vectors are exact to 1e-6, and `compare` rounds to 1e-5
MAX_SETS = 2048  # identities compared in a few windows; 20 MB
MAX_VECTORS = 1024  # tracklets compared in a few windows; 3 MB
Ready = Callable[[Sequence[int]], list[PrototypeSet | None]]
BLOCK = 512  # people stacked at once: with ten prototypes of 512 numbers each, 10 MB; 100 MB for a block of products


class PrototypeSetCache:
    """Caches prototypes ready for comparison until an identity's prototypes change; not thread-safe."""

    def __init__(self) -> None:
        self._built: OrderedDict[tuple[int, str], tuple[Sequence[Prototype], Shifts, PrototypeSet | None]]
        self._built = OrderedDict()

    def prototype_set(
        self, number: int, prototypes: Sequence[Prototype], model_id: str, shifts: Shifts
    ) -> PrototypeSet | None:
        """Return an identity's current prototypes of one model; None if there are none."""
        key = number, model_id
        known = self._built.get(key)
        if known is not None and known[0] is prototypes and known[1] is shifts:
            self._built.move_to_end(key)
            return known[2]
        return self.prototype_sets({number: prototypes}, model_id, shifts)[0]

    def prototype_sets(
        self, people: Mapping[int, Sequence[Prototype]], model_id: str, shifts: Shifts
    ) -> list[PrototypeSet | None]:
        """Return the current prototypes of one model of several identities; None for those that have none."""
        built = {number: self._built.get((number, model_id)) for number in people}
        stale = [n for n, one in built.items() if one is None or one[0] is not people[n] or one[1] is not shifts]
        sets = prototype_sets_of([people[number] for number in stale], model_id, shifts)
        for number, new in zip(stale, sets, strict=True):
            built[number] = self._built[number, model_id] = people[number], shifts, new
        for number in people:
            self._built.move_to_end((number, model_id))
        while len(self._built) > MAX_SETS:
            self._built.popitem(last=False)
        return [one[2] for one in built.values() if one is not None]

    def forget(self, number: int) -> None:
        """Forget an identity."""
        for key in [key for key in self._built if key[0] == number]:
            del self._built[key]


class VectorCache:
    """Caches the vectors that represent tracklets in comparisons; not thread-safe."""

    def __init__(self) -> None:
        self._built: OrderedDict[str, tuple[Tracklet, Shifts, NDArray[np.float32]]] = OrderedDict()

    def vector(self, tracklet: Tracklet, shifts: Shifts) -> NDArray[np.float32]:
        """Return a tracklet's embedding without the shift of its camera, `(d,)`, L2-normalised."""
        built = self._built.get(tracklet.tracklet_id)
        if built is None or built[0] is not tracklet or built[1] is not shifts:
            built = tracklet, shifts, vector_of(tracklet, shifts)
            self._built[tracklet.tracklet_id] = built
            if len(self._built) > MAX_VECTORS:
                self._built.popitem(last=False)
        self._built.move_to_end(tracklet.tracklet_id)
        return built[2]

    def forget(self, tracklet_ids: Iterable[str]) -> None:
        """Forget tracklets."""
        for tracklet_id in tracklet_ids:
            self._built.pop(tracklet_id, None)


def similarity_bounds(vectors: NDArray[np.float32], people: Sequence[PrototypeSet]) -> NDArray[np.float32]:
    """Return `(m, n)` upper bounds of `compare.similarity` of `(m, d)` unit vectors to n people, to within `SLACK`.

    The bound is the score of the most similar camera, which `compare.similarity` averages with the next one.
    """
    found = np.empty((len(vectors), len(people)), np.float32)
    for start in range(0, len(people), BLOCK):
        block = _stacked(people[start : start + BLOCK])
        products = vectors @ block.vectors.T
        cameras = (products[:, block.cameras] + np.maximum.reduceat(products, block.cameras, axis=1)) / 2
        found[:, start : start + BLOCK] = np.maximum.reduceat(cameras, block.people, axis=1)
    return found


class Bounds:
    """Upper bounds of the similarities of tracklets to identities under one model, kept until either changes."""

    def __init__(self) -> None:
        self._vectors: dict[str, NDArray[np.float32]] = {}  # of the tracklets, one for each column of the bounds
        self._people: dict[int, tuple[Sequence[Prototype], int]] = {}  # what they own, and the row of their bounds
        self._bounds = np.empty((0, 0), np.float32)

    def of(
        self, vectors: Mapping[str, NDArray[np.float32]], people: Mapping[int, Sequence[Prototype]], ready: Ready
    ) -> NDArray[np.float32]:
        """Return the `(m, n)` bounds of m tracklets to n identities; -inf for identities without prototypes.

        Args:
            ready: Returns the prototypes of identities, ready for comparison.
        """
        if vectors.keys() - self._vectors.keys():
            self._vectors.update(vectors)
            self._people, self._bounds = {}, np.empty((0, len(self._vectors)), np.float32)
        known = self._people
        stale = {n: owned for n, owned in people.items() if n not in known or known[n][0] is not owned}
        if stale:
            start = len(self._bounds)
            self._people.update({n: (owned, start + place) for place, (n, owned) in enumerate(stale.items())})
            self._bounds = np.concatenate([self._bounds, self._compared(ready(list(stale)))])
        columns = {key: column for column, key in enumerate(self._vectors)}
        chosen = [self._people[number][1] for number in people], [columns[key] for key in vectors]
        return np.asarray(self._bounds[np.ix_(*chosen)].T)

    def _compared(self, people: Sequence[PrototypeSet | None]) -> NDArray[np.float32]:
        """Return `(n, m)` bounds of n people to all tracklets."""
        found = np.full((len(people), len(self._vectors)), -np.inf, np.float32)
        known = [place for place, one in enumerate(people) if one is not None]
        vectors = stacked(list(self._vectors.values()))
        found[known] = similarity_bounds(vectors, [one for one in people if one is not None]).T
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """Prototypes of several people in one matrix.

    Attributes:
        vectors: `(r, d)`.
        cameras: Row of the first prototype of each camera of each person.
        people: Index into `cameras` of each person's first camera.
    """

    vectors: NDArray[np.float32]
    cameras: NDArray[np.intp]
    people: NDArray[np.intp]


def _stacked(people: Sequence[PrototypeSet]) -> _Stack:
    firsts = _starts([len(person.vectors) for person in people])
    cameras = np.concatenate([person.starts + first for person, first in zip(people, firsts, strict=True)])
    vectors = np.concatenate([person.vectors for person in people])
    return _Stack(vectors, cameras, _starts([len(person.starts) for person in people]))


def _starts(lengths: Sequence[int]) -> NDArray[np.intp]:
    return np.cumsum([0, *lengths[:-1]], dtype=np.intp)
