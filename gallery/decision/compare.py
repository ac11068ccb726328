"""Appearance prototypes of identities, and similarities to them. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.decision.normalise import Shifts, stacked, unit, units
from gallery.decision.spaces import views
from gallery.store.store import Prototype
from wire.messages import Tracklet

HARD_PER_CAMERA = 3  # one for each distinct view of a body: front, back, side
CAMERAS_PER_IDENTITY = 64  # of one model; beyond this, the cameras with the least weight are dropped
BEST_CAMERAS = 2  # a similarity is the mean over this many cameras, the most similar ones
MIN_WEIGHT = 0.01
BLOCK = 32  # people normalised at once, whose vectors fit a processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class PrototypeSet:
    """Prototypes of one identity under one model, ready for comparison.

    Attributes:
        vectors: `(n, d)` float32, L2-normalised, sorted by camera.
        starts: `(c,)` index of the first vector of each camera, which is that camera's mean.
    """

    vectors: NDArray[np.float32]
    starts: NDArray[np.intp]


def embedding_of(tracklet: Tracklet) -> NDArray[np.float32]:
    """Return a tracklet's embedding as `(d,)` float32, L2-normalised."""
    return unit(tracklet.embedding.astype(np.float32))


def vector_of(tracklet: Tracklet, shifts: Shifts) -> NDArray[np.float32]:
    """Return a tracklet's embedding without the shift of its camera, `(d,)` float32, L2-normalised."""
    return shifts.without(embedding_of(tracklet), tracklet.model_id, tracklet.camera_id)


def weight_of(tracklet: Tracklet) -> float:
    """Return the weight of a tracklet in its identity's means: its quality times log(1 + frames used)."""
    return max(tracklet.quality * float(np.log1p(tracklet.frames_used)), MIN_WEIGHT)


def prototype_sets_of(
    people: Sequence[Sequence[Prototype]], model_id: str, shifts: Shifts
) -> list[PrototypeSet | None]:
    """Return for each person the prototypes of one model without camera shifts; None for those who have none.

    Many people at once take a fifth of the time that each of them would take.
    """
    chosen = [sorted((p for p in owned if p.model_id == model_id), key=_by_camera) for owned in people]
    parts = (_prototype_sets_of(chosen[at : at + BLOCK], model_id, shifts) for at in range(0, len(chosen), BLOCK))
    return [one for part in parts for one in part]


def _prototype_sets_of(
    chosen: Sequence[Sequence[Prototype]], model_id: str, shifts: Shifts
) -> Iterator[PrototypeSet | None]:
    together = [p for owned in chosen for p in owned]
    if not together:
        yield from (None for _ in chosen)
        return
    cameras = [p.camera_id for p in together]
    vectors = shifts.without_each(units(stacked([p.vector for p in together])), model_id, cameras)
    end = 0
    for owned in chosen:
        start, end = end, end + len(owned)
        starts = [i for i in range(len(owned)) if i == 0 or owned[i - 1].camera_id != owned[i].camera_id]
        yield PrototypeSet(vectors[start:end].copy(), np.array(starts)) if owned else None


def _by_camera(prototype: Prototype) -> tuple[str, bool, str]:
    return prototype.camera_id, prototype.kind != "mean", prototype.tracklet_id


def similarity(vector: NDArray[np.float32], prototype_set: PrototypeSet) -> float:
    """Return the similarity of a `(d,)` unit vector to an identity, in [-1, 1].

    For each camera, average the similarity to its mean and that to its closest prototype; then average over the
    `BEST_CAMERAS` most similar cameras. Rounded, so that the order of summation cannot affect decisions.
    """
    products = prototype_set.vectors @ vector
    per_camera = (products[prototype_set.starts] + np.maximum.reduceat(products, prototype_set.starts)) / 2
    best = per_camera if len(per_camera) <= BEST_CAMERAS else np.sort(per_camera)[-BEST_CAMERAS:]
    return round(float(best.sum() / len(best)), 5)


def mean_of(prototypes: Sequence[Prototype], model_id: str, shifts: Shifts) -> NDArray[np.float32]:
    """Return the mean of an identity under a model over all cameras, without their shifts, `(d,)`, L2-normalised."""
    means = [p for p in prototypes if p.kind == "mean" and p.model_id == model_id]
    vectors = shifts.without_each(units(np.stack([p.vector for p in means])), model_id, [p.camera_id for p in means])
    return unit(np.array([p.weight for p in means], np.float32) @ vectors)


def with_tracklet(prototypes: Sequence[Prototype], tracklet: Tracklet) -> tuple[Prototype, ...]:
    """Return an identity's prototypes after adding a tracklet."""
    for view in views(tracklet):
        prototypes = with_view(prototypes, view)
    return tuple(prototypes)


def with_view(prototypes: Sequence[Prototype], tracklet: Tracklet) -> tuple[Prototype, ...]:
    """Return an identity's prototypes after adding a tracklet under one model, that of its embedding."""
    vector, weight = embedding_of(tracklet), weight_of(tracklet)
    hard = Prototype("hard", tracklet.camera_id, tracklet.model_id, vector, weight, tracklet.tracklet_id)
    return _bounded([*_moved_mean(prototypes, tracklet, vector, weight), *_hard_of(prototypes), hard])


def without_tracklet(prototypes: Sequence[Prototype], tracklet: Tracklet) -> tuple[Prototype, ...]:
    """Return an identity's prototypes after removing a tracklet, in the revision that was added."""
    hard = [p for p in _hard_of(prototypes) if p.tracklet_id != tracklet.tracklet_id]
    for view in views(tracklet):
        prototypes = _moved_mean(prototypes, view, embedding_of(view), -weight_of(view))
    return _bounded([*prototypes, *hard])


def united(one: Sequence[Prototype], other: Sequence[Prototype]) -> tuple[Prototype, ...]:
    """Return the combined prototypes of two identities that turned out to be one person."""
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
    """Return the means after adding a vector to that of the tracklet's camera; a negative weight removes it."""
    means = [p for p in prototypes if p.kind == "mean"]
    key = (tracklet.camera_id, tracklet.model_id)
    old = [p for p in means if (p.camera_id, p.model_id) == key]
    empty = Prototype("mean", tracklet.camera_id, tracklet.model_id, np.zeros_like(vector), 0.0)
    moved = _sum(old[0] if old else empty, vector * np.float32(weight), weight)
    rest = [p for p in means if (p.camera_id, p.model_id) != key]
    return [*rest, moved] if moved.weight > MIN_WEIGHT / 2 else rest


def _bounded(prototypes: Sequence[Prototype]) -> tuple[Prototype, ...]:
    """Keep each model's cameras with the most weight, and of each its mean and the hard prototypes farthest from it."""
    means = sorted((p for p in prototypes if p.kind == "mean"), key=lambda p: (-p.weight, p.camera_id, p.model_id))
    kept: list[Prototype] = []
    cameras: Counter[str] = Counter()
    for mean in means:
        cameras[mean.model_id] += 1
        if cameras[mean.model_id] > CAMERAS_PER_IDENTITY:
            continue
        centre = unit(mean.vector)
        own = [p for p in _hard_of(prototypes) if (p.camera_id, p.model_id) == (mean.camera_id, mean.model_id)]
        own.sort(key=lambda p: (round(float(p.vector @ centre), 5), p.tracklet_id))
        kept += [mean, *own[:HARD_PER_CAMERA]]
    return tuple(kept)
