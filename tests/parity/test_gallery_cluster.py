"""Clusters are those of comparing all of them anew after every union."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.decision.cluster import clusters
from tests.gallery_tools import unit


def clusters_by_hand(
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    legs: list[int],
    rivals: NDArray[np.bool_],
    least: float,
) -> list[int]:
    """Return the cluster of each member: the two most similar become one, the earlier pair of equal ones."""
    groups = {legs.index(leg): [place for place, other in enumerate(legs) if other == leg] for leg in legs}

    def mean(group: list[int]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = weights[group] @ vectors[group] / weights[group].sum()
        return found

    while True:
        pairs = [
            (round(float(mean(groups[a]) @ mean(groups[b])), 6), -a, -b)
            for a in groups
            for b in groups
            if a < b and not rivals[np.ix_(groups[a], groups[b])].any()
        ]
        best = max(pairs, default=(-np.inf, 0, 0))
        if best[0] < least:
            return [next(k for k, group in groups.items() if place in group) for place in range(len(legs))]
        groups[-best[1]] += groups.pop(-best[2])


@given(st.integers(0, 2**32), st.integers(2, 14), st.sampled_from([-np.inf, -0.2, 0.1, 0.4]))
def test_the_clusters_are_those_found_by_hand(seed: int, count: int, least: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.stack([unit(rng.normal(size=5)) for _ in range(count)])
    weights, legs = rng.uniform(0.1, 2, count), rng.integers(0, count, count).tolist()
    rivals = np.triu(rng.random((count, count)) < 0.1, 1)
    rivals |= rivals.T
    rivals &= np.array(legs)[:, None] != np.array(legs)

    found = clusters(vectors, weights, legs, rivals, least)

    assert found.tolist() == clusters_by_hand(vectors, weights, legs, rivals, max(least, -1.0))
