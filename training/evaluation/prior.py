"""What similarities of weights mean, measured on people they have not learnt from: their similarity prior."""

import math

import numpy as np

from training.evaluation.metrics import CosineGap, Labelled, cosine_gap
from wire.messages import SimilarityPrior

# People held out share their kind of pictures with those that were learnt from; a site does not. The shipped weights
# scatter by 0.13 on held-out people and by 0.20 on a generator setting they never saw: nothing below 0.2 is believed.
# Means stay as measured: how far those of a site will be off cannot be measured beforehand, and a mean that is too high
# for the same person costs a person seen twice, not two people taken for one.
LEAST_SCATTER = 0.2
_MOST = 2000  # queries that are compared: all pairs are compared at once


def gap_between(query: Labelled, gallery: Labelled) -> CosineGap:
    """Return the cosines of up to 2000 queries and up to 2000 gallery items of their people, across cameras."""
    rows = np.flatnonzero(np.isin(gallery.identities, query.identities[:_MOST]))[:_MOST]
    both = [(getattr(query, part)[:_MOST], getattr(gallery, part)[rows]) for part in ("identities", "cameras")]
    features = np.concatenate([query.features[:_MOST], gallery.features[rows]])
    return cosine_gap(Labelled(features, *map(np.concatenate, both)))


def prior_of(gap: CosineGap) -> SimilarityPrior | None:
    """Return the prior that measured cosines give; None where they do not tell people apart, or there are no pairs."""
    if not -1 <= gap.different < gap.same <= 1:  # not so for NaN either
        return None
    scatter = (min(1.0, max(LEAST_SCATTER, one)) for one in (gap.same_std, gap.different_std))
    same_std, different_std = (round(one, 4) for one in scatter)
    means = {"same_mean": round(gap.same, 4), "different_mean": round(gap.different, 4)}
    if math.isclose(*means.values()):
        return None
    return SimilarityPrior(**means, same_std=same_std, different_std=different_std)
