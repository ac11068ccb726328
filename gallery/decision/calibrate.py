"""From a similarity to the probability of being the same person, without labels.

Two people visible at the same time in the same camera are certainly different: how similar such pairs are tells how
far apart this site's people lie in the space of the embedding. A network on new cameras squeezes all its similarities
together; distances between same and different people shrink alike. So the prior of the weights says how the distances
between images of one person relate to those between different people, and the site says how large the latter are.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from wire.messages import SimilarityPrior

MEMORY = 400.0  # pairs that count; older ones fade, so that new light and clothes are followed
PRIOR_PAIRS = 20.0  # pairs that the prior's scatter is worth: few pairs of a site tell little about it
PRIOR_MEAN_PAIRS = 3.0  # pairs that its mean is worth: sites differ by many times their own spread
MAX_LOGIT = 8.0  # P = 0.9997; no similarity is proof


# What is assumed of weights that do not say. These are the shipped weights' numbers: cosines of tracklets of one person
# are 0.72 +- 0.13 on generated people held out from their training, 0.49 +- 0.20 on a generator setting they never saw,
# and 0.62 on four real cameras; those of different people are 0.00 +- 0.20. 0.58 lies between, since cameras to come
# differ from what was learnt; against several prototypes, which is what is compared, a scatter of 0.21 fits better.
ASSUMED = SimilarityPrior(same_mean=0.58, same_std=0.21, different_mean=0.0, different_std=0.21)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is known so far; `observe` and `logit` are pure.

    Attributes:
        prior: What the weights say of `compare.similarity`.
        pairs: Weight of the certain negatives seen, at most `MEMORY`.
        mean, variance: Of their similarities.
    """

    prior: SimilarityPrior
    pairs: float = 0.0
    mean: float = 0.0
    variance: float = 0.0

    def observe(self, similarities: Sequence[float]) -> "Calibration":
        """Return the calibration after more similarities of certainly different people."""
        pairs, mean, variance = self.pairs, self.mean, self.variance
        for similarity in similarities:
            pairs = min(pairs + 1.0, MEMORY)
            delta = similarity - mean
            mean += delta / pairs
            variance += (delta * (similarity - mean) - variance) / pairs
        return Calibration(self.prior, pairs, mean, variance)

    def logit(self, similarity: float) -> float:
        """Return log P(same) / P(different) of a similarity, both equally likely before; grows with it.

        Both kinds are taken as normal with one common variance, so the logit is a line (linear discriminant).
        """
        slope, middle = self._line()
        return max(-MAX_LOGIT, min(MAX_LOGIT, slope * (similarity - middle)))

    def similarity(self, logit: float) -> float:
        """Return from which similarity on `logit` gives at least this much; -inf when all do."""
        slope, middle = self._line()
        return -math.inf if logit <= -MAX_LOGIT or slope <= 0 else middle + logit / slope

    def _line(self) -> tuple[float, float]:
        prior = self.prior
        shift = self.pairs / (self.pairs + PRIOR_MEAN_PAIRS)
        trust = self.pairs / (self.pairs + PRIOR_PAIRS)
        different = (1 - shift) * prior.different_mean + shift * self.mean
        squeeze = (1 - different) / (1 - prior.different_mean)
        same = 1 - squeeze * (1 - prior.same_mean)
        variance = (1 - trust) * (squeeze * prior.different_std) ** 2 + trust * self.variance
        common = (variance + (squeeze * prior.same_std) ** 2) / 2
        return (same - different) / common, (same + different) / 2


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    prior: SimilarityPrior
    pairs: float
    mean: float
    variance: float


def encode(calibrations: Mapping[str, Calibration]) -> bytes:
    """Return the bytes to store of the calibrations of all models, by `model_id`."""
    stored = {model: _Stored(one.prior, one.pairs, one.mean, one.variance) for model, one in calibrations.items()}
    return msgspec.msgpack.encode(stored, order="deterministic")


def decode(data: bytes) -> dict[str, Calibration]:
    """Return the calibrations of `encode`; none of what an earlier version wrote, since a site teaches them anew."""
    try:
        stored = msgspec.msgpack.decode(data, type=dict[str, _Stored]) if data else {}
    except msgspec.MsgspecError:
        return {}
    return {model: Calibration(one.prior, one.pairs, one.mean, one.variance) for model, one in stored.items()}


def probability(logit: float) -> float:
    """Return the probability of a logit."""
    return 1.0 / (1.0 + math.exp(-logit))
