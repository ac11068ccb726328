"""What a person can best be asked about: people who may be one, and tracklets that may show somebody else. Pure.

Strangers may look alike, so among many people even the clearest match is far from sure. Asking about every match would
not help, since there are too many; the queue asks about those that their own looks leave in doubt.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gallery.store.store import StoredTracklet
from gallery.store.why import Why

WORTH = 0.05  # an answer that changes nothing 19 times in 20 is not worth the time of whoever is asked
CERTAIN = 1e-6  # probabilities are kept this far from 0 and 1, whose log odds are infinite
OPEN = ("unlikely", "other_fits_better")  # what excludes a person without ruling out that it is the same one


@dataclass(frozen=True, slots=True)
class Pair:
    """Two identities, the lower number first, and the highest probability that a tracklet of one shows the other.

    Attributes:
        least: Probability that a match needed.
        track: That tracklet.
    """

    one: int
    other: int
    probability: float
    least: float
    track: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A tracklet that was given to an identity with little to spare, and who else it may be."""

    track: str
    number: int
    probability: float
    least: float
    other: int | None


def pairs_of(
    rows: Iterable[StoredTracklet],
    whys: Mapping[str, Why],
    present: Mapping[int, int],
    different: frozenset[tuple[int, int]],
) -> list[Pair]:
    """Return the pairs that may well be one person, those nearest to what a match needs first.

    Args:
        present: Present number of each identity of a decision; identities that are gone or hidden are missing.
        different: Pairs that people said are two, the lower number first.
    """
    best: dict[tuple[int, int], Pair] = {}
    apart = set(different)
    for row in rows:
        why, number = whys.get(row.tracklet.tracklet_id), row.identity_id
        if why is None or number not in present.values():
            continue
        for candidate in why.candidates:
            other = present.get(candidate.number)
            if other is None or number is None or other == number:
                continue
            key = min(number, other), max(number, other)
            if candidate.excluded not in OPEN:
                apart.add(key)
            elif key not in best or best[key].probability < candidate.probability:
                best[key] = Pair(*key, candidate.probability, why.least, row.tracklet.tracklet_id)
    found = [pair for key, pair in best.items() if key not in apart and pair.probability >= WORTH]
    return sorted(found, key=lambda pair: (_distance(pair.probability, pair.least), pair.one, pair.other))


def doubts_of(rows: Sequence[StoredTracklet], whys: Mapping[str, Why], present: Mapping[int, int]) -> list[Doubt]:
    """Return the tracklets given to somebody whom they may not show, the most doubtful first.

    Those are left out that are about as sure as the clearest match could be, see `Why.most`.
    """
    found = []
    for row in rows:
        why = whys.get(row.tracklet.tracklet_id)
        if why is None or row.identity_id is None or present.get(why.number) != row.identity_id:
            continue
        own = next((one for one in why.candidates if not one.excluded), None)
        if own is None or own.probability > why.most * (1 - WORTH):  # it was nobody known, or surely that one
            continue
        others = (present.get(one.number) for one in why.candidates if one.excluded in OPEN)
        other = next((number for number in others if number not in {None, row.identity_id}), None)
        found.append(Doubt(row.tracklet.tracklet_id, row.identity_id, own.probability, why.least, other))
    return sorted(found, key=lambda doubt: (_distance(doubt.probability, doubt.least), doubt.track))


def _distance(probability: float, least: float) -> float:
    """Return how far a probability is from what a match needs, in log odds."""
    return abs(_log_odds(probability) - _log_odds(least))


def _log_odds(probability: float) -> float:
    inside = min(max(probability, CERTAIN), 1 - CERTAIN)
    return math.log(inside / (1 - inside))
