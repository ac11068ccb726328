"""How often a stated probability is wrong: for pairs that are certain, and for matches held against the truth. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10  # equal parts of [0, 1]
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
FEWEST = 20  # pairs from which on a share says something
NORMAL_95 = 1.96  # standard deviations
ERRORS = 2.0  # standard errors by which a share must be too high before it counts as such

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Level:
    """How often something wrong is stated with at least some probability.

    Attributes:
        stated: The probability.
        share: Fraction of the pairs for which the wrong answer was stated with at least this probability.
        at_most: The largest fraction that calibrated probabilities can have, as `allowed` returns it.
        too_sure: Whether the fraction is clearly above that.
    """

    stated: float
    share: float
    at_most: float
    too_sure: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """The probabilities stated for pairs whose answer is certain.

    Attributes:
        pairs: Their number.
        bins: Fraction of them in each of ten equal parts of [0, 1], by the stated probability of one person.
        levels: How often the wrong answer was stated, and how surely.
    """

    pairs: int
    bins: tuple[float, ...]
    levels: tuple[Level, ...]

    @property
    def too_sure(self) -> bool:
        """Return whether a wrong answer is stated too surely too often."""
        return any(level.too_sure for level in self.levels)


@dataclass(frozen=True, slots=True)
class Bin:
    """Matches whose stated probabilities lie in one of ten equal parts of [0, 1].

    Attributes:
        matches: Their number.
        stated: Mean of their probabilities; None without matches.
        right: Fraction of them that were right; None without matches.
    """

    matches: int
    stated: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """Stated probabilities of matches, and whether they were right.

    Attributes:
        bins: Ten equal parts of [0, 1].
        matches: How many there are.
        wrong: How many were wrong.
        expected_wrong: How many would be wrong according to the stated probabilities.
        error: Expected calibration error: the mean over all matches of the distance between the mean stated
            probability and the fraction that was right, in their bin. None without matches.
    """

    bins: tuple[Bin, ...]
    matches: int
    wrong: int
    expected_wrong: float
    error: float | None

    @property
    def wrong_range(self) -> tuple[float, float]:
        """Return the 95 % interval of the fraction of wrong matches (Wilson 1927), as if matches were independent."""
        if not self.matches:
            return 0.0, 1.0
        share, more = self.wrong / self.matches, NORMAL_95**2 / self.matches
        middle = (share + more / 2) / (1 + more)
        half = math.sqrt(share * (1 - share) * more + more**2 / 4) / (1 + more)
        return max(0.0, middle - half), min(1.0, middle + half)


def curve(same: Values, weights: Values, *, is_same: bool) -> Curve:
    """Return the curve of certain pairs.

    Args:
        same: `(n,)` stated probabilities of being one person, with equal chances beforehand.
        weights: `(n,)` weights of the pairs; their sum is the number of pairs.
        is_same: Whether all pairs are one person; otherwise all are two.
    """
    total = float(weights.sum())
    if not total:
        return Curve(0, (0.0,) * BINS, ())
    bins = np.bincount(_places(same), weights, BINS) / total
    wrong = 1 - same if is_same else same
    shares = [float(weights[wrong >= stated].sum()) / total for stated in LEVELS]
    levels = [_level(stated, share, total) for stated, share in zip(LEVELS, shares, strict=True)]
    return Curve(round(total), tuple(bins.tolist()), tuple(levels))


def allowed(stated: float) -> float:
    """Return the largest fraction of pairs for which calibrated probabilities are wrong and at least so sure.

    With equal chances beforehand, pairs for which the wrong answer is stated so surely are at least
    `stated / (1 - stated)` times rarer, as a fraction of all pairs of their kind, than pairs for which the same answer
    is right; and that fraction is at most 1.
    """
    return (1 - stated) / stated


def _level(stated: float, share: float, pairs: float) -> Level:
    at_most = allowed(stated)
    clearly_more = at_most + ERRORS * float(np.sqrt(at_most * (1 - at_most) / pairs))
    return Level(stated, share, at_most, too_sure=pairs >= FEWEST and share > clearly_more)


def reliability(stated: Sequence[float], right: Sequence[bool]) -> Reliability:
    """Return the reliability of matches, given their stated probabilities and whether they were right."""
    likely, good = np.array(stated, np.float64), np.array(right, np.bool_)
    places = _places(likely)
    chosen = [places == place for place in range(BINS)]
    bins = tuple(
        Bin(int(rows.sum()), float(likely[rows].mean()), float(good[rows].mean())) if rows.any() else Bin(0, None, None)
        for rows in chosen
    )
    gaps = [abs(float(likely[rows].sum()) - int(good[rows].sum())) for rows in chosen]
    return Reliability(
        bins=bins,
        matches=len(likely),
        wrong=int((~good).sum()),
        expected_wrong=float((1 - likely).sum()),
        error=sum(gaps) / len(likely) if len(likely) else None,
    )


def _places(likely: Values) -> NDArray[np.int64]:
    """Return the bin of each probability."""
    return np.clip((likely * BINS).astype(np.int64), 0, BINS - 1)
