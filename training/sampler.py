"""Which tracklets and frames make a batch: a pure function of seed and step, so that a resumed run goes on exactly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Tracklets of a step, grouped by identity.

    Attributes:
        tracklets: `(P·K,)` int64 rows of the crop set.
        frames: Rising frame numbers of each, `(t,)` int64; fewer of a tracklet that has fewer.
        places: Of each in the whole batch.
    """

    tracklets: NDArray[np.int64]
    frames: list[NDArray[np.int64]]
    places: range

    def part(self, share: slice) -> "Batch":
        """Return some of the tracklets."""
        return Batch(self.tracklets[share], self.frames[share], self.places[share])


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a batch is made of.

    Attributes:
        identities: P.
        tracklets: K of each.
        cluster: Identities in a batch that share their cameras, where there are such: those are the negatives that a
            background cannot tell apart.
        sites: Groups of people with the same cameras that an epoch goes through at a time, 0 for all: a renderer then
            draws a place once an epoch, not once a batch.
        visits: How often each identity of those comes before the next sites.
    """

    identities: int
    tracklets: int
    cluster: int
    sites: int = 0
    visits: int = 1


class IdentitySampler:
    """Draw P identities and K tracklets of each, every identity `visits` times per epoch, its cameras all different.

    An identity with fewer than K cameras gives several tracklets of one; with fewer than K tracklets, some twice.
    """

    def __init__(
        self, identities: NDArray[np.int64], cameras: NDArray[np.int64], plan: BatchPlan, *, seed: int
    ) -> None:
        order = np.argsort(identities, kind="stable")
        self._rows = np.split(order, np.flatnonzero(np.diff(identities[order])) + 1)
        self._cameras = cameras
        self._plan = plan
        self._seed = seed
        self._sites = _same_cameras([frozenset(cameras[rows].tolist()) for rows in self._rows])
        self._epoch, self._ordered = -1, np.zeros(0, np.int64)
        if len(self._rows) < plan.identities:
            raise ValueError(f"a batch of {plan.identities} identities cannot come from {len(self._rows)}")
        self.steps_per_epoch = plan.visits * len(self._rows) // plan.identities

    def batch(self, step: int, *, frames: int, lengths: NDArray[np.int64]) -> Batch:
        """Return the batch of a step, restrictedly random frames of tracklets that have `lengths` `(n,)` of them."""
        epoch, position = divmod(step, self.steps_per_epoch)
        rng = np.random.default_rng((self._seed, 2, step))
        if epoch != self._epoch:
            self._epoch, self._ordered = epoch, self._order(epoch)
        chosen = self._ordered[position * self._plan.identities :][: self._plan.identities]
        tracklets = np.concatenate([self._tracklets(self._rows[i], rng) for i in chosen])
        drawn = [restricted_random(frames, int(lengths[row]), rng) for row in tracklets]
        return Batch(tracklets, drawn, range(len(tracklets)))

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return all identities, shuffled as clusters of people who share their cameras, some sites at a time."""
        rng = np.random.default_rng((self._seed, 1, epoch))
        at_a_time = self._plan.sites or len(self._sites)
        sites = [self._sites[i] for i in rng.permutation(len(self._sites))]
        ordered = []
        for first in range(0, len(sites), at_a_time):
            for _ in range(self._plan.visits):
                clusters = []
                for site in sites[first : first + at_a_time]:
                    members = rng.permutation(site)
                    clusters += [
                        members[i : i + self._plan.cluster] for i in range(0, len(members), self._plan.cluster)
                    ]
                ordered += [clusters[i] for i in rng.permutation(len(clusters))]
        return np.concatenate(ordered)

    def _tracklets(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return K rows of as many different cameras as there are; rows repeat only when they run out."""
        shuffled = rng.permutation(rows)
        seen = self._cameras[shuffled]
        first = np.array([camera not in seen[:i] for i, camera in enumerate(seen)])
        return np.resize(np.concatenate([shuffled[first], shuffled[~first]]), self._plan.tracklets)


def _same_cameras(cameras: list[frozenset[int]]) -> list[NDArray[np.int64]]:
    """Return the positions of equal camera sets, one array per set, in order of first appearance."""
    sites: dict[frozenset[int], list[int]] = {}
    for i, seen in enumerate(cameras):
        sites.setdefault(seen, []).append(i)
    return [np.array(members, np.int64) for members in sites.values()]


def restricted_random(frames: int, of: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return rising frame numbers `(frames,)`: `of` frames in equal spans, one from each (section 4.1).

    All of them where there are no more than that: the encoder repeats them in order.
    """
    if frames >= of:
        return np.arange(of)
    edges = np.linspace(0, of, frames + 1).round().astype(np.int64)
    return edges[:-1] + np.floor(rng.random(frames) * np.diff(edges)).astype(np.int64)
