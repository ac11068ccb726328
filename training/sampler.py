"""Sample the tracklets and frames of a batch: a pure function of seed and step, so a resumed run continues exactly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The tracklets of a step, grouped by identity.

    Attributes:
        tracklets: `(P·K,)` int64 rows of the crop set.
        frames: Increasing frame numbers of each, `(t,)` int64; fewer if a tracklet has fewer.
        places: Positions of the tracklets in the whole batch.
    """

    tracklets: NDArray[np.int64]
    frames: list[NDArray[np.int64]]
    places: range

    def part(self, share: slice) -> "Batch":
        """Return a slice of the batch."""
        return Batch(self.tracklets[share], self.frames[share], self.places[share])


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Composition of a batch.

    Attributes:
        identities: P, identities per batch.
        tracklets: K, tracklets of each identity.
        cluster: Identities in a batch that share their cameras, if there are any: negatives that the background
            does not tell apart.
        sites: Groups of people with the same cameras that an epoch draws from at a time, 0 for all: a renderer then
            draws a place once per epoch, not once per batch.
        visits: How often each identity of those sites is drawn before the next sites follow.
        lanes: Parts of an epoch's sites that batches come from in turn: with as many as there are processes that make
            batches, one process makes all of a part, and draws its places and people once.
    """

    identities: int
    tracklets: int
    cluster: int
    sites: int = 0
    visits: int = 1
    lanes: int = 1


class IdentitySampler:
    """Draws P identities and K tracklets of each from different cameras, all identities `visits` times an epoch.

    With several lanes, those of the last sites of a longer lane have to wait for another epoch.

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
        self._lanes = self._most_lanes()
        self.steps_per_epoch = self._lanes * self._batches_of_a_lane(self._lanes)

    def batch(self, step: int, *, frames: int, lengths: NDArray[np.int64]) -> Batch:
        """Return the batch of a step, with restricted random frames of tracklets of `lengths` `(n,)` frames."""
        epoch, position = divmod(step, self.steps_per_epoch)
        rng = np.random.default_rng((self._seed, 2, step))
        if epoch != self._epoch:
            self._epoch, self._ordered = epoch, self._order(epoch)
        chosen = self._ordered[position * self._plan.identities :][: self._plan.identities]
        tracklets = np.concatenate([self._tracklets(self._rows[i], rng) for i in chosen])
        drawn = [restricted_random(frames, int(lengths[row]), rng) for row in tracklets]
        return Batch(tracklets, drawn, range(len(tracklets)))

    def _most_lanes(self) -> int:
        """Return as many lanes as were asked for, or as have a batch each."""
        return next(n for n in range(self._plan.lanes, 0, -1) if n == 1 or self._batches_of_a_lane(n) > 0)

    def _batches_of_a_lane(self, lanes: int) -> int:
        """Return the batches that every lane has in every epoch, whichever sites it is given."""
        fewest = sorted(map(len, self._sites))[: len(self._sites) // lanes]
        return self._plan.visits * sum(fewest) // self._plan.identities

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return all identities in the order of the batches, which come from one lane after another."""
        rng = np.random.default_rng((self._seed, 1, epoch))
        sites = [self._sites[i] for i in rng.permutation(len(self._sites))]
        count = self._batches_of_a_lane(self._lanes)
        lanes = [self._lane(sites[k :: self._lanes], rng)[: count * self._plan.identities] for k in range(self._lanes)]
        return np.stack([lane.reshape(count, -1) for lane in lanes], axis=1).ravel()

    def _lane(self, sites: list[NDArray[np.int64]], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the identities of some sites, shuffled as clusters who share their cameras, some sites at a time."""
        at_a_time = self._plan.sites or len(sites)
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
        """Return K rows from as many different cameras as possible; rows repeat only when they run out."""
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
    """Return increasing frame numbers `(frames,)`: `of` frames in equal spans, one from each (section 4.1).

    All of them if there are no more than that: the encoder repeats them in order.
    """
    if frames >= of:
        return np.arange(of)
    edges = np.linspace(0, of, frames + 1).round().astype(np.int64)
    return edges[:-1] + np.floor(rng.random(frames) * np.diff(edges)).astype(np.int64)
