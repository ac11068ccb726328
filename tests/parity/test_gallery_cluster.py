"""Clusters are those of comparing all of them anew after every union."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.decision.cluster import Besides, clusters, clusters_in_turn
from tests.gallery_tools import axis, unit


def clusters_by_hand(
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    legs: list[int],
    rivals: NDArray[np.bool_],
    least: float,
    besides: Besides,
) -> list[int]:
    """Return the cluster of each member: the two most similar become one, the earlier pair of equal ones."""
    groups = {legs.index(leg): [place for place, other in enumerate(legs) if other == leg] for leg in legs}

    def mean(group: list[int]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = weights[group] @ vectors[group] / weights[group].sum()
        return found

    def similarity(one: list[int], other: list[int]) -> float:
        shares = [weights[group] / weights[group].sum() for group in (one, other)]
        both = np.ix_(one, other)
        added = shares[0] @ besides.means[both] @ shares[1]
        known = min(besides.most, max(-besides.most, besides.sums[both].sum()))
        return round(float(mean(one) @ mean(other) + added + known), 6)

    while True:
        pairs = [
            (similarity(groups[a], groups[b]), -a, -b)
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

    means, sums = (rng.normal(size=(2, count, count)) * (rng.random((2, count, count)) < 0.3)) / 8
    besides = Besides(means + means.T, sums + sums.T, 0.2)

    found = clusters(vectors, weights, legs, rivals, least, besides)

    assert found.tolist() == clusters_by_hand(vectors, weights, legs, rivals, max(least, -1.0), besides)


@given(st.integers(0, 2**32), st.integers(2, 14))
def test_whoever_is_known_changes_nothing_about_who_is_one_person_today(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.stack([unit(rng.normal(size=5)) for _ in range(count)])
    weights, later = rng.uniform(0.1, 2, count), rng.random(count) < 0.4
    later[0] = False
    legs, nobody = list(range(count)), np.zeros((count, count), np.bool_)

    both = clusters_in_turn(vectors, weights, legs, nobody, later, 0.3)

    today = np.flatnonzero(~later)
    alone = clusters(vectors[today], weights[today], legs[: len(today)], np.zeros((len(today),) * 2, np.bool_), 0.3)
    assert np.array_equal(both[today][:, None] == both[today], alone[:, None] == alone)


def test_somebody_known_who_is_like_two_people_joins_the_one_that_is_more_like() -> None:
    mixed = unit(0.75 * axis(0) + 0.66 * axis(1))
    vectors, weights = np.stack([mixed, axis(0), axis(1)]).astype(np.float64), np.array([9.0, 1.0, 1.0])
    given = vectors, weights, [0, 1, 2], np.zeros((3, 3), np.bool_)

    assert clusters(*given, 0.5).tolist() == [0, 0, 0]
    assert clusters_in_turn(*given, np.array([True, False, False]), 0.5).tolist() == [0, 0, 2]
