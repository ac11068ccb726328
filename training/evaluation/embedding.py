"""Embed sets of tracklets: frame selection, mirroring, and several batches in parallel."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.data.crops import Tracklets
from training.data.dataset import DataSetError
from training.data.prefetch import in_order


class Embed(Protocol):
    """Signature of `Embedder.embed` and of the baselines."""

    def __call__(
        self, tracklets: Sequence[Sequence[NDArray[np.uint8]]], cameras: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return features `(n, dim)` of tracklets of RGB crops, unit rows; `cameras` are rows of side information."""


Progress = Callable[[int, int], None]
"""Called with the number of tracklets done, and their total."""


@dataclass(frozen=True, slots=True)
class EmbedPlan:
    """How tracklets are embedded.

    Attributes:
        frames: T, maximum number of crops per tracklet and call.
        dense: Use all frames, averaging over groups of T, instead of T frames at the middles of equal spans.
        flip: Also embed mirrored crops, and average both.
        batch: Tracklets read and embedded together: 16 fill the vector units and fit the cache.
        threads: Batches in parallel: one is read while another is in the network.
        skip_broken: Skip tracklets with an unreadable image instead of raising an error.
    """

    frames: int
    dense: bool = False
    flip: bool = False
    batch: int = 16
    threads: int = 1
    skip_broken: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Features of n tracklets.

    Attributes:
        features: `(n, dim)` float32, rows of length 1; zeros for skipped tracklets.
        broken: Reasons why tracklets were skipped, by row.
    """

    features: NDArray[np.float32]
    broken: dict[int, str]


def embed_tracklets(embed: Embed, people: Tracklets, plan: EmbedPlan, progress: Progress | None = None) -> Embedded:
    """Embed every tracklet according to the plan.

    Raises:
        DataSetError: An image is missing or broken and `skip_broken` is off, or no tracklet could be read.
        EmbeddingError: The network returned NaN or infinite values.
    """
    n = len(people.lengths)
    done: list[Embedded] = []
    parts = (range(start, min(start + plan.batch, n)) for start in range(0, n, plan.batch))
    with closing(in_order(lambda rows: _embed_rows(embed, people, rows, plan), parts, plan.threads)) as batches:
        for one in batches:
            done.append(one)
            if progress is not None:
                progress(sum(len(part.features) for part in done), n)
    broken = {row: reason for one in done for row, reason in one.broken.items()}
    if len(broken) == n:
        raise DataSetError(f"none of {n} tracklets can be read" + (f": {broken[0]}" if n else ""))
    dim = max(one.features.shape[1] for one in done)
    whole = [one.features if one.features.shape[1] else np.zeros((len(one.features), dim), np.float32) for one in done]
    return Embedded(np.concatenate(whole), broken)


def _embed_rows(embed: Embed, people: Tracklets, rows: range, plan: EmbedPlan) -> Embedded:
    groups: list[list[NDArray[np.uint8]]] = []
    cameras: list[int] = []
    owners: list[int] = []
    broken: dict[int, str] = {}
    total: NDArray[np.float32] | None = None

    def flush(total: NDArray[np.float32] | None) -> NDArray[np.float32]:
        embed_batch = partial(embed, cameras=cameras) if people.side_rows is not None else embed
        features = _embed_groups(embed_batch, groups, flip=plan.flip)
        total = np.zeros((len(rows), features.shape[1]), np.float32) if total is None else total
        np.add.at(total, owners, features)
        for done in (groups, cameras, owners):
            done.clear()
        return total

    for place, row in enumerate(rows):
        length = int(people.lengths[row])
        chosen = np.arange(length) if plan.dense else middle_frames(length, plan.frames)
        try:
            crops = people.read(row, chosen)
        except DataSetError as error:
            if not plan.skip_broken:
                raise
            broken[row] = str(error)
            continue
        for start in range(0, len(crops), plan.frames):
            groups.append(crops[start : start + plan.frames])
            owners.append(place)
            cameras.append(-1 if people.side_rows is None else int(people.side_rows[row]))
        if len(groups) >= plan.batch:  # holds all frames of one long tracklet in memory, but not of many
            total = flush(total)
    if groups:
        total = flush(total)
    return Embedded(unit_rows(np.zeros((len(rows), 0), np.float32) if total is None else total), broken)


def _embed_groups(
    embed: Callable[[list[list[NDArray[np.uint8]]]], NDArray[np.float32]],
    groups: list[list[NDArray[np.uint8]]],
    *,
    flip: bool,
) -> NDArray[np.float32]:
    features = embed(groups)
    if flip:
        features = features + embed([[np.ascontiguousarray(crop[:, ::-1]) for crop in group] for group in groups])
    return features


def unit_rows(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows scaled to length 1; rows of zeros are unchanged."""
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12), np.float32)


def middle_frames(length: int, frames: int) -> NDArray[np.int64]:
    """Return up to `frames` indices: the middles of equal spans of a tracklet, or all of a short one."""
    if length <= frames:
        return np.arange(length)
    edges = np.linspace(0, length, frames + 1)
    return ((edges[:-1] + edges[1:]) / 2).astype(np.int64)
