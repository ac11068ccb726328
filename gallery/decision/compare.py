"""What an identity is remembered by, and how similar somebody is to it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.store.store import Prototype
from wire.messages import Tracklet

HARD_PER_CAMERA = 3  # as many as views of a body that differ: front, back, side
CAMERAS_PER_IDENTITY = 64  # beyond it the cameras with the least weight are forgotten
BEST_CAMERAS = 2  # how many of an identity's cameras must agree with a newcomer
MIN_WEIGHT = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class PrototypeSet:
    """Prototypes of one identity under one model, ready to be compared.

    Attributes:
        vectors: `(n, d)` float32, L2-normalised, sorted by camera.
        starts: `(c,)` index of the first vector of every camera; it is that camera's mean.
    """

    vectors: NDArray[np.float32]
    starts: NDArray[np.intp]


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a vector L2-normalised; a zero vector stays."""
    norm = float(np.linalg.norm(vector))
    return vector if norm == 0.0 else (vector / norm).astype(np.float32)


def embedding_of(tracklet: Tracklet) -> NDArray[np.float32]:
    """Return a tracklet's embedding as `(d,)` float32, L2-normalised."""
    return unit(tracklet.embedding.astype(np.float32))


def weight_of(tracklet: Tracklet) -> float:
    """Return how much a tracklet counts in its identity's means: its quality, and little more with more frames."""
    return max(tracklet.quality * float(np.log1p(tracklet.frames_used)), MIN_WEIGHT)


def prototype_set_of(prototypes: Sequence[Prototype], model_id: str) -> PrototypeSet | None:
    """Return the prototypes of one model for comparison; None when there is none."""
    chosen = sorted(
        (p for p in prototypes if p.model_id == model_id),
        key=lambda p: (p.camera_id, p.kind != "mean", p.tracklet_id),
    )
    if not chosen:
        return None
    cameras = [p.camera_id for p in chosen]
    starts = [i for i, camera in enumerate(cameras) if i == 0 or cameras[i - 1] != camera]
    return PrototypeSet(np.stack([unit(p.vector) for p in chosen]), np.array(starts))


def similarity(vector: NDArray[np.float32], prototype_set: PrototypeSet) -> float:
    """Return how similar a `(d,)` unit vector is to an identity, in [-1, 1].

    Per camera half the similarity to its mean, half that to its closest prototype; then the mean of the
    `BEST_CAMERAS` most similar cameras. Rounded, so that the order of summation decides nothing.
    """
    products = prototype_set.vectors @ vector
    per_camera = (products[prototype_set.starts] + np.maximum.reduceat(products, prototype_set.starts)) / 2
    best = np.sort(per_camera)[::-1][:BEST_CAMERAS]
    return round(float(best.mean()), 5)


def identity_similarity(one: PrototypeSet, other: PrototypeSet) -> float:
    """Return how similar two identities are: the mean similarity of the cameras' means of each to the other."""
    forth = [similarity(one.vectors[i], other) for i in one.starts]
    back = [similarity(other.vectors[i], one) for i in other.starts]
    return round((sum(forth) / len(forth) + sum(back) / len(back)) / 2, 5)


def with_tracklet(prototypes: Sequence[Prototype], tracklet: Tracklet) -> tuple[Prototype, ...]:
    """Return an identity's prototypes after it was given a tracklet."""
    vector, weight = embedding_of(tracklet), weight_of(tracklet)
    hard = Prototype("hard", tracklet.camera_id, tracklet.model_id, vector, weight, tracklet.tracklet_id)
    return _bounded([*_moved_mean(prototypes, tracklet, vector, weight), *_hard_of(prototypes), hard])


def without_tracklet(prototypes: Sequence[Prototype], tracklet: Tracklet) -> tuple[Prototype, ...]:
    """Return an identity's prototypes after a tracklet, as it was given, was taken from it."""
    vector, weight = embedding_of(tracklet), weight_of(tracklet)
    hard = [p for p in _hard_of(prototypes) if p.tracklet_id != tracklet.tracklet_id]
    return _bounded(_moved_mean(prototypes, tracklet, vector, -weight) + hard)


def united(one: Sequence[Prototype], other: Sequence[Prototype]) -> tuple[Prototype, ...]:
    """Return the prototypes of two identities that turned out to be one."""
    means = {(p.camera_id, p.model_id): p for p in one if p.kind == "mean"}
    for p in other:
        if p.kind == "mean":
            key = (p.camera_id, p.model_id)
            means[key] = _sum(means[key], p.vector, p.weight) if key in means else p
    return _bounded([*means.values(), *_hard_of(one), *_hard_of(other)])


def _hard_of(prototypes: Sequence[Prototype]) -> list[Prototype]:
    return [p for p in prototypes if p.kind == "hard"]


def _sum(mean: Prototype, vector: NDArray[np.float32], weight: float) -> Prototype:
    return Prototype("mean", mean.camera_id, mean.model_id, mean.vector + vector, mean.weight + weight)


def _moved_mean(
    prototypes: Sequence[Prototype], tracklet: Tracklet, vector: NDArray[np.float32], weight: float
) -> list[Prototype]:
    """Return the means, that of the tracklet's camera moved by `weight` (negative: back) and dropped when empty."""
    means = [p for p in prototypes if p.kind == "mean"]
    key = (tracklet.camera_id, tracklet.model_id)
    old = [p for p in means if (p.camera_id, p.model_id) == key]
    empty = Prototype("mean", tracklet.camera_id, tracklet.model_id, np.zeros_like(vector), 0.0)
    moved = _sum(old[0] if old else empty, vector * np.float32(weight), weight)
    rest = [p for p in means if (p.camera_id, p.model_id) != key]
    return [*rest, moved] if moved.weight > MIN_WEIGHT / 2 else rest


def _bounded(prototypes: Sequence[Prototype]) -> tuple[Prototype, ...]:
    """Return every camera's mean with its hardest few, of the weightiest cameras; hard ones without mean go."""
    means = sorted((p for p in prototypes if p.kind == "mean"), key=lambda p: (-p.weight, p.camera_id, p.model_id))
    kept: list[Prototype] = []
    for mean in means[:CAMERAS_PER_IDENTITY]:
        centre = unit(mean.vector)
        own = [p for p in _hard_of(prototypes) if (p.camera_id, p.model_id) == (mean.camera_id, mean.model_id)]
        own.sort(key=lambda p: (round(float(p.vector @ centre), 5), p.tracklet_id))
        kept += [mean, *own[:HARD_PER_CAMERA]]
    return tuple(kept)
