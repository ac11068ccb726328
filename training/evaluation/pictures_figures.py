"""Compute the numbers behind the pictures: the equal error rate, and a planar embedding of features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_IDENTITIES = 30  # on a map: more cannot be distinguished by colour
_OF_EACH = 20  # items per identity on a map


@dataclass(frozen=True, slots=True)
class EqualError:
    """The equal error point of a verification threshold.

    Attributes:
        threshold: Cosine from which a pair is accepted as the same identity.
        rate: Error rate of both kinds at that threshold, 0 to 1; their mean if no threshold makes them equal.
    """

    threshold: float
    rate: float


def equal_error(same: NDArray[np.float32], different: NDArray[np.float32]) -> EqualError:
    """Return the equal error point for the cosines `(n,)` of same-identity and `(m,)` of different-identity pairs.

    Raises:
        ValueError: There are no pairs of one kind, or a cosine is not finite.
    """
    for name, cosines in (("the same identity", same), ("different identities", different)):
        if not len(cosines) or not np.isfinite(cosines).all():
            raise ValueError(f"cosines of pairs of {name} must be finite and at least one, got {len(cosines)}")
    thresholds = np.unique(np.concatenate([same, different]))
    missed = np.searchsorted(np.sort(same), thresholds) / len(same)
    confused = 1 - np.searchsorted(np.sort(different), thresholds) / len(different)
    here = int(np.abs(missed - confused).argmin())
    # Every threshold down to the next lower cosine has the same errors: the middle is the most robust.
    middle = (float(thresholds[max(here - 1, 0)]) + float(thresholds[here])) / 2
    return EqualError(middle, float(missed[here] + confused[here]) / 2)


def map_rows(identities: NDArray[np.int64], *, seed: int = 0) -> NDArray[np.int64]:
    """Sample rows of at most 30 identities with at most 20 rows each, ignoring identities below 0; ascending.

    Raises:
        ValueError: Fewer than four rows remain.
    """
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.unique(identities[identities >= 0]))[:_IDENTITIES]
    chosen = [rng.permutation(np.flatnonzero(identities == person))[:_OF_EACH] for person in people]
    rows = np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))
    if len(rows) < 4:
        raise ValueError(f"a map needs at least four items of known identities, got {len(rows)}")
    return rows


def flat(features: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.float64]:
    """Place features `(n, dim)` on a plane, `(n, 2)`, by t-SNE (van der Maaten and Hinton 2008)."""
    from sklearn.manifold import TSNE

    tsne = TSNE(perplexity=min(12, (len(features) - 1) / 3), init="pca", learning_rate="auto", random_state=seed)
    return np.asarray(tsne.fit_transform(features), np.float64)
