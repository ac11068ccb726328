"""How many people stay before a site's cameras, where these are few and always the same. Pure.

The people in sight of a camera that others pass are Poisson distributed, so their number varies by its mean. Where n
people stay, each in sight for a share f of the time, it is binomial, with mean n f and variance n f (1 - f): the ratio
of the two is 1 - f (Fano, "Ionization yield of radiations II", Physical Review 72, 1947), and n is the mean by f. This
rests on no likeness and on no decision, so that a wrong one cannot confirm itself: twenty people in uniform who were
taken for two once would else be two for ever.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

PERSON_PAIRS = 50.0  # pairs of people from which half of what can be learnt is known: some ten people
PASSING, STAYING = 0.4, 0.55  # of the time in sight: up to here people may be passing, from there on they stay
SHORT, LONG = 1.5, 3.0  # so many times as long as a track a camera is watched: up to here nothing is known, then all


@dataclass(frozen=True, slots=True)
class Presence:
    """Who was in sight of one camera.

    Attributes:
        tracklets: Their number.
        person_ns: The number of people in sight, integrated over time.
        square_ns: Its square, integrated over time.
        span_ns: From the first box to the last one.
    """

    tracklets: int
    person_ns: int
    square_ns: int
    span_ns: int

    @property
    def mean(self) -> float:
        """Return how many people are in sight on average."""
        return self.person_ns / self.span_ns

    @property
    def in_sight(self) -> float:
        """Return for what share of the time each of those who stay is in sight; 0 or less where they pass."""
        return 1 - (self.square_ns / self.person_ns - self.mean)

    @property
    def times_watched(self) -> float:
        """Return how many times as long as an average track the camera was watched."""
        return self.tracklets / self.mean


def staying(cameras: Sequence[Presence]) -> float:
    """Return how many people stay before the cameras, counting more where it is doubtful; infinity where people pass.

    Cameras with more tracklets count more, and several that see other people each are taken for ones that see the same.
    """
    seen = [camera for camera in cameras if camera.person_ns > 0]
    total = sum(camera.tracklets for camera in seen)
    if not total:
        return math.inf
    in_sight = math.fsum(camera.tracklets * camera.in_sight for camera in seen) / total
    watched = math.fsum(camera.tracklets * camera.times_watched for camera in seen) / total
    certainty = _between(in_sight, PASSING, STAYING) * _between(watched, SHORT, LONG)
    if not certainty:
        return math.inf
    most = max(camera.mean / camera.in_sight for camera in seen if camera.in_sight > PASSING / 2)
    return _people(person_pairs(most) / certainty)


def person_pairs(people: float) -> float:
    """Return how many pairs so many people make."""
    return max(0.0, people * (people - 1) / 2)


def trust(pairs: float) -> float:
    """Return how much of what pairs of people teach holds for others, too, in [0, 1]."""
    return 1.0 if math.isinf(pairs) else pairs / (pairs + PERSON_PAIRS)


def _people(pairs: float) -> float:
    """Return how many people make so many pairs."""
    return (1 + math.sqrt(1 + 8 * pairs)) / 2


def _between(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
