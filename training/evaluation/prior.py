"""Measure the similarity prior of weights: how similar the same and different people are, on unseen people."""

import math

import numpy as np

from training.evaluation.metrics import CosineGap, Labelled, cosine_gap
from wire.similarity import SimilarityPrior

# Held-out people come from the same kind of pictures as the training set; a site does not. The shipped weights have a
# deviation of 0.13 on held-out people and of 0.20 on a generator setting they never saw, so nothing below 0.2 is
# trusted. Means are kept as measured: how far those of a site deviate cannot be known beforehand, and a mean for the
# same person that is too high splits one person in two rather than merging two people.
LEAST_SCATTER = 0.2
_MOST = 2000  # queries compared, since all pairs are computed at once


def gap_between(query: Labelled, gallery: Labelled) -> CosineGap:
    """Return the cross-camera cosine statistics of up to 2000 queries and 2000 gallery items of their people."""
    rows = np.flatnonzero(np.isin(gallery.identities, query.identities[:_MOST]))[:_MOST]
    both = [(getattr(query, part)[:_MOST], getattr(gallery, part)[rows]) for part in ("identities", "cameras")]
    features = np.concatenate([query.features[:_MOST], gallery.features[rows]])
    return cosine_gap(Labelled(features, *map(np.concatenate, both)))


def prior_of(gap: CosineGap) -> SimilarityPrior | None:
    """Return the prior for measured cosines; None if they do not separate people, or there are no pairs."""
    if not -1 <= gap.different < gap.same <= 1:  # also rejects NaN
        return None
    scatter = (min(1.0, max(LEAST_SCATTER, one)) for one in (gap.same_std, gap.different_std))
    same_std, different_std = (round(one, 4) for one in scatter)
    means = {"same_mean": round(gap.same, 4), "different_mean": round(gap.different, 4)}
    if math.isclose(*means.values()):
        return None
    return SimilarityPrior(**means, same_std=same_std, different_std=different_std)
