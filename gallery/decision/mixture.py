"""Separate similarities of the same and of different people without labels, by expectation-maximisation. Pure.

Most pairs of tracklets of a site show two people and some show one. The similarities of one person are taken as
normal, those of different people as two halves of normal distributions, the right one wider: some people are dressed
alike. As one normal distribution, its right end would be taken for pairs of one person, which are fewer the more people
there are. Prior knowledge of each counts as a number of additional pairs, so that a few pairs change little. The method
is that of N. Brümmer and D. Garcia-Romero, "Generative Modelling for Unsupervised Score Calibration", ICASSP 2014.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from wire.similarity import SimilarityPrior

BINS = 100  # equal parts of [-1, 1]
DIFFERENT_PAIRS = 50.0  # weight of the prior of different people, in pairs
SAME_PAIRS = 20.0  # weight of the prior of the same person, in pairs
ROUNDS = 30  # three digits have converged after 20
INITIAL_SHARE = 0.1  # of pairs that show the same person
SHARES = (0.002, 0.5)  # bounds of that share
SKEW = 1.2  # right to left half of the distribution of different people; with the shipped weights 1.1 to 1.35

Counts = NDArray[np.float64]

_CENTRES = (np.arange(BINS) + 0.5) * 2 / BINS - 1


class Scale(msgspec.Struct, frozen=True, array_like=True):
    """Means and variances of the similarities of different people and of the same person.

    `share` of the pairs show the same person; 0 if it is unknown.
    """

    different: float
    different_variance: float
    same: float
    same_variance: float
    share: float = 0.0


def counted(similarities: NDArray[np.float64]) -> Counts:
    """Return a histogram of similarities over [-1, 1], `(BINS,)`."""
    places = np.clip(((similarities + 1) / 2 * BINS).astype(np.int64), 0, BINS - 1)
    return np.bincount(places, minlength=BINS).astype(np.float64)


def squeezed(prior: SimilarityPrior, different: float, known: float = 1.0) -> tuple[float, float]:
    """Return the prior mean and variance of the same person's similarities, given the mean of different people's.

    On new cameras a network compresses all its similarities: distances between images of the same person and of
    different people shrink alike. But two people may just be dressed alike: then their likeness says nothing about one
    person's. `known`, in [0, 1], is how much of it is the network's doing.
    """
    shrunk = known * (different - prior.different_mean)
    squeeze = 1 - shrunk / (1 - prior.different_mean)
    return 1 - squeeze * (1 - prior.same_mean), (squeeze * prior.same_std) ** 2


def separated(counts: Counts, before: Scale, prior: SimilarityPrior, squeeze_known: float = 1.0) -> Scale:
    """Return the two distributions that best explain a histogram, given what was known before.

    `squeeze_known` is how much different people's likeness says about one person's, see `squeezed`.
    """
    total = float(counts.sum())
    median = float(np.interp(total / 2, np.cumsum(counts), _CENTRES))  # nearly all pairs show different people
    different = (total * median + DIFFERENT_PAIRS * before.different) / (total + DIFFERENT_PAIRS)
    start = squeezed(prior, different, squeeze_known)
    (same, same_variance), different_variance, share = start, before.different_variance, INITIAL_SHARE
    for _ in range(ROUNDS):
        odds = _log_normal(same, same_variance) - _log_skewed(different, different_variance)
        odds = np.clip(odds + math.log(share / (1 - share)), -50, 50)
        equal = np.where(different > _CENTRES, 0.0, counts / (1 + np.exp(-odds)))
        share = float(min(max((equal.sum() + 1) / (total + 10), SHARES[0]), SHARES[1]))
        same, same_variance = _normal(equal, SAME_PAIRS, start)
        known = before.different, before.different_variance
        different, different_variance = _normal(counts - equal, DIFFERENT_PAIRS, known)
    return Scale(different, different_variance, same, same_variance, share)


def exceeded(scale: Scale, similarity: float) -> float:
    """Return the share of pairs of different people that are at least as similar, in [0, 1]."""
    left, mode = _two_pieces(scale.different, scale.different_variance)
    spread = left if similarity < mode else SKEW * left
    tail = 0.5 * math.erfc((similarity - mode) / (spread * math.sqrt(2)))
    return 2 * (SKEW * tail if similarity >= mode else tail + (SKEW - 1) / 2) / (1 + SKEW)


def _log_normal(mean: float, variance: float) -> NDArray[np.float64]:
    density: NDArray[np.float64] = -0.5 * ((_CENTRES - mean) ** 2 / variance + math.log(variance))
    return density


def _log_skewed(mean: float, variance: float) -> NDArray[np.float64]:
    """Return the log density of two halves of normal distributions, of this mean and variance, without constants.

    S. John, "The three-parameter two-piece normal family of distributions", Communications in Statistics 11, 1982.
    """
    left, mode = _two_pieces(mean, variance)
    spread = np.where(mode > _CENTRES, left, SKEW * left)
    density: NDArray[np.float64] = -0.5 * (((_CENTRES - mode) / spread) ** 2) - math.log(left * (1 + SKEW) / 2)
    return density


def _two_pieces(mean: float, variance: float) -> tuple[float, float]:
    """Return the standard deviation of the left half, and where the halves meet."""
    excess = SKEW - 1
    left = math.sqrt(variance / ((1 - 2 / math.pi) * excess**2 + SKEW))
    return left, mean - math.sqrt(2 / math.pi) * excess * left


def _normal(weights: Counts, pairs: float, before: tuple[float, float]) -> tuple[float, float]:
    """Return mean and variance of weighted bins, with prior mean and variance counting as `pairs` more."""
    total = float(weights.sum()) + pairs
    mean = (float(weights @ _CENTRES) + pairs * before[0]) / total
    return mean, (float(weights @ (_CENTRES - mean) ** 2) + pairs * before[1]) / total
