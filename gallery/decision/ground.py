"""Where whoever is seen by one camera stands in another, learnt without labels from tracklets seen at once. Pure.

Cameras that see the same ground are related by a homography (Hartley and Zisserman 2004, section 13.1): four places
where both saw somebody's feet determine it. Pairs of clearly alike tracklets are mostly one person, and give such
places; since some are not, it is fitted in spite of wrong ones (`homography`). How far the feet of each pair are from
where other pairs put them, in heights of bodies, is compared with the same for feet of different pairs. The logarithm
of the ratio is one more likelihood in every decision: bounded, and zero until pairs are nearer than chance makes them,
which they hardly ever are where two cameras see different places.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from gallery.decision.homography import WIDTH, Real, apart, distances_of, homography_of
from wire.messages import Tracklet

Cameras = tuple[str, str]  # in alphabetical order

POINTS = 4  # times at which a pair is looked at
LEAST_NS = 1_000_000_000  # that two tracklets have in common: clocks and last boxes are inexact
FEWEST_PAIRS = 3  # from which a homography can be fitted and one of them be left out
MOST_PAIRS = 32  # of two cameras; older ones go
UNPROVEN_PAIRS = 16  # of two cameras of which nothing says that they see the same ground
CHANCE = 1e-4  # that it is said of cameras that do not; there are thousands of pairs of cameras at a large site
MOVED_PAIRS = 8  # of which at most this share is where it was to be expected: what was learnt before is forgotten
MOVED_SHARE = 0.25
SETTLED = 4  # a fit is made anew when there are a quarter more pairs
EDGES = (0.15, 0.3, 0.6, 1.2, 2.4)  # of the steps of distance, in heights of bodies
STEPS = len(EDGES) + 1
NEAR_STEPS = 3  # in which feet are near where they are expected
PARTS = 4  # each of which is judged by the others
PRIOR_PAIRS = 5.0  # alike pairs as far apart as any, before any were seen
BOUND = 2.5  # log odds that places of a pair can add or take
MOST = 4.0  # that those of several pairs can
SPAN_NS = 5_000_000_000  # a pair that was in sight together for longer counts as several
MOST_SPANS = 4

_PLACE = np.dtype("<i2")  # px
_BYTES = POINTS * WIDTH * _PLACE.itemsize


class Encounters(msgspec.Struct, frozen=True, array_like=True):
    """Where tracklets that seem to be one person were in two cameras at the same times, the latest pairs last.

    Attributes:
        settled: Places of the pairs that are fitted, little-endian int16 `(pairs, POINTS, 6)`.
        waiting: The same of pairs that came after.
    """

    settled: bytes = b""
    waiting: bytes = b""

    def with_pairs(self, places: Sequence[NDArray[np.int16]]) -> "Encounters":
        """Return the encounters with further pairs, each `(POINTS, 6)`."""
        waiting = self.waiting + b"".join(place.astype(_PLACE).tobytes() for place in places)
        if len(waiting) * SETTLED < len(self.settled):
            return Encounters(self.settled, waiting)
        before = b"" if self._are_elsewhere(waiting) else self.settled
        settled = (before + waiting)[-MOST_PAIRS * _BYTES :]
        floor = fitted(settled)
        if len(settled) > UNPROVEN_PAIRS * _BYTES and not (floor and floor.is_proven()):
            settled = settled[-UNPROVEN_PAIRS * _BYTES :]
        return Encounters(settled)

    def _are_elsewhere(self, waiting: bytes) -> bool:
        """Return whether hardly any of later pairs is where it was to be expected: a camera was moved."""
        floor = fitted(self.settled)
        if floor is None or not floor.is_proven() or len(waiting) < MOVED_PAIRS * _BYTES:
            return False
        near = _steps(floor.distances(_unpacked(waiting))) < NEAR_STEPS
        return bool(near.mean() <= MOVED_SHARE)

    def is_readable(self) -> bool:
        """Return whether the places are those of this version."""
        return not len(self.settled) % _BYTES and not len(self.waiting) % _BYTES

    def __len__(self) -> int:
        """Return the number of pairs."""
        return (len(self.settled) + len(self.waiting)) // _BYTES


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """The ground that two cameras see.

    Attributes:
        there, back: `(3, 3)`, homographies from feet in the first camera to feet in the second, px, and back.
        log_odds: `(STEPS,)` by how much each step of distance raises the log odds of one person.
        chance: The probability that as many pairs would be that near if the cameras saw different places.
    """

    there: Real
    back: Real
    log_odds: Real
    chance: float

    def is_proven(self) -> bool:
        """Return whether feet are where they are expected so often that the cameras see the same ground."""
        return self.chance <= CHANCE

    def of(self, places: NDArray[np.int16]) -> Real:
        """Return by how much n pairs' places, `(n, POINTS, 6)`, raise the log odds that each is one person, `(n,)`."""
        return np.asarray(self.log_odds[_steps(self.distances(places.astype(np.float64)))])

    def distances(self, places: Real) -> Real:
        """Return how far n pairs' feet are from where they are expected, heights of bodies, `(n,)`."""
        return np.asarray(np.median(apart(self.there, self.back, places), axis=-1))


