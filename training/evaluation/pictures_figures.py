"""The numbers behind the pictures: where errors are equal, a plane of features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_IDENTITIES = 30  # on a map: more cannot be told apart by colour
_OF_EACH = 20  # items of one identity on a map


@dataclass(frozen=True, slots=True)
class EqualError:
    """Where as many pairs of one identity are below as pairs of two are not.

    Attributes:
        threshold: Cosine from which on a pair counts as one identity.
        rate: Share of either kind that is then wrong, 0 to 1; the mean of both where none is exactly equal.
    """

    threshold: float
    rate: float


def equal_error(same: NDArray[np.float32], different: NDArray[np.float32]) -> EqualError:
    """Return the threshold with equal errors for cosines `(n,)` of pairs of one identity and `(m,)` of two.

    Raises:
        ValueError: There are no pairs of one kind, or a cosine is not finite.
    """
    for name, cosines in (("one identity", same), ("two identities", different)):
        if not len(cosines) or not np.isfinite(cosines).all():
            raise ValueError(f"cosines of pairs of {name} must be there and finite, got {len(cosines)}")
    thresholds = np.unique(np.concatenate([same, different]))
    missed = np.searchsorted(np.sort(same), thresholds) / len(same)
    confused = 1 - np.searchsorted(np.sort(different), thresholds) / len(different)
    here = int(np.abs(missed - confused).argmin())
    # Down to the next lower cosine every threshold has the same errors: the middle is the safest.
    middle = (float(thresholds[max(here - 1, 0)]) + float(thresholds[here])) / 2
    return EqualError(middle, float(missed[here] + confused[here]) / 2)


def map_rows(identities: NDArray[np.int64], *, seed: int = 0) -> NDArray[np.int64]:
    """Return the rows of 30 identities at most, and 20 of each, drawn from those not below 0, ascending.

    Raises:
        ValueError: Fewer than four rows are left.
    """
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.unique(identities[identities >= 0]))[:_IDENTITIES]
    chosen = [rng.permutation(np.flatnonzero(identities == person))[:_OF_EACH] for person in people]
    rows = np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))
    if len(rows) < 4:
        raise ValueError(f"a map needs four items of known identities at least, got {len(rows)}")
    return rows


def flat(features: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.float64]:
    """Place features `(n, dim)` on a plane, `(n, 2)`, by t-SNE (van der Maaten and Hinton 2008)."""
    from sklearn.manifold import TSNE

    tsne = TSNE(perplexity=min(12, (len(features) - 1) / 3), init="pca", learning_rate="auto", random_state=seed)
    return np.asarray(tsne.fit_transform(features), np.float64)
