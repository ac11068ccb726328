"""From a similarity to the probability of being the same person, without labels.

Two people visible at the same time in the same camera are certainly different: how similar such pairs are tells how
far apart this site's people lie in the space of the embedding. A network on new cameras squeezes all its similarities
together; distances between same and different people shrink alike. So the card of the weights says how the distances
of equal people relate to those of different ones, and the site says how large the latter are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

MEMORY = 400.0  # pairs that count; older ones fade, so that new light and clothes are followed
PRIOR_PAIRS = 20.0  # pairs that the card's spread is worth: few pairs of a site tell little about it
PRIOR_MEAN_PAIRS = 3.0  # pairs that its mean is worth: sites differ by many times their own spread
MAX_LOGIT = 8.0  # P = 0.9997; no similarity is proof


@dataclass(frozen=True, slots=True)
class Card:
    """How similar tracklets of equal and of different people are under some weights.

    The defaults are those of the shipped weights. Cosines of pairs of tracklets of one person are 0.72 +- 0.13 on
    generated people held out from their training, 0.49 +- 0.20 on a generator setting they never saw, 0.62 on four real
    cameras: 0.58 is between, because cameras to come differ from what was learnt. Of different people they are 0.00 +-
    0.20; of a tracklet and several prototypes, which is what is compared, 0.21 scatter fits better. Other weights come
    with other numbers, see `GallerySettings`.

    Attributes:
        same_mean, same_std, different_mean, different_std: Of the similarity `compare.similarity`, in [-1, 1].
    """

    same_mean: float = 0.58
    same_std: float = 0.21
    different_mean: float = 0.0
    different_std: float = 0.21


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is known so far; `observe` and `logit` are pure.

    Attributes:
        pairs: Weight of the certain negatives seen, at most `MEMORY`.
        mean, variance: Of their similarities.
    """

    card: Card
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
        return Calibration(self.card, pairs, mean, variance)

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
        card = self.card
        shift = self.pairs / (self.pairs + PRIOR_MEAN_PAIRS)
        trust = self.pairs / (self.pairs + PRIOR_PAIRS)
        different = (1 - shift) * card.different_mean + shift * self.mean
        squeeze = (1 - different) / (1 - card.different_mean)
        same = 1 - squeeze * (1 - card.same_mean)
        variance = (1 - trust) * (squeeze * card.different_std) ** 2 + trust * self.variance
        common = (variance + (squeeze * card.same_std) ** 2) / 2
        return (same - different) / common, (same + different) / 2

    def encode(self) -> bytes:
        """Return the bytes to store; the card is not part of them, it comes with the weights."""
        return msgspec.msgpack.encode((self.pairs, self.mean, self.variance))


def decode(data: bytes, card: Card) -> Calibration:
    """Return the calibration of `Calibration.encode`; of nothing, a fresh one."""
    if not data:
        return Calibration(card)
    pairs, mean, variance = msgspec.msgpack.decode(data, type=tuple[float, float, float])
    return Calibration(card, pairs, mean, variance)


def probability(logit: float) -> float:
    """Return the probability of a logit."""
    return 1.0 / (1.0 + math.exp(-logit))
