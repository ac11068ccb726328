"""Pairs of tracklets that are certain without labels: who was seen at once, and parts of one leg of a track. Pure.

Both are biased samples. People seen at once are in one camera, whose light and background they share, so they look more
alike than people of different cameras. Parts of one leg follow each other within a minute, so they look more alike
than the same person on another camera or an hour later.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from gallery.decision.compare import vector_of
from gallery.decision.normalise import Shifts
from gallery.decision.together import is_same_leg, together
from wire.messages import Tracklet
from wire.tracklet_id import TrackletId

MAX_PAIRS = 20_000  # of tracklets, those with the latest boxes
BATCH = 2048  # pairs compared at once

Pair = tuple[Tracklet, Tracklet]
Leg = tuple[str, str, int, int]  # camera, stream, track, leg


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Similarities of pairs of tracklets.

    Attributes:
        similarities: `(n,)` float64 in [-1, 1].
        weights: `(n,)` float64: all pairs of the same two legs together weigh 1, however long somebody stayed.
    """

    similarities: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Return the number of pairs of legs, or of legs with several parts."""
        return round(float(self.weights.sum()))

    @property
    def mean(self) -> float:
        """Return the weighted mean; the sample must not be empty."""
        return float(np.average(self.similarities, weights=self.weights))

    @property
    def std(self) -> float:
        """Return the weighted standard deviation; the sample must not be empty."""
        return float(np.sqrt(np.average((self.similarities - self.mean) ** 2, weights=self.weights)))


def different_people(tracklets: Sequence[Tracklet], shifts: Shifts) -> Sample:
    """Return the similarities of tracklets that certainly show two people: one camera saw both at the same time.

    Args:
        tracklets: Of one model.
        shifts: What is subtracted from embeddings before they are compared.
    """
    return _sample(islice(_seen_at_once(tracklets), MAX_PAIRS), shifts)


def same_person(tracklets: Sequence[Tracklet], shifts: Shifts) -> Sample:
    """Return the similarities of tracklets that certainly show one person: they are parts of one leg of a track.

    Args:
        tracklets: Of one model.
        shifts: What is subtracted from embeddings before they are compared.
    """
    legs: dict[Leg, list[Tracklet]] = defaultdict(list)
    for tracklet in _latest_first(tracklets):
        legs[leg_of(tracklet)].append(tracklet)
    pairs = (pair for parts in legs.values() for pair in combinations(parts, 2))
    return _sample(islice(pairs, MAX_PAIRS), shifts)


def mistaken(tracklets: Sequence[Tracklet], people: Mapping[str, int]) -> tuple[int, int]:
    """Return how many pairs of people seen at once the truth knows, and how many of them are one person after all.

    Two tracks of one person, as of a body and of its reflection, look like two people who were seen at once.

    Args:
        tracklets: Of one model.
        people: The person whom each tracklet shows, by tracklet_id; others are unknown.
    """
    known: dict[tuple[Leg, Leg], bool] = {}
    for one, other in islice(_seen_at_once(tracklets), MAX_PAIRS):
        shown = people.get(one.tracklet_id), people.get(other.tracklet_id)
        if None not in shown:
            known[_legs(one, other)] = known.get(_legs(one, other), False) or shown[0] == shown[1]
    return len(known), sum(known.values())


def leg_of(tracklet: Tracklet) -> Leg:
    """Return the leg of a track that a tracklet is a part of."""
    known = TrackletId.parse(tracklet.tracklet_id)
    return known.camera_id, known.stream_id, known.track, known.leg


def _legs(one: Tracklet, other: Tracklet) -> tuple[Leg, Leg]:
    return min(leg_of(one), leg_of(other)), max(leg_of(one), leg_of(other))


def _seen_at_once(tracklets: Sequence[Tracklet]) -> Iterator[Pair]:
    earlier: dict[str, list[Tracklet]] = defaultdict(list)  # by camera, those that may reach the next one
    for one in _latest_first(tracklets):
        others = [other for other in earlier[one.camera_id] if other.first_ns < one.last_ns]
        yield from (
            (one, other)
            for other in others
            if not is_same_leg(one, other) and together(one, other, max(one.last_ns, other.last_ns)) == "yes"
        )
        earlier[one.camera_id] = [*others, one]


def _latest_first(tracklets: Sequence[Tracklet]) -> list[Tracklet]:
    return sorted(tracklets, key=lambda t: (-t.last_ns, t.tracklet_id))


def _sample(pairs: Iterable[Pair], shifts: Shifts) -> Sample:
    chosen = list(pairs)
    if not chosen:
        return Sample(np.empty(0), np.empty(0))
    legs = [_legs(one, other) for one, other in chosen]
    sizes = Counter(legs)
    tracklets = {t.tracklet_id: t for pair in chosen for t in pair}
    places = {key: place for place, key in enumerate(tracklets)}
    vectors = np.stack([vector_of(t, shifts) for t in tracklets.values()])
    rows = np.array([(places[one.tracklet_id], places[other.tracklet_id]) for one, other in chosen])
    starts = range(0, len(rows), BATCH)
    batches = (rows[start : start + BATCH].T for start in starts)
    products = [np.einsum("ij,ij->i", vectors[ones], vectors[others]) for ones, others in batches]
    return Sample(np.concatenate(products).astype(np.float64), np.array([1 / sizes[key] for key in legs]))
