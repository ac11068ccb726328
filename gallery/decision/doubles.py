"""How often strangers look as alike as one person, learnt without labels from people seen at once. Pure.

Log odds come from two normal distributions, which take it for impossible that two people are very similar. Some are:
colleagues in one uniform, relatives, anybody in a dark coat from behind. So a share of all strangers is taken to look
like one person, whatever the similarity. A likelihood ratio is then at most one by that share, and with n other people
nothing that is seen makes a match surer than 1 / (1 + n * share). Some of these others are not known yet: when few are,
most of those who come are somebody new.

People whom one camera saw at once are certain strangers. How many of them look like one person is estimated from how
well either kind of stranger explains each of them, in the order in which they came: O. Cappé and E. Moulines, "On-line
expectation-maximization algorithm for latent data models", Journal of the Royal Statistical Society B 71, 2009.
"""

import math
from collections.abc import Sequence

import msgspec

USUAL_SHARE = 0.0075  # of strangers who look like one person; suits the shipped weights on generated people
UNSEEN = 4  # people who are not known yet and may be the one seen; suits the same sites
USUAL_PAIRS = 100.0  # weight of that share, in pairs
MAX_PAIRS = 400.0  # effective number of pairs; older ones fade, as clothes and light change


class Doubles(msgspec.Struct, frozen=True, array_like=True):
    """How many pairs of certain strangers were compared, and how many of them looked like one person; both fade."""

    pairs: float = 0.0
    alike: float = 0.0

    @property
    def share(self) -> float:
        """Return the share of strangers who look like one person, in (0, 1)."""
        return (self.alike + USUAL_SHARE * USUAL_PAIRS) / (self.pairs + USUAL_PAIRS)

    def observe(self, logits: Sequence[float]) -> "Doubles":
        """Return the numbers after further pairs of strangers, given their log odds of being one person.

        All are judged by the share of before, so that the order within a window does not matter.
        """
        if not logits:
            return self
        share = self.share
        alike = self.alike + math.fsum(share / (share + (1 - share) * math.exp(-logit)) for logit in logits)
        pairs = self.pairs + len(logits)
        kept = min(1.0, MAX_PAIRS / pairs)
        return Doubles(pairs * kept, alike * kept)

    def likely(self, logit: float, others: int, weight: float = 1.0) -> float:
        """Return the probability of a match, given what the two distributions say, and how many others are known.

        `weight` is how much likelier each of these was to begin with.
        """
        share = self.share
        return 1 / (1 + weight * (max(0, others) + UNSEEN) * (share + (1 - share) * math.exp(-logit)))


NO_DOUBLES = Doubles()
