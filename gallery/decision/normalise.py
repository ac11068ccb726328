"""Camera shifts: the offset that each camera adds to all its embeddings, estimated without labels and subtracted. Pure.

Lighting, colours and viewpoint of a camera shift all its embeddings in one direction, so that two strangers in one
camera can be more similar than one person in two. The shift is estimated as the mean over the people whom the camera
saw recently, counting each person once however long they stayed. A mean over few people mostly describes these people,
so it is shrunk towards the mean of the site, and that towards zero: a site with three people is not corrected. Where
each of the three is in pieces, they are more identities than people, and a correction by the pieces would take away
what the pieces of one person have in common; so there are no more people than the site's pairs look like.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gallery.store.store import Identity, Prototype

FREE_PEOPLE = 3  # a mean over so few people is not used
PRIOR_PEOPLE = 5.0  # weight of the assumption of no shift, in people
RECENT_PEOPLE = 400  # people seen last; older ones are ignored, to adapt to new lighting
GROWTH = 0.1  # shifts are estimated again when this share of the identities is new

Vector = NDArray[np.float32]
Place = tuple[str, str]  # model_id, camera_id


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """The shift of each camera under each model.

    Attributes:
        vectors: `(d,)` float32 by model_id and camera_id, exactly representable in float16.
        learnt_at: Number of the next identity when they were estimated.
    """

    vectors: Mapping[Place, Vector] = field(default_factory=dict)
    learnt_at: int = 1

    def without(self, vector: Vector, model_id: str, camera_id: str) -> Vector:
        """Return a `(d,)` unit vector minus the shift of its camera, L2-normalised; unchanged if there is none."""
        shift = self.vectors.get((model_id, camera_id))
        return vector if shift is None else unit(vector - shift)

    def without_likely(self, vector: Vector, model_id: str, camera_id: str) -> Vector:
        """Return what `without` does; without a camera of this site, minus the mean of its cameras' shifts."""
        own = [shift for (model, _), shift in self.vectors.items() if model == model_id]
        if not own or (model_id, camera_id) in self.vectors:
            return self.without(vector, model_id, camera_id)
        return unit(vector - np.mean(own, axis=0, dtype=np.float32))

    def without_each(self, vectors: Vector, model_id: str, camera_ids: Sequence[str]) -> Vector:
        """Return `(n, d)` unit vectors minus the shifts of their n cameras, each L2-normalised."""
        cameras = {camera: row for row, camera in enumerate(dict.fromkeys(camera_ids))}
        shifts = [self.vectors.get((model_id, camera)) for camera in cameras]
        rows = np.array([cameras[camera] for camera in camera_ids], np.intp)
        unknown = np.array([shift is None for shift in shifts])[rows]
        if unknown.all():
            return vectors
        zero = np.zeros(vectors.shape[1], np.float32)
        shifted = units(vectors - np.stack([zero if shift is None else shift for shift in shifts])[rows])
        shifted[unknown] = vectors[unknown]
        return shifted

    def is_outdated(self, next_identity: int) -> bool:
        """Return whether enough people are new to estimate the shifts again."""
        new = next_identity - self.learnt_at
        return new > 0 and new >= GROWTH * min(next_identity, RECENT_PEOPLE)


NO_SHIFTS = Shifts()


def unit(vector: Vector) -> Vector:
    """Return the L2-normalised vector; a zero vector is returned unchanged."""
    norm = float(np.sqrt(vector @ vector))
    return vector if norm == 0.0 else (vector / norm).astype(np.float32, copy=False)


def stacked(vectors: Sequence[Vector]) -> Vector:
    """Return n vectors as `(n, d)`, in a third of the time that `np.stack` takes for many."""
    return np.concatenate(vectors).reshape(len(vectors), -1)


def units(vectors: Vector) -> Vector:
    """Return `(n, d)` vectors, each L2-normalised; zero vectors are returned unchanged."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    norms[norms == 0.0] = 1.0
    return np.asarray(vectors / norms[:, None], np.float32)


def learnt_shifts(
    identities: Mapping[int, Identity],
    prototypes: Mapping[int, Sequence[Prototype]],
    next_identity: int,
    people: Mapping[str, float] = MappingProxyType({}),
) -> Shifts:
    """Return the shifts estimated from the people seen last.

    Args:
        people: By model_id, how many people there are at most, see `Calibration.people`; without it any number.
    """
    recent = sorted(identities.values(), key=lambda one: (-one.last_ns, -one.number))[:RECENT_PEOPLE]
    seen: dict[str, dict[str, list[Vector]]] = defaultdict(lambda: defaultdict(list))
    for identity in recent:
        for prototype in prototypes.get(identity.number, ()):
            if prototype.kind == "mean":
                seen[prototype.model_id][prototype.camera_id].append(unit(prototype.vector))
    vectors = {
        (model_id, camera_id): shift
        for model_id, cameras in seen.items()
        for camera_id, shift in _shifts_of(
            {camera: np.stack(means) for camera, means in cameras.items()}, people.get(model_id, math.inf)
        ).items()
    }
    return Shifts(vectors, next_identity)


def _shifts_of(cameras: Mapping[str, Vector], people: float) -> dict[str, Vector]:
    """Return the shift of each camera, given the `(n, d)` unit mean embeddings of the n identities it saw."""
    seen = {camera: min(len(means), people) for camera, means in cameras.items()}
    most = max(seen.values())
    if most <= FREE_PEOPLE:
        return {}
    site = np.concatenate(list(cameras.values())).mean(0)
    shifts = {c: _share(most) * site + _share(seen[c]) * (means.mean(0) - site) for c, means in cameras.items()}
    return {camera: shift.astype(np.float16).astype(np.float32) for camera, shift in shifts.items()}


def _share(people: float) -> float:
    """Return the weight of a mean over this many people, in [0, 1); the rest is the prior's."""
    telling = max(0.0, people - FREE_PEOPLE)
    return telling / (telling + PRIOR_PEOPLE)
