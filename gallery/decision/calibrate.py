"""Convert similarities to probabilities of being the same person, without labels.

Before any evidence, the prior that comes with the weights is used. Two people visible at the same time in the same
camera are certainly different, so the similarities of such pairs show how far apart this site's people lie in embedding
space. All other pairs of tracklets are a mixture of mostly different people and some matches; once there are enough of
them, `mixture` separates the two.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from gallery.decision.doubles import NO_DOUBLES, Doubles
from gallery.decision.mixture import BINS, Counts, Scale, counted, separated, squeezed
from gallery.decision.staying import person_pairs, trust
from wire.similarity import SimilarityPrior

MAX_PAIRS = 400.0  # effective number of certain pairs; older ones fade, to adapt to new lighting and clothes
PRIOR_PAIRS = 20.0  # weight of the prior's standard deviation, in pairs: a few pairs estimate it poorly
PRIOR_MEAN_PAIRS = 3.0  # weight of its mean, in pairs: means of sites differ by many times the spread within one
MAX_UNLABELLED = 10_000.0  # effective number of unlabelled pairs
EACH_PAIR = 4.0  # pairs of tracklets that count of each pair of people: more of the same two say nothing new
MAX_LOGIT = 8.0  # P = 0.9997; no similarity proves identity


# For weights without a prior of their own. Measured with the shipped weights: cosine similarities of tracklets of one
# person are 0.72 +- 0.13 on generated people held out from training, 0.49 +- 0.20 on an unseen generator setting, and
# 0.62 on four real cameras; those of different people are 0.00 +- 0.20. 0.58 is a compromise, since future cameras
# differ from the training data; against several prototypes, as compared here, a standard deviation of 0.21 fits better.
DEFAULT_PRIOR = SimilarityPrior(same_mean=0.58, same_std=0.21, different_mean=0.0, different_std=0.21)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a site's similarities mean, as far as known; immutable.

    Attributes:
        prior: Distribution of `compare.similarity` that comes with the weights.
        pairs: Weight of the certain negative pairs observed, at most `MAX_PAIRS`.
        mean, variance: Statistics of their similarities.
        unlabelled: Histogram of the similarities of other pairs, as returned by `mixture.counted`.
        fit: The two distributions fitted to that histogram when it last changed.
        doubles: How often strangers look as alike as one person, whatever the distributions say.
    """

    prior: SimilarityPrior
    pairs: float = 0.0
    mean: float = 0.0
    variance: float = 0.0
    unlabelled: tuple[float, ...] = ()
    fit: Scale | None = None
    doubles: Doubles = NO_DOUBLES

    def observe(self, similarities: Sequence[float]) -> "Calibration":
        """Return the calibration updated with similarities of people known to be different."""
        pairs, mean, variance = self.pairs, self.mean, self.variance
        for similarity in similarities:
            pairs = min(pairs + 1.0, MAX_PAIRS)
            delta = similarity - mean
            mean += delta / pairs
            variance += (delta * (similarity - mean) - variance) / pairs
        return replace(self, pairs=pairs, mean=mean, variance=variance)

    def observe_unlabelled(self, similarities: NDArray[np.float64], people: float = math.inf) -> "Calibration":
        """Return the calibration updated with similarities of pairs that may or may not be the same person.

        Args:
            people: How many people they are of; few say little about others, however many pairs they make.
        """
        counts = counted(similarities)
        if self.unlabelled:
            counts += np.array(self.unlabelled)
        if not len(similarities):
            return self
        return self._fitted(counts * min(1.0, MAX_UNLABELLED / counts.sum()), people)

    def observe_instead(self, similarities: NDArray[np.float64], people: float = math.inf) -> "Calibration":
        """Return the calibration with these unlabelled pairs instead of the earlier ones, unless those are more."""
        more = len(similarities) >= max(1.0, sum(self.unlabelled))
        return self._fitted(counted(similarities), people) if more else self

    def observe_strangers(self, similarities: Sequence[float]) -> "Calibration":
        """Return the calibration updated with how similar tracklets are to people seen beside them to the end."""
        return replace(self, doubles=self.doubles.observe([self.logit(similarity) for similarity in similarities]))

    def _fitted(self, counts: Counts, people: float) -> "Calibration":
        pairs = person_pairs(people)
        known = trust(pairs)
        evidence = counts * min(1.0, max(1.0, EACH_PAIR * pairs) / counts.sum())
        fit = separated(evidence, self._before(known), self.prior, known)
        return replace(self, unlabelled=tuple(counts.tolist()), fit=fit)

    def logit(self, similarity: float) -> float:
        """Return log P(same) / P(different) for a similarity, with equal priors; increases with the similarity.

        Both distributions are taken as normal with a common variance, so the logit is linear (linear discriminant).
        """
        slope, middle = self._line()
        return max(-MAX_LOGIT, min(MAX_LOGIT, slope * (similarity - middle)))

    def similarity(self, logit: float) -> float:
        """Return the lowest similarity for which `logit` is at least this value; -inf when it always is."""
        slope, middle = self._line()
        return -math.inf if logit <= -MAX_LOGIT or slope <= 0 else middle + logit / slope

    @property
    def slope(self) -> float:
        """Return by how much a similarity of 1 more raises the logit, before it is bounded."""
        return self._line()[0]

    @property
    def scale(self) -> Scale:
        """Return the two distributions in use: the fitted ones, or those before any unlabelled pair."""
        return self.fit or self._before()

    @property
    def people(self) -> float:
        """Return how many people the unlabelled pairs look like: with n, each seen as often, 1 / n of them are equal.

        However many pieces each of them is in; infinite before any pair was learnt from.
        """
        return 1 / self.scale.share if self.scale.share else math.inf

    def _line(self) -> tuple[float, float]:
        scale = self.scale
        common = (scale.different_variance + scale.same_variance) / 2
        return (scale.same - scale.different) / common, (scale.same + scale.different) / 2

    def _before(self, squeeze_known: float = 1.0) -> Scale:
        """Return the distributions according to the prior and the certain pairs, as `squeezed` reads these."""
        prior = self.prior
        shift = self.pairs / (self.pairs + PRIOR_MEAN_PAIRS)
        spread = self.pairs / (self.pairs + PRIOR_PAIRS)
        different = (1 - shift) * prior.different_mean + shift * self.mean
        squeeze = (1 - different) / (1 - prior.different_mean)
        variance = (1 - spread) * (squeeze * prior.different_std) ** 2 + spread * self.variance
        return Scale(different, variance, *squeezed(prior, different, squeeze_known))


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    prior: SimilarityPrior
    pairs: float
    mean: float
    variance: float
    unlabelled: tuple[float, ...] = ()
    fit: Scale | None = None
    doubles: Doubles = NO_DOUBLES


def encode(calibrations: Mapping[str, Calibration]) -> bytes:
    """Serialise the calibrations of all models, by `model_id`."""
    stored = {
        model: _Stored(one.prior, one.pairs, one.mean, one.variance, one.unlabelled, one.fit, one.doubles)
        for model, one in calibrations.items()
    }
    return msgspec.msgpack.encode(stored, order="deterministic")


def decode(data: bytes) -> dict[str, Calibration]:
    """Return the calibrations that `encode` serialised; empty for another version's data, as a site relearns them."""
    try:
        stored = msgspec.msgpack.decode(data, type=dict[str, _Stored]) if data else {}
    except msgspec.MsgspecError:
        return {}
    return {
        model: Calibration(
            one.prior, one.pairs, one.mean, one.variance, _histogram(one.unlabelled), one.fit, one.doubles
        )
        for model, one in stored.items()
    }


def _histogram(unlabelled: tuple[float, ...]) -> tuple[float, ...]:
    """Return a stored histogram; empty if it has other bins."""
    return unlabelled if len(unlabelled) == BINS else ()


def probability(logit: float) -> float:
    """Return the probability that corresponds to a logit."""
    return 1.0 / (1.0 + math.exp(-logit))
