"""Re-ranking with lists and sparse rows against one that follows the paper's words with sets, item by item."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.evaluation import metrics, rerank
from training.evaluation.rerank import reranked


def clustered(rows: int, people: int, seed: int, dim: int = 8) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(people, dim))[rng.integers(people, size=rows)] + 0.5 * rng.normal(size=(rows, dim))
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float32)


def reciprocal(order: NDArray[np.int64], item: int, k: int) -> set[int]:
    """Return R(p, k): who is among the k nearest of `item` and has it among their own; an item is its own nearest."""
    return {int(j) for j in order[item, : k + 1] if item in order[j, : k + 1]}


def slow_distances(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], k1: int, k2: int, weight: float
) -> NDArray[np.float64]:
    """Return final distances `(q, g)` by dense matrices and sets."""
    every = np.concatenate([queries, gallery]).astype(np.float64)
    distances = ((every[:, None] - every[None]) ** 2).sum(axis=-1)
    order = np.argsort(distances, axis=1, kind="stable")
    distances /= distances.max(axis=1, keepdims=True)
    encoded = np.zeros_like(distances)
    for p in range(len(every)):
        mine = reciprocal(order, p, k1)
        members = set(mine)
        for j in mine:
            theirs = reciprocal(order, j, round(k1 / 2))
            if len(mine & theirs) > 2 / 3 * len(theirs):
                members |= theirs
        for j in members:
            encoded[p, j] = np.exp(-distances[p, j])
        encoded[p] /= encoded[p].sum()
    encoded = np.stack([encoded[row[:k2]].mean(axis=0) for row in order])
    q = len(queries)
    final = np.zeros((q, len(gallery)))
    for i in range(q):
        for j in range(len(gallery)):
            mine, theirs = encoded[i], encoded[q + j]
            jaccard = 1 - np.minimum(mine, theirs).sum() / np.maximum(mine, theirs).sum()
            final[i, j] = (1 - weight) * jaccard + weight * distances[i, q + j]
    return final


@settings(max_examples=12, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 24)),
    people=st.integers(1, 8),
    k1=st.integers(1, 25),
    k2=st.integers(1, 8),
    weight=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_lists_and_sparse_rows_give_the_distances_of_the_sets(
    sizes: tuple[int, int], people: int, k1: int, k2: int, weight: float, seed: int
) -> None:
    items = clustered(sum(sizes), people, seed)
    queries, gallery = items[: sizes[0]], items[sizes[0] :]
    got = -reranked(queries, gallery, k1=k1, k2=k2, weight=weight).scores(0, len(queries))
    np.testing.assert_allclose(got, slow_distances(queries, gallery, k1, k2, weight), atol=1e-4)


def test_blocks_do_not_change_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery = clustered(12, 4, seed=1), clustered(50, 4, seed=2)
    whole = reranked(queries, gallery)
    monkeypatch.setattr(metrics, "_BLOCK_BYTES", 4 * 62 * 5)  # five rows of all 62 items at a time
    monkeypatch.setattr(rerank, "_PAIRS", 7)
    cut = reranked(queries, gallery)
    parts = np.concatenate([cut.scores(0, 5), cut.scores(5, 6), cut.scores(6, 12)])
    np.testing.assert_allclose(parts, whole.scores(0, 12), atol=1e-6)


def test_a_weight_of_one_leaves_the_order_of_the_cosines() -> None:
    queries, gallery = clustered(6, 3, seed=3), clustered(20, 3, seed=4)
    scores = reranked(queries, gallery, weight=1.0).scores(0, 6)
    np.testing.assert_array_equal(np.argsort(-scores), np.argsort(-(queries @ gallery.T)))


def test_neighbours_in_common_bring_a_far_view_of_a_person_nearer_than_a_stranger() -> None:
    angles = np.radians([0, 20, 40, 60, -50, -52, -54, -56, -58])  # a chain of one person's views, and a tight stranger
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    query, gallery = features[:1], features[1:]
    cosines = (query @ gallery.T)[0]
    scores = reranked(query, gallery, k1=3, k2=3).scores(0, 1)[0]
    assert cosines[2] < cosines[3]
    assert scores[2] > scores[3]


def test_items_that_are_all_the_same_point_have_no_distance() -> None:
    features = np.tile(np.eye(1, 4, dtype=np.float32), (6, 1))
    np.testing.assert_allclose(reranked(features[:2], features[2:], k1=10).scores(0, 2), 0, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"k1": 0}, {"k2": 0}, {"weight": 1.5}, {"weight": -0.1}])
def test_a_parameter_out_of_range_is_named(wrong: dict[str, int]) -> None:
    features = clustered(4, 2, seed=5)
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name}={value}"):
        reranked(features, features, **wrong)


def test_nothing_to_re_rank_is_an_error() -> None:
    features = clustered(4, 2, seed=6)
    with pytest.raises(ValueError, match="4 queries, 0 gallery items"):
        reranked(features, features[:0])


def test_a_feature_that_is_not_finite_is_refused() -> None:
    features = clustered(4, 2, seed=7)
    broken = features.copy()
    broken[2, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        reranked(features, broken)