@dataclass(frozen=True)
class Ground:
    """Encounters of each two cameras; immutable."""

    encounters: Mapping[Cameras, Encounters] = field(default_factory=dict)

    def observe(self, found: Mapping[Cameras, Sequence[NDArray[np.int16]]]) -> "Ground":
        """Return the ground updated with places of further alike pairs."""
        new = {cameras: self.encounters.get(cameras, Encounters()).with_pairs(more) for cameras, more in found.items()}
        return Ground({**self.encounters, **new}) if new else self

    def observe_instead(self, found: Mapping[Cameras, Sequence[NDArray[np.int16]]]) -> "Ground":
        """Return the ground with these pairs instead of the earlier ones of two cameras, unless those are more."""
        enough = {cameras: more for cameras, more in found.items() if len(more) >= len(self._of(cameras))}
        return Ground({**self.encounters, **{key: Encounters().with_pairs(more) for key, more in enough.items()}})

    def _of(self, cameras: Cameras) -> Encounters:
        return self.encounters.get(cameras, Encounters())

    @cached_property
    def floors(self) -> Mapping[Cameras, Floor]:
        """The ground of each two cameras that are known to see the same."""
        found = {cameras: fitted(known.settled) for cameras, known in self.encounters.items()}
        return {cameras: floor for cameras, floor in found.items() if floor is not None and floor.is_proven()}

    @property
    def bound(self) -> float:
        """Return the largest absolute value of `of`."""
        return MOST if self.floors else 0.0

    def of(self, one: Tracklet, others: Iterable[Tracklet]) -> float:
        """Return by how much places raise the log odds that a tracklet shows the person of others.

        It is the sum over the other cameras, of each the tracklet that was seen beside it for longest.
        """
        beside: dict[str, tuple[int, Tracklet]] = {}
        for other in others:
            common_ns = min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns)
            least_ns = beside[other.camera_id][0] if other.camera_id in beside else LEAST_NS
            if common_ns > least_ns and _way(one, other) in self.floors:
                beside[other.camera_id] = common_ns, other
        total = 0.0
        for _, other in beside.values():
            first, second = (one, other) if one.camera_id < other.camera_id else (other, one)
            places = Feet.of(first).beside(Feet.of(second))
            total += float(self.floors[_way(one, other)].of(places[None])[0])
        return max(-MOST, min(MOST, total))

    def between(self, tracklets: Sequence[Tracklet]) -> Real:
        """Return by how much places raise the log odds of one person for each two of n tracklets, `(n, n)`."""
        found = np.zeros((len(tracklets), len(tracklets)))
        if not self.floors or len(tracklets) < 2:
            return found
        first_ns, last_ns = np.array([t.first_ns for t in tracklets]), np.array([t.last_ns for t in tracklets])
        common_ns = np.minimum.outer(last_ns, last_ns) - np.maximum.outer(first_ns, first_ns)
        pairs: dict[Cameras, list[tuple[int, int]]] = defaultdict(list)
        for pair in np.argwhere(np.triu(common_ns > LEAST_NS, 1)).tolist():
            i, j = sorted(pair, key=lambda place: tracklets[place].camera_id)
            pairs[tracklets[i].camera_id, tracklets[j].camera_id].append((i, j))
        feet = [Feet.of(tracklet) for tracklet in tracklets]
        for cameras, met in pairs.items():
            if (floor := self.floors.get(cameras)) is not None:
                rows, columns = np.array(met).T
                values = floor.of(np.stack([feet[i].beside(feet[j]) for i, j in met]))
                found[rows, columns] = found[columns, rows] = values
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Feet:
    """Where the feet of a tracklet are, and how high the body is, px `(n,)` each, at n times."""

    times_ns: NDArray[np.int64]
    x: Real
    y: Real
    height: Real

    @classmethod
    def of(cls, tracklet: Tracklet) -> "Feet":
        """Return those of a tracklet."""
        left, top, right, bottom = tracklet.boxes.T.astype(np.float64)
        return cls(tracklet.times_ns, (left + right) / 2, bottom, np.maximum(bottom - top, 1.0))

    def beside(self, other: "Feet") -> NDArray[np.int16]:
        """Return where two were at `POINTS` times of those that they have in common, `(POINTS, 6)` px."""
        return self._between(other, *self._common(other))

    def spans_beside(self, other: "Feet") -> list[NDArray[np.int16]]:
        """Return the same for each of some spans of the time that they have in common."""
        since, until = self._common(other)
        edges = np.linspace(since, until, 1 + int(np.clip((until - since) // SPAN_NS, 1, MOST_SPANS)))
        return [self._between(other, *span) for span in pairwise(edges)]

    def _common(self, other: "Feet") -> tuple[int, int]:
        return max(self.times_ns[0], other.times_ns[0]), min(self.times_ns[-1], other.times_ns[-1])

    def _between(self, other: "Feet", since_ns: float, until_ns: float) -> NDArray[np.int16]:
        times = np.linspace(since_ns, until_ns, POINTS)
        both = [np.interp(times, one.times_ns, part) for one in (self, other) for part in (one.x, one.y, one.height)]
        return np.clip(np.stack(both, 1).round(), -32_768, 32_767).astype(np.int16)


def spans_of(first: Tracklet, second: Tracklet) -> list[NDArray[np.int16]]:
    """Return where two tracklets were at the same times, for each span of the time that they have in common."""
    return Feet.of(first).spans_beside(Feet.of(second))


NO_GROUND = Ground()


def _way(one: Tracklet, other: Tracklet) -> Cameras:
    first, second = sorted((one.camera_id, other.camera_id))
    return first, second


@lru_cache(maxsize=4_096)
def fitted(settled: bytes) -> Floor | None:
    """Return the ground on which alike pairs met; None if they are too few."""
    places = _unpacked(settled)
    if len(places) < FEWEST_PAIRS:
        return None
    parts = np.array_split(np.arange(len(places)), min(PARTS, len(places)))
    by_others = [distances_of(homography_of(np.delete(places, part, 0)), places[part]) for part in parts]
    same = np.bincount(_steps(np.concatenate(by_others)), minlength=STEPS)
    there = homography_of(places)
    one, other = np.nonzero(~np.eye(len(places), dtype=bool))
    mixed = np.concatenate([places[one][..., :3], places[other][..., 3:]], axis=2)
    usual = np.bincount(_steps(distances_of(there, mixed)), minlength=STEPS) + 0.5
    usual /= usual.sum()
    near = int(same[:NEAR_STEPS].sum())
    chance = float(bdtrc(near - 1, len(places), usual[:NEAR_STEPS].sum())) if near else 1.0
    found = (np.maximum(same - 1, 0) + PRIOR_PAIRS * usual) / (same.sum() + PRIOR_PAIRS)  # one may be chance
    back = np.asarray(np.linalg.pinv(there), np.float64)
    return Floor(there, back, np.clip(np.log(found / usual), -BOUND, BOUND).round(6), chance)


def _unpacked(pairs: bytes) -> Real:
    """Return the places of pairs, `(pairs, POINTS, 6)`."""
    return np.frombuffer(pairs, _PLACE).reshape(-1, POINTS, WIDTH).astype(np.float64)


def _steps(distances: Real) -> NDArray[np.int64]:
    return np.asarray(np.searchsorted(EDGES, distances, side="right"))
