"""Clusters of people nobody labelled, whatever the features."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.adapt.cluster import OVERLAP_NS, certainly_different, clusters, distances_of
from training.evaluation.rerank import jaccard_distances


def _features(seed: int, n: int, dim: int = 6) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(2, 30), k1=st.integers(1, 40), k2=st.integers(1, 6))
def test_distances_are_symmetric_between_0_and_1_and_0_to_oneself(seed: int, n: int, k1: int, k2: int) -> None:
    distances = jaccard_distances(_features(seed, n), k1=k1, k2=k2)
    assert distances.shape == (n, n)
    assert distances.min() >= 0
    assert distances.max() <= 1
    np.testing.assert_allclose(distances, distances.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(distances), 0, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 9999), n=st.integers(2, 25), threshold=st.floats(0.05, 1.0))
def test_who_is_certainly_different_is_never_in_one_cluster(
    data: st.DataObject, seed: int, n: int, threshold: float
) -> None:
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1])))
    labels = clusters(
        jaccard_distances(_features(seed, n), k1=8, k2=3), np.array(pairs, np.int64).reshape(-1, 2), threshold
    )
    assert not any(labels[a] == labels[b] >= 0 for a, b in pairs)
    assert sorted(set(labels.tolist()) - {-1}) == list(range(labels.max() + 1))
    assert all((labels == one).sum() > 1 for one in range(labels.max() + 1))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted)),
        max_size=12,
    )
)
def test_different_are_those_one_camera_saw_at_the_same_time_and_no_others(
    seen: list[tuple[int, list[int] | None]],
) -> None:
    cameras = np.array([camera for camera, _ in seen], np.int64)
    spans = [None if span is None else (span[0] * OVERLAP_NS, span[1] * OVERLAP_NS) for _, span in seen]
    expected = []
    for a in range(len(seen)):
        for b in range(a + 1, len(seen)):
            first, second = spans[a], spans[b]
            if first is None or second is None or cameras[a] != cameras[b]:
                continue
            if min(first[1], second[1]) - max(first[0], second[0]) > OVERLAP_NS:
                expected.append([a, b])
    assert certainly_different(cameras, spans).tolist() == expected


def test_people_far_apart_are_found_whatever_their_camera_adds_to_them() -> None:
    rng = np.random.default_rng(0)
    people, cameras = np.repeat(np.arange(12), 5), np.tile(np.arange(5), 12)
    features = (
        rng.normal(size=(12, 64))[people] + 2.0 * rng.normal(size=(5, 64))[cameras] + 0.1 * rng.normal(size=(60, 64))
    )
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    labels = clusters(distances_of(features, cameras), np.empty((0, 2), np.int64))
    assert len(set(zip(people.tolist(), labels.tolist(), strict=True))) == 12
    assert set(labels.tolist()) == set(range(12))
