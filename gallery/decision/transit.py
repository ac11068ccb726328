"""Which camera follows which, and how long people take from one to the other, learnt without labels. Pure.

Pairs of tracklets that are clearly alike are mostly one person. How their times lie, in coarse steps, is compared with
those of all pairs of the two cameras; the logarithm of the ratio is one more likelihood in every decision. It is zero
before there is evidence, and bounded. Of cameras that overlap, simultaneous tracklets are likely; on one camera, people
whom a tracker lost are found again soon.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from wire.messages import Tracklet

EDGES_NS = tuple(s * 1_000_000_000 for s in (0, 2, 4, 8, 16, 32, 64, 128))  # of the steps; the first: simultaneous
STEPS = len(EDGES_NS) + 1
PRIOR_PAIRS = 5.0  # alike pairs that lie like all pairs, before any were seen
BOUND = 2.0  # log odds that times can add or take
MAX_PAIRS = 4_000.0  # effective number of pairs of a way; older ones fade

Way = tuple[str, str]  # the camera of the tracklet that began first, and that of the other


class Passages(msgspec.Struct, frozen=True, array_like=True):
    """Numbers of pairs of tracklets by step of time: all, and clearly alike ones."""

    pairs: tuple[float, ...] = (0.0,) * STEPS
    alike: tuple[float, ...] = (0.0,) * STEPS

    def __add__(self, other: "Passages") -> "Passages":
        """Return the sums, scaled down to `MAX_PAIRS`."""
        pairs, alike = np.add(self.pairs, other.pairs), np.add(self.alike, other.alike)
        share = min(1.0, MAX_PAIRS / max(float(pairs.sum()), 1.0))
        return Passages(tuple((pairs * share).tolist()), tuple((alike * share).tolist()))

    def is_readable(self) -> bool:
        """Return whether the steps are those of this version."""
        return len(self.pairs) == len(self.alike) == STEPS

    def log_odds(self) -> NDArray[np.float64]:
        """Return by how much each step of time raises the log odds of one person, `(STEPS,)`."""
        pairs, alike = np.array(self.pairs) + 0.5, np.array(self.alike)
        usual = pairs / pairs.sum()
        found = (alike + PRIOR_PAIRS * usual) / (alike.sum() + PRIOR_PAIRS)
        return np.asarray(np.clip(np.log(found / usual), -BOUND, BOUND).round(6))


@dataclass(frozen=True)
class Transit:
    """Passages of each way; immutable."""

    passages: Mapping[Way, Passages] = field(default_factory=dict)

    def observe(self, found: Mapping[Way, Passages]) -> "Transit":
        """Return the transit updated with further passages."""
        new = {way: self.passages.get(way, Passages()) + more for way, more in found.items()}
        return Transit({**self.passages, **new}) if new else self

    def observe_instead(self, found: Mapping[Way, Passages]) -> "Transit":
        """Return the transit with these passages instead of the earlier ones of a way, unless those are more."""
        new = {way: Passages() + more for way, more in found.items()}
        return Transit({**self.passages, **{w: p for w, p in new.items() if sum(p.pairs) >= self._pairs(w)}})

    def _pairs(self, way: Way) -> float:
        return sum(self.passages[way].pairs) if way in self.passages else 0.0

    @cached_property
    def _known(self) -> Mapping[Way, NDArray[np.float64]]:
        return {way: passages.log_odds() for way, passages in self.passages.items()}

    @property
    def bound(self) -> float:
        """Return the largest absolute value of `of`."""
        return BOUND if self.passages else 0.0

    def of(self, one: Tracklet, other: Tracklet) -> float:
        """Return by how much their cameras and times raise the log odds that two tracklets show one person."""
        way, step = passage(one, other)
        known = self._known.get(way)
        return 0.0 if known is None else float(known[step])

    def between(self, tracklets: Sequence[Tracklet]) -> NDArray[np.float64]:
        """Return `of` for each two of n tracklets, `(n, n)`, symmetric."""
        cameras, places = np.unique([t.camera_id for t in tracklets], return_inverse=True)
        table = np.zeros((len(cameras), len(cameras), STEPS))
        for i, one in enumerate(cameras.tolist()):
            for j, other in enumerate(cameras.tolist()):
                table[i, j] = self._known.get((one, other), 0.0)
        ranks = began_ranks(tracklets)
        first_ns, last_ns = np.array([t.first_ns for t in tracklets]), np.array([t.last_ns for t in tracklets])
        steps = np.searchsorted(EDGES_NS, first_ns[None, :] - last_ns[:, None], side="right")
        found = table[places[:, None], places[None, :], steps]
        return np.asarray(np.where(ranks[:, None] < ranks[None, :], found, found.T))


NO_TRANSIT = Transit()


def passage(one: Tracklet, other: Tracklet) -> tuple[Way, int]:
    """Return the way of two tracklets, and the step of time from the end of the first to the beginning of the other."""
    first, second = (one, other) if _began(one) < _began(other) else (other, one)
    return (first.camera_id, second.camera_id), bisect_right(EDGES_NS, second.first_ns - first.last_ns)


def began_ranks(tracklets: Sequence[Tracklet]) -> NDArray[np.int64]:
    """Return the place of each of n tracklets in the order in which they began, `(n,)`."""
    ranks = np.empty(len(tracklets), np.int64)
    ranks[sorted(range(len(tracklets)), key=lambda i: _began(tracklets[i]))] = np.arange(len(tracklets))
    return ranks


def _began(tracklet: Tracklet) -> tuple[int, int, str]:
    return tracklet.first_ns, tracklet.last_ns, tracklet.tracklet_id
