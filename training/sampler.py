"""Which tracklets and frames make a batch: a pure function of seed and step, so that a resumed run goes on exactly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Tracklets of a step, grouped by identity.

    Attributes:
        tracklets: `(P·K,)` int64 rows of the crop set.
        frames: `(P·K, t)` int64 rising frame numbers.
    """

    tracklets: NDArray[np.int64]
    frames: NDArray[np.int64]


class IdentitySampler:
    """Draw P identities and K tracklets of each, every identity once per epoch, cameras of an identity all different.

    Identities come in clusters of people seen by the same cameras: those are the negatives that a background cannot
    tell apart. An identity with fewer than K cameras gives several tracklets of one; with fewer than K tracklets,
    some twice.
    """

    def __init__(
        self,
        identities: NDArray[np.int64],
        cameras: NDArray[np.int64],
        *,
        identities_per_batch: int,
        tracklets_per_identity: int,
        cluster: int,
        seed: int,
    ) -> None:
        self._rows = [np.flatnonzero(identities == label) for label in np.unique(identities)]
        self._cameras = cameras
        self._P = identities_per_batch
        self._K = tracklets_per_identity
        self._cluster = cluster
        self._seed = seed
        self._sites = _same_cameras([frozenset(cameras[rows].tolist()) for rows in self._rows])
        self.steps_per_epoch = len(self._rows) // self._P
        if self.steps_per_epoch == 0:
            raise ValueError(f"a batch of {self._P} identities needs more than {len(self._rows)}")

    def batch(self, step: int, *, frames: int, of: int) -> Batch:
        """Return the batch of a step, with `frames` frames restrictedly random out of `of`."""
        epoch, position = divmod(step, self.steps_per_epoch)
        rng = np.random.default_rng((self._seed, 2, step))
        chosen = self._order(epoch)[position * self._P : (position + 1) * self._P]
        tracklets = np.concatenate([self._tracklets(self._rows[i], rng) for i in chosen])
        return Batch(tracklets, restricted_random(len(tracklets), frames, of, rng))

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return all identities, shuffled as clusters of people who share their cameras."""
        rng = np.random.default_rng((self._seed, 1, epoch))
        clusters = []
        for site in self._sites:
            members = rng.permutation(site)
            clusters += [members[i : i + self._cluster] for i in range(0, len(members), self._cluster)]
        return np.concatenate([clusters[i] for i in rng.permutation(len(clusters))])

    def _tracklets(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return K rows of as many different cameras as there are; rows repeat only when they run out."""
        shuffled = rng.permutation(rows)
        seen = self._cameras[shuffled]
        first = np.array([camera not in seen[:i] for i, camera in enumerate(seen)])
        return np.resize(np.concatenate([shuffled[first], shuffled[~first]]), self._K)


def _same_cameras(cameras: list[frozenset[int]]) -> list[NDArray[np.int64]]:
    """Return the positions of equal camera sets, one array per set, in order of first appearance."""
    sites: dict[frozenset[int], list[int]] = {}
    for i, seen in enumerate(cameras):
        sites.setdefault(seen, []).append(i)
    return [np.array(members, np.int64) for members in sites.values()]


def restricted_random(n: int, frames: int, of: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return rising frame numbers `(n, frames)`: `of` frames in equal spans, one frame from each (section 4.1).

    Raises:
        ValueError: There are fewer frames than spans.
    """
    if frames > of:
        raise ValueError(f"{frames} different frames cannot come from {of}")
    edges = np.linspace(0, of, frames + 1).round().astype(np.int64)
    return edges[:-1] + np.floor(rng.random((n, frames)) * np.diff(edges)).astype(np.int64)
